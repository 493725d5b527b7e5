"""Finalize: exact parts become the numbers a learner sees. The only place where floats are made, for training and for service alike.

In: counts, whole sums, and decimal sums as two whole parts. Out: float64, NaN for empty. Absent: clock, disk, engine.

A decimal ``x`` is carried as ``high = trunc(x * 2**20)`` and ``low = trunc((x - high / 2**20) * 2**100)``: whole numbers, so that sums do
not depend on the order of rows. The sum is exact for values of at least 2**-48 and is rounded once, to the nearest float64, as
``math.fsum`` does; what is smaller counts to the nearest 2**-100 below. Beyond 2**76 a decimal is too large to be summed, and is empty.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.features.moments import DAY, Micros

Floats: TypeAlias = NDArray[np.float64]

HIGH: Final = 2.0**20
LOW: Final = 2.0**100
LARGEST: Final = 2.0**76
LARGEST_FLOAT: Final = sys.float_info.max


def split_decimal(value: float) -> tuple[int, int] | None:
    """The two whole parts of a decimal; None where it is empty or too large to be summed.

    >>> split_decimal(0.5), split_decimal(float("nan"))
    ((524288, 0), None)
    """
    if not abs(value) <= LARGEST:
        return None
    high = int(value * HIGH)
    return high, int((value - high / HIGH) * LOW)


def decimal_sum(high: int, low: int) -> float:
    """The sum of decimals from the sums of their parts, rounded once.

    >>> decimal_sum(*map(sum, zip(*map(split_decimal, [0.1] * 10))))
    1.0
    """
    return ((high << 80) + low) / (1 << 100)


def whole(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64] | list[int]:
    """Whole sums as they come from the engine: int64 where they all fit, else Python's own."""
    made = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_decimal(made.type):
        return np.asarray(made.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    made = made.fill_null(0)
    halves = np.frombuffer(made.buffers()[1], dtype=np.int64, count=2 * len(made), offset=16 * made.offset).reshape(-1, 2)
    low, high = halves[:, 0], halves[:, 1]
    if bool(np.all(high == low >> 63)):
        return np.ascontiguousarray(low)
    return [(int(h) << 64) + (int(b) & 0xFFFF_FFFF_FFFF_FFFF) for h, b in zip(high.tolist(), low.tolist(), strict=True)]


def total_of(sums: NDArray[np.int64] | Sequence[int]) -> Floats:
    """Whole sums as float64, each rounded once to the nearest.

    >>> total_of([2**63, 3])
    array([9.22337204e+18, 3.00000000e+00])
    """
    return np.asarray(sums, dtype=np.float64) if isinstance(sums, np.ndarray) else np.array([float(s) for s in sums], dtype=np.float64)


def decimal_total_of(highs: Sequence[int], lows: Sequence[int]) -> Floats:
    """Decimal sums from their parts, each rounded once to the nearest."""
    return np.array([decimal_sum(int(h), int(b)) for h, b in zip(highs, lows, strict=True)], dtype=np.float64)


def mean_of(total: Floats, count: NDArray[np.int64]) -> Floats:
    """``float64(sum) / float64(n)``; empty where there is nothing.

    >>> mean_of(np.array([3.0, 0.0]), np.array([2, 0]))
    array([1.5, nan])
    """
    return divided(total, np.asarray(count, dtype=np.float64))


def divided(left: Floats, right: Floats) -> Floats:
    """``left / right``; x / 0 is empty, and so is whatever has an empty side or is too large for a float.

    >>> divided(np.array([1.0, 1.0, np.nan]), np.array([4.0, 0.0, 1.0]))
    array([0.25,  nan,  nan])
    """
    with np.errstate(all="ignore"):
        made = np.where(right == 0, np.nan, left / np.where(right == 0, 1.0, right))
    return np.where(np.isfinite(made), made, np.nan)


def reckoned(operator: str, left: Floats, right: Floats) -> Floats:
    """Two columns added, subtracted, multiplied or divided; never infinite."""
    if operator == "/":
        return divided(left, right)
    with np.errstate(all="ignore"):
        made: Floats = left + right if operator == "+" else left - right if operator == "-" else left * right
    return np.where(np.isfinite(made), made, np.nan)


def days_before(moments: Micros, instants: Micros, present: NDArray[np.bool_]) -> Floats:
    """How many days before each moment an instant was; later ones are negative; empty where there is none.

    >>> days_before(np.array([DAY]), np.array([DAY // 2]), np.array([True]))
    array([0.5])
    """
    # Each side is a float first: the difference of two far instants does not fit into 64 bits.
    apart = np.where(np.abs(instants) < 2**62, (moments - np.where(np.abs(instants) < 2**62, instants, 0)).astype(np.float64), np.nan)
    return np.where(present, apart / float(DAY), np.nan)


# One value at a time: the same digits as the columns above, without their cost. None is empty.


def one_total(total: int, decimal: bool) -> float:
    """A whole or a decimal sum (times 2**100) as float64, rounded once.

    >>> one_total(3, False), one_total(2**99, True)
    (3.0, 0.5)
    """
    return total / (1 << 100) if decimal else float(total)


def one_divided(left: float | None, right: float | None) -> float | None:
    """``left / right``, as ``divided`` says it.

    >>> one_divided(1.0, 4.0), one_divided(1.0, 0.0)
    (0.25, None)
    """
    if left is None or not right:
        return None
    made = left / right
    return made if -LARGEST_FLOAT <= made <= LARGEST_FLOAT else None


def one_reckoned(operator: str, left: float | None, right: float | None) -> float | None:
    """Two values added, subtracted, multiplied or divided, as ``reckoned`` says it."""
    if left is None or right is None:
        return None
    if operator == "/":
        return one_divided(left, right)
    made = left + right if operator == "+" else left - right if operator == "-" else left * right
    return made if -LARGEST_FLOAT <= made <= LARGEST_FLOAT else None


def one_days_before(moment: int, instant: int) -> float | None:
    """How many days before a moment an instant was, as ``days_before`` says it.

    >>> one_days_before(DAY, DAY // 2)
    0.5
    """
    return float(moment - instant) / float(DAY) if abs(instant) < 2**62 else None
