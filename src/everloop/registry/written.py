"""How records are written: canonical JSON, the same text for the same record on every machine. No clock, no disk.

In: a frozen record. Out: text, and the same record back. Keys are sorted, nothing is indented, instants are UTC with a Z, everything
outside ASCII is escaped (so that no encoding can matter). NaN and infinity are refused: what could not be worked out is None.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any, TypeVar

import msgspec

from everloop import records
from everloop.clock import utc
from everloop.errors import EverloopError, StoreError

T = TypeVar("T")

KINDS: dict[str, type[records.Record]] = {
    kind.__name__: kind for kind in records.Record.__subclasses__() if kind.__module__.startswith(f"{records.__name__}.")
}
"""Every kind of record the journal keeps, by name."""


def written(record: records.Record) -> str:
    """A record as canonical JSON.

    >>> from datetime import datetime, timezone
    >>> written(records.Snapshot(id="s", made_at=datetime(2026, 11, 2, tzinfo=timezone.utc), extents=()))
    '{"extents":[],"id":"s","made_at":"2026-11-02T00:00:00Z","made_from":[]}'

    Raises StoreError for NaN, an infinity, an instant without a zone, or a value of another type than the field's.
    """
    kind = type(record).__name__
    if KINDS.get(kind) is not type(record):
        raise StoreError(f"{kind} is no record the journal keeps. It keeps {', '.join(sorted(KINDS))}.")
    try:
        # There and back: what could not be read again is refused while it can still be mended, and 1 and 1.0 are written alike.
        again = msgspec.convert(_builtins(record), type(record))
        return canonical(_builtins(again), f"{kind} {record.id}")
    except (msgspec.ValidationError, TypeError, ValueError, EverloopError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{kind} {record.id} cannot be written: {error}") from error


def read_back(kind: str, body: str) -> records.Record:
    """The record a body was written from. Raises StoreError for a kind of a newer release, or a body that is none."""
    if kind not in KINDS:
        raise StoreError(f"This release knows no record called {kind}; a newer one wrote it. Run: pip install --upgrade everloop")
    return read_as(KINDS[kind], body)


def read_as(kind: type[T], body: str) -> T:
    """A frozen dataclass from its canonical JSON.

    >>> read_as(records.Shape, '{"kind":"number","labels":["a"]}').labels
    ('a',)
    """
    try:
        return msgspec.convert(json.loads(body), kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise StoreError(f"This is no {kind.__name__}: {error}. It was changed by hand, or by a newer release.") from error


def canonical(data: Any, name: str = "this") -> str:
    """Plain data (dict, list, text, numbers, None) as canonical JSON. ``name`` is what an error calls it.

    >>> canonical({"b": [1.5, None], "a": "é"})
    '{"a":"\\\\u00e9","b":[1.5,null]}'

    Raises StoreError for NaN and infinities (saying where), and for what JSON cannot hold.
    """
    try:
        return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        where = next(_not_finite(data), None)
        what = f"{where[0]} is {where[1]}; what could not be worked out is None" if where else str(error)
        raise StoreError(f"{name} cannot be written: {what}.") from error
    except TypeError as error:
        raise StoreError(f"{name} cannot be written: {error}.") from error


def as_data(value: Any) -> Any:
    """Records, or anything made of them, as plain data for people's tools; NaN and infinities become None, paths their text.

    >>> as_data([records.Shape(kind="number")])[0]["kind"]
    'number'
    """
    if isinstance(value, Mapping):
        return {str(key): as_data(inner) for key, inner in value.items()}
    if isinstance(value, str | int | bool | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Iterable):
        return [as_data(inner) for inner in value]
    return as_data(_builtins(value))


def _builtins(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {f.name: _builtins(inner) for f, inner in named if inner is not None or f.metadata.get("empty") != "left out"}
    if isinstance(value, tuple | list):
        return [_builtins(inner) for inner in value]
    if isinstance(value, Mapping):
        return {str(key): _builtins(inner) for key, inner in value.items()}
    if isinstance(value, datetime):
        return utc(value).isoformat().replace("+00:00", "Z")
    if value is None or type(value) in (str, int, float, bool):
        return value
    if hasattr(value, "item") and hasattr(value, "dtype"):  # a numpy number is a number
        return value.item()
    return msgspec.to_builtins(value)


def _not_finite(data: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(data, float) and not math.isfinite(data):
        yield path or "it", data
    elif isinstance(data, Mapping):
        for key, inner in data.items():
            yield from _not_finite(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list | tuple):
        for i, inner in enumerate(data):
            yield from _not_finite(inner, f"{path}[{i}]")
