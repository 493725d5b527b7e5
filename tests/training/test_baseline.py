"""Champion number zero: the past, the average, or whom the user gave."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import training_learners as learners
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from training_tables import NOW, Shelf, chance, number, ranking, shares, table_of, training_set_of

from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.records import Shape
from everloop.training import baseline, load_baseline
from everloop.training.baseline import average, calibrated, leaning, past

CHANCE = Shape(kind="chance")


def zero(model, table, training_set="its own", **words):
    shelf = Shelf()
    record = training_set_of(table) if training_set == "its own" else training_set
    candidate = baseline(model, table, record, id="b0", now=NOW, save=shelf.save)
    return candidate, load_baseline(candidate, shelf.open, **words), shelf


def test_the_past_repeats_itself():
    table = table_of(number(learners.Mean()))
    candidate, predictor, _ = zero(number(learners.Mean()), table)
    assert candidate.format == "baseline"
    assert candidate.columns == ("baseline",)
    assert predictor.answer(table).value.tolist() == table.column("baseline").to_pylist()


def test_without_a_past_it_is_the_average_truth_of_the_rows_that_may_be_learnt_from():
    table = table_of(number(learners.Mean())).drop_columns(["baseline"])
    learnt = training_set_of(table).learn_rows
    _, predictor, _ = zero(number(learners.Mean()), table)
    assert np.allclose(predictor.answer(table).value, np.mean(table.column("truth").to_pylist()[:learnt]))


def test_a_chance_says_how_often_a_past_like_that_came_true():
    model = chance(learners.Mean())
    table = table_of(model)
    _, predictor, _ = zero(model, table)
    said = predictor.answer(pa.table({"baseline": [0.0, 1.0, None]})).value
    learnt = table.slice(0, training_set_of(table).learn_rows).to_pandas()
    for at in (0, 1):
        assert abs(said[at] - learnt[learnt.baseline == at].truth.mean()) < 0.03
    assert said[0] < said[2] < said[1]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=200))
def test_calibration_never_falls_and_is_never_certain(rows):
    said, truth = np.array([s for s, _ in rows]), np.array([float(t) for _, t in rows])
    points = calibrated(said, truth, 0.3)
    chances = [c for _, c in points]
    assert chances == sorted(chances)
    assert [s for s, _ in points] == sorted(s for s, _ in points)
    assert all(0 < c < 1 for c in chances)


def test_a_past_that_speaks_for_the_opposite_is_not_followed():
    """Rejects a calibration that is not monotone: it would turn a misleading past round."""
    rows = pa.table({"baseline": [0.0] * 50 + [1.0] * 50, "truth": [1.0] * 50 + [0.0] * 50})
    low, high = (c for _, c in past(CHANCE, rows).points)
    assert low == high == pytest.approx(0.5)


def test_quantiles_are_the_past_and_how_far_it_was_off():
    shape = Shape(kind="quantiles", levels=(0.1, 0.5, 0.9))
    rng = np.random.default_rng(0)
    before = rng.gamma(2.0, 5.0, 4000) + 30
    table = pa.table({"baseline": before, "truth": before + rng.normal(size=4000)})
    given = past(shape, table).answer(table)
    covered = [np.mean(table.column("truth").to_numpy() <= given.values[:, q]) for q in range(3)]
    assert np.allclose(covered, [0.1, 0.5, 0.9], atol=0.02)
    assert past(shape, table).answer(pa.table({"baseline": [0.0]})).values.min() >= 0.0


def test_a_list_is_what_was_had_most():
    model = ranking(learners.Mean())
    table = table_of(model)
    _, predictor, _ = zero(model, table)
    given = predictor.answer(table)
    assert set(given.items) == {("i0", "i1")}
    assert len(given) == len(set(table.column("question").to_pylist()))
    assert average(model.shape, table).answer(table.slice(0, 6)).items[0][0].startswith("i")


def test_class_shares_are_how_often_each_class_came_up():
    model = shares(learners.Mean())
    table = table_of(model)
    candidate, predictor, _ = zero(model, table)
    assert candidate.shape.labels == ("a", "b", "c")
    assert np.isclose(predictor.answer(table.slice(0, 1)).values.sum(), 1.0)


@pytest.mark.parametrize("make", [number, chance, shares, ranking])
def test_there_is_a_champion_before_anything_is_known(make):
    model = make(learners.Mean())
    table = table_of(model)
    _, predictor, _ = zero(model, table.slice(0, 0), None)
    given = predictor.answer(table)
    if make is number:
        assert given.value.tolist() == table.column("baseline").to_pylist()
    if make is chance:
        assert (given.value == 0.5).all()
    if make is shares:
        assert np.isnan(given.value).all()
    if make is ranking:
        assert set(given.items) == {("i0", "i1")}


def test_an_object_with_predict_is_asked_as_a_learner_would_be():
    given = LinearRegression().fit([[0.0, 0.0], [1.0, 0.0]], [0.0, 3.0])
    model = number(learners.Mean(), baseline=given)
    table = table_of(model, empty=False)
    candidate, predictor, shelf = zero(model, table, given=given)
    assert np.allclose(predictor.answer(table).value, 3 * table.column(model.columns[0]).to_numpy())
    assert candidate.columns == tuple(model.columns)
    with pytest.raises(LearnerFailed, match="no longer says"):
        load_baseline(candidate, shelf.open)


def test_a_baseline_that_leans_on_an_object_asks_that_object():
    given = LinearRegression().fit([[0.0, 0.0], [1.0, 0.0]], [0.0, 3.0])
    model = number(learners.Mean(), baseline=given)
    candidate, predictor, shelf = zero(model, table_of(model, empty=False), given=given)
    one = model.but("one", baseline=model)
    other = one.but("other", baseline=one)
    first = leaning(one, candidate, named="m@0", id="b1", now=NOW)
    second = leaning(other, first, named="one@0", id="b2", now=NOW)
    assert (second.format, second.stored, second.learner) == ("baseline", None, f"one@0, m@0, {candidate.learner}")
    table = table_of(model, empty=False)
    assert np.array_equal(load_baseline(second, shelf.open, given=one).answer(table).value, predictor.answer(table).value)


def test_bytes_that_were_changed_are_seen():
    candidate, _, shelf = zero(number(learners.Mean()), table_of(number(learners.Mean())))
    for body in (b"", shelf.bodies[candidate.artefact][:-1], b"[]"):
        with pytest.raises(ArtefactBroken):
            load_baseline(candidate, lambda sha, body=body: body)


def test_nan_in_the_past_is_no_answer():
    table = pa.table({"baseline": [np.nan, np.inf, 1.0], "truth": [1.0, 1.0, 1.0]})
    assert np.isnan(past(Shape(kind="number"), table).answer(table).value).tolist() == [True, True, False]


def test_what_everybody_buys_is_cut_after_the_rules():
    lists = pa.table({"question": [0, 1, 2], "item": ["a", "a", "a"], "truth": [["a", "b", "c"], ["a", "b"], ["a"]]})
    said = average(Shape(kind="ranking", most=2), lists)
    asked = pa.table({"question": [0, 0, 1, 1, 1], "item": ["b", "c", "a", "b", "c"]})
    assert said.answer(asked).items == (("b", "c"), ("a", "b"))
    assert said.answer(pa.table({"question": [0]})).items == (("a", "b"),)
