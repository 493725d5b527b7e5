"""What a measure will come to before any truth has come, from the chances alone (confidence-based estimation). Arrays in, numbers out.

Chances are first made true on answers whose truth is known (isotonic regression); then each measure is worked out as if every answer were
right as often as its chance says. It assumes that a chance means what it meant there: other questions may be asked, and more of the hard
ones, but the same question has the same truth as before. Where the world itself changed (concept drift) it is wrong; ``monitor.estimated``
holds it against the truth once that comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from everloop.stats.measures import EPS
from everloop.stats.shapes import Floats

FOLDS, BINS = 10, 10


class Foreseen(NamedTuple):
    """What a measure will come to, and the standard deviation of what chance will make of it."""

    value: float
    sd: float


@dataclass(frozen=True)
class Calibration:
    """What a score truly means: ``chance`` (k,) at each ``score`` (k,), straight lines between, the ends beyond. No knots: as it is."""

    score: Floats
    chance: Floats

    def of(self, scores: Floats) -> Floats:
        """The true chance of each score (n,)."""
        return np.asarray(np.interp(scores, self.score, self.chance)) if len(self.score) else scores


AS_IT_IS = Calibration(np.zeros(0), np.zeros(0))


def isotonic(scores: Floats, happened: Floats) -> Calibration:
    """The rising curve that is nearest in squares (pool adjacent violators), equal scores taken together.

    >>> isotonic(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0.0, 1.0, 0.0, 1.0])).of(np.array([0.0, 0.4, 1.0])).tolist()
    [0.0, 0.5, 1.0]

    Raises ValueError where there is nothing to learn from, or something is NaN.
    """
    if not len(scores) or not (np.isfinite(scores).all() and np.isfinite(happened).all()):
        raise ValueError(f"{len(scores)} scores, or one that is NaN: leave out what was not answered or is not known.")
    distinct, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(which, happened) / counts
    risen = isotonic_regression(means, weights=counts.astype(np.float64)).x
    return Calibration(distinct, np.asarray(risen))


def calibration(scores: Floats, happened: Floats) -> Calibration:
    """``isotonic``, if that brings the scores nearer to the truth on answers it was not drawn from; else they are taken as they are.

    Every tenth answer in turn is left out of the curve and judged by it: by the mean difference between what was said and what happened
    in ten bins of equal size (expected calibration error).
    """
    scores, happened = np.asarray(scores, dtype=np.float64), np.asarray(happened, dtype=np.float64)
    if len(scores) < FOLDS * BINS or not 0 < happened.mean() < 1:
        return AS_IT_IS
    place, made = np.arange(len(scores)) % FOLDS, np.empty(len(scores))
    for fold in range(FOLDS):
        made[place == fold] = isotonic(scores[place != fold], happened[place != fold]).of(scores[place == fold])
    better = _off(made, happened) < _off(scores, happened)
    return isotonic(scores, happened) if better else AS_IT_IS


def _off(chance: Floats, happened: Floats) -> float:
    """The expected calibration error."""
    order = np.argsort(chance, kind="stable")
    lots = np.array_split(order, BINS)
    return float(sum(len(lot) * abs(chance[lot].mean() - happened[lot].mean()) for lot in lots) / len(chance))


def expected(name: str, chance: Floats, scores: Floats, says: NDArray[np.bool_]) -> Foreseen | None:
    """What a measure of yes and no will come to: ``chance`` (n,) the true chances, ``scores`` (n,) what was answered, ``says`` (n,) yes
    or no. None for a measure it cannot tell, or of nothing. ``f1`` is known here too.

    The deviation is that of truths drawn with these chances, by the first derivative of the measure (delta method).

    >>> half = np.full(100, 0.5)
    >>> expected("accuracy", half, half, half > 0)
    Foreseen(value=0.5, sd=0.05)
    """
    if name not in _EXPECTED or not len(chance):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value, slope = _EXPECTED[name](chance, scores, says)
        sd = float(np.sqrt((chance * (1 - chance) * slope**2).sum()))
    return Foreseen(float(value), sd) if np.isfinite(value) and np.isfinite(sd) else None


def expected_of_shares(name: str, chances: Floats, shares: Floats) -> Foreseen | None:
    """The same for class shares: ``chances`` (n, labels) the true ones, ``shares`` (n, labels) what was answered; accuracy and logloss."""
    if name not in ("accuracy", "logloss") or not len(chances):
        return None
    won = np.eye(shares.shape[1])[shares.argmax(axis=1)] if name == "accuracy" else -np.log(np.clip(shares, EPS, 1.0))
    mean = (chances * won).sum(axis=1)
    spread = (chances * won**2).sum(axis=1) - mean**2
    return Foreseen(float(mean.mean()), float(np.sqrt(np.maximum(spread, 0).sum())) / len(mean))


Expected = Callable[[Floats, Floats, NDArray[np.bool_]], tuple[float, Floats]]


def _ratio(top: Callable[[Floats, NDArray[np.bool_]], tuple[float, Floats]], below: Callable[..., tuple[float, Floats]]) -> Expected:
    """A ratio of two sums that are linear in the truths, and its slope in each."""

    def both(chance: Floats, scores: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
        (t, dt), (d, dd) = top(chance, says), below(chance, says)
        value = t / d if d else np.nan
        return value, (dt - value * dd) / (d or np.nan)

    return both


def _hits(chance: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float(chance[says].sum()), says.astype(np.float64)


def _yeses(chance: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float(chance.sum()), np.ones(len(chance))


def _said(chance: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float(says.sum()), np.zeros(len(chance))


def _halfway(chance: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    return 0.5 * float(says.sum() + chance.sum()), np.full(len(chance), 0.5)


def _accuracy(chance: Floats, scores: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float(np.where(says, chance, 1 - chance).mean()), np.where(says, 1.0, -1.0) / len(chance)


def _brier(chance: Floats, scores: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float(((scores - chance) ** 2 + chance * (1 - chance)).mean()), (1 - 2 * scores) / len(chance)


def _logloss(chance: Floats, scores: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    yes, no = -np.log(np.clip(scores, EPS, 1 - EPS)), -np.log(np.clip(1 - scores, EPS, 1 - EPS))
    return float((chance * yes + (1 - chance) * no).mean()), (yes - no) / len(chance)


def _auc(chance: Floats, scores: Floats, says: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Pairs of a yes and a no in the right order, of all pairs; ties count half."""
    _, which = np.unique(scores, return_inverse=True)
    yes, no = np.bincount(which, chance), np.bincount(which, 1 - chance)
    no_below = (np.cumsum(no) - 0.5 * no)[which]
    yes_above = (yes.sum() - np.cumsum(yes) + 0.5 * yes)[which]
    p, n = yes.sum(), no.sum()
    value = float((chance * no_below).sum() / (p * n))
    return value, (no_below - yes_above) / (p * n) - value * (1 / p - 1 / n)


_EXPECTED: dict[str, Expected] = {
    "accuracy": _accuracy,
    "auc": _auc,
    "brier": _brier,
    "f1": _ratio(_hits, _halfway),
    "logloss": _logloss,
    "precision": _ratio(_hits, _said),
    "recall": _ratio(_hits, _yeses),
}
