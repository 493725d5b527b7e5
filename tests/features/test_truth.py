"""Truth is what the snapshot knows of the time after the moment: all of it or nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from everloop import Model, Source, days, every, hours, one_of
from everloop.errors import Unknown
from everloop.features.moments import micros
from everloop.features.truth import truths
from everloop.testing.plain import Said, event_table

DAY, HOUR = 86_400_000_000, 3_600_000_000


class Learner:
    def fit(self, rows, truth):
        return self

    def predict(self, rows):
        return rows


orders = Source("orders", id="line_id", time="at", late=hours(6), columns={"product_id": str, "customer_id": str, "quantity": int})
week = orders.total("quantity", next=days(7))
demand = Model("demand", predicts=week, per="product_id", asked=every(days(7)), knows=[orders.count(last=days(7))], learner=Learner())


def read(predicts, log, moments, until, unit="a", model=demand):
    questions = pa.table({"moment": pa.array(moments, pa.int64()), "product_id": [unit] * len(moments)})
    return truths(predicts, questions, {"orders": event_table(orders, log)}, model=model, known_at=until)


def sold(id, at, quantity, known=None, version=0, deleted=False, customer="c"):
    values = {"product_id": "a", "quantity": quantity, "customer_id": customer}
    return Said(id, version, at, at if known is None else known, values, deleted)


def test_it_is_never_a_partial_sum_but_null_until_the_window_and_its_late_rows_are_over():
    log = [sold("o1", DAY, 3)]
    ripe = 7 * DAY + 6 * HOUR
    assert [read(week, log, [0], until).truth.to_pylist() for until in (2 * DAY, ripe - 1, ripe)] == [[None], [None], [3.0]]
    assert [bool(read(week, log, [0], until).mature[0]) for until in (ripe - 1, ripe)] == [False, True]


def test_its_window_begins_with_the_moment_and_ends_before_the_next_one():
    log = [sold("o1", -1, 100), sold("o2", 0, 1), sold("o3", 7 * DAY - 1, 10), sold("o4", 7 * DAY, 1000)]
    assert read(week, log, [0], 9 * DAY).truth.to_pylist() == [11.0]


def test_late_corrected_and_deleted_rows_are_as_known_by_then():
    log = [
        sold("late", DAY, 1, known=7 * DAY + 5 * HOUR), sold("o1", DAY, 10), sold("o1", DAY, 20, known=10 * DAY, version=1),
        sold("o2", DAY, 100), sold("o2", DAY, 100, known=20 * DAY, version=1, deleted=True),
    ]  # fmt: skip
    assert [read(week, log, [0], day * DAY).truth[0].as_py() for day in (8, 10, 11, 20, 21)] == [111.0, 111.0, 121.0, 121.0, 21.0]


def test_yes_no_lists_and_arithmetic_are_truths_too():
    log = [sold("o1", 1, 2, customer="x"), sold("o2", 2, 4, customer="y"), sold("o3", 3, 3, customer="x")]
    ahead = {"next": days(1)}
    assert read(orders.none(**ahead), log, [0, 5], 9 * DAY).truth.to_pylist() == [0.0, 1.0]
    assert read(orders.any(**ahead), log, [0, 5], 9 * DAY).truth.to_pylist() == [1.0, 0.0]
    each = orders.total("quantity", **ahead) / orders.count(**ahead)
    assert read(each, log, [0, 5], 9 * DAY).truth.to_pylist() == [3.0, None]
    which = read(orders.which("customer_id", next=days(1), most=1), log, [0, 5, 9 * DAY], 9 * DAY)
    assert which.truth.to_pylist() == [["x", "y"], [], None]
    assert which.mature.tolist() == [True, True, False]


def test_a_void_truth_is_neither_right_nor_wrong():
    stockouts = Source("stockouts", id="stockout_id", time="at", late=days(1), columns={"product_id": str})
    model = demand.but("voided", void_when=stockouts.any(next=days(7)))
    tables = {
        "orders": event_table(orders, [sold("o1", 1, 5)]),
        "stockouts": event_table(stockouts, [Said("s", 0, 3 * DAY, 3 * DAY, {"product_id": "a"})]),
    }
    questions = pa.table({"moment": pa.array([0, 0, 4 * DAY], pa.int64()), "product_id": ["a", "b", "a"]})
    found = truths(week, questions, tables, model=model, known_at=datetime(1970, 1, 31, tzinfo=UTC))
    assert found.void.tolist() == [True, False, False]
    assert found.truth.to_pylist() == [None, 0.0, 0.0]
    soon = truths(week, questions, tables, model=model, known_at=7 * DAY + 7 * HOUR)
    assert soon.mature.tolist() == [False, False, False]  # a stock-out may still be told of


def test_how_a_row_ends_up_is_what_its_newest_version_says_in_time():
    loans = Source("loans", id="loan_id", time="at", late=days(1), columns={"defaulted": bool, "grade": str, "income": int})
    model = Model(
        "risk", predicts=loans.outcome("defaulted", within=days(30)), per=loans, knows=loans.given("income"), learner=Learner()
    )  # fmt: skip
    log = [
        Said("in time", 0, 0, 1, {"grade": "A"}), Said("in time", 1, 0, 31 * DAY - 1, {"defaulted": True, "grade": "B"}),
        Said("too late", 0, 0, 1, {"defaulted": False}), Said("too late", 1, 0, 31 * DAY, {"defaulted": True}),
        Said("gone", 0, 0, 1, {"defaulted": True}), Said("gone", 1, 0, 5, {"defaulted": True}, deleted=True), Said("open", 0, 0, 1, {}),
    ]  # fmt: skip
    rows = ["in time", "too late", "gone", "open", "nobody"]
    questions = pa.table({"moment": pa.array([0] * 5, pa.int64()), "loan_id": rows, "row": rows})
    tables = {"loans": event_table(loans, log)}
    late = truths(model.predicts, questions, tables, model=model, known_at=40 * DAY)
    assert late.truth.to_pylist() == [1.0, 0.0, None, None, None]
    assert truths(model.predicts, questions, tables, model=model, known_at=31 * DAY - 1).truth.null_count == 5
    grade = truths(loans.outcome("grade"), questions, tables, model=model, known_at=2 * DAY)  # no limit: mature as soon as it is there
    assert grade.truth.to_pylist() == ["A", None, None, None, None]
    assert grade.mature.tolist() == [True, False, False, False, False]


def test_the_row_asked_about_is_no_truth_of_its_own():
    buys = Source("buys", id="buy_id", time="at", columns={"customer_id": str})
    again = buys.any(next=days(7), per="customer_id")
    model = Model("again", predicts=again, per=buys, knows=[buys.count(last=days(7), per="customer_id")], learner=Learner())
    log = [
        Said("b1", 0, 0, 0, {"customer_id": "x"}),
        Said("b2", 0, 0, 0, {"customer_id": "y"}),
        Said("b3", 0, DAY, DAY, {"customer_id": "y"}),
    ]
    questions = pa.table({"moment": pa.array([0, 0], pa.int64()), "buy_id": ["b1", "b2"], "row": ["b1", "b2"]})
    assert truths(again, questions, {"buys": event_table(buys, log)}, model=model, known_at=30 * DAY).truth.to_pylist() == [0.0, 1.0]


def test_moments_of_an_answers_log_are_answered_in_their_order_with_duplicates():
    log = [sold("o1", DAY, 3)]
    assert read(week, log, [DAY + 1, 0, 5, 0], 99 * DAY).truth.to_pylist() == [0.0, 3.0, 3.0, 3.0]
    assert read(week, log, [], 99 * DAY).truth.to_pylist() == []


def test_questions_about_rows_must_say_which_row():
    loans = Source("loans", id="loan_id", columns={"paid": bool, "income": int})
    model = Model("risk", predicts=loans.outcome("paid"), per=loans, knows=loans.given("income"), learner=Learner())
    questions = pa.table({"moment": pa.array([0], pa.int64()), "loan_id": ["l"]})
    with pytest.raises(Unknown, match="row asked about"):
        truths(model.predicts, questions, {"loans": event_table(loans, [])}, model=model, known_at=micros(datetime(2026, 1, 1, tzinfo=UTC)))


def test_what_looks_back_in_void_when_is_known_at_the_moment_whatever_came_later():
    model = demand.but("voided", void_when=orders.any(last=days(7)))
    questions = pa.table({"moment": pa.array([10 * DAY], pa.int64()), "product_id": ["a"]})

    def void(log):
        return truths(week, questions, {"orders": event_table(orders, log)}, model=model, known_at=99 * DAY).void.tolist()

    assert void([sold("o1", 12 * DAY, 1)]) == [False]
    assert void([sold("o1", 8 * DAY, 1)]) == [True]
    assert void([sold("o1", 8 * DAY, 1, known=11 * DAY)]) == [False]
    several = [sold("o1", 1 * DAY, 1), sold("o2", 12 * DAY, 1), sold("o3", 19 * DAY, 1)]
    late = [sold("o1", 1 * DAY, 1, known=50 * DAY), sold("o2", 12 * DAY, 1, known=30 * DAY), sold("o3", 19 * DAY, 1, known=20 * DAY)]
    assert void(several) == void(sorted(late, key=lambda one: one.known_at)) == [False]


def test_how_the_row_asked_about_ends_up_may_make_it_void():
    loans = Source("loans", id="loan_id", time="at", columns={"paid": bool, "outlook": str, "income": int})
    lost = one_of(loans.outcome("outlook"), "lost")
    model = Model("risk", predicts=loans.outcome("paid"), per=loans, knows=loans.given("income"), void_when=lost, learner=Learner())
    log = [Said("l1", 0, 0, 1, {}), Said("l1", 1, 0, 5, {"paid": True, "outlook": "lost"}), Said("l2", 0, 0, 1, {"paid": True})]
    questions = pa.table({"moment": pa.array([0, 0], pa.int64()), "loan_id": ["l1", "l2"], "row": ["l1", "l2"]})
    found = truths(model.predicts, questions, {"loans": event_table(loans, log)}, model=model, known_at=DAY)
    assert found.void.tolist() == [True, False]
    assert found.truth.to_pylist() == [None, 1.0]
