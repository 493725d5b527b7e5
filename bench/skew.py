"""The skew meter: nothing where nothing is wrong; each of five faults named, with its rate; and what noting and looking cost.

Each fault is put into what the serving path is given, never into what is measured. How many values it truly changed is counted by the
plain reader of ``everloop.testing``, which shares no line with either side.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.goal import Goal, at_most
from everloop import Model, Source, days, every, money
from everloop.features.as_of import live
from everloop.features.served import reach, with_as_of
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.house import House, open_house
from everloop.loop.project_file import project_of
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.loop.serve.worker import opened
from everloop.loop.skew import Measured
from everloop.loop.skew import measure as look
from everloop.settings import read_settings
from everloop.testing.plain import Said, plain

START = datetime(2026, 9, 1, tzinfo=UTC)
UNITS, DAYS, TIMES, SINGLE = 1_000, 42, 4, 5_000
HOUR = 3_600_000_000
MOMENTS = [START + timedelta(days=DAYS, hours=5 + 11 * n) for n in range(TIMES)]
END = MOMENTS[-1] + timedelta(hours=1)

Tables = Mapping[str, pa.Table]
Logs = dict[str, list[Said]]

visits = Source(
    "visits", id="visit_id", time="at", columns={"customer_id": str, "price": money("EUR"), "weight": float, "kind": str}, late=days(1)
)
COUNT = visits.count(last=days(7)).named("count")
WEIGHT = visits.total("weight", last=days(28)).named("weight")
PRICE = visits.latest("price", last=days(14)).named("price")
KIND = visits.latest("kind").named("kind")


def learn(rows: object) -> None:
    """Nothing is learnt here: the baseline answers."""


SPEND = Model(
    "spend",
    predicts=visits.total("price", next=days(7)),
    per="customer_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=[COUNT, WEIGHT, PRICE, KIND],
    learner=learn,
    fed_as="arrow",
    baseline=COUNT,
)


def measure() -> Iterator[Goal]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = _history(folder / "history")

        def shop(name: str) -> _Shop:
            return _Shop(history, folder / name)

        with shop("clean") as clean:
            clean.ask()
            found = clean.look()
            differ = sum(skew.differ + skew.other for skew in found.features)
            yield at_most("skew where nothing is wrong", differ, 0, "values", f"of {found.values:,} compared")
        with shop("left out") as one:
            wrong, told = _error("count", "was left out", *_left_out(one))
            yield at_most("skew, 1 % of events left out: error of the rate", wrong, 0.10, "share", told)
        with shop("late") as one:
            wrong, told = _error("count", "an hour later", *_an_hour_late(one))
            yield at_most("skew, times an hour off: error of the rate", wrong, 0.10, "share", told)
        with shop("expired") as one:
            wrong, told = _error("price", "its time was over", *_for_ever(one))
            yield at_most("skew, values beyond their time: error of the rate", wrong, 0.10, "share", told)
        with shop("order") as one:
            wrong, told = _error("weight", "last digits", *_backwards(one))
            yield at_most("skew, a sum in another order: error of the rate", wrong, 0.10, "share", told)
        with shop("edited") as one:
            wrong, told = _error("count", "another definition", *_edited(one))
            yield at_most("skew, an edited definition: error of the rate", wrong, 0.10, "share", told)
        with shop("cost") as one:
            yield from _cost(one)


ALONE = {"price": {"price"}, "weight": {"weight"}}
"""Faults of one feature only: no other may be named."""


def _error(feature: str, named: str, found: Measured, true: int) -> tuple[float, str]:
    """How far the rate is from the true one, and what was named; not found, not so named, or found elsewhere too, is all wrong."""
    skew = next(skew for skew in found.features if skew.feature == feature)
    skewed = {skew.feature for skew in found.skewed}
    right = true > 0 and named in (skew.event or "") and skewed <= ALONE.get(feature, skewed)
    wrong = abs(skew.differ + skew.other - true) / true if right else 1.0
    return wrong, f"{feature}: {skew.rate:.3%} of {skew.compared + skew.other:,}; {skew.event}"


# -- faults ------------------------------------------------------------------------------------------------------------------------


def _left_out(shop: _Shop) -> tuple[Measured, int]:
    def some(tables: Tables) -> Tables:
        seq = np.asarray(tables["visits"]["seq"].to_numpy())
        return {"visits": tables["visits"].filter(pa.array(seq % 100 != 7))}

    shop.ask(tables=some)
    return shop.look(), shop.changed(COUNT, _logs(some(shop.tables)["visits"]))


def _an_hour_late(shop: _Shop) -> tuple[Measured, int]:
    def moved(tables: Tables) -> Tables:
        table = tables["visits"]
        for column in ("event_at", "at"):
            table = table.set_column(table.schema.get_field_index(column), column, pc.add(table[column], HOUR))
        return {"visits": table}

    shop.ask(tables=moved)
    return shop.look(), shop.changed(COUNT, _logs(moved(shop.tables)["visits"]))


def _for_ever(shop: _Shop) -> tuple[Measured, int]:
    always = visits.latest("price").named("price")

    def kept(table: pa.Table, tables: Tables, moment: datetime) -> pa.Table:
        true = live(SPEND.but("spend", knows=always), tables, moment=moment, units=table.select(["customer_id"]))
        return table.set_column(table.column_names.index("price"), "price", true["price"])

    shop.ask(table=kept)
    return shop.look(), shop.changed(PRICE, _logs(shop.tables["visits"]), always)


def _backwards(shop: _Shop) -> tuple[Measured, int]:
    logs, changed = _logs(shop.tables["visits"]), 0

    def summed(table: pa.Table, tables: Tables, moment: datetime) -> pa.Table:
        nonlocal changed
        at = int(moment.timestamp()) * 1_000_000
        start = (at - 28 * 24 * HOUR) // (24 * HOUR) * 24 * HOUR
        sums = []
        for unit in table["customer_id"].to_pylist():
            rows = [said for said in logs.get(unit, []) if said.known_at < at and said.event_at >= start]
            total = 0.0
            for said in sorted(rows, key=lambda said: float(said.values["weight"] or 0)):
                total += float(said.values["weight"] or 0)
            sums.append(total)
            changed += total != _plain(logs, WEIGHT, unit, moment)
        return table.set_column(table.column_names.index("weight"), "weight", pa.array(sums, pa.float64()))

    shop.ask(table=summed)
    return shop.look(), changed


def _edited(shop: _Shop) -> tuple[Measured, int]:
    shop.ask()
    shop.open(SPEND.but("spend", knows=[visits.count(last=days(8)).named("count"), WEIGHT, PRICE, KIND]))
    return shop.look(), UNITS * TIMES


# -- what it costs -----------------------------------------------------------------------------------------------------------------


def _cost(shop: _Shop) -> Iterator[Goal]:
    """CPU of noting how features were read, and of reading one unit in a hundred again, beside the CPU of answering."""
    door = shop.door()
    door.predict("spend", [{"customer_id": "c0"}], MOMENTS[0] - timedelta(hours=1))
    began = time.process_time()
    for n in range(SINGLE):
        door.predict("spend", [{"customer_id": f"c{n % UNITS}"}], MOMENTS[0] + timedelta(seconds=n))
    answering = time.process_time() - began
    began = time.process_time()
    found = look(shop.house, shop.model, now=END, since=START, share=0.01)
    looking = time.process_time() - began
    noting = _noting() * SINGLE
    beside = f"{SINGLE:,} answers one by one {answering:.2f} CPU s; noting {noting:.3f}, reading {found.answers} again {looking:.2f} CPU s"
    yield at_most("skew, noting how features were read", noting / answering, 0.05, "of serving", beside)
    yield at_most("skew, noting, and looking at 1 % of the units", (noting + looking) / answering, 0.05, "of serving", beside)


def _noting() -> float:
    """CPU seconds of what an answer is remembered with more than before: making the three columns, and writing them."""
    from everloop.features.served import as_of_in, definition_of
    from everloop.serving.answered import LATER, SCHEMA
    from everloop.serving.payload import encoded

    table = with_as_of(pa.table({"x": [1.0]}), {"visits": 123_456})
    row = dict.fromkeys(SCHEMA.names) | {"id": "a" * 16, "model": "spend", "unit": "c1", "moment": 1, "answered_at": 1, "microseconds": 1}
    with_them = pa.Table.from_pylist([row | {"as_of": as_of_in(table), "definition": definition_of(SPEND)}], schema=SCHEMA)
    without = with_them.drop_columns(list(LATER))

    def seconds(work: Callable[[], object]) -> float:
        began = time.process_time()
        for _ in range(3_000):
            work()
        return (time.process_time() - began) / 3_000

    def noted() -> object:
        said, by = as_of_in(with_as_of(table, {"visits": 123_456})), definition_of(SPEND)
        return [pa.array([text], pa.string()) for text in (said, by, None)]

    return max(0.0, seconds(noted) + seconds(lambda: encoded(with_them)) - seconds(lambda: encoded(without)))


# -- a shop ------------------------------------------------------------------------------------------------------------------------


@dataclass
class _Tampered:
    """What is known online, made wrong before it is served."""

    known: Any
    house: House
    of_tables: Callable[[Tables], Tables]
    of_table: Callable[[pa.Table, Tables, datetime], pa.Table]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.known, name)

    def features(self, model: Model, requests: pa.Table, now: datetime) -> pa.Table:
        true = self.house.tables(model)
        made = live(model, self.of_tables(true), moment=now, units=requests)
        return with_as_of(self.of_table(made, true, now), reach(true))


class _Shop:
    """A house with its history, a door, and the meter."""

    def __init__(self, history: Path, folder: Path) -> None:
        shutil.copytree(history, folder)
        self.folder, self.stack = folder, ExitStack()
        self.open(SPEND)

    def __enter__(self) -> _Shop:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()
        self.house.store.close()

    def open(self, model: Model) -> None:
        self.model, self.house = model, _house(self.folder, model)

    def door(self) -> Any:
        write_routes(self.house)
        return opened(Told(self.folder, None, None, True, None, None, None), self.house.project, self.house.settings, self.stack)

    def ask(
        self,
        *,
        tables: Callable[[Tables], Tables] | None = None,
        table: Callable[[pa.Table, Tables, datetime], pa.Table] | None = None,
    ) -> None:
        """Everybody is asked about some times."""
        door = self.door()
        if tables or table:
            door.known = _Tampered(door.known, self.house, tables or (lambda same: same), table or (lambda same, _tables, _moment: same))
        for moment in MOMENTS:
            door.predict("spend", [{"customer_id": f"c{n}"} for n in range(UNITS)], moment)

    def look(self) -> Measured:
        return look(self.house, self.model, now=END, since=START, share=1.0)

    @property
    def tables(self) -> Tables:
        return self.house.tables(self.model)

    def changed(self, reading: Any, wrong: Logs, other: Any = None) -> int:
        """How many values another log, or another reading, truly changes."""
        true = _logs(self.tables["visits"])
        asked = ((f"c{n}", moment) for n in range(UNITS) for moment in MOMENTS)
        return sum(_plain(true, reading, unit, at) != _plain(wrong, reading if other is None else other, unit, at) for unit, at in asked)


def _house(folder: Path, model: Model) -> House:
    return open_house(project_of(model), settings=read_settings(folder, house=folder / "house", environ={}), turned=True)


def _history(folder: Path) -> Path:
    """Six weeks of visits, as they arrived day by day, some of them late."""
    folder.mkdir()
    house, rng = _house(folder, SPEND), Random(4)
    for day in range(DAYS):
        rows = [
            {
                "visit_id": f"v{day}-{n}",
                "customer_id": f"c{n}",
                "at": (START + timedelta(days=day, seconds=rng.randrange(86_400) - 86_400 * (rng.random() < 0.1))).isoformat(),
                "price": rng.randrange(1, 9_999),
                "weight": round(rng.uniform(0.1, 9.9), 3),
                "kind": rng.choice(["tea", "rum", "oil", "jam"]),
            }
            for n in range(UNITS)
            if rng.random() < 0.25
        ]
        receive(house.lake, visits, rows, now=START + timedelta(days=day + 1))
    adopt(house, SPEND, START + timedelta(days=DAYS))
    house.lake.log.close()
    house.store.close()
    return folder


def _logs(table: pa.Table) -> Logs:
    found: Logs = {}
    for row in table.to_pylist():
        values = {c: row[c] for c in ("customer_id", "price", "weight", "kind", "at")}
        found.setdefault(row["customer_id"], []).append(
            Said(row["id"], row["version"], row["event_at"], row["known_at"], values, row["deleted"])
        )
    return found


def _plain(logs: Logs, reading: Any, unit: str, moment: datetime) -> object:
    at = int(moment.timestamp()) * 1_000_000
    return plain({"visits": logs.get(unit, [])}, reading, {reading: {"customer_id": unit}}, at)
