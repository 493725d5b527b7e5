"""Which rows belong together when evidence is counted: what one unit does twice, or what happens to all at once, is not two proofs.

Arrays in, arrays out; no clock, no disk. The rule, told in docs/statistics.md:

1. by unit, if there are at least 20 units;
2. by period (moments no further apart than a truth takes), if there are at least 20 periods;
3. if both, both, and the wider interval counts; if neither, whichever has more, from 10 on; with fewer nothing is proven.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.stats.shapes import Strings

Codes: TypeAlias = NDArray[np.int64]

LEAST_ROWS, LEAST_BLOCKS, MANY = 50, 10, 20
MOST_PERIODS = 400


def codes(values: NDArray[np.generic] | Strings) -> Codes:
    """Whole numbers 0… for the distinct values, in the order in which they come.

    >>> codes(np.array(["b", "a", "b"], dtype=object))
    array([0, 1, 0])
    """
    found: Codes = pa.array(values).dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return found


def periods(moments: NDArray[np.int64], span: timedelta) -> Codes:
    """Which period each moment (int64 µs) lies in, counted from the first: a moment opens a period if it is ``span`` after the one that
    opened the last. So the truths of two periods do not overlap, weekly questions make weekly periods, and gaps count for nothing. A tenth
    of the span may lack: a week in which the clocks are put forward is still a week.

    >>> day = 86_400_000_000
    >>> periods(np.array([0, day, 7 * day, 8 * day, 30 * day]), timedelta(days=7))
    array([0, 0, 1, 1, 2])
    """
    distinct = np.unique(moments)
    if not len(distinct):
        return np.empty(0, dtype=np.int64)
    least = max(int(0.9 * (span // timedelta(microseconds=1))), 1, int(distinct[-1] - distinct[0]) // MOST_PERIODS)
    opened, at = [], 0
    while at < len(distinct):
        opened.append(distinct[at])
        at = int(np.searchsorted(distinct, distinct[at] + least))
    return np.asarray(np.searchsorted(np.array(opened), moments, side="right") - 1, dtype=np.int64)


def blocks(units: Strings, moments: NDArray[np.int64], span: timedelta = timedelta(0)) -> tuple[tuple[str, Codes], ...]:
    """The ways to cut rows into blocks that the rule above allows: ``(("unit", codes), ("period", codes))``, one, or none.

    >>> units = np.array([f"p{i}" for i in range(60)], dtype=object)
    >>> [name for name, _ in blocks(units, np.zeros(60, dtype=np.int64))]
    ['unit']
    """
    if len(units) < LEAST_ROWS:
        return ()
    ways = (("unit", codes(units)), ("period", periods(moments, span)))
    sizes = [int(c.max()) + 1 for _, c in ways]
    many = tuple(way for way, size in zip(ways, sizes, strict=True) if size >= MANY)
    if many:
        return many
    best = int(np.argmax(sizes))
    return (ways[best],) if sizes[best] >= LEAST_BLOCKS else ()
