"""The table of measures: how well answers meet the truth. Arrays in, numbers out; no clock, no disk.

Every measure is worked out from a few sums over rows (``rows`` gives them, ``finish`` puts them together), so that a bootstrap is one
matrix product. AUC is no ratio of sums; it enters by its placements (DeLong, DeLong and Clarke-Pearson 1988), whose sums give the exact
AUC of the whole and its first-order change when rows are weighted anew.

Only questions that can be judged may be handed in (``known.comparable``); ``Measure.value`` leaves the others out by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.errors import Unknown
from everloop.records import Kind
from everloop.stats.known import answered, as_floats, known
from everloop.stats.shapes import Answers, Floats

Better: TypeAlias = Literal["lower", "higher", "zero"]
Truth: TypeAlias = NDArray[Any]
Rows: TypeAlias = Callable[[Truth, Answers, Floats], Floats]

EPS = float(np.finfo(np.float64).eps)  # a chance of exactly 0 or 1 that turns out wrong costs 36 nats, not infinity
TENTHS = 10


@dataclass(frozen=True)
class Measure:
    """One measure. ``rows(truth, answers, weights)`` gives (n, k) terms, ``finish`` makes (…,) values of their (…, k) sums.

    ``better`` says in which direction it is good. A measure of which nothing can be worked out (no row, no positive) is None.

    >>> from everloop.records import Shape
    >>> answers = Answers(Shape(kind="number"), np.array([8.0, 12.0, np.nan]))
    >>> measure("wape").value(np.array([10.0, 10.0, 10.0]), answers)
    0.2
    """

    name: str
    kinds: tuple[Kind, ...]
    better: Better
    rows: Rows
    finish: Callable[[Floats], Floats]
    folded: bool = False  # a distance: it cannot lie below 0, and chance alone makes it larger

    def parts(self, truth: Truth, answers: Answers) -> tuple[Floats, Floats]:
        """Numerator and denominator of each row, (n,) each, where the measure is a ratio of two sums (or the root of one)."""
        terms = self.rows(truth, answers, np.ones(len(answers)))
        if terms.shape[1] != 2:
            raise TypeError(f"{self.name} is no ratio of two sums; use rows and finish.")
        return terms[:, 0], terms[:, 1]

    def value(self, truth: Truth, answers: Answers, weights: Floats | None = None) -> float | None:
        """The measure over the questions that can be judged; ``weights`` (n,) count a row more than once or not at all."""
        judged = known(truth) & answered(answers)
        weights = np.ones(len(judged)) if weights is None else weights
        if not judged.any():
            return None
        w = weights[judged]
        terms = self.rows(truth[judged], answers.take(judged), w) * w[:, None]
        return number(self.finish(terms.sum(axis=0)))


def number(value: object) -> float | None:
    """A float, or None where it could not be worked out."""
    there = float(np.asarray(value))
    return there if np.isfinite(there) else None


# -- putting sums together -----------------------------------------------------------------------------------------------------------


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(sums[..., 1] != 0, sums[..., 0] / sums[..., 1], np.nan))


def _root(sums: Floats) -> Floats:
    return np.asarray(np.sqrt(_ratio(sums)))


def _two_ratios(sums: Floats) -> Floats:
    return np.asarray(_ratio(sums[..., :2]) + _ratio(sums[..., 2:]))


# -- what one row adds ---------------------------------------------------------------------------------------------------------------


def _pair(top: Any, below: NDArray[Any] | float = 1.0) -> Floats:
    return np.column_stack([top, np.broadcast_to(below, np.shape(top))]).astype(np.float64)


def _wape(truth: Truth, answers: Answers, _: Floats) -> Floats:
    y = as_floats(truth)
    return _pair(np.abs(y - answers.value), np.abs(y))


def _mae(truth: Truth, answers: Answers, _: Floats) -> Floats:
    return _pair(np.abs(as_floats(truth) - answers.value))


def _mse(truth: Truth, answers: Answers, _: Floats) -> Floats:
    return _pair((as_floats(truth) - answers.value) ** 2)


def _bias(truth: Truth, answers: Answers, _: Floats) -> Floats:
    y = as_floats(truth)
    return _pair(answers.value - y, np.abs(y))


def _mase(truth: Truth, answers: Answers, _: Floats) -> Floats:
    """In how many of the unit's own naive errors each answer lies from the truth; a unit whose naive forecast never erred counts not."""
    y = as_floats(truth)
    scale = np.full(len(y), np.nan) if answers.scale is None else answers.scale
    there = scale > 0
    return _pair(np.where(there, np.abs(y - answers.value) / np.where(there, scale, 1.0), 0.0), there)


def _auc(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    return placements(as_floats(truth) > 0.5, answers.value, weights)


def placements(yes: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """(n, 4): for a positive the share of negatives it outranks, for a negative the share of positives above it, less the AUC."""
    scores, where = np.unique(score, return_inverse=True)
    positives = np.bincount(where, weights * yes, len(scores))
    negatives = np.bincount(where, weights * ~yes, len(scores))
    if positives.sum() == 0 or negatives.sum() == 0:
        return np.full((len(yes), 4), np.nan)
    below = (np.cumsum(negatives) - negatives / 2) / negatives.sum()
    above = 1 - (np.cumsum(positives) - positives / 2) / positives.sum()
    auc = float((positives * below).sum() / positives.sum())
    return np.column_stack([yes * below[where], yes, ~yes * (above[where] - auc), ~yes]).astype(np.float64)


def chances(answers: Answers) -> Floats:
    """The chance of yes, kept away from 0 and 1 by one machine epsilon."""
    return np.clip(answers.value, EPS, 1 - EPS)


def chance_of_truth(truth: Truth, answers: Answers) -> Floats:
    """The chance each answer gave to what turned out true (n,); a label it does not know had none."""
    if answers.shape.kind == "chance":
        return np.where(as_floats(truth) > 0.5, chances(answers), 1 - chances(answers))
    assert answers.values is not None
    place = {label: i for i, label in enumerate(answers.shape.labels)}
    column = np.array([place.get(str(t), -1) for t in truth], dtype=np.int64)
    given = np.where(column >= 0, answers.values[np.arange(len(column)), column], 0.0)
    return np.clip(given, EPS, 1 - EPS)


def _logloss(truth: Truth, answers: Answers, _: Floats) -> Floats:
    return _pair(-np.log(chance_of_truth(truth, answers)))


def _brier(truth: Truth, answers: Answers, _: Floats) -> Floats:
    return _pair((answers.value - as_floats(truth)) ** 2)


def says_yes(answers: Answers) -> NDArray[np.bool_]:
    """Where the answer says yes: the chance is above ``shape.yes_above``, or above a half where none was said."""
    return np.asarray(answers.value > (0.5 if answers.shape.yes_above is None else answers.shape.yes_above))


def _accuracy(truth: Truth, answers: Answers, _: Floats) -> Floats:
    if answers.shape.kind == "chance":
        return _pair(np.equal(says_yes(answers), as_floats(truth) > 0.5))
    assert answers.values is not None
    likeliest = np.array(answers.shape.labels, dtype=object)[answers.values.argmax(axis=1)]
    return _pair(np.array([a == t for a, t in zip(likeliest, truth, strict=True)]))


def _error_rate(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    right = _accuracy(truth, answers, weights)
    return np.column_stack([right[:, 1] - right[:, 0], right[:, 1]])


def _calibration_error(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    """By which of ten groups of nearly as many answers, from the least chance to the greatest: what came true beyond what was said."""
    scores, where = np.unique(answers.value, return_inverse=True)
    there = np.bincount(where, weights, len(scores))
    group = np.minimum((np.cumsum(there) - there / 2) / max(there.sum(), EPS) * TENTHS, TENTHS - 1).astype(np.int64)[where]
    beyond = np.zeros((len(answers), TENTHS + 1))
    beyond[np.arange(len(group)), group] = as_floats(truth) - answers.value
    beyond[:, TENTHS] = 1.0
    return beyond


def _mean_distance(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(sums[..., -1] != 0, np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1], np.nan))


def _recall(truth: Truth, answers: Answers, _: Floats) -> Floats:
    yes = as_floats(truth) > 0.5
    return _pair(yes & says_yes(answers), yes)


def _precision(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    if answers.shape.kind == "ranking":
        hits, asked, _most = ranked(truth, answers)
        return _pair(precisions(hits), asked > 0) * (asked > 0)[:, None]
    said = says_yes(answers)
    return _pair(said & (as_floats(truth) > 0.5), said)


def pinball_of(truth: Truth, answers: Answers) -> Floats:
    """The pinball loss of each question (n,), the mean over levels and steps."""
    assert answers.values is not None
    levels, steps = np.array(answers.shape.levels), answers.shape.steps
    short = np.asarray(truth, dtype=np.float64).reshape(-1, steps, 1) - answers.values.reshape(-1, steps, len(levels))
    return np.asarray(np.maximum(levels * short, (levels - 1) * short).mean(axis=(1, 2)))


def _pinball(truth: Truth, answers: Answers, _: Floats) -> Floats:
    return _pair(pinball_of(truth, answers))


def _coverage(truth: Truth, answers: Answers, _: Floats) -> Floats:
    assert answers.values is not None
    steps = answers.shape.steps
    given = answers.values.reshape(-1, steps, len(answers.shape.levels))
    y = np.asarray(truth, dtype=np.float64).reshape(-1, steps)
    return _pair(((y >= given.min(axis=2)) & (y <= given.max(axis=2))).mean(axis=1))


def ranked(truth: Truth, answers: Answers) -> tuple[Floats, Floats, int]:
    """Hits by place (n, most), how many items were right (n,), and how many places are looked at.

    A question whose truth is an empty list has nothing a list could get right; it counts in no measure of rankings. An item said twice
    is a hit once.
    """
    assert answers.items is not None
    most = answers.shape.most or max((len(items) for items in answers.items), default=1)
    hits, asked = hits_by_place(truth, answers.items, most)
    return hits, asked, most


def hits_by_place(truths: Iterable[Collection[str]], lists: Sequence[Sequence[str]], most: int) -> tuple[Floats, Floats]:
    """What lists (n, best first) find in their first ``most`` places: hits (n, most), and how many items were right (n,)."""
    hits, asked = np.zeros((len(lists), most)), np.zeros(len(lists))
    for row, (right, items) in enumerate(zip(truths, lists, strict=True)):
        left = set(right)
        asked[row] = len(left)
        for place, item in enumerate(items[:most]):
            if item in left:
                hits[row, place] = 1.0
                left.discard(item)
    return hits, asked


def precisions(hits: Floats) -> Floats:
    """The precision of each list (n,), of all its places (n, most)."""
    return np.asarray(hits.mean(axis=1))


def gains(hits: Floats, asked: Floats) -> Floats:
    """The nDCG of each list (n,), with gain 1 for what was right (Järvelin and Kekäläinen 2002); 0 where nothing was."""
    most = hits.shape[1]
    worth = 1 / np.log2(np.arange(2, most + 2))
    best = np.concatenate([[1.0], np.cumsum(worth)])[np.minimum(asked, most).astype(np.int64)]
    return np.asarray((hits @ worth) / best)


def _ndcg(truth: Truth, answers: Answers, _: Floats) -> Floats:
    hits, asked, _most = ranked(truth, answers)
    return _pair(gains(hits, asked), asked > 0) * (asked > 0)[:, None]


def _hit_rate(truth: Truth, answers: Answers, _: Floats) -> Floats:
    hits, asked, _most = ranked(truth, answers)
    return _pair(hits.any(axis=1), asked > 0) * (asked > 0)[:, None]


MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("wape", ("number", "quantiles"), "lower", _wape, _ratio),
        Measure("mae", ("number",), "lower", _mae, _ratio),
        Measure("rmse", ("number",), "lower", _mse, _root),
        Measure("bias", ("number",), "zero", _bias, _ratio),
        Measure("mase", ("number", "quantiles"), "lower", _mase, _ratio),
        Measure("auc", ("chance",), "higher", _auc, _two_ratios),
        Measure("logloss", ("chance", "shares"), "lower", _logloss, _ratio),
        Measure("brier", ("chance",), "lower", _brier, _ratio),
        Measure("accuracy", ("chance", "shares"), "higher", _accuracy, _ratio),
        Measure("recall", ("chance",), "higher", _recall, _ratio),
        Measure("precision", ("chance", "ranking"), "higher", _precision, _ratio),
        Measure("error_rate", ("chance", "shares"), "lower", _error_rate, _ratio),
        Measure("calibration_error", ("chance",), "lower", _calibration_error, _mean_distance, folded=True),
        Measure("pinball", ("quantiles",), "lower", _pinball, _ratio),
        Measure("coverage", ("quantiles",), "higher", _coverage, _ratio),
        Measure("ndcg", ("ranking",), "higher", _ndcg, _ratio),
        Measure("hit_rate", ("ranking",), "higher", _hit_rate, _ratio),
    )
}


def measure(name: str) -> Measure:
    """The measure of this name: one of ours, a scorer of scikit-learn (``scorers``), or ``cost(…)`` of two numbers. Raises Unknown.

    >>> measure("auc").better
    'higher'
    """
    if name in MEASURES:
        return MEASURES[name]
    from everloop.stats.money import said_in_money
    from everloop.stats.scorers import SCORERS

    found = SCORERS.get(name) or said_in_money(name)
    if found is None:
        raise Unknown("measure", name, (*MEASURES, *SCORERS))
    return found
