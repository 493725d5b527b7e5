from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.stats.shiryaev import HEDGED, LEFT_OUT, MOST_STAKED, RISES, follow, knowing, learning


def yes_and_no(*stretches, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([(rng.random(n) < p).astype(float) for n, p in stretches])


@given(cuts=st.lists(st.integers(0, 600), max_size=4), seed=st.integers(0, 50))
@settings(max_examples=8, deadline=None)
def test_going_on_is_the_same_to_the_last_digit_as_never_having_stopped(cuts, seed):
    losses = yes_and_no((400, 0.1), (200, 0.4), seed=seed)
    begun = learning(yes_and_no((500, 0.12), seed=seed + 100))
    whole, state = follow(begun, losses), begun
    for part in np.split(losses, sorted(cuts)):
        state = follow(state, part)
    assert state == whole


def test_it_is_the_sum_over_all_beginnings():
    losses = yes_and_no((60, 0.3), seed=2)
    factors = 1 + np.minimum(RISES / 0.8, MOST_STAKED / 0.2)[:, None] * (losses - 0.2)
    whole = sum(factors[:, j:].prod(axis=1) for j in range(60))
    assert follow(knowing(0.2, target=1e9), losses).wealth == pytest.approx(whole.tolist(), rel=1e-9)


def test_on_average_it_takes_as_long_as_it_promises_to_cry_for_nothing():
    # At the very mean that is not to be exceeded, a target of 100, streams of 1,000: who never alarms counts as 1,000.
    took = [follow(knowing(0.1, target=100), yes_and_no((1000, 0.1), seed=s)) for s in range(40)]
    length = np.mean([1000 if d.alarm is None else d.alarm + 1 for d in took])
    assert length >= 100
    # A bettor who stakes against half the mean cries far too often.
    hasty = [follow(knowing(0.05, target=100), yes_and_no((1000, 0.1), seed=s)) for s in range(40)]
    assert np.mean([1000 if d.alarm is None else d.alarm + 1 for d in hasty]) < length / 2


def test_a_mean_that_is_only_learnt_keeps_the_promise_and_one_taken_for_the_true_one_breaks_it():
    # Known from 60 losses; a target of 1,000 and 150 losses: at most 15 streams in a hundred, and one in a thousand.
    cried = {"learnt": 0, "taken for true": 0}
    for seed in range(80):
        losses = yes_and_no((210, 0.3), seed=seed)
        known, then = losses[:60], losses[60:]
        cried["learnt"] += follow(learning(known, target=1000), then).alarm is not None
        cried["taken for true"] += follow(knowing(float(known.mean()), target=1000), then).alarm is not None
    assert cried["learnt"] <= 80 * 0.151 < cried["taken for true"]


def test_against_the_true_mean_known_losses_earn_nothing_on_average():
    # What the promise rests on: R(mean) has a mean of at most 1, and lies in the worth of the cell above it.
    worth = []
    for seed in range(200):
        begun = learning(yes_and_no((300, 0.2), seed=seed), target=1e5)
        cell = int(np.searchsorted(begun.means, 0.2))
        worth.append(begun.worth[cell] if cell < len(begun.worth) else LEFT_OUT)
    assert np.mean(worth) <= 1.0
    assert list(begun.worth) == sorted(begun.worth)
    assert begun.worth[0] == HEDGED
    assert list(begun.means) == sorted(begun.means)


@given(mean=st.floats(0.02, 0.98), rise=st.floats(0.001, 0.3), loss=st.floats(0, 1), seed=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_what_bets_have_falls_with_the_mean_they_bet_against(mean, rise, loss, seed):
    # So that one cell's upper end does for all means in it.
    losses = np.append(np.random.default_rng(seed).random(20), loss)
    begun = learning(np.full(50, mean), target=1e12)
    ends = replace(begun, means=(mean, min(mean + rise, 0.999)), worth=(1.0, 1.0))
    low, high = np.array(follow(ends, losses).wealth).reshape(2, -1)
    assert (low >= high * (1 - 1e-12)).all()


@pytest.mark.parametrize(("rate", "within"), [(0.2, 400), (0.5, 60)])
def test_it_finds_a_rise_and_names_when_it_began(rate, within):
    delays, off = [], []
    begun = learning(np.repeat([0.0, 1.0], [9000, 1000]))
    for seed in range(8):
        found = follow(begun, yes_and_no((1000, 0.1), (1500, rate), seed=seed))
        assert found.alarm is not None
        assert found.change is not None
        delays.append(found.alarm - 1000)
        off.append(abs(found.change - 1000))
    assert min(delays) > 0
    assert np.median(delays) < within
    assert np.median(off) < within / 2


def test_losses_that_vary_little_are_bet_on_higher():
    # A rise of an eighth where losses vary by a tenth as much as yes and no would: the stakes for yes and no take far longer.
    rng = np.random.default_rng(4)
    known, then = rng.beta(80, 720, 2000), np.append(rng.beta(80, 720, 200), rng.beta(90, 710, 2000))
    found = follow(learning(known), then)
    assert found.alarm is not None
    assert 200 < found.alarm < 340
    timid = replace(learning(known), stakes=tuple((RISES / 0.9).tolist()))
    assert (follow(timid, then[:400]).alarm or 10**6) > found.alarm + 30


def test_it_stops_at_its_alarm_and_does_not_look_on():
    found = follow(knowing(0.1), np.ones(200))
    assert found.alarm is not None
    assert found.change == 0
    assert found.rows == found.alarm + 1 < 200
    assert follow(found, np.zeros(50)) == found
    assert follow(knowing(0.1), np.zeros(0)) == knowing(0.1)


def test_losses_that_fall_are_no_news():
    assert follow(knowing(0.3), yes_and_no((3_000, 0.05))).alarm is None


def test_nothing_ever_lost_and_everything_ever_lost_are_known_as_little_as_anything():
    never = learning(np.zeros(300))
    assert 0 < never.means[0] < 1 / 300 < never.means[-1] < 0.1
    assert follow(never, yes_and_no((50, 0.0), (60, 0.5))).alarm is not None
    assert follow(learning(np.ones(300)), np.ones(200)).alarm is None
    assert math.isfinite(follow(never, np.ones(3000)).evidence)


@pytest.mark.parametrize("bad", [[1.5], [-0.1], [math.nan]])
def test_losses_out_of_bounds_are_refused(bad):
    for told in (lambda: follow(knowing(0.1), np.array(bad)), lambda: learning(np.array(bad))):
        with pytest.raises(ValueError, match="not in 0…1"):
            told()
    with pytest.raises(ValueError, match="between 0 and 1"):
        knowing(0.0)
    with pytest.raises(ValueError, match="Of no losses"):
        learning(np.zeros(0))
    with pytest.raises(ValueError, match="nobody can lose"):
        learning(np.full(100, 0.6), by=1.0)
