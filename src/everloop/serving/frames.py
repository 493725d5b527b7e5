"""Frames: ``length | crc32 | payload``, one after another in a file; what a crash cut off is seen and left out. Bytes in, bytes out.

Length and checksum are unsigned 32-bit little endian; the checksum covers length and payload, so zeros are no frame.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

HEAD = struct.Struct("<II")
LOOKS = 16  # times the length of the data: what may be looked at in search of a frame behind damage


@dataclass(frozen=True)
class Frames:
    """What a file of frames holds: whole payloads in order, bytes of a torn tail, and in how many places its middle is damaged."""

    payloads: tuple[bytes, ...]
    torn: int = 0
    damaged: int = 0


def frame(payload: bytes) -> bytes:
    """A payload as one frame.

    >>> len(frame(b"abc"))
    11
    """
    return HEAD.pack(len(payload), _sum(payload)) + payload


def unframed(data: bytes, begins: bytes) -> Frames:
    """Every whole frame in the data, in order; every payload begins with ``begins``.

    Bytes that are no whole frame, with a whole one behind them, are damage: counted and passed over, and what follows is kept. With
    none behind them they are a torn tail, which is what a crash leaves. Takes time that grows with the data and no faster: bytes that
    look like one frame after another, and are none, are passed over only so often, and what is behind them then counts as damage.

    >>> two = frame(b"a one") + frame(b"a two")
    >>> unframed(two[:-1], b"a ")
    Frames(payloads=(b'a one',), torn=12, damaged=0)
    """
    payloads: list[bytes] = []
    at = whole = damaged = spent = 0
    while at < len(data):
        payload = _payload(data, at)
        if payload is None:
            spent += _claimed(data, at)
            if spent > LOOKS * len(data):
                damaged += 1
                break
            # A length may itself be damaged, so the next frame is found by how its payload begins.
            at = data.find(begins, at + HEAD.size + 1) - HEAD.size
            if at < 0:
                break
            continue
        damaged += at > whole
        payloads.append(payload)
        at = whole = at + HEAD.size + len(payload)
    return Frames(tuple(payloads), len(data) - whole, damaged)


def _payload(data: bytes, at: int) -> bytes | None:
    if at + HEAD.size > len(data):
        return None
    _, checksum = HEAD.unpack_from(data, at)
    payload = data[at + HEAD.size : at + HEAD.size + _claimed(data, at)]
    return payload if payload and _sum(payload) == checksum else None


def _claimed(data: bytes, at: int) -> int:
    """How long the payload here would be, were this a frame; 0 where the data is not that long."""
    length: int = HEAD.unpack_from(data, at)[0] if at + HEAD.size <= len(data) else 0
    return length if length <= len(data) - at - HEAD.size else 0


def _sum(payload: bytes) -> int:
    return zlib.crc32(payload, len(payload) & 0xFFFFFFFF)
