"""Confidence sequences: intervals that hold at all times at once, for reports that are looked at every day. Arrays in, numbers out.

They report; what decides is an e-value (``evalue``). The bounded and the quantile sequence are exact. The asymptotic one is not: before
it says anything it waits for a hundred values other than 0 in each arm, for with few conversions and heavy tails it is too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from everloop.stats.shapes import Floats

LEAST = 100


@dataclass(frozen=True)
class Course:
    """What was known after each value, in order: ``low`` and ``high`` (n,). At no time has more than one in so many been wrong."""

    low: Floats
    high: Floats

    @property
    def now(self) -> tuple[float, float]:
        """Between what it lies after the last value."""
        return float(self.low[-1]), float(self.high[-1])


def difference(
    values: Floats, candidate: Floats, share: Floats, *, foreseen: Floats | None = None, confidence: float = 0.95, planned: int = 5000
) -> Course | None:
    """By how much the mean of the candidate's units exceeds the champion's: an asymptotic confidence sequence.

    ``values`` (n,) in the order of assignment, one for each unit (0 where nothing happened); ``candidate`` (n,) 1 or 0; ``share`` (n,) the
    chance of 1 at that moment, which may rise or adapt. ``foreseen`` (n,) is what was expected of the unit before it was assigned, from its
    past alone; left out, the mean of the units before it. It is narrowest about ``planned`` units. NaN until both arms have ``LEAST``
    values other than 0; None if they never do.

    The mean of (y - m)(a / share - (1 - a) / (1 - share)), ± deviation √(2 (nρ² + 1) / (n²ρ²) log(√(nρ² + 1) / α)), with
    ρ² = (-2 log α + log(1 - 2 log α)) / planned (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024).

    Raises ValueError for values that are NaN or infinite, and for shares that leave no choice.
    """
    values, candidate, share = (np.asarray(x, dtype=np.float64) for x in (values, candidate, share))
    _finite(values, "values")
    if not ((share > 0) & (share < 1)).all():
        raise ValueError("A share is not between 0 and 1; units that could get only one version are compared with nobody. Leave them out.")
    happened = values != 0
    enough = np.minimum(np.cumsum(happened & (candidate > 0.5)), np.cumsum(happened & (candidate <= 0.5))) >= LEAST
    if not enough.any():
        return None
    n = np.arange(1.0, len(values) + 1)
    expected = np.concatenate([[0.0], (np.cumsum(values) / n)[:-1]]) if foreseen is None else np.asarray(foreseen, dtype=np.float64)
    _finite(expected, "foreseen")
    terms = (values - expected) * (candidate / share - (1 - candidate) / (1 - share))
    mean = np.cumsum(terms) / n
    deviation = np.sqrt(np.maximum(np.cumsum(terms**2) / n - mean**2, 0.0))
    half = np.where(enough, deviation * _margin(n, 1 - confidence, planned), np.nan)
    return Course(mean - half, mean + half)


def bounded_mean(values: Floats, *, lowest: float = 0.0, highest: float = 1.0, confidence: float = 0.95) -> Course:
    """Where the mean of values in ``lowest``…``highest`` lies: an empirical-Bernstein confidence sequence (Waudby-Smith and Ramdas 2024,
    theorem 2). Exact; the values may depend on the past as long as each has the same mean given the past. Intervals never widen.

    >>> low, high = bounded_mean(np.tile([0.2, 0.4], 2000)).now
    >>> low < 0.3 < high, high - low < 0.02
    (True, True)

    Raises ValueError for values outside, for none at all, and for NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values) or not ((values >= lowest) & (values <= highest)).all():
        raise ValueError(f"Values lie in {lowest:g}…{highest:g} and there is at least one; cap amounts at a bound fixed before the start.")
    width, logarithm = highest - lowest, np.log(2 / (1 - confidence))
    x, n = (values - lowest) / width, np.arange(1, len(values) + 1)
    mean = (0.5 + np.cumsum(x)) / (n + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (n + 1)
    mean_before, variance_before = np.concatenate([[0.5], mean[:-1]]), np.concatenate([[0.25], variance[:-1]])
    stake = np.minimum(np.sqrt(2 * logarithm / (variance_before * n * np.log(1 + n))), 0.5)
    staked = np.cumsum(stake)
    centre = np.cumsum(stake * x) / staked
    half = (logarithm + np.cumsum((x - mean_before) ** 2 * (-np.log1p(-stake) - stake))) / staked
    low, high = np.maximum.accumulate(np.maximum(centre - half, 0.0)), np.minimum.accumulate(np.minimum(centre + half, 1.0))
    return Course(lowest + width * low, lowest + width * high)


def quantile(values: Floats, level: float, *, confidence: float = 0.95, planned: int = 10_000) -> tuple[float, float]:
    """Between which of the values their true ``level`` quantile lies, at all times at once (-inf, inf where too few are there to say).

    How many values lie below the true quantile is a sum of fair chances at ``level``; a beta-binomial mixture bets against that, and the
    ranks it does not rule out are kept (Howard and Ramdas 2022; Robbins 1970). Exact for any distribution, ties included. At p99 some
    1,500 values give the first upper end. It is narrowest about ``planned`` values.

    >>> low, high = quantile(np.arange(20_000.0), 0.99)
    >>> low, high
    (19754.0, 19841.0)

    Raises ValueError for NaN and for a level that is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level!r}; a quantile's level lies between 0 and 1, as 0.99 for p99.")
    values = np.sort(np.asarray(values, dtype=np.float64))
    if np.isnan(values).any():
        raise ValueError("values hold NaN; a request without an answer has no latency. Leave it out, or count it as slow with infinity.")
    n, alpha = len(values), 1 - confidence
    strength = planned / _per_unit(alpha)
    yes, no = level * strength, (1 - level) * strength
    below = np.arange(n + 1)
    wealth = betaln(yes + below, no + n - below) - betaln(yes, no) - below * np.log(level) - (n - below) * np.log1p(-level)
    kept = np.flatnonzero(wealth < -np.log(alpha))
    fewest, most = int(kept[0]), int(kept[-1])
    return (float(values[fewest - 1]) if fewest else -np.inf), (float(values[most]) if most < n else np.inf)


def cuped(values: Floats, before: Floats) -> Floats:
    """The values less what their own past explains of them: y - θ (x - mean x), θ = cov(y, x) / var(x) (Deng, Xu, Kohavi and Walker 2013).

    ``before`` (n,) is measured before the unit was assigned; NaN for a unit without a past, which keeps its value. The mean does not
    change; its variance falls by the share ρ² that the past explains.

    >>> past = np.arange(100.0)
    >>> float(cuped(2 * past + 3, past).std().round(9)), float(cuped(2 * past + 3, past).mean())
    (0.0, 102.0)
    """
    values, before = np.asarray(values, dtype=np.float64), np.asarray(before, dtype=np.float64)
    _finite(values, "values")
    known = np.isfinite(before)
    if known.sum() < 2:
        return values.copy()
    away = np.where(known, before, 0.0) - np.where(known, before[known].mean(), 0.0)
    spread = float((away**2).sum())
    slope = float((values * away).sum()) / spread if spread > 0 else 0.0
    return np.asarray(values - slope * away)


def _margin(n: Floats, alpha: float, planned: int) -> Floats:
    """Half of the asymptotic sequence's width in deviations of one value."""
    grown = n * _per_unit(alpha) / planned
    return np.asarray(np.sqrt(2 * (grown + 1) / (n * grown) * np.log(np.sqrt(grown + 1) / alpha)))


def _per_unit(alpha: float) -> float:
    """ρ² times the size at which a normal mixture is narrowest."""
    return float(-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha)))


def _finite(values: Floats, name: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} hold NaN or infinity at {np.flatnonzero(~np.isfinite(values))[:3].tolist()}; a unit without events has 0."
        )
