"""What another policy would have earned, from answers that were given by chance and logged with that chance. Arrays in, numbers out.

Every estimate needs what the logging policy really did: the propensity of the action taken, above 0 wherever the new policy would act.
Rewards of one log are taken to be independent of one another. The intervals are those of a mean of many; they hold once the effective
number of rewards (Σw)² / Σw² is some hundreds, and say little below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.stats import intervals
from everloop.stats.shapes import Floats


@dataclass(frozen=True)
class Estimate:
    """``value`` per answer, between ``low`` and ``high``; ``effective`` rewards of ``rows`` bear it; ``clipped`` is the share of weights
    that were cut, each of which draws the estimate towards what was logged."""

    value: float
    low: float
    high: float
    effective: float
    rows: int
    clipped: float = 0.0


def ips(rewards: Floats, logged: Floats, wanted: Floats, *, clip: float = np.inf, confidence: float = 0.95) -> Estimate:
    """Inverse propensity scoring: the mean of reward × w, w = wanted / logged (Horvitz and Thompson 1952). Unbiased unless clipped.

    ``rewards`` (n,) of the actions taken; ``logged`` (n,) the chance with which each was taken; ``wanted`` (n,) the chance the new policy
    would have given it. Weights above ``clip`` count as ``clip``.

    >>> ips(np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5), np.array([1.0, 0.0, 1.0, 0.0])).value
    1.0

    Raises ValueError, here and in the others, for propensities that are NaN, 0, negative or above 1, and for rewards that are NaN.
    """
    weights, clipped = _weights(rewards, logged, wanted, clip)
    return _mean(np.asarray(rewards) * weights, weights, clipped, confidence)


def snips(rewards: Floats, logged: Floats, wanted: Floats, *, clip: float = np.inf, confidence: float = 0.95) -> Estimate:
    """Self-normalised IPS: Σ w r / Σ w (Swaminathan and Joachims 2015). Slightly biased, steadier, and never beyond the rewards seen.

    The interval is that of a ratio (delta method). NaN where the new policy would have taken none of the actions.

    >>> snips(np.array([1.0, 0.0, 1.0, 1.0]), np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.0])).value
    0.5
    """
    weights, clipped = _weights(rewards, logged, wanted, clip)
    if weights.sum() == 0:
        return Estimate(np.nan, np.nan, np.nan, 0.0, len(weights), clipped)
    value = float((weights * rewards).sum() / weights.sum())
    return _mean(value + weights * (np.asarray(rewards) - value) / weights.mean(), weights, clipped, confidence)


def doubly_robust(
    rewards: Floats,
    logged: Floats,
    wanted: Floats,
    *,
    foreseen: Floats,
    foreseen_wanted: Floats,
    clip: float = np.inf,
    confidence: float = 0.95,
) -> Estimate:
    """A model's forecast, corrected by what it missed: the mean of q(π) + w (r - q(a)) (Dudík, Langford and Li 2011). Right if the
    propensities are right, however poor the model; the better the model, the narrower.

    ``foreseen`` (n,) is the reward a model foresees of the action taken, ``foreseen_wanted`` (n,) of the new policy: Σ_a π(a) q(a). The
    model must not have learnt from these rewards.

    >>> half, taken = np.full(4, 0.5), np.array([1.0, 0.0, 1.0, 0.0])
    >>> doubly_robust(taken * 3, half, taken, foreseen=taken * 3, foreseen_wanted=np.full(4, 3.0)).value
    3.0
    """
    weights, clipped = _weights(rewards, logged, wanted, clip)
    foreseen, whole = np.asarray(foreseen, dtype=np.float64), np.asarray(foreseen_wanted, dtype=np.float64)
    if foreseen.shape != weights.shape or whole.shape != weights.shape or not np.isfinite(foreseen + whole).all():
        raise ValueError(
            f"A forecast is missing, NaN or infinite; say one of the action taken and one of the policy for all {len(weights)}."
        )
    return _mean(whole + weights * (np.asarray(rewards) - foreseen), weights, clipped, confidence)


def foreseen(features: Floats, rewards: Floats, folds: NDArray[np.int64], *, ridge: float = 1.0) -> Floats:
    """The reward foreseen of each unit (n,) from its features (n, k) by a ridge regression on the units of other folds, so that nobody's
    own reward is in it; for ``doubly_robust``. A feature that is NaN counts as its mean. Blind to the action, it takes away what units
    differ in whatever they are told.

    >>> x = np.arange(40.0)[:, None]
    >>> bool(np.abs(foreseen(x, 2 * x[:, 0] + 1, np.arange(40) % 2) - (2 * x[:, 0] + 1)).max() < 2)
    True
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    found = np.full(len(y), y.mean() if len(y) else 0.0)
    for fold in np.unique(folds):
        rest, mine = folds != fold, folds == fold
        if not rest.any():
            continue
        there = np.isfinite(x[rest])
        mean = np.where(there, x[rest], 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        learnt = np.where(there, x[rest], mean) - mean
        spread = np.maximum(learnt.std(axis=0), 1e-12)
        known = learnt / spread
        slope = np.linalg.solve(known.T @ known + ridge * np.eye(x.shape[1]), known.T @ (y[rest] - y[rest].mean()))
        found[mine] = y[rest].mean() + ((np.where(np.isfinite(x[mine]), x[mine], mean) - mean) / spread).clip(-10, 10) @ slope
    return found


def _weights(rewards: Floats, logged: Floats, wanted: Floats, clip: float) -> tuple[Floats, float]:
    """The weights, cut at ``clip``, and which share of them was."""
    rewards, logged, wanted = (np.asarray(x, dtype=np.float64) for x in (rewards, logged, wanted))
    if not len(rewards) or not rewards.shape == logged.shape == wanted.shape:
        raise ValueError(f"rewards {rewards.shape}, logged {logged.shape}, wanted {wanted.shape}: say as many of each, and at least one.")
    for name, values, right in (
        ("logged", logged, (logged > 0) & (logged <= 1)),
        ("wanted", wanted, (wanted >= 0) & (wanted <= 1)),
        ("rewards", rewards, np.isfinite(rewards)),
    ):
        if not right.all():
            row = int(np.flatnonzero(~right)[0])
            least = {"logged": "above 0 and at most 1", "wanted": "from 0 to 1", "rewards": "finite"}[name]
            raise ValueError(f"{name}[{row}] is {values[row]:g}; it must be {least}. {int((~right).sum())} of {len(values)} are not.")
    if not clip > 0:
        raise ValueError(f"clip is {clip!r}; it is the largest weight that counts in full, above 0.")
    weights = wanted / logged
    return np.minimum(weights, clip), float((weights > clip).mean())


def _mean(terms: Floats, weights: Floats, clipped: float, confidence: float) -> Estimate:
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    value, low, high = intervals.mean(terms, confidence) or (float(terms[0]), -np.inf, np.inf)
    return Estimate(value, low, high, effective, len(terms), clipped)
