"""Online reads of 50 features, one, ten and a hundred customers at a time, beside Feast, both on SQLite in process; and what Feast loses.

The 50 features are the newest values of five sources, ten columns each, of 10,000 customers, not older than 30 days: what Feast holds in
five views. Both give values, statuses and times. Beside it: 50 features of one source (one view), and 50 features over windows, which have
no like there. ``python -m bench.features_reads FOLDER`` times ours and prints JSON.
"""

from __future__ import annotations

import gc
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from bench import features_data as data
from bench.features_speed import beside, feast
from bench.goal import Goal, at_least, at_most
from everloop import Model, Source, days, every, hours
from everloop.features.online import Online, catch_up
from everloop.features.states import states_of
from everloop.features.tiles import Tiles
from everloop.project.reading import AnyReading
from everloop.sql.wal import write_ahead

SOURCES: Final = 5
WIDTH: Final = 10
CUSTOMERS: Final = 10_000
EVENTS: Final = 300_000
ROUNDS: Final = 3
#: What Feast took and what we took.
Both: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
RUNS: Final = {1: 5000, 10: 2000, 100: 300}
NOW: Final = data.START + data.SPAN


def source(name: str, columns: Sequence[str]) -> Source:
    """A source that says some decimals of a customer."""
    return Source(name, id=f"{name}_id", time="at", columns={"customer_id": str, **dict.fromkeys(columns, float)})


def newest(of: Source) -> list[AnyReading]:
    """Its newest values, not older than 30 days."""
    return [of.latest(column, last=days(30)) for column, kind in of.columns.items() if kind is float]


def table(of: Source) -> pa.Table:
    """One row for each customer, an hour ago."""
    rng = np.random.default_rng(3)
    ids = [f"c{i}" for i in range(CUSTOMERS)]
    at = pa.array(np.full(CUSTOMERS, NOW - 3_600_000_000))
    columns: dict[str, Any] = {
        "seq": np.arange(1, CUSTOMERS + 1), "id": ids, "version": np.zeros(CUSTOMERS, np.int64), "event_at": at, "known_at": at,
        "deleted": np.zeros(CUSTOMERS, bool), of.id[0]: ids, "at": at, "customer_id": ids,
    }  # fmt: skip
    return pa.table(columns | {name: rng.normal(size=CUSTOMERS) for name, kind in of.columns.items() if kind is float})


def windows() -> list[AnyReading]:
    """Fifty features over windows of purchases."""
    p, made = data.purchases, list[AnyReading]()
    for last in (hours(1), hours(24), days(7), days(14), days(30)):
        made += [
            p.total("amount", last=last), p.mean("amount", last=last), p.count(last=last), p.lowest("amount", last=last),
            p.highest("amount", last=last), p.latest("amount", last=last), p.distinct("sku", last=last), p.total("weight", last=last),
            p.any(last=last), (p.total("weight", last=last) / p.count(last=last)).named(f"weight_each_{last}"),
        ]  # fmt: skip
    return made


def asked(readings: Sequence[AnyReading]) -> Model:
    """A model that knows these readings of a customer."""
    target = data.purchases.total("amount", next=days(7))
    return Model("online", predicts=target, per="customer_id", asked=every(days(1)), knows=readings, learner=data.Learner())


def timed(folder: Path, name: str, readings: Sequence[AnyReading], tables: dict[str, pa.Table], key: str = "c") -> dict[str, Any]:
    """Milliseconds of a read with statuses and times, by batch: the median and the slowest in a hundred."""
    connection = sqlite3.connect(folder / f"{name}.db", isolation_level=None)
    write_ahead(connection, 1.0)
    tiles, model = Tiles(connection), asked(readings)
    began = time.perf_counter()
    catch_up(tiles, states_of(model, readings), tables)
    found: dict[str, Any] = {"write_seconds": time.perf_counter() - began}
    online = Online(model, readings)
    gc.collect()
    for batch, runs in RUNS.items():
        rng, took = random.Random(batch), []
        for run in range(runs + 20):
            rows = [{"customer_id": f"{key}{rng.randrange(CUSTOMERS)}"} for _ in range(batch)]
            start = time.perf_counter()
            answer = online.read(tiles, rows, NOW + run)
            if run >= 20:
                took.append((time.perf_counter() - start) * 1e3)
            assert len(answer.values) == len(answer.statuses) == batch
            assert len(answer.values[-1]) == len(answer.statuses[-1]) == len(readings) == SOURCES * WIDTH
            assert all(mark.known_at for mark in answer.as_of.values())
        found[str(batch)] = {"p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99))}
    connection.close()
    return found


def ours(folder: Path) -> dict[str, Any]:
    """Five sources, one source, and windows."""
    five = [source(f"view{i}", [f"f{i}_{j}" for j in range(WIDTH)]) for i in range(SOURCES)]
    one = source("all", [f"g{j}" for j in range(SOURCES * WIDTH)])
    return {
        "five": timed(folder, "five", [r for of in five for r in newest(of)], {of.name: table(of) for of in five}),
        "one": timed(folder, "one", newest(one), {"all": table(one)}),
        "windows": timed(folder, "windows", windows(), {"purchases": data.events(CUSTOMERS, rows=EVENTS, clean=True)}),
    }


def reads() -> Iterator[Goal]:
    """Feast and ours in turns, since a machine is not as fast at one minute as at the next; each ratio is the median of the rounds."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as temporary:
            rounds.append((feast("online", temporary), beside("bench.features_reads", temporary)))
    found = {(shape, str(batch)): times(rounds, shape, str(batch)) for shape in ("five", "one") for batch in RUNS}
    ratio, said = ({which: both[i] for which, both in found.items()} for i in range(2))
    yield at_least("Feast over our online read of 50 features, batch 1", ratio["five", "1"], 20, "times", said["five", "1"])
    yield at_least("Feast over our online read of 50 features, batch 10", ratio["five", "10"], 20, "times", said["five", "10"])
    yield at_least("Feast over our online read of 50 features, batch 100", ratio["five", "100"], 20, "times", said["five", "100"])
    yield at_least("the same of one view and one source, batch 1", ratio["one", "1"], 20, "times", said["one", "1"])
    yield at_least("the same of one view and one source, batch 10", ratio["one", "10"], 20, "times", said["one", "10"])
    yield at_least("the same of one view and one source, batch 100", ratio["one", "100"], 20, "times", said["one", "100"])
    theirs, mine = sorted(rounds, key=lambda both: both[1]["five"]["1"]["p99"])[ROUNDS // 2]
    slow = f"Feast {theirs['five']['1']['p99']:.2f}; one source {mine['one']['1']['p99']:.3f}, windows {mine['windows']['1']['p99']:.3f}"
    yield at_most("online read of 50 features, p99 in process, batch 1", mine["five"]["1"]["p99"], 1, "ms", slow)


def times(rounds: Sequence[Both], shape: str, batch: str) -> tuple[float, str]:
    """The median of the ratios, and what was measured."""
    ranked = sorted(rounds, key=lambda both: _ratio(*both, shape, batch))
    middle, ratios = ranked[len(ranked) // 2], ", ".join(f"{_ratio(*both, shape, batch):.1f}" for both in ranked)
    return _ratio(*middle, shape, batch), f"rounds {ratios}; {_said(*middle, batch)}"


def _ratio(theirs: dict[str, Any], mine: dict[str, Any], shape: str, batch: str) -> float:
    return float(theirs[shape][batch]["p50"] / mine[shape][batch]["p50"])


def _said(theirs: dict[str, Any], mine: dict[str, Any], batch: str) -> str:
    def p50(of: dict[str, Any]) -> str:
        return f"{of[batch]['p50']:.3f}"

    views = f"p50 ms of five views {p50(theirs['five'])}, five sources {p50(mine['five'])}"
    return f"{views}; one view {p50(theirs['one'])}, one source {p50(mine['one'])}; windows {p50(mine['windows'])}"


def lost() -> Iterator[Goal]:
    """The same rows through Feast's default stores, with what they lose, and through ours."""
    with tempfile.TemporaryDirectory() as temporary:
        theirs = feast("losses", temporary)
    kept, ten, expired, restated = through_ours()
    yield at_least(
        "questions of five that come out, one of nobody", kept, 5, "rows", f"Feast by default: {theirs['kept']} of {theirs['asked']}"
    )
    beside = f"Feast on SQLite: {theirs['served']}, the older"
    yield at_least("the newer value stays where an older one comes later", ten, 10, "", beside)
    beside = f"Feast gives {theirs['expired']} as present" if theirs["status"] == 1 else f"Feast says status {theirs['status']}"
    yield at_most("values given that are past their time", float(expired), 0, "values", beside)
    beside = f"Feast by default: {theirs['restated']}"
    yield at_most("values restated today that a question of five days ago sees", float(restated), 0, "values", beside)


def through_ours() -> tuple[int, float, int, int]:
    """The rows of ``feast_side.losses``: how many questions come out, what is served after an older row, how many past values are given,
    how many restated ones are seen."""
    from everloop.features.compile import features
    from everloop.testing.plain import Said, event_table

    of = source("few", ["v0"])
    readings, day = newest(of), data.DAY
    model = asked(readings)

    def row(id: str, who: str, ago: int, value: float, version: int = 0, known: int | None = None) -> Said:
        return Said(id, version, NOW - ago, NOW - ago if known is None else known, {"customer_id": who, "v0": value})

    log = [row("b", "b", 60 * day, 3.0), row("a1", "a", 9 * day, 1.0), row("a2", "a", 2 * day, 2.0)]
    spine = [("a", NOW), ("a", NOW - 5 * day), ("b", NOW), ("a", NOW - 80 * day), ("nobody", NOW)]
    questions = pa.table({"customer_id": [who for who, _ in spine], "moment": pa.array([at for _, at in spine], pa.int64())})
    kept = features(readings, questions, {"few": event_table(of, log)}, model=model).num_rows
    again = event_table(of, [*log, row("a1", "a", 9 * day, 1e9, version=1, known=NOW)])
    seen = features(readings, questions.slice(1, 1), {"few": again}, model=model).column(0).to_pylist()
    tiles = Tiles(sqlite3.connect(":memory:", isolation_level=None))
    late = [row("x1", "o", 0, 10.0), row("x2", "o", day // 4, 3.0, known=NOW + 1), row("y", "old", 60 * day, 4.0, known=NOW + 2)]
    catch_up(tiles, states_of(model, readings), {"few": event_table(of, late)})
    answer = Online(model, readings).read(tiles, [{"customer_id": "o"}, {"customer_id": "old"}], NOW + 3)
    (ten,), (old,) = answer.values
    assert answer.statuses[1] == ["expired"], answer.statuses
    return kept, float(ten), int(old is not None), sum(value == 1e9 for value in seen)  # type: ignore[arg-type]


if __name__ == "__main__":
    print(json.dumps(ours(Path(sys.argv[1]))))
