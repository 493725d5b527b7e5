"""Ranges: what stands between two places of an ordered column, for many ranges at once. In: arrays. Out: exact arrays, one value for each
range ``[first, last)``. No window is walked through: sums come from running sums, extremes from overlapping powers of two, different values
from a count of those that stand there for the first time. Absent: clock, disk, engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from everloop.features.finalize import HIGH, LARGEST, LOW, Floats
from everloop.features.moments import Micros

#: Whole numbers are summed in parts of so many bits, so that no running sum of less than two billion rows can overflow.
BITS = 32


def whole_sums(values: Micros, first: Micros, last: Micros) -> Micros | list[int]:
    """The exact sum of each range: int64 where every one fits, else Python's own.

    >>> whole_sums(np.array([2**62, 2**62, -1]), np.array([0, 1]), np.array([2, 3]))
    [9223372036854775808, 4611686018427387903]
    """
    largest = max(abs(int(values.max())), abs(int(values.min()))) if len(values) else 0
    longest = int((last - first).max()) if len(first) else 0
    if largest * longest < 2**63:
        return _between(values, first, last)  # a running sum may wrap around, the difference of two is right again
    return _joined([_between(values & (2**BITS - 1), first, last), _between(values >> BITS, first, last)])


def decimal_sums(values: Floats, first: Micros, last: Micros) -> tuple[list[int], list[int]]:
    """The exact sums of both whole parts of decimals (see ``finalize``); none of them may be beyond ``LARGEST``.

    >>> decimal_sums(np.array([0.5, 0.25, 8.0]), np.array([0]), np.array([2]))
    ([786432], [0])
    """
    high = np.trunc(values * HIGH)
    low = np.trunc((values - high / HIGH) * LOW)
    return _float_sums(high, first, last), _float_sums(low, first, last)


def summable(values: Floats) -> NDArray[np.bool_]:
    """Which decimals can be summed."""
    made: NDArray[np.bool_] = np.abs(values) <= LARGEST
    return made


def extremes(values: NDArray[np.generic], first: Micros, last: Micros, *, least: bool) -> NDArray[np.generic]:
    """The least, or greatest, of each range; where a range is empty whatever comes to hand.

    >>> extremes(np.array([3, 1, 2]), np.array([0, 1, 2]), np.array([3, 3, 3]), least=True).tolist()
    [1, 1, 2]
    """
    better = np.minimum if least else np.maximum
    made = np.zeros(len(first), dtype=values.dtype)
    doublings = np.frexp((last - first).astype(np.float64))[1] - 1
    level, reach = values, 1
    for doubling in range(int(doublings.max(initial=-1)) + 1):
        here = np.flatnonzero(doublings == doubling)
        made[here] = better(level[first[here]], level[last[here] - reach])
        level = better(level[:-reach], level[reach:])
        reach *= 2
    return made


def differing(group: Micros, starts: Micros, value: Micros, first: Micros, last: Micros) -> Micros:
    """How many different values each range holds; a range lies within one group, and ``starts`` is where each group begins.

    >>> differing(np.array([0, 0, 0]), np.array([0]), np.array([7, 5, 7]), np.array([0, 1]), np.array([3, 2]))
    array([2, 1])
    """
    if not len(value) or not len(first):
        return np.zeros(len(first), dtype=np.int64)
    same = np.lexsort((value, group))  # stable: equal values of a group stand in their own order
    again = (group[same][1:] == group[same][:-1]) & (value[same][1:] == value[same][:-1])
    before = np.zeros(len(value), dtype=np.int64)  # 0: never before in its group; else 1 + how far into it
    before[same[1:][again]] = same[:-1][again] - starts[group[same[:-1][again]]] + 1
    at = np.minimum(first, len(value) - 1)  # an empty range may begin behind everything
    return _below(before, first, last, np.where(first < last, first - starts[group[at]], 0) + 1)


def holding(group: Micros, value: Micros, asked: Micros, wanted: Micros, first: Micros, last: Micros) -> NDArray[np.bool_]:
    """Whether each range, which lies within the group asked about, holds the value wanted.

    >>> holding(np.array([0, 0, 0]), np.array([7, 5, 7]), np.array([0, 0]), np.array([7, 5]), np.array([1, 2]), np.array([3, 3]))
    array([ True, False])
    """
    if not len(value):
        return np.zeros(len(wanted), dtype=np.bool_)
    width = int(max(value.max(), wanted.max(initial=0))) + 1
    pairs = group * width + value
    order = np.argsort(pairs, kind="stable")
    low, end = (np.searchsorted(pairs, asked * width + wanted, side=side, sorter=order) for side in ("left", "right"))
    high = end
    while bool((going := low < high).any()):
        middle = (low + high) >> 1
        before = order[np.where(going, middle, 0)] < first
        low, high = np.where(going & before, middle + 1, low), np.where(going & ~before, middle, high)
    made: NDArray[np.bool_] = (low < end) & (order[np.minimum(low, len(order) - 1)] < last)
    return made


def added(parts: Sequence[Micros | list[int]]) -> Micros | list[int]:
    """Exact sums of the same ranges, added range by range.

    >>> added([np.array([2**62]), np.array([2**62])])
    [9223372036854775808]
    """
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, np.ndarray) and (not len(part) or int(np.abs(part).max()) < 2**62 // len(parts)) for part in parts):
        made: Micros = np.sum(np.stack(parts), axis=0)
        return made
    lists: list[list[int]] = [part.tolist() if isinstance(part, np.ndarray) else part for part in parts]
    whole: list[int] = [sum(each) for each in zip(*lists, strict=True)]
    return whole


def _below(values: Micros, first: Micros, last: Micros, limit: Micros) -> Micros:
    """How many of each range's values (none negative) are below its limit: a wavelet matrix, one bit of all values at a time."""
    made = np.zeros(len(first), dtype=np.int64)
    level = values.astype(np.int32) if int(values.max()) < 2**31 else values
    for bit in reversed(range(int(max(values.max(), limit.max())).bit_length())):
        clear = (level >> bit) & 1 == 0
        cleared = np.concatenate([[0], np.cumsum(clear)])
        left, right = cleared[first], cleared[last]
        up = (limit >> bit) & 1 == 1
        made += np.where(up, right - left, 0)
        first = np.where(up, cleared[-1] + first - left, left)
        last = np.where(up, cleared[-1] + last - right, right)
        level = np.concatenate([level[clear], level[~clear]])
    return made


def _between(values: Micros, first: Micros, last: Micros) -> Micros:
    running = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=running[1:])
    made: Micros = running[last] - running[first]
    return made


def _float_sums(whole: Floats, first: Micros, last: Micros) -> list[int]:
    """The exact sums of whole numbers held as floats, of any size a decimal's part may have."""
    parts = []
    while whole.any():
        above = np.trunc(whole / 2.0**BITS)
        parts.append(_between((whole - above * 2.0**BITS).astype(np.int64), first, last))
        whole = above
    return _joined(parts) if parts else [0] * len(first)


def _joined(parts: Sequence[Micros]) -> list[int]:
    """Parts of ``BITS`` bits, the lowest first, as whole numbers of any size."""
    made: list[int] = parts[-1].tolist()
    for part in reversed(parts[:-1]):
        made = [(above << BITS) + below for above, below in zip(made, part.tolist(), strict=True)]
    return made
