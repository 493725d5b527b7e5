"""How long things take to come, where some have not come yet: the curve of Kaplan and Meier. Arrays in, numbers out; no clock, no disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats

Whole = NDArray[np.int64]

LEAST = 20  # so many have to have been watched up to an age before the curve says anything of it


@dataclass(frozen=True)
class Curve:
    """Which share has come by which age: ``ages`` (k,) in the unit of the delays, rising, ``share`` (k,) from then on. ``reach`` is the
    greatest age it can tell of, ``of`` how many it was drawn from. What never comes is the share that is missing at the end.
    """

    ages: Whole
    share: Floats
    reach: int
    of: int

    def by(self, age: Whole) -> Floats:
        """The share that has come by each age (n,); beyond ``reach`` that of ``reach``."""
        found = np.searchsorted(self.ages, np.minimum(age, self.reach), side="right")
        return np.asarray(np.concatenate([[0.0], self.share])[found])

    @property
    def ever(self) -> float:
        """The share that comes at all, as far as can be told."""
        return float(self.by(np.array([self.reach]))[0])

    @property
    def settled(self) -> bool:
        """Whether it has gone flat: nine in ten of what came had come by half the age it reaches, so little more can be expected."""
        return 0 < 0.9 * self.ever <= float(self.by(np.array([self.reach // 2]))[0])


def kaplan_meier(waited: Whole, came: NDArray[np.bool_]) -> Curve:
    """The curve of those that came after ``waited`` (n,) and those that were still open after it (``came`` false: censored).

    1 - the product of (1 - came at an age / still open until it) over the ages (Kaplan and Meier 1958). It reaches as far as the age up
    to which ``LEAST`` were watched. Whatever is censored at an age at which others came was open when they did.

    >>> curve = kaplan_meier(np.array([1, 2, 2, 3] * 10), np.array([True, True, False, False] * 10))
    >>> curve.by(np.array([0, 1, 2])).round(3).tolist(), curve.reach
    ([0.0, 0.25, 0.5], 2)

    Raises ValueError for negative delays and for arrays of unlike length.
    """
    waited, came = np.asarray(waited, dtype=np.int64), np.asarray(came, dtype=bool)
    if waited.shape != came.shape:
        raise ValueError(f"{len(waited)} delays and {len(came)} marks of what came; say one for each.")
    if (waited < 0).any():
        raise ValueError("A delay is negative: it came before it was asked for. Leave such rows out, or say 0.")
    ordered = np.sort(waited)
    reach = int(ordered[-LEAST]) if len(ordered) >= LEAST else 0
    ages, counts = np.unique(waited[came], return_counts=True)
    open_before = len(ordered) - np.searchsorted(ordered, ages, side="left")
    left = np.cumprod(1 - counts / np.maximum(open_before, 1))
    return Curve(ages, np.asarray(1 - left, dtype=np.float64), reach, len(ordered))
