"""Intervals of shares, means and quantiles. Numbers in, numbers out; no clock, no disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtr, ndtri, stdtrit

from everloop.stats.shapes import Floats

RESOLVED = 2.5
"""So many standard deviations out a few hundred draws still tell a quantile; farther out they are taken for normal."""


def wilson(count: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share (two-sided); of nothing, nothing is known: (0, 1).

    >>> tuple(round(x, 4) for x in wilson(3, 100)), wilson(0, 0)
    ((0.0103, 0.0845), (0.0, 1.0))
    """
    if of == 0:
        return 0.0, 1.0
    z = float(ndtri((1 + confidence) / 2))
    share, less = count / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / less
    half = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / less
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return (0.0 if count == 0 else float(low)), (1.0 if count == of else float(high))


def share_bounds(count: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact lower and upper bound of a share (Clopper and Pearson 1934), each one-sided at ``confidence``.

    >>> low, high = share_bounds(299, 299)
    >>> low >= 0.99, high
    (True, 1.0)
    """
    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, 1 - confidence))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, confidence))
    return low, high


def poisson_bound(count: float, confidence: float = 0.95) -> float:
    """At most how many are expected where ``count`` were seen (Garwood 1936, one-sided); a count may be a mean of counts.

    >>> round(poisson_bound(0), 2), round(poisson_bound(3), 2)
    (3.0, 7.75)
    """
    return float(gammaincinv(count + 1, confidence))


def least_to_prove(share: float, confidence: float = 0.95) -> int:
    """How many cases, all of them good, prove that at least this share is good.

    >>> least_to_prove(0.99), least_to_prove(0.999)
    (299, 2995)
    """
    return int(np.ceil(np.log(1 - confidence) / np.log(share))) if 0 < share < 1 else 1


def mean(values: Floats, confidence: float = 0.95) -> tuple[float, float, float] | None:
    """Mean, low and high by Student's t; None for fewer than two finite values.

    >>> mean(np.array([1.0, 2.0, 3.0]))[0]
    2.0
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    centre = float(values.mean())
    half = float(stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1) / np.sqrt(len(values)))
    return centre, centre - half, centre + half


def next_one(past: Floats, confidence: float = 0.95, *, of: float = 1) -> tuple[float, float] | None:
    """Where the mean of the next ``of`` values lies, if it is drawn as the past ones were: Student's predictive interval (two-sided).

    Half-width t * sd * sqrt(1/of + 1/n). None for fewer than two finite values.

    >>> low, high = next_one(np.array([0.44, 0.46, 0.45, 0.45]))
    >>> round(low, 3), round(high, 3)
    (0.421, 0.479)
    """
    past = past[np.isfinite(past)]
    if len(past) < 2:
        return None
    half = float(stdtrit(len(past) - 1, (1 + confidence) / 2) * past.std(ddof=1) * np.sqrt(1 / of + 1 / len(past)))
    return float(past.mean()) - half, float(past.mean()) + half


def sum_of_next(past: Sequence[float], count: float, confidence: float = 0.95) -> tuple[float, float, float]:
    """The sum of the next ``count`` values (a part of one counts in part), if they are drawn as the past ones were: expected, low, high.

    ``count`` times what ``next_one`` says of their mean. Raises ValueError for fewer than two finite values.

    >>> [round(value, 2) for value in sum_of_next([1.0, 2.0, 1.0, 2.0], 4)]
    [6.0, 0.8, 11.2]
    """
    values = np.asarray(past, dtype=float)
    if count <= 0:
        return 0.0, 0.0, 0.0
    found = next_one(values, confidence, of=count)
    if found is None:
        raise ValueError("fewer than two finite values say nothing of the next")
    return count * float(values[np.isfinite(values)].mean()), count * found[0], count * found[1]


def expanded(drawn: Floats, count: int, confidence: float) -> tuple[float, float]:
    """The percentile interval of what was drawn from ``count`` blocks (2 or more), expanded for few blocks (Hesterberg 2015, section 4.3).

    >>> [round(edge) for edge in expanded(np.arange(1001.0), 1_000_000, 0.95)]
    [25, 975]
    """
    far = float(np.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 + confidence) / 2))
    near = min(far, RESOLVED)
    low, middle, high = np.quantile(drawn, ndtr([-near, 0.0, near]))
    if far > near:
        low, high = middle - (middle - low) * far / near, middle + (high - middle) * far / near
    return float(low), float(high)
