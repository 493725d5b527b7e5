"""Several candidates tested at once: whose a unit is, how they join, are dropped and win, and what is proven of each."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bench.rollouts_several import better, sizes, twins
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.errors import EverloopError, Overtaken
from everloop.project.conditions import beats_champion
from everloop.project.source import Source
from everloop.project.spans import days, hours
from everloop.project.steps import ab, bandit, canary, shadow
from everloop.records import Epoch, Guard, Signals, Trial
from everloop.registry.written import as_data, read_back
from everloop.rollout import arm_of, begin, chance, compared, drop, due, first, step, undo
from everloop.rollout.again import differences
from everloop.rollout.assign import drawn
from everloop.rollout.several import winner
from everloop.rollout.verdict import judged, replay, together
from everloop.stats.sizes import sizes_off
from everloop.testing.registry import MONDAY

BOUGHT = Source("orders", id="order_id", time="at", columns={"visitor_id": str}).any(next=days(1))
PLAN = [shadow(hours(6)), canary(0.1, every=hours(6)), ab(0.5, wins_when=beats_champion(by=0.01), within=days(7))]
STEADY = first("demand", "v0", now=MONDAY, id="t1")
UNITS = [f"u{n}" for n in range(3000)]


def joined(*versions, plan=PLAN, now=MONDAY):
    traffic = STEADY
    for version in versions:
        traffic = begin(traffic, version, plan, now=now, id=f"with {version}")
    return traffic


def split(traffic):
    return {unit: arm_of(unit, traffic) for unit in UNITS}


@pytest.fixture
def in_test():
    """Three candidates under test, each with a sixth of the units."""
    traffic = joined("v1", "v2", "v3")
    for hour in (6, 12):
        traffic = step(traffic, PLAN, now=MONDAY + hours(hour), id=f"at {hour}")
    return traffic


# -- joining ---------------------------------------------------------------------------------------------------------------------------


def test_a_candidate_joins_a_roll_out_that_is_in_shadow_and_all_stay_there_as_long_as_the_newest():
    traffic = joined("v1")
    assert (traffic.arms, traffic.candidates) == ((), ("v1",))
    both = begin(traffic, "v2", PLAN, now=MONDAY + hours(5), id="t3", because="it passed the gate")
    assert (both.arms, both.candidate, both.salt, both.generation) == (("v1", "v2"), "v1", traffic.salt, traffic.generation + 1)
    assert both.versions == ("v0", "v1", "v2")
    assert due(both, PLAN, MONDAY + hours(6), bake=days(1)) is None
    assert due(both, PLAN, MONDAY + hours(11), bake=days(1)) == "advance"


@pytest.mark.parametrize(
    "plan",
    [[shadow(hours(6)), canary(0.5, every=hours(1))], [shadow(hours(6)), bandit(0.1, wins_when=beats_champion(BOUGHT), within=days(7))]],
)
def test_nobody_joins_where_no_test_with_fixed_shares_would_say_who_has_won(plan):
    with pytest.raises(Overtaken, match="another roll-out is in shadow"):
        joined("v1", "v2", plan=plan)


def test_nobody_joins_once_units_are_split_nor_twice_nor_as_the_sixth(in_test):
    with pytest.raises(Overtaken, match="another roll-out is in canary"):
        begin(in_test, "v4", PLAN, now=MONDAY, id="late")
    with pytest.raises(Overtaken):
        joined("v1", "v2", "v2")
    with pytest.raises(EverloopError, match="5 candidates are tested at once already"):
        joined(*"abcdef")


# -- whose a unit is -------------------------------------------------------------------------------------------------------------------


def test_candidates_have_equal_parts_of_the_share_and_propensities_say_so(in_test):
    counts = Counter(split(in_test).values())
    assert in_test.propensities == pytest.approx({"champion": 0.5, "candidate": 1 / 6, "candidate-2": 1 / 6, "candidate-3": 1 / 6})
    for arm, likely in in_test.propensities.items():
        assert abs(counts[arm] - likely * len(UNITS)) < 4 * np.sqrt(likely * len(UNITS))
    assert chance(in_test) == pytest.approx((1 / 6) / (1 / 6 + 1 / 2))


@settings(max_examples=30, deadline=None)
@given(shares=st.lists(st.floats(0, 1), min_size=2, max_size=4), number=st.integers(2, 5))
def test_a_rising_share_never_moves_a_unit_from_one_candidate_to_another(shares, number):
    here = replace(joined("v1"), stage="canary", arms=tuple(f"v{n}" for n in range(1, number + 1)))
    for before, after in pairwise(sorted(shares)):
        for unit in UNITS[:40]:
            was, now = (arm_of(unit, replace(here, share=share)) for share in (before, after))
            assert now == was or was == "champion"


def test_who_is_dropped_leaves_its_units_to_the_champion_and_nobody_elses_move(in_test):
    left = drop(in_test, ("v1",), now=MONDAY + days(1), id="d", because="it does harm")
    assert (left.arms, left.candidate, left.since, left.share) == ((None, "v2", "v3"), "v2", in_test.since, in_test.share)
    before, after = split(in_test), split(left)
    assert {unit for unit in UNITS if before[unit] != after[unit]} == {unit for unit in UNITS if before[unit] == "candidate"}
    assert all(after[unit] == "champion" and not compared(unit, left) for unit in UNITS if before[unit] == "candidate")
    assert left.by_arm == {"champion": "v0", "candidate-2": "v2", "candidate-3": "v3"}
    assert sum(left.propensities.values()) == pytest.approx(1.0)
    with pytest.raises(EverloopError, match="no candidate would be left"):
        drop(left, ("v2", "v3"), now=MONDAY, id="d", because="both do")


def test_the_number_that_draws_a_candidate_knows_nothing_of_the_one_that_covers(in_test):
    half = len(UNITS) // 2
    ordered = sorted(UNITS, key=lambda unit: arm_of(unit, replace(in_test, share=0.25)))
    counts = [Counter(drawn(unit, in_test.salt, 3) for unit in part) for part in (ordered[:half], ordered[half:])]
    assert all(abs(count[place] - half / 3) < 100 for count in counts for place in range(3))


# -- winning ---------------------------------------------------------------------------------------------------------------------------


def trial(version, traffic, *, won=0, champion=400, met=2000, theirs=666, among=3):
    """A trial with one gain and so many events of the candidate, of half as many units."""
    counts = Epoch(
        generation=traffic.generation,
        chance=chance(traffic),
        candidate=theirs,
        champion=met,
        candidate_events=won,
        champion_events=champion,
    )
    gain = Guard(name="bought", what="who buys", role="gain", epochs=(counts,))
    return judged(
        Trial(
            candidate=version,
            champion="v0",
            salt=traffic.salt,
            began_at=MONDAY,
            until=MONDAY,
            guards=(gain,),
            epochs=(counts,),
            among=among,
        )
    )


def looked(*trials):
    return Signals(id="s", made_at=MONDAY, model="demand", until=MONDAY, signals=(), trial=trials[0], beside=trials[1:])


def test_the_one_that_is_proven_goes_on_alone_and_the_others_end(in_test):
    found = looked(trial("v1", in_test, won=140), trial("v2", in_test, won=260), trial("v3", in_test, won=150))
    assert [t.says for t in found.trials] == ["not enough evidence", "promote", "not enough evidence"]
    assert due(in_test, PLAN, MONDAY + days(1), bake=days(1), signals=found) == "promote"
    moved = step(in_test, PLAN, found, now=MONDAY + days(1), id="won")
    assert (moved.stage, moved.champion, moved.previous, moved.arms) == ("bake", "v2", "v0", ())
    more = [*PLAN, canary(0.8, every=hours(1))]
    alone = step(in_test, more, found, now=MONDAY + days(1), id="won")
    assert (alone.stage, alone.candidate, alone.share, alone.arms) == ("canary", "v2", 0.8, ())


def test_of_two_that_are_proven_the_one_with_more_evidence_wins(in_test):
    found = looked(trial("v1", in_test, won=220), trial("v2", in_test, won=230), trial("v3", in_test, won=100))
    assert [t.says for t in found.trials][:2] == ["promote", "promote"]
    assert winner(found.trials).candidate == "v2"
    assert step(in_test, PLAN, found, now=MONDAY, id="won").champion == "v2"


def test_what_would_prove_one_alone_does_not_prove_one_of_three(in_test):
    one, of_three = (trial("v1", in_test, won=178, among=among) for among in (1, 3))
    assert (one.says, of_three.says) == ("promote", "not enough evidence")
    assert of_three.guards[0].level == pytest.approx(one.guards[0].level / 3)
    assert "one of 3 candidates" in of_three.because


def test_not_settled_in_time_the_champion_stays_and_all_candidates_end(in_test):
    found = looked(*(trial(version, in_test, won=133) for version in ("v1", "v2", "v3")))
    late = MONDAY + days(8)
    assert due(in_test, PLAN, late, bake=days(1), signals=found) == "finish"
    moved = step(in_test, PLAN, found, now=late, id="over")
    assert (moved.stage, moved.champion, moved.candidate, moved.arms) == ("steady", "v0", None, ())
    back = undo(in_test, now=late, id="back")
    assert (back.stage, back.candidate, back.arms) == ("steady", None, ())


def test_a_plan_that_loses_its_test_meanwhile_promotes_none_of_several():
    short = [shadow(hours(6)), canary(0.1, every=hours(6))]
    traffic = step(joined("v1", "v2"), PLAN, now=MONDAY + hours(6), id="t")
    assert due(traffic, short, MONDAY + hours(13), bake=days(1)) == "finish"
    assert step(traffic, short, now=MONDAY + hours(13), id="t5").stage == "steady"


# -- the sizes of all arms -------------------------------------------------------------------------------------------------------------


def test_lost_units_of_one_arm_freeze_the_test_for_all_and_replay_says_the_same(in_test):
    whole = [trial(version, in_test, won=100) for version in ("v1", "v2")]
    lost = trial("v3", in_test, won=50, theirs=350)
    fair, frozen = together([*whole, replace(whole[0], candidate="v3")]), together([*whole, lost])
    assert not any(t.frozen for t in fair)
    assert all(t.frozen and t.mismatch == frozen[0].mismatch for t in frozen)
    assert "the arms met 2,000, 666, 666, 350 units" in frozen[1].because
    assert [replay(t) for t in frozen] == list(frozen)
    assert not any(differences(t) for t in (*fair, *frozen))


@pytest.mark.parametrize(("counts", "chances"), [((1, -1), (0.5, 0.5)), ((1, 1), (1.0, 0.0))])
def test_sizes_that_cannot_be_are_refused(counts, chances):
    with pytest.raises(ValueError, match="cannot come of"):
        sizes_off([(counts, chances)])


def test_sizes_of_nobody_say_nothing():
    assert sizes_off([]).value == sizes_off([((0, 0), (0.5, 0.5))]).value == sizes_off([((7,), (1.0,))]).value == 1.0


# -- what it proves: the whole simulation is ``bench/rollouts_several.py`` -----------------------------------------------------------


def test_of_twins_few_are_promoted_and_with_the_whole_level_for_each_too_many():
    told = twins(np.random.default_rng(1), 600)
    assert told["its part"] <= 0.05 < told["whole"] < told["z"]


def test_one_that_is_better_is_found_and_the_sizes_of_arms_are_told_apart():
    found, off = better(np.random.default_rng(2), 100, lift=1.6), sizes(np.random.default_rng(3), 20)
    assert (found["right"] > 0.9, found["wrong"] <= 0.05) == (True, True)
    assert (off["fair"], off["lost"] >= 0.8) == (0.0, True)


# -- records of before -----------------------------------------------------------------------------------------------------------------


def test_records_from_before_there_were_several_candidates_are_read_as_they_were_meant(in_test):
    one = replace(in_test, arms=())
    for record, later in ((one, ("arms",)), (looked(trial("v1", in_test, among=1)), ("beside",))):
        old = {name: value for name, value in as_data(record).items() if name not in later}
        if trials := old.get("trial"):
            trials.pop("among"), trials.pop("parts")
        assert read_back(type(record).__name__, json.dumps(old)) == record
    assert (one.candidates, one.by_arm, one.propensities) == (
        ("v1",),
        {"champion": "v0", "candidate": "v1"},
        {"champion": 0.5, "candidate": 0.5},
    )
