"""Payloads: answers as the bytes of one frame, and back. In: rows of ``answered.SCHEMA``. Out: msgpack. No disk, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import StoreError
from everloop.serving.answered import ANSWER, LATER, SCHEMA, Row

BEGINS = b"\x82\xa4form"  # how msgpack writes a map of two whose first key is form
WHOSE = BEGINS + b"\x02\xa5house"  # the payload a segment begins with, which says whose its answers are
COLUMNS = tuple(name for name in SCHEMA.names if name != "answer")
PARTS = tuple(f"answer.{field.name}" for field in ANSWER)
_IN_A_ROW = tuple(f"answer.{name}" if f"answer.{name}" in PARTS else name for name in Row._fields)
_encode = msgspec.msgpack.Encoder().encode


def encoded(rows: pa.Table) -> bytes:
    """Rows as one payload: msgpack, a list for each column; an answer is three lists.

    >>> len(decoded(encoded(SCHEMA.empty_table())))
    0
    """
    columns: dict[str, list[Any]] = {name: column.to_pylist() for name, column in zip(rows.column_names, rows.columns, strict=True)}
    answers = columns.pop("answer")
    for name in PARTS:
        part = name.removeprefix("answer.")
        columns[name] = [None if answer is None else answer[part] for answer in answers]
    return _encode({"form": 1, "columns": columns})


def headed(house: str) -> bytes:
    """The payload that says whose the answers after it are: a house, by its mark.

    >>> whose([headed("3f2a"), encoded(SCHEMA.empty_table())])
    '3f2a'
    """
    return _encode({"form": 2, "house": house})


def whose(payloads: Iterable[bytes]) -> str:
    """The mark of the house that answers are of; nothing where they do not say so, as those of before a house had a mark."""
    said = next((payload for payload in payloads if payload.startswith(WHOSE)), None)
    return "" if said is None else str(msgspec.msgpack.decode(said)["house"])


def encoded_rows(rows: Sequence[Row]) -> bytes:
    """As ``encoded``, of rows one by one; there must be one.

    >>> one = Row("a1", "m", "v", "champion", "u", 1, 1, 2.5, None, None, None, "{}", 9, None, None, None, None)
    >>> decoded(encoded_rows([one])).column("answer").to_pylist()
    [{'value': 2.5, 'values': None, 'items': None}]
    """
    return _encode({"form": 1, "columns": dict(zip(_IN_A_ROW, zip(*rows, strict=True), strict=True))})


def decoded(payload: bytes, where: str = "a segment") -> pa.Table:
    """The rows of one payload. Raises StoreError where it holds none."""
    return rows_of([payload], where)


def rows_of(payloads: Iterable[bytes], where: str) -> pa.Table:
    """The rows of many payloads in order, gathered before they become a table. Raises StoreError where one of them holds none."""
    gathered: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, *PARTS)}
    try:
        for payload in payloads:
            if payload.startswith(WHOSE):
                continue
            columns = msgspec.msgpack.decode(payload)["columns"]
            columns = dict.fromkeys(LATER, [None] * len(columns["id"])) | columns
            (_,) = {len(columns[name]) for name in gathered}  # all of one length, or the next payload's rows would slip
            for name, values in gathered.items():
                values += columns[name]
        parts = [pa.array(gathered.pop(name), field.type) for name, field in zip(PARTS, ANSWER, strict=True)]
        nothing = pc.invert(reduce(pc.or_, (part.is_valid() for part in parts)))
        answer = pa.StructArray.from_arrays(parts, fields=list(ANSWER), mask=nothing)
        arrays = [answer if field.name == "answer" else pa.array(gathered[field.name], field.type) for field in SCHEMA]
        return pa.table(arrays, schema=SCHEMA)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise StoreError(
            f"{where} holds a frame that is no answers: {error}. It was written by a newer Everloop, or by something else."
        ) from error


def once(rows: pa.Table) -> pa.Table:
    """The first row of each id, in order."""
    first: dict[str, int] = {}
    for at, id in enumerate(rows.column("id").to_pylist()):
        first.setdefault(id, at)
    return rows if len(first) == len(rows) else rows.take(pa.array(list(first.values()), pa.int64()))
