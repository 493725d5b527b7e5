"""Sealing: closed segments of the answers log go into a table of the lake, each exactly once. In: a folder, and how to append. Out: Sealed.

Killed between the append and the removal, the next seal appends the same segment under the same marker, which the table has seen.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from everloop.serving.payload import once
from everloop.serving.segment import read, segments, taken

DAMAGED, FOREIGN = ".damaged", ".foreign"
AWAY = "put them into the folder of the house they are of."
_lines = logging.getLogger(__name__)


class AppendOnce(Protocol):
    """Appends rows to a table of the lake unless ``marker`` has come as far as ``seq`` already; reads the marker first."""

    def __call__(self, table: str, arrow: pa.Table, marker: str, seq: int) -> object: ...


@dataclass(frozen=True)
class Sealed:
    """What went into the lake, and what could not: bytes of torn tails, frames found damaged, segments of another house (these two are kept
    beside)."""

    segments: int = 0
    rows: int = 0
    torn: int = 0
    damaged: int = 0
    foreign: int = 0


def seal(
    folder: Path, append_once: AppendOnce, *, table: str = "answers", known: Callable[[Sequence[str]], Collection[str]] | None = None,
    house: str = "",
) -> Sealed:  # fmt: skip
    """Every segment whose owner has let go of it, or died, is appended once and removed; owned ones are left alone.

    ``known`` tells which of some answer ids the table holds already: those are not appended again. ``house`` is the mark of the house whose
    table it is: a segment that says it is another's is put aside, and told. Where somebody seals this folder already, nothing is done.
    """
    with _alone(folder) as alone:
        return _seal_all(folder, append_once, table, known, house) if alone else Sealed()


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Two sealers, each with a segment that holds the same answer, would both find it unknown and append it twice."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield taken(fd)
    finally:
        os.close(fd)


def _seal_all(
    folder: Path, append_once: AppendOnce, table: str, known: Callable[[Sequence[str]], Collection[str]] | None, house: str
) -> Sealed:
    done = Sealed()
    for path in segments(folder):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # another sealer was faster
            continue
        try:
            # Somebody else may have sealed and removed it between our look and our lock.
            if taken(fd) and os.fstat(fd).st_nlink:
                done = _and(done, _seal_one(path, append_once, table, known, house))
        finally:
            os.close(fd)
    return done


def _seal_one(
    path: Path, append_once: AppendOnce, table: str, known: Callable[[Sequence[str]], Collection[str]] | None, house: str
) -> Sealed:
    segment = read(path)
    if not segment.is_of(house):
        path.replace(path.with_name(path.name + FOREIGN))
        _lines.warning("%s holds %d answers of another house, which are not taken in: %s", path, len(segment.rows), AWAY)
        return Sealed(foreign=1)
    rows = once(segment.rows)
    if known is not None and len(rows):
        there = known(rows.column("id").to_pylist())
        rows = rows.filter(pc.invert(pc.is_in(rows.column("id"), value_set=pa.array(sorted(there), pa.string()))))
    if len(rows):
        append_once(table, rows, f"answers:{segment.id}", 1)
    if segment.damaged:
        path.replace(path.with_name(path.name + DAMAGED))
    else:
        path.unlink()
    return Sealed(1, len(rows), segment.torn, segment.damaged)


def _and(one: Sealed, other: Sealed) -> Sealed:
    return Sealed(*(getattr(one, field.name) + getattr(other, field.name) for field in fields(Sealed)))
