"""Distances between samples and histograms, against scipy and against the rivals that one outlier blinds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as oracle
from scipy.spatial.distance import jensenshannon

from everloop.stats.psi import coarse, psi
from everloop.stats.two_sample import chi_square, jensen_shannon, ks, ks_of_counts, wasserstein

RNG = np.random.default_rng(0)
SAMPLES = [RNG.normal(0, 1, 700), RNG.lognormal(0, 1, 900), RNG.poisson(3, 800).astype(float), np.round(RNG.random(500), 1)]
counts = st.lists(st.integers(0, 500), min_size=2, max_size=20).map(np.array).filter(lambda c: c.sum() > 0)


@pytest.mark.parametrize("sample", SAMPLES)
def test_ks_is_what_scipy_says(sample):
    shifted = sample[: len(sample) // 2] + 0.3
    d, p = ks(sample, shifted)
    expected = oracle.ks_2samp(sample, shifted, method="asymp")
    assert d == pytest.approx(expected.statistic, abs=1e-12)
    assert np.log10(p + 1e-12) == pytest.approx(np.log10(expected.pvalue + 1e-12), abs=0.35)


def test_ks_of_bins_is_nearly_that_of_the_samples_and_never_more():
    one, other = RNG.normal(0, 1, 5000), RNG.normal(0.2, 1, 5000)
    edges = np.quantile(one, np.arange(1, 128) / 128)
    binned = ks_of_counts(*(np.bincount(np.searchsorted(edges, x), minlength=128) for x in (one, other)))[0]
    assert 0 <= ks(one, other)[0] - binned < 0.005


def test_chi_square_is_what_scipy_says():
    one, other = np.array([40, 60, 100]), np.array([55, 70, 60])
    statistic, p, v = chi_square(one, other)
    expected = oracle.chi2_contingency(np.array([one, other]), correction=False)
    assert (statistic, p) == pytest.approx((expected.statistic, expected.pvalue))
    assert v == pytest.approx(oracle.contingency.association(np.array([one, other]), method="cramer"))


def test_chi_square_pools_what_is_too_rare_to_count():
    many = np.concatenate([[500, 500], np.ones(50)])
    other = np.concatenate([[500, 500], np.zeros(50)])
    assert chi_square(many, other)[0] < 60
    assert chi_square(np.array([10, 0]), np.array([20, 0])) == (0.0, 1.0, 0.0)


@given(counts)
def test_jensen_shannon_is_what_scipy_says(one):
    other = one[::-1]
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(one / one.sum(), other / other.sum(), 2), abs=1e-7)


@pytest.mark.parametrize("sample", SAMPLES[:2])
def test_wasserstein_is_nearly_what_scipy_says_of_the_clipped_samples(sample):
    other = sample * 1.3 + 0.2
    low, high = np.quantile(sample, [0.001, 0.999])
    scale = (np.quantile(sample, 0.75) - np.quantile(sample, 0.25)) / 1.349
    expected = oracle.wasserstein_distance(np.clip(sample, low, high), np.clip(other, low, high)) / scale
    assert wasserstein(sample, other) == pytest.approx(expected, rel=1e-9)


def test_a_single_outlier_neither_hides_nor_makes_a_shift():
    one, other = RNG.normal(0, 1, 5000), RNG.normal(2, 1, 5000)
    with_outlier = np.append(other, 1e6)
    assert wasserstein(one, with_outlier) == pytest.approx(wasserstein(one, other), rel=0.01)

    def equal_width(a, b):  # the rival: bins of equal width over both
        edges = np.histogram_bin_edges(np.concatenate([a, b]), 17)
        return psi(*(np.histogram(x, edges)[0] for x in (a, b)))

    def equal_mass(a, b):
        edges = np.quantile(a, np.arange(1, 10) / 10)
        return psi(*(np.bincount(np.searchsorted(edges, x), minlength=10) for x in (a, b)))

    assert equal_mass(one, with_outlier) == pytest.approx(equal_mass(one, other), rel=0.01)
    assert equal_width(one, with_outlier) < 0.01 < 1 < equal_width(one, other)


def test_psi_of_the_same_world_is_nothing_on_average_only_when_corrected():
    rng = np.random.default_rng(1)
    draws = [(rng.multinomial(2000, np.full(10, 0.1)), rng.multinomial(100, np.full(10, 0.1))) for _ in range(300)]
    raw = np.array([psi(a, b, corrected=False) for a, b in draws])
    fair = np.array([psi(a, b) for a, b in draws])
    assert (raw > 0.1).mean() > 0.2
    assert (fair > 0.1).mean() < 0.03


@given(counts)
def test_psi_of_a_thing_with_itself_is_nothing(one):
    assert psi(one, one, corrected=False) == 0.0
    assert psi(one, one) == 0.0


@given(counts, st.integers(0, 10))
def test_psi_is_the_same_from_both_sides(one, turn):
    other = np.roll(one, turn)
    assert psi(one, other) == pytest.approx(psi(other, one))


def test_psi_is_finite_where_a_bin_is_empty_and_unknown_where_a_side_is():
    assert np.isfinite(psi(np.array([10, 0]), np.array([0, 10])))
    assert psi(np.array([0, 0]), np.array([1, 2])) is None
    for distance in (ks_of_counts, chi_square, jensen_shannon):
        assert distance(np.array([0, 0]), np.array([1, 2])) is None
    assert ks(np.array([np.nan]), np.array([1.0])) is None
    assert wasserstein(np.array([]), np.array([1.0])) is None
    assert wasserstein(np.ones(50), np.zeros(50)) is None


@given(counts)
def test_coarse_bins_lose_no_row(one):
    [merged] = coarse(one[None], one[None])
    assert merged.sum() == one.sum()
    assert len(merged) == 10
