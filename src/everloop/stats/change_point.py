"""Since when has a series been another one? A number per period in, an index or nothing out; seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everloop.stats.shapes import Floats


@dataclass(frozen=True)
class Change:
    """From ``index`` on the series has another mean: ``before`` became ``after``; ``p`` is how often chance does as much."""

    index: int
    p: float
    before: float
    after: float


def change_point(series: Floats, *, alpha: float = 0.05, seed: int = 0, rounds: int = 999, least: int = 2) -> Change | None:
    """The one best split of a series of at least 2 x ``least`` finite values into two means, or None if it may be chance.

    The statistic is the largest standardised difference of means (CUSUM) over all splits with ``least`` values on each side. Chance is what
    a shuffling does to it, of short stretches where the series is long enough (from 24 values on), so that neighbours stay together.
    NaN are left out.

    >>> change_point(np.array([0.45, 0.44, 0.46, 0.45, 0.43, 0.46, 0.45, 0.62, 0.71, 0.66, 0.7])).index
    7
    >>> change_point(np.array([0.45, 0.44, 0.46, 0.45, 0.43, 0.46, 0.45, 0.44])) is None
    True
    """
    there = np.flatnonzero(np.isfinite(series))
    values = np.asarray(series, dtype=np.float64)[there]
    n = len(values)
    if n < 2 * least or values.std() == 0:
        return None
    found, split = _largest(values[None], least)
    length = max(1, min(round(n ** (1 / 3)), n // 12))
    rng = np.random.default_rng(seed)
    pieces = np.arange(-(-n // length))
    shuffled = np.empty((rounds, n))
    for r in range(rounds):
        turned = np.roll(values, rng.integers(n))
        order = (rng.permutation(pieces)[:, None] * length + np.arange(length)).reshape(-1)
        shuffled[r] = turned[order[order < n]]
    chance, _ = _largest(shuffled, least)
    p = (1 + int((chance >= found[0] - 1e-12).sum())) / (rounds + 1)
    if p > alpha:
        return None
    at = int(split[0])
    return Change(int(there[at]), p, float(values[:at].mean()), float(values[at:].mean()))


def _largest(series: Floats, least: int) -> tuple[Floats, Floats]:
    """The largest standardised difference of each row (rows, n), and where the second part begins."""
    n = series.shape[1]
    k = np.arange(least, n - least + 1)
    head = np.cumsum(series, axis=1)[:, k - 1] / k
    tail = (series.sum(axis=1, keepdims=True) - head * k) / (n - k)
    sizes = np.abs(head - tail) * np.sqrt(k * (n - k) / n)
    best = sizes.argmax(axis=1)
    return sizes[np.arange(len(series)), best], k[best]
