"""Changes of unit: each that has a name is told from quantiles alone, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from everloop.monitor.spec import describe
from everloop.monitor.units import FACTORS, LEVELS, quantiles, quantiles_of, unit_change

KINDS = {
    "prices": lambda rng, n: np.round(rng.lognormal(3, 0.8, n), 2),
    "lengths": lambda rng, n: rng.gamma(4, 3, n),
    "balances": lambda rng, n: rng.normal(20, 60, n),
}


def seen(values):
    """What is known of a reference: the quantiles its bins tell."""
    bins = describe({"x": values}).features["x"]
    return quantiles_of(bins, bins.count(values))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_factor_that_has_a_name_is_told_both_ways(kind, seed):
    rng = np.random.default_rng(seed)
    was, now = KINDS[kind](rng, 20_000), KINDS[kind](rng, 5_000)
    told = 0
    for factor, _, _ in FACTORS:
        for f in (factor, 1 / factor):
            found = unit_change(seen(was), quantiles(f * now))
            told += found is not None and found.factor == pytest.approx(f)
    # The spread of balances is known to a few percent only, which is too little to tell miles from kilometres.
    assert told >= (22 if kind == "balances" else 2 * len(FACTORS))


@pytest.mark.parametrize("factor", [1.0, 0.8, 1.2, 1.35, 1.9, 5.0, 42.0, 300.0])
def test_what_grew_by_a_number_without_a_name_is_no_change_of_unit(factor):
    rng = np.random.default_rng(4)
    was, now = KINDS["prices"](rng, 20_000), KINDS["prices"](rng, 5_000)
    assert unit_change(seen(was), quantiles(factor * now)) is None


def test_another_shape_is_no_change_of_unit_though_its_median_is_a_hundredfold():
    rng = np.random.default_rng(4)
    was = rng.lognormal(3, 0.8, 20_000)
    for now in (100 * rng.lognormal(3, 1.2, 5_000), 100 * np.exp(3) * rng.random(5_000) * 2, np.full(5_000, 100 * np.exp(3))):
        assert unit_change(seen(was), quantiles(now)) is None
    was, now = KINDS["balances"](rng, 20_000), KINDS["balances"](rng, 5_000)
    for other in (1.3 * now, now + 60, 100 * (now + 60), -now):
        assert unit_change(seen(was), quantiles(other)) is None


def test_degrees_and_values_upside_down_are_told():
    rng = np.random.default_rng(6)
    was, now = rng.normal(15, 8, 20_000), rng.normal(15, 8, 5_000)
    assert unit_change(seen(was), quantiles(1.8 * now + 32)).sentence.endswith("degrees Fahrenheit for Celsius?")
    assert unit_change(seen(1.8 * was + 32), quantiles(now)).sentence.endswith("degrees Celsius for Fahrenheit?")
    was, now = rng.gamma(4, 3, 20_000) + 1, rng.gamma(4, 3, 5_000) + 1
    assert unit_change(seen(was), quantiles(100 / now)).kind == "one over"


def test_too_little_to_tell_says_nothing():
    nothing, some = np.full(len(LEVELS), np.nan), np.arange(1.0, len(LEVELS) + 1)
    assert unit_change(nothing, some) is None
    assert unit_change(some, nothing) is None
    assert unit_change(np.repeat([0.0, 1.0], [10, 9]), np.repeat([0.0, 100.0], [10, 9])) is None
    assert np.isnan(quantiles(np.array([np.nan, np.inf]))).all()
    category = describe({"x": np.array(["a", "b"], dtype=object)}).features["x"]
    assert np.isnan(quantiles_of(category, category.count(np.array(["a"], dtype=object)))).all()


@pytest.mark.parametrize("kind", ["prices", "lengths"])
@pytest.mark.parametrize("share", [0.2, 0.3, 0.5])
def test_a_part_of_the_rows_in_another_unit_is_told_with_its_share(kind, share):
    rng = np.random.default_rng(7)
    was, now = KINDS[kind](rng, 20_000), KINDS[kind](rng, 3_000)
    for factor in (100, 1000, 60, 1 / 100):
        found = unit_change(seen(was), quantiles(np.where(rng.random(len(now)) < share, factor * now, now)))
        assert found is not None
        assert found.factor == pytest.approx(factor)
        assert found.share == pytest.approx(share, abs=0.06)


def test_new_values_far_away_are_no_part_in_another_unit():
    rng = np.random.default_rng(8)
    was, now = KINDS["prices"](rng, 20_000), KINDS["prices"](rng, 3_000)
    for new in (np.zeros(900), np.full(900, 99_999.0), rng.normal(2000, 100, 900), 3 * now[:900]):
        assert unit_change(seen(was), quantiles(np.append(now, new))) is None


def test_what_no_unit_explains_overflows_nothing():
    was = np.linspace(1, 20, len(LEVELS))
    for huge in (1e308, -1e308):
        assert unit_change(was, np.append(was[:-1], huge)) is None
        assert unit_change(np.append(was[:-1], huge), was) is None
