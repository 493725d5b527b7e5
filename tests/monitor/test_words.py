"""The words of watching beyond the first: shares of features, the season, readings, fairness of a candidate, takeovers, unfit events."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.monitor.test_watch import BAKE, NOW, SHADOW, STEADY, profiles, seen, signal, signals, year
from tests.stats.shop import shop

from everloop import (
    Source,
    always,
    answers_within,
    at_least,
    at_most,
    beats_champion,
    days,
    drifted,
    fair_across,
    fresh,
    hours,
    usual_volume,
)
from everloop.monitor import ANSWERS, describe, profile
from everloop.monitor.confidence import confidence
from everloop.monitor.hints import Hints
from everloop.monitor.seen import Figures, Served
from everloop.records import Finding, Shape
from everloop.stats.shapes import Answers

orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int, "department": str})
sold = orders.total("quantity", last=days(7))

# -- drift ---------------------------------------------------------------------------------------------------------------------------


def test_a_share_of_the_inputs_has_to_drift_at_once():
    what = profiles(0.8)
    one = signal(seen(**what), retrain_when=drifted(share=0.5))
    assert (one.fired, one.about) == (True, "price")
    assert one.sentence.endswith("50 % of the answers rests on what drifted")
    assert not signal(seen(**what), retrain_when=drifted(share=0.6)).fired
    assert signal(seen(**what, hints=Hints(importance={"price": 0.7, "stock": 0.3})), retrain_when=drifted(share=0.6)).fired


def test_what_the_answers_do_not_rest_on_may_drift():
    what = profiles(0.8)
    little = signal(seen(**what, hints=Hints(importance={"price": 0.004, "stock": 0.996})), retrain_when=drifted())
    assert (little.fired, little.outcome, little.about) == (False, "failed", "price")
    assert little.sentence.endswith("0.4 % of the answers rests on what drifted")
    named = orders.count(last=days(7)).named("price")
    assert signal(seen(**what, hints=Hints(importance={"price": 0.004})), retrain_when=drifted(named)).fired, (
        "a reading that is named counts whatever it weighs"
    )


def test_what_moves_every_year_is_the_season():
    what = profiles(0.8)
    spec, rng = what["reference"].spec, np.random.default_rng(5)
    columns = {name: rng.normal(0.8 if name == "price" else 0.0, 1, 2000) for name in ("price", "stock", ANSWERS)}
    one = signal(seen(**what, year_ago=profile(spec, columns)), retrain_when=drifted())
    assert (one.fired, one.outcome) == (False, "failed")
    assert one.sentence == "inputs keep to the habit; price moved as a year ago: the season"
    columns["price"] = rng.normal(0.0, 1, 2000)
    assert signal(seen(**what, year_ago=profile(spec, columns)), retrain_when=drifted()).fired


def test_the_first_named_is_what_matters_most():
    what = profiles(0.8)
    both = profiles(1.5, feature="stock")["windows"]
    mixed = tuple(replace(w, counts=w.counts | {"stock": b.counts["stock"]}) for w, b in zip(what["windows"], both, strict=True))
    found = {"reference": what["reference"], "windows": mixed}
    assert signal(seen(**found), retrain_when=drifted()).about == "stock"
    assert signal(seen(**found, hints=Hints(importance={"price": 0.9, "stock": 0.1})), retrain_when=drifted()).about == "price"


# -- readings, groups, confidence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "outcome"), [(9.0, "passed"), (10.0, "not enough evidence"), (11.0, "failed")]
)  # fmt: skip
def test_a_reading_is_held_to_its_bound_by_its_mean_over_units(bound, outcome):
    values = np.random.default_rng(3).normal(10, 4, 400)
    table = {repr(sold): Figures(units=np.array([f"p{i // 2}" for i in range(400)], dtype=object), values=values)}
    one = signal(seen(figures=table), tell_when=at_least(sold, bound))
    assert (one.kind, one.outcome, one.fired, one.rows) == ("figure", outcome, outcome == "passed", 200)
    assert one.sentence.startswith("orders_quantity_total_last_7d ")


def test_a_reading_of_nobody_is_not_enough_evidence():
    one = signal(seen(), tell_when=at_most(sold, 3))
    assert (one.outcome, one.sentence) == ("not enough evidence", "orders_quantity_total_last_7d: nothing to work it out from yet")


def test_while_a_candidate_is_tried_what_takes_it_back_is_about_the_candidate():
    pair = shop(300, 6)
    bad = replace(pair, candidate=Answers(pair.candidate.shape, pair.candidate.value * 4))
    table = year()["answered"]
    feared = {"roll_back_when": at_least("wape", 1.0)}
    assert [s.clause for s in signals(seen(live=bad, answered=table), SHADOW, **feared).fired()] == ["at_least('wape', 1.0)"]
    assert not signals(seen(live=bad, answered=table), BAKE, **feared).fired()
    assert not signals(seen(live=bad, answered=table), SHADOW, roll_back_when=(), tell_when=at_least("wape", 1.0)).fired()


def test_a_candidate_unfair_to_a_group_is_taken_back():
    condition = fair_across(orders.latest("department"), on="wape")
    pair = shop(600, 8)
    worse = np.where(pair.groups["department"] == "grocery", 2.5, 1.0)
    unfair = replace(
        pair, candidate=Answers(pair.candidate.shape, pair.candidate.value * worse),
        groups={condition.reading.name: pair.groups["department"]},
    )  # fmt: skip
    assert signals(seen(live=unfair), SHADOW, roll_back_when=condition).fired("worse")
    assert not signals(seen(live=unfair), SHADOW, roll_back_when=(), tell_when=condition).fired("worse")


def test_confidence_is_the_mean_share_of_the_likeliest():
    shares = Answers(Shape(kind="shares", labels=("a", "b")), np.array([0.9, 0.5]), values=np.array([[0.1, 0.9], [0.5, 0.5]]))
    assert confidence(shares) == (0.7, 2)
    assert confidence(Answers(Shape(kind="number"), np.array([3.0]))) is None
    assert confidence(Answers(Shape(kind="chance"), np.array([np.nan]))) is None


# -- a takeover that harms -----------------------------------------------------------------------------------------------------------

TOOK_OVER = replace(STEADY, previous="v0")
QUICK = np.full(500, 2_000)


def taken_over(failed=0, answers=500, times=QUICK, hours_ago=6, was=0):
    before = Served(answers=1000, failed=was, microseconds=QUICK)
    return seen(answers=answers, failed=failed, microseconds=times, before=before, promoted_at=NOW - timedelta(hours=hours_ago))


@pytest.mark.parametrize(
    ("what", "fires"),
    [
        (taken_over(failed=40), True),
        (taken_over(failed=4), False),
        (taken_over(failed=40, was=80), False),
        (taken_over(failed=40, hours_ago=60), False),
        (taken_over(failed=2, answers=3), True),
        (taken_over(failed=0, answers=0, times=QUICK[:0]), False),
    ],
)
def test_answers_that_fail_since_a_takeover_are_harm_nobody_has_to_name(what, fires):
    found = signals(what, TOOK_OVER, roll_back_when=()).fired("errors")
    assert [s.clause for s in found] == ["guardrails"] * fires
    assert all("when it took over" in s.sentence for s in found)


def test_a_version_slower_than_it_may_be_is_harm_and_without_a_word_on_it_is_not():
    slow = taken_over(times=np.full(500, 40_000))
    within = {"promote_when": [beats_champion("wape"), answers_within(ms=25)], "roll_back_when": ()}
    assert [s.kind for s in signals(slow, TOOK_OVER, **within).fired()] == ["latency"]
    assert not signals(slow, TOOK_OVER, roll_back_when=()).fired()


# -- events that are not fit ---------------------------------------------------------------------------------------------------------


def finding(clause, outcome="failed", met=None, **words):
    return Finding(source="orders", clause=clause, outcome=outcome, rows=9, broken=1, met=met, share=1.0, sentence="So it is.", **words)


def watched_orders(*must):
    source = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int}, must=must)
    return {"predicts": source.total("quantity", next=days(7)), "knows": source.count(last=days(7)), "roll_back_when": ()}


@pytest.mark.parametrize(
    ("said", "kind", "about"),
    [
        (finding("always('quantity')"), "data", "orders.quantity"),
        (finding("fresh(hours(6))"), "data", "orders"),
        (finding("columns"), "data", "orders"),
        (finding("usual_volume()", met=2.1), "volume", "orders"),
        (finding("usual_volume()", met=0.02), "data", "orders"),
        (finding("usual_volume()", "passed", met=2.1, season=2.0), "season", "orders"),
    ],
)
def test_what_a_check_would_find_is_told_before_anybody_wishes_to_learn(said, kind, about):
    found = signals(seen(findings=(said,)), **watched_orders(always("quantity"), fresh(hours(6))))
    assert [(s.kind, s.about, s.sentence) for s in found.fired()] == [(kind, about, "So it is")]


def test_a_volume_that_must_be_usual_blocks():
    found = signals(seen(findings=(finding("usual_volume()", met=2.1),)), **watched_orders(usual_volume()))
    assert [s.kind for s in found.fired()] == ["data"]


@pytest.mark.parametrize("outcome", ["passed", "not enough evidence"])
def test_what_holds_or_cannot_be_judged_is_no_news(outcome):
    assert not signals(seen(findings=(finding("fresh(hours(6))", outcome),)), **watched_orders(fresh(hours(6)))).fired()


def number_windows(*above, rows=2000):
    """Windows of a feature of which these shares lie above anything in its reference."""
    rng = np.random.default_rng(2)
    reference = {"stock": rng.uniform(0, 1, 5000)}
    spec = describe(reference)
    made = [profile(spec, {"stock": np.r_[rng.uniform(0, 1, int(rows * (1 - a))), np.full(int(rows * a), 9.0)]}) for a in above]
    return {"reference": profile(spec, reference), "windows": tuple(made)}


def kind_windows(**shares):
    names = list(shares)
    rng = np.random.default_rng(2)
    spec = describe({"kind": rng.choice(["a", "b", "c"], 6000)})
    return {
        "reference": profile(spec, {"kind": rng.choice(["a", "b", "c"], 6000)}),
        "windows": (profile(spec, {"kind": rng.choice(names, 3000, p=list(shares.values()))}),),
    }


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (number_windows(0, 0, 0, 0.9), "data"),
        (number_windows(0, 0, 0.9, 0.9, 0.9), "data"),
        (number_windows(0.05, 0.1, 0.15, 0.2, 0.25, 0.3), "drift"),
        (kind_windows(a=0.33, b=0.33, z=0.34), "data"),
        (kind_windows(a=0.3, b=0.3, c=0.3, z=0.1), "drift"),
    ],
    ids=["cents", "cents since three windows", "a shop that grows", "renamed", "a kind that is new"],
)
def test_what_breaks_is_told_from_what_grows(what, kind):
    (one,) = signals(seen(**what), roll_back_when=()).fired()
    assert (one.clause, one.kind) == ("data", kind)
