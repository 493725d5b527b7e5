"""Laws of assignment: sticky, monotone, uniform, independent."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from everloop.rollout.assign import arm_of, compared, places
from everloop.testing.registry import traffic

UNITS = [f"customer-{n}" for n in range(20_000)]
shares = st.floats(0, 1)


def canary(share, salt="s"):
    return traffic(2, stage="canary", candidate="v1", share=share, salt=salt)


@given(unit=st.text(), salt=st.text(), low=shares, high=shares)
def test_a_rising_share_never_takes_a_unit_from_the_candidate(unit, salt, low, high):
    low, high = sorted((low, high))
    if arm_of(unit, canary(low, salt)) == "candidate":
        assert arm_of(unit, canary(high, salt)) == "candidate"


@given(unit=st.text(), salt=st.text(), low=st.floats(0, 0.5), high=st.floats(0, 0.5))
def test_up_to_a_half_no_compared_unit_changes_its_arm(unit, salt, low, high):
    low, high = sorted((low, high))
    if compared(unit, canary(low, salt)):
        assert compared(unit, canary(high, salt))
        assert arm_of(unit, canary(low, salt)) == arm_of(unit, canary(high, salt))


@given(unit=st.text(), share=shares)
def test_only_compared_units_are_given_to_the_candidate(unit, share):
    assert compared(unit, canary(share)) or arm_of(unit, canary(share)) == "champion"


def uniform(numbers):
    """Chance of counts this uneven in 100 equal cells, if the numbers were uniform."""
    return stats.chisquare(np.histogram(numbers, bins=100, range=(0, 1))[0]).pvalue


@pytest.mark.parametrize("salt", ["", "s", "3f2a9c"])
def test_units_spread_evenly(salt):
    coverage, variation = zip(*(places(unit, salt) for unit in UNITS), strict=True)
    assert uniform(coverage) > 1e-4
    assert uniform(variation) > 1e-4


def test_a_sum_of_characters_would_not_spread_evenly():
    assert uniform([sum(map(ord, unit)) % 1000 / 1000 for unit in UNITS]) < 1e-9


def test_coverage_variation_and_other_salts_know_nothing_of_one_another():
    columns = np.array([[*places(unit, "one"), *places(unit, "two")] for unit in UNITS])
    correlations = np.corrcoef(columns.T)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(len(UNITS))
    one_hash_for_both = np.column_stack([columns[:, 0], columns[:, 0]])
    assert np.corrcoef(one_hash_for_both.T)[0, 1] > 0.99


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.75])
def test_the_candidate_gets_its_share(share):
    got = sum(arm_of(unit, canary(share)) == "candidate" for unit in UNITS)
    assert stats.binomtest(got, len(UNITS), share).pvalue > 1e-4


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_compared_arms_are_of_one_size(share):
    arms = [arm_of(unit, canary(share)) for unit in UNITS if compared(unit, canary(share))]
    assert stats.binomtest(arms.count("candidate"), len(arms), 0.5).pvalue > 1e-4


def test_the_order_of_units_does_not_matter():
    shuffled = random.Random(7).sample(UNITS, 1000)
    assert {u: arm_of(u, canary(0.3)) for u in shuffled} == {u: arm_of(u, canary(0.3)) for u in sorted(shuffled)}
