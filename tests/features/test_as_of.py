"""A training set: every mature question with what was known before it; reported in full, never a crash for want of rows."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everloop import Model, Source, as_good_as_champion, days, every, fair_across
from everloop.features.as_of import METADATA, as_of, live
from everloop.features.moments import ALWAYS, micros
from everloop.testing.plain import Said, event_table

WEEK = timedelta(days=7)


def made_of(model, tables, now, **words):
    bodies = []

    def save(body):
        bodies.append(body)
        return "sha"

    record = as_of(model, tables, now=now, id="ts", save=save, **words)
    return record, pq.read_table(io.BytesIO(bodies[0]))


def weekly(shop, weeks=30, units="abc"):
    start = micros(shop.start)
    said = [
        Said(f"o{w}{u}{i}", 0, start + w * 7 * 86_400_000_000 + i, start + w * 7 * 86_400_000_000 + i, {"product_id": u, "quantity": w + i})
        for w in range(weeks)
        for u in units
        for i in (1, 2)
    ]
    return {"orders": event_table(shop.orders, said), "products": event_table(shop.products, [])}


def test_a_training_set_says_all_about_itself(shop):
    now = shop.start + 30 * WEEK
    record, table = made_of(shop.demand, weekly(shop), now, made_from=("snap",))
    assert (record.id, record.made_at, record.made_from, record.model, record.body) == ("ts", now, ("snap",), "demand", "sha")
    assert record.columns == shop.demand.columns
    assert (record.rows, record.immature, record.void) == (29 * 3, 3, 0)
    assert record.first_at == shop.start + WEEK
    assert record.last_at == shop.start + 29 * WEEK
    assert record.judge_from - record.learn_until == WEEK
    assert record.learn_rows + record.judge_rows + 3 == record.rows  # one week lies in the gap
    assert table.column_names[:4] == ["question", "moment", "unit", "product_id"]
    assert table.column_names[4:] == [*shop.demand.columns, "baseline", "truth"]
    row = table.slice(5 * 3, 1).to_pylist()[0]
    assert (row["orders_quantity_total_last_7d"], row["orders_count_last_7d"], row["baseline"], row["truth"]) == (13.0, 2.0, 13.0, 15.0)
    assert table["moment"].to_pylist() == sorted(table["moment"].to_pylist())


def test_the_same_data_gives_the_same_bytes(shop):
    now, bodies = shop.start + 9 * WEEK, []
    for _ in range(2):
        as_of(shop.demand, weekly(shop, 9), now=now, id="ts", save=lambda body: bodies.append(body) or "sha")
    assert bodies[0] == bodies[1]


def test_what_arrives_after_now_changes_nothing_before_it(shop):
    now = shop.start + 10 * WEEK
    early, later = weekly(shop, 10), weekly(shop, 30)
    assert made_of(shop.demand, early, now)[1].equals(made_of(shop.demand, later, now)[1])


def test_a_span_to_learn_from_reaches_back_from_the_newest_mature_question(shop):
    model = shop.demand.but("short", learns_from=5 * WEEK)
    record, table = made_of(model, weekly(shop), shop.start + 30 * WEEK)
    assert record.rows == 5 * 3
    assert record.first_at == shop.start + 25 * WEEK
    whole = made_of(shop.demand, weekly(shop), shop.start + 30 * WEEK)[1]
    assert table.drop_columns(["question"]).equals(whole.slice(24 * 3).drop_columns(["question"]))


def test_a_change_point_leaves_older_questions_out(shop):
    record, _ = made_of(shop.demand, weekly(shop), shop.start + 30 * WEEK, learn_from=shop.start + 20 * WEEK)
    assert record.first_at == shop.start + 20 * WEEK


def test_what_judges_begins_after_the_champions_last_row_and_a_gap(shop):
    tables, now = weekly(shop), shop.start + 30 * WEEK
    record, _ = made_of(shop.demand, tables, now, judge_after=shop.start + 27 * WEEK)
    assert record.judge_from == shop.start + 28 * WEEK
    record, _ = made_of(shop.demand, tables, now, judge_after=shop.start + 29 * WEEK)
    assert record.judge_rows == 0


def test_a_cap_on_questions_is_told_in_the_file(shop):
    record, table = made_of(shop.demand, weekly(shop), shop.start + 30 * WEEK, max_questions=40, seed=3)
    assert 20 < record.rows < 60
    told = json.loads(table.schema.metadata[METADATA])
    assert (told["at_most"], told["seed"], told["kept"]) == (40, 3, record.rows)


def test_nothing_to_learn_from_is_a_set_without_rows(shop):
    for tables, now in (
        (weekly(shop, 0), shop.start),
        (weekly(shop, 1), shop.start + timedelta(days=8)),
        (weekly(shop), shop.start - WEEK),
    ):
        record, table = made_of(shop.demand, tables, now)
        assert (record.rows, record.learn_rows, record.judge_rows, record.first_at, record.judge_from) == (0, 0, 0, None, None)
        assert table.column_names[4:] == [*shop.demand.columns, "baseline", "truth"]


def test_undated_rows_are_split_by_id_and_read_the_same(shop):
    houses = Source("houses", id="house_id", columns={"area": float, "zip": str, "price": int})
    model = Model(
        "prices",
        predicts=houses.outcome("price"),
        per=houses,
        knows=houses.given("area", "zip"),
        learner=shop.learner,
        fed_as="arrow",
        holdout=0.25,
    )
    log = [Said(f"h{i}", 0, ALWAYS, ALWAYS, {"area": float(i), "zip": "z", "price": i if i % 10 else None}) for i in range(400)]
    log.append(Said("h1", 1, micros(shop.start) - 5, micros(shop.start) - 5, {"area": 1.0, "zip": "y", "price": 999}))
    record, table = made_of(model, {"houses": event_table(houses, log)}, shop.start)
    assert record.rows == 360 == record.learn_rows + record.judge_rows
    assert record.immature == 40
    assert 60 < record.judge_rows < 130
    row = next(r for r in table.to_pylist() if r["unit"] == "h1")
    assert (row["area"], row["zip"], row["truth"]) == (1.0, "z", 999.0)  # given as first said, truth as it ends up
    assert "baseline" not in table.column_names


def test_groups_of_fairness_conditions_come_along(shop):
    judged = [fair_across(shop.products.latest("brand"), on="mae"), as_good_as_champion("mae")]
    model = shop.demand.but("fair", promote_when=judged)
    tables = weekly(shop, 9)
    tables["products"] = event_table(shop.products, [Said("a", 0, ALWAYS, ALWAYS, {"brand": "n"}), Said("b", 0, ALWAYS, ALWAYS, {})])
    _, table = made_of(model, tables, shop.start + 9 * WEEK)
    groups = dict(zip(table["unit"].to_pylist(), table[f"group:{shop.products.latest('brand').name}"].to_pylist(), strict=True))
    assert groups == {"a": "n", "b": None, "c": None}


@pytest.fixture
def recommend(shop):
    buys = Source("buys", id="line_id", time="at", columns={"customer_id": str, "product_id": str})
    pair = ["customer_id", "product_id"]
    model = Model(
        "recommend", predicts=buys.which("product_id", next=WEEK, most=2), per="customer_id", asked=every(WEEK),
        among=[buys.any(last=days(28)), buys.any(last=days(28), per="product_id")],
        candidates=[buys.which("product_id", last=days(28), most=2), buys.which("product_id", last=days(28), most=1, per=())],
        knows=[buys.count(last=days(28), per=pair), buys.count(last=days(28), per="product_id")], learner=shop.learner,
    )  # fmt: skip
    said, start = [], micros(shop.start)
    for week in range(8):
        for customer, items in (("ann", "xxy"), ("bob", "zzw")):
            for i, item in enumerate(items):
                at = start + week * 7 * 86_400_000_000 + i
                said.append(Said(f"{week}{customer}{i}", 0, at, at, {"customer_id": customer, "product_id": item}))
    return model, {"buys": event_table(buys, said)}


def test_a_ranking_has_a_row_for_each_question_and_candidate(shop, recommend):
    model, tables = recommend
    record, table = made_of(model, tables, shop.start + 8 * WEEK)
    assert record.rows == table.num_rows == record.learn_rows + record.judge_rows + 5
    first = [r for r in table.to_pylist() if r["question"] == 1]
    assert [(r["unit"], r["item"], r["relevant"]) for r in first] == [("bob", "w", 1.0), ("bob", "z", 1.0)]
    ann = [r for r in table.to_pylist() if r["question"] == 0]
    assert [(r["item"], r["relevant"]) for r in ann] == [("x", 1.0), ("y", 1.0), ("z", 0.0)]
    assert ann[0]["buys_count_last_28d_per_customer_id_product_id"] == 2.0
    assert ann[0]["baseline"] == ["x", "y"]
    assert ann[0]["truth"] == ["x", "y"]


def test_live_is_the_training_row_of_that_moment_without_its_truth(shop):
    tables, moment = weekly(shop), shop.start + 20 * WEEK
    _, table = made_of(shop.demand, tables, shop.start + 30 * WEEK)
    then = table.filter(_equals(table["moment"], micros(moment))).drop_columns(["truth", "question"])
    now = live(shop.demand, tables, moment=moment).drop_columns(["question"])
    assert now.to_pylist() == then.to_pylist()


def test_live_answers_for_units_asked_about_in_their_order_seen_or_not(shop):
    found = live(shop.demand, weekly(shop, 2), moment=shop.start + WEEK, units=[{"product_id": "new"}, {"product_id": "a"}])
    assert found["unit"].to_pylist() == ["new", "a"]
    assert found["orders_quantity_total_last_7d"].to_pylist() == [0.0, 3.0]
    assert live(shop.demand, weekly(shop, 2), moment=shop.start + WEEK, units=[]).num_rows == 0


def test_live_ranks_candidates_too(shop, recommend):
    model, tables = recommend
    found = live(model, tables, moment=datetime(2026, 2, 2, tzinfo=UTC), units=[{"customer_id": "ann"}])
    assert found["item"].to_pylist() == ["x", "y", "z"]


def _equals(column, value):
    import pyarrow.compute as pc

    return pc.equal(column, value)


def test_a_path_is_a_row_for_each_step_with_the_truth_of_that_step(shop):
    stops = Source("stops", id="stop_id", time=["from_at", "to_at"], known="told_at", columns={"product_id": str})
    path = shop.demand.but(
        "path",
        predicts=shop.orders.total("quantity", next=timedelta(days=14), each=WEEK),
        void_when=stops.any(next=timedelta(days=14), each=WEEK),
        knows=[shop.orders.count(last=WEEK), stops.planned()],
    )
    begin = micros(shop.start + 6 * WEEK + days(1))
    stop = Said("s", 0, begin, micros(shop.start), {"product_id": "a", "from_at": begin, "to_at": begin + 86_400_000_000})
    tables = weekly(shop, weeks=10) | {"stops": event_table(stops, [stop])}
    record, table = made_of(path, tables, shop.start + 10 * WEEK)
    rows = {(r["product_id"], (r["moment"] - micros(shop.start)) // micros_of(WEEK), r["step"]): r for r in table.to_pylist()}
    assert record.columns == path.columns
    assert [rows["b", 5, step]["truth"] for step in (1, 2)] == [2 * 5 + 3.0, 2 * 6 + 3.0]
    assert [rows["b", 5, step]["baseline"] for step in (1, 2)] == [2 * 3 + 3.0, 2 * 4 + 3.0]
    assert rows["b", 5, 1]["question"] == rows["b", 5, 2]["question"] != rows["c", 5, 1]["question"]
    assert rows["a", 5, 1]["stops_planned"] == 0.0
    assert ("a", 6, 1) not in rows
    assert ("a", 5, 2) not in rows
    assert ("a", 6, 2) in rows
    assert ("a", 5, 1) in rows
    assert ("b", 9, 1) in rows
    assert ("b", 9, 2) not in rows
    assert record.void == 2


def micros_of(span):
    return span // timedelta(microseconds=1)


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 69), st.integers(1, 9)), max_size=30))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_path_of_one_step_is_what_it_is_without_steps(shop, weeks, sold):
    span, start = weeks * WEEK, micros(shop.start)
    at = [start + day * 86_400_000_000 for _, day, _ in sold]
    said = [Said(f"o{n}", 0, at[n], at[n], {"product_id": p, "quantity": q}) for n, (p, _, q) in enumerate(sold)]
    tables = {"orders": event_table(shop.orders, sorted(said, key=lambda one: one.known_at)), "products": event_table(shop.products, [])}
    plain = shop.demand.but("demand", predicts=shop.orders.total("quantity", next=span))
    path = shop.demand.but("demand", predicts=shop.orders.total("quantity", next=span, each=span))
    assert (path.steps, path.each, path.columns, path.shape, path.matures_after) == (
        1,
        None,
        plain.columns,
        plain.shape,
        plain.matures_after,
    )
    assert path.not_yet == ()
    (one, rows), (other, same) = (made_of(model, tables, shop.start + 10 * WEEK) for model in (plain, path))
    assert rows.equals(same)
    assert one == other
