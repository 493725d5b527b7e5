"""scikit-learn's scorers as measures: the same figures, from sums over rows, so that they have intervals. Arrays in, numbers out.

Figures agree with scikit-learn's own to rounding. Most are exact functions of sums, however rows are weighted. Those of order
(``average_precision``, ``roc_auc_…``) and ``d2_absolute_error_score`` are exact for the whole, and their terms give the
first-order change when rows are weighted anew, as ``auc`` does. A class that was never answered and never true counts nowhere; truths of
classes no answer knows are one class. ``neg_max_error`` and ``neg_median_absolute_error`` are ``whole.Whole``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.records import Kind
from everloop.stats.known import as_floats
from everloop.stats.measures import EPS, Measure, Truth, chance_of_truth, placements, says_yes
from everloop.stats.shapes import Answers, Floats
from everloop.stats.whole import Whole

Codes: TypeAlias = NDArray[np.int64]
Finish: TypeAlias = Callable[[Floats], Floats]

NUMBER: tuple[Kind, ...] = ("number",)
CHANCE: tuple[Kind, ...] = ("chance",)
SHARES: tuple[Kind, ...] = ("shares",)
EITHER: tuple[Kind, ...] = ("chance", "shares")
TOP = 2  # of top_k_accuracy, as scikit-learn has it


def _over(top: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below != 0, top / below, np.nan))


def _or_zero(top: Floats, below: Floats) -> Floats:
    """A share of nothing is 0, as scikit-learn has it."""
    return np.nan_to_num(_over(top, below), nan=0.0)


# -- numbers -------------------------------------------------------------------------------------------------------------------------


def _mean_of(loss: Callable[[Floats, Floats], Floats]) -> Callable[[Truth, Answers, Floats], Floats]:
    return partial(_losses, loss)


def _losses(loss: Callable[[Floats, Floats], Floats], truth: Truth, answers: Answers, _: Floats) -> Floats:
    y = as_floats(truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([loss(y, answers.value), np.ones(len(y))])


def _negated(sums: Floats) -> Floats:
    return -_over(sums[..., 0], sums[..., 1])


def _negated_root(sums: Floats) -> Floats:
    return -np.sqrt(_over(sums[..., 0], sums[..., 1]))


def _absolute(y: Floats, said: Floats) -> Floats:
    return np.abs(y - said)


def _squared(y: Floats, said: Floats) -> Floats:
    return np.asarray((y - said) ** 2)


def _percentage(y: Floats, said: Floats) -> Floats:
    return np.abs(y - said) / np.maximum(np.abs(y), EPS)


def _squared_log(y: Floats, said: Floats) -> Floats:
    return np.where((y > -1) & (said > -1), (np.log1p(y) - np.log1p(said)) ** 2, np.nan)


def _poisson(y: Floats, said: Floats) -> Floats:
    return np.where((y >= 0) & (said > 0), 2 * (np.where(y > 0, y * np.log(y / said), 0.0) - y + said), np.nan)


def _gamma(y: Floats, said: Floats) -> Floats:
    return np.where((y > 0) & (said > 0), 2 * (np.log(said / y) + y / said - 1), np.nan)


def _moments(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    """Error, its square, the truth off its mean, its square, and one."""
    y = as_floats(truth)
    off, error = y - np.average(y, weights=weights), y - answers.value
    return np.column_stack([error, error**2, off, off**2, np.ones(len(y))])


def _r2(sums: Floats) -> Floats:
    return 1 - _over(sums[..., 1], sums[..., 3] - _over(sums[..., 2] ** 2, sums[..., 4]))


def _explained(sums: Floats) -> Floats:
    left = sums[..., 1] - _over(sums[..., 0] ** 2, sums[..., 4])
    return 1 - _over(left, sums[..., 3] - _over(sums[..., 2] ** 2, sums[..., 4]))


def _beside_median(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    """Absolute errors, and those of the median of the truths; to first order it does not matter that the median moves."""
    y = as_floats(truth)
    order = np.argsort(y)
    reached = np.cumsum(weights[order])
    middle = y[order][np.searchsorted(reached, reached[-1] / 2)]
    return np.column_stack([np.abs(y - answers.value), np.abs(y - middle)])


def _one_less_ratio(sums: Floats) -> Floats:
    return 1 - _over(sums[..., 0], sums[..., 1])


# -- yes and no, and classes ---------------------------------------------------------------------------------------------------------


def classes(truth: Truth, answers: Answers) -> tuple[Codes, Codes, int]:
    """What was true and what was said as numbers 0…, and how many classes there are; the last is whatever no answer knows."""
    if answers.shape.kind == "chance":
        return (as_floats(truth) > 0.5).astype(np.int64), says_yes(answers).astype(np.int64), 2
    assert answers.values is not None
    labels = answers.shape.labels
    place = {label: i for i, label in enumerate(labels)}
    true = np.array([place.get(str(t), len(labels)) for t in truth], dtype=np.int64)
    return true, answers.values.argmax(axis=1).astype(np.int64), len(labels) + 1


def _counts(truth: Truth, answers: Answers, _: Floats) -> Floats:
    """For each class: said rightly, true, said; (n, 3 x classes)."""
    true, said, count = classes(truth, answers)
    is_true, is_said = np.eye(count)[true], np.eye(count)[said]
    return np.concatenate([is_true * is_said, is_true, is_said], axis=1)


def _apart(sums: Floats) -> tuple[Floats, Floats, Floats]:
    right, true, said = np.split(np.asarray(sums), 3, axis=-1)
    return right, true, said


def _share(of: str, right: Floats, true: Floats, said: Floats) -> Floats:
    if of == "precision":
        return _or_zero(right, said)
    if of == "recall":
        return _or_zero(right, true)
    return _or_zero(2 * right, true + said) if of == "f1" else _or_zero(right, true + said - right)


def _of_yes(of: str, sums: Floats) -> Floats:
    return _share(of, *(part[..., 1] for part in _apart(sums)))


def _averaged(of: str, average: str, sums: Floats) -> Floats:
    right, true, said = _apart(sums)
    if average == "micro":
        return _share(of, right.sum(axis=-1), true.sum(axis=-1), said.sum(axis=-1))
    weights = true if average == "weighted" else ((true + said) > 0).astype(np.float64)
    return _over((_share(of, right, true, said) * weights).sum(axis=-1), weights.sum(axis=-1))


def _balanced(sums: Floats) -> Floats:
    right, true, _ = _apart(sums)
    there = true > 0
    return _over((_or_zero(right, true) * there).sum(axis=-1), there.sum(axis=-1).astype(np.float64))


def _matthews(sums: Floats) -> Floats:
    """For several classes: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient"."""
    right, true, said = _apart(sums)
    rows = true.sum(axis=-1)
    together = right.sum(axis=-1) * rows - (true * said).sum(axis=-1)
    return _or_zero(together, np.sqrt((rows**2 - (said**2).sum(axis=-1)) * (rows**2 - (true**2).sum(axis=-1))))


def _likelihood(of: str, sums: Floats) -> Floats:
    right, true, said = _apart(sums)
    hits, misses, alarms, quiet = right[..., 1], true[..., 1] - right[..., 1], said[..., 1] - right[..., 1], right[..., 0]
    if of == "yes":
        return _over(_over(hits, hits + misses), _over(alarms, alarms + quiet))
    return -_over(_over(misses, hits + misses), _over(quiet, alarms + quiet))


# -- chances -------------------------------------------------------------------------------------------------------------------------


def _with_classes(loss: Callable[[Truth, Answers], Floats], truth: Truth, answers: Answers, _: Floats) -> Floats:
    true, _said, count = classes(truth, answers)
    return np.column_stack([loss(truth, answers), np.eye(count)[true]])


def _log(truth: Truth, answers: Answers) -> Floats:
    return -np.log(chance_of_truth(truth, answers))


def _brier(truth: Truth, answers: Answers) -> Floats:
    if answers.shape.kind == "chance":
        return np.asarray((answers.value - as_floats(truth)) ** 2)
    assert answers.values is not None
    true, _, count = classes(truth, answers)
    return np.asarray(((np.pad(answers.values, ((0, 0), (0, 1))) - np.eye(count)[true]) ** 2).sum(axis=1))


def _brier_of_all(truth: Truth, answers: Answers) -> Floats:
    """Of a yes or no the squares of both sides, which are equal; scikit-learn takes half of it as the score."""
    return _brier(truth, answers) * (2 if answers.shape.kind == "chance" else 1)


def _negated_mean(sums: Floats) -> Floats:
    return -_over(sums[..., 0], sums[..., 1:].sum(axis=-1))


def _d2_log(sums: Floats) -> Floats:
    """Against an answer that always says how often each class is true."""
    rows = sums[..., 1:].sum(axis=-1, keepdims=True)
    shares = _or_zero(sums[..., 1:], rows)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)
    return 1 - _over(_over(sums[..., 0], rows[..., 0]), entropy)


def _d2_brier(sums: Floats) -> Floats:
    rows = sums[..., 1:].sum(axis=-1, keepdims=True)
    spread = 1 - (_or_zero(sums[..., 1:], rows) ** 2).sum(axis=-1)
    return 1 - _over(_over(sums[..., 0], rows[..., 0]), spread)


def _average_precision(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    """Each row's term is the whole and by how much the row moves it (the derivative by its weight), so that their mean is the whole."""
    yes = (as_floats(truth) > 0.5).astype(np.float64)
    scores, where = np.unique(-answers.value, return_inverse=True)  # highest first
    found = np.cumsum(np.bincount(where, weights * yes, len(scores)))
    asked = np.cumsum(np.bincount(where, weights, len(scores)))
    if found[-1] == 0:
        return np.full((len(yes), 2), np.nan)
    precise = found / np.where(asked > 0, asked, 1.0)
    here = np.bincount(where, weights * yes, len(scores))
    whole = float((here * precise).sum() / found[-1])
    # What a row adds to the precision at its own place and at every lower one.
    less = 1 / np.where(asked > 0, asked, 1.0)
    gain, cost = (np.cumsum((here * of)[::-1])[::-1] for of in (less, precise * less))
    moved = (yes * precise[where] + yes * gain[where] - cost[where] - yes * whole) / found[-1]
    return np.column_stack([whole + weights.sum() * moved, np.ones(len(yes))])


def _ratio(sums: Floats) -> Floats:
    return _over(sums[..., 0], sums[..., 1])


def _auc(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    return placements(as_floats(truth) > 0.5, answers.value, weights)


def _each_against_rest(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    true, _, count = classes(truth, answers)
    assert answers.values is not None
    return np.concatenate([_there(placements(true == k, answers.values[:, k], weights)) for k in range(count - 1)], axis=1)


def _each_against_each(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    true, _, count = classes(truth, answers)
    assert answers.values is not None
    parts = []
    for one in range(count - 1):
        for other in range(count - 1):
            if one != other:
                terms, both = np.zeros((len(true), 4)), (true == one) | (true == other)
                terms[both] = _there(placements(true[both] == one, answers.values[both, one], weights[both]))
                parts.append(terms)
    return np.concatenate(parts, axis=1) if parts else np.full((len(true), 4), np.nan)


def _there(terms: Floats) -> Floats:
    """A class that nothing can be told of (nobody, or everybody) has no terms."""
    return np.nan_to_num(terms, nan=0.0)


def _mean_area(by: str, sums: Floats) -> Floats:
    """The mean of areas, (…, 4 x areas); ``by``: equally, by how often the class is true, or by how often either of the two is."""
    parts = np.asarray(sums).reshape(*np.shape(sums)[:-1], -1, 4)
    areas = _over(parts[..., 0], parts[..., 1]) + _over(parts[..., 2], parts[..., 3])
    there = np.isfinite(areas)
    weights = {"equally": np.ones_like(areas), "class": parts[..., 1], "pair": parts[..., 1] + parts[..., 3]}[by] * there
    return _over((np.nan_to_num(areas) * weights).sum(axis=-1), weights.sum(axis=-1))


def _top(truth: Truth, answers: Answers, _: Floats) -> Floats:
    true, _said, _count = classes(truth, answers)
    assert answers.values is not None
    likeliest = np.argsort(answers.values, axis=1, kind="mergesort")[:, ::-1][:, :TOP]
    return np.column_stack([(likeliest == true[:, None]).any(axis=1).astype(np.float64), np.ones(len(true))])


# -- as a whole ----------------------------------------------------------------------------------------------------------------------


def _median_error(truth: Truth, answers: Answers) -> float:
    return -float(np.median(np.abs(as_floats(truth) - answers.value)))


def _largest_error(truth: Truth, answers: Answers) -> float:
    return -float(np.abs(as_floats(truth) - answers.value).max())


_LOSSES: dict[str, tuple[Callable[[Floats, Floats], Floats], Finish]] = {
    "neg_mean_absolute_error": (_absolute, _negated),
    "neg_mean_absolute_percentage_error": (_percentage, _negated),
    "neg_mean_squared_error": (_squared, _negated),
    "neg_root_mean_squared_error": (_squared, _negated_root),
    "neg_mean_squared_log_error": (_squared_log, _negated),
    "neg_root_mean_squared_log_error": (_squared_log, _negated_root),
    "neg_mean_poisson_deviance": (_poisson, _negated),
    "neg_mean_gamma_deviance": (_gamma, _negated),
}

SCORERS: dict[str, Measure] = {
    m.name: m
    for m in (
        *(Measure(name, NUMBER, "higher", _mean_of(loss), finish) for name, (loss, finish) in _LOSSES.items()),
        Measure("r2", NUMBER, "higher", _moments, _r2),
        Measure("explained_variance", NUMBER, "higher", _moments, _explained),
        Measure("d2_absolute_error_score", NUMBER, "higher", _beside_median, _one_less_ratio),
        Whole.of("neg_median_absolute_error", NUMBER, _median_error),
        Whole.of("neg_max_error", NUMBER, _largest_error),
        Measure("roc_auc", CHANCE, "higher", _auc, partial(_mean_area, "equally")),
        Measure("average_precision", CHANCE, "higher", _average_precision, _ratio),
        Measure("neg_log_loss", EITHER, "higher", partial(_with_classes, _log), _negated_mean),
        Measure("neg_brier_score", EITHER, "higher", partial(_with_classes, _brier), _negated_mean),
        Measure("d2_log_loss_score", EITHER, "higher", partial(_with_classes, _log), _d2_log),
        Measure("d2_brier_score", EITHER, "higher", partial(_with_classes, _brier_of_all), _d2_brier),
        Measure("balanced_accuracy", EITHER, "higher", _counts, _balanced),
        Measure("matthews_corrcoef", EITHER, "higher", _counts, _matthews),
        Measure("f1", CHANCE, "higher", _counts, partial(_of_yes, "f1")),
        Measure("jaccard", CHANCE, "higher", _counts, partial(_of_yes, "jaccard")),
        Measure("positive_likelihood_ratio", CHANCE, "higher", _counts, partial(_likelihood, "yes")),
        Measure("neg_negative_likelihood_ratio", CHANCE, "higher", _counts, partial(_likelihood, "no")),
        *(
            Measure(f"{of}_{average}", EITHER, "higher", _counts, partial(_averaged, of, average))
            for of in ("f1", "precision", "recall", "jaccard")
            for average in ("macro", "micro", "weighted")
        ),
        Measure("roc_auc_ovr", SHARES, "higher", _each_against_rest, partial(_mean_area, "equally")),
        Measure("roc_auc_ovr_weighted", SHARES, "higher", _each_against_rest, partial(_mean_area, "class")),
        Measure("roc_auc_ovo", SHARES, "higher", _each_against_each, partial(_mean_area, "equally")),
        Measure("roc_auc_ovo_weighted", SHARES, "higher", _each_against_each, partial(_mean_area, "pair")),
        Measure("top_k_accuracy", SHARES, "higher", _top, _ratio),
    )
}
