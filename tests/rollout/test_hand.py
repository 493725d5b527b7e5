"""What people do to a roll-out by hand: a hold that nothing passes, its release, and a share of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop import Source
from everloop.errors import EverloopError, Overtaken
from everloop.project.conditions import as_good_as_champion, beats_champion
from everloop.project.spans import days, hours
from everloop.project.steps import ab, bandit, canary, shadow
from everloop.registry.written import read_back, written
from everloop.rollout import arm_of, begin, compared, due, first, hold, release, set_share, step, undo
from everloop.testing.registry import MONDAY

HOUR = timedelta(hours=1)
PLAN = [shadow(hours(6)), canary(0.05, 0.5, every=hours(2))]
BEGUN = first("demand", "v0", now=MONDAY, id="t1")
UNITS = [f"u{n}" for n in range(60)]
WORD = {"by": "Kim", "reason": "it doubles on Mondays"}
MOVES = ("begin", "step", "undo", "hold", "release", "share", "plan")


def words(number):
    return {"now": MONDAY + number * HOUR, "id": f"t{number}"}


def after(traffic, move, number, plan=PLAN):
    """The traffic after a move; itself where the move is refused."""
    said = words(number)
    made = {
        "begin": lambda: begin(traffic, f"v{number}", plan, **said),
        "step": lambda: step(traffic, plan, **said),
        "undo": lambda: undo(traffic, **said),
        "hold": lambda: hold(traffic, **WORD, **said),
        "release": lambda: release(traffic, **WORD, **said),
        "share": lambda: set_share(traffic, 0.01 * (1 + number % 100), plan, **WORD, **said),
        "plan": lambda: set_share(traffic, None, plan, **WORD, **said),
    }
    try:
        return made[move]()
    except EverloopError:
        return traffic


def life(moves):
    lived = [BEGUN]
    for number, move in enumerate(moves, 2):
        lived.append(after(lived[-1], move, number))
    return lived


@given(moves=st.lists(st.sampled_from(MOVES), max_size=30))
def test_while_a_model_is_held_no_candidate_answers_anybody_and_only_an_undo_changes_who_does(moves):
    lived = life(moves)
    for before, now, move in zip(lived, lived[1:], moves, strict=False):
        if now.held:
            assert now.candidates == ()
            assert now.stage in ("steady", "bake")
            assert {arm_of(unit, now) for unit in UNITS} == {"champion"}
            assert due(now, PLAN, MONDAY + days(400), bake=hours(1)) is None
        if before.held and now is not before:
            assert move in ("undo", "release")
            assert now.champion == before.champion or move == "undo"


@given(moves=st.lists(st.sampled_from(MOVES), max_size=30))
def test_a_hold_lasts_until_it_is_released_and_is_never_refused_but_to_who_holds_already(moves):
    lived, held = life(moves), False
    for traffic, move in zip(lived[1:], moves, strict=True):
        held = True if move == "hold" else False if move == "release" else held
        assert bool(traffic.held) == held


@given(moves=st.lists(st.sampled_from(MOVES), max_size=30))
def test_what_is_set_by_hand_stays_until_it_is_given_back_or_the_roll_out_ends(moves):
    lived = life(moves)
    for before, now, move in zip(lived, lived[1:], moves, strict=False):
        assert not now.by_hand or now.stage == "canary"
        assert (now.share > 0) == (now.stage == "canary")
        if before.by_hand and now is not before:
            assert now.share == before.share or move in ("undo", "hold", "share", "plan")
            assert due(before, PLAN, MONDAY + days(400), bake=hours(1)) is None


@given(moves=st.lists(st.sampled_from(MOVES), max_size=30))
def test_generations_grow_one_by_one_and_every_traffic_is_written_and_read_back(moves):
    lived = list(dict.fromkeys(life(moves)))
    assert [t.generation for t in lived] == list(range(1, len(lived) + 1))
    assert [read_back("Traffic", written(t)) for t in lived] == lived


def test_a_traffic_that_no_hand_was_on_is_written_as_ever():
    assert "held" not in written(BEGUN)
    assert "by_hand" not in written(BEGUN)


def rolling(to, plan=PLAN):
    traffic = begin(BEGUN, "v1", plan, **words(2))
    for number in range(to):
        traffic = step(traffic, plan, **words(3 + number))
    return traffic


def test_a_bake_that_is_held_lasts_on_and_ends_when_it_is_released():
    baking = rolling(3)
    assert baking.stage == "bake"
    stopped = hold(baking, **WORD, **words(9))
    assert (stopped.stage, stopped.champion, stopped.previous, stopped.since) == ("bake", "v1", "v0", baking.since)
    assert due(stopped, PLAN, baking.since + days(30), bake=days(3)) is None
    free = release(stopped, **WORD, **words(20))
    assert due(free, PLAN, baking.since + days(3), bake=days(3)) == "finish"
    assert undo(stopped, **words(10)).champion == "v0"


def test_nothing_begins_and_no_step_is_taken_under_a_hold_and_who_holds_is_said():
    stopped = hold(rolling(1), **WORD, **words(5))
    for refused in (lambda: begin(stopped, "v2", PLAN, **words(6)), lambda: step(stopped, PLAN, **words(6))):
        with pytest.raises(Overtaken, match=r"held \(Kim: it doubles on Mondays\).*everloop release demand"):
            refused()
    with pytest.raises(EverloopError, match="held already"):
        hold(stopped, **WORD, **words(6))
    with pytest.raises(EverloopError, match="nothing to release"):
        release(rolling(1), **WORD, **words(6))


def test_a_share_covers_whom_it_says_and_the_plan_goes_on_where_it_was_once_it_is_given_back():
    canary_ = rolling(1)
    some = set_share(canary_, 0.3, PLAN, **WORD, **words(5))
    assert (some.share, some.since, some.step) == (0.3, canary_.since, canary_.step)
    theirs = {u for u in UNITS if arm_of(u, some) == "candidate"}
    assert theirs >= {u for u in UNITS if arm_of(u, canary_) == "candidate"}
    assert len(theirs) > 8
    assert due(some, PLAN, MONDAY + days(9), bake=days(1)) is None
    back = set_share(some, None, PLAN, **WORD, **words(7))
    assert (back.share, back.by_hand, back.since) == (0.05, None, MONDAY + 7 * HOUR)
    assert due(back, PLAN, MONDAY + 8 * HOUR, bake=days(1)) is None
    assert due(back, PLAN, MONDAY + 9 * HOUR, bake=days(1)) == "advance"


@pytest.mark.parametrize("share", [0, -0.1, 1.5, 140, float("nan")])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(EverloopError, match="no share of the units"):
        set_share(rolling(1), share, PLAN, **WORD, **words(5))


@pytest.mark.parametrize(("traffic", "where"), [(BEGUN, "rolls nothing out"), (rolling(0), "is in shadow"), (rolling(3), "is in bake")])
def test_only_in_a_canary_has_a_candidate_a_share(traffic, where):
    with pytest.raises(EverloopError, match=where):
        set_share(traffic, 0.2, PLAN, **WORD, **words(5))


def test_a_test_of_being_as_good_is_not_helped_by_answering_fewer():
    alike = [ab(0.5, wins_when=as_good_as_champion(margin=0.02), within=days(7))]
    with pytest.raises(EverloopError, match="look alike"):
        set_share(rolling(0, alike), 0.2, alike, **WORD, **words(5))
    assert set_share(rolling(0, alike), 0.7, alike, **WORD, **words(5)).share == 0.7
    better = [ab(0.5, wins_when=beats_champion(by=0.01), within=days(7))]
    assert set_share(rolling(0, better), 0.2, better, **WORD, **words(5)).share == 0.2


def test_a_bandit_moves_no_share_that_a_person_set():
    orders = Source("orders", id="order_id", time="at", columns={"visitor_id": str})
    moving = [bandit(0.05, wins_when=beats_champion(orders.any(next=days(1))), within=days(7))]
    by_hand = set_share(rolling(0, moving), 0.2, moving, **WORD, **words(5))
    assert due(by_hand, moving, MONDAY + days(30), bake=days(1)) is None


def test_of_several_candidates_a_hold_drops_all():
    several = replace(rolling(1), arms=("v1", None, "v3"))
    stopped = hold(several, **WORD, **words(6))
    assert (stopped.candidates, stopped.arms, stopped.stage) == ((), (), "steady")
    assert not any(compared(unit, stopped) for unit in UNITS)
