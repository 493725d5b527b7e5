"""Distances of two histograms: equal to the other tools' on the same counts, near those of the rows, and unmoved by one row."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, entropy, ks_2samp, wasserstein_distance

from everloop.monitor.drift import moved
from everloop.monitor.profile import profile
from everloop.monitor.spec import BINS, describe
from everloop.stats.distances import kullback_leibler, l_infinity, of_names, of_numbers, series, wasserstein_of_counts

RNG = np.random.default_rng(11)
PAIRS = {
    "normal": (RNG.normal(0, 1, 20_000), RNG.normal(0.25, 1, 20_000)),
    "lognormal": (RNG.lognormal(0, 1, 20_000), RNG.lognormal(0.2, 1, 20_000)),
    "heavy zeros": (RNG.exponential(1, 20_000) * (RNG.random(20_000) < 0.5), RNG.exponential(1, 20_000) * (RNG.random(20_000) < 0.6)),
    "Poisson": (RNG.poisson(3, 20_000).astype(float), RNG.poisson(3.5, 20_000).astype(float)),
}


def counted(pair):
    spec = describe({"x": pair[0]})
    return spec, *(profile(spec, {"x": side}) for side in pair)


@pytest.mark.parametrize("name", PAIRS)
def test_distances_of_counts_are_those_of_the_rows(name):
    _, old, new = counted(PAIRS[name])
    found = moved(old, new)["x"]
    assert found.d == pytest.approx(ks_2samp(*PAIRS[name]).statistic, abs=1 / BINS)
    low, first, third, high = np.quantile(PAIRS[name][0], [0.001, 0.25, 0.75, 0.999])
    exact = wasserstein_distance(*(np.clip(side, low, high) for side in PAIRS[name])) / ((third - first) / 1.349)
    assert found.wasserstein == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("name", PAIRS)
def test_figures_of_counts_are_scipys(name):
    _, old, new = counted(PAIRS[name])
    old, new = (side.counts["x"].astype(float) for side in (old, new))
    p, q = old / old.sum(), new / new.sum()
    [found] = of_names([old], [new], [[str(i) for i in range(len(old))]])
    assert found.jensen_shannon == pytest.approx(jensenshannon(p, q, base=2), abs=1e-12)
    assert found.d == l_infinity(old, new)[0] == pytest.approx(np.abs(p - q).max(), abs=1e-15)
    theirs = float(entropy(q, p))
    assert kullback_leibler(old, new) == (theirs if np.isinf(theirs) else pytest.approx(theirs, abs=1e-12))
    there = (old + new) > 0
    expected = chi2_contingency(np.array([old[there], new[there]]), correction=False)
    assert found.chi_square <= expected.statistic + 1e-9  # bins expecting fewer than five rows are pooled


def test_one_row_of_a_million_moves_no_distance_by_a_hundredth():
    reference, current = RNG.normal(0, 1, 20_000), RNG.normal(2, 1, 20_000)
    scores = []
    for pair in ((reference, current), (reference, np.append(current, 1e6)), (np.append(reference, 1e6), current)):
        _, old, new = counted(pair)
        found = moved(old, new)["x"]
        scores.append([found.d, found.psi, found.jensen_shannon, found.wasserstein, found.cramers_v])
    np.testing.assert_allclose(scores[1:], [scores[0]] * 2, rtol=0.01)
    # Bins of equal width over both sides, as others make them, are blinded by it.
    edges = np.linspace(-4, 1e6, 18)
    [blind] = of_names(*([np.histogram(side, edges)[0]] for side in (reference, np.append(current, 1e6))), [[str(i) for i in range(17)]])
    assert blind.jensen_shannon < 0.1 < scores[0][2]


def test_too_few_rows_say_nothing():
    few, many = np.array([0, 0, 50, 49]), np.array([0, 0, 50, 50])
    assert of_numbers([few, many], [many, many], [np.arange(2.0)] * 2)[0] is None
    assert of_names([many], [few], [["empty", "unseen", "a", "b"]]) == [None]
    assert of_numbers([few, many], [many, many], [np.arange(2.0)] * 2)[1].d == 0
    assert wasserstein_of_counts(np.zeros(3), np.ones(3), np.arange(2.0)) is None


def test_a_series_of_windows_has_the_distances_of_each():
    spec, old, _ = counted(PAIRS["normal"])
    windows = [profile(spec, {"x": RNG.normal(shift, 1, 2000)}) for shift in (0.0, 0.5, -0.5)]
    ten = np.append(0, 1 + np.minimum(np.arange(len(old.counts["x"]) - 1) * 10 // (len(old.counts["x"]) - 1), 9))
    found = series(*(np.array([w.counts["x"] for w in side], dtype=float) for side in ([old] * 3, windows)), ten, ordered=True)
    np.testing.assert_allclose(found.d, [moved(old, w)["x"].d for w in windows], atol=1e-12)
    assert (found.side[1], found.side[2]) == (-1, 1)
    np.testing.assert_allclose(found.psi, [moved(old, w)["x"].psi for w in windows], rtol=0.1, atol=0.02)
    empty = series(np.ones((1, 3)), np.zeros((1, 3)), np.arange(3), ordered=True)
    assert np.isnan([empty.d, empty.psi]).all()
