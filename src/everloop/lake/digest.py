"""Digests: eight bytes that say what a row holds, so that the same row delivered twice is known again. Arrow in, numbers out.

Each filled value becomes 64 bits (text by BLAKE2b, each different text once; numbers by the SplitMix64 finalizer; Steele, Lea and Flood
2014), mixed with its column's name, and a row's digest is their sum: so a column declared later and still empty changes nothing. It only
tells rows of one id apart, where two that differ are taken for the same once in 2^64 times; it is no seal against forgery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bits = NDArray[np.uint64]


def digests(table: pa.Table, columns: Iterable[str]) -> NDArray[np.int64]:
    """One signed 64-bit number for each row, over these columns.

    >>> first, second, third = digests(pa.table({"a": ["x", "x", None], "b": [1, 1, 1]}), ["a", "b"]).tolist()
    >>> first == second != third
    True
    """
    found: Bits = np.full(table.num_rows, 1, dtype=np.uint64)
    for name in columns:
        values = table.column(name)
        mixed = _mixed(_bits(values) ^ _of_text(name))
        found += mixed if values.null_count == 0 else np.where(values.is_valid().to_numpy(), mixed, np.uint64(0))
    return found.view(np.int64)


def _bits(values: pa.ChunkedArray) -> Bits:
    kind = values.type
    if pa.types.is_string(kind):
        told = values.combine_chunks()
        told = (told if isinstance(told, pa.Array) else told.chunk(0)).dictionary_encode()
        words = np.array([_of_text(word) for word in told.dictionary.to_pylist() or [""]], dtype=np.uint64)
        return np.asarray(words[pc.fill_null(told.indices, 0).to_numpy(zero_copy_only=False)])
    if pa.types.is_date(kind):
        values = values.cast(pa.int32())
    elif pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    numbers = pc.fill_null(values, 0).to_numpy()
    return _mixed(numbers.view(np.uint64) if pa.types.is_floating(kind) else numbers.astype(np.int64).view(np.uint64))


def _of_text(word: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big"))


def _mixed(bits: Bits) -> Bits:
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
