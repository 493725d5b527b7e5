"""One verdict of a roll-out, from what befell the units of its arms; it survives peeking, and can be had again from its record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from everloop.records import Epoch, Guard, Signals, Trial
from everloop.registry.written import read_back, written
from everloop.rollout.again import differences
from everloop.rollout.sentences import sentence
from everloop.rollout.verdict import Units, epochs, is_proven, judged, replay, value, watched, with_weights, within
from everloop.stats.elond import level
from everloop.stats.evalue import arm_process
from everloop.stats.exposures import units_needed
from everloop.testing.registry import MONDAY

ERRORS = Guard(name="errors", what="units an answer failed for", role="harm", margin=1.5)
SLOW = Guard(name="slow", what="slow units", role="harm", margin=1.25)
WORSE = Guard(name="worse_than_champion(revenue)", what="revenue", role="harm", more=False)
GAIN = Guard(name="beats_champion(revenue)", what="revenue", role="gain", margin=1.0)


def counts(candidate, champion, events=(0, 0), chance=0.5):
    return (
        Epoch(
            generation=2, chance=chance, candidate=candidate, champion=champion, candidate_events=events[0], champion_events=events[1]
        ),
    )  # fmt: skip


def trial(*guards, **words):
    said = {"candidate": "v1", "champion": "v0", "salt": "s", "began_at": MONDAY, "until": MONDAY} | words
    return Trial(guards=tuple(with_weights(guards)), **said)


def met(rng, n, share=0.5):
    """Units as a split makes them, all met under one share."""
    return Units(np.full(n, 2, dtype=np.int64), rng.random(n) < share, np.full(n, share))


def test_without_anything_found_it_goes_on():
    found = judged(trial(ERRORS, SLOW, epochs=counts(50, 52), answers=400, failed=0))
    assert (found.says, found.evidence) == ("go on", 1.0)


def test_failing_answers_beyond_the_limit_are_enough_whatever_the_arms_say():
    found = judged(trial(ERRORS, answers=20, failed=8))
    assert (found.says, found.because) == ("roll back", "8 of 20 answers of the candidate failed (40 %); more than 0.5 % is proven")
    assert judged(trial(ERRORS, answers=1000, failed=4)).says == "go on"
    assert judged(trial(ERRORS, answers=10_000, failed=300, limit=0.05)).says == "go on"


@pytest.mark.parametrize(("bad", "most"), [(0.5, 6), (0.05, 250)])
def test_a_canary_that_fails_is_stopped_within_few_answers(bad, most):
    rng, needed = np.random.default_rng(2), []
    for _ in range(40):
        failing = np.cumsum(rng.random(400) < bad)
        needed.append(
            next(n for n in range(1, 401) if n == 400 or judged(trial(answers=n, failed=int(failing[n - 1]))).says == "roll back")
        )
    assert np.median(needed) <= most


def test_arms_that_are_not_of_the_sizes_the_split_makes_freeze_it():
    found = judged(trial(replace(WORSE, epochs=counts(400, 600, (10, 300))), epochs=counts(400, 600)))
    assert (found.says, found.frozen) == ("not enough evidence", True)
    assert "400 of 1,000 units compared are the candidate's, where the split makes about 500" in found.because
    uneven = judged(trial(epochs=counts(400, 1600, chance=0.2)))
    assert (uneven.says, uneven.frozen) == ("go on", False)


def test_failing_answers_are_stopped_though_units_are_lost():
    assert judged(trial(epochs=counts(400, 600), answers=400, failed=300)).says == "roll back"


def test_harm_is_weighed_and_the_figures_are_named():
    failing = replace(ERRORS, epochs=counts(100, 100, (40, 2)))
    found = judged(trial(failing, SLOW, WORSE))
    assert found.says == "roll back"
    assert "40 of 100 with the candidate, 2 of 100 with the champion" in found.because
    mean = (0.15 * found.guards[0].evidence + 0.2 + 0.5) / 0.85
    assert found.evidence == pytest.approx(mean)


def test_several_figures_share_their_part():
    parts = [g.weight for g in with_weights([ERRORS, SLOW, WORSE, replace(WORSE, name="other"), GAIN])]
    assert parts == [0.15, 0.2, 0.25, 0.25, 0.0]


def test_harm_that_has_to_be_proven_at_99_percent_weighs_a_fifth():
    losing = replace(WORSE, epochs=counts(200, 200, (60, 100)))
    usual, strict = judged(trial(losing)), judged(trial(replace(losing, needs=100.0)))
    assert strict.evidence == pytest.approx(usual.evidence / 5)


def test_a_warning_holds_it_without_taking_it_back():
    found = judged(trial(replace(ERRORS, epochs=counts(100, 100, (9, 0)))))
    assert 5 <= found.guards[0].evidence < 20
    assert found.says == "not enough evidence"
    assert "no step forward" in found.because


def test_nothing_is_promoted_until_every_gain_is_proven():
    won, open_ = replace(GAIN, epochs=counts(500, 500, (200, 100))), replace(GAIN, name="other", epochs=counts(500, 500, (101, 100)))
    assert judged(trial(won)).says == "promote"
    both = judged(trial(won, open_))
    assert both.says == "not enough evidence"
    assert both.because == sentence(both.guards[1])
    assert judged(trial(won, replace(open_, proven=True))).says == "promote"
    assert judged(trial(replace(won, proven=False))).says == "not enough evidence"


def test_as_good_as_is_proven_by_a_margin_only():
    same = counts(4000, 4000, (2000, 2000))
    assert not is_proven(judged(trial(replace(GAIN, epochs=same))).guards[0], trial())
    assert is_proven(judged(trial(replace(GAIN, margin=0.8, epochs=same))).guards[0], trial())


def test_a_gain_is_not_taken_while_harm_is_likely():
    harmed = replace(ERRORS, epochs=counts(100, 100, (9, 0)))
    assert judged(trial(harmed, replace(GAIN, epochs=counts(500, 500, (200, 100))))).says == "not enough evidence"


def test_amounts_are_compared_as_shares_of_their_cap():
    rng = np.random.default_rng(5)
    units = met(rng, 3000)
    spent = np.where(rng.random(3000) < 0.3, rng.lognormal(0, 1, 3000), 0.0) * np.where(units.candidate, 0.5, 1.0)
    guard = judged(trial(watched(replace(WORSE, bound=8.0), units, np.clip(spent / 8.0, 0, 1)))).guards[0]
    assert guard.evidence > 20
    assert len(guard.wealth) > 1
    assert "a unit with the candidate" in sentence(guard)
    assert "for less" in sentence(guard)


def test_counts_and_wealth_tell_the_same():
    units = met(np.random.default_rng(6), 400)
    events = (np.arange(400) % 3 == 0).astype(float)
    plain = watched(WORSE, units, events)
    assert plain.wealth == ()
    nearly = watched(WORSE, units, np.where(events > 0, 1 - 1e-12, 0.0))
    assert value(nearly) == pytest.approx(value(plain), rel=1e-6)


def test_units_met_under_other_shares_are_counted_apart():
    units = Units(np.array([2, 2, 3, 3]), np.array([True, False, True, True]), np.array([0.5, 0.5, 0.8, 0.8]))
    assert [(e.generation, e.chance, e.candidate, e.champion) for e in epochs(units)] == [(2, 0.5, 1, 1), (3, 0.8, 2, 0)]
    assert epochs(units.take(np.zeros(4, dtype=bool))) == ()


def test_nobody_to_compare_is_said():
    assert sentence(replace(WORSE, waiting=12)) == "revenue: nobody to compare yet; 12 units are waited for"
    assert sentence(replace(WORSE, why_silent="nothing is known")) == "revenue: nothing is known"


# -- one test after another --------------------------------------------------------------------------------------------------------------


def test_a_gain_is_harder_to_prove_the_more_tests_before_found_nothing_and_easier_the_more_they_found():
    won = replace(GAIN, epochs=counts(500, 500, (200, 130)))
    alone, first = judged(trial(won)), judged(trial(won, test=1))
    assert 55 < alone.guards[0].evidence < 1000
    assert (alone.guards[0].level, first.guards[0].level) == (0.05, pytest.approx(level([])))
    assert [judged(trial(won, test=40, found=n)).says for n in (0, 39)] == ["not enough evidence", "promote"]
    assert judged(trial(won, test=40)).because.endswith("; it is test 40 of the model, and 0 of the 39 before promoted")
    assert "of the 54.2 : 1 it takes" in first.because


def test_what_is_proven_at_99_percent_keeps_its_share_of_the_level():
    assert judged(trial(replace(GAIN, needs=100.0), test=3)).guards[0].level == pytest.approx(level([False, False], 0.01))


def test_harm_is_no_harder_to_prove_in_a_later_test():
    failing = replace(ERRORS, epochs=counts(100, 100, (40, 2)))
    assert judged(trial(failing, test=900)).says == "roll back"


def test_of_a_hundred_candidates_that_are_no_better_hardly_ever_one_is_promoted_and_at_a_fixed_level_nearly_always():
    rng, runs, tests, events = np.random.default_rng(11), 16, 100, 160
    ours = rivals = 0
    for _ in range(runs):
        found = any_fixed = 0
        for number in range(1, tests + 1):
            mine = (rng.random(events) < 0.5).astype(np.float64)
            peak = int(np.argmax(arm_process(mine, np.full(events, 0.5)))) + 1
            buyers = (int(mine[:peak].sum()), int(peak - mine[:peak].sum()))
            gain = replace(GAIN, epochs=counts(2000, 2000, buyers))
            if value(gain) >= 20:  # looked at after every buyer: the best moment to call it a success
                any_fixed += judged(trial(gain)).says == "promote"
                found += judged(trial(gain, test=number, found=found)).says == "promote"
        ours, rivals = ours + bool(found), rivals + bool(any_fixed)
    assert rivals / runs > 0.6
    assert binomtest(ours, runs, 0.05, alternative="greater").pvalue > 0.01


# -- on the same questions ---------------------------------------------------------------------------------------------------------------


def test_what_is_bet_on_the_same_questions_is_proven_by_its_largest_evidence_as_long_as_it_lies_there():
    paired = replace(GAIN, margin=0.98, more=False, paired=((np.log(90.0),), (np.log(60.0),)), effect=0.05)
    assert judged(trial(paired, test=1)).says == "promote"
    assert judged(trial(paired, test=2)).says == "not enough evidence"
    assert judged(trial(replace(paired, effect=0.01), test=1)).says == "not enough evidence"
    assert "5 % better on the questions both answered" in judged(trial(paired)).because


# -- between what it lies, and how long it takes -----------------------------------------------------------------------------------------


def test_a_ratio_is_never_told_without_between_what_it_lies():
    told = sentence(judged(trial(within(replace(GAIN, epochs=counts(5000, 5000, (300, 500)))))).guards[0])
    assert "300 of 5,000 with the candidate, 500 of 5,000 with the champion: 0.475 … 0.755 times as many" in told
    assert "nothing can be said of the ratio yet" in sentence(within(replace(GAIN, epochs=counts(50, 50))))


def test_amounts_have_a_ratio_too_and_tell_as_much_as_so_many_plain_events():
    rng = np.random.default_rng(5)
    units = met(rng, 4000)
    spent = np.clip(np.where(rng.random(4000) < 0.3, rng.lognormal(0, 1, 4000), 0.0) / 8.0, 0, 1)
    plain, heavy = (within(watched(GAIN, units, e), units, e) for e in (np.where(spent > 0, 0.5, 0.0), spent))
    assert heavy.low < spent[units.candidate].mean() / spent[~units.candidate].mean() < heavy.high
    assert plain.worth == pytest.approx((spent > 0).sum())
    assert heavy.worth < 0.7 * plain.worth


def test_how_many_more_units_a_test_needs_is_about_what_it_takes():
    rng, sought = np.random.default_rng(13), 0.8
    losing = replace(GAIN, more=False)
    foreseen = units_needed(30, 1000, ratio=sought, margin=1.0, share=0.5, needs=20.0)
    took = []
    for _ in range(60):
        mine = (rng.random(3000) < sought / (1 + sought)).astype(np.float64)
        reached = np.flatnonzero(arm_process(mine, np.full(3000, 0.5), more=False) >= 20)
        took.append(reached[0] / 0.03 if len(reached) else np.inf)
    assert 0.4 < foreseen / np.median(took) <= 1.2
    told = judged(trial(replace(losing, epochs=counts(500, 500, (15, 15))), test=1)).guards[0]
    assert told.needed > 100_000
    assert f"to tell a difference of 5 % at this rate takes about {told.needed:,} more units at least" in sentence(told)
    same = judged(trial(replace(GAIN, margin=0.9, epochs=counts(500, 500, (15, 15))))).guards[0]
    assert "to tell that it is as good at this rate" in sentence(same)
    assert judged(trial(replace(GAIN, epochs=counts(500, 500)))).guards[0].needed is None


# -- again from its record ---------------------------------------------------------------------------------------------------------------

few = st.integers(0, 300)
shares = st.sampled_from([0.2, 0.5, 0.5, 0.7])


@st.composite
def trials(draw):
    def guard(name, role):
        n1, n0 = draw(few), draw(few)
        told = counts(n1, n0, (draw(st.integers(0, n1)), draw(st.integers(0, n0))), draw(shares))
        margin, more = draw(st.sampled_from([0.9, 1.0, 1.5])), draw(st.booleans())
        plain = Guard(
            name=name, what=name, role=role, margin=margin, more=more, epochs=told, needs=draw(st.sampled_from([10.0, 20.0, 100.0]))
        )
        rng = np.random.default_rng(draw(few))
        return watched(plain, met(rng, 50), rng.random(50)) if draw(st.booleans()) else plain

    roles = draw(st.lists(st.sampled_from(["harm", "gain", "news"]), max_size=4))
    answers = draw(few)
    return trial(
        *(guard(f"g{n}", role) for n, role in enumerate(roles)), epochs=counts(draw(few), draw(few), chance=draw(shares)), answers=answers,
        failed=draw(st.integers(0, answers)), limit=draw(st.sampled_from([0.005, 0.2, 0.99])),
    )  # fmt: skip


@given(trials())
def test_the_same_verdict_comes_from_the_record_alone(given_trial):
    kept = Signals(id="s", made_at=MONDAY, model="m", until=MONDAY, signals=(), trial=judged(given_trial))
    again = read_back("Signals", written(kept)).trial
    assert again == kept.trial
    assert replay(again) == again


@pytest.mark.parametrize(
    "forged",
    [
        lambda t: replace(t, failed=0),
        lambda t: replace(t, says="promote"),
        lambda t: replace(t, breaks=1e300),
        lambda t: replace(t, because="all is well"),
    ],
)
def test_a_record_that_was_changed_is_noticed(forged):
    true = judged(trial(answers=20, failed=8))
    assert replay(true) == true
    assert replay(forged(true)) != forged(true)


@st.composite
def recorded(draw):
    """A trial as the loop keeps it: the same units in each guard, some of them waited for, ratios with between what they lie."""
    shares = draw(st.lists(st.sampled_from([0.2, 0.5, 0.7]), min_size=1, max_size=2))
    sizes = [(draw(st.integers(2, 300)), draw(st.integers(2, 300))) for _ in shares]

    def by_arm(guard, waiting):
        met = []
        for n, (chance, (n1, n0)) in enumerate(zip(shares, sizes, strict=True)):
            events = draw(st.integers(0, n1 - 1)), draw(st.integers(0, n0))
            met += [replace(one, generation=n + 2) for one in counts(n1 - waiting * (not n), n0, events, chance)]
        return within(replace(guard, epochs=tuple(met), waiting=waiting))

    guards = [by_arm(ERRORS, 0), by_arm(WORSE, 1), by_arm(GAIN, 1)]
    met = enumerate(zip(shares, sizes, strict=True))
    units = tuple(Epoch(generation=n + 2, chance=chance, candidate=n1, champion=n0) for n, (chance, (n1, n0)) in met)
    answers = draw(st.integers(1, 300))
    return judged(trial(*guards, epochs=units, answers=answers, failed=draw(st.integers(0, answers)), test=draw(st.integers(0, 4))))


def counts_of(kept):
    """Every way to change one count of a record by one."""
    yield replace(kept, answers=kept.answers + 1)
    yield replace(kept, failed=kept.failed + 1)
    for name in ("candidate", "champion"):
        first = kept.epochs[0]
        yield replace(kept, epochs=(replace(first, **{name: getattr(first, name) + 1}), *kept.epochs[1:]))
    for at, guard in enumerate(kept.guards):
        for name in ("candidate", "champion", "candidate_events", "champion_events"):
            first = guard.epochs[0]
            mutant = replace(guard, epochs=(replace(first, **{name: getattr(first, name) + 1}), *guard.epochs[1:]))
            yield replace(kept, guards=(*kept.guards[:at], mutant, *kept.guards[at + 1 :]))


@settings(max_examples=6, deadline=None)
@given(recorded())
def test_a_record_in_which_any_one_count_was_changed_is_found(kept):
    assert differences(kept) == []
    for mutant in counts_of(kept):
        assert differences(mutant), mutant


def test_a_record_whose_level_or_interval_was_changed_is_found():
    kept = judged(trial(within(replace(GAIN, epochs=counts(500, 500, (200, 100)))), epochs=counts(500, 500), test=3, found=1))
    assert differences(kept) == []
    gain = kept.guards[0]
    for mutant in (replace(gain, level=0.05), replace(gain, low=1.0), replace(gain, evidence=1e9), replace(gain, waiting=7)):
        assert differences(replace(kept, guards=(mutant,)))
    assert differences(replace(kept, found=0))


def test_signals_of_an_older_release_are_read():
    body = '{"id":"s","made_at":"2026-11-02T00:00:00Z","made_from":[],"model":"m","signals":[],"until":"2026-11-02T00:00:00Z"}'
    assert read_back("Signals", body).trial is None


# -- however often one looks -------------------------------------------------------------------------------------------------------------


def pooled_z(candidate, events):
    """The rival: two shares by a pooled z-test."""
    n1, n0 = candidate.sum(), (~candidate).sum()
    p = events.mean()
    if not n1 or not n0 or p in (0, 1):
        return 0.0
    return (events[candidate].mean() - events[~candidate].mean()) / np.sqrt(p * (1 - p) * (1 / n1 + 1 / n0))


def test_twins_are_seldom_taken_back_however_often_one_looks_and_a_rival_takes_them_back_often():
    rng, runs, n, ours, rivals = np.random.default_rng(7), 120, 1600, 0, 0
    for _ in range(runs):
        share = np.where(np.arange(n) < 500, 0.2, 0.5)
        units = Units((share * 10).astype(np.int64), rng.random(n) < share, share)
        season = 1 + 0.75 * np.sin(np.arange(n) / 200)
        failed, slow = rng.random(n) < 0.05 * season, rng.random(n) < 0.1 * season
        spent = np.clip(np.where(rng.random(n) < 0.2 * season, rng.lognormal(0, 1.5, n), 0) / 20, 0, 1)
        back = rival = False
        for upto in range(200, n + 1, 200):
            some = units.take(np.arange(n) < upto)
            kinds = ((ERRORS, failed.astype(float)), (SLOW, slow.astype(float)), (WORSE, spent))
            back |= judged(trial(*(watched(g, some, e[:upto]) for g, e in kinds), epochs=epochs(some))).says == "roll back"
            rival |= any(abs(pooled_z(some.candidate, e[:upto])) > 1.96 for e in (failed, slow))
        ours, rivals = ours + back, rivals + rival
    assert binomtest(ours, runs, 0.05, alternative="greater").pvalue > 0.001
    assert rivals / runs > 0.3


def test_half_as_many_buyers_are_found_within_a_few_thousand_visitors():
    rng, needed = np.random.default_rng(9), []
    for _ in range(15):
        mine = rng.random(10_000) < 0.5
        bought = rng.random(10_000) < np.where(mine, 0.015, 0.03)
        for upto in range(500, 10_001, 500):
            some, did = mine[:upto], bought[:upto]
            arms = counts(int(some.sum()), int((~some).sum()), (int((some & did).sum()), int((~some & did).sum())))
            if judged(trial(ERRORS, SLOW, replace(WORSE, epochs=arms), epochs=arms)).says == "roll back":
                break
        needed.append(upto)
    assert np.median(needed) <= 6_000


def test_what_cannot_be_told_leaves_its_part_to_the_others():
    losing = replace(WORSE, epochs=counts(200, 200, (60, 100)))
    heard, silent = (judged(trial(losing, slow)) for slow in (SLOW, replace(SLOW, why_silent="too few answers")))
    assert silent.evidence == pytest.approx(silent.guards[0].evidence)
    assert heard.evidence == pytest.approx((0.5 * heard.guards[0].evidence + 0.2) / 0.7)


def test_a_tenth_of_the_candidates_units_lost_is_mostly_found_by_10000_units():
    rng, found = np.random.default_rng(8), 0
    for _ in range(20):
        units = met(rng, 10_000)
        found += judged(trial(epochs=epochs(units.take(~units.candidate | (rng.random(10_000) > 0.1))))).frozen
        assert not judged(trial(epochs=epochs(units))).frozen
    assert found >= 12
