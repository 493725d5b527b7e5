"""scikit-learn's scorers as measures: the same figures as its own, whole and drawn anew; the table knows every name and kind."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle
from tests.stats.shop import chances, numbers, words

from everloop.project.scorers import SCORERS as TABLE
from everloop.records import Shape
from everloop.stats.measures import measure
from everloop.stats.scorers import SCORERS
from everloop.stats.shapes import Answers
from everloop.stats.whole import Whole

RNG = np.random.default_rng(11)
N = 400
Y = RNG.gamma(2.0, 4.0, N)
SAID = Y * RNG.lognormal(0, 0.4, N)
YES = (RNG.random(N) < 0.3).astype(float)
CHANCE = np.clip(0.35 + 0.4 * (YES - 0.3) + RNG.normal(0, 0.2, N), 0.01, 0.99).round(2)
LABELS = ("a", "b", "c", "d")
TRUE = RNG.choice(LABELS, N, p=[0.5, 0.25, 0.15, 0.1])
SHARES = RNG.dirichlet(np.ones(4), N) + 1.5 * (TRUE[:, None] == np.array(LABELS)) * RNG.random((N, 1))
SHARES = SHARES / SHARES.sum(axis=1, keepdims=True)
WEIGHTS = RNG.integers(0, 4, N).astype(float)
LEFT_OUT = {
    # groupings held against groupings
    "adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score", "homogeneity_score",
    "mutual_info_score", "normalized_mutual_info_score", "rand_score", "v_measure_score",
    # several labels at once
    "f1_samples", "jaccard_samples", "precision_samples", "recall_samples",
    # ours, under the very same names and with the same figures
    "accuracy", "precision", "recall",
}  # fmt: skip


class Said:
    """A fitted thing that says what it was made with, as scikit-learn's scorers ask it."""

    def __init__(self, kind, values, classes=None):
        self.kind, self.values, self._estimator_type = kind, values, "regressor" if kind == "number" else "classifier"
        if classes is not None:
            self.classes_ = np.array(classes)

    def __sklearn_tags__(self):
        from sklearn.base import BaseEstimator
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = BaseEstimator().__sklearn_tags__()
        tags.estimator_type = self._estimator_type
        if self.kind == "number":
            tags.regressor_tags = RegressorTags()
        else:
            tags.classifier_tags = ClassifierTags()
        return tags

    def fit(self, X, y):
        return self

    def predict(self, X):
        if self.kind == "number":
            return self.values[X]
        return self.values[X, 1] > 0.5 if self.kind == "chance" else np.array(LABELS)[self.values[X].argmax(axis=1)]

    def predict_proba(self, X):
        return self.values[X]


def theirs(name, kind, rows, weights=None):
    """What scikit-learn's own scorer says of these rows."""
    model = {
        "number": lambda: Said("number", SAID),
        "chance": lambda: Said("chance", np.column_stack([1 - CHANCE, CHANCE]), (False, True)),
        "shares": lambda: Said("shares", SHARES, LABELS),
    }[kind]()
    truth = {"number": Y, "chance": YES > 0.5, "shares": TRUE}[kind][rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return oracle.get_scorer(name)(model, rows, truth, **({} if weights is None else {"sample_weight": weights}))


def answers_of(kind):
    if kind == "number":
        return Y, numbers(SAID)
    if kind == "chance":
        return YES, chances(CHANCE)
    return words(TRUE), Answers(Shape(kind="shares", labels=LABELS), SHARES.max(axis=1), values=SHARES)


EACH = [(name, kind) for name, scorer in TABLE.items() for kind in scorer.kinds]


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_a_scorer_says_what_scikit_learns_own_says(name, kind):
    truth, answers = answers_of(kind)
    assert measure(name).value(truth, answers) == pytest.approx(theirs(name, kind, np.arange(N)), rel=1e-9)


ORDERED = {
    "average_precision",
    "roc_auc",
    "roc_auc_ovr",
    "roc_auc_ovr_weighted",
    "roc_auc_ovo",
    "roc_auc_ovo_weighted",
    "d2_absolute_error_score",
}


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_rows_drawn_anew_are_measured_as_scikit_learn_measures_them(name, kind):
    """By terms worked out once, as an interval works them out: exact, and to first order where it is said so."""
    truth, answers = answers_of(kind)
    one = measure(name)
    if isinstance(one, Whole):
        drawn = one.value(truth, answers, WEIGHTS)
        rows = np.repeat(np.arange(N), WEIGHTS.astype(int))
        assert drawn == pytest.approx(theirs(name, kind, rows), rel=1e-9)
        return
    terms = one.rows(truth, answers, np.ones(N))
    rows = np.repeat(np.arange(N), WEIGHTS.astype(int))
    drawn, whole = float(one.finish((terms * WEIGHTS[:, None]).sum(axis=0))), one.value(truth, answers)
    due = theirs(name, kind, rows)
    if name not in ORDERED:
        assert drawn == pytest.approx(due, rel=1e-9)
    else:
        assert abs(drawn - due) < max(0.25 * abs(whole - due), 2e-3)


@pytest.mark.parametrize("name", sorted(ORDERED))
def test_terms_of_order_follow_a_small_change_of_weights_to_first_order(name):
    """Rejects terms that say the whole for every row: they would not move at all."""
    (kind,) = TABLE[name].kinds
    truth, answers = answers_of(kind)
    one = measure(name)
    nudged = 1 + 1e-4 * RNG.normal(size=N)
    terms = one.rows(truth, answers, np.ones(N))
    moved = float(one.finish((terms * nudged[:, None]).sum(axis=0))) - one.value(truth, answers)
    if name == "d2_absolute_error_score":
        due = float(one.finish((one.rows(truth, answers, nudged) * nudged[:, None]).sum(axis=0))) - one.value(truth, answers)
    else:
        due = (
            theirs(name, kind, np.arange(N), nudged) - theirs(name, kind, np.arange(N))
            if name in WEIGHED
            else exact(one, truth, answers, nudged)
        )
    assert moved != 0
    assert moved == pytest.approx(due, rel=0.02, abs=1e-9)


WEIGHED = {"average_precision", "roc_auc", "roc_auc_ovr"}  # which take weights there


def exact(one, truth, answers, weights):
    return float(one.finish((one.rows(truth, answers, weights) * weights[:, None]).sum(axis=0))) - one.value(truth, answers)


def test_every_scorer_of_scikit_learn_is_there_or_left_out_for_a_reason():
    assert set(oracle.get_scorer_names()) == set(TABLE) | LEFT_OUT
    assert not set(TABLE) & LEFT_OUT


def test_both_tables_say_the_same():
    assert {name: m.kinds for name, m in SCORERS.items()} == {name: s.kinds for name, s in TABLE.items()}
    assert {name for name, m in SCORERS.items() if isinstance(m, Whole)} == {name for name, s in TABLE.items() if s.whole}
    assert all(m.better == "higher" for m in SCORERS.values())


def test_a_truth_no_answer_knows_counts_as_a_class_of_its_own():
    truth = np.array(["a", "b", "z"], dtype=object)
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    answers = Answers(Shape(kind="shares", labels=("a", "b")), shares.max(axis=1), values=shares)
    assert measure("balanced_accuracy").value(truth, answers) == pytest.approx(2 / 3)
    assert measure("f1_macro").value(truth, answers) == pytest.approx(oracle.f1_score(["a", "b", "z"], ["a", "b", "a"], average="macro"))


def test_what_cannot_be_worked_out_is_nothing():
    assert measure("average_precision").value(np.zeros(9), chances(np.linspace(0.1, 0.9, 9))) is None
    assert measure("neg_mean_gamma_deviance").value(np.array([0.0, 1.0]), numbers([1.0, 1.0])) is None
    assert measure("r2").value(np.array([2.0, 2.0]), numbers([1.0, 2.0])) is None
