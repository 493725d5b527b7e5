"""Habits: how far windows usually lie from their reference, and which lie beyond that. Distances in, verdicts out; no clock, no disk.

A window is *beyond the habit* of a feature where

1. Student's predictive interval of the ``HABIT`` or more windows before it says so for one of two distances, D and PSI, one-sided, with
   Benjamini and Hochberg's rule at q = 0.01 over all features and both distances. They are looked at as D^(2/3) and PSI^(1/3), which are
   nearly normal where the distances come from chance or from days that wobble (Wilson and Hilferty 1931). Of 99 windows or more, one that
   is not the farthest of all has its rank as p-value, if that is larger; and
2. it is not small: D at least max(0.02, 1.5 / sqrt(rows)), or PSI at least max(0.1, 15 / rows).

A window beyond the habit never becomes part of it. One that is not small, and would be beyond were it the only feature, waits for fourteen
windows: a drift that is seen late must not widen the habit until then. Two of the three newest on the same side are an alarm; so is a
single one with a PSI of max(0.25, 30 / rows) or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from everloop.stats.distances import Series
from everloop.stats.multiple import benjamini_hochberg
from everloop.stats.shapes import Floats

Q, HABIT, LONGEST, RANKED, WAIT = 0.01, 14, 364, 99, 14
FLOOR_D, FLOOR_PSI, CRITICAL_PSI, ROOTS, NOISE = 0.02, 0.1, 0.25, 1.5, 15.0
POWERS = (2 / 3, 1 / 3)
# Of two samples of one distribution: the mean square of sqrt(m) D, and the mean and spread of it (Kolmogorov's distribution).
MEAN_SQUARE, MEAN, SPREAD = 0.822, 0.869, 0.26
_T = TypeVar("_T", bound=np.generic)
TEN = 9  # degrees of freedom of ten bins


@dataclass(frozen=True)
class Past:
    """Distances of windows from their references, for some features. ``d``, ``psi_raw``, ``psi``, ``side`` and ``rows`` are (windows,
    features); ``learnt`` (windows,) says which were learnt from: they are habit from the beginning, and raise no alarm.
    """

    d: Floats
    psi_raw: Floats
    psi: Floats
    side: NDArray[np.int64]
    rows: Floats
    learnt: NDArray[np.bool_]

    @staticmethod
    def of(features: list[Series], rows: Floats, learnt: NDArray[np.bool_]) -> Past:
        """The series of each feature beside each other; ``rows`` are of all features (windows,), or of each (windows, features)."""
        d, raw, psi = (np.column_stack([getattr(f, what) for f in features]) for what in ("d", "psi_raw", "psi"))
        # Of no row there is no distance, and no noise to divide by.
        each = np.broadcast_to(np.maximum(rows if rows.ndim == 2 else rows[:, None], 1.0), d.shape)
        return Past(d, raw, psi, np.column_stack([f.side for f in features]), each, learnt)

    def take(self, windows: NDArray[np.int64]) -> Past:
        """Some windows, in this order."""
        d, raw, psi = self.d[windows], self.psi_raw[windows], self.psi[windows]
        return Past(d, raw, psi, self.side[windows], self.rows[windows], self.learnt[windows])

    def scaled(self) -> Floats:
        """Both distances on a scale on which they are nearly normal (windows, features, 2)."""
        return np.stack([self.d ** POWERS[0], np.maximum(self.psi_raw, 0.0) ** POWERS[1]], axis=2)


@dataclass(frozen=True)
class Judged:
    """``beyond`` and ``alarm`` (windows, features): what lies beyond the habit, and where that is an alarm. Of the newest window: ``upper``
    (features,) the farthest D its habit foretells, NaN without a habit; ``score`` (features,) in spreads of the habit.
    """

    beyond: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    upper: Floats
    score: Floats


def takes(rows: float) -> str:
    """What else a window of ``rows`` has to be, that lies beyond its habit, for an alarm (the rule above).

    >>> takes(5000)
    'two of the three newest windows on the same side, or a PSI of 0.25'
    >>> takes(60)[-10:]
    'PSI of 0.5'
    """
    return f"two of the three newest windows on the same side, or a PSI of {max(CRITICAL_PSI, 2 * NOISE / rows):.2g}"


def judge(past: Past, *, cold: Past | None = None, floor_psi: float | None = None) -> Judged:
    """Each window by those before it, oldest first. ``cold`` stands in while there are fewer than ``HABIT``; PSI then has to reach 0.1.
    ``floor_psi`` is a PSI below which nothing counts.
    """
    windows, features = past.d.shape
    beyond, doubtful = np.zeros((windows, features), dtype=bool), np.zeros((windows, features), dtype=bool)
    scaled, tall = past.scaled(), _tall(past, floor_psi)
    kept = _learnt(past, scaled)
    instead = None if cold is None else cold.scaled()
    upper, score = np.full(features, np.nan), np.full(features, np.nan)
    for w in range(windows):
        if past.learnt[w] and w < windows - 1:
            continue
        mine = kept[max(0, w - LONGEST) : w].copy()
        mine[-WAIT:] &= ~doubtful[max(0, w - WAIT) : w]
        settled = mine.sum(axis=0) >= HABIT
        before = _at_rows(past, scaled, w)[max(0, w - LONGEST) : w]
        found = _foretold(before, mine, past, w)
        if instead is not None and not settled.all():
            stand_in = _foretold(instead, np.ones(instead.shape[:2], dtype=bool), past, w)
            found = tuple(np.where(settled[:, None], a, b) for a, b in zip(found, stand_in, strict=True))  # type: ignore[assignment]
        middle, spread, freedom = found
        p = _p(scaled[w], middle, spread, freedom, before, mine)
        chosen = benjamini_hochberg(p.reshape(-1), Q).reshape(p.shape).any(axis=1)
        large = tall[w] & (settled | (past.psi[w] >= FLOOR_PSI))
        beyond[w] = chosen & large & ~past.learnt[w]
        doubtful[w] = (p < Q).any(axis=1) & tall[w] & ~past.learnt[w]
        kept[w] = ~beyond[w] & np.isfinite(past.d[w])
        if w == windows - 1:
            top = middle[:, 0] + stdtrit(freedom[:, 0], 1 - Q) * spread[:, 0]
            upper = np.where(settled, np.maximum(top, 0.0) ** (1 / POWERS[0]), np.nan)
            score = np.nanmax((scaled[w] - middle) / spread, axis=1, initial=-np.inf)
    far = past.psi >= np.maximum(CRITICAL_PSI, 2 * NOISE / past.rows)
    return Judged(beyond, alarms(beyond, past.side, far), upper, score)


def alarms(beyond: NDArray[np.bool_], side: NDArray[np.int64], far: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where two of the three newest windows lie beyond the habit on the same side, or one is ``far`` (windows, features)."""
    found = beyond & far
    for one, other in ((0, 1), (0, 2), (1, 2)):
        both = _earlier(beyond, one) & _earlier(beyond, other) & (_earlier(side, one) == _earlier(side, other))
        found |= both
    return found


def _earlier(values: NDArray[_T], by: int) -> NDArray[_T]:
    """The same, so many windows before."""
    return np.concatenate([np.zeros_like(values[:by]), values[: len(values) - by]])


def _tall(past: Past, floor_psi: float | None) -> NDArray[np.bool_]:
    """Where a distance is not small (windows, features)."""
    least = np.maximum(FLOOR_D, ROOTS / np.sqrt(past.rows))
    with np.errstate(invalid="ignore"):
        tall = (past.d >= least) | (past.psi >= np.maximum(FLOOR_PSI, NOISE / past.rows))
        return tall if floor_psi is None else tall & (past.psi >= floor_psi)


def _learnt(past: Past, scaled: Floats) -> NDArray[np.bool_]:
    """The windows that were learnt from, but for those far beyond all others (windows, features); a holiday among them is no habit."""
    kept = past.learnt[:, None] & np.isfinite(past.d)
    if past.learnt.sum() < HABIT:
        return kept
    some = scaled[past.learnt]
    some = np.where(np.isnan(some).all(axis=0), 0.0, some)
    middle = np.nanmedian(some, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(some - middle), axis=0)
    return kept & ~((scaled > middle + 6 * spread) & (scaled > 1.5 * middle)).any(axis=2)


def _at_rows(past: Past, scaled: Floats, w: int) -> Floats:
    """Earlier distances as they would be if those windows had as few rows as window ``w``: fewer rows, more noise."""
    more = np.maximum(0.0, 1 / past.rows[w] - 1 / past.rows)
    if not more.any():
        return scaled
    return np.stack([(past.d**2 + MEAN_SQUARE * more) ** (POWERS[0] / 2), np.maximum(past.psi_raw + TEN * more, 0.0) ** POWERS[1]], axis=2)


def _foretold(before: Floats, mine: NDArray[np.bool_], past: Past, w: int) -> tuple[Floats, Floats, Floats]:
    """What a habit foretells: middle, spread and degrees of freedom (features, 2) of Student's predictive distribution."""
    some = np.where(mine[:, :, None], before, 0.0)
    count = np.maximum(mine.sum(axis=0), 2)[:, None].astype(np.float64)
    middle = some.sum(axis=0) / count
    spread = np.sqrt(np.where(mine[:, :, None], (before - middle) ** 2, 0.0).sum(axis=0) / (count - 1))
    # However still a habit was, a window has the noise of its rows.
    m = past.rows[w]
    d, psi = middle[:, 0] ** (1 / POWERS[0]), middle[:, 1] ** (1 / POWERS[1])
    d, psi = np.maximum(d, MEAN / np.sqrt(m)), np.maximum(psi, TEN / m)
    noise = np.column_stack(
        [POWERS[0] * d ** (POWERS[0] - 1) * SPREAD / np.sqrt(m), POWERS[1] * psi ** (POWERS[1] - 1) * np.sqrt(2 * TEN) / m]
    )
    spread = np.maximum(spread, noise) * np.sqrt(1 + 1 / count)
    return middle, spread, np.broadcast_to(count - 1, middle.shape)


def _p(now: Floats, middle: Floats, spread: Floats, freedom: Floats, before: Floats, mine: NDArray[np.bool_]) -> Floats:
    """How often a distance this large comes, by habit (features, 2); NaN where there is none now."""
    p = np.where(np.isfinite(now), stdtr(freedom, -(now - middle) / spread), np.nan)
    counted = mine.sum(axis=0)[:, None]
    farther = (mine[:, :, None] & (before >= now)).sum(axis=0)
    ranked = (counted >= RANKED) & (farther > 0)
    return np.asarray(np.where(ranked, np.maximum(p, (1 + farther) / (counted + 1)), p), dtype=np.float64)
