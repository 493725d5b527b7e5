"""What the worst-off group gets, and that no group is called worst off by chance."""

import numpy as np
import pytest
from tests.stats.shop import chances, shop, words

from everloop.records import Shape
from everloop.stats.fairness import across
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers

UNKNOWN = np.full(4000, np.nan)


def yeses(rates, each=1000, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(rates)), each)
    said = chances(np.where(rng.random(len(groups)) < np.array(rates)[groups], 0.9, 0.1))
    return words([f"g{g}" for g in groups]), words(range(len(groups))), said


def test_the_worst_off_is_named_with_its_share():
    groups, units, said = yeses([0.4, 0.2, 0.34])
    found = across(groups, units, UNKNOWN[:3000], said, None)
    assert (found.worst, found.best) == ("g1", "g0")
    assert found.ratio == pytest.approx(0.5, abs=0.12)
    assert found.low < found.ratio < found.high < 0.8


def test_groups_alike_are_seldom_called_unfair_however_many_there_are():
    """Fifteen groups: the worst of many is always behind the best of many; without Bonferroni that alone would be proof."""
    unfair = naive = 0
    for seed in range(30):
        groups, units, said = yeses([0.3] * 15, each=200, seed=seed)
        found = across(groups, units, np.full(3000, np.nan), said, None, seed=seed)
        unfair += found.high < 1.0
        two = np.isin(groups, [found.worst, found.best])
        naive += across(groups[two], units[two], np.full(400, np.nan), said.take(two), None, seed=seed).high < 1.0
    assert unfair <= 6
    assert naive > 15


def test_a_metric_that_is_better_when_lower_turns_the_ratio_round():
    pair = shop(600, 2)
    far = np.where(pair.groups["department"] == "grocery", 2.0, 1.0)
    said = Answers(pair.champion.shape, pair.champion.value * far)
    found = across(pair.groups["department"], pair.units, pair.truth, said, measure("wape"))
    assert found.worst == "grocery"
    assert found.ratio == pytest.approx(found.values[0][1] / found.values[1][1])
    assert found.high < 0.8


def test_small_groups_are_named_and_left_out():
    groups, units, said = yeses([0.4, 0.4], each=60)
    groups[:20] = "tiny"
    found = across(groups, units, UNKNOWN[:120], said, None)
    assert found.small == ("g0", "tiny")
    assert found.ratio is None


def test_many_rows_of_a_few_people_are_no_group():
    groups, _, said = yeses([0.4, 0.4], each=200)
    assert across(groups, words(np.arange(400) % 5), UNKNOWN[:400], said, None).ratio is None


def test_a_question_without_a_group_or_an_answer_is_left_out():
    groups, units, said = yeses([0.4, 0.4], each=100)
    groups[0] = None
    said.value[1] = np.nan
    assert across(groups, units, UNKNOWN[:200], said, None).rows == 198


def test_where_nobody_is_told_yes_all_are_served_alike():
    groups, units, _ = yeses([0.4, 0.4], each=100)
    nobody = Answers(Shape(kind="chance", yes_above=0.5), np.zeros(200))
    found = across(groups, units, UNKNOWN[:200], nobody, None)
    assert (found.ratio, found.low, found.high) == (1.0, 1.0, 1.0)


def test_errors_are_compared_where_accuracy_hides_them():
    """2 % and 5 % of errors: accuracies of 98 and 95 look alike, while one group has to bear more than twice as many."""
    rng = np.random.default_rng(5)
    groups = words(np.where(np.arange(8000) % 2, "a", "b"))
    yes = (rng.random(8000) < 0.5).astype(float)
    wrong = rng.random(8000) < np.where(groups == "a", 0.02, 0.05)
    said = chances(np.where((yes > 0.5) != wrong, 0.9, 0.1))
    errors, right = (across(groups, words(range(8000)), yes, said, measure(name)) for name in ("error_rate", "accuracy"))
    assert errors.worst == "b"
    assert errors.high < 0.8 < right.low


def test_forty_groups_are_compared_without_a_floor_on_the_level():
    """780 pairs ask for a level of 1 in 15,600, far beyond what 2,000 resamples can count."""
    groups, units, said = yeses([0.5] * 39 + [0.1], each=80)
    found = across(groups, units, np.full(3200, np.nan), said, None)
    assert found.worst == "g39"
    assert found.high < 0.8
