"""A roll-out from its beginning to its end, and back from everywhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.errors import EverloopError, Overtaken
from everloop.project.conditions import beats_champion
from everloop.project.spans import days, hours
from everloop.project.steps import ab, canary, shadow
from everloop.records import Signal, Signals, Trial
from everloop.rollout import begin, due, first, step, steps, undo
from everloop.testing.registry import MONDAY

PLAN = [shadow(hours(6)), canary(0.05, 0.5, every=hours(2))]
TEST = [ab(0.5, wins_when=beats_champion(by=0.01), within=days(7))]
BAKE = days(3)
BEGUN = first("demand", "v0", now=MONDAY, id="t1")
TRIAL = Trial(candidate="v1", champion="v0", salt="s", began_at=MONDAY, until=MONDAY, says="promote")
BETTER = Signals(id="s", made_at=MONDAY, model="demand", until=MONDAY, signals=(), trial=TRIAL)
UNSURE = replace(BETTER, trial=replace(TRIAL, says="not enough evidence"))
WORSE = replace(BETTER, trial=replace(TRIAL, says="roll back"))


def rolling(*, to, plan=PLAN, start=BEGUN):
    """The traffic after so many steps, each taken an hour after the last."""
    traffic = begin(start, "v1", plan, now=MONDAY, id="t2")
    for number in range(to):
        traffic = step(traffic, plan, now=MONDAY + hours(number + 1), id=f"t{number + 3}")
    return traffic


def test_a_model_begins_with_its_baseline_for_everybody():
    assert (BEGUN.stage, BEGUN.champion, BEGUN.generation, BEGUN.previous, BEGUN.rolling) == ("steady", "v0", 1, None, False)


def test_a_plan_is_a_row_of_steps():
    assert [(s.stage, s.share, s.lasts) for s in steps(PLAN)] == [
        ("shadow", 0.0, hours(6)),
        ("canary", 0.05, hours(2)),
        ("canary", 0.5, hours(2)),
    ]
    assert steps(TEST)[0].test
    assert steps([]) == ()


@pytest.mark.parametrize(
    "plan", [[canary(0.5, every=hours(1)), shadow(hours(1))], [canary(0.5, every=hours(1)), canary(0.1, every=hours(1))]]
)
def test_a_plan_that_falls_is_refused(plan):
    with pytest.raises(EverloopError, match="rise"):
        steps(plan)


def test_what_is_no_step_is_refused():
    with pytest.raises(EverloopError, match="no step of a roll-out"):
        steps([beats_champion()])


def test_a_roll_out_goes_through_its_plan():
    told = [rolling(to=n) for n in range(5)]
    assert [(t.stage, t.share, t.step, t.champion, t.candidate, t.previous) for t in told] == [
        ("shadow", 0.0, 0, "v0", "v1", None),
        ("canary", 0.05, 1, "v0", "v1", None),
        ("canary", 0.5, 2, "v0", "v1", None),
        ("bake", 0.0, 0, "v1", None, "v0"),
        ("steady", 0.0, 0, "v1", None, "v0"),
    ]
    assert [t.generation for t in told] == [2, 3, 4, 5, 6]
    assert [t.made_from[0] for t in told] == ["t1", "t2", "t3", "t4", "t5"]
    assert [t.since for t in told] == [MONDAY + hours(n) for n in range(5)]


def test_the_split_of_one_roll_out_stays_and_is_no_others():
    salts = [rolling(to=n).salt for n in range(3)]
    again = begin(undo(rolling(to=2), now=MONDAY, id="u"), "v1", PLAN, now=MONDAY, id="t9")
    assert len(set(salts)) == 1
    assert salts[0]
    assert again.salt not in salts
    assert rolling(to=4).salt == ""


def test_a_plan_without_steps_goes_straight_into_bake():
    baking = rolling(to=0, plan=[])
    assert (baking.stage, baking.champion, baking.previous, baking.generation) == ("bake", "v1", "v0", 2)


@pytest.mark.parametrize(
    ("to", "after", "expected"),
    [
        (0, hours(6) - timedelta(microseconds=1), None),
        (0, hours(6), "advance"),
        (0, days(365), "advance"),
        (1, hours(1.9), None),
        (1, hours(2), "advance"),
        (2, hours(1.9), None),
        (2, hours(2), "promote"),
        (3, BAKE - hours(1), None),
        (3, BAKE, "finish"),
        (4, days(999), None),
    ],
)
def test_a_step_is_due_when_its_time_is_over(to, after, expected):
    traffic = rolling(to=to)
    assert due(traffic, PLAN, traffic.since + after, bake=BAKE) == expected


def test_a_clock_set_back_makes_nothing_due():
    assert due(rolling(to=1), PLAN, MONDAY - days(9), bake=BAKE) is None


def test_a_plan_that_was_shortened_meanwhile_is_over():
    traffic = rolling(to=2)
    assert due(traffic, PLAN[:1], traffic.since, bake=BAKE) == "promote"
    assert step(traffic, PLAN[:1], now=MONDAY, id="x").stage == "bake"
    assert due(rolling(to=0), [], MONDAY, bake=BAKE) == "promote"


@pytest.mark.parametrize(
    ("signals", "after", "expected"),
    [(None, days(6), None), (WORSE, days(6), None), (BETTER, hours(1), "promote"), (None, days(7), "finish"), (WORSE, days(8), "finish")],
)
def test_a_test_ends_with_a_winner_or_in_time(signals, after, expected):
    assert due(rolling(to=0, plan=TEST), TEST, MONDAY + after, bake=BAKE, signals=signals) == expected


def test_no_step_is_taken_while_the_trial_is_unsure_but_a_test_ends_in_time():
    canarying = rolling(to=1)
    assert due(canarying, PLAN, MONDAY + days(9), bake=BAKE, signals=UNSURE) is None
    assert due(canarying, PLAN, MONDAY + days(9), bake=BAKE, signals=replace(UNSURE, trial=replace(TRIAL, says="go on"))) == "advance"
    assert due(rolling(to=0, plan=TEST), TEST, MONDAY + days(7), bake=BAKE, signals=UNSURE) == "finish"


def test_a_better_signal_alone_wins_no_test():
    better = Signal(clause="beats_champion()", kind="better", fired=True, outcome="passed", sentence="it is better")
    assert due(rolling(to=0, plan=TEST), TEST, MONDAY, bake=BAKE, signals=replace(UNSURE, signals=(better,))) is None


def test_a_test_that_was_won_promotes_and_one_that_was_not_changes_nothing():
    testing = rolling(to=0, plan=TEST)
    won = step(testing, TEST, BETTER, now=MONDAY, id="x")
    assert (won.stage, won.champion, won.previous, won.made_from) == ("bake", "v1", "v0", ("t2", "s"))
    for signals in (None, WORSE):
        lost = step(testing, TEST, signals, now=MONDAY, id="x")
        assert (lost.stage, lost.champion, lost.candidate, lost.share) == ("steady", "v0", None, 0.0)
        assert "not settled" in lost.because


def test_a_test_before_a_canary_goes_on_to_it_when_won():
    plan = [ab(0.1, wins_when=beats_champion(), within=days(7)), canary(0.5, every=hours(1))]
    testing = rolling(to=0, plan=plan)
    assert due(testing, plan, MONDAY, bake=BAKE, signals=BETTER) == "advance"
    assert step(testing, plan, BETTER, now=MONDAY, id="x").share == 0.5


@pytest.mark.parametrize("to", [0, 1, 2])
def test_undo_before_the_end_drops_the_candidate(to):
    back = undo(rolling(to=to), now=MONDAY, id="u", because="worse")
    assert (back.stage, back.champion, back.candidate, back.share, back.salt, back.step) == ("steady", "v0", None, 0.0, "", 0)
    assert back.generation == rolling(to=to).generation + 1
    assert back.because == "worse"


@pytest.mark.parametrize("to", [3, 4])
def test_undo_after_the_end_brings_back_the_version_before_without_being_told_which(to):
    back = undo(rolling(to=to), now=MONDAY, id="u")
    assert (back.stage, back.champion, back.previous) == ("steady", "v0", None)


def test_undoing_twice_goes_back_twice_and_never_forwards():
    champion = replace(BEGUN, champion="v0", previous=None)
    second = rolling(to=4, start=champion)
    third = step(begin(second, "v2", [], now=MONDAY, id="a"), [], now=MONDAY, id="b")
    once = undo(third, now=MONDAY, id="c", before="v0")
    assert (once.champion, once.previous) == ("v1", "v0")
    twice = undo(once, now=MONDAY, id="d", before=None)
    assert (twice.champion, twice.previous) == ("v0", None)
    with pytest.raises(EverloopError, match="nothing to take back"):
        undo(twice, now=MONDAY, id="e")


def test_undoing_a_canary_keeps_the_way_back_behind_it():
    second = rolling(to=4)
    back = undo(begin(second, "v2", PLAN, now=MONDAY, id="a"), now=MONDAY, id="b")
    assert (back.champion, back.previous) == ("v1", "v0")


def test_nothing_begins_while_something_rolls():
    for to in range(4):
        with pytest.raises(Overtaken, match="everloop undo demand"):
            begin(rolling(to=to), "v2", PLAN, now=MONDAY, id="x")


def test_the_champion_cannot_roll_out_against_itself():
    with pytest.raises(EverloopError, match="nothing to roll out"):
        begin(BEGUN, "v0", PLAN, now=MONDAY, id="x")


def test_nothing_steps_while_nothing_rolls():
    with pytest.raises(EverloopError, match="nothing is being rolled out"):
        step(BEGUN, PLAN, now=MONDAY, id="x")


def test_a_canary_without_a_candidate_is_no_traffic():
    with pytest.raises(EverloopError, match="without a candidate"):
        step(replace(BEGUN, stage="canary", step=2, share=0.5), PLAN, now=MONDAY, id="x")
