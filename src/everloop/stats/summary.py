"""What a column holds, in one line: how much of it is filled, its range, its commonest value. In: an Arrow table. Out: frozen values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Summary:
    """One column. ``filled`` is the share of rows with a value (NaN is none); ``low``, ``middle`` and ``high`` are the least, the median
    and the largest finite number, None of anything else; ``most`` is the commonest value as text with its share of the filled rows."""

    name: str
    kind: str
    filled: float
    distinct: int
    low: float | None = None
    middle: float | None = None
    high: float | None = None
    most: tuple[str, float] | None = None


def summaries(table: pa.Table, columns: Sequence[str]) -> tuple[Summary, ...]:
    """A summary of each of these columns that the table has, in order.

    >>> said, size = summaries(pa.table({"town": ["Bonn", "Bonn", None], "size": [1.0, 4.0, float("nan")]}), ["town", "size"])
    >>> said.filled == 2 / 3, said.most, (size.low, size.middle, size.high)
    (True, ('Bonn', 1.0), (1.0, 2.5, 4.0))
    """
    return tuple(_summary(name, table.column(name)) for name in columns if name in table.column_names)


def _summary(name: str, column: pa.ChunkedArray) -> Summary:
    kind, rows = str(column.type), len(column)
    there = column.drop_null()
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if numeric:
        there = there.filter(pc.is_finite(there))
    filled, distinct = (len(there) / rows if rows else math.nan), pc.count_distinct(there).as_py()
    filled = 0.0 if math.isnan(filled) else filled
    if not len(there) or pa.types.is_nested(column.type):
        return Summary(name, kind, filled, distinct)
    if numeric:
        ends = pc.min_max(there).as_py()
        return Summary(name, kind, filled, distinct, float(ends["min"]), float(pc.quantile(there, 0.5)[0].as_py()), float(ends["max"]))
    value, count = max(((one["values"], one["counts"]) for one in pc.value_counts(there).to_pylist()), key=lambda pair: pair[1])
    return Summary(name, kind, filled, distinct, most=(str(value), count / len(there)))
