"""Outcomes as figures of a roll-out: what was told of each unit, once, in its window, whatever else is told."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from everloop import beats_champion, canary, days, hours, outcome, slipped, worse_than_champion
from everloop.errors import ProjectError
from everloop.lake.receive import receive
from everloop.loop.tell.outcomes import tell_outcomes
from everloop.project.steps import ab
from everloop.records import Signals
from everloop.rollout import arm_of, compared
from everloop.rollout.again import differences
from tests.loop.houses import NOW
from tests.loop.test_trial import UNITS, Rollout, seen, usual, visits

BOUGHT = outcome("order", next=days(1))
SPENT = outcome("order", next=days(2), total=True, late=hours(6))
HALF = canary(0.5, every=days(9))
MET = NOW + timedelta(hours=1)


def feared(on, folder):
    """A roll-out of half the units, all met at one instant, that fears a figure."""
    return Rollout(folder, usual.but("offers", roll_out=HALF, roll_back_when=worse_than_champion(on)))


def order(unit, hours=2.0, **more):
    return {"model": "offers", "unit": unit, "name": "order", "at": (MET + timedelta(hours=hours)).isoformat(), **more}


def tell(rollout, rows, hours):
    return tell_outcomes(rollout.house, rows, MET + timedelta(hours=hours))


def events(trial, at=-1):
    return [(epoch.candidate_events, epoch.champion_events) for epoch in trial.guards[at].epochs]


def buyers(rollout, arm):
    return [unit for unit in UNITS if arm_of(unit, rollout.traffic) == arm and compared(unit, rollout.traffic)]


@pytest.fixture
def bought(tmp_path):
    rollout = feared(BOUGHT, tmp_path)
    rollout.begin()
    rollout.answer(UNITS, MET)
    return rollout


def test_a_unit_counts_once_however_often_something_is_told_of_it(bought):
    [one, other] = buyers(bought, "candidate")[:2]
    tell(bought, [order(one, hours=n, event_id=str(n)) for n in range(1, 6)] + [order(other, value=0), order("nobody")], 8)
    assert events(bought.trial(MET + timedelta(hours=9))) == [(1.0, 0.0)], "five orders of one, a zero, and somebody who was never split"


def test_what_happened_before_the_answer_or_after_the_window_is_none_of_it(bought):
    early, just, late = buyers(bought, "champion")[:3]
    tell(bought, [order(early, hours=-0.5)], 1)
    tell(bought, [order(just, hours=23.9)], 23.95)
    tell(bought, [order(late, hours=24.5)], 30)
    assert events(bought.trial(MET + timedelta(hours=40))) == [(0.0, 1.0)]


def test_what_is_told_too_late_is_counted_as_such_and_changes_no_verdict(bought):
    mine = buyers(bought, "candidate")
    before = bought.trial(MET + timedelta(hours=25))
    tell(bought, [order(unit) for unit in mine], 26)
    after = bought.trial(MET + timedelta(hours=27))
    assert (events(after), after.guards[-1].evidence, after.says) == (events(before), before.guards[-1].evidence, before.says)
    assert (before.guards[-1].late, after.guards[-1].late) == (0, len(mine))
    assert f"; {len(mine)} came too late to count" in bought_sentence(after)


def bought_sentence(trial):
    from everloop.rollout.sentences import sentence

    return sentence(trial.guards[-1])


def test_the_first_value_of_an_event_stays_and_what_is_no_number_is_refused(tmp_path):
    rollout = feared(SPENT, tmp_path)
    tell_outcomes(rollout.house, [{"model": "offers", "unit": unit, "name": "order", "value": 40, "event_id": f"past {unit}"}
                                  for unit in UNITS[:20]], NOW - timedelta(hours=1))  # fmt: skip
    rollout.begin()
    rollout.answer(UNITS, MET)
    one = buyers(rollout, "candidate")[0]
    rows = [order(one, value=10, event_id="e"), order(one, value=9_999, event_id="e")]
    rows += [order(one, value=bad, event_id=f"bad {n}") for n, bad in enumerate((math.nan, math.inf, "much", None, [1]))]
    made = tell(rollout, [*rows, order(one, prediction="no such answer"), {"name": "order"}, order(one) | {"name": ""}], 3)
    assert (made.kept, made.duplicates) == (2, 1), "of those that are no number only None is one: unsaid, an outcome is 1"
    trial = rollout.trial(MET + timedelta(days=2, hours=7))
    assert trial.guards[-1].bound == 40
    assert events(trial) == [(pytest.approx(11 / 40), 0.0)]
    assert differences(trial) == []


def test_an_amount_counts_up_to_the_cap_that_was_fixed_before_the_start(tmp_path):
    rollout = feared(SPENT, tmp_path)
    past = [{"model": "offers", "unit": unit, "name": "order", "value": 40, "event_id": f"past {unit}"} for unit in UNITS]
    tell_outcomes(rollout.house, past, NOW - timedelta(hours=1))
    rollout.begin()
    rollout.answer(UNITS, MET)
    rich, back = buyers(rollout, "champion")[:2]
    tell(rollout, [order(rich, value=1e9), order(back, value=-1e9), order(back, hours=3, value=5)], 4)
    assert rollout.trial(MET + timedelta(hours=5)).guards[-1].waiting == len(UNITS), "amounts wait for their window"
    trial = rollout.trial(MET + timedelta(days=2, hours=7))
    assert (trial.guards[-1].bound, events(trial)) == (40, [(0.0, 1.0)])


def test_a_clock_that_was_set_back_loses_nothing_and_lets_nothing_happen_in_the_future(bought):
    one, other = buyers(bought, "candidate")[:2]
    tell(bought, [order(one, hours=3)], 2)  # it says it happens later than now: it happened now
    tell(bought, [order(other, hours=1)], 1)  # the clock went back an hour
    assert events(bought.trial(MET + timedelta(hours=2.5))) == [(2.0, 0.0)]


def test_a_visit_that_is_told_of_counts_for_its_visitor(tmp_path):
    rollout = Rollout(tmp_path, seen.but("seen", roll_back_when=worse_than_champion(BOUGHT)))
    shown = [{"visit_id": f"{u}/{n}", "seen_at": NOW.isoformat(), "visitor_id": u, "position": n} for u in UNITS for n in range(3)]
    receive(rollout.house.lake, visits, shown, now=NOW + timedelta(minutes=5))
    rollout.begin()
    rollout.answer([row["visit_id"] for row in shown], MET, by=lambda visit: visit.split("/")[0])
    told = [{"model": "seen", "unit": f"{u}/2", "name": "order", "event_id": u} for u in UNITS if arm_of(u, rollout.traffic) == "champion"]
    tell_outcomes(rollout.house, told, MET + timedelta(hours=2))
    trial = rollout.trial(MET + timedelta(hours=3))
    assert (events(trial), trial.says) == ([(0.0, len(told))], "roll back")


def test_not_enough_evidence_at_the_deadline_is_no_promotion(tmp_path):
    from everloop.rollout import due, step

    plan = ab(0.5, wins_when=beats_champion(BOUGHT), within=days(3))
    rollout = Rollout(tmp_path, usual.but("offers", roll_back_when=(), roll_out=plan))
    rollout.begin()
    rollout.answer(UNITS, MET)
    tell(rollout, [order(unit) for unit in UNITS[::5]], 4)
    now = NOW + days(3)
    trial = rollout.trial(now)
    signals = Signals(id="s", made_at=now, model="offers", until=now, signals=(), trial=trial)
    assert (trial.says, trial.ends_at) == ("not enough evidence", now)
    assert due(rollout.traffic, rollout.model.roll_out, now, bake=days(1), signals=signals) == "finish"
    ended = step(rollout.traffic, rollout.model.roll_out, signals, now=now, id="over")
    assert (ended.stage, ended.champion) == ("steady", rollout.champion)
    forged = replace(trial, guards=(*trial.guards[:-1], replace(trial.guards[-1], evidence=math.nan)))
    assert differences(forged), "what is no number proves nothing"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (lambda: outcome("", next=days(1)), "names no outcome"),
        (lambda: outcome(7, next=days(1)), "names no outcome"),
        (lambda: outcome("order", next=days(1), total="yes"), "neither yes nor no"),
        (lambda: outcome("order", next=7), "next"),
        (lambda: ab(0.5, wins_when=beats_champion(), within=days(1), alone=1), "neither yes nor no"),
    ],
)
def test_an_outcome_said_wrongly_is_refused_at_once(said, why):
    with pytest.raises(Exception, match=why):
        said()


SHORT = ab(0.5, wins_when=beats_champion(outcome("order", next=days(7))), within=days(2))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"promote_when": beats_champion(BOUGHT)}, "Move beats_champion"),
        ({"roll_out": SHORT}, "takes 7 days to be known"),
        ({"retrain_when": slipped(BOUGHT)}, "an outcome is none"),
        ({"roll_back_when": BOUGHT}, "on= of a comparison"),
    ],
)
def test_an_outcome_stands_where_a_split_decides_and_nowhere_else(words, why):
    with pytest.raises(ProjectError, match=why):
        usual.but("offers", **words)
