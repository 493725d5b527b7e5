"""Folds in the order of time: what is judged always lies after what was learnt from, with a gap between. Arrays in, masks out.

Rows are cut into parts of equal count by moment; each part but the first judges once what all earlier ones teach (an expanding window:
Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.stats.known import Mask

FOLDS = 3
LEAST = 50  # rows on either side; fewer say nothing about a setting


@dataclass(frozen=True)
class Fold:
    """Which rows are learnt from and which judge, (n,) each; rows in the gap are in neither."""

    learn: Mask
    judge: Mask


def folds_in_time(moments: NDArray[np.int64], gap: int, *, folds: int = FOLDS, least: int = LEAST) -> list[Fold]:
    """At most ``folds`` folds of rows asked at ``moments`` (n,) (µs), oldest first; ``gap`` µs is how long a truth takes.

    The truth of every row learnt from was mature before the first row that judges was asked. A fold with fewer than ``least`` rows on
    either side is left out, so there may be none.

    >>> [(int(f.learn.sum()), int(f.judge.sum())) for f in folds_in_time(np.arange(400) * 10, 100)]
    [(91, 100), (191, 100), (291, 100)]
    """
    found = []
    for part in range(1, folds + 1):
        since, until = (_edge(moments, at / (folds + 1)) for at in (part, part + 1))
        judge = (moments >= since) & (moments < until if part < folds else np.ones(len(moments), dtype=np.bool_))
        learn = moments + gap <= since
        if gap <= 0:
            learn = moments < since
        if min(learn.sum(), judge.sum()) >= least:
            found.append(Fold(learn, judge))
    return found


def folds_by_unit(units: Sequence[str], *, folds: int = FOLDS, least: int = LEAST) -> list[Fold]:
    """Folds of rows without a time: every unit is judged once, by what the other units teach; the same units for ever.

    >>> [(int(f.learn.sum()), int(f.judge.sum())) for f in folds_by_unit([str(i) for i in range(300)])]
    [(191, 109), (208, 92), (201, 99)]
    """
    import hashlib

    part = np.array([int.from_bytes(hashlib.sha256(b"fold\x1f" + str(u).encode()).digest()[:4], "big") % folds for u in units])
    found = [Fold(part != at, part == at) for at in range(folds)]
    return [fold for fold in found if min(fold.learn.sum(), fold.judge.sum()) >= least]


def _edge(moments: NDArray[np.int64], share: float) -> int:
    """The moment below which about this share of the rows lies."""
    return int(np.sort(moments)[min(int(len(moments) * share), len(moments) - 1)]) if len(moments) else 0
