"""Conformal calibration: quantiles moved until they keep their promise on rows nobody learnt from. Arrays in, numbers out.

Split conformal prediction for quantiles (Romano, Patterson and Candès 2019, "Conformalized quantile regression"), each level by itself as
in their Theorem 2: whatever learnt the quantiles, a new row that comes like the calibration rows lies at or below a moved upper quantile
with at least its chance, and below a moved lower one with at most its chance. Rows in time are only about alike, so the promise is about
kept as long as the newest rows calibrate.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np

from everloop.stats.shapes import Floats


def moved_by(short: Floats, level: float) -> float:
    """What to add to a quantile of ``level`` (0 to 1), from how far truths lay above it (truth - quantile) on calibration rows (n,).

    From 0.5 on, the ceil((n + 1) level)-th smallest of them, below 0.5 the floor((n + 1) level)-th. With fewer rows than ``rows_needed``
    no number would keep the promise, and the largest (smallest) is taken. NaN is left out; 0 where nothing is left.

    >>> moved_by(np.array([-1.0, 0.0, 1.0, 2.0]), 0.8), moved_by(np.array([-1.0, 0.0, 1.0, 2.0]), 0.2)
    (2.0, -1.0)
    """
    known = np.sort(short[~np.isnan(short)])
    if not len(known):
        return 0.0
    # 0.1 * 10 is a little more than 1, and would be rounded up to 2.
    place = round((len(known) + 1) * level, 9)
    nth = ceil(place) if level >= 0.5 else floor(place)
    return float(known[min(max(nth, 1), len(known)) - 1])


def rows_needed(level: float) -> int:
    """How many calibration rows it takes at least for a level to keep its promise.

    >>> rows_needed(0.9), rows_needed(0.01)
    (9, 99)
    """
    return ceil(round(1 / min(level, 1 - level), 9)) - 1
