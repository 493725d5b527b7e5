"""Intervals, many tests at once, and since when."""

import numpy as np
import pytest
from scipy import stats as oracle

from everloop.stats.change_point import change_point
from everloop.stats.intervals import least_to_prove, mean, next_one, share_bounds, wilson
from everloop.stats.multiple import benjamini_hochberg, share_of_look
from everloop.stats.rounded import figure, percent


@pytest.mark.parametrize(("count", "of"), [(0, 10), (3, 100), (10, 10), (50, 99)])
def test_wilson_and_the_exact_bounds_are_what_scipy_says(count, of):
    test = oracle.binomtest(count, of)
    score = test.proportion_ci(0.95, method="wilson")
    assert wilson(count, of) == pytest.approx((score.low, score.high), abs=1e-12)
    exact = test.proportion_ci(0.9, method="exact")  # two-sided 90 % is one-sided 95 % on each side
    assert share_bounds(count, of) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_so_many_good_ones_are_needed_and_one_fewer_is_not_enough():
    n = least_to_prove(0.99)
    assert share_bounds(n, n)[0] >= 0.99 > share_bounds(n - 1, n - 1)[0]


def test_the_next_one_lies_where_it_was_foretold():
    rng, runs = np.random.default_rng(0), 2000
    draws = rng.normal(5, 2, (runs, 9))
    held = sum(low <= d[8] <= high for d in draws for low, high in [next_one(d[:8], 0.9)])
    normal = sum(abs(d[8] - d[:8].mean()) <= 1.645 * d[:8].std(ddof=1) for d in draws)  # the rival forgets that the past is short
    assert 0.88 < held / runs < 0.92
    assert normal / runs < 0.87


def test_one_value_foretells_nothing():
    assert next_one(np.array([1.0])) is None
    assert mean(np.array([1.0, np.nan])) is None


def test_benjamini_hochberg_is_what_scipy_says():
    rng = np.random.default_rng(1)
    p = np.concatenate([rng.random(40), rng.random(10) * 0.001])
    assert (benjamini_hochberg(p, 0.05) == (oracle.false_discovery_control(p) <= 0.05)).all()


def test_a_test_that_could_not_be_made_does_not_dilute_the_others():
    p = np.array([0.009, *[np.nan] * 99])
    assert benjamini_hochberg(p, 0.01).tolist() == [True] + [False] * 99


def test_all_looks_together_spend_what_there_is():
    assert sum(share_of_look(k, 0.05) for k in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)


# -- since when ----------------------------------------------------------------------------------------------------------------------


def series(before, after, seed, n=24, noise=0.03):
    values = np.r_[np.full(n - after, 0.45), np.full(after, before)]
    return values + np.random.default_rng(seed).normal(0, noise, n)


def test_a_change_is_dated_to_the_week():
    found = [change_point(series(0.65, 6, s)) for s in range(40)]
    assert sum(f is not None for f in found) >= 38
    assert np.mean([abs(f.index - 18) <= 1 for f in found if f]) > 0.9


def test_a_series_without_change_is_seldom_dated():
    found = [change_point(series(0.45, 6, s)) for s in range(80)]
    assert sum(f is not None for f in found) <= 10
    # The rival takes the largest difference of two means for what one difference would be.
    naive = 0
    for s in range(80):
        v = series(0.45, 6, s)
        naive += any(oracle.ttest_ind(v[:k], v[k:]).pvalue < 0.05 for k in range(2, 23))
    assert naive > 25


def test_short_still_and_broken_series_have_no_change():
    assert change_point(np.array([1.0, 2.0, 3.0])) is None
    assert change_point(np.full(20, 0.4)) is None
    assert change_point(np.full(20, np.nan)) is None


def test_the_index_is_that_of_the_series_with_its_gaps():
    values = series(0.8, 10, 1)
    values[3] = np.nan
    assert change_point(values).index == 14


def test_numbers_are_said_short():
    assert (figure(0.447), figure(-12.34), percent(0.0204)) == ("0.447", "-12.3", "2 %")
