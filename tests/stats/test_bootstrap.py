"""Effects and their intervals: they cover what they promise, and rivals that do not are caught."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stats.shop import DAY, chances, numbers, shop, words

from everloop.records import Shape
from everloop.stats.blocks import blocks, codes, periods
from everloop.stats.bootstrap import by_block, compare, effect, effect_of_terms, estimate, interval
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers, Paired

WAPE, AUC = measure("wape"), measure("auc")


def test_a_better_candidate_is_found_better_and_a_twin_is_not():
    assert compare(WAPE, shop(champion=0.6, candidate=0.2)).low > 0
    twin = compare(WAPE, shop(champion=0.3, candidate=0.3))
    assert twin.low < 0 < twin.high


def test_the_same_answers_have_an_effect_of_exactly_nothing():
    pair = shop()
    same = Paired(pair.units, pair.moments, pair.truth, pair.champion, pair.champion)
    found = compare(WAPE, same)
    assert (found.effect, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_seed_decides_and_nothing_else():
    assert compare(WAPE, shop(), seed=5) == compare(WAPE, shop(), seed=5)
    assert compare(WAPE, shop(), seed=5) != compare(WAPE, shop(), seed=6)


def coverage(width, cut, runs=150):
    """How often the 90 % interval of a mean holds the truth, 0, where what one unit does is nearly always the same."""
    rng, held = np.random.default_rng(1), 0
    for r in range(runs):
        own = np.repeat(rng.normal(0, 1, 60), width) + rng.normal(0, 0.2, 60 * width)
        table = cut(own, width)
        low, high = interval(lambda s: s[..., 0] / s[..., 1], table, confidence=0.9, seed=r, rounds=400)
        held += low <= 0 <= high
    return held / runs


def test_blocks_of_units_cover_what_they_promise_and_rows_do_not():
    def by_unit(values, width):
        where = np.repeat(np.arange(60), width)
        terms = np.column_stack([values, np.ones(len(values))])
        return by_block(where, terms, where[:0], terms[:0], seed=0)[:, :2]

    def by_row(values, _):
        return np.column_stack([values, np.ones(len(values))])

    assert 0.83 <= coverage(8, by_unit) <= 0.97
    assert coverage(8, by_row) < 0.6  # the rival that takes every row for new evidence


def test_few_blocks_are_paid_for():
    """With twelve blocks the plain percentile interval is too narrow; the expanded one pays Student's price."""
    rng, held, plain, runs = np.random.default_rng(2), 0, 0, 300
    for r in range(runs):
        table = np.column_stack([rng.normal(0, 1, 10), np.ones(10)])
        low, high = interval(lambda s: s[..., 0] / s[..., 1], table, confidence=0.9, seed=r, rounds=400)
        held += low <= 0 <= high
        drawn = table[np.random.default_rng(r).integers(10, size=(400, 10)), 0].mean(axis=1)
        plain += np.quantile(drawn, 0.05) <= 0 <= np.quantile(drawn, 0.95)
    assert held / runs >= 0.87
    assert plain / runs < held / runs - 0.02


def test_the_interval_of_auc_covers_the_true_difference():
    rng, held, runs = np.random.default_rng(3), 0, 120
    true = (0.760 - 0.714) / 0.714  # AUC of normal scores 1.0 and 0.8 apart: Φ(1 / √2) and Φ(0.8 / √2)
    for r in range(runs):
        yes = (rng.random(400) < 0.2).astype(float)
        shared = rng.normal(0, 0.6, 400)
        sides = [yes * d + shared + rng.normal(0, 0.8, 400) for d in (0.8, 1.0)]
        pair = Paired(words(range(400)), np.zeros(400, dtype=np.int64), yes, *(chances(1 / (1 + np.exp(-s))) for s in sides))
        found = compare(AUC, pair, confidence=0.9, seed=r, rounds=400)
        held += found.low <= true <= found.high
    assert 0.82 <= held / runs <= 0.97


def test_an_interval_of_auc_is_that_of_drawing_rows_anew_and_ranking_them_again():
    rng = np.random.default_rng(8)
    yes = (rng.random(300) < 0.3).astype(float)
    said = chances(np.clip(0.3 + 0.2 * yes + rng.normal(0, 0.15, 300), 0.01, 0.99))
    found = estimate(AUC, yes, said, words(range(300)), np.zeros(300, dtype=np.int64), rounds=1000)
    drawn = [AUC.value(yes, said, np.bincount(rng.integers(300, size=300), minlength=300).astype(float)) for _ in range(400)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)


def test_a_root_is_compared_on_its_own_scale():
    found = compare(measure("rmse"), shop(champion=0.6, candidate=0.2, spread=0.3))
    assert found.low < found.effect < found.high
    assert found.effect == pytest.approx(1 - found.candidate / found.champion)


def test_a_champion_without_error_cannot_be_beaten_by_a_share():
    truth = np.arange(1.0, 101.0)
    pair = Paired(words(range(100)), np.zeros(100, dtype=np.int64), truth, numbers(truth), numbers(truth + 1))
    found = compare(WAPE, pair)
    assert (found.effect, found.low) == (None, None)


def test_nothing_and_too_little_have_no_interval():
    empty = compare(WAPE, shop(units=10, weeks=1).take(np.zeros(10, dtype=bool)))
    assert (empty.effect, empty.rows) == (None, 0)
    few = compare(WAPE, shop(units=9, weeks=9))
    assert few.effect is not None
    assert few.low is None
    assert compare(WAPE, shop(units=40, weeks=1)).low is None  # 40 questions


def test_many_units_and_many_weeks_give_the_wider_of_both():
    pair = shop(units=30, weeks=40, champion=0.4, candidate=0.4)
    # In some weeks the candidate is far off for everybody: units hide that, weeks do not.
    off = np.where((pair.moments // (7 * DAY)) % 4 == 0, 1.8, 1.0)
    shocked = Paired(pair.units, pair.moments, pair.truth, pair.champion, numbers(pair.candidate.value * off))
    found = compare(WAPE, shocked)
    by_unit = compare(WAPE, Paired(pair.units, np.zeros_like(pair.moments), pair.truth, pair.champion, shocked.candidate))
    assert found.high - found.low > 1.3 * (by_unit.high - by_unit.low)


def test_a_thousand_units_are_pooled_without_losing_their_spread():
    wide = compare(WAPE, shop(units=3000, weeks=1), seed=1)
    other = compare(WAPE, shop(units=3000, weeks=1), seed=2)
    assert wide.high - wide.low == pytest.approx(other.high - other.low, rel=0.15)
    assert wide.blocks == 3000


def test_before_and_after_are_compared_on_the_same_units():
    before, after = shop(seed=1, champion=0.2), shop(seed=1, champion=0.9, first_week=9)
    sides = [(WAPE.rows(s.truth, s.champion, np.ones(len(s))), s.units, s.moments) for s in (before, after)]
    found = effect_of_terms(WAPE, *sides, confidence=0.95, seed=0, span=timedelta(0), same_moments=False)
    assert found.high < 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["wape", "mae", "rmse"]))
def test_swapping_the_sides_swaps_the_sign(seed, name):
    pair = shop(units=60, weeks=1, champion=0.5, candidate=0.3, seed=seed)
    swapped = Paired(pair.units, pair.moments, pair.truth, pair.candidate, pair.champion)
    one, other = compare(measure(name), pair, rounds=200), compare(measure(name), swapped, rounds=200)
    assert np.sign(one.effect) == -np.sign(other.effect)
    assert (one.low > 0) == (other.high < 0)


def test_effects_by_direction():
    assert effect("lower", 0.5, 0.6) == pytest.approx(-0.2)
    assert effect("zero", 0.2, -0.1) == pytest.approx(0.5)
    assert effect("higher", 0.0, 0.1) is None


def test_an_effect_of_bias_counts_the_distance_from_nothing():
    truth = np.random.default_rng(0).gamma(4, 5, 200)
    pair = Paired(words(range(200)), np.zeros(200, dtype=np.int64), truth, numbers(truth * 0.8), numbers(truth * 1.1))
    assert compare(measure("bias"), pair).effect == pytest.approx(0.5)


# -- blocks --------------------------------------------------------------------------------------------------------------------------


def test_codes_name_the_same_value_the_same():
    assert codes(np.array(["b", None, "b"], dtype=object)).tolist() == [0, 1, 0]


def test_a_week_with_the_clocks_put_forward_is_still_a_week():
    weeks = np.arange(6) * 7 * DAY
    weeks[3:] -= DAY // 24
    assert periods(weeks, timedelta(days=7)).tolist() == [0, 1, 2, 3, 4, 5]


def test_daily_questions_about_a_week_make_weekly_periods():
    assert periods(np.arange(21) * DAY, timedelta(days=7)).max() == 2


def test_periods_are_never_too_many():
    assert periods(np.arange(100_000) * DAY, timedelta(0)).max() <= 400
    assert len(periods(np.array([], dtype=np.int64), timedelta(0))) == 0


@pytest.mark.parametrize(
    ("units", "weeks", "ways"),
    [(60, 1, ["unit"]), (60, 30, ["unit", "period"]), (5, 30, ["period"]), (12, 6, ["unit"]), (9, 9, []), (6, 12, ["period"])],
)
def test_the_rule_of_blocks(units, weeks, ways):
    pair = shop(units=units, weeks=weeks)
    assert [name for name, _ in blocks(pair.units, pair.moments)] == ways


def test_rankings_and_shares_can_be_compared_too():
    rng = np.random.default_rng(0)
    truth = np.empty(120, dtype=object)
    truth[:] = [(f"i{k}",) for k in rng.integers(0, 5, 120)]
    good = Answers(Shape(kind="ranking", most=3), np.full(120, 3.0), items=tuple((t[0], "x", "y") for t in truth))
    poor = Answers(
        Shape(kind="ranking", most=3), np.full(120, 3.0), items=tuple(("x", "y", t[0] if k % 2 else "z") for k, t in enumerate(truth))
    )
    assert compare(measure("ndcg"), Paired(words(range(120)), np.zeros(120, dtype=np.int64), truth, poor, good)).low > 0.5
