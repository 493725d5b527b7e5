"""How much worse one version did than another on each question, and how much worse it could at most have done, known beforehand.

That bound is what lets a bet on the difference be exact (``evalue``): for absolute errors the triangle inequality gives
``| |y - b| - |y - a| | <= |a - b|``, whatever the truth ``y`` turns out to be, and the two answers are known before it. Nothing has to be
clipped, so what is tested is the measure itself; beside it stands what it is with a cap, fixed before. Arrays in, arrays out; no clock,
no disk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everloop.stats.known import as_floats
from everloop.stats.measures import EPS, MEASURES, Measure, chances
from everloop.stats.shapes import Answers, Floats, Paired

CAPPED = 0.995


@dataclass(frozen=True)
class Losses:
    """Each (n,): what champion and candidate lost (or, of what is better when higher, won), on the scale on which they add up.

    ``apart`` is how far the two can lie apart on this question, ``most`` the most the champion's own can be; both are known before the
    truth. ``exact`` is False where ``most`` is a guess: twice the largest answer of the same lot, for absolute errors have no bound.
    """

    champion: Floats
    candidate: Floats
    apart: Floats
    most: Floats
    exact: bool = True


def adds_up(measure: Measure) -> bool:
    """Whether the measure's difference is a sum over questions, so that it can be bet on.

    Not for rmse (squares have no bound), auc (pairs), bias and calibration_error (errors of two signs cancel) and the precision of chances
    (each version is asked about other rows); these are judged by an interval for each look (``multiple.share_of_look``).
    """
    return measure.name in _OF


def losses(measure: Measure, paired: Paired) -> Losses | None:
    """The losses of questions that can all be judged (``known.comparable``); None where the measure does not add up.

    >>> from everloop.records import Shape
    >>> from everloop.stats.measures import measure
    >>> number = Shape(kind="number")
    >>> units, moments = np.array(["a", "b"], dtype=object), np.zeros(2, dtype=np.int64)
    >>> pair = Paired(units, moments, np.array([3.0, 9.0]), Answers(number, np.array([4.0, 4.0])), Answers(number, np.array([6.0, 6.0])))
    >>> found = losses(measure("wape"), pair)
    >>> found.champion, found.candidate, found.apart
    (array([1., 5.]), array([3., 3.]), array([2., 2.]))
    """
    if measure.name not in _OF or (measure.name == "precision" and paired.champion.shape.kind != "ranking"):
        return None
    return _OF[measure.name](measure, paired)


def cap_of(measure: Measure, before: Paired) -> float | None:
    """What a loss counts up to: the 99.5 % quantile of what the champion lost on questions before the comparison. None where the measure
    does not add up, is better when higher, or hardly anything was lost.
    """
    found = losses(measure, before) if measure.better == "lower" and len(before) else None
    cap = None if found is None else float(np.quantile(found.champion, CAPPED))
    return cap or None


def capped(found: Losses, cap: float) -> Losses:
    """The same losses, none above ``cap``; two that lie so far apart before lie no farther apart."""
    champion, candidate, apart, most = (np.minimum(x, cap) for x in (found.champion, found.candidate, found.apart, found.most))
    return Losses(champion, candidate, apart, most, found.exact)


def _absolute(_: Measure, paired: Paired) -> Losses:
    y, a, b = as_floats(paired.truth), paired.champion.value, paired.candidate.value
    most = np.full(len(y), 2 * max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)))
    return Losses(np.abs(y - a), np.abs(y - b), np.abs(a - b), most, exact=False)


def _pinball(measure: Measure, paired: Paired) -> Losses:
    a, b = paired.champion.values, paired.candidate.values
    assert a is not None
    assert b is not None
    shape = paired.champion.shape
    steepest = np.tile(np.maximum(shape.levels, 1 - np.array(shape.levels)), shape.steps)
    most = np.full(len(paired), 2 * max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)))
    lost = [measure.parts(paired.truth, answers)[0] for answers in (paired.champion, paired.candidate)]
    return Losses(lost[0], lost[1], (steepest * np.abs(a - b)).mean(axis=1), most, exact=False)


def _of_chances(measure: Measure, paired: Paired) -> Losses:
    """Whatever becomes true is one of a few labels: the bound is the largest over them."""
    lost = [measure.parts(paired.truth, answers)[0] for answers in (paired.champion, paired.candidate)]
    by_label = [_by_label(measure, answers) for answers in (paired.champion, paired.candidate)]
    return Losses(lost[0], lost[1], np.abs(by_label[0] - by_label[1]).max(axis=1), by_label[0].max(axis=1))


def _by_label(measure: Measure, answers: Answers) -> Floats:
    if answers.values is not None:
        known = -np.log(np.clip(answers.values, EPS, 1 - EPS))
        return np.column_stack([known, np.full(len(known), -np.log(EPS))])  # the last: a label neither has heard of
    p = chances(answers) if measure.name == "logloss" else answers.value
    pair = (1 - p, p)
    return np.column_stack([-np.log(side) if measure.name == "logloss" else (1 - side) ** 2 for side in pair])


def _of_shares(measure: Measure, paired: Paired) -> Losses:
    """Won or not, between 0 and 1 on each question that counts; one that does not count (no positive, nothing right) is 0 on both sides."""
    won = [measure.parts(paired.truth, answers)[0] for answers in (paired.champion, paired.candidate)]
    ones = np.ones(len(paired))
    return Losses(won[0], won[1], ones, ones)


_OF = {
    "wape": _absolute,
    "mae": _absolute,
    "pinball": _pinball,
    "logloss": _of_chances,
    "brier": _of_chances,
    "accuracy": _of_shares,
    "error_rate": _of_shares,
    "recall": _of_shares,
    "coverage": _of_shares,
    "ndcg": _of_shares,
    "hit_rate": _of_shares,
    "precision": _of_shares,
}
assert _OF.keys() <= MEASURES.keys()
