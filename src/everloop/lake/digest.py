"""Digests: eight bytes that say what a row holds, so that the same row delivered twice is known again. Arrow in, numbers out.

Each filled value becomes 64 bits (text by BLAKE2b, each different text once; numbers by the SplitMix64 finalizer; Steele, Lea and Flood
2014), mixed with its column's name, and a row's digest is their sum: so a column declared later and still empty changes nothing. It only
tells rows of one id apart, where two that differ are taken for the same once in 2^64 times; it is no seal against forgery.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

#: Values mixed at once: a few rows all columns together, many rows column after column.
AT_ONCE = 1 << 16
#: With so few rows, text is read quicker in Python than Arrow begins a column.
FEW = 200
_STEP, _ONCE, _TWICE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ALL, _EPOCH = (1 << 64) - 1, date(1970, 1, 1).toordinal()
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)


def digests(table: pa.Table, columns: Iterable[str]) -> NDArray[np.int64]:
    """One signed 64-bit number for each row, over these columns.

    >>> first, second, third = digests(pa.table({"a": ["x", "x", None], "b": [1, 1, 1]}), ["a", "b"]).tolist()
    >>> first == second != third
    True
    """
    found: Bits = np.full(table.num_rows, 1, dtype=np.uint64)
    names = [name for name in columns if table.column(name).null_count < table.num_rows]
    together = max(1, AT_ONCE // max(1, table.num_rows))
    for first in range(0, len(names), together):
        found += _sum_of(table, names[first : first + together])
    return found.view(np.int64)


def digest_of(row: Iterable[tuple[str, Any]]) -> int:
    """The digest of one row, of its columns and their values as they are kept, in plain Python: the number ``digests`` gives.

    >>> digest_of([("a", "x"), ("b", 1), ("c", None)]) == digests(pa.table({"a": ["x"], "b": [1]}), ["a", "b"]).tolist()[0]
    True
    """
    found = 1
    for name, value in row:
        kind = value.__class__
        if kind is str:
            bits = _int_of_text(value)
        elif kind is int or kind is bool:
            bits = _mixed_one(value & _ALL)
        elif value is None:
            continue
        elif kind is float:
            bits = _mixed_one(int.from_bytes(struct.pack(">d", value), "big"))
        else:
            bits = _mixed_one((value.toordinal() - _EPOCH) & _ALL)
        found += _mixed_one(bits ^ _int_of_name(name))
    found &= _ALL
    return found - (1 << 64) if found >> 63 else found


def _sum_of(table: pa.Table, names: list[str]) -> Bits:
    bits: Bits = np.empty((len(names), table.num_rows), dtype=np.uint64)
    numbers = np.zeros(len(names), dtype=np.bool_)
    for at, name in enumerate(names):
        bits[at], numbers[at] = _bits(table.column(name))
    bits[numbers] = _mixed(bits[numbers])
    mixed = _mixed(bits ^ np.array([_int_of_name(name) for name in names], dtype=np.uint64)[:, None])
    for at, name in enumerate(names):
        if table.column(name).null_count:
            mixed[at, ~table.column(name).is_valid().to_numpy()] = 0
    return np.asarray(mixed.sum(axis=0, dtype=np.uint64))


def _bits(values: pa.ChunkedArray) -> tuple[Bits, bool]:
    """Sixty-four bits of each value, and whether they are a number's, which are not mixed yet."""
    kind = values.type
    if kind == pa.string():
        if len(values) <= FEW:
            return np.array([0 if word is None else _int_of_text(word) for word in values.to_pylist()], dtype=np.uint64), False
        told = values.combine_chunks()
        told = (told if isinstance(told, pa.Array) else told.chunk(0)).dictionary_encode()
        words = np.array([_int_of_text(word) for word in told.dictionary.to_pylist() or [""]], dtype=np.uint64)
        return np.asarray(words[pc.fill_null(told.indices, 0).to_numpy(zero_copy_only=False)]), False
    if kind == pa.date32():
        values = values.cast(pa.int32())
    elif kind == pa.bool_():
        values = values.cast(pa.int8())
    numbers = (pc.fill_null(values, 0) if values.null_count else values).to_numpy()
    return (numbers.view(np.uint64) if kind == pa.float64() else numbers.astype(np.int64).view(np.uint64)), True


def _int_of_text(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")


@lru_cache(4096)
def _int_of_name(name: str) -> int:
    return _int_of_text(name)


def _mixed_one(bits: int) -> int:
    bits = (bits + 0x9E3779B97F4A7C15) & _ALL
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _ALL
    return bits ^ (bits >> 31)


def _mixed(bits: Bits) -> Bits:
    bits = bits + _STEP
    bits = (bits ^ (bits >> _30)) * _ONCE
    bits = (bits ^ (bits >> _27)) * _TWICE
    return np.asarray(bits ^ (bits >> _31))
