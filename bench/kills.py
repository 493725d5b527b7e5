"""Killed at any moment, a turn is finished by whoever comes next: one promotion or none, every record once, the chain intact.

Each trial is two real processes on one house: the first is killed by SIGKILL, between two commits or at a random moment; the second goes
on. ``python -m bench.kills FOLDER K`` is the process that is killed at its K-th pause (``-K``: after K milliseconds of work; 0: never).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.goal import Goal, at_least, at_most

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NEXT = NOW + timedelta(days=1)


@dataclass(frozen=True)
class Trial:
    """What was found after a kill and a restart."""

    killed: bool
    promotions: int
    begun: int
    doubled: int
    answers_doubled: int
    records: int
    seconds: float


def prepare(folder: Path) -> None:
    """A house of the tiny shop with its history in, and a day of orders still unsealed; nothing has been learnt yet."""
    from everloop.loop.arrivals import ingest_files, receive_rows
    from everloop.loop.house import open_house
    from everloop.loop.start import start_project
    from everloop.testing.projects.happenings import shop

    start_project("shop", folder, end=NOW)
    house = open_house(folder / "project.py", folder=folder / "house")
    ingest_files(house, None, [], now=NOW)
    rows = [row | {"line_id": f"late-{row['line_id']}", "ordered_at": NOW - timedelta(minutes=1)} for row in shop(NOW)["orders"][-200:]]
    receive_rows(house, "orders", rows, now=NOW)
    house.store.close()


def work(folder: Path, die_at: int) -> int:
    """One round: a turn, and the answers that are due. Returns how many pauses there were."""
    from everloop.loop.answers import answer_due
    from everloop.loop.house import open_house, with_pause
    from everloop.loop.turn import turn

    count = 0

    def pause(_moment: str) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if die_at < 0:
        threading.Timer(-die_at / 1000, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    house = with_pause(open_house(folder / "project.py", folder=folder / "house"), pause)
    model = house.project.model("demand")
    turn(house, model, NOW)
    answer_due(house, model, NOW)
    turn(house, model, NEXT)
    answer_due(house, model, NEXT)
    return count


def trial(prepared: Path, die_at: int) -> Trial:
    """Kill, go on, and look at what is there."""
    import pyarrow as pa

    from everloop.loop.house import open_house
    from everloop.serving.log import unsealed

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "shop"
        shutil.copytree(prepared, folder)
        first = subprocess.run([sys.executable, "-m", "bench.kills", str(folder), str(die_at)], capture_output=True, text=True)
        began = time.perf_counter()
        second = subprocess.run([sys.executable, "-m", "bench.kills", str(folder), "0"], capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if second.returncode:
            raise RuntimeError(f"killed at {die_at}, the next process could not go on:\n{second.stderr}")
        house = open_house(folder / "project.py", folder=folder / "house")
        house.journal.verify()
        entries = house.journal.read()
        ids = Counter(e.record.id for e in entries)
        steps = Counter((e.turn, e.verb) for e in entries if e.turn and e.verb not in ("adopt", "as_of"))
        raw = pa.concat_tables(
            [t.select(["moment", "unit", "arm"]) for t in (house.lake.tables.read("answers"), unsealed(house.settings.answers))]
        )
        given = Counter((r["moment"], r["unit"]) for r in raw.to_pylist() if r["arm"] != "shadow")
        trial = Trial(
            killed=first.returncode == -signal.SIGKILL,
            promotions=sum(e.kind == "Version" and e.record.number > 0 for e in entries),  # type: ignore[attr-defined]
            begun=sum(e.verb == "begin" for e in entries),
            doubled=sum(n > 1 for n in ids.values()) + sum(n > 1 for n in steps.values()),
            answers_doubled=sum(n > 1 for n in given.values()),
            records=len(entries),
            seconds=seconds,
        )
        house.store.close()
        return trial


def trials(count: int, seed: int = 0) -> Iterator[Trial]:
    """``count`` kills: first between every pair of commits, then at random moments of the work."""
    with tempfile.TemporaryDirectory() as temporary:
        prepared = Path(temporary) / "shop"
        prepare(prepared)
        whole = Path(temporary) / "whole"
        shutil.copytree(prepared, whole)
        pauses = work(whole, 0)
        rng = random.Random(seed)
        places = list(range(1, pauses + 1)) if count >= pauses else sorted(rng.sample(range(1, pauses + 1), count - count // 3))
        places += [-rng.randrange(500, 6000) for _ in range(count - len(places))]
        for place in places:
            yield trial(prepared, place)


def sixty_kills() -> Iterator[Goal]:
    """The figures of sixty kills: between every pair of commits, and at random moments. Half an hour on two cores."""
    yield from figures(list(trials(60)))


def figures(found: list[Trial]) -> Iterator[Goal]:
    """What the trials come to."""
    count = len(found)
    killed = sum(t.killed for t in found)
    yield at_least("kills that hit", killed, 50, "kills", f"of {count} rounds; a kill after the work was done hits nothing")
    yield at_most("rounds with another number of promotions than one", sum(t.promotions != 1 or t.begun != 1 for t in found), 0, "rounds")
    yield at_most("records or steps kept twice", sum(t.doubled for t in found), 0, "records")
    yield at_most("answers kept twice", sum(t.answers_doubled for t in found), 0, "answers")
    yield at_most("journals of another length", len({t.records for t in found}) - 1, 0, "lengths")


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
