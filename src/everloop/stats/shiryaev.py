"""When did a mean go up: the e-detector of Shiryaev and Roberts on losses between 0 and 1. Arrays in, numbers out; no clock, no disk.

A bettor begins anew with every loss that comes and stakes against "on average at most ``mean``, given the past". M = (M + 1) e adds up what
all of them have, over a mixture of six stakes. It says so when M reaches a target A; while the mean is not exceeded, that takes at least A
losses on average, however they depend on one another (Shin, Ramdas and Rinaldo 2024, e-detectors).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from everloop.stats.shapes import Floats

TARGET = 100_000.0
RISES = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])  # by how much of the mean each bet takes it to have risen
MOST_STAKED = 0.9


@dataclass(frozen=True)
class Detector:
    """What is known after ``rows`` losses, in order; going on from here is the same, to the last digit, as never having stopped.

    ``wealth`` (six): M of each bet. ``longest`` (six): of the bettor of each bet who has most, who began with loss number ``began``.
    ``alarm``: the number of the loss at which M reached the target, ``change`` the first loss of the newer world by then. Numbers from 0.
    """

    mean: float
    target: float = TARGET
    rows: int = 0
    wealth: tuple[float, ...] = (0.0,) * len(RISES)
    longest: tuple[float, ...] = (1.0,) * len(RISES)
    began: tuple[int, ...] = (0,) * len(RISES)
    alarm: int | None = None
    change: int | None = None

    @property
    def evidence(self) -> float:
        """M: the mean over the bets."""
        return float(np.mean(self.wealth))


def follow(detector: Detector, losses: Floats) -> Detector:
    """The detector after more losses (n,), each in 0…1. It stops at its alarm.

    >>> rng = np.random.default_rng(1)
    >>> quiet, loud = (rng.random(2000) < 0.1).astype(float), (rng.random(2000) < 0.2).astype(float)
    >>> found = follow(follow(Detector(mean=0.11), quiet), loud)
    >>> found.alarm is not None and 2000 < found.alarm < 2400 and 1900 < found.change < 2200
    True

    Raises ValueError for losses outside 0…1 or NaN, and for a mean that leaves nothing to lose.
    """
    losses = np.asarray(losses, dtype=np.float64)
    if not ((losses >= 0) & (losses <= 1)).all():
        raise ValueError("A loss is not in 0…1. Divide by a bound that was fixed before, and leave out what is not known.")
    if not 0 < detector.mean < 1:
        raise ValueError(f"mean is {detector.mean!r}; losses can only exceed a mean between 0 and 1.")
    if detector.alarm is not None:
        return detector
    factors = 1 + stakes_of(detector.mean)[:, None] * (losses / detector.mean - 1)
    wealth, longest, began = list(detector.wealth), list(detector.longest), list(detector.began)
    enough, bets = detector.target * len(wealth), range(len(wealth))
    for i, of_bets in enumerate(factors.T.tolist(), detector.rows):  # plain numbers: on six at a time they are quicker than arrays
        for k in bets:
            factor = of_bets[k]
            wealth[k] = (wealth[k] + 1) * factor
            if longest[k] <= 1:
                longest[k], began[k] = 1.0, i
            longest[k] *= factor
        if sum(wealth) >= enough:
            found = replace(detector, alarm=i, change=began[wealth.index(max(wealth))])
            return _after(found, i + 1, wealth, longest, began)
    return _after(detector, detector.rows + len(losses), wealth, longest, began)


def stakes_of(mean: float) -> Floats:
    """The share of its wealth each bet stakes: the best one, had the mean of a yes and no risen by ``RISES`` of itself."""
    return np.minimum(RISES * mean / (1 - mean), MOST_STAKED)


def above(mean: float, of: int, *, by: float = 0.0, alpha: float = 0.05) -> float:
    """The mean not to be exceeded where the true one is only known as that of ``of`` losses: its upper bound (Hoeffding 1963, theorem 1),
    wrong with a probability of ``alpha``, raised by the share ``by``.

    >>> round(above(0.1, 10_000), 4), round(above(0.1, 100), 4), round(above(0.1, 10_000, by=0.1), 4)
    (0.1075, 0.1888, 0.1183)
    """
    if of < 1 or not 0 <= mean <= 1:
        raise ValueError(f"A mean of {mean!r} of {of} losses is none; say one in 0…1, of one loss or more.")
    limit = np.log(1 / alpha) / of

    def apart(u: float) -> float:
        return float((mean * np.log(mean / u) if mean > 0 else 0.0) + (1 - mean) * np.log((1 - mean) / (1 - u)) - limit)

    top = 1 - 1e-12
    bound = top if mean >= top or apart(top) <= 0 else float(brentq(apart, max(mean, 1e-15), top))
    return min(bound * (1 + by), top)


def _after(detector: Detector, rows: int, wealth: list[float], longest: list[float], began: list[int]) -> Detector:
    return replace(detector, rows=rows, wealth=tuple(wealth), longest=tuple(longest), began=tuple(began))
