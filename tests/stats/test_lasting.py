"""Periods that go on in the next count for fewer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.stats.lasting import MOST, kept, worth


def lasting(share, n, seed=0):
    rng = np.random.default_rng(seed)
    series = [rng.normal()]
    for drawn in rng.normal(0, np.sqrt(1 - share**2), n - 1):
        series.append(share * series[-1] + drawn)
    return np.array(series)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_what_lasts_is_found_in_long_series(share):
    assert kept(lasting(share, 20_000)) == pytest.approx(share, abs=0.03)


def test_in_short_series_it_is_rather_too_much_than_too_little():
    """The first autocorrelation as it stands, a rival, is too small by far."""
    series = [lasting(0.7, 28, seed) for seed in range(300)]
    plain = [float(np.corrcoef(s[1:], s[:-1])[0, 1]) for s in series]
    assert 0.65 < np.mean([kept(s) for s in series]) < 0.8
    assert np.mean(plain) < 0.62


def test_the_mean_of_so_many_periods_varies_as_much_as_that_of_independent_ones():
    means = [lasting(0.6, 60, seed).mean() for seed in range(800)]
    assert np.mean([worth(lasting(0.6, 60, seed)) for seed in range(800)]) == pytest.approx(1 / np.var(means), rel=0.25)


@given(st.lists(st.floats(-1e6, 1e6), max_size=60))
def test_no_series_is_worth_more_than_its_length_or_grows_without_bound(values):
    series = np.array(values)
    assert 0.0 <= kept(series) <= MOST
    assert min(3, len(series)) <= worth(series) <= max(len(series), 1)
