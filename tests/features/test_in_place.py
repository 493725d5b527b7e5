"""In place: any spine, any clock, any poison; rows that are late, corrected or replaced are read as well as those that never change."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest

from everloop import Model, Source, days, every
from everloop.features.compile import features
from everloop.features.ordered import in_order
from everloop.features.reader import Reader
from everloop.testing.plain import Said, event_table, plain

DAY = 86_400_000_000


def readings_of(orders):
    week = days(7)
    return [
        orders.total("quantity", last=week), orders.mean("weight", last=week), orders.lowest("weight", last=week),
        orders.highest("quantity", last=week), orders.distinct("customer_id", last=week), orders.count(), orders.latest("quantity"),
        orders.latest("customer_id", last=week), orders.any(last=week), orders.none(last=week), orders.which("customer_id", last=week),
    ]  # fmt: skip


def log_of(count, seed=0, late=0.0):
    chance = np.random.default_rng(seed)
    said = []
    for i in range(count):
        at = int(chance.integers(0, 30 * DAY))
        values = {
            "product_id": "ab"[i % 2],
            "customer_id": f"c{chance.integers(5)}",
            "quantity": int(chance.integers(9)),
            "weight": chance.normal(),
        }
        known = at + (int(chance.integers(0, 10 * DAY)) if chance.random() < late else 0)
        said.append(Said(f"o{i}", 0, at, known, values))
        if chance.random() < late:
            said.append(
                Said(f"o{i}", 1, at, known + int(chance.integers(1, 10 * DAY)), values | {"quantity": 100}, bool(chance.random() < 0.3))
            )
    return sorted(said, key=lambda s: s.known_at)


def asked(moments, units):
    return pa.table({"moment": pa.array(moments, pa.int64()), "product_id": pa.array(units, pa.string())})


def spine_of(count, seed=1):
    chance = np.random.default_rng(seed)
    moments = chance.integers(0, 45 * DAY, count).tolist()
    return asked([*moments, *moments[:5]], [*chance.choice(["a", "b", "never", None], count).tolist(), *["a"] * 5])


@pytest.mark.parametrize("late", [0.0, 0.3], ids=["on time", "late and corrected"])
def test_many_rows_are_what_the_plain_reader_says_row_for_row(shop, late):
    logs, spine = {"orders": log_of(300, late=late)}, spine_of(40)
    readings = readings_of(shop.orders)
    found = features(readings, spine, {"orders": event_table(shop.orders, logs["orders"])}, model=shop.demand)
    assert found.num_rows == spine.num_rows
    for reading in readings:
        expected = [plain(logs, reading, {reading: {"product_id": q["product_id"]}}, q["moment"]) for q in spine.to_pylist()]
        assert found[reading.name].to_pylist() == expected, reading.name


@pytest.mark.parametrize("rows", [0, 1], ids=["empty", "one row"])
def test_an_empty_spine_and_one_of_a_single_row_keep_their_length_and_types(shop, rows):
    tables = {"orders": event_table(shop.orders, log_of(20))}
    readings = readings_of(shop.orders)
    found, whole = (features(readings, spine, tables, model=shop.demand) for spine in (spine_of(10).slice(0, rows), spine_of(10)))
    assert found.num_rows == rows
    assert found.schema == whole.schema
    assert found.equals(whole.slice(0, rows))


def test_the_order_of_a_spine_changes_nothing_but_the_order_of_its_rows(shop):
    tables, spine = {"orders": event_table(shop.orders, log_of(200, late=0.2))}, spine_of(50)
    turned = pa.array(np.random.default_rng(3).permutation(spine.num_rows))
    readings = readings_of(shop.orders)
    found = features(readings, spine, tables, model=shop.demand)
    assert features(readings, spine.take(turned), tables, model=shop.demand).equals(found.take(turned))


def test_poison_that_becomes_known_at_the_moment_or_later_never_changes_a_feature(shop):
    moment = 20 * DAY
    spine, readings = asked([moment] * 3, ["a", "b", "never"]), readings_of(shop.orders)
    known = [s for s in log_of(200, late=0.3) if s.known_at < moment]
    huge = {"quantity": 2**63 - 1, "weight": 1e300, "customer_id": "poison"}
    poison = [
        Said(f"p{i}", 0, at, moment + i, {"product_id": p, **huge}) for i, (at, p) in enumerate([(moment, "a"), (0, "b"), (1, "never")])
    ]
    poison += [Said(s.id, 9, s.event_at, moment + i, {"product_id": "a", **huge}, i % 2 == 0) for i, s in enumerate(known)]
    clean, poisoned = ({"orders": event_table(shop.orders, log)} for log in (known, known + poison))
    before = features(readings, spine, clean, model=shop.demand)
    assert features(readings, spine, poisoned, model=shop.demand).equals(before)
    later = asked([moment + 1] * 3, ["a", "b", "never"])
    assert not features(readings, later, poisoned, model=shop.demand).equals(features(readings, later, clean, model=shop.demand))


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
def test_the_zone_of_the_engine_does_not_matter(monkeypatch, zone):
    births = Source("births", id="birth_id", time="at", columns={"child_id": str, "born": date})
    born = births.latest("born")
    model = Model("m", predicts=births.count(next=days(1)), per="child_id", asked=every(days(1)), knows=born, learner=_learner())
    opened = Reader.__init__

    def elsewhere(self, tables):
        opened(self, tables)
        self._engine.execute(f"SET TimeZone = '{zone}'")

    monkeypatch.setattr(Reader, "__init__", elsewhere)
    table = event_table(births, [Said("c", 0, 5 * DAY, 5 * DAY, {"child_id": "c", "born": date(1970, 1, 3)})])
    questions = pa.table({"moment": pa.array([9 * DAY], pa.int64()), "child_id": ["c"]})
    assert features([born], questions, {"births": table}, model=model).column(0).to_pylist() == [7.0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_in_a_request_are_the_same_in_every_unit(unit):
    visits = Source("visits", id="visit_id", time="at", columns={"due": datetime, "came": bool})
    model = Model("m", predicts=visits.outcome("came"), per=visits, knows=visits.given("due"), learner=_learner())
    due = pa.array([2 * DAY]).cast(pa.timestamp("us")).cast(pa.timestamp(unit))
    questions = pa.table({"moment": pa.array([3 * DAY], pa.int64()), "row": ["v"], "visit_id": ["v"], "due": due})
    found = features([visits.given("due")], questions, {"visits": event_table(visits, [])}, model=model)
    assert found.column(0).to_pylist() == [1.0]


def test_what_is_finer_than_a_microsecond_is_cut_off():
    visits = Source("visits", id="visit_id", time="at", columns={"due": datetime, "came": bool})
    model = Model("m", predicts=visits.outcome("came"), per=visits, knows=visits.given("due"), learner=_learner())
    due = pa.array([2 * DAY * 1000 + 999], pa.timestamp("ns"))
    questions = pa.table({"moment": pa.array([3 * DAY], pa.int64()), "row": ["v"], "visit_id": ["v"], "due": due})
    assert features([visits.given("due")], questions, {"visits": event_table(visits, [])}, model=model).column(0).to_pylist() == [1.0]


def test_moments_that_are_not_whole_numbers_are_refused(shop):
    spine = asked([1], ["a"])
    spine = spine.set_column(0, "moment", pa.array([1], pa.timestamp("ns")))
    with pytest.raises(ValueError, match="whole microseconds"):
        features(readings_of(shop.orders), spine, {"orders": event_table(shop.orders, [])}, model=shop.demand)


def test_only_rows_that_are_late_or_were_in_force_side_by_side_are_left_to_the_engine(shop):
    at = {"product_id": "a", "quantity": 1}
    log = [
        Said("late", 0, 1, 9, at),
        Said("o1", 0, 2, 2, at),
        Said("o2", 0, 3, 3, at),
        Said("o1", 1, 2, 4, at),
        Said("o3", 0, 5, 6, at),  # a moment late like everything else, but in its place
    ]
    with Reader({"orders": event_table(shop.orders, sorted(log, key=lambda s: s.known_at))}) as reader:
        ordered = in_order(reader, shop.orders, ("product_id",), ("quantity",))
        ids = reader.tables["orders"]["id"].take(ordered.told["nr"]).to_pylist()
    assert [ids[i] for i in ordered.steady.place] == ["o2", "o3"]
    assert sorted(ids[i] for i in [*ordered.single.place, *ordered.rest]) == ["late", "o1", "o1"]


def _learner():
    class Learner:
        def fit(self, rows, truth):
            return self

        def predict(self, rows):
            return rows[:, 0]

    return Learner()
