"""Columns of tables, record batches or mappings of arrays, part by part, as numbers or as counts by name. Columns in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.stats.shapes import Floats

ROWS = 65_536  # so many rows at a time stay in a processor's own memory
Columns: TypeAlias = pa.Table | pa.RecordBatch | Mapping[str, NDArray[Any]]
Part: TypeAlias = pa.Array | NDArray[Any]


def rows_of(columns: Columns) -> int:
    """How many rows: of a mapping, as many as its longest column."""
    if isinstance(columns, pa.Table | pa.RecordBatch):
        return int(columns.num_rows)
    return max((len(values) for values in columns.values()), default=0)


def chunks(columns: Columns, name: str) -> Iterator[Part]:
    """A column in parts of at most 65,536 rows; nothing where there is none of that name."""
    if isinstance(columns, pa.Table | pa.RecordBatch):
        if name not in columns.schema.names:
            return
        column = columns.column(name)
        whole = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    else:
        whole = [columns[name]] if name in columns else []
    for part in whole:
        for start in range(0, len(part), ROWS):
            yield part[start : start + ROWS]


def is_number(columns: Columns, name: str) -> bool:
    """Whether a column's type says that it holds numbers: truths and instants do, too."""
    if not isinstance(columns, pa.Table | pa.RecordBatch):
        return columns[name].dtype.kind in "fiub"
    kind = columns.schema.field(name).type
    return bool(_plain(kind) or pa.types.is_temporal(kind))


def numbers(part: Part) -> tuple[Floats, int]:
    """Values as float64 (n,), NaN where there is none, and how many there are not. Whole numbers above 2**53 are rounded.

    A feature that was a number when the bins were made and holds texts now is empty, which is loud, rather than an exception.
    """
    if isinstance(part, pa.Array):
        kind = part.type
        if pa.types.is_temporal(kind):
            part = part.cast(pa.int32() if kind.bit_width == 32 else pa.int64()) if _fixed(kind) else pa.nulls(len(part))
        elif not _plain(kind):
            return numbers(np.array([*part.to_pylist(), None], dtype=object)[:-1])
        empty = part.null_count
        return part.cast(pa.float64()).to_numpy(zero_copy_only=False), empty
    if part.dtype.kind in "fiub":
        return part.astype(np.float64, copy=False), 0
    values = np.array([float(v) if isinstance(v, int | float) else np.nan for v in part], dtype=np.float64)
    return values, sum(v is None for v in part)


def tally(part: Part) -> dict[str | None, int]:
    """How often each value comes, as text; None stands for null and for NaN.

    >>> tally(np.array(["a", None, "a"], dtype=object))
    {'a': 2, None: 1}
    """
    try:
        # A list, not an array: of arrays pyarrow asks pandas, and imports it for that.
        column = part if isinstance(part, pa.Array) else pa.array(part.tolist(), from_pandas=True)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        counted = column.value_counts()
        pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pairs = ((value, 1) for value in (part.to_pylist() if isinstance(part, pa.Array) else part.tolist()))  # type: ignore[assignment]
    found: dict[str | None, int] = {}
    for value, count in pairs:
        key = None if value is None or (isinstance(value, float) and value != value) else str(value)
        found[key] = found.get(key, 0) + count
    return found


def _plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind))
