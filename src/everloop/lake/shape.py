"""The event table: which columns a source's rows have, and as which Arrow type each kind is kept. Types only, no rows.

====================  =========================================================
kind                  kept as
====================  =========================================================
int, money            int64 (money in whole minor units)
float, unit           float64
bool                  bool
str, text             string
datetime              int64, microseconds since the Unix epoch, UTC
date                  date32
====================  =========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import pyarrow as pa

from everloop.project.columns import Kind, money, text, unit
from everloop.project.source import Source

#: "Always": the instant an undated row's first version happened and was known, 0001-01-01 in microseconds.
ALWAYS: Final = -62_135_596_800_000_000

#: Between the parts of an id of several columns.
SEPARATOR: Final = "\x1f"

OWN: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("id", pa.string()),
        ("version", pa.int64()),
        ("event_at", pa.int64()),
        ("known_at", pa.int64()),
        ("deleted", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class EventRows:
    """A few rows of an event table, each a tuple in the order of its schema: what a table costs is more than they are.

    >>> EventRows(pa.schema([("seq", pa.int64())]), [(1,), (2,)]).table().to_pydict()
    {'seq': [1, 2]}
    """

    schema: pa.Schema
    rows: list[tuple[Any, ...]]

    @property
    def num_rows(self) -> int:
        """How many there are."""
        return len(self.rows)

    def table(self) -> pa.Table:
        """The same as a table."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.schema)
        return pa.table([pa.array(values, field.type) for values, field in zip(columns, self.schema, strict=True)], schema=self.schema)


#: Rows of an event table, many or few.
Events: TypeAlias = pa.Table | EventRows


def own_columns(source: Source) -> dict[str, Kind]:
    """The columns a source's own rows carry: id, time, the one that keeps shops apart, and what is declared; nothing inherited.

    >>> own_columns(Source("orders", id="line_id", time="ordered_at", columns={"quantity": int}))
    {'line_id': <class 'str'>, 'ordered_at': <class 'datetime.datetime'>, 'quantity': <class 'int'>}
    """
    return {name: kind for name, kind in source.every_column.items() if source.parent_of(name) is None}


def arrow_type(kind: Kind) -> pa.DataType:
    """The Arrow type a kind is kept as.

    >>> arrow_type(money("EUR")), arrow_type(datetime), arrow_type(text)
    (DataType(int64), DataType(int64), DataType(string))
    """
    if isinstance(kind, money) or kind is int or kind is datetime:
        return pa.int64()
    if isinstance(kind, unit) or kind is float:
        return pa.float64()
    return {bool: pa.bool_(), date: pa.date32(), str: pa.string(), text: pa.string()}[kind]


def event_schema(source: Source) -> pa.Schema:
    """The event table of a source.

    >>> event_schema(Source("people", id="person_id", columns={"age": int})).names
    ['seq', 'id', 'version', 'event_at', 'known_at', 'deleted', 'person_id', 'age']
    """
    return pa.schema([*OWN, *((name, arrow_type(kind)) for name, kind in own_columns(source).items())])
