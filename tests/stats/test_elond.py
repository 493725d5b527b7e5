"""Of all roll-outs that are promoted for ever, few are promoted for nothing; a fixed level does not promise that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.stats.elond import level


def false_share(rng, tests, good, next_level):
    """Which share of what is found in so many tests is false, and which share of the good is found. The tests are not independent: one
    lucky season lifts the evidence of all tests of its time."""
    found, false, good_ones, decided = 0, 0, 0, []
    luck = 0.0
    for _ in range(tests):
        luck = 0.9 * luck + rng.normal(0, np.sqrt(1 - 0.81))
        real = rng.random() < good
        # A likelihood ratio: mean 1 under the null, whatever the stake.
        stake = 3.0
        e = np.exp(stake * (luck + (6.0 if real else 0.0)) - stake**2 / 2)
        rejected = e >= 1 / next_level(decided)
        decided.append(rejected)
        good_ones += real
        found += rejected
        false += rejected and not real
    return false / max(found, 1), (found - false) / max(good_ones, 1)


def test_few_of_what_is_found_is_false_and_a_fixed_level_finds_much_that_is():
    rng = np.random.default_rng(1)
    ours, power = np.mean([false_share(rng, 200, 0.02, level) for _ in range(300)], axis=0)
    fixed, _ = np.mean([false_share(rng, 200, 0.02, lambda _: 0.05) for _ in range(300)], axis=0)
    assert ours <= 0.05
    assert power > 0.7
    assert fixed > 0.10


def test_levels_add_up_to_alpha_while_nothing_is_found():
    total = sum(level([False] * t) for t in range(3000))
    assert 0.9 * 0.05 < total < 0.05


@given(st.lists(st.booleans(), max_size=30))
def test_a_level_depends_on_how_many_were_found_and_on_nothing_else(earlier):
    assert level(earlier) == level(sorted(earlier))
    assert level([*earlier, True]) > level([*earlier, False])
    assert 0 < level(earlier) < 0.05


def test_a_house_whose_candidates_are_good_can_go_on_promoting():
    assert 1 / level([True] * 99) < 800 < 10_000 < 1 / level([False] * 99)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_an_alpha_that_is_no_share_is_refused(alpha):
    with pytest.raises(ValueError, match="between 0 and 1"):
        level([], alpha)
