"""How rows lie in the log until they are sealed: single ones as JSON of what they say, many at once as one Arrow file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from everloop.disk import synced
from everloop.lake.shape import OWN, EventRows, Events

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_rows(events: Events) -> Iterator[tuple[Any, ...]]:
    """The rows of an event table: its six own columns, then the filled ones of its source as JSON.

    >>> table = pa.table({"seq": [1], "id": ["a"], "version": [0], "event_at": [5], "known_at": [6], "deleted": [False], "n": [7]})
    >>> list(to_rows(table))
    [(1, 'a', 0, 5, 6, False, b'{"n":7}')]
    """
    own, names = len(OWN), events.schema.names
    if isinstance(events, EventRows):
        rows: Iterable[tuple[Any, ...]] = events.rows
    else:
        names = [*OWN.names, *(name for name in names if name not in OWN.names)]
        rows = zip(*(events.column(name).to_pylist() for name in names), strict=True)
    said = names[own:]
    for row in rows:
        yield (*row[:own], _encode({name: value for name, value in zip(said, row[own:], strict=True) if value is not None}))


def from_rows(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """The event table of such rows; a column they were not kept with, or as something else, is empty."""
    own = zip(*(row[:-1] for row in rows), strict=True)
    columns = [pa.array(values, kind) for values, kind in zip(own, OWN.types[:-1], strict=False)]
    columns.append(pa.array([bool(row[5]) for row in rows]))
    said = [_decode(row[-1]) for row in rows]
    columns += [_column([one.get(field.name) for one in said], field.type) for field in list(schema)[len(OWN) :]]
    return pa.table(columns, schema=schema)


def to_file(events: pa.Table, path: Path) -> None:
    """An event table as an Arrow file: written, synced, and then there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        with pa.ipc.new_file(file, events.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as out:
            out.write_table(events)
        file.flush()
        os.fsync(file.fileno())
    synced(path.parent)


def to_bytes(events: pa.Table) -> bytes:
    """An event table as the bytes of an Arrow file.

    >>> table = pa.table({"n": [1]})
    >>> from_bytes(to_bytes(table), table.schema).equals(table)
    True
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, events.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as out:
        out.write_table(events)
    return bytes(sink.getvalue().to_pybytes())


def from_bytes(body: bytes, schema: pa.Schema) -> pa.Table:
    """The event table in such bytes, as its source declares it now."""
    return as_declared(pa.ipc.open_file(pa.BufferReader(body)).read_all(), schema)


def from_file(path: Path, schema: pa.Schema) -> pa.Table:
    """The event table in a file, as its source declares it now."""
    with path.open("rb") as file:
        return as_declared(pa.ipc.open_file(file).read_all(), schema)


def as_declared(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of a schema, in its order: cast where nothing is lost, empty where there is none.

    >>> as_declared(pa.table({"n": [1]}), pa.schema([("n", pa.float64()), ("m", pa.string())])).to_pylist()
    [{'n': 1.0, 'm': None}]
    """
    return pa.table([_cast(table, field) for field in schema], schema=schema)


def _cast(table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    if field.name in table.column_names:
        try:
            return table.column(field.name).cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    return pa.chunked_array([pa.nulls(table.num_rows, field.type)])


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind):
        values = [_day(value) for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([value if _fits(value, kind) else None for value in values], kind)


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.scalar(value, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True
