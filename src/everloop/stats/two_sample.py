"""Are two samples alike? Distances and tests between samples, or between histograms over the same bins. Arrays in, numbers out.

Sides without rows give None. NaN and infinity are left out of samples (missing values are a bin of their own in a histogram).
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc, kolmogorov

from everloop.stats.shapes import Floats


def ks(reference: Floats, current: Floats) -> tuple[float, float] | None:
    """Kolmogorov's distance D of two samples and its asymptotic p-value.

    >>> d, p = ks(np.arange(100.0), np.arange(100.0) + 50)
    >>> d, p < 1e-9
    (0.5, True)
    """
    reference, current = (np.sort(x[np.isfinite(x)]) for x in (np.asarray(reference, float), np.asarray(current, float)))
    if not len(reference) or not len(current):
        return None
    every = np.concatenate([reference, current])
    below = np.searchsorted(reference, every, side="right") / len(reference), np.searchsorted(current, every, side="right") / len(current)
    d = float(np.abs(below[0] - below[1]).max())
    return d, ks_p(d, len(reference), len(current))


def ks_of_counts(reference: Floats, current: Floats) -> tuple[float, float] | None:
    """D between two histograms over the same ordered bins, and its p-value; D is never above that of the samples.

    >>> ks_of_counts(np.array([50, 50]), np.array([100, 0]))[0]
    0.5
    """
    n, m = float(np.sum(reference)), float(np.sum(current))
    if n == 0 or m == 0:
        return None
    d = float(np.abs(np.cumsum(reference) / n - np.cumsum(current) / m).max())
    return d, ks_p(d, n, m)


def ks_p(d: float, n: float, m: float) -> float:
    """How often a D this large comes by chance (Kolmogorov's limit with Stephens' correction, 1970)."""
    root = np.sqrt(n * m / (n + m))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * d))


def chi_square(reference: Floats, current: Floats, *, least: float = 5.0) -> tuple[float, float, float] | None:
    """Pearson's test of homogeneity: statistic, p-value and Cramér's V. Bins expecting fewer than ``least`` rows are pooled.

    >>> statistic, p, v = chi_square(np.array([50, 50]), np.array([80, 20]))
    >>> round(statistic, 2), p < 0.001, round(v, 3)
    (19.78, True, 0.314)
    """
    table = np.array([reference, current], dtype=np.float64)
    total = table.sum()
    if table.sum(axis=1).min() == 0:
        return None
    expected = table.sum(axis=0) * table.sum(axis=1).min() / total
    table = np.column_stack([table[:, expected >= least], table[:, expected < least].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 0.0, 1.0, 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / total
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(chdtrc(table.shape[1] - 1, statistic)), float(np.sqrt(statistic / total))


def jensen_shannon(reference: Floats, current: Floats) -> float | None:
    """Jensen and Shannon's distance with logarithms to base 2: 0 where the same, 1 where they share nothing.

    >>> jensen_shannon(np.array([1, 0]), np.array([0, 1])), jensen_shannon(np.array([3, 1]), np.array([6, 2]))
    (1.0, 0.0)
    """
    n, m = float(np.sum(reference)), float(np.sum(current))
    if n == 0 or m == 0:
        return None
    p, q = np.asarray(reference, float) / n, np.asarray(current, float) / m
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum() / 2 for side in (p, q)]
    return float(np.sqrt(max(0.0, float(sum(parts)))))


def wasserstein(reference: Floats, current: Floats) -> float | None:
    """The earth mover's distance in robust standard deviations of the reference (IQR / 1.349), on both samples clipped to its 0.1 % and
    99.9 % quantiles, so that no single value can hide or make a shift. None where a side is empty or the reference does not vary.

    >>> x = np.linspace(0, 1, 1001)
    >>> round(wasserstein(x, x + 0.1), 2), wasserstein(x, x)
    (0.26, 0.0)
    """
    reference, current = (x[np.isfinite(x)] for x in (np.asarray(reference, float), np.asarray(current, float)))
    if not len(reference) or not len(current):
        return None
    low, first, third, high = np.quantile(reference, [0.001, 0.25, 0.75, 0.999])
    scale = (third - first) / 1.349
    if scale == 0:
        return None
    reference, current = np.sort(np.clip(reference, low, high)), np.sort(np.clip(current, low, high))
    every = np.sort(np.concatenate([reference, current]))
    gaps = np.diff(every)
    below = (np.searchsorted(x, every[:-1], side="right") / len(x) for x in (reference, current))
    return float((np.abs(next(below) - next(below)) * gaps).sum() / scale)
