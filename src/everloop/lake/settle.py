"""Settling: which delivered rows are new, what version each is, and from when it is known. Arithmetic on arrays; no store, no clock.

- The same id and version again is a duplicate. Without a version column, a row that says what the newest version of its id says is one,
  and so is everything a delivery says of an id if it ends there (a whole delivery that came twice); a differing row is the next version.
- ``seq`` goes on without a gap. What says nothing of when it was known is known when it arrives: at ``now``, but always a microsecond
  after whatever arrived before. Versions of one id are known one after another, at least a microsecond apart.
- ``event_at`` is never after ``known_at``. Undated: what is first said of an id happened always, and was always
  known unless it says since when; what is said of it later happened when it is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.lake.digest import digests
from everloop.lake.shape import ALWAYS, event_schema, own_columns
from everloop.lake.tables import Counters, Known
from everloop.project.source import Source

Longs = NDArray[np.int64]
_UNSAID = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Settled:
    """The event table of the rows that are new, a digest for each, the last arrival's instant, and how many were known already."""

    events: pa.Table
    digests: list[int]
    last_known: int
    duplicates: int


@dataclass(frozen=True)
class Delivered:
    """What settling needs of a delivery that does not depend on what came before; worked out before the writer's lock is taken."""

    table: pa.Table
    ids: pa.DictionaryArray
    digests: list[int]

    @property
    def names(self) -> list[str]:
        """The different ids."""
        names: list[str] = self.ids.dictionary.to_pylist()
        return names


def delivered(source: Source, table: pa.Table) -> Delivered:
    """A table of ``rows.kept``, its ids told apart and its rows digested."""
    told = table.column("id").combine_chunks()
    told = told if isinstance(told, pa.Array) else pa.concat_arrays(told.chunks or [pa.array([], pa.string())])
    marks = digests(table, ["deleted", *own_columns(source)]) if source.version is None else [0] * table.num_rows
    return Delivered(table, told.dictionary_encode(), marks)


def settle(
    source: Source, rows: Delivered, known: Mapping[str, list[Known]], counters: Counters, *, now: int, known_after: timedelta | None = None
) -> Settled:
    """Give each new row its version, its instant and its number; ``known`` are the versions there are of its ids, ``now`` microseconds."""
    table = rows.table
    version, new, busy, first = _versions(source, rows, known)
    keep = np.flatnonzero(new)
    version, first = version[keep], first[keep]
    event_at = _longs(table.column("event_at"))[keep]
    known_at = _said_known(table, event_at, known_after, keep)
    if not source.time:
        known_at = np.where(first & (known_at == _UNSAID), ALWAYS, known_at)
    start, arriving = max(now, counters.last_known + 1), known_at == _UNSAID
    known_at[arriving] = start + np.arange(arriving.sum(), dtype=np.int64)
    last_known = max(counters.last_known, int(known_at[arriving][-1])) if arriving.any() else counters.last_known
    codes = _codes(rows)[keep]
    _one_after_another(known_at, np.flatnonzero(busy[codes]), codes, rows.names, known)
    if not source.time:
        event_at = np.where(first, ALWAYS, event_at)
    event_at = np.minimum(np.where(event_at == _UNSAID, known_at, event_at), known_at)
    columns = {
        "seq": counters.last_seq + 1 + np.arange(len(keep), dtype=np.int64),
        "version": version,
        "event_at": event_at,
        "known_at": known_at,
    }
    kept = table.take(pa.array(keep)) if len(keep) < table.num_rows else table
    schema = event_schema(source)
    made = pa.table([pa.array(columns[n]) if n in columns else kept.column(n) for n in schema.names], schema=schema)
    marks = rows.digests if len(keep) == table.num_rows else [rows.digests[i] for i in keep.tolist()]
    return Settled(made, marks, last_known, table.num_rows - len(keep))


def _codes(rows: Delivered) -> NDArray[np.int64]:
    return np.asarray(rows.ids.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _longs(column: pa.ChunkedArray) -> Longs:
    return np.asarray(pc.fill_null(column, _UNSAID).to_numpy(), dtype=np.int64)


def _said_known(table: pa.Table, event_at: Longs, known_after: timedelta | None, keep: Longs) -> Longs:
    said = _longs(table.column("said_known"))[keep]
    if known_after is None:
        return said
    later = np.where(event_at == _UNSAID, _UNSAID, event_at + known_after // timedelta(microseconds=1))
    return np.where(said == _UNSAID, later, said)


def _versions(
    source: Source, rows: Delivered, known: Mapping[str, list[Known]]
) -> tuple[Longs, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """For each row its version, whether it is new, and whether it is the first of its id; for each id whether it needs a closer look."""
    codes, names = _codes(rows), rows.names
    said = _longs(rows.table.column("said_version"))
    version = np.where(said == _UNSAID, 0, said)
    new = np.ones(len(codes), dtype=np.bool_)
    first = np.ones(len(codes), dtype=np.bool_)
    busy = np.bincount(codes, minlength=len(names)) > 1
    if known:
        busy |= np.fromiter((name in known for name in names), dtype=np.bool_, count=len(names))
    for row, number, is_new, is_first in _looked_at(source, rows, known, np.flatnonzero(busy[codes]), codes, names, version):
        version[row], new[row], first[row] = number, is_new, is_first
    return version, new, busy, first


def _looked_at(
    source: Source, rows: Delivered, known: Mapping[str, list[Known]], which: Longs, codes: Longs, names: Sequence[str], version: Longs
) -> list[tuple[int, int, bool, bool]]:
    """Row by row for ids that come more than once: row, version, is it new, is it the first of its id."""
    by_id: dict[int, list[int]] = {}
    for row in which.tolist():
        by_id.setdefault(int(codes[row]), []).append(row)
    found = []
    for code, group in by_id.items():
        before = known.get(names[code], [])
        if source.version is None:
            numbers = _next_versions([rows.digests[row] for row in group], before)
        else:
            numbers = _said_versions([int(version[row]) for row in group], before)
        seen = bool(before)
        for row, number in zip(group, numbers, strict=True):
            found.append((row, number if number is not None else 0, number is not None, not seen))
            seen = seen or number is not None
    return found


def _said_versions(said: Sequence[int], before: Sequence[Known]) -> list[int | None]:
    """The versions a column says, each once.

    >>> _said_versions([1, 2, 1], [Known(2, 0, 0)])
    [1, None, None]
    """
    there = {known.version for known in before}
    numbers: list[int | None] = []
    for version in said:
        numbers.append(None if version in there else version)
        there.add(version)
    return numbers


def _next_versions(digests: Sequence[int], before: Sequence[Known]) -> list[int | None]:
    """The next versions, for rows that say something else than the one before; none for those that say the same.

    >>> _next_versions([7, 7, 8], []), _next_versions([7, 8], [Known(0, 0, 7), Known(1, 0, 8)])
    ([0, None, 1], [None, None])
    """
    newest = before[-1] if before else None
    if newest is not None and digests[-1] == newest.digest:
        return [None] * len(digests)
    number, digest = (newest.version + 1, newest.digest) if newest else (0, None)
    numbers: list[int | None] = []
    for mark in digests:
        numbers.append(None if mark == digest else number)
        number, digest = (number, digest) if mark == digest else (number + 1, mark)
    return numbers


def _one_after_another(known_at: Longs, which: Longs, codes: Longs, names: Sequence[str], known: Mapping[str, list[Known]]) -> None:
    """Push what is known too early for its id to a microsecond after the version before."""
    last: dict[int, int] = {}
    for row in which.tolist():
        code = int(codes[row])
        if code not in last:
            last[code] = max((v.known_at for v in known.get(names[code], ())), default=_UNSAID)
        known_at[row] = last[code] = max(int(known_at[row]), last[code] + 1)
