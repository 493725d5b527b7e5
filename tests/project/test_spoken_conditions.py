"""Conditions, a clause each."""

from __future__ import annotations

from typing import Any

import pytest

from everloop import (
    Model,
    Source,
    answers_within,
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    cost,
    days,
    drifted,
    every,
    fair_across,
    hours,
    money,
    new_truths,
    slipped,
    worse_than_champion,
)
from everloop.project.metrics import METRICS
from everloop.project.spoken import spoken_condition, spoken_metric

orders = Source("orders", id="order_id", time="at", columns={"customer_id": str, "amount": money("EUR"), "fee": money("EUR")})
customers = Source("customers", id="customer_id", columns={"age_group": str})


def learn(rows: object) -> object:
    return rows


churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(1)), knows=orders.count(last=days(7)),
              learner=learn)  # fmt: skip
revenue = orders.total("amount", next=days(7))

CLAUSES = [
    (beats_champion(), "it is proven better than the champion on AUC"),
    (beats_champion("logloss", by=0.02), "it is proven at least 2 % better than the champion on log loss"),
    (beats_champion("brier", confidence=0.99), "it is proven better than the champion on Brier score, with 99 % confidence"),
    (beats_champion(revenue, by=0.01),
     "it is proven at least 1 % better than the champion on the total amount of orders over the next 7 days, per customer"),
    (beats_champion(orders.any(next=days(1))),
     "it is proven better than the champion on the chance of any orders over the next day, per customer"),
    (beats_champion(cost(missed=10_00, false_alarm=orders.mean("fee", last=days(1)))),
     "it is proven better than the champion on cost (a miss costs 10.00 EUR, a false alarm the mean fee of orders over the last day)"),
    (as_good_as_champion(margin=0.02), "it is proven no more than 2 % worse on AUC"),
    (as_good_as_champion(), "it is proven no worse than the champion on AUC"),
    (worse_than_champion(by=0.05), "it is proven more than 5 % worse than the version it replaced on AUC"),
    (worse_than_champion(), "it is proven worse than the version it replaced on AUC"),
    (fair_across(customers.latest("age_group")),
     "it is proven that the worst-off group by the customer's age group is told yes at least 80 % as often as the best-off"),
    (fair_across(customers.latest("age_group"), on="recall", ratio=0.9),
     "it is proven that the worst-off group by the customer's age group is served at least 90 % as well, by recall, as the best-off"),
    (answers_within(ms=30), "99 % of answers take at most 30 ms"),
    (answers_within(ms=2.5, share=1), "all answers take at most 2.5 ms"),
    (at_most("accuracy", 0.92), "accuracy is at most 0.92"),
    (at_least("errors", 0.001), "the share of answers that fail is at least 0.1 %"),
    (at_least("p99_ms", 25), "p99 latency in ms is at least 25"),
    (at_least(orders.total("amount", last=days(1)), 100_00),
     "the total amount of orders over the last day, per customer, is at least 100.00 EUR on average"),
    (at_least(orders.count(last=days(1)), 1_000), "the number of orders over the last day, per customer, is at least 1,000 on average"),
    (at_most(orders.total("fee", last=days(1)) / orders.total("amount", last=days(1)), 0.5),
     ("the total fee of orders over the last day divided by the total amount of orders over the last day, per customer, is at most 0.5 "
      "on average")),
    (drifted(), "any input drifts beyond its own habit"),
    (drifted(share=0.3), "inputs that carry at least 30 % of the answers drift beyond their own habit"),
    (drifted("answers"), "what it answers drifts beyond its own habit"),
    (drifted(orders.count(last=days(1)), psi=0.2),
     "the number of orders over the last day drifts beyond its own habit (and by a PSI of at least 0.2)"),
    (slipped(), "AUC on mature truth is proven worse than when it was promoted"),
    (slipped("recall", by=0.1), "recall on mature truth is proven more than 10 % worse than when it was promoted"),
    (new_truths(10_000), "10,000 new truths have matured"),
    (new_truths(1), "1 new truth has matured"),
    (every(days(7)), "7 days have passed since the last training"),
    (every(hours(24), at="02:00", zone="UTC"), "1 day has passed since the last training, at 02:00 UTC"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "clause"), CLAUSES, ids=[repr(condition) for condition, _ in CLAUSES])
def test_every_condition_can_be_said(condition: Any, clause: str) -> None:
    assert spoken_condition(condition, churn) == clause


def test_whoever_is_compared_with_the_champion_can_be_named() -> None:
    assert spoken_condition(beats_champion(by=0.02), churn, subject="churn@3 is").startswith("churn@3 is proven at least 2 % better")
    assert spoken_condition(beats_champion(by=0.02), churn, subject="").startswith("proven at least 2 % better")


def test_every_metric_is_said_as_people_say_it() -> None:
    assert [spoken_metric(name) for name in ("auc", "wape", "pinball", "ndcg", "logloss", "brier", "mae", "rmse")] == [
        "AUC", "WAPE", "pinball loss", "NDCG", "log loss", "Brier score", "MAE", "RMSE"]  # fmt: skip
    assert all("_" not in spoken_metric(name) for name in METRICS)
