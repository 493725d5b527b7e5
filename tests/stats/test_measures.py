"""Measures against scikit-learn, by hand, and at their edges."""

import numpy as np
import pytest
from sklearn import metrics as oracle
from tests.stats.shop import chances, numbers, words

from everloop.errors import Unknown
from everloop.project.metrics import METRICS, OF_KIND
from everloop.records import Shape
from everloop.stats.known import answered, comparable, known, unanswered
from everloop.stats.measures import MEASURES, measure
from everloop.stats.scorers import SCORERS
from everloop.stats.shapes import Answers, Paired

RNG = np.random.default_rng(4)
Y = RNG.gamma(2.0, 4.0, 500)
SAID = Y * RNG.lognormal(0, 0.3, 500)
YES = (RNG.random(500) < 0.3).astype(float)
CHANCE = np.clip(0.3 + 0.3 * (YES - 0.3) + RNG.normal(0, 0.2, 500), 0.01, 0.99).round(2)
WEIGHTS = RNG.integers(0, 4, 500).astype(float)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wape", np.abs(Y - SAID).sum() / Y.sum()),
        ("mae", oracle.mean_absolute_error(Y, SAID)),
        ("rmse", oracle.root_mean_squared_error(Y, SAID)),
        ("bias", (SAID - Y).sum() / Y.sum()),
    ],
)
def test_measures_of_numbers_are_what_scikit_learn_says(name, expected):
    assert measure(name).value(Y, numbers(SAID)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auc", oracle.roc_auc_score(YES, CHANCE)),
        ("logloss", oracle.log_loss(YES, CHANCE)),
        ("brier", oracle.brier_score_loss(YES, CHANCE)),
        ("accuracy", oracle.accuracy_score(YES, CHANCE > 0.5)),
        ("recall", oracle.recall_score(YES, CHANCE > 0.5)),
        ("precision", oracle.precision_score(YES, CHANCE > 0.5)),
    ],
)
def test_measures_of_chances_are_what_scikit_learn_says(name, expected):
    assert measure(name).value(YES, chances(CHANCE)) == pytest.approx(expected, rel=1e-12)


def test_auc_with_weights_is_that_of_rows_said_so_often():
    assert measure("auc").value(YES, chances(CHANCE), WEIGHTS) == pytest.approx(oracle.roc_auc_score(YES, CHANCE, sample_weight=WEIGHTS))


def test_auc_of_all_the_same_answers_is_a_half_and_of_one_class_unknown():
    assert measure("auc").value(YES, chances(np.full(500, 0.2))) == pytest.approx(0.5)
    assert measure("auc").value(np.ones(500), chances(CHANCE)) is None


def test_a_measure_of_shares_knows_labels_and_gives_an_unheard_one_no_chance():
    shape = Shape(kind="shares", labels=("a", "b"))
    said = Answers(shape, np.array([0.8, 0.6]), values=np.array([[0.8, 0.2], [0.4, 0.6]]))
    assert measure("logloss").value(words("ab"), said) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert measure("accuracy").value(words("aa"), said) == 0.5
    assert measure("logloss").value(words("zz"), said) > 30


def test_pinball_and_coverage_are_what_scikit_learn_says():
    shape = Shape(kind="quantiles", levels=(0.1, 0.5, 0.9))
    values = np.column_stack([SAID * 0.5, SAID, SAID * 1.5])
    said = Answers(shape, SAID, values=values)
    each = [oracle.mean_pinball_loss(Y, values[:, i], alpha=level) for i, level in enumerate(shape.levels)]
    assert measure("pinball").value(Y, said) == pytest.approx(np.mean(each))
    assert measure("coverage").value(Y, said) == pytest.approx(((values[:, 0] <= Y) & (values[:, 2] >= Y)).mean())


def test_quantiles_by_steps_are_judged_step_by_step():
    shape = Shape(kind="quantiles", levels=(0.5,), steps=2)
    said = Answers(shape, np.array([3.0]), values=np.array([[1.0, 2.0]]))
    assert measure("pinball").value(np.array([[2.0, 4.0]]), said) == pytest.approx((0.5 * 1 + 0.5 * 2) / 2)
    assert measure("wape").value(np.array([[2.0, 4.0]]), said) == pytest.approx(0.5)


def lists(*items, most=3):
    return Answers(Shape(kind="ranking", most=most), np.array([float(len(i)) for i in items]), items=tuple(items))


def right(*items):
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


def test_rankings_by_hand():
    said, truth = lists(("a", "b", "c"), ("x", "y", "z")), right(("b", "q"), ("p",))
    assert measure("hit_rate").value(truth, said) == 0.5
    assert measure("precision").value(truth, said) == pytest.approx(1 / 6)
    assert measure("ndcg").value(truth, said) == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)) / 2)


def test_ndcg_is_what_scikit_learn_says():
    items = [f"i{k}" for k in range(8)]
    order = [tuple(RNG.permutation(items)[:5]) for _ in range(40)]
    truth = [tuple(RNG.choice(items, size=3, replace=False)) for _ in range(40)]
    relevant = np.array([[float(i in t) for i in items] for t in truth])
    scores = np.array([[5.0 - o.index(i) if i in o else 0.0 for i in items] for o in order])
    # scikit-learn shares out the discount among items nobody ranked; beyond place 5 it looks at none of them.
    assert measure("ndcg").value(right(*truth), lists(*order, most=5)) == pytest.approx(oracle.ndcg_score(relevant, scores, k=5))


def test_a_list_that_says_an_item_twice_is_right_once_and_nothing_to_find_counts_nowhere():
    assert measure("precision").value(right(("a",)), lists(("a", "a", "a"))) == pytest.approx(1 / 3)
    assert measure("hit_rate").value(right((), ("a",)), lists(("a",), ("a",))) == 1.0
    assert measure("hit_rate").value(right(()), lists(("a",))) is None


def test_questions_without_truth_or_answer_are_left_out_and_counted():
    truth, said = np.array([10.0, np.nan, 10.0, 10.0]), numbers([9.0, 5.0, np.nan, np.inf])
    assert measure("wape").value(truth, said) == pytest.approx(0.1)
    assert unanswered(truth, said) == (2, 3)
    assert measure("wape").value(np.array([np.nan]), numbers([1.0])) is None


def test_a_pair_is_comparable_only_where_both_answered():
    pair = Paired(words("abc"), np.zeros(3, dtype=np.int64), np.array([1.0, 1.0, np.nan]), numbers([1, np.nan, 1]), numbers([1, 1, 1]))
    assert comparable(pair).tolist() == [True, False, False]


def test_known_and_answered_take_every_shape():
    assert known(np.array([True, False])).all()
    assert known(words("ab")).all()
    assert known(np.array([[1.0, np.nan], [1.0, 2.0]])).tolist() == [False, True]
    assert answered(lists(("a",), ())).tolist() == [True, False]


def test_wape_of_nothing_sold_is_unknown_not_infinite():
    assert measure("wape").value(np.zeros(3), numbers([1.0, 0.0, 2.0])) is None


def test_parts_are_for_ratios_only():
    top, below = measure("wape").parts(Y, numbers(SAID))
    assert top.sum() / below.sum() == pytest.approx(measure("wape").value(Y, numbers(SAID)), rel=1e-12)
    with pytest.raises(TypeError, match="no ratio"):
        measure("auc").parts(YES, chances(CHANCE))


def test_an_unknown_measure_names_those_there_are():
    with pytest.raises(Unknown, match=r"no measure 'mape'.*wape"):
        measure("mape")


def test_the_table_agrees_with_the_words_a_project_may_say():
    good = {"low": "lower", "high": "higher", "zero": "zero"}
    said = {name: (set(m.kinds), good[m.good]) for name, m in METRICS.items() if not m.serving}
    assert {name: (set(m.kinds), m.better) for name, m in (MEASURES | SCORERS).items()} == said
    assert {name for names in OF_KIND.values() for name in names} == MEASURES.keys()


def test_the_calibration_error_is_the_mean_distance_of_ten_groups():
    rng = np.random.default_rng(9)
    said, yes = rng.random(1000), (rng.random(1000) < 0.5).astype(float)
    order = np.argsort(said)
    groups = np.array_split(order, 10)
    by_hand = sum(abs((yes[g] - said[g]).sum()) for g in groups) / 1000
    assert measure("calibration_error").value(yes, chances(said)) == pytest.approx(by_hand, abs=1e-12)


def test_of_chances_that_are_right_the_interval_of_their_error_reaches_down_to_nothing():
    """As it is usually worked out, a rival, 500 right chances have an error of 3 or 4 in 100."""
    from everloop.stats.bootstrap import estimate

    found, usual = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        said = rng.beta(2, 3, 500)
        yes = (rng.random(500) < said).astype(float)
        units = np.array([str(i) for i in range(500)], dtype=object)
        found.append(estimate(measure("calibration_error"), yes, chances(said), units, np.zeros(500, dtype=np.int64), seed=seed))
        usual.append(measure("calibration_error").value(yes, chances(said)))
    assert np.mean(usual) > 0.035
    assert np.mean([one.value for one in found]) < 0.03
    assert np.mean([one.low for one in found]) < 0.005
    assert all(one.low <= one.value <= one.high for one in found)
