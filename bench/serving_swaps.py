"""Swaps under load: who answers everybody is changed two hundred times in a minute, forth by a roll-out and back by ``undo``.

``python -m bench.serving_swaps FOLDER COUNT SECONDS`` is the process that swaps; it prints a line of JSON for each. The load notes when
each request was sent, so that an answer by a version that nobody answered by any more is seen. Moments are the machine's own.
"""

from __future__ import annotations

import bisect
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.goal import Goal, at_least, at_most
from bench.running import running
from bench.serving_house import Served, the_house
from bench.serving_rivals import EVERLOOP
from bench.wire import Heard, body_of, closed

SWAPS, SECONDS = 200, 60.0
CONNECTIONS = 64
MODEL = "number"


@dataclass(frozen=True)
class Swap:
    """One swap: when it was begun, when the last worker had said that it answers by it, who answers since then, and which way it was."""

    began: float
    done: float
    version: str
    back: bool
    everybody: bool


@dataclass(frozen=True)
class Answer:
    """When a request was sent, and who answered it."""

    sent: float
    version: str


def swaps() -> Iterator[Goal]:
    """Two workers, sixty-four connections, two hundred swaps."""
    with tempfile.TemporaryDirectory() as folder:
        mine = the_house().copied(Path(folder) / "project")
        answers: list[Answer] = []

        def see(sent: float, said: bytes) -> None:
            at = said.find(b'"version":"')
            answers.append(Answer(sent, said[at + 11 : said.find(b'"', at + 11)].decode()))

        with running(mine.folder, mine.house, "--workers", "2", verb="serve") as house:
            asking = EVERLOOP.requests()
            calm = closed(house.url, asking, connections=CONNECTIONS, seconds=5)
            words = [sys.executable, "-m", "bench.serving_swaps", str(mine.folder), str(SWAPS), str(SECONDS)]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as swapping:
                heard = closed(house.url, asking, connections=CONNECTIONS, seconds=SECONDS + 5, see=see)
                said, _ = swapping.communicate(timeout=60)
            if swapping.returncode:
                raise RuntimeError("the process that swaps ended early")
        made = [Swap(**json.loads(line)) for line in said.splitlines()]
    yield from told(made, answers, heard, calm)


def told(made: list[Swap], answers: list[Answer], heard: Heard, calm: Heard) -> Iterator[Goal]:
    """The goals of what was seen."""
    took = [1000 * (swap.done - swap.began) for swap in made]
    back = [1000 * (swap.done - swap.began) for swap in made if swap.back]
    why = f"; one of them: {body_of(heard.wrong)[:150].decode(errors='replace')}" if heard.failed else ""
    slower = f"p99 {1000 * heard.quantile(0.99):,.1f} ms, {1000 * calm.quantile(0.99):,.1f} without swaps"
    yield at_least(
        "swaps within a minute, by two workers under load", len(made), SWAPS, "swaps", f"median {statistics.median(took):.0f} ms"
    )
    yield at_most(
        "requests that failed while versions were swapped", heard.failed + heard.broken, 0, "requests", f"of {heard.count:,}; {slower}{why}"
    )
    old = old_answers(made, answers)
    yield at_most("answers by an old version after all workers had said so", old, 0, "answers", f"of {len(answers):,}")
    yield at_most(
        "undo under load, from the word to every worker",
        max(back),
        300,
        "ms",
        f"slowest of {len(back)}, median {statistics.median(back):.0f}",
    )
    yield at_most("swaps that not every worker confirmed", sum(not swap.everybody for swap in made), 0, "swaps", f"of {len(made)}")


def old_answers(made: list[Swap], answers: list[Answer]) -> int:
    """Answers to requests sent after a swap was confirmed, and before the next was begun, by another version than that swap's.

    >>> made = [Swap(1.0, 1.1, "a", False, True), Swap(2.0, 2.1, "b", True, True)]
    >>> old_answers(made, [Answer(1.05, "b"), Answer(1.5, "a"), Answer(1.5, "b"), Answer(2.05, "a"), Answer(3.0, "b")])
    1
    """
    done = [swap.done for swap in made]
    wrong = 0
    for answer in answers:
        at = bisect.bisect_right(done, answer.sent) - 1
        settled = at >= 0 and (at + 1 == len(made) or answer.sent < made[at + 1].began)
        wrong += settled and answer.version != made[at].version
    return wrong


def swap(served: Served, count: int, seconds: float) -> Iterator[Swap]:
    """The other version for everybody, and back again, at an even pace."""
    from everloop.clock import wall
    from everloop.loop.house import open_house
    from everloop.loop.people import undo
    from everloop.loop.serve.routes import acknowledged

    house = open_house(served.project, folder=served.house)
    model = house.project.model(MODEL)
    candidate = house.traffic(model).candidate
    undo(house, model, by="the bench", reason="nobody is to be asked about shares", now=wall())
    began = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number * seconds / count - time.perf_counter()))
        at, back = time.perf_counter(), bool(number % 2)
        if back:
            undo(house, model, by="the bench", reason="back again", now=wall())
        else:
            forth(house, model, candidate, number)
        done, traffic = time.perf_counter(), house.traffic(model)
        confirmed, living = acknowledged(house, MODEL, traffic.generation)
        name = house.versions.get(traffic.champion).name
        yield Swap(at, done, name, back, len(confirmed) == len(living) == 2)


def forth(house, model, candidate, number: int) -> None:  # type: ignore[no-untyped-def]
    """A roll-out without steps: the version answers everybody at once, the one before it in shadow."""
    from everloop import rollout
    from everloop.clock import wall
    from everloop.loop.keep import keep_record
    from everloop.loop.serve.routes import spread
    from everloop.records import identity

    now = wall()
    with house.store.transaction() as t:
        id = identity("bench", MODEL, number, now.isoformat())
        moved = rollout.begin(house.traffic(model, within=t), candidate, (), now=now, id=id, because="the bench")
        keep_record(house, t, moved, model=model, turn=id, verb="begin")
    spread(house, MODEL, moved.generation)


if __name__ == "__main__":
    for one in swap(Served(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])):
        print(json.dumps(asdict(one)), flush=True)
