"""What a model brings is proven at whatever moment one looks, and hardly ever where it brings nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from everloop.stats import lift
from everloop.stats.lift import after_each, brought, terms, units_needed


def at_most(count, runs, rate):
    return binomtest(count, runs, rate, alternative="greater").pvalue > 0.001


def amounts(rng, n, share=0.9, effect=0.0, tail=1.5):
    arm = (rng.random(n) < share).astype(float)
    past = rng.gamma(0.5, 20.0, n)
    bought = rng.random(n) < 0.15 * (1 + 0.6 * np.sin(np.arange(n) / 200)) * (1 + effect * arm)
    return np.where(bought, (rng.pareto(tail, n) + 1) * 10 + past, 0.0), arm, np.full(n, share), past


def test_nothing_is_proven_of_twins_however_often_one_looks_while_a_t_test_proves_it_in_every_fourth_shop():
    rng, runs, proven, rival = np.random.default_rng(1), 200, 0, 0
    for _ in range(runs):
        values, arm, share, past = amounts(rng, 3000)
        more, less = after_each(values, arm, share, most=300.0, before=past)
        proven += bool(more.max() >= 40 or less.max() >= 40)
        rival += any(_t(values[:n], arm[:n]) for n in range(300, 3001, 100))
    assert at_most(proven, runs, 0.05)
    assert rival / runs > 0.2, "the test would not notice a judge that peeks"


def _t(values, arm):
    a, b = values[arm > 0], values[arm == 0]
    return abs(a.mean() - b.mean()) > 1.96 * np.sqrt(a.var() / len(a) + b.var() / len(b))


def test_a_cap_taken_from_what_is_counted_would_be_no_cap():
    """The rival bets the whole stake on amounts whose largest it has seen: with a tail without variance it believes a single buyer."""
    rng, runs, kept, stretched = np.random.default_rng(2), 100, 0, 0
    for _ in range(runs):
        values, arm, share, _ = amounts(rng, 2000, tail=1.1)
        more, less = after_each(values, arm, share, most=500.0)
        kept += bool(max(more.max(), less.max()) >= 40)
        stretched += values.max() > 500
    assert at_most(kept, runs, 0.05)
    assert stretched > 90, "every shop has a buyer beyond the cap"


def test_what_is_brought_is_found_and_is_as_large_as_it_is():
    values, arm, share, past = amounts(np.random.default_rng(3), 40_000, share=0.5, effect=0.5, tail=3.0)
    found = brought(values, arm, share, most=300.0, before=past)
    capped = np.minimum(values, 300)
    assert found.more > 1000 > 1 > found.less
    assert 0 < found.low < capped[arm > 0].mean() - capped[arm == 0].mean() < found.high
    low, middle, high = found.share[1], found.share[0], found.share[2]
    assert 0 < low < middle < high


def test_what_was_foreseen_makes_it_narrower_and_no_more_wrong():
    rng = np.random.default_rng(4)
    past = rng.gamma(2.0, 10.0, 8000)
    arm, share = (rng.random(8000) < 0.5).astype(float), np.full(8000, 0.5)
    values = np.maximum(past + rng.normal(0, 5, 8000), 0)
    plain, nearer = brought(values, arm, share, most=100.0), brought(values, arm, share, most=100.0, before=past)
    assert nearer.high - nearer.low < 0.6 * (plain.high - plain.low)
    assert nearer.low < 0 < nearer.high


def test_a_unit_without_a_past_is_foreseen_by_others_without_one():
    rng = np.random.default_rng(5)
    known = rng.random(4000) < 0.5
    past = np.where(known, rng.gamma(2.0, 10.0, 4000), np.nan)
    values = np.where(known, np.nan_to_num(past), 80.0)
    found, _ = terms(values, np.ones(4000), np.full(4000, 0.5), most=100.0, before=past)
    assert np.abs(found[2000:]).max() < 0.02, "both are known to the last cent"


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([0.05, 0.5, 0.9]))
def test_the_last_of_a_course_is_the_evidence_and_no_term_is_beyond_its_bound(seed, n, share):
    rng = np.random.default_rng(seed)
    values, arm = rng.pareto(1.2, n) * 50, (rng.random(n) < share).astype(float)
    past = np.where(rng.random(n) < 0.5, rng.pareto(1.2, n) * 50, np.nan)
    shares = np.full(n, share)
    found, bound = terms(values, arm, shares, most=120.0, before=past)
    assert np.abs(found).max() <= bound
    more, less = after_each(values, arm, shares, most=120.0, before=past)
    whole = brought(values, arm, shares, most=120.0, before=past)
    assert np.allclose([more[-1], less[-1]], [whole.more, whole.less])
    assert whole.low <= whole.effect <= whole.high


@given(st.integers(0, 2**32 - 1), st.integers(2, 50))
def test_what_was_foreseen_of_a_unit_rests_on_those_before_it_alone(seed, n):
    rng = np.random.default_rng(seed)
    y, past = rng.random(n), np.where(rng.random(n) < 0.5, rng.random(n), np.nan)
    changed = y.copy()
    changed[-1] = 1 - y[-1]
    assert np.array_equal(lift._foreseen(y, past), lift._foreseen(changed, past))


def test_the_interval_holds_what_the_bets_do_not_rule_out():
    values, arm, share, _ = amounts(np.random.default_rng(6), 5000, share=0.5, effect=0.3, tail=3.0)
    found = brought(values, arm, share, most=200.0)
    inside = brought(values, arm, share, most=200.0, confidence=0.5)
    assert found.low < inside.low < inside.high < found.high


def test_how_many_units_it_takes_grows_with_the_square_of_what_is_looked_for():
    values, arm, share, _ = amounts(np.random.default_rng(7), 5000, share=0.5, tail=3.0)
    found = brought(values, arm, share, most=200.0)
    assert units_needed(found, 0.05) == pytest.approx(4 * units_needed(found, 0.1), rel=0.05)
    nothing = brought(np.zeros(10), np.tile([1.0, 0.0], 5), np.full(10, 0.5), most=1.0)
    assert units_needed(nothing, 0.05) is None


@pytest.mark.parametrize(
    ("values", "arm", "share", "most", "said"),
    [
        ([np.nan, 1.0], [1.0, 0.0], [0.5, 0.5], 1.0, "who buys nothing has 0"),
        ([1.0, 1.0], [0.5, 0.0], [0.5, 0.5], 1.0, "another value in it"),
        ([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], 1.0, "compared with nobody"),
        ([1.0, 1.0], [1.0, 0.0], [0.5, 0.5], 0.0, "a cap lies above 0"),
    ],
)
def test_what_cannot_be_bet_on_is_refused(values, arm, share, most, said):
    with pytest.raises(ValueError, match=said):
        brought(np.array(values), np.array(arm), np.array(share), most=most)
