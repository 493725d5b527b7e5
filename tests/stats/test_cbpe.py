from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from everloop.records import Shape
from everloop.stats.cbpe import AS_IT_IS, calibration, expected, expected_of_shares, isotonic
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers

MEASURES = ("accuracy", "auc", "brier", "logloss", "precision", "recall")


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_curve_is_that_of_scikit_learn(rows):
    scores, happened = np.array([s / 20 for s, _ in rows]), np.array([float(y) for _, y in rows])
    asked = np.linspace(-0.2, 1.2, 29)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, happened).predict(asked)
    assert isotonic(scores, happened).of(asked) == pytest.approx(theirs, abs=1e-12)


def world(n, seed=1, sharpen=2.0):
    """Chances, and scores that are too sure of themselves."""
    chance = np.random.default_rng(seed).beta(1.5, 3, n)
    odds = (chance / (1 - chance)) ** sharpen
    return chance, odds / (1 + odds)


@pytest.mark.parametrize("name", MEASURES)
def test_it_foresees_the_measure_and_its_deviation(name):
    chance, scores = world(2000)
    found = expected(name, chance, scores, scores > 0.4)
    rng = np.random.default_rng(2)
    answers = Answers(Shape(kind="chance", yes_above=0.4), scores)
    drawn = np.array([measure(name).value((rng.random(2000) < chance).astype(float), answers) for _ in range(300)])
    assert found.value == pytest.approx(drawn.mean(), abs=4 * found.sd / np.sqrt(300) + 0.002)
    assert found.sd == pytest.approx(drawn.std(), rel=0.2)


def test_scores_that_are_too_sure_are_made_true_first():
    chance, scores = world(6000)
    happened = (np.random.default_rng(3).random(6000) < chance).astype(float)
    curve = calibration(scores[:4000], happened[:4000])
    real = measure("logloss").value(happened[4000:], Answers(Shape(kind="chance"), scores[4000:]))
    made = expected("logloss", np.clip(curve.of(scores[4000:]), 0, 1), scores[4000:], scores[4000:] > 0.5)
    taken_as_said = expected("logloss", scores[4000:], scores[4000:], scores[4000:] > 0.5)
    assert abs(made.value - real) < 3 * made.sd
    assert abs(taken_as_said.value - real) > 6 * made.sd


def test_scores_that_are_true_are_left_as_they_are():
    chance = np.random.default_rng(5).random(300)
    happened = (np.random.default_rng(6).random(300) < chance).astype(float)
    assert calibration(chance, happened) is AS_IT_IS
    assert calibration(chance, np.ones(300)) is AS_IT_IS
    assert calibration(chance[:5], happened[:5]) is AS_IT_IS


def test_class_shares_are_foreseen():
    rng = np.random.default_rng(7)
    chances = rng.dirichlet([1, 1, 2], 3000)
    label = np.array([rng.choice(3, p=row) for row in chances])
    found = expected_of_shares("accuracy", chances, chances)
    assert found.value == pytest.approx(float((chances.argmax(axis=1) == label).mean()), abs=4 * found.sd)
    found = expected_of_shares("logloss", chances, chances)
    assert found.value == pytest.approx(float(-np.log(chances[np.arange(3000), label]).mean()), abs=4 * found.sd)
    assert expected_of_shares("auc", chances, chances) is None


def test_what_cannot_be_told_is_none_and_what_is_wrong_is_refused():
    half = np.full(10, 0.5)
    assert expected("wape", half, half, half > 0) is None
    assert expected("auc", half[:0], half[:0], half[:0] > 0) is None
    assert expected("auc", np.ones(10), half, half > 0) is None  # nobody says no
    assert expected("precision", half, half, half > 1) is None  # nobody is told yes
    with pytest.raises(ValueError, match="NaN"):
        isotonic(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(ValueError, match="0 scores"):
        isotonic(np.zeros(0), np.zeros(0))
