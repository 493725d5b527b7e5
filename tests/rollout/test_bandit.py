"""A test whose shares move with what units did: when they move, how far, and that what it proves holds all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from bench.rollouts_bandit import evidence, one_test, twins

from everloop import Source, ab, bandit, beats_champion, days, hours, shadow
from everloop.records import Epoch, Guard, Signals, Trial
from everloop.rollout import begin, due, step
from everloop.rollout.divide import divided
from everloop.testing.registry import MONDAY, traffic

orders = Source("orders", id="order_id", time="at", columns={"visitor_id": str})
WINS = beats_champion(orders.any(next=days(1)))
PLAN = [shadow(hours(6)), bandit(0.1, wins_when=WINS, within=days(14))]


def signals(candidate=(0, 0), champion=(0, 0), *, says="not enough evidence", mismatch=1.0):
    """What a turn found of so many of so many units of each version who bought."""
    met = Epoch(
        generation=3, chance=0.5, candidate=candidate[1], champion=champion[1],
        candidate_events=candidate[0], champion_events=champion[0],
    )  # fmt: skip
    hoped = Guard(name=repr(WINS), what="who buys", role="gain", epochs=(met,) if candidate[1] or champion[1] else ())
    trial = Trial(candidate="v1", champion="v0", salt="s", began_at=MONDAY, until=MONDAY, guards=(hoped,), says=says, mismatch=mismatch)
    return Signals(id="s", made_at=MONDAY, model="demand", until=MONDAY, signals=(), trial=trial)


def on_trial():
    begun = begin(traffic(1), "v1", PLAN, now=MONDAY, id="t2")
    return step(begun, PLAN, now=MONDAY + timedelta(hours=6), id="t3")


LATER = MONDAY + timedelta(days=3)


def test_it_begins_with_halves_and_moves_nobody_before_anything_is_known():
    here = on_trial()
    assert (here.stage, here.share) == ("canary", 0.5)
    assert due(here, PLAN, LATER, bake=days(1), signals=signals()) is None
    assert due(here, PLAN, LATER, bake=days(1)) is None


@pytest.mark.parametrize(("candidate", "share"), [((90, 400), 0.9), ((20, 400), 0.1)])
def test_units_move_to_whichever_does_better_and_the_floor_is_left_to_the_other(candidate, share):
    here, found = on_trial(), signals(candidate, (50, 400))
    assert due(here, PLAN, LATER, bake=days(1), signals=found) == "divide"
    moved = step(here, PLAN, found, now=LATER, id="t4")
    assert moved.share == pytest.approx(share, abs=0.005)
    assert (moved.since, moved.step, moved.salt, moved.candidate) == (here.since, here.step, here.salt, here.candidate)
    assert moved.propensities["candidate"] == moved.share
    assert due(moved, PLAN, LATER, bake=days(1), signals=found) is None, "the same counts give the same share"


def test_it_ends_as_any_test_does():
    here, found = on_trial(), signals((90, 400), (50, 400))
    assert due(here, PLAN, LATER, bake=days(1), signals=replace(found, trial=replace(found.trial, says="promote"))) == "promote"
    over = MONDAY + timedelta(days=15)
    assert due(here, PLAN, over, bake=days(1), signals=found) == "finish"
    ended = step(here, PLAN, found, now=over, id="t4")
    assert (ended.stage, ended.champion, ended.candidate) == ("steady", "v0", None)


def test_arms_of_which_units_are_lost_move_nobody():
    found = signals((90, 400), (50, 400), mismatch=5000.0)
    assert due(on_trial(), PLAN, LATER, bake=days(1), signals=found) is None


def test_a_plain_test_never_moves_its_share():
    plan = [ab(0.5, wins_when=WINS, within=days(14))]
    here = begin(traffic(1), "v1", plan, now=MONDAY, id="t2")
    assert due(here, plan, LATER, bake=days(1), signals=signals((90, 400), (50, 400))) is None


def test_fewer_may_be_better():
    found = signals((20, 400), (50, 400)).trial
    fewer = replace(found, guards=(replace(found.guards[0], more=False),))
    assert divided(fewer, 0.05) == pytest.approx(0.95, abs=0.005)


# -- what it proves: the whole simulation is ``bench/rollouts_bandit.py`` --------------------------------------------------------------

RUNS = 60


def test_twins_are_seldom_told_apart_however_shares_and_units_move_and_rivals_often_do():
    told = twins(np.random.default_rng(5), RUNS)
    assert told["then"] <= 0.05 * RUNS
    assert told["now"] > 0.05 * RUNS, "the mutant: units met under one share, judged by another"
    assert told["pooled z"] > 0.15 * RUNS, "the rival"


def test_a_better_version_gets_most_of_the_units_and_is_proven():
    rng, proven, ends = np.random.default_rng(6), 0, []
    for _ in range(15):
        *_, (table, share) = one_test(rng, lift=2.2)
        proven += evidence(table, table[:, 0]) >= 20
        ends.append(share)
    assert proven >= 9
    assert np.mean(ends) > 0.85
