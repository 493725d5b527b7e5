"""Laws of measures: what scaling, doubling, reordering and renaming do to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.records import Shape
from everloop.stats.bootstrap import effect
from everloop.stats.evalue import bounded
from everloop.stats.measures import MEASURES, measure
from everloop.stats.shapes import Answers

seeds = st.integers(0, 2**32 - 1)
OF_NUMBERS = [n for n, m in MEASURES.items() if "number" in m.kinds]
OF_CHANCES = [n for n, m in MEASURES.items() if "chance" in m.kinds]


def some(seed, kind, n=40):
    rng = np.random.default_rng(seed)
    if kind == "number":
        return rng.gamma(1.0, 10.0, n), Answers(Shape(kind="number"), rng.gamma(1.0, 10.0, n))
    yes = np.r_[0.0, 1.0, (rng.random(n - 2) < 0.5).astype(float)]
    return yes, Answers(Shape(kind="chance", yes_above=0.3), rng.random(n).round(2))


@given(seeds, st.floats(1e-3, 1e3))
def test_wape_bias_and_effects_do_not_mind_the_unit_of_measure(seed, scale):
    truth, said = some(seed, "number")
    scaled = Answers(said.shape, said.value * scale)
    for name in ("wape", "bias"):
        assert measure(name).value(truth * scale, scaled) == pytest.approx(measure(name).value(truth, said), rel=1e-9)
    for name in ("mae", "rmse"):
        assert measure(name).value(truth * scale, scaled) == pytest.approx(scale * measure(name).value(truth, said), rel=1e-9)


@given(seeds, st.sampled_from(OF_NUMBERS + OF_CHANCES))
def test_the_order_of_rows_and_saying_each_twice_change_nothing(seed, name):
    truth, said = some(seed, "number" if name in OF_NUMBERS else "chance")
    turned = np.random.default_rng(seed).permutation(np.tile(np.arange(len(truth)), 2))
    one, other = measure(name).value(truth, said), measure(name).value(truth[turned], said.take(turned))
    assert one == other or one == pytest.approx(other, rel=1e-9)


@given(seeds, st.sampled_from(OF_NUMBERS + OF_CHANCES))
def test_a_weight_of_nothing_is_a_row_that_is_not_there(seed, name):
    truth, said = some(seed, "number" if name in OF_NUMBERS else "chance")
    weights = (np.random.default_rng(seed).random(len(truth)) < 0.7).astype(float)
    one, other = measure(name).value(truth, said, weights), measure(name).value(truth[weights > 0], said.take(weights > 0))
    assert one == other or one == pytest.approx(other, rel=1e-9)


@given(seeds)
def test_auc_minds_ranks_only_and_turns_with_the_truth(seed):
    truth, said = some(seed, "chance")
    value = measure("auc").value(truth, said)
    assert measure("auc").value(truth, Answers(said.shape, said.value**3)) == pytest.approx(value, abs=1e-12)
    assert measure("auc").value(1 - truth, said) == pytest.approx(1 - value, abs=1e-12)
    assert 0 <= value <= 1


@given(seeds)
def test_the_truth_itself_is_the_best_answer(seed):
    truth, said = some(seed, "number")
    for name in OF_NUMBERS:
        assert measure(name).value(truth, Answers(said.shape, truth, scale=np.ones(len(truth)))) == 0
    yes, chance = some(seed, "chance")
    for name in OF_CHANCES:
        perfect, other = (measure(name).value(yes, a) for a in (Answers(chance.shape, yes), chance))
        sign = 1 if measure(name).better == "higher" else -1
        assert other is None or sign * perfect >= sign * other - 1e-12


@given(st.sampled_from(["lower", "higher", "zero"]), st.floats(0.01, 10), st.floats(0.01, 10))
def test_whoever_is_better_one_way_is_worse_the_other(better, one, other):
    assert np.sign(effect(better, one, other)) == -np.sign(effect(better, other, one))


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40), seeds)
def test_bets_do_not_mind_the_order_and_add_up(differences, seed):
    d = np.array(differences)
    turned = np.random.default_rng(seed).permutation(d)
    assert bounded(turned, 1.0).value == pytest.approx(bounded(d, 1.0).value)
    assert np.allclose((bounded(d[:1], 1.0) + bounded(d[1:], 1.0)).wealth, bounded(d, 1.0).wealth)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_mean_wealth_over_all_ways_a_fair_game_can_go_is_at_most_one(sizes):
    """The exact null: each difference is +s or -s with equal chance; all 2^n ways are gone through."""
    n = len(sizes)
    ways = np.array([[1 if k >> i & 1 else -1 for i in range(n)] for k in range(2**n)])
    assert np.mean([bounded(way * np.array(sizes), 1.0).value for way in ways]) == pytest.approx(1.0)
