"""Skew: were the features that answers were made from the ones the event log tells? In: what was served and what the offline reader says
of the same questions, row for row. Out: ``Skew``, one for each feature. Reads no clock, touches no disk.

Values are the same if every bit is: 0.1 + 0.2 is not 0.3, and -0.0 is not 0.0. What is empty is the same however it is written (null,
NaN). Lists are the same if they hold the same in the same order. A number is never a text.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: Differences of so small a share of the value are a sum in another order, not another event.
LAST_DIGITS = 1e-9


@dataclass(frozen=True)
class Skew:
    """One feature: how many values were compared, and how many of them differ.

    ``mismatch``: both sides have a value, and not the same. ``missing``: served empty where the log tells a value. ``extra``: served
    where the log tells none. ``other``: values that were read by another definition, and so not compared. ``largest`` is the largest
    absolute difference of two numbers, ``first`` the id of the first answer that differs (or was read by another definition), ``event``
    the first event that explains it, in words.
    """

    feature: str
    compared: int
    mismatch: int = 0
    missing: int = 0
    extra: int = 0
    other: int = 0
    largest: float | None = None
    first: str | None = None
    event: str | None = None

    @property
    def differ(self) -> int:
        """Values that differ."""
        return self.mismatch + self.missing + self.extra

    @property
    def rate(self) -> float:
        """The share of the values looked at that differ, or were read by another definition.

        >>> Skew("price", compared=90, mismatch=9, other=10).rate
        0.19
        """
        seen = self.compared + self.other
        return (self.differ + self.other) / seen if seen else 0.0

    @property
    def clean(self) -> bool:
        """Whether every value is as the log tells it."""
        return not self.differ and not self.other


def compare(served: pa.Table, offline: pa.Table, ids: Sequence[str]) -> tuple[Skew, ...]:
    """Each column of ``served`` against the column of that name in ``offline``, row for row; ``ids`` are the answers', in order of time.

    A column that ``offline`` has not counts as empty there. Raises ValueError for tables of unlike length.

    >>> said = {"n": [1.0, None, 3.0], "kind": ["tea", "rum", None]}
    >>> true = {"n": [1.0, 2.0, 4.5], "kind": ["tea", None, None]}
    >>> [(s.feature, s.mismatch, s.missing, s.extra, s.largest, s.first) for s in compare(pa.table(said), pa.table(true), ["a", "b", "c"])]
    [('n', 1, 1, 0, 1.5, 'b'), ('kind', 0, 0, 1, None, 'b')]
    """
    if not len(served) == len(offline) == len(ids):
        raise ValueError(f"{len(served)} rows were served, {len(offline)} read again, {len(ids)} answers named: not the same questions.")
    there, nothing = set(offline.column_names), pa.nulls(len(ids))
    return tuple(one_feature(n, served.column(n), offline.column(n) if n in there else nothing, ids) for n in served.column_names)


def one_feature(
    feature: str,
    served: pa.Array | pa.ChunkedArray,
    offline: pa.Array | pa.ChunkedArray,
    ids: Sequence[str],
    *,
    other: Sequence[str] = (),
) -> Skew:
    """One column against another; ``other``: answers whose value was read by another definition, and is in neither column."""
    left, right = _there(served), _there(offline)
    unlike = left & right & ~_same(served, offline)
    differ = unlike | (left != right)
    first = ids[int(np.argmax(differ))] if differ.any() else other[0] if other else None
    return Skew(
        feature,
        compared=len(ids),
        mismatch=int(unlike.sum()),
        missing=int((~left & right).sum()),
        extra=int((left & ~right).sum()),
        other=len(other),
        largest=_largest(served, offline, unlike),
        first=first,
    )


def differing(served: pa.Array | pa.ChunkedArray, offline: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which rows differ, by the rules of ``compare``.

    >>> differing(pa.array([0.0, float("nan"), 0.1]), pa.array([-0.0, None, 0.1])).tolist()
    [True, False, False]
    """
    left, right = _there(served), _there(offline)
    found: NDArray[np.bool_] = (left != right) | (left & right & ~_same(served, offline))
    return found


def picked(units: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Whether each unit is looked at: ``share`` of all units (0 to 1), by their hash, so that of a unit either all answers are or none.

    >>> picked(["ada", "bob", "ada"], 1.0).tolist(), picked(["ada"], 0.0).tolist()
    ([True, True, True], [False])
    """
    drawn = {unit: int.from_bytes(hashlib.sha256(unit.encode()).digest()[:8]) / 2**64 < share for unit in set(units)}
    return np.array([drawn[unit] for unit in units], dtype=np.bool_)


def is_rounding(served: object, offline: object) -> bool:
    """Whether two values differ in their last digits only, as a sum of decimals in another order does.

    >>> is_rounding(0.1 + 0.2, 0.3), is_rounding(0.3, 0.4), is_rounding("a", "b")
    (True, False, False)
    """
    if not isinstance(served, float) or not isinstance(offline, float):
        return False
    return math.isclose(served, offline, rel_tol=LAST_DIGITS, abs_tol=0.0)


def _there(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.is_valid().to_numpy())
    found: NDArray[np.bool_] = valid.astype(np.bool_)
    return found & ~np.isnan(_floats(column)) if pa.types.is_floating(column.type) else found


def _same(served: pa.Array | pa.ChunkedArray, offline: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Whether every bit is the same, where both sides have a value."""
    if pa.types.is_floating(served.type) and pa.types.is_floating(offline.type):
        same: NDArray[np.bool_] = _floats(served).view(np.int64) == _floats(offline).view(np.int64)
        return same
    if pa.types.is_floating(served.type) != pa.types.is_floating(offline.type):
        return np.zeros(len(served), dtype=np.bool_)
    return np.array([a == b for a, b in zip(served.to_pylist(), offline.to_pylist(), strict=True)], dtype=np.bool_)


def _floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    made = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.ascontiguousarray(made.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def _largest(served: pa.Array | pa.ChunkedArray, offline: pa.Array | pa.ChunkedArray, unlike: NDArray[np.bool_]) -> float | None:
    if not unlike.any() or not (pa.types.is_floating(served.type) and pa.types.is_floating(offline.type)):
        return None
    return float(np.abs(_floats(served)[unlike] - _floats(offline)[unlike]).max())
