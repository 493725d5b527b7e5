from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.stats.shiryaev import Detector, above, follow, stakes_of


def yes_and_no(*stretches, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([(rng.random(n) < p).astype(float) for n, p in stretches])


@given(cuts=st.lists(st.integers(0, 600), max_size=4), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_going_on_is_the_same_to_the_last_digit_as_never_having_stopped(cuts, seed):
    losses = yes_and_no((400, 0.1), (200, 0.4), seed=seed)
    whole = follow(Detector(0.12), losses)
    state = Detector(0.12)
    for part in np.split(losses, sorted(cuts)):
        state = follow(state, part)
    assert state == whole


def test_it_is_the_sum_over_all_beginnings():
    losses = yes_and_no((60, 0.3), seed=2)
    factors = 1 + stakes_of(0.2)[:, None] * (losses / 0.2 - 1)
    whole = sum(factors[:, j:].prod(axis=1) for j in range(60))
    assert follow(Detector(0.2, target=1e9), losses).wealth == pytest.approx(whole.tolist(), rel=1e-9)


def test_on_average_it_takes_as_long_as_it_promises_to_cry_for_nothing():
    # At the very mean that is not to be exceeded, a target of 200, streams of 2,000: who never alarms counts as 2,000.
    took = [follow(Detector(0.1, target=200), yes_and_no((2000, 0.1), seed=s)) for s in range(60)]
    length = np.mean([2000 if d.alarm is None else d.alarm + 1 for d in took])
    assert length >= 200
    # A bettor who stakes against a mean that is a third too low cries far too often.
    hasty = [follow(Detector(0.067, target=200), yes_and_no((2000, 0.1), seed=s)) for s in range(60)]
    assert np.mean([2000 if d.alarm is None else d.alarm + 1 for d in hasty]) < length / 2


@pytest.mark.parametrize(("rate", "within"), [(0.2, 450), (0.5, 80)])
def test_it_finds_a_rise_and_names_when_it_began(rate, within):
    delays, off = [], []
    for seed in range(20):
        found = follow(Detector(above(0.1, 10_000)), yes_and_no((3000, 0.1), (3000, rate), seed=seed))
        assert found.alarm is not None
        assert found.change is not None
        delays.append(found.alarm - 3000)
        off.append(abs(found.change - 3000))
    assert min(delays) > 0
    assert np.median(delays) < within
    assert np.median(off) < within / 2


def test_it_stops_at_its_alarm_and_does_not_look_on():
    found = follow(Detector(0.1), np.ones(200))
    assert found.alarm is not None
    assert found.change == 0
    assert found.rows == found.alarm + 1 < 200
    assert follow(found, np.zeros(50)) == found


def test_losses_that_fall_are_no_news():
    assert follow(Detector(0.3), yes_and_no((20_000, 0.05))).alarm is None


def test_the_margin_holds_what_is_not_known_of_the_mean():
    rng = np.random.default_rng(6)
    over = np.mean([above(float((rng.random(200) < 0.1).mean()), 200) < 0.1 for _ in range(2000)])
    assert over <= 0.05
    assert math.isclose(above(0.0, 300), 1 - 0.05 ** (1 / 300))
    assert above(1.0, 10) < 1


@pytest.mark.parametrize("bad", [[1.5], [-0.1], [math.nan]])
def test_losses_out_of_bounds_are_refused(bad):
    with pytest.raises(ValueError, match="not in 0…1"):
        follow(Detector(0.1), np.array(bad))
    with pytest.raises(ValueError, match="between 0 and 1"):
        follow(replace(Detector(0.1), mean=0.0), np.zeros(1))
    with pytest.raises(ValueError, match="none"):
        above(0.5, 0)
