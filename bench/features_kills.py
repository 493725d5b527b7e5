"""Processes that receive and fold are killed at any moment, the last thousand events are told again: the state stays a fold of the log.

Every life is a real process on one lake in SQLite, whose rows and tiles are one transaction. It tells the last 1,000 events again, to the
lake and to the fold, and goes on with what comes next, until a SIGKILL: in the middle of a transaction, just before its commit, or
anywhere. ``python -m bench.features_kills FOLDER DELIVERIES SEED`` is a life; with seed 0 it is not killed.
"""

from __future__ import annotations

import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bench.features_exact import kept_in
from bench.features_hard import READINGS, Delivery, Stream, instant, model, orders
from bench.goal import Goal, at_least, at_most
from everloop.features.fold import Fold
from everloop.features.online import catch_up
from everloop.features.packed import decode, trimmed
from everloop.features.states import State, states_of
from everloop.features.tiles import Tiles
from everloop.lake import read_source, receive

TOLD_AGAIN = 1_000
SEED = 11
EACH = 60  # deliveries of a life, about


def coming(deliveries: int) -> list[Delivery]:
    """What is delivered, the same in every life."""
    return list(Stream(SEED).deliveries(deliveries))


def life(folder: Path, deliveries: int, seed: int) -> None:
    """Tell the last events again, and go on until the end or the kill."""
    rng, all_of_them = random.Random(seed), coming(deliveries)
    progress = folder / "acknowledged"
    done = int(progress.read_text()) if progress.exists() else 0
    before = [row for delivery in all_of_them[max(done - TOLD_AGAIN, 0) : done] for row in delivery.rows][-TOLD_AGAIN:]
    left = rng.randrange(1, EACH) if seed and seed % 2 else -1
    with kept_in(folder) as kept:
        if seed and left < 0:
            threading.Timer(rng.random() * 0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()

        def fold(connection: sqlite3.Connection, events: pa.Table) -> None:
            nonlocal left
            kept.fold(connection, events)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)  # rows and tiles are written, nothing is committed

        lake = type(kept.lake)(kept.lake.log, kept.lake.tables, kept.lake.pause, lambda source: fold)
        if before:
            receive(lake, orders, before, now=instant(all_of_them[done - 1].now))
            events = read_source(lake, orders)
            kept.fold(lake.log.connection(), events.slice(max(events.num_rows - TOLD_AGAIN, 0)))  # type: ignore[attr-defined]
        for number in range(done, deliveries):
            receive(lake, orders, all_of_them[number].rows, now=instant(all_of_them[number].now))
            # In place and in one go: a kill leaves the number before or this one.
            with progress.open("r+" if progress.exists() else "w") as file:
                file.write(f"{number + 1:08d}")


def kills(count: int = 50) -> Iterator[Goal]:
    """The figures of so many kills."""
    began, deliveries = time.perf_counter(), count * EACH
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        killed = 0
        for seed in [*range(1, count + 1), 0]:
            words = [sys.executable, "-m", "bench.features_kills", temporary, str(deliveries), str(seed)]
            ended = subprocess.run(words, capture_output=True, text=True)
            killed += ended.returncode == -signal.SIGKILL
            if ended.returncode not in (0, -signal.SIGKILL):
                raise RuntimeError(f"life {seed} failed:\n{ended.stderr}")
        with kept_in(folder) as kept:
            events = read_source(kept.lake, orders)
            right = undisturbed(events)
            pairs = [pair for state in states_of(model, READINGS) for pair in _pairs(right, kept.tiles, state, events)]
    wrong = sum(one != other for one, other in pairs)
    lives = f"of {count} lives, {TOLD_AGAIN:,} events told again in each; {time.perf_counter() - began:.0f} s"
    yield at_least("processes killed while they receive and fold", killed, count, "kills", lives)
    yield at_most("values in SQLite that differ from a fold of the log", wrong, 0, "values", f"of {len(pairs):,}")
    told = [(str(row["order_id"]), row["said"]) for d in coming(deliveries) for row in d.rows if not _refused(row)]
    there = list(zip(events["id"].to_pylist(), events["version"].to_pylist(), strict=True))
    doubled = len(there) - len(set(there)) + len(set(told) ^ set(there))
    yield at_most("events not in the log exactly once after the kills", doubled, 0, "events", f"of {len(set(told)):,}")


def _refused(row: dict[str, object]) -> bool:
    return isinstance(row["weight"], float) and math.isinf(row["weight"])


def undisturbed(events: pa.Table) -> Tiles:
    """What one fold of the log keeps, event by event."""
    tiles, states = Tiles(sqlite3.connect(":memory:", isolation_level=None)), states_of(model, READINGS)
    catch_up(tiles, states, {"orders": events.slice(0, 0)})
    fold = Fold(states)
    for start in range(events.num_rows):
        fold.take_in(tiles, events.slice(start, 1))
    return tiles


def _pairs(right: Tiles, found: Tiles, state: State, events: pa.Table) -> Iterator[tuple[object, object]]:
    yield from zip(everything(right, state, events), everything(found, state, events), strict=True)


def everything(store: Tiles, state: State, events: pa.Table) -> Iterator[object]:
    """All a store keeps of a state, as far back as anybody reads: its mark, packed rows, members, rows."""
    name, known_at = state.id, max(events["known_at"].to_pylist())
    keys = sorted({key for key in _keys(state, events) if key is not None})
    marks, packed = store.read([name], [(name, key) for key in keys])
    yield marks[0]
    since = None if state.reach is None else known_at - state.reach
    for key, body in zip(keys, packed, strict=True):
        yield None if body is None else trimmed(state, body, known_at)
        yield store.members(name, key, since, None)
    for row in store.rows(name, sorted(set(events["id"].to_pylist()))):
        yield None if row is None else decode(row)


def _keys(state: State, events: pa.Table) -> Iterator[str | None]:
    if not state.keys:
        yield ""
        return
    for said in zip(*(events[key].to_pylist() for key in state.keys), strict=True):
        yield None if None in said else "\x1f".join(str(int(value)) if isinstance(value, bool) else str(value) for value in said)


if __name__ == "__main__":
    life(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
