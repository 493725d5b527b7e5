"""Features: rows in, rows out, as known strictly before the moment; bad input is told or is empty, never wrong."""

from __future__ import annotations

import pyarrow as pa
import pytest

from everloop import Model, Source, calendar, days, every, minutes, one_of
from everloop.errors import Unknown
from everloop.features.compile import features
from everloop.testing.plain import Said, event_table

DAY = 86_400_000_000


def asked(*questions):
    return pa.table(
        {"moment": pa.array([m for m, _ in questions], pa.int64()), "product_id": pa.array([u for _, u in questions], pa.string())}
    )


def orders_of(shop, *rows):
    said = [Said(f"o{i}", 0, at, known, values) for i, (at, known, values) in enumerate(rows)]
    return {"orders": event_table(shop.orders, said), "products": event_table(shop.products, [])}


def test_a_row_at_the_moment_itself_is_not_known_yet(shop):
    tables = orders_of(shop, (5, 5, {"product_id": "a", "quantity": 1}))
    found = features([shop.orders.count(last=days(7))], asked((5, "a"), (6, "a")), tables, model=shop.demand)
    assert found.column(0).to_pylist() == [0.0, 1.0]


def test_a_row_that_arrives_late_counts_only_once_it_is_known(shop):
    tables = orders_of(shop, (0, 3 * DAY, {"product_id": "a", "quantity": 4}))
    found = features(
        [shop.orders.total("quantity", last=days(7))], asked((2 * DAY, "a"), (3 * DAY, "a"), (3 * DAY + 1, "a")), tables, model=shop.demand
    )
    assert found.column(0).to_pylist() == [0.0, 0.0, 4.0]


def test_any_spine_in_the_same_rows_out_in_the_same_order_with_duplicates(shop):
    tables = orders_of(shop, (0, 0, {"product_id": "a", "quantity": 4}), (DAY, DAY, {"product_id": "b", "quantity": 5}))
    spine = asked((2 * DAY, "b"), (DAY, "a"), (2 * DAY, "b"), (2 * DAY, None), (2 * DAY, "never seen"), (0, "a"))
    readings = [shop.orders.total("quantity", last=days(7)), shop.orders.latest("quantity"), shop.orders.mean("quantity", last=days(7))]
    found = features(readings, spine, tables, model=shop.demand)
    assert found.column(0).to_pylist() == [5.0, 4.0, 5.0, 0.0, 0.0, 0.0]
    assert found.column(1).to_pylist() == found.column(2).to_pylist() == [5.0, 4.0, 5.0, None, None, None]


def test_empty_windows_are_what_the_grammar_says(shop):
    o = shop.orders
    readings = [
        o.total("quantity", last=days(1)), o.count(last=days(1)), o.distinct("customer_id", last=days(1)), o.any(last=days(1)),
        o.none(last=days(1)), o.mean("quantity", last=days(1)), o.lowest("weight", last=days(1)), o.latest("customer_id"),
        o.which("customer_id", last=days(1)), (o.count(last=days(1)) / o.count(last=days(7))).named("share"),
    ]  # fmt: skip
    found = features(readings, asked((0, "a")), orders_of(shop), model=shop.demand)
    assert [column[0].as_py() for column in found.columns] == [0.0, 0.0, 0.0, 0.0, 1.0, None, None, None, [], None]


def test_whole_numbers_stay_exact_until_they_are_rounded_once(shop):
    big = 2**62
    rows = [(i, i, {"product_id": "a", "quantity": q}) for i, q in enumerate([big, big, big, 1, -big, -big, -big])]
    readings = [
        shop.orders.total("quantity", last=days(1)),
        shop.orders.mean("quantity", last=days(1)),
        shop.orders.highest("quantity", last=days(1)),
    ]
    found = features(readings, asked((4, "a"), (9, "a")), orders_of(shop, *rows), model=shop.demand)
    assert found.column(0).to_pylist() == [float(3 * big + 1), 1.0]
    assert found.column(1).to_pylist() == [float(3 * big + 1) / 4.0, 1.0 / 7.0]
    assert found.column(2).to_pylist() == [float(big), float(big)]


def test_nan_and_infinity_are_empty_and_minus_zero_is_zero(shop):
    rows = [(i, i, {"product_id": "a", "weight": w}) for i, w in enumerate([float("nan"), float("inf"), -0.0, 0.1, 0.2])]
    table = event_table(shop.orders, [Said(f"o{i}", 0, a, k, v) for i, (a, k, v) in enumerate(rows)])
    table = table.set_column(table.column_names.index("weight"), "weight", pa.array([r[2]["weight"] for r in rows]))
    o = shop.orders
    readings = [o.total("weight", last=days(1)), o.mean("weight", last=days(1)), o.lowest("weight", last=days(1)), o.count(last=days(1))]
    found = features(readings, asked((9, "a")), {"orders": table}, model=shop.demand)
    assert [str(c[0].as_py()) for c in found.columns] == ["0.30000000000000004", "0.10000000000000002", "0.0", "5.0"]


def test_moments_and_events_before_1970_are_like_any_other(shop):
    old = -3000 * DAY
    tables = orders_of(
        shop, (old - 1, old - 1, {"product_id": "a", "quantity": 1}), (old - 8 * DAY, old - 8 * DAY, {"product_id": "a", "quantity": 9})
    )
    found = features([shop.orders.total("quantity", last=days(7)), shop.orders.latest("at")], asked((old, "a")), tables, model=shop.demand)
    assert [c[0].as_py() for c in found.columns] == [1.0, 1 / DAY]


def test_whole_number_keys_and_their_text_are_one_key():
    visits = Source("visits", id="visit_id", time="at", columns={"shop_id": int})
    model = Model(
        "m",
        predicts=visits.count(next=days(1)),
        per="shop_id",
        asked=every(days(1)),
        knows=[visits.count(last=days(1))],
        learner=_learner(),
    )
    table = event_table(visits, [Said("v", 0, 0, 0, {"shop_id": 1})])
    for key in (pa.array([1]), pa.array(["1"]), pa.array(["1"]).dictionary_encode()):
        questions = pa.table({"moment": pa.array([9], pa.int64()), "shop_id": key})
        assert features(model.knows, questions, {"visits": table}, model=model).column(0).to_pylist() == [1.0]


def test_an_event_is_in_the_window_up_to_its_far_edge_floored_to_the_hop(shop):
    edge = 3_600_000_000  # seven days: a hop of one hour
    tables = orders_of(shop, (edge - 1, edge - 1, {"product_id": "a", "quantity": 1}), (edge, edge, {"product_id": "a", "quantity": 10}))
    moment = edge + 7 * DAY
    spine = asked((moment - 1, "a"), (moment, "a"), (moment + edge - 1, "a"), (moment + edge, "a"))
    found = features([shop.orders.total("quantity", last=days(7))], spine, tables, model=shop.demand)
    assert found.column(0).to_pylist() == [11.0, 10.0, 10.0, 0.0]


def test_a_child_takes_its_parents_columns_as_known_when_it_arrived_and_keeps_them(shop):
    products = [
        Said("a", 0, 0, 0, {"brand": "old"}),
        Said("a", 1, 5 * DAY, 5 * DAY, {"brand": "new"}),
        Said("b", 0, 6 * DAY, 6 * DAY, {"brand": "new"}),
    ]
    orders = [Said("o1", 0, DAY, DAY, {"product_id": "a"}), Said("o2", 0, 2 * DAY, 2 * DAY, {"product_id": "b"})]
    tables = {"orders": event_table(shop.orders, orders), "products": event_table(shop.products, products)}
    by_brand = [shop.orders.count(last=days(28), per="brand"), shop.orders.where(one_of("brand", "old")).count(per=())]
    questions = asked((4 * DAY, "a"), (6 * DAY, "a"), (7 * DAY, "b"))
    found = features(by_brand, questions, tables, model=shop.demand)
    assert found.column(0).to_pylist() == [1.0, 0.0, 1.0]  # a is of brand old, then new; o1 stays old; o2 is new once b is known
    assert found.column(1).to_pylist() == [1.0, 1.0, 1.0]


def test_everything_together_is_read_once_for_each_moment(shop):
    tables = orders_of(shop, *((i, i, {"product_id": u, "quantity": 1}) for i, u in enumerate("aab")))
    found = features([shop.orders.total("quantity", last=days(1), per=())], asked((3, "a"), (3, "b"), (2, None)), tables, model=shop.demand)
    assert found.column(0).to_pylist() == [3.0, 3.0, 2.0]


def test_the_row_asked_about_counts_in_no_reading_of_its_own_source():
    payments = Source("payments", id="payment_id", time="at", columns={"card": str, "amount": int, "state": str})
    readings = [payments.count(last=days(1), per="card"), payments.latest("amount", per="card"), *payments.given("amount", "state")]
    model = Model(
        "fraud", predicts=payments.any(next=days(1), per="card"), per=payments, knows=readings, learner=_learner(), fed_as="arrow"
    )
    told = [("p1", 0, 10, 10, 5, "new"), ("p2", 0, 20, 20, 7, "new"), ("p2", 1, 20, 30, 8, "paid")]
    log = [Said(id, version, at, known, {"card": "k", "amount": a, "state": s}) for id, version, at, known, a, s in told]
    tables = {"payments": event_table(payments, log)}
    questions = pa.table(
        {"moment": pa.array([20, 40, 40], pa.int64()), "payment_id": ["p2", "p2", "nobody"], "row": ["p2", "p2", "nobody"]}
    )
    found = features(model.knows, questions, tables, model=model)
    assert found.column(0).to_pylist() == [1.0, 1.0, 0.0]
    assert found.column(1).to_pylist() == [5.0, 5.0, None]
    assert found.column(2).to_pylist() == [7.0, 7.0, None]  # as first said
    assert found.column(3).to_pylist() == ["new", "new", None]
    said = questions.append_column("card", pa.array(["k", "k", "k"])).append_column("amount", pa.array([1, 2, 3]))
    said = said.append_column("state", pa.array(["x", "y", "z"]))
    found = features(model.knows, said, tables, model=model)  # a request says what it carries
    assert found.column(0).to_pylist() == [1.0, 1.0, 2.0]
    assert found.column(2).to_pylist() == [1.0, 2.0, 3.0]


def test_the_calendar_is_read_in_the_clocks_zone_unless_it_says_another():
    visits = Source("visits", id="visit_id", time="at", columns={"shop": str})
    clock = every(days(1), at="00:00", zone="America/New_York")
    model = Model("m", predicts=visits.count(next=days(1)), per="shop", asked=clock, knows=[calendar("hour")], learner=_learner())
    questions = pa.table({"moment": pa.array([0], pa.int64()), "shop": ["s"]})
    assert features([calendar("hour")], questions, {}, model=model).column(0).to_pylist() == [19.0]
    assert features([calendar("hour", zone="UTC")], questions, {}, model=model).column(0).to_pylist() == [0.0]


def test_what_is_missing_is_said_by_name(shop):
    reading, spine = shop.orders.total("quantity", last=days(1)), asked((5, "a"))
    with pytest.raises(Unknown, match=r"table of source 'orders'"):
        features([reading], spine, {}, model=shop.demand)
    table = orders_of(shop)["orders"]
    with pytest.raises(Unknown, match=r"column 'quantity' in the table of orders"):
        features([reading], spine, {"orders": table.drop_columns(["quantity"])}, model=shop.demand)
    with pytest.raises(Unknown, match="column 'known_at'"):
        features([reading], spine, {"orders": table.drop_columns(["known_at"])}, model=shop.demand)
    with pytest.raises(Unknown, match="column 'moment'"):
        features([reading], spine.drop_columns(["moment"]), {"orders": table}, model=shop.demand)
    with pytest.raises(Unknown, match="column 'product_id' in the questions"):
        features([reading], spine.drop_columns(["product_id"]), {"orders": table}, model=shop.demand)
    with pytest.raises(ValueError, match="whole microseconds"):
        features([reading], pa.table({"moment": [1.5], "product_id": ["a"]}), {"orders": table}, model=shop.demand)


def test_a_reading_nobody_can_say_the_rows_of_is_refused_not_read_together(shop):
    visits = Source("visits", id="visit_id", time="at", columns={"shop": str})
    with pytest.raises(Unknown, match="whose rows are meant"):
        features([visits.count(last=days(1))], asked((5, "a")), {"visits": event_table(visits, [])}, model=shop.demand)


def test_a_hostile_name_or_value_is_only_a_name_or_a_value(shop):
    evil = "x'; DROP TABLE orders; --"
    source = Source("orders", id="line_id", time="at", columns={"product_id": str, 'a "quoted" name': int})
    model = Model(
        "m",
        predicts=source.count(next=days(1)),
        per="product_id",
        asked=every(days(1)),
        knows=[source.count(last=days(1))],
        learner=_learner(),
    )
    table = event_table(source, [Said("o", 0, 0, 0, {"product_id": evil, 'a "quoted" name': 3})])
    readings = [source.total('a "quoted" name', last=minutes(5)), source.where(one_of("product_id", evil)).count(last=minutes(5))]
    assert [c[0].as_py() for c in features(readings, asked((5, evil)), {"orders": table}, model=model).columns] == [3.0, 1.0]


def test_no_questions_give_no_rows_and_all_columns(shop):
    readings = [shop.orders.total("quantity", last=days(1)), shop.orders.latest("customer_id"), shop.orders.which("customer_id", per=())]
    found = features(readings, asked(), orders_of(shop), model=shop.demand)
    assert (found.num_rows, found.num_columns) == (0, 3)


def _learner():
    class Learner:
        def fit(self, rows, truth):
            return self

        def predict(self, rows):
            return rows

    return Learner()
