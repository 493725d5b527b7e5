"""When a model is due: its questions, every hour for rows, and the ends of a roll-out's steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from everloop import Model, Source, canary, days, every, hours, money, shadow, worse_than_champion
from everloop.loop.control.due import due, step_ends
from everloop.records import Traffic

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
ORDERS = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": money("EUR")})
RETURNS = Source("returns", id="return_id", time="returned_at", columns={"order_id": str})
WORDS = {"knows": ORDERS.count(last=days(28)), "learner": print}
CHURN = Model(
    "churn",
    predicts=ORDERS.none(next=days(28)),
    per="customer_id",
    asked=every(days(1)),
    roll_out=[shadow(hours(6)), canary(0.05, every=hours(12))],
    **WORDS,
)
STEADY = Traffic(id="t", made_at=MONDAY, model="churn", generation=1, stage="steady", champion="v0", since=MONDAY)


def test_only_the_newest_tick_that_was_missed_is_due():
    assert due(CHURN, MONDAY, MONDAY + timedelta(days=9, hours=1)) == MONDAY + timedelta(days=9)


def test_the_first_time_the_newest_tick_is_due():
    assert due(CHURN, None, MONDAY + timedelta(hours=3)) == MONDAY


def test_a_model_asked_about_rows_is_turned_every_hour():
    fraud = Model("fraud", predicts=RETURNS.any(next=days(2)), per=ORDERS, knows=ORDERS.latest("amount"), learner=print)
    assert fraud.asked is None
    assert due(fraud, MONDAY, MONDAY + timedelta(minutes=59)) is None
    assert due(fraud, MONDAY, MONDAY + timedelta(minutes=150)) == MONDAY + timedelta(hours=2)


def test_the_end_of_a_step_is_due_between_two_ticks():
    rolling = replace(STEADY, stage="shadow", candidate="v1", since=MONDAY + timedelta(hours=1))
    assert due(CHURN, MONDAY, MONDAY + timedelta(hours=6), traffic=rolling) is None
    assert due(CHURN, MONDAY, MONDAY + timedelta(hours=8), traffic=rolling) == MONDAY + timedelta(hours=7)
    assert due(CHURN, MONDAY + timedelta(hours=7), MONDAY + timedelta(hours=8), traffic=rolling) is None


def test_steps_end_as_the_plan_says():
    assert step_ends(CHURN, None) is None
    assert step_ends(CHURN, STEADY) is None
    rolling = replace(STEADY, stage="canary", candidate="v1", step=1)
    assert step_ends(CHURN, rolling) == MONDAY + timedelta(hours=12)
    assert step_ends(CHURN, replace(rolling, step=7)) == MONDAY  # the plan was shortened: it is over
    assert step_ends(CHURN, replace(rolling, stage="bake")) == MONDAY + CHURN.matures_after


def test_bake_is_over_when_the_last_figure_is_known_too():
    feared = CHURN.but("churn", roll_back_when=worse_than_champion(ORDERS.total("amount", next=days(90)), by=0.05))
    rolling = replace(STEADY, stage="bake", previous="v1")
    assert step_ends(feared, rolling) == MONDAY + days(90)
