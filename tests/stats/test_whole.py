"""Measures of all questions at once: their interval covers, and agrees with that of sums where there is one."""

import numpy as np
import pytest
from tests.stats.shop import numbers, shop

from everloop.stats.bootstrap import compare, estimate
from everloop.stats.measures import measure
from everloop.stats.whole import Whole, draws


def mean_error(truth, answers):
    return float(np.abs(truth - answers.value).mean())


AS_A_WHOLE = Whole.of("mae as a whole", ("number",), mean_error, better="lower")


def test_the_interval_by_drawing_is_that_by_sums():
    pair = shop(champion=0.4, candidate=0.3, weeks=3)
    whole, sums = compare(AS_A_WHOLE, pair, seed=1), compare(measure("mae"), pair, seed=1)
    assert whole.effect == pytest.approx(sums.effect)
    assert (whole.rows, whole.blocks) == (sums.rows, sums.blocks)
    wide = sums.high - sums.low
    assert whole.low == pytest.approx(sums.low, abs=0.15 * wide)
    assert whole.high == pytest.approx(sums.high, abs=0.15 * wide)


def test_one_side_alone_has_the_interval_of_sums():
    pair = shop(champion=0.4, weeks=3)
    found = [estimate(m, pair.truth, pair.champion, pair.units, pair.moments) for m in (AS_A_WHOLE, measure("mae"))]
    assert found[0].value == pytest.approx(found[1].value)
    assert found[0].high - found[0].low == pytest.approx(found[1].high - found[1].low, rel=0.2)


def test_a_measure_of_the_whole_covers_in_simulation():
    """Rejects drawing rows as if they were alone: units of very different size would make it far too sure of itself."""

    def share_of_largest(truth, answers):
        return float((truth - answers.value).sum())

    total = Whole.of("total", ("number",), share_of_largest)
    covered, naive = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        unit = np.repeat(np.arange(40), 10)
        truth = rng.normal(0, 1, 40)[unit] + rng.normal(0, 0.1, 400)
        units = np.array([str(u) for u in unit], dtype=object)
        moments = np.zeros(400, dtype=np.int64)
        found = estimate(total, truth, numbers(np.zeros(400)), units, moments, seed=seed)
        covered.append(found.low <= 0 <= found.high)
        alone = estimate(total, truth, numbers(np.zeros(400)), np.array([str(i) for i in range(400)], dtype=object), moments, seed=seed)
        naive.append(alone.low <= 0 <= alone.high)
    assert np.mean(covered) >= 0.87
    assert np.mean(naive) < 0.6


def test_few_questions_prove_nothing():
    pair = shop(units=8, weeks=1)
    found = compare(AS_A_WHOLE, pair)
    assert (found.low, found.high) == (None, None)
    assert found.effect is not None


def test_every_draw_takes_whole_blocks():
    where = np.array([0, 1, 1, 2, 2, 2])
    drawn = list(draws(where, 3, 50, seed=1))
    assert len(drawn) == 50
    for rows in drawn:
        counts = np.bincount(where[rows], minlength=3)
        assert (counts % [1, 2, 3] == 0).all()
        assert (counts // [1, 2, 3]).sum() == 3
