"""The split: which moments are learnt from, and which judge, with a gap between them as long as a truth takes. Arithmetic on moments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from everloop.features.moments import Micros, length

#: The share that judges where the model does not say.
FIFTH: Final = 0.2


@dataclass(frozen=True)
class Split:
    """Rows with ``moment < learn_until`` are learnt from, rows with ``moment >= judge_from`` judge; microseconds."""

    learn_until: int
    judge_from: int


def split_by_time(moments: Micros, holdout: timedelta | float | None, gap: int, judge_after: int | None) -> Split | None:
    """The newest ``holdout`` (a span; or a share of the time covered, a fifth where it is not said) judges. None without any moments.

    ``gap`` microseconds lie between: the truth of every row learnt from was mature before the first moment that judges. ``judge_after`` is
    the last moment the champion learnt from: what judges begins a gap later at the earliest, even if nothing is left to judge then.

    >>> split_by_time(np.arange(10) * 10, 0.3, 5, None)
    Split(learn_until=65, judge_from=70)
    """
    if not len(moments):
        return None
    oldest, newest = int(moments.min()), int(moments.max())
    if isinstance(holdout, timedelta):
        after = newest - length(holdout)
    else:
        after = newest - int((newest - oldest) * (FIFTH if holdout is None else holdout))
    later = moments[moments > after]
    judge_from = int(later.min()) if len(later) else newest + 1 + gap
    if judge_after is not None:
        judge_from = max(judge_from, judge_after + gap)
    return Split(judge_from - max(gap, 0), judge_from)


def picked_by_id(units: Iterable[str], share: float | None) -> NDArray[np.bool_]:
    """A random share of units, the same ones for ever, whatever else is asked about: for tables without a time.

    >>> float(picked_by_id(map(str, range(10_000)), 0.2).mean().round(2))
    0.2
    """
    edge = int((FIFTH if share is None else share) * 2**32)
    picked = [int.from_bytes(hashlib.sha256(b"holdout\x1f" + unit.encode()).digest()[:4], "big") < edge for unit in units]
    return np.array(picked, dtype=np.bool_)
