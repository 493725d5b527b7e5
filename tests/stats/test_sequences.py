"""Intervals that are looked at all the time hold at all times; those made for one look do not."""

import numpy as np
import pytest
from scipy.stats import binomtest

from everloop.stats import sequences
from everloop.stats.intervals import mean
from everloop.stats.sequences import LEAST, bounded_mean, cuped, difference, quantile


def at_most(count, runs, rate):
    return binomtest(count, runs, rate, alternative="greater").pvalue > 0.001


# -- two arms ------------------------------------------------------------------------------------------------------------------------


def revenue(rng, share, n=8000, lift=1.0, rate=0.1):
    arm = (rng.random(n) < share).astype(float)
    bought = rng.random(n) < rate * (1 + 0.5 * np.sin(np.arange(n) / 300))
    return np.where(bought, np.exp(rng.normal(0, 0.9, n)), 0.0) * np.where(arm > 0, lift, 1.0), arm


def test_a_difference_of_arms_is_covered_at_all_times_under_a_ramp():
    rng, runs, missed, usual = np.random.default_rng(1), 150, 0, 0
    share = np.repeat([0.1, 0.25, 0.5, 0.5], 2000)
    for _ in range(runs):
        values, arm = revenue(rng, share)
        course = difference(values, arm, share)
        missed += bool((course.low > 0).any() or (course.high < 0).any())
        for n in range(1000, 8001, 100):  # the rival: Welch's interval of everything so far, at every look
            a, b = values[:n][arm[:n] > 0], values[:n][arm[:n] == 0]
            if abs(a.mean() - b.mean()) > 1.96 * np.sqrt(a.var() / len(a) + b.var() / len(b)):
                usual += 1
                break
    assert at_most(missed, runs, 0.05)
    assert usual / runs > 0.15


def test_a_difference_is_found_and_is_as_large_as_it_is():
    values, arm = revenue(np.random.default_rng(2), np.full(60_000, 0.5), n=60_000, lift=1.5)
    low, high = difference(values, arm, np.full(60_000, 0.5), planned=60_000).now
    assert 0 < low < 0.5 * 0.1 * np.exp(0.405) < high


def test_nothing_is_said_before_each_arm_has_a_hundred_events():
    values, arm = revenue(np.random.default_rng(3), np.full(8000, 0.3))
    course = difference(values, arm, np.full(8000, 0.3))
    first = int(np.flatnonzero(~np.isnan(course.low))[0])
    assert (values[: first + 1][arm[: first + 1] > 0] != 0).sum() == LEAST
    assert difference(values[:300], arm[:300], np.full(300, 0.3)) is None
    assert difference(np.array([]), np.array([]), np.array([])) is None


def test_without_the_gate_heavy_tails_at_a_small_share_would_be_called_different(monkeypatch):
    rng, runs, share = np.random.default_rng(4), 200, np.full(12_000, 0.1)
    looked = {5: 0, LEAST: 0}
    for _ in range(runs):
        values, arm = revenue(rng, share, n=12_000)
        for least in looked:
            monkeypatch.setattr(sequences, "LEAST", least)
            course = difference(values**2.5, arm, share, planned=1000)
            looked[least] += course is not None and bool((course.low > 0).any() or (course.high < 0).any())
    assert at_most(looked[LEAST], runs, 0.05)
    assert looked[5] / runs > 0.10


def test_what_was_foreseen_of_a_unit_makes_it_narrower():
    rng = np.random.default_rng(5)
    past = np.exp(rng.normal(0, 1, 8000))
    arm, share = (rng.random(8000) < 0.5).astype(float), np.full(8000, 0.5)
    values = past + rng.normal(0, 0.2, 8000)
    low, high = difference(values, arm, share).now
    nearer = difference(values, arm, share, foreseen=past).now
    assert nearer[1] - nearer[0] < 0.5 * (high - low)
    assert nearer[0] < 0 < nearer[1]


def test_units_without_a_number_or_a_choice_are_refused():
    ones, half = np.ones(300), np.full(300, 0.5)
    with pytest.raises(ValueError, match=r"values hold NaN or infinity at \[7\]"):
        difference(np.where(np.arange(300) == 7, np.nan, 1.0), ones, half)
    with pytest.raises(ValueError, match="compared with nobody"):
        difference(ones, ones, ones)


# -- bounded values ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0.5, 0.5), (1.0, 30.0), (5.0, 5.0)])
def test_a_bounded_mean_is_covered_at_all_times_and_student_is_not(shape):
    rng, runs, missed, usual = np.random.default_rng(6), 150, 0, 0
    truth = shape[0] / sum(shape)
    for _ in range(runs):
        x = rng.beta(*shape, 1500)
        course = bounded_mean(x)
        missed += bool(((course.low > truth) | (course.high < truth)).any())
        usual += any(not low <= truth <= high for _, low, high in (mean(x[:n]) for n in range(20, 1501, 40)))
    assert at_most(missed, runs, 0.05)
    assert usual / runs > 0.15


def test_bounds_scale_with_the_values():
    x = np.random.default_rng(7).beta(2, 5, 500)
    one, other = bounded_mean(x), bounded_mean(10 + 20 * x, lowest=10, highest=30)
    assert np.allclose(10 + 20 * one.low, other.low)
    assert np.allclose(10 + 20 * one.high, other.high)
    assert (np.diff(one.low) >= 0).all()
    assert (np.diff(one.high) <= 0).all()


@pytest.mark.parametrize("values", [[], [0.5, 1.5], [0.5, -0.1], [np.nan, 0.5]])
def test_values_out_of_bounds_are_refused(values):
    with pytest.raises(ValueError, match="there is at least one"):
        bounded_mean(np.array(values))


# -- quantiles -----------------------------------------------------------------------------------------------------------------------


def waits(rng, n, whole):
    values = np.exp(rng.normal(2, 0.7, n))
    return np.ceil(values) if whole else values


@pytest.mark.parametrize(("level", "whole"), [(0.5, False), (0.99, False), (0.99, True)])
def test_a_quantile_is_covered_at_all_times_also_of_whole_milliseconds(level, whole):
    rng, runs, missed, usual = np.random.default_rng(8), 120, 0, 0
    truth = np.quantile(waits(np.random.default_rng(0), 2_000_000, whole), level)
    for _ in range(runs):
        x = waits(rng, 6000, whole)
        looks = [x[:n] for n in range(200, 6001, 200)]
        missed += any(not low <= truth <= high for low, high in (quantile(v, level) for v in looks))
        usual += any(not low <= truth <= high for low, high in (binomial_ranks(v, level) for v in looks))
    assert at_most(missed, runs, 0.05)
    assert whole or usual / runs > 0.15


def binomial_ranks(values, level):
    """The rival: right for one look."""
    half = 1.96 * np.sqrt(len(values) * level * (1 - level))
    ranks = np.clip([len(values) * level - half, len(values) * level + half], 0, len(values) - 1).astype(int)
    return np.sort(values)[ranks]


def test_a_quantile_of_few_values_is_open():
    assert quantile(np.array([]), 0.99) == (-np.inf, np.inf)
    assert quantile(np.arange(100.0), 0.99)[1] == np.inf
    low, high = quantile(np.arange(100_000.0), 0.99)
    assert 98_800 < low < 99_000 < high < 99_200


def test_a_request_without_an_answer_is_slow_not_missing():
    waited = np.concatenate([np.arange(10_000.0), np.full(300, np.inf)])
    assert quantile(waited, 0.99)[1] == np.inf
    with pytest.raises(ValueError, match="count it as slow"):
        quantile(np.array([1.0, np.nan]), 0.99)
    with pytest.raises(ValueError, match="level lies between 0 and 1"):
        quantile(np.array([1.0]), 99)


# -- what the past explains ----------------------------------------------------------------------------------------------------------


def test_the_past_explains_its_share_of_the_variance_and_no_difference():
    rng = np.random.default_rng(9)
    past = rng.gamma(2, 10, 20_000)
    now = 0.8 * past + rng.normal(0, 6, 20_000)
    left = cuped(now, past)
    assert left.mean() == pytest.approx(now.mean())
    assert left.var() / now.var() == pytest.approx(1 - np.corrcoef(now, past)[0, 1] ** 2, abs=1e-9)


def test_who_has_no_past_keeps_their_value():
    now, past = np.array([1.0, 2.0, 3.0, 9.0]), np.array([1.0, 2.0, 3.0, np.nan])
    assert cuped(now, past)[3] == 9.0
    assert cuped(now, np.full(4, np.nan)).tolist() == now.tolist()
    assert cuped(now, np.full(4, 7.0)).tolist() == now.tolist()
    with pytest.raises(ValueError, match="NaN"):
        cuped(past, now)
