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
    raw, fair = psi_of_rows(np.asarray(reference, dtype=np.float64)[None], np.asarray(current, dtype=np.float64)[None])
    return None if np.isnan(raw[0]) else float((fair if corrected else raw)[0])


def psi_of_rows(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """The same of many pairs (n, bins) at once: raw (n,) and corrected (n,), NaN where a side has no rows."""
    n, m = reference.sum(axis=1, keepdims=True), current.sum(axis=1, keepdims=True)
    used = (reference > 0) | (current > 0)
    k = used.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = (reference + 0.5) / (n + 0.5 * k), (current + 0.5) / (m + 0.5 * k)
        raw = np.where(((n > 0) & (m > 0))[:, 0], np.where(used, (p - q) * np.log(p / q), 0.0).sum(axis=1), np.nan)
        return raw, np.maximum(0.0, raw - ((k - 1) * (1 / n + 1 / m))[:, 0])


def coarse(counts: Floats, reference: Floats, bins: int = 10) -> Floats:
    """Ordered fine bins (n, fine) merged to ``bins`` of nearly equal mass in the reference; where one bin is heavier, some stay empty.

    >>> coarse(np.array([[1, 1, 1, 1, 5, 5]]), np.array([[1, 1, 1, 1, 2, 2]]), bins=4)
    array([[2., 2., 5., 5.]])
    """
    middle = np.cumsum(reference, axis=1) - reference / 2
    where = np.minimum((middle / np.maximum(reference.sum(axis=1, keepdims=True), 1.0) * bins).astype(np.int64), bins - 1)
    rows = len(where)
    merged = np.bincount((where + bins * np.arange(rows)[:, None]).ravel(), counts.ravel(), bins * rows)
    return np.asarray(merged, dtype=np.float64).reshape(rows, bins)
