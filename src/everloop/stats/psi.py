"""The population stability index of two histograms over the same bins. Counts in, numbers out."""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Floats


def psi(reference: Floats, current: Floats, *, corrected: bool = True) -> float | None:
    """Σ (p − q) ln(p / q) over bins; half a row is added to each bin (Jeffreys), so that an empty one does not give infinity.

    Two samples of one distribution have a PSI of (k − 1)(1/n + 1/m) on average for no reason; ``corrected`` takes that off and stops at 0.
    None where one side has no rows. Bins empty on both sides are no bins.

    >>> psi(np.array([500, 500]), np.array([500, 500])), round(psi(np.array([500, 500]), np.array([800, 200])), 3)
    (0.0, 0.413)
    """
    reference, current = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    n, m = reference.sum(), current.sum()
    if n == 0 or m == 0:
        return None
    used = (reference > 0) | (current > 0)
    k = int(used.sum())
    p = (reference[used] + 0.5) / (n + 0.5 * k)
    q = (current[used] + 0.5) / (m + 0.5 * k)
    raw = float(((p - q) * np.log(p / q)).sum())
    return max(0.0, raw - (k - 1) * float(1 / n + 1 / m)) if corrected else raw


def coarse(counts: Floats, reference: Floats, bins: int = 10) -> Floats:
    """Ordered fine bins merged to at most ``bins`` of nearly equal mass in the reference.

    >>> coarse(np.array([1, 1, 1, 1, 5, 5]), np.array([1, 1, 1, 1, 2, 2]), bins=4)
    array([2., 2., 5., 5.])
    """
    middle = np.cumsum(reference) - np.asarray(reference) / 2
    total = float(np.sum(reference))
    where = np.minimum((middle / total * bins).astype(np.int64), bins - 1) if total else np.zeros(len(counts), dtype=np.int64)
    return np.asarray(np.bincount(where, np.asarray(counts, dtype=np.float64), bins)[np.unique(where)], dtype=np.float64)
