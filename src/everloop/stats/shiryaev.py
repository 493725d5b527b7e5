"""When did a mean go up: the e-detector of Shiryaev and Roberts on losses between 0 and 1. Arrays in, numbers out; no clock, no disk.

A bettor begins anew with every loss that comes and stakes against "on average at most ``mean``, given the past": loss x multiplies what he
has by 1 + c (x - mean). M = (M + 1) e adds up what all of them have, over a mixture of six stakes c (Shin, Ramdas and Rinaldo 2024,
e-detectors). While the mean is not exceeded, M_t - t never rises on average, so that by Ville's inequality M reaches A within T losses with
a probability of at most T / A, however they depend on one another.

What is not to be exceeded is the mean of losses known before, or that and a share more; and of it so many losses tell only so much. No mean
is ruled out by a bound that is wrong one time in twenty: another bettor has staked, on the known losses, against each mean's being as high
as that. Were it the true one, R(mean), what he has, would be 1 at most on average, and so R(mean) (M_t - t) would not rise. The alarm is at
the least R(mean) M(mean) of all means, which is no more than that of the true one: of T losses one alarms with a probability of at most
T / A, the chance of the known losses being misleading included. Means whose R is 1,000 are left out; that one of them is the true one adds
0.001 (Ville again). M falls and R rises with the mean, so that cells of means do for all: M at a cell's upper end times R at its lower.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from everloop.stats.shapes import Floats

TARGET = 1_000_000.0
RISES = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])  # by how much of the mean each bet takes it to have risen
WEIGHTS = np.array([0.05, 0.2, 0.3, 0.25, 0.15, 0.05])  # of the bets: rises of a fifth to four fifths are what is to be found soon
MOST_STAKED = 0.9
HEDGED, TILTS = (
    0.23,
    (1, 2, 4, 8, 16, 32, 64),
)  # of the bettor on known losses: what he keeps, and on how many errors off he stakes the rest
SHARES = np.array([0.32, 0.31, 0.06, 0.03, 0.02, 0.02, 0.01])
LEFT_OUT = 1000.0
NEAR, FARTHER = np.array([-2.0, -1.5, -1.0, -0.75, *np.arange(-0.5, 2.4, 0.25)]), 1.2  # where cells end, in standard errors
MOST = 1e200  # what a bettor may have: any more changes nothing, and would overflow at last


@dataclass(frozen=True)
class Detector:
    """What is known after ``rows`` losses, in order; going on from here is the same, to the last digit, as never having stopped.

    ``mean``: what is not to be exceeded, by the likeliest account. ``means`` (cells,): the upper ends of the cells of what it may be;
    ``worth`` (cells,): R at their lower ends; ``stakes`` (six): c of each bet. ``wealth`` (cells x six): M of each cell and bet.
    ``longest`` (six): of the bettor of each bet who has most at ``mean``, who began with loss number ``began``. ``alarm``: the number of
    the loss at which the target was reached, ``change`` the first loss of the newer world by then. Numbers from 0.
    """

    mean: float
    means: tuple[float, ...]
    worth: tuple[float, ...]
    stakes: tuple[float, ...]
    target: float = TARGET
    rows: int = 0
    wealth: tuple[float, ...] = ()
    longest: tuple[float, ...] = (1.0,) * len(RISES)
    began: tuple[int, ...] = (0,) * len(RISES)
    alarm: int | None = None
    change: int | None = None

    @property
    def evidence(self) -> float:
        """The least R(mean) M(mean), over the mixture of bets; it alarms at ``target``."""
        wealth = np.array(self.wealth).reshape(len(self.worth), -1)
        return _evidence(wealth, np.array(self.worth))


def knowing(mean: float, *, target: float = TARGET) -> Detector:
    """A detector to which the mean that is not to be exceeded is known. Raises ValueError for one that leaves nothing to lose."""
    if not 0 < mean < 1:
        raise ValueError(f"mean is {mean!r}; losses can only exceed a mean between 0 and 1.")
    return Detector(mean, (mean,), (1.0,), tuple((RISES / (1 - mean)).tolist()), target)


def learning(losses: Floats, *, by: float = 0.0, target: float = TARGET) -> Detector:
    """A detector of a mean that exceeds that of these losses (n,), each in 0…1, by more than the share ``by``; they are independent of one
    another, of one distribution, and order does not matter.

    >>> begun = learning(np.append(np.zeros(900), np.ones(100)), by=0.1)
    >>> round(begun.mean, 3), len(begun.means) == len(begun.worth)
    (0.11, True)

    Raises ValueError for losses outside 0…1 or NaN, for none, and for a mean that leaves nothing to lose.
    """
    known = _bounded(losses)
    n = len(known)
    if not n:
        raise ValueError("Of no losses there is no mean; say one loss or more.")
    middle = (float(known.sum()) + 0.5) / (n + 1)
    if middle * (1 + by) >= 1:
        raise ValueError(f"The mean of the losses known is {known.mean():.3g}, and by={by:g}: more than that nobody can lose.")
    variance = (float(((known - middle) ** 2).sum()) + middle * (1 - middle)) / (n + 1)
    error = float(np.sqrt(variance / n))
    means, worth, z, step = list[float](), [HEDGED], list(NEAR), float(NEAR[-1] - NEAR[-2])
    while z and worth[-1] < LEFT_OUT and (not means or means[-1] < 1 - 1e-9):
        mean = float(min(middle + z.pop(0) * error, 1 - 1e-9))
        if mean <= 0:
            continue
        means.append(mean)
        worth.append(_against(known, mean))
        if not z:
            step *= FARTHER
            z.append((mean - middle) / error + step)
    ends = tuple(min(mean * (1 + by), 1 - 1e-9) for mean in means)
    stakes = tuple((RISES * middle * (1 + by) / variance).tolist())
    return Detector(middle * (1 + by), ends, tuple(worth[:-1]), stakes, target)


def follow(detector: Detector, losses: Floats) -> Detector:
    """The detector after more losses (n,), each in 0…1. It stops at its alarm.

    >>> rng = np.random.default_rng(1)
    >>> known, quiet, loud = ((rng.random(n) < p).astype(float) for n, p in ((5000, 0.1), (2000, 0.1), (2000, 0.2)))
    >>> found = follow(follow(learning(known), quiet), loud)
    >>> found.alarm is not None and 2000 < found.alarm < 2500 and 1900 < found.change < 2200
    True

    Raises ValueError for losses outside 0…1 or NaN.
    """
    losses = _bounded(losses)
    if detector.alarm is not None or not len(losses):
        return detector
    cells, bets = len(detector.means), len(RISES)
    ends, worth = np.array((*detector.means, detector.mean))[:, None], np.array(detector.worth)
    stakes = np.minimum(np.array(detector.stakes), MOST_STAKED / ends)
    kept, factor = 1 - stakes * ends, np.empty((cells + 1, bets))
    have = np.array((*(detector.wealth or (0.0,) * (cells * bets)), *detector.longest)).reshape(cells + 1, bets)
    wealth, longest = have[:-1], have[-1]  # one array: at so few numbers each call costs the same
    began, alarm, number = np.array(detector.began), None, detector.rows - 1
    for number, loss in enumerate(losses.tolist(), detector.rows):
        began[longest <= 1] = number
        np.maximum(longest, 1, out=longest)
        wealth += 1
        np.multiply(stakes, loss, out=factor)
        factor += kept
        have *= factor
        if not number % 16:
            np.minimum(have, MOST, out=have)
        if _evidence(wealth, worth) >= detector.target:
            alarm = number
            break
    return replace(
        detector,
        rows=number + 1,
        wealth=tuple(wealth.ravel().tolist()),
        longest=tuple(longest.tolist()),
        began=tuple(began.tolist()),
        alarm=alarm,
        change=None if alarm is None else int(began[(longest * WEIGHTS).argmax()]),
    )


def _evidence(wealth: Floats, worth: Floats) -> float:
    return float((wealth @ WEIGHTS * worth).min())


def _against(known: Floats, mean: float) -> float:
    """R: what a bettor has who stakes on known losses' lying below ``mean`` on average; it rises with ``mean``. The stakes are those that
    are best if the mean lies 1, 2, 4 … standard errors of a yes or no below: losses that vary less need the larger ones.
    """
    most = 0.8 / (1 - mean)
    stakes = [min(tilt / np.sqrt(len(known) * mean * (1 - mean)), most) for tilt in TILTS]
    grown = np.array([float(np.log1p(stake * (mean - known)).sum()) for stake in stakes])
    return HEDGED + float((SHARES * np.exp(np.minimum(grown, 100.0))).sum())


def _bounded(losses: Floats) -> Floats:
    losses = np.asarray(losses, dtype=np.float64)
    if not ((losses >= 0) & (losses <= 1)).all():
        raise ValueError("A loss is not in 0…1. Divide by a bound that was fixed before, and leave out what is not known.")
    return losses
