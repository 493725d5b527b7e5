"""Bodies become values: JSON, NDJSON and Arrow, read so that nothing hostile, half or ambiguous gets through. Bytes in, rows out.

What is not exactly one reading of the bytes is refused: a key said twice, NaN, half characters, what is nested too deeply, a stream that
was cut off. ``RefusedError`` says where.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pyarrow as pa

from everloop.serving.refused import RefusedError, printable, short

DEEPEST = 32
"""How deep lists and objects may lie in one another."""
MOST_VALUES = 2_000_000
"""Values in one body: a body of nothing but ``[],`` would need fifty times its size."""
MOST_ROWS = 1_000_000
"""Rows of one Arrow stream: a column of nulls needs no bytes at all."""
JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
ARROW = "application/vnd.apache.arrow.stream"
_END = b"\xff\xff\xff\xff\0\0\0\0"  # how every whole Arrow stream ends


class _TwiceError(ValueError):
    """A key said twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _TwiceError(f"{short(twice)} is said twice in one object. Say it once.")
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_once)
_FAST = msgspec.json.Decoder()


def json_value(body: bytes, where: str = "The body") -> Any:
    """The one JSON value these bytes are.

    >>> json_value(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> json_value(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    everloop.serving.refused.RefusedError: The body cannot be read: 'a' is said twice in one object. Say it once.

    Raises RefusedError (400) for anything else, 413 for more than ``MOST_VALUES`` values.
    """
    _not_too_many(body, where)
    try:
        # Two readers: msgspec refuses NaN, infinity, half characters and whatever is no UTF-8; only the other one can see a key twice.
        _FAST.decode(body)
        value = _STRICT.decode(body.decode())
    except RecursionError:
        raise _unreadable(where, f"it is nested more than {DEEPEST} deep. Make it flatter.") from None
    except _TwiceError as error:
        raise _unreadable(where, str(error)) from None
    except ValueError as error:  # msgspec's and json's own, also UnicodeDecodeError
        why = str(error).removeprefix("JSON is malformed: ") if isinstance(error, msgspec.MsgspecError) else type(error).__name__
        raise _unreadable(where, f"it is no JSON in UTF-8 ({why}). Send one JSON value.") from None
    if body.count(b"[") + body.count(b"{") > DEEPEST and _deeper(value, DEEPEST):
        raise _unreadable(where, f"it is nested more than {DEEPEST} deep. Make it flatter.")
    return value


def json_rows(body: bytes) -> list[dict[str, Any]]:
    """One object, or a list of objects.

    >>> json_rows(b'{"a":1}'), json_rows(b'[{"a":1},{"a":2}]')
    ([{'a': 1}], [{'a': 1}, {'a': 2}])
    """
    value = json_value(body)
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            field = f"[{number}]" if isinstance(value, list) else None
            raise RefusedError("invalid", f"Row {number + 1} is {said_type(row)} and no object. Send {{…}} or [{{…}}, …].", field=field)
    return rows


def ndjson_rows(body: bytes) -> list[dict[str, Any]]:
    r"""One object for each line; empty lines are passed over.

    >>> ndjson_rows(b'{"a":1}\n\n{"a":2}\r\n')
    [{'a': 1}, {'a': 2}]
    """
    _not_too_many(body, "The body")
    found = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            row = json_value(line, f"Line {number}")
            if not isinstance(row, dict):
                raise RefusedError("invalid", f"Line {number} is {said_type(row)} and no object.", field=f"[{number - 1}]")
            found.append(row)
    return found


def arrow_rows(body: bytes) -> pa.Table:
    """The table of one whole Arrow IPC stream, its every offset checked.

    Refused are: streams cut off or followed by more, compressed ones (a few bytes could become gigabytes), and columns of other than plain
    kinds.
    """
    if not body.endswith(_END):
        raise _unreadable("The Arrow stream", "it does not end: it was cut off. Close the writer, then send all of it.")
    try:
        source = pa.BufferReader(body)
        _plain(source)
        source.seek(0)
        with pa.ipc.open_stream(source) as stream:
            _flat(stream.schema)
            batches, rows = [], 0
            for batch in stream:
                rows += batch.num_rows
                if rows > MOST_ROWS:
                    raise RefusedError("too_large", f"The Arrow stream has more than {MOST_ROWS:,} rows. Send it in parts.")
                batch.validate(full=True)
                batches.append(batch)
            if source.tell() != len(body):
                raise _unreadable("The Arrow stream", "more follows after its end. Send one stream.")
            return pa.Table.from_batches(batches, stream.schema)
    except RefusedError:
        raise
    except (pa.ArrowException, ValueError, TypeError, OSError, MemoryError, OverflowError, NotImplementedError, KeyError) as error:
        raise _unreadable("The Arrow stream", f"it is none, or damaged ({type(error).__name__}). Write it anew.") from None


def rows_of(content_type: str, body: bytes) -> list[dict[str, Any]] | pa.Table:
    """Rows in any of the ways they may come."""
    if content_type == ARROW:
        return arrow_rows(body)
    return ndjson_rows(body) if content_type in NDJSON else json_rows(body)


def said_type(value: object) -> str:
    """What a JSON value is, in words.

    >>> said_type(None), said_type(True), said_type(1.5), said_type([])
    ('null', 'true or false', 'a number', 'a list')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true or false"
    return {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}.get(type(value), "no value")


def _unreadable(where: str, why: str) -> RefusedError:
    return RefusedError("malformed", f"{where} cannot be read: {why}")


def _not_too_many(body: bytes, where: str) -> None:
    if len(body) > MOST_VALUES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise RefusedError("too_large", f"{where} holds more than {MOST_VALUES:,} values. Send it in parts.")


def _deeper(value: object, left: int) -> bool:
    """Whether lists and objects lie more than ``left`` deep in one another."""
    level: list[Any] = [value]
    while level:
        inside: list[Any] = []
        for one in level:
            parts: Sequence[Any] = one if isinstance(one, list) else tuple(one.values()) if isinstance(one, dict) else ()
            inside += [part for part in parts if isinstance(part, list | dict)]
        if left == 0:
            return any(isinstance(one, list | dict) for one in level)
        level, left = inside, left - 1
    return False


# -- Arrow ---------------------------------------------------------------------------------------------------------------------------


def _flat(schema: pa.Schema) -> None:
    """Refuse columns whose values could be larger than the bytes they came in, and names and time zones that are no text."""
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_null, pa.types.is_boolean)
    for field in schema:
        kind, name = field.type, field.name
        if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or any(is_kind(kind) for is_kind in texts)):
            cure = "Send plain columns: numbers, text, true or false, instants and dates."
            raise RefusedError("invalid", f"The column {short(name)} is {short(kind)}. {cure}", field=printable(name[:60]))
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            pa.scalar(0, kind).as_py()  # raises for a zone nobody knows


def _plain(source: pa.BufferReader) -> None:
    """Refuse compressed batches before anything is unpacked: what they unpack to is theirs to say."""
    for message in pa.ipc.MessageReader.open_stream(source):
        if _compressed(cast(bytes, message.metadata.to_pybytes())):
            raise RefusedError("content_type", "The Arrow stream is compressed. Send it without compression.")


def _compressed(metadata: bytes) -> bool:
    """Whether a message is a compressed batch: ``Message.header``, if it is a RecordBatch (of a DictionaryBatch: its ``data``), has
    ``compression``. The fields' numbers are those of Arrow's format/Message.fbs; the bytes were verified when the message was read."""
    message = int.from_bytes(metadata[:4], "little")
    kind = _field(metadata, message, 1)
    header = _field(metadata, message, 2)
    if not kind or not header or metadata[kind] not in (2, 3):
        return False
    batch = _points_at(metadata, header)
    if metadata[kind] == 2:
        data = _field(metadata, batch, 1)
        if not data:
            return False
        batch = _points_at(metadata, data)
    return bool(_field(metadata, batch, 3))


def _field(held: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table is; 0: it is not there."""
    vtable = table - int.from_bytes(held[table : table + 4], "little", signed=True)
    at = vtable + 4 + 2 * number
    if at + 2 > vtable + int.from_bytes(held[vtable : vtable + 2], "little"):
        return 0
    offset = int.from_bytes(held[at : at + 2], "little")
    return table + offset if offset else 0


def _points_at(held: bytes, at: int) -> int:
    return at + int.from_bytes(held[at : at + 4], "little")
