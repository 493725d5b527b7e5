from __future__ import annotations

import numpy as np
import pytest

from everloop.stats.label_shift import label_shift


def seen(shares, n, seed):
    """Answers of a classifier that errs as it errs, whatever is common: (answered, true)."""
    rng = np.random.default_rng(seed)
    errs = np.array([[0.8, 0.1, 0.1], [0.15, 0.7, 0.15], [0.05, 0.15, 0.8]])
    true = rng.choice(3, n, p=shares)
    return np.array([rng.choice(3, p=errs[t]) for t in true]), true


def test_it_finds_how_common_each_label_has_become():
    said, true = seen([0.6, 0.3, 0.1], 4000, 1)
    confusion = np.zeros((3, 3))
    np.add.at(confusion, (said, true), 1)
    saying, now = seen([0.05, 0.05, 0.9], 4000, 2)
    found = label_shift(confusion, np.bincount(saying, minlength=3))
    shares = found.weights * confusion.sum(axis=0) / confusion.sum()
    real = np.bincount(now, minlength=3) / 4000
    assert shares == pytest.approx(real, abs=0.06)
    assert np.abs(np.bincount(saying, minlength=3) / 4000 - real).max() > 0.05  # the answers themselves are further off


def test_answers_that_say_little_of_the_truth_say_that_they_cannot_tell():
    guess = np.array([[0.5, 0.5], [0.5, 0.5]]) + 1e-3 * np.eye(2)
    found = label_shift(guess, np.array([0.7, 0.3]))
    assert found.weights is None
    assert found.condition > 30
    assert label_shift(np.array([[10, 0], [5, 0]]), np.array([1, 1])).weights is None


def test_nothing_shifted_is_weight_one_and_no_weight_lies_below_nothing():
    confusion = np.array([[70, 10], [5, 15]])
    assert label_shift(confusion, confusion.sum(axis=1)).weights == pytest.approx([1, 1])
    few = label_shift(confusion, np.array([0.94, 0.06])).weights
    assert (few >= 0).all()
    assert float((few * confusion.sum(axis=0)).sum()) == pytest.approx(100)


def test_answers_no_mixture_of_labels_could_bring_about_say_that_they_cannot_tell():
    assert label_shift(np.array([[70, 10], [5, 15]]), np.array([0.0, 1.0])).weights is None


@pytest.mark.parametrize(("confusion", "answered"), [([[1, 2]], [1, 1]), ([[1, -1], [1, 1]], [1, 1]), ([[1, 0], [0, 1]], [0, 0])])
def test_bad_counts_are_refused(confusion, answered):
    with pytest.raises(ValueError, match="none negative"):
        label_shift(np.array(confusion), np.array(answered))
