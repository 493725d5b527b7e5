"""Records with arrays in them as bytes and back: one line of magic, a header in JSON, the arrays' numbers. No clock, no disk.

Nothing in the bytes is code and none of it is run: an array has one of five types and as many numbers as it says, and whatever does not
add up exactly is refused.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

MAGIC = b"everloop compiled 1\n"
TYPES = ("<f8", "<i4", "|u1")
T = TypeVar("T")


class Header(msgspec.Struct, frozen=True):
    """What stands before the numbers: the record, with each array as its number in ``arrays``, and the SHA-256 of what follows."""

    record: msgspec.Raw
    arrays: tuple[tuple[str, tuple[int, ...]], ...]
    sha256: str


def packed(record: msgspec.Struct) -> bytes:
    """A record as bytes. Raises TypeError for an array of another type than float64, int32 or uint8.

    >>> class Pair(msgspec.Struct):
    ...     numbers: NDArray[np.float64]
    ...     more: int
    >>> unpacked(packed(Pair(np.array([1.5]), 3)), Pair).numbers
    array([1.5])
    """
    arrays: list[NDArray[Any]] = []

    def kept(array: object) -> int:
        if not isinstance(array, np.ndarray) or array.dtype.str not in TYPES:
            raise TypeError(f"{type(array).__name__} cannot be kept")
        arrays.append(np.ascontiguousarray(array))
        return len(arrays) - 1

    said = msgspec.json.encode(record, enc_hook=kept)
    body = b"".join(_padded(array.tobytes()) for array in arrays)
    places = tuple((array.dtype.str, array.shape) for array in arrays)
    header = msgspec.json.encode(Header(msgspec.Raw(said), places, hashlib.sha256(body).hexdigest()))
    header += b" " * (-(len(MAGIC) + 8 + len(header)) % 8)
    return MAGIC + len(header).to_bytes(8, "little") + header + body


def unpacked(data: bytes, kind: type[T]) -> T:
    """The record again, its arrays read-only. Raises ValueError for bytes that are not exactly such a record."""
    start = len(MAGIC) + 8
    length = int.from_bytes(data[len(MAGIC) : start], "little")
    if not data.startswith(MAGIC) or start + length > len(data):
        raise ValueError("it does not begin as a compiled version does, or was cut off")
    body = memoryview(data)[start + length :]
    try:
        header = msgspec.json.decode(data[start : start + length], type=Header)
        if hashlib.sha256(body).hexdigest() != header.sha256:
            raise ValueError("its numbers were changed")
        arrays = _arrays(header.arrays, body)

        def found(wanted: Any, at: Any) -> NDArray[Any]:
            array = arrays[at] if isinstance(at, int) and 0 <= at < len(arrays) else None
            if array is None or array.dtype != _type_of(wanted):
                raise ValueError("an array is missing, or of another type")
            return array

        return msgspec.json.decode(header.record, type=kind, dec_hook=found)
    except (TypeError, KeyError, IndexError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError(f"it cannot be read ({error})") from error


def _arrays(places: tuple[tuple[str, tuple[int, ...]], ...], body: memoryview) -> list[NDArray[Any]]:
    found, at = [], 0
    for kind, shape in places:
        if kind not in TYPES or any(n < 0 for n in shape) or len(shape) > 2:
            raise ValueError(f"it holds an array of type {kind[:20]!r} or shape {str(shape)[:40]}")
        count = math.prod(shape)
        size = count * int(kind[-1])
        if at + size > len(body):
            raise ValueError("its numbers end too early")
        found.append(np.frombuffer(body, dtype=kind, count=count, offset=at).reshape(shape))
        at += size + -size % 8
    if at != len(body):
        raise ValueError("there is more in it than it says")
    return found


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)


def _type_of(wanted: Any) -> Any:
    """The type of number in ``NDArray[np.int32]``."""
    return np.dtype(wanted.__args__[1].__args__[0])
