"""How a candidate stands beside simple rules: said in every verdict, deciding nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from tests.stats.shop import numbers, shop

from everloop import Model, Source, at_most, beats_champion, days, every
from everloop.gates.beside import beside
from everloop.gates.judge import judge
from everloop.records import Contest
from everloop.registry.sentences import clause

NOW = datetime(2026, 11, 2, tzinfo=UTC)
orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int})


class Learns:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]


demand = Model(
    "demand",
    predicts=orders.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(7)),
    knows=orders.total("quantity", last=days(7)),
    learner=Learns(),
    promote_when=beats_champion("wape"),
)
CONTEST = Contest(id="t", made_at=NOW, model="demand", champion="c0", candidate="c1", body="b", rows=600, first_at=NOW, last_at=NOW)


def contest(rule=0.3, candidate=0.3, champion=0.9):
    """A champion that has grown poor, a candidate that beats it, and a rule that errs as much as it says."""
    paired = shop(champion=champion, candidate=candidate)
    rng = np.random.default_rng(5)
    usual = paired.truth * np.exp(rng.normal(0, rule, len(paired)))
    return replace(paired, rivals={"the mean of eight weeks": numbers(usual)})


def test_a_candidate_that_beats_a_poor_champion_and_no_simple_rule_is_told_so():
    paired = contest(rule=0.1)
    verdict = judge(CONTEST, paired, demand.promote_when, demand, now=NOW, id="v")
    assert verdict.passed
    (said,) = verdict.beside
    assert (said.outcome, said.clause) == ("failed", "beside the mean of eight weeks")
    assert "worse than the mean of eight weeks" in said.sentence
    assert "beside it, " in clause(verdict)


def test_what_stands_beside_decides_nothing():
    poor, good = (judge(CONTEST, contest(rule=r), demand.promote_when, demand, now=NOW, id="v") for r in (0.05, 2.0))
    assert poor.outcome == good.outcome == "passed"
    assert [o.outcome for o in (*poor.beside, *good.beside)] == ["failed", "passed"]


def test_it_is_measured_as_the_champion_is():
    paired = contest()
    by = [beside(paired, (condition,), demand, seed=0)[0].measure for condition in (beats_champion("mae"), at_most("wape", 0.5))]
    assert by == ["mae", "wape"]


def worth(truth, answers, rows):
    """What is earned on what was in stock."""
    return float(np.sum(rows["price"] * np.minimum(truth, answers)))


def test_where_the_gate_asks_for_money_the_simple_rules_are_measured_in_it():
    paired = contest(rule=0.3)
    prices = {"price": np.full(len(paired), 250.0)}
    sides = {side: replace(getattr(paired, side), beside=prices) for side in ("champion", "candidate")}
    rivals = {name: replace(said, beside=prices, value=said.value * 0.1) for name, said in paired.rivals.items()}
    (said,) = beside(replace(paired, **sides, rivals=rivals), (beats_champion(worth),), demand, seed=0)
    assert said.measure == "worth"
    assert said.champion == worth(paired.truth, rivals["the mean of eight weeks"].value, prices)
    assert said.outcome == "passed"


def test_a_rule_that_knows_too_little_proves_nothing():
    paired = contest()
    silent = numbers(np.where(np.arange(len(paired)) < 30, paired.truth, np.nan))
    (said,) = beside(replace(paired, rivals={"the mean of eight weeks": silent}), demand.promote_when, demand, seed=0)
    assert said.outcome == "not enough evidence"
    assert said.rows == 30


def test_a_contest_without_rules_has_nothing_beside():
    assert judge(CONTEST, shop(), demand.promote_when, demand, now=NOW, id="v").beside == ()
