"""Deciding is pure: the same signals and the same memory give the same decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from everloop import Model, Source, at_most, beats_champion, days, drifted, every, hours, slipped, usual_volume, worse_than_champion
from everloop.loop.decide import decide, permit
from everloop.loop.govern import Memory
from everloop.records import Opinion, Signal, Signals, Traffic, Trial, Verdict

NOW = datetime(2026, 11, 2, tzinfo=UTC)
orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int})


def learn(rows):
    """Stands in for a learner; deciding never calls it."""


def model(**words):
    said = {
        "predicts": orders.total("quantity", next=days(7)),
        "per": "product_id",
        "asked": every(days(1)),
        "knows": orders.total("quantity", last=days(7)),
        "learner": learn,
        "promote_when": beats_champion("wape"),
        "roll_back_when": worse_than_champion("wape", by=0.1),
        "retrain_when": [drifted(), slipped("wape", by=0.1)],
        "autonomy": "act",
    }
    return Model("demand", **(said | words))


def steady(**words):
    said = {"stage": "steady", "champion": "v1", "previous": "v0", "since": NOW}
    return Traffic(id="t", made_at=NOW, model="demand", generation=3, **(said | words))


def signals(*found):
    return Signals(id="s", made_at=NOW, model="demand", until=NOW, signals=found)


def signal(clause, kind, fired=True, **words):
    outcome = "passed" if fired else "not enough evidence"
    return Signal(clause=clause, kind=kind, fired=fired, outcome=outcome, sentence=f"{kind} it is", **words)


SLIPPED = signal("slipped('wape', by=0.1)", "slip")
WORSE = signal("worse_than_champion('wape', by=0.1)", "worse")
LEARNT = {"ever_learnt": True, "last_trained_at": NOW - timedelta(days=30), "truths": 100}


def decided(*found, traffic=None, memory=None, **words):
    said = memory or Memory(**LEARNT)
    return decide(model(**words), traffic or steady(), signals(*found), said, now=NOW, id="d")


def test_what_the_guardrails_prove_is_taken_back_though_nobody_asked_for_it():
    canary = steady(stage="canary", candidate="v2", previous=None, share=0.2)
    back = decided(signal("guardrails", "errors"), traffic=canary, roll_back_when=())
    assert (back.action, back.cause, back.because) == ("undo", "errors", ("errors it is",))


def test_a_roll_out_that_is_held_says_what_holds_it():
    canary = steady(stage="canary", candidate="v2", previous=None, share=0.2)
    words = {"candidate": "v2", "champion": "v1", "salt": "s", "began_at": NOW, "until": NOW}
    held = replace(signals(), trial=Trial(says="not enough evidence", because="300 units are waited for", **words))
    found = decide(model(), canary, held, Memory(**LEARNT), now=NOW, id="d")
    assert (found.action, found.because) == ("hold", ("a roll-out is in progress (canary)", "300 units are waited for"))


@pytest.mark.parametrize("plan", ["advance", "promote", "divide", "finish"])
def test_rows_that_break_what_they_must_be_hold_a_roll_out_and_an_unusual_day_does_not(plan):
    must = [at_most("quantity", 9), usual_volume()]
    strict = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int}, must=must)
    reads = {"predicts": strict.total("quantity", next=days(7)), "knows": strict.total("quantity", last=days(7))}
    words = {"traffic": steady(stage="canary", candidate="v2", previous=None, share=0.2), "memory": Memory(**LEARNT, plan=plan), **reads}
    broken = signal(repr(must[0]), "data")
    held = decided(broken, **words)
    assert (held.action, held.cause, held.because[-1]) == ("hold", "data", "it does not go on, for data it is")
    for guess in (repr(must[1]), "data", "volume"):
        assert decided(signal(guess, "data"), **words).advances
    back = decided(broken, WORSE, **words)
    assert (back.action, back.cause) == ("undo", "worse")


def test_nothing_fired_means_nothing_is_done():
    assert decided(signal("slipped('wape', by=0.1)", "slip", fired=False)).action == "hold"


def test_a_slip_that_is_proven_is_a_reason_to_retrain():
    decision = decided(SLIPPED)
    assert (decision.action, decision.cause, decision.because) == ("retrain", "slip", ("slip it is",))


def test_a_change_point_says_from_where_to_learn():
    since = NOW - timedelta(days=21)
    assert decided(signal("slipped('wape', by=0.1)", "slip", since=since)).learn_from == since


def test_a_signal_nobody_listed_decides_nothing():
    assert decided(signal("slipped('mae', by=0.1)", "slip")).action == "hold"


def test_a_run_never_triggers_itself_before_a_truth_could_have_matured():
    memory = Memory(**(LEARNT | {"last_trained_at": NOW - timedelta(days=3)}))
    decision = decided(SLIPPED, memory=memory)
    assert decision.action == "hold"
    assert "truth takes longer" in decision.because[-1]


def test_the_first_candidate_is_learnt_as_soon_as_there_is_truth():
    assert decided(memory=Memory(truths=0)).action == "hold"
    assert decided(memory=Memory(truths=5)).cause == "first"


def test_a_spent_budget_forbids_a_wish():
    decision = decided(SLIPPED, memory=Memory(**LEARNT, spent=timedelta(hours=3)), budget=hours(2))
    assert decision.action == "hold"
    assert "budget" in decision.because[-1]


@pytest.mark.parametrize(("level", "action", "asks"), [("act", "retrain", None), ("suggest", "ask", "retrain"), ("observe", "hold", None)])
def test_autonomy_decides_who_says_yes(level, action, asks):
    decision = decided(SLIPPED, autonomy=level)
    assert (decision.action, decision.asks) == (action, asks)


def test_while_a_person_is_asked_nothing_is_asked_again():
    assert decided(SLIPPED, memory=Memory(**LEARNT, waiting=("retrain",)), autonomy="suggest").action == "hold"
    rolling = steady(stage="canary", candidate="v2", previous=None, share=0.2)
    held = decided(WORSE, traffic=rolling, memory=Memory(**LEARNT, waiting=("undo", "retrain")), autonomy="suggest")
    assert (held.action, held.because) == ("hold", ("worse it is", "the question about it is still open"))


@pytest.mark.parametrize("waiting", ["retrain", "promote"])
def test_another_question_that_is_open_keeps_nobody_from_being_asked_about_harm(waiting):
    rolling = steady(stage="canary", candidate="v2", previous=None, share=0.2)
    asked = decided(WORSE, traffic=rolling, memory=Memory(**LEARNT, waiting=(waiting,)), autonomy="suggest")
    assert (asked.action, asked.asks, asked.cause) == ("ask", "undo", "worse")


def test_what_somebody_asks_for_is_done_at_once():
    assert decided(memory=Memory(**(LEARNT | {"cause": "demand", "last_trained_at": NOW}))).action == "retrain"


@pytest.mark.parametrize("stage", ["shadow", "canary"])
def test_proven_harm_takes_a_roll_out_back_whatever_else_is_due(stage):
    rolling = steady(stage=stage, candidate="v2")
    assert decided(WORSE, SLIPPED, traffic=rolling, memory=Memory(**LEARNT, plan="advance")).undoes


def test_harm_in_bake_brings_the_previous_version_back():
    assert decided(WORSE, traffic=steady(stage="bake")).undoes


def test_harm_without_a_way_back_is_no_undo():
    assert not decided(WORSE, traffic=steady(previous=None)).undoes


@pytest.mark.parametrize(("plan", "action"), [("advance", "advance"), ("promote", "promote"), ("finish", "advance"), (None, "hold")])
def test_a_roll_out_goes_on_when_its_plan_says_so(plan, action):
    rolling = steady(stage="canary", candidate="v2", share=0.1)
    assert decided(SLIPPED, traffic=rolling, memory=Memory(**LEARNT, plan=plan)).action == action


def verdict(outcome, **words):
    opinion = Opinion(clause="beats_champion('wape')", outcome=outcome, sentence="so it is")
    return Verdict(id="v", made_at=NOW, model="demand", candidate="c", champion="b", opinions=(opinion,), outcome=outcome, **words)


@pytest.mark.parametrize("outcome", ["failed", "not enough evidence"])
def test_only_a_pass_may_take_over(outcome):
    assert permit(model(), verdict(outcome), now=NOW, id="p").action == "hold"


@pytest.mark.parametrize(("level", "action"), [("act", "promote"), ("suggest", "ask"), ("observe", "hold")])
def test_a_pass_takes_over_only_with_leave(level, action):
    assert permit(model(autonomy=level), verdict("passed"), now=NOW, id="p").action == action


def test_an_override_is_the_leave_itself():
    forced = verdict("passed", by="Kim", reason="we must")
    assert permit(model(autonomy="suggest"), forced, now=NOW, id="p").advances
