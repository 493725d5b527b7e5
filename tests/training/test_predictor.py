"""Predictors: four shapes, and what is no answer is never a number."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pyarrow as pa
import pytest
import training_learners as learners
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor

from everloop.errors import LearnerFailed, Unknown
from everloop.records import Shape
from everloop.serving.answered import ANSWER, in_steps
from everloop.stats.shapes import Answers, paths
from everloop.training.feed import Feed, fed, feed_of, row
from everloop.training.predictor import Predictor, answers_in_order, answers_in_quantiles, nothing
from everloop.training.rehearse import relabelled

NUMBER, CHANCE = Shape(kind="number"), Shape(kind="chance", labels=("no", "yes"), yes_above=0.5)
ROWS = pa.table({"a": [1.0, 2.0, None]})


class Proba:
    """Answers what it is made with, as predict_proba."""

    def __init__(self, said, classes=(0.0, 1.0)):
        self.said, self.classes_ = np.array(said, dtype=float), classes

    def predict_proba(self, X):
        return self.said


class Says:
    def __init__(self, said):
        self.said = said

    def predict(self, X):
        return self.said


def answer(shape, fitted, rows=ROWS):
    return Predictor(shape, Feed(("a",)), fitted).answer(rows)


@pytest.mark.parametrize(
    "said", [[np.nan, np.inf, -np.inf], [1.0, 2.0], [1.0, 2.0, 3.0, 4.0], np.ones((3, 2)), ["x", "y", "z"], None, 5.0, [[1.0], [2.0]]]
)
def test_what_is_no_number_for_each_row_is_nan(said):
    assert np.isnan(answer(NUMBER, Says(said)).value).all()


def test_one_bad_number_leaves_the_others():
    assert answer(NUMBER, Says([1.0, np.inf, 3.0])).value.tolist()[::2] == [1.0, 3.0]
    assert answer(NUMBER, Says([[1.0], [2.0], [3.0]])).value.tolist() == [1.0, 2.0, 3.0]


def test_a_chance_is_the_second_column():
    assert answer(CHANCE, Proba([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0]])).value.tolist() == [0.1, 0.8, 0.0]


@pytest.mark.parametrize("said", [[[1.0]] * 3, [[0.2, 0.3, 0.5]] * 3, [[2.0, -1.0]] * 3, [[0.0, np.nan]] * 3, [[0.5, 0.5]] * 2])
def test_what_is_no_chance_is_nan(said):
    assert np.isnan(answer(CHANCE, Proba(said)).value).all()


def test_a_predict_within_0_and_1_is_a_chance_and_one_beyond_is_none():
    given = answer(CHANCE, Says([0.25, 1.2, -0.1])).value
    assert given[0] == 0.25
    assert np.isnan(given[1:]).all()
    assert answer(CHANCE, Says([1 + 1e-12, 0.0, 1.0])).value[0] == 1.0  # rounding is no mistake


def test_class_shares_go_to_their_labels_whatever_order_the_learner_has():
    shape = Shape(kind="shares", labels=("a", "b", "c"))
    given = answer(shape, Proba([[0.7, 0.3], [0.4, 0.6], [0.5, 0.5]], classes=("c", "a")))
    assert given.values.tolist() == [[0.3, 0.0, 0.7], [0.6, 0.0, 0.4], [0.5, 0.0, 0.5]]
    assert given.value.tolist() == [0.7, 0.6, 0.5]


def test_a_class_nobody_knows_and_shares_that_do_not_add_up_are_no_answers():
    shape = Shape(kind="shares", labels=("a", "b"))
    assert np.isnan(answer(shape, Proba([[0.5, 0.5]] * 3, classes=("a", "z"))).value).all()
    assert np.isnan(answer(shape, Proba([[0.5, 0.1]] * 3, classes=("a", "b"))).value).all()


def test_a_learner_that_says_labels_is_sure_of_them():
    shape = Shape(kind="shares", labels=("a", "b"))
    given = answer(shape, Says(["b", "a", "?"]))
    assert given.values[:2].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert np.isnan(given.value[2])


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=8))
def test_quantiles_never_cross(levels):
    given = answers_in_quantiles(Shape(kind="quantiles", levels=(0.1, 0.5, 0.9)), np.array(levels))
    assert (np.diff(given.values, axis=1) >= 0).all()
    assert given.value.tolist() == np.median(levels, axis=1).tolist()


def test_a_quantile_that_is_missing_takes_its_question_with_it():
    shape = Shape(kind="quantiles", levels=(0.1, 0.9))
    given = answer(shape, {0.1: Says([1.0, np.nan, 3.0]), 0.9: Says([2.0, 5.0, 4.0])})
    assert given.values[0].tolist() == [1.0, 2.0]
    assert np.isnan(given.values[1]).all()


def test_each_step_is_answered_by_itself_and_the_steps_of_one_question_become_one_path():
    shape = Shape(kind="quantiles", levels=(0.5,), steps=3)
    given = answers_in_quantiles(shape, np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]))
    assert (given.shape.steps, given.values.tolist()) == (1, [[1], [2], [3], [4], [5], [6]])
    whole = paths(given, 3)
    assert whole.values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert whole.value.tolist() == [6.0, 15.0]
    with pytest.raises(ValueError, match="not 3 for each question"):
        paths(given.take(np.arange(4)), 3)


@given(
    st.integers(1, 4), st.integers(2, 5), st.lists(st.floats(0, 1e6), min_size=20, max_size=20), st.sampled_from(["number", "chance"])
)  # fmt: skip
@settings(max_examples=30)
def test_a_path_in_the_log_taken_apart_again_says_of_each_step_what_was_answered(count, steps, said, kind):
    value = np.array(said[: count * steps]) / (1e6 if kind == "chance" else 1)
    logged = paths(Answers(Shape(kind=kind), value), steps).to_arrow().cast(ANSWER)
    known = [json.dumps({"step": list(range(1, steps + 1))})] * count
    rows = pa.table({"id": list(map(str, range(count))), "answer": logged, "features": known})
    found = in_steps(rows, Shape(kind=kind, steps=steps))
    assert Answers.from_arrow(Shape(kind=kind), found.column("answer")).value.tolist() == value.tolist()
    assert found.column("step").to_pylist() == [json.loads(one)["step"] for one in found.column("features").to_pylist()]
    assert len(set(found.column("id").to_pylist())) == count * steps


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), max_size=30), st.integers(1, 5))
@settings(max_examples=50)
def test_the_best_items_of_each_question_are_its_highest_scores(candidates, most):
    candidates = sorted(candidates, key=lambda c: c[0])
    rows = pa.table({"question": [q for q, _ in candidates], "item": [f"i{n}" for n in range(len(candidates))]})
    given = answers_in_order(Shape(kind="ranking", most=most), np.array([s for _, s in candidates]), rows)
    for question, scores in zip(dict.fromkeys(q for q, _ in candidates), given.scores, strict=True):
        assert list(scores) == sorted((s for q, s in candidates if q == question), reverse=True)[:most]


def test_no_rows_are_no_answers():
    for shape in (
        NUMBER,
        CHANCE,
        Shape(kind="ranking", most=2),
        Shape(kind="quantiles", levels=(0.5,)),
        Shape(kind="shares", labels=("a",)),
    ):
        given = Predictor(shape, Feed(("a",)), learners.Mean()).answer(ROWS.slice(0, 0))
        assert len(given) == len(nothing(shape, 0)) == 0
        assert Answers.from_arrow(shape, given.to_arrow()).shape == shape


def test_a_learner_that_raises_says_so_with_its_name():
    class Breaks:
        def predict(self, X):
            raise KeyError("x")

    with pytest.raises(LearnerFailed, match=r"Breaks\.predict raised KeyError"):
        answer(NUMBER, Breaks())


def test_a_missing_feature_is_named():
    with pytest.raises(Unknown, match="no column 'a'"):
        answer(NUMBER, Says([1.0]), pa.table({"b": [1.0]}))


@pytest.mark.parametrize("fed_as", ["arrow", "pandas"])
def test_a_category_never_seen_in_training_is_a_missing_one(fed_as):
    kinds = ["tea", "coffee", None] * 40
    table = pa.table({"kind": kinds, "price": np.arange(120.0)})
    y = np.array([{"tea": 1.0, "coffee": 5.0, None: 9.0}[k] for k in kinds])
    feed = feed_of(table, ["kind", "price"], fed_as)
    assert fed_as == "pandas" or fed(table, feed).column("kind").null_count == 0  # scikit-learn 1.9 takes a null for its last category
    fitted = HistGradientBoostingRegressor(max_iter=50, min_samples_leaf=5).fit(fed(table, feed), y)
    predictor = Predictor(NUMBER, feed, fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = predictor.answer(pa.table({"kind": ["tea", "wine", None], "price": [3.0] * 3})).value
    assert said[1] == said[2]
    assert abs(said[0] - 1.0) < 0.5 < abs(said[1] - said[0])


@pytest.mark.parametrize("fed_as", ["arrow", "pandas"])
def test_a_category_that_was_never_missing_in_training_may_be_missing_in_service(fed_as):
    table = pa.table({"kind": ["tea", "coffee"] * 60})
    feed = feed_of(table, ["kind"], fed_as)
    fitted = HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5).fit(fed(table, feed), np.tile([1.0, 5.0], 60))
    said = Predictor(NUMBER, feed, fitted).answer(pa.table({"kind": ["tea", "wine", None]})).value
    assert said[1] == said[2]


def test_codes_do_not_depend_on_what_this_table_happens_to_hold():
    """Rejects a vocabulary learnt anew from each request."""
    feed = feed_of(pa.table({"kind": ["a", "b", "c"]}), ["kind"], "arrow")
    first, second = (fed(pa.table({"kind": kinds}), feed).column("kind").combine_chunks() for kinds in (["c", "b"], ["c"]))
    assert first.indices[0] == second.indices[0]
    dictionary = pa.table({"kind": pa.array(["c"]).dictionary_encode()})
    assert fed(dictionary, feed).column("kind").combine_chunks().indices.to_pylist() == [2]


def test_categories_and_texts_are_refused_for_numbers():
    table = pa.table({"kind": ["a"], "body": ["long words"]})
    with pytest.raises(LearnerFailed, match=r'kind is a category, and the learner is fed numbers\. Say fed_as="arrow"'):
        feed_of(table, ["kind"])
    with pytest.raises(LearnerFailed, match="body is a text"):
        feed_of(table, ["body"], texts=["body"])


@pytest.mark.parametrize("fed_as", ["arrow", "pandas"])
def test_an_empty_text_is_an_empty_string(fed_as):
    feed = feed_of(pa.table({"body": ["garden", None]}), ["body"], fed_as, texts=["body"])
    X = fed(pa.table({"body": [None, "quiet"]}), feed)
    assert list(X["body"]) == ["", "quiet"] if fed_as == "pandas" else X.column("body").to_pylist() == ["", "quiet"]


def test_numbers_are_float64_in_c_order_with_nan_for_empty():
    X = fed(pa.table({"a": pa.array([1, None], pa.int64()), "b": [True, False], "c": pa.nulls(2)}), Feed(("b", "a", "c")))
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert np.array_equal(X, [[1.0, 1.0, np.nan], [0.0, np.nan, np.nan]], equal_nan=True)


def test_empty_numbers_in_arrow_are_nan_and_never_null():
    X = fed(pa.table({"a": pa.array([1.0, None])}), Feed(("a",), "arrow"))
    assert X.column("a").null_count == 0
    assert np.isnan(X.column("a").to_pylist()[1])


def test_one_row_is_fed_as_a_table_of_many_is():
    feed = feed_of(pa.table({"kind": ["a", "b"], "price": [1.0, 2.0]}), ["kind", "price"], "arrow")
    assert fed(row({"price": 2.0, "kind": "b"}, feed), feed) == fed(pa.table({"kind": ["a", "b"], "price": [1.0, 2.0]}).slice(1), feed)


def test_a_label_only_one_side_knows_has_no_share_on_the_other():
    one = Answers(Shape(kind="shares", labels=("b",)), np.array([1.0, np.nan]), values=np.array([[1.0], [np.nan]]))
    given = relabelled(one, ("a", "b"))
    assert given.shape.labels == ("a", "b")
    assert given.values[0].tolist() == [0.0, 1.0]
    assert np.isnan(given.values[1]).all()
