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
    return d, float(ks_p(*(np.array([x]) for x in (d, float(len(reference)), float(len(current)))))[0])


def ks_of_counts(reference: Floats, current: Floats) -> tuple[float, float] | None:
    """D between two histograms over the same ordered bins, and its p-value; D is never above that of the samples.

    >>> ks_of_counts(np.array([50, 50]), np.array([100, 0]))[0]
    0.5
    """
    d, p = ks_of_rows(*_one(reference, current))
    return None if np.isnan(d[0]) else (float(d[0]), float(p[0]))


def ks_of_rows(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """The same of many pairs (n, bins) at once; NaN where a side has no rows."""
    n, m = reference.sum(axis=1), current.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.cumsum(reference, axis=1) / n[:, None] - np.cumsum(current, axis=1) / m[:, None]
    d = np.where((n > 0) & (m > 0), np.abs(apart).max(axis=1), np.nan)
    return d, ks_p(d, n, m)


def ks_p(d: Floats, n: Floats, m: Floats) -> Floats:
    """How often a D this large comes by chance (Kolmogorov's limit with Stephens' correction, 1970)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(n * m / (n + m))
        return np.asarray(kolmogorov((root + 0.12 + 0.11 / root) * d), dtype=np.float64)


def chi_square(reference: Floats, current: Floats, *, least: float = 5.0) -> tuple[float, float, float] | None:
    """Pearson's test of homogeneity: statistic, p-value and Cramér's V. Bins expecting fewer than ``least`` rows are pooled.

    >>> statistic, p, v = chi_square(np.array([50, 50]), np.array([80, 20]))
    >>> round(statistic, 2), p < 0.001, round(v, 3)
    (19.78, True, 0.314)
    """
    found = chi_square_of_rows(*_one(reference, current), least=least)
    return None if np.isnan(found[0][0]) else (float(found[0][0]), float(found[1][0]), float(found[2][0]))


def chi_square_of_rows(reference: Floats, current: Floats, *, least: float = 5.0) -> tuple[Floats, Floats, Floats]:
    """The same of many pairs (n, bins) at once; NaN where a side has no rows."""
    n, m, both = reference.sum(axis=1, keepdims=True), current.sum(axis=1, keepdims=True), reference + current
    total = n + m
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = both * np.minimum(n, m) / total >= least
        pooled = [np.concatenate([np.where(kept, side, 0.0), np.where(kept, 0.0, side).sum(axis=1, keepdims=True)], axis=1)
                  for side in (reference, current)]  # fmt: skip
        column = pooled[0] + pooled[1]
        # With two sides both differ from what is expected by as much, up or down.
        apart = (pooled[0] - column * n / total) ** 2
        statistic = np.where(column > 0, apart * total / column * (1 / n + 1 / m), 0.0).sum(axis=1)
    free = (column > 0).sum(axis=1) - 1
    statistic = np.where(free > 0, statistic, 0.0)
    statistic = np.where((n[:, 0] > 0) & (m[:, 0] > 0), statistic, np.nan)
    p = np.where(free > 0, chdtrc(np.maximum(free, 1), statistic), 1.0)
    return statistic, p, np.sqrt(statistic / np.maximum(total[:, 0], 1.0))


def jensen_shannon(reference: Floats, current: Floats) -> float | None:
    """Jensen and Shannon's distance with logarithms to base 2: 0 where the same, 1 where they share nothing.

    >>> jensen_shannon(np.array([1, 0]), np.array([0, 1])), jensen_shannon(np.array([3, 1]), np.array([6, 2]))
    (1.0, 0.0)
    """
    found = float(jensen_shannon_of_rows(*_one(reference, current))[0])
    return None if np.isnan(found) else found


def jensen_shannon_of_rows(reference: Floats, current: Floats) -> Floats:
    """The same of many pairs (n, bins) at once; NaN where a side has no rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = reference / reference.sum(axis=1, keepdims=True), current / current.sum(axis=1, keepdims=True)
        middle = (p + q) / 2
        parts = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum(axis=1) for side in (p, q)]
    found = np.sqrt(np.maximum(0.0, (parts[0] + parts[1]) / 2))
    return np.where((reference.sum(axis=1) > 0) & (current.sum(axis=1) > 0), found, np.nan)


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


def _one(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """One pair of histograms as rows."""
    return np.asarray(reference, dtype=np.float64)[None], np.asarray(current, dtype=np.float64)[None]
