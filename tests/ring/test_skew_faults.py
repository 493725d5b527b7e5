"""Five faults of an online state, each put into what the serving path is given: the meter names the feature, the rate and the event.

How many values a fault truly changed is counted beside it by the plain reader, which shares no line with what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from everloop import Model, Source, days, every, money
from everloop.features.as_of import live
from everloop.features.served import reach, with_as_of
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.house import open_house
from everloop.loop.project_file import project_of
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.loop.serve.worker import opened as open_doors
from everloop.loop.skew import measure
from everloop.monitor import skew as arithmetic
from everloop.settings import read_settings
from everloop.testing.plain import Said, plain

START = datetime(2026, 9, 1, tzinfo=UTC)
UNITS, DAYS, TIMES = 300, 42, 4
HOUR = 3_600_000_000

visits = Source(
    "visits", id="visit_id", time="at", columns={"customer_id": str, "price": money("EUR"), "weight": float, "kind": str}, late=days(1)
)
COUNT, WEIGHT, PRICE, KIND = (
    visits.count(last=days(7)).named("count"),
    visits.total("weight", last=days(28)).named("weight"),
    visits.latest("price", last=days(14)).named("price"),
    visits.latest("kind").named("kind"),
)


def learn(rows): ...


model = Model(
    "spend",
    predicts=visits.total("price", next=days(7)),
    per="customer_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=[COUNT, WEIGHT, PRICE, KIND],
    learner=learn,
    fed_as="arrow",
    baseline=COUNT,
    owner="ada",
)


class Tampered:
    """What is known online, made wrong: features come from tables, or a table, that ``tamper`` has had in its hands."""

    def __init__(self, known, house, *, tables: Callable = lambda tables: tables, table: Callable = lambda table, tables, moment: table):
        self.known, self.house, self.of_tables, self.of_table = known, house, tables, table

    def __getattr__(self, name):
        return getattr(self.known, name)

    def features(self, model, requests, now, carts=()):
        true = self.house.tables(model)
        made = live(model, self.of_tables(true), moment=now, units=requests)
        return with_as_of(self.of_table(made, true, now), reach(true))


def visits_of(day, rng):
    """One day's visits of everybody, some of them late."""
    return [
        {
            "visit_id": f"v{day}-{n}-{i}",
            "customer_id": f"c{n}",
            "at": (START + timedelta(days=day, seconds=rng.randrange(86_400) - 86_400 * (rng.random() < 0.1))).isoformat(),
            "price": rng.randrange(1, 9_999),
            "weight": round(rng.uniform(0.1, 9.9), 3),
            "kind": rng.choice(["tea", "rum", "oil", "jam"]),
        }
        for n in range(UNITS)
        for i in range(rng.random() < 0.25)
    ]


def house_at(folder, model=model):
    (folder / "everloop.toml").write_text("[skew]\nshare = 1.0\n")
    return open_house(project_of(model), settings=read_settings(folder, house=folder / "house"), turned=True)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Six weeks of visits as they arrived, in a folder to be copied."""
    folder, rng = tmp_path_factory.mktemp("history"), Random(4)
    house = house_at(folder)
    for day in range(DAYS):
        receive(house.lake, visits, visits_of(day, rng), now=START + timedelta(days=day + 1))
    adopt(house, model, START + timedelta(days=DAYS))
    house.lake.log.close()
    house.store.close()
    return folder


@pytest.fixture
def shop(history, tmp_path):
    """A house with its doors; ``asked`` answers everybody some times and gives what the meter says of it."""
    import shutil

    shutil.copytree(history, tmp_path, dirs_exist_ok=True)
    with ExitStack() as stack:
        yield Shop(tmp_path, stack)


MOMENTS = [START + timedelta(days=DAYS, hours=5 + 11 * n) for n in range(TIMES)]


class Shop:
    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        self.house = house_at(folder)

    def asked(self, model=model, **faults):
        if model is not self.house.project.model("spend"):
            self.house = house_at(self.folder, model)
        door = self.door()
        if faults:
            door.at_length._known = Tampered(door.known, self.house, **faults)
        for moment in MOMENTS:
            door.predict("spend", [{"customer_id": f"c{n}"} for n in range(UNITS)], moment)

    def door(self):
        write_routes(self.house)
        return open_doors(Told(self.folder, None, None, True, None, None, None), self.house.project, self.house.settings, self.stack)

    def measured(self, model=None, **words):
        return measure(self.house, model or self.house.project.model("spend"), now=MOMENTS[-1] + timedelta(hours=1), since=START, **words)

    def changed(self, reading, tamper):
        """How many values a change of the log truly changes, counted by the plain reader."""
        table = self.house.tables(model)["visits"]
        true, wrong = logs(table), logs(tamper({"visits": table})["visits"])
        return sum(
            told(true, reading, f"c{n}", moment) != told(wrong, reading, f"c{n}", moment) for n in range(UNITS) for moment in MOMENTS
        )


def logs(table):
    found = {}
    for row in table.to_pylist():
        values = {c: row[c] for c in ("customer_id", "price", "weight", "kind", "at")}
        said = Said(row["id"], row["version"], row["event_at"], row["known_at"], values, row["deleted"])
        found.setdefault(row["customer_id"], []).append(said)
    return found


def told(logs, reading, unit, moment):
    at = int(moment.timestamp()) * 1_000_000
    return plain({"visits": logs.get(unit, [])}, reading, {reading: {"customer_id": unit}}, at)


def by_name(found):
    return {skew.feature: skew for skew in found.features}


def without_every_hundredth(tables):
    table = tables["visits"]
    return {"visits": table.filter(pc.not_equal(pc.subtract(table["seq"], pc.multiply(pc.divide(table["seq"], 100), 100)), 7))}


def an_hour_late(tables):
    table = tables["visits"]
    for column in ("event_at", "at"):
        table = table.set_column(table.schema.get_field_index(column), column, pc.add(table[column], HOUR))
    return {"visits": table}


def test_nothing_wrong_is_nothing_found(shop):
    shop.asked()
    found = shop.measured()
    assert found.clean
    assert (found.answers, found.unread, found.values) == (UNITS * TIMES, 0, UNITS * TIMES * 5)


def test_one_event_in_a_hundred_left_out_is_found_in_every_feature_it_touches(shop):
    shop.asked(tables=without_every_hundredth)
    found = by_name(shop.measured())
    for name, reading in (("count", COUNT), ("weight", WEIGHT), ("price", PRICE), ("kind", KIND)):
        true = shop.changed(reading, without_every_hundredth)
        assert true > 0
        assert found[name].differ == pytest.approx(true, rel=0.1)
        assert "was left out" in found[name].event, name
        left_out = int(found[name].event.split("number ")[1].split()[0])
        assert left_out % 100 == 7


def test_a_time_zone_too_far_is_found_and_the_hour_named(shop):
    shop.asked(tables=an_hour_late)
    found = by_name(shop.measured())
    true = shop.changed(COUNT, an_hour_late)
    assert true > 0
    assert found["count"].differ == pytest.approx(true, rel=0.1)
    assert "an hour later" in found["count"].event
    assert found["kind"].differ == shop.changed(KIND, an_hour_late)


def test_a_value_served_beyond_its_time_is_extra(shop):
    def for_ever(table, tables, moment):
        kept = live(
            model.but("spend", knows=[visits.latest("price").named("price")]), tables, moment=moment, units=table.select(["customer_id"])
        )
        return table.set_column(table.column_names.index("price"), "price", kept["price"])

    shop.asked(table=for_ever)
    found = by_name(shop.measured())
    table = logs(shop.house.tables(model)["visits"])
    without = replace(PRICE, last=None)
    true = sum(told(table, PRICE, f"c{n}", m) != told(table, without, f"c{n}", m) for n in range(UNITS) for m in MOMENTS)
    assert true > 0
    assert found["price"].extra == pytest.approx(true, rel=0.1)
    assert found["price"].differ == found["price"].extra
    assert "counted, though its time was over" in found["price"].event
    assert all(found[name].clean for name in ("count", "weight", "kind", "baseline"))


def summed_backwards(table, tables, moment):
    """The same decimals added one by one from the newest to the oldest, as a careless state would."""
    at, start = int(moment.timestamp()) * 1_000_000, (int(moment.timestamp()) * 1_000_000 - 28 * 24 * HOUR) // (24 * HOUR) * (24 * HOUR)
    rows = tables["visits"].to_pylist()
    sums = []
    for unit in table["customer_id"].to_pylist():
        total = 0.0
        for row in sorted((r for r in rows if r["customer_id"] == unit), key=lambda r: r["weight"]):
            if row["known_at"] < at and row["event_at"] >= start:
                total += row["weight"]
        sums.append(total)
    return table.set_column(table.column_names.index("weight"), "weight", pa.array(sums, pa.float64()))


def test_a_sum_in_another_order_is_found_by_its_last_digit(shop):
    shop.asked(table=summed_backwards)
    found = by_name(shop.measured())
    table = shop.house.tables(model)
    true = 0
    for moment in MOMENTS:
        asked = live(model, table, moment=moment, units=[{"customer_id": f"c{n}"} for n in range(UNITS)])
        careless = summed_backwards(asked, table, moment)["weight"].to_pylist()
        true += sum(a != told(logs_of, WEIGHT, f"c{n}", moment) for logs_of in [logs(table["visits"])] for n, a in enumerate(careless))
    assert true > 0
    assert found["weight"].mismatch == pytest.approx(true, rel=0.1)
    assert 0 < found["weight"].largest < 1e-9
    assert "only the last digits" in found["weight"].event
    assert all(found[name].clean for name in ("count", "price", "kind"))


def test_an_edited_definition_is_another_definition_and_no_wrong_value(shop):
    shop.asked()
    edited = model.but("spend", knows=[visits.count(last=days(8)).named("count"), WEIGHT, PRICE, KIND])
    shop.house = house_at(shop.folder, edited)
    found = by_name(shop.measured(edited))
    assert (found["count"].other, found["count"].differ, found["count"].rate) == (UNITS * TIMES, 0, 1.0)
    assert "another definition" in found["count"].event
    assert all(found[name].clean and found[name].compared == UNITS * TIMES for name in ("weight", "price", "kind"))


# -- mutants: a meter that looks less closely finds less -------------------------------------------------------------------------------


def test_a_meter_that_rounds_misses_the_last_digit(shop, monkeypatch):
    shop.asked(table=summed_backwards)
    true = arithmetic._floats
    monkeypatch.setattr(arithmetic, "_floats", lambda column: np.round(true(column), 6))
    assert by_name(shop.measured())["weight"].clean


def test_a_meter_that_looks_past_what_is_empty_misses_an_expired_value(shop, monkeypatch):
    def gone(table, tables, moment):
        return table.set_column(table.column_names.index("price"), "price", pa.nulls(len(table), pa.float64()))

    shop.asked(table=gone)
    found = by_name(shop.measured())["price"]
    assert found.missing > 0
    assert found.missing == found.differ
    both = arithmetic._there
    monkeypatch.setattr(arithmetic, "_there", lambda column: both(column) & False)
    assert by_name(shop.measured())["price"].clean


def test_a_late_row_a_correction_and_a_withdrawal_after_the_answer_are_no_skew(shop):
    from everloop.lake import deliveries, withdraw

    shop.asked()
    after = MOMENTS[-1] + timedelta(minutes=5)
    late = [{"visit_id": "late", "customer_id": "c1", "at": START.isoformat(), "price": 5, "weight": 1.5, "kind": "tea"}]
    receive(shop.house.lake, visits, late, now=after)
    # Bulk history says it was known long before the answers: only how far they read tells that they cannot have seen it.
    old = [
        {**late[0], "visit_id": f"old{n}", "customer_id": f"c{n}", "at": (MOMENTS[0] - timedelta(days=1)).isoformat()} for n in range(UNITS)
    ]
    receive(shop.house.lake, visits, pa.Table.from_pylist(old), now=after, known_after=timedelta(0))
    withdraw(shop.house.lake, visits, deliveries(shop.house.lake, visits)[-2].number, now=after + timedelta(minutes=5))
    found = shop.measured()
    assert found.clean, str(found)
    assert math.isclose(found.values, UNITS * TIMES * 5)


def test_of_a_share_of_the_units_all_answers_are_looked_at(shop):
    shop.asked()
    found = shop.measured(share=0.25)
    assert found.answers % TIMES == 0
    assert 0.1 * UNITS < found.answers / TIMES < 0.4 * UNITS


def test_rows_lost_on_their_way_into_the_online_state_are_found(shop, monkeypatch):
    from everloop.features.fold import Fold

    door = shop.door()
    everybody = [{"customer_id": f"c{n}"} for n in range(UNITS)]
    door.predict("spend", everybody, MOMENTS[0])
    taken = Fold._events
    monkeypatch.setattr(Fold, "_events", lambda fold, rows: [event for event in taken(fold, rows) if event[0] % 5 != 2])
    today = [{**row, "visit_id": f"today-{n}"} for n, row in enumerate(visits_of(DAYS, Random(5)))]
    last = shop.house.lake.log.counters("visits").last_seq
    # The last row is not lost, or the state would know that it lags behind.
    today = today[: next(n for n in range(len(today), 0, -1) if (last + n) % 5 != 2)]
    receive(shop.house.lake, visits, today, now=MOMENTS[0] + timedelta(hours=1))
    door.predict("spend", everybody, MOMENTS[1])
    lost = {row["customer_id"] for n, row in enumerate(today) if (last + 1 + n) % 5 == 2}
    found = by_name(shop.measured())
    assert len(lost) > 5
    assert found["count"].differ == len(lost)
    assert "was left out" in found["count"].event
    assert int(found["count"].event.split("number ")[1].split()[0]) % 5 == 2
