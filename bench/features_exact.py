"""Exactness: what is read online, event by event, is what training reads of the same moment, bit for bit; and a wrong rule is found out.

Rows come in through the lake's door, are folded in the transaction that keeps them, now and then told again, and the state is asked between
them. Nothing online ever sees a table. Later the same questions, in another order, are put to the event tables.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bench.features_hard import READINGS, UNITS, WINDOWS, Stream, instant, leaves_window, model, orders
from bench.goal import Goal, at_least, at_most
from everloop.features.compile import features
from everloop.features.fold import Fold
from everloop.features.online import Online, catch_up
from everloop.features.states import states_of
from everloop.features.tiles import Tiles
from everloop.lake import Lake, open_lake, read_source, receive

#: Of each question: the units asked about, one of them twice, one unknown, one empty.
ASKED: Final = (*UNITS, UNITS[0], "nobody", None)
GIFTS: Final = (True, False, None, True, False, True, None, False, True, True, False)
TOLD_AGAIN: Final = 30


@dataclass(frozen=True)
class Heard:
    """What arrived, what was asked, and what was told online."""

    events: pa.Table
    questions: pa.Table
    told: pa.Table

    @property
    def values(self) -> int:
        """How many values were told."""
        return int(self.told.num_rows * self.told.num_columns)


def asked_after(rng: Random, known: int, until: int, times: Sequence[int]) -> int:
    """A moment later than what is known and no later than what comes next: if one can be had, just when a row leaves a window."""
    edges = [leaves_window(at, *window) + edge for at in times for window in WINDOWS for edge in (-1, 0, 1)]
    there = [edge for edge in edges if known < edge <= until]
    if there and rng.random() < 0.5:
        return rng.choice(there)
    return rng.choice((known + 1, until, until, rng.randrange(known, until) + 1))


@dataclass(frozen=True)
class Kept:
    """A lake whose rows are folded in the transaction they arrive in, the tiles in the same file, and how they are read."""

    lake: Lake
    tiles: Tiles
    fold: Callable[[sqlite3.Connection, pa.Table], None]
    online: Online


@contextmanager
def kept_in(folder: Path) -> Iterator[Kept]:
    """A lake in a folder, with online state for all readings."""
    lake, states = open_lake(folder / "lake", durability="process"), states_of(model, READINGS)
    folding, tiles = Fold(states), Tiles(lake.log.connection())  # type: ignore[attr-defined]
    catch_up(tiles, states, {"orders": read_source(lake, orders)})

    def fold(connection: sqlite3.Connection, events: pa.Table) -> None:
        if folding.take_in(Tiles(connection), events):
            raise RuntimeError("A state lacks rows before these.")

    try:
        yield Kept(replace(lake, also=lambda source: fold), tiles, fold, Online(model, READINGS))
    finally:
        lake.log.close()


def replayed(seed: int, deliveries: int, questions: int) -> Heard:
    """Receive a stream, delivery by delivery, each folded in its own transaction, and ask between them about as often as said."""
    rng, stream = Random(seed + 1), Stream(seed)
    moments: list[int] = []
    told: list[pa.Table] = []
    with tempfile.TemporaryDirectory() as folder, kept_in(Path(folder)) as kept:
        lake = kept.lake
        coming = list(stream.deliveries(deliveries))
        for delivery, until in zip(coming, [*(d.now for d in coming[1:]), coming[-1].now + 10**9], strict=True):
            receive(lake, orders, delivery.rows, now=instant(delivery.now))
            if rng.random() < 0.05:
                kept.fold(lake.log.connection(), read_tail(lake))  # type: ignore[attr-defined]
            if rng.random() < questions / deliveries:
                known = lake.log.counters("orders").last_known
                moments.append(asked_after(rng, known, max(until, known + 1), rng.choices(stream.times, k=200)))
                told.append(pa.table(dict(kept.online.now(kept.tiles, requests(), moments[-1]).columns)))
        events = read_source(lake, orders)
    return Heard(events, questions_at(moments), pa.concat_tables(told))


def read_tail(lake: Lake) -> pa.Table:
    """The last rows of the log, to be told again."""
    events = read_source(lake, orders)
    return events.slice(max(events.num_rows - TOLD_AGAIN, 0))


def requests() -> pa.Table:
    """What is asked at each moment."""
    return pa.table({"customer_id": pa.array(ASKED, pa.string()), "gift": pa.array(GIFTS, pa.bool_())})


def questions_at(moments: Sequence[int]) -> pa.Table:
    """The requests of every moment, one moment after the other."""
    asked = pa.concat_tables([requests()] * len(moments))
    return asked.add_column(0, "moment", pa.array(np.repeat(np.array(moments, dtype=np.int64), len(ASKED))))


def learnt(heard: Heard, seed: int = 3) -> pa.Table:
    """What training reads of the same questions, put in another order."""
    order = np.random.default_rng(seed).permutation(heard.questions.num_rows)
    found = features(READINGS, heard.questions.take(order), {"orders": heard.events}, model=model)
    return found.take(np.argsort(order))


def folded(heard: Heard, *, at_a_time: int = 1, built: int = 0) -> pa.Table:
    """What is told online where the same rows are folded anew, so many at a time at most, and every row is told twice.

    ``built``: of so many rows the state is made in bulk; then only the questions after them are answered.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    tiles, states = Tiles(connection), states_of(model, READINGS)
    catch_up(tiles, states, {"orders": heard.events.slice(0, built)})
    folding, online = Fold(states), Online(model, READINGS)
    known = heard.events["known_at"].to_numpy()
    done, told = built, []
    for moment in heard.questions["moment"].to_numpy()[:: len(ASKED)].tolist():
        until = int(np.searchsorted(known, moment))
        if until < built:
            continue
        for start in range(done, until, at_a_time):
            rows = heard.events.slice(start, min(at_a_time, until - start))
            folding.take_in(tiles, rows)
            folding.take_in(tiles, rows)
        done = max(done, until)
        told.append(pa.table(dict(online.now(tiles, requests(), moment).columns)))
    connection.close()
    return pa.concat_tables(told)


def differences(told: pa.Table, found: pa.Table) -> Counter[str]:
    """How many values of each column are not the same in both: floats by their 64 bits, empty only as empty."""
    if told.column_names != found.column_names or told.num_rows != found.num_rows:
        raise ValueError("The two have not the same columns and rows.")
    counted = {name: int(np.count_nonzero(bits(told[name]) != bits(found[name]))) for name in told.column_names}
    return Counter({name: n for name, n in counted.items() if n})


def bits(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """What tells two values apart: the bits of a float, with a place of their own for what is empty; else the value."""
    if not pa.types.is_floating(column.type):
        return np.array([repr(value) for value in column.to_pylist()])
    there = np.asarray(column.is_valid().to_numpy(), dtype=np.bool_)
    held = np.asarray(column.fill_null(0.0).to_numpy(), dtype=np.float64).view(np.int64).astype(object)
    held[~there] = None
    return held


def exact() -> Iterator[Goal]:
    """A million values and more, some of them again from a state built in bulk half way; then fewer rows with mutants of the rule."""
    from bench.features_mutants import MUTANTS, killed

    compared, wrong, empty, arrived = 0, Counter[str](), 0, Counter[str]()
    for seed in range(2):
        heard = replayed(seed, deliveries=2500, questions=560)
        found = learnt(heard)
        compared += heard.values
        wrong += differences(heard.told, found)
        again = folded(heard, at_a_time=500, built=heard.events.num_rows // 2)
        compared += again.num_rows * again.num_columns
        wrong += differences(again, found.slice(found.num_rows - again.num_rows))
        empty += sum(column.null_count for column in found.columns)
        arrived += told_of(heard.events)
    beside = f"{empty:,} of them empty in both; {', '.join(f'{n:,} {what}' for what, n in arrived.items())}"
    yield at_least("values compared, online and offline", compared, 1_000_000, "values", beside)
    yield at_most("values that differ, bit by bit", wrong.total(), 0, "values", str(dict(wrong)) if wrong else "")
    small = replayed(7, deliveries=260, questions=26)
    try:
        dead = killed(small)
    except ValueError as why:
        dead = {f"all of them: {why}": 0}
    alive = [name for name, found in dead.items() if not found]
    beside = f"alive: {alive}" if alive else f"of {len(MUTANTS)}"
    yield at_least("mutants of the rule that are found out", len(dead) - len(alive), len(MUTANTS), "mutants", beside)


def told_of(events: pa.Table) -> Counter[str]:
    """What kinds of rows there were."""
    at, known = events["event_at"].to_numpy(), events["known_at"].to_numpy()
    ids = events["id"].to_pylist()
    return Counter(
        {
            "rows": events.num_rows,
            "late by more than a day": int(np.count_nonzero(known - at > 86_400_000_000)),
            "corrections": len(ids) - len(set(ids)),
            "deletions": sum(events["deleted"].to_pylist()),
        }
    )
