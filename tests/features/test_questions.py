"""Who is asked about, and when: units seen so far at every tick, or each row at its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from everloop import Model, Source, at_least, days, every
from everloop.errors import Unknown
from everloop.features.compile import features
from everloop.features.moments import ALWAYS, EPOCH, micros
from everloop.features.questions import of_units, questions, unit_text
from everloop.lake import open_lake, read_source, receive, withdraw
from everloop.testing.plain import Said, event_table
from everloop.testing.portable import on_duckdb

DAY = 86_400_000_000


def tables_of(shop, *rows, products=()):
    start = micros(shop.start)
    said = [Said(f"o{i}", 0, start + at, start + at, {"product_id": unit, "quantity": 1}) for i, (at, unit) in enumerate(rows)]
    return {"orders": event_table(shop.orders, said), "products": event_table(shop.products, products)}


def told(shop, made):
    return [((m - micros(shop.start)) // DAY, u) for m, u in zip(made["moment"].to_pylist(), made["product_id"].to_pylist(), strict=True)]


def test_a_unit_is_asked_about_from_the_first_tick_after_it_was_seen(shop):
    tables = tables_of(shop, (0, "b"), (1, "a"), (7 * DAY, "c"))
    made = questions(shop.demand, tables, last=shop.start + days(14))
    assert told(shop, made) == [(7, "a"), (7, "b"), (14, "a"), (14, "b"), (14, "c")]
    assert made["question"].to_pylist() == [0, 1, 2, 3, 4]


def test_empty_units_are_nobody_and_deleted_rows_show_nobody(shop):
    tables = tables_of(shop, (0, None), (0, "a"))
    gone = Said("o9", 0, micros(shop.start), micros(shop.start), {"product_id": "gone"}, deleted=True)
    both = [Said("o1", 0, micros(shop.start), micros(shop.start), {"product_id": "a"}), gone]
    tables["orders"] = event_table(shop.orders, both)
    assert told(shop, questions(shop.demand, tables, last=shop.start + days(7))) == [(7, "a")]


def test_a_unit_of_a_table_that_is_always_true_is_asked_about_as_soon_as_anything_happens(shop):
    model = shop.demand.but("priced", knows=[shop.products.latest("price")])
    tables = tables_of(shop, (DAY, "a"), products=[Said("z", 0, ALWAYS, ALWAYS, {"price": 5})])
    assert told(shop, questions(model, tables, last=shop.start + days(7))) == [(7, "a"), (7, "z")]


def test_nobody_is_asked_about_before_anything_of_what_is_predicted_was_known(shop):
    stock = Source("stock", id="count_id", time="at", columns={"product_id": str, "left": int}, of=shop.products)
    model = shop.demand.but("stocked", knows=[stock.latest("left"), shop.products.latest("price")])
    tables = tables_of(shop, (15 * DAY, "a"), products=[Said("z", 0, ALWAYS, ALWAYS, {"price": 5})])
    long_ago = micros(shop.start)
    tables["stock"] = event_table(stock, [Said("s1", 0, long_ago, long_ago, {"product_id": "b", "left": 3})])
    expected = [(21, "a"), (21, "b"), (21, "z")]
    assert told(shop, questions(model, tables, last=shop.start + days(21))) == expected
    assert told(shop, questions(model, tables, first=shop.start - days(365), last=shop.start + days(21))) == expected


def test_it_is_asked_only_where_among_held_at_that_moment(shop):
    model = shop.demand.but("active", among=[shop.orders.any(last=days(7)), at_least(shop.orders.count(last=days(7)), 2)])
    tables = tables_of(shop, (DAY, "a"), (2 * DAY, "a"), (DAY, "b"), (8 * DAY, "b"), (9 * DAY, "b"))
    assert told(shop, questions(model, tables, last=shop.start + days(21))) == [(7, "a"), (14, "b")]


def test_the_rows_of_a_source_are_asked_about_once_at_their_first_version(shop):
    payments = Source("payments", id="payment_id", time="at", columns={"card": str})
    model = Model(
        "fraud",
        predicts=payments.any(next=days(1), per="card"),
        per=payments,
        knows=[payments.count(last=days(1), per="card")],
        learner=shop.learner,
    )
    log = [
        Said("p2", 0, 20, 20, {"card": "k"}),
        Said("p1", 0, 10, 30, {"card": "k"}),
        Said("p2", 1, 25, 40, {"card": "k"}),
        Said("p3", 0, 50, 50, {}),
    ]
    made = questions(model, {"payments": event_table(payments, log)}, last=EPOCH + timedelta(microseconds=50))
    assert list(zip(made["moment"].to_pylist(), made["payment_id"].to_pylist(), made["row"].to_pylist(), strict=True)) == [
        (10, "p1", "p1"), (20, "p2", "p2"),
    ]  # fmt: skip


NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PARCELS = {
    "plain": Source("parcels", id="parcel_id", time="at", columns={"weight": int, "mass": int}),
    "versioned": Source("parcels", id="parcel_id", time="at", version="v", deleted="gone", columns={"weight": int, "mass": int}),
}


@pytest.fixture(params=PARCELS)
def withdrawn(request, tmp_path, shop):
    """A lake from which a delivery was taken back: ``bad`` came with it alone, ``mended`` came again, ``good`` was there before; and what
    masses questions about their rows read, by unit, here and in portable text."""
    source, lake = PARCELS[request.param], open_lake(tmp_path / "lake")
    model = Model("late", predicts=source.outcome("weight"), per=source, knows=source.given("mass"), learner=shop.learner)

    def came(**masses):
        rows = [{"parcel_id": name, "at": NOON - days(1), "mass": mass, "v": 1} for name, mass in masses.items()]
        receive(lake, source, rows, now=NOON)

    def read():
        tables = {"parcels": read_source(lake, source)}
        asked = questions(model, tables, last=NOON + days(1))
        found = features(model.knows, asked, tables, model=model)["mass"].to_pylist()
        assert on_duckdb(model.knows, asked, tables, model=model)["mass"].to_pylist() == found
        return dict(zip(asked["parcel_id"].to_pylist(), found, strict=True))

    came(good=1)
    came(bad=4200, mended=4300)
    assert read() == {"bad": 4200, "good": 1, "mended": 4300}
    withdraw(lake, source, 2, now=NOON)
    return came, read


def test_rows_of_a_delivery_that_was_taken_back_are_asked_about_no_more_and_mended_ones_as_mended(withdrawn):
    came, read = withdrawn
    assert read() == {"good": 1}
    came(mended=4)
    assert read() == {"good": 1, "mended": 4}


def test_a_row_that_went_later_was_asked_about_all_the_same(shop):
    source = PARCELS["versioned"]
    model = Model("late", predicts=source.outcome("weight"), per=source, knows=source.given("mass"), learner=shop.learner)
    log = [Said("p1", 1, 20, 20, {"mass": 2}), Said("p1", 2, 20, 40, {}, deleted=True)]
    made = questions(model, {"parcels": event_table(source, log)}, last=EPOCH + timedelta(microseconds=50))
    assert made["parcel_id"].to_pylist() == ["p1"]


def test_rows_of_an_undated_source_are_all_asked_about_now(shop):
    houses = Source("houses", id="house_id", columns={"area": float, "price": int})
    model = Model("prices", predicts=houses.outcome("price"), per=houses, knows=houses.given("area"), learner=shop.learner)
    log = [Said("h1", 0, ALWAYS, ALWAYS, {}), Said("h0", 0, ALWAYS, ALWAYS, {})]
    made = questions(model, {"houses": event_table(houses, log)}, last=shop.start)
    assert made.to_pylist() == [{"question": i, "moment": micros(shop.start), "house_id": f"h{i}", "row": f"h{i}"} for i in (0, 1)]


def test_a_cap_is_seeded_and_chooses_about_as_many(shop):
    tables = tables_of(shop, *((i, f"p{i}") for i in range(300)))
    last = shop.start + days(70)
    some = questions(shop.demand, tables, last=last, at_most=500, seed=1)
    assert some.equals(questions(shop.demand, tables, last=last, at_most=500, seed=1))
    assert not some.equals(questions(shop.demand, tables, last=last, at_most=500, seed=2))
    assert 400 < some.num_rows < 600
    assert questions(shop.demand, tables, last=last, at_most=10**6).num_rows == 3000


def test_nothing_known_or_nothing_due_asks_nobody(shop):
    assert questions(shop.demand, tables_of(shop), last=shop.start).num_rows == 0
    assert questions(shop.demand, tables_of(shop, (0, "a")), last=shop.start - days(1)).num_rows == 0
    assert questions(shop.demand, tables_of(shop, (0, "a")), first=shop.start + days(9), last=shop.start + days(8)).num_rows == 0


def test_units_asked_about_at_once_keep_their_order_and_what_they_carry(shop):
    made = of_units(shop.demand, pa.table({"product_id": ["z", "a", "z"], "extra": [1, 2, 3]}), shop.start)
    assert made["product_id"].to_pylist() == ["z", "a", "z"]
    assert made["extra"].to_pylist() == [1, 2, 3]
    assert set(made["moment"].to_pylist()) == {micros(shop.start)}
    with pytest.raises(Unknown, match="product_id"):
        of_units(shop.demand, pa.table({"extra": [1]}), shop.start)


def test_a_unit_of_several_columns_is_one_text(shop):
    visits = Source("visits", id="v", time="at", columns={"shop": int, "aisle": str})
    model = Model(
        "m",
        predicts=visits.count(next=days(1)),
        per=["shop", "aisle"],
        asked=every(days(1)),
        knows=[visits.count(last=days(1))],
        learner=shop.learner,
    )
    log = [Said(f"v{i}", 0, 5, 5, {"shop": s, "aisle": a}) for i, (s, a) in enumerate([(2, "x"), (10, "y"), (1, None)])]
    made = questions(model, {"visits": event_table(visits, log)}, last=EPOCH + days(1))
    assert made["shop"].to_pylist() == [2, 10]
    assert unit_text(made, model.unit).to_pylist() == ["2\x1fx", "10\x1fy"]
