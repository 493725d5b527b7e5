"""Settling: which delivered rows are new, what version each is, and from when it is known. Arithmetic on arrays; no store, no clock.

- The same id and version again is a duplicate. Without a version column, a row that says what the newest version of its id says is one,
  and so is everything a delivery says of an id if it ends there (a whole delivery that came twice); a differing row is the next version.
- Several deliveries settled at once come to what they would have come to one after another, in order.
- ``seq`` goes on without a gap. What says nothing of when it was known is known when it arrives: at ``now``, but always a microsecond
  after whatever arrived before. Versions of one id are known one after another, at least a microsecond apart.
- ``event_at`` is never after ``known_at``. Undated: what is first said of an id happened always, and was always known unless it says
  since when; what is said of it later happened when it is known.

Almost every row is alone with its id in its delivery: those are settled all at once, the others one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.lake.digest import digests
from everloop.lake.shape import ALWAYS, Events, event_schema, own_columns
from everloop.lake.tables import Counters, Version
from everloop.project.source import Source

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: So many microseconds apart the clocks of two machines may be: an event that comes from another is not ahead of its time for that.
APART = 60_000_000
#: Where an instant or a span is not said.
UNSAID = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Delivered:
    """What settling needs of a delivery that does not depend on what came before; worked out before the writer's lock is taken.

    ``names`` are the different ids; ``codes`` says for each row which of them it has, ``digests`` what it holds.
    """

    table: pa.Table
    names: pa.Array
    codes: Longs
    digests: Longs


@dataclass(frozen=True)
class Callers:
    """Of each delivery, when it came (``now``, µs) and how long after it happened a row was known (``known_after``, µs; ``UNSAID``: when
    it came)."""

    now: Sequence[int]
    known_after: Sequence[int]


@dataclass(frozen=True)
class Settled:
    """The events that are new, a digest for each, the last arrival's instant, and how many are new of each delivery; and how many of those
    say they happened after they were known (``ahead``)."""

    events: Events
    digests: Longs | list[int]
    last_known: int
    kept: list[int]
    ahead: list[int]


@dataclass(frozen=True)
class Versions:
    """Versions there are of some ids, in order of id and version: ``which`` of the ids each is of, counted from 0, and what ``Version``
    says of it."""

    which: Longs
    version: Longs
    known_at: Longs
    digest: Longs

    @classmethod
    def of_ids(cls, ids: pa.Array, found: Sequence[Version]) -> Versions:
        """Found versions as arrays; ``ids`` are text, each once."""
        if not found:
            return cls(*(np.array([], dtype=np.int64) for _ in range(4)))
        names, *columns = zip(*found, strict=True)
        which = pc.index_in(pa.array(names, pa.string()), value_set=ids).to_numpy(zero_copy_only=False).astype(np.int64)
        numbers = [np.array(column, dtype=np.int64) for column in columns]
        order = np.lexsort((numbers[0], which))
        return cls(which[order], *(column[order] for column in numbers))

    def of(self, which: int) -> list[tuple[int, int]]:
        """Version and digest of one id's versions."""
        first, last = np.searchsorted(self.which, [which, which + 1])
        return list(zip(self.version[first:last].tolist(), self.digest[first:last].tolist(), strict=True))


def delivered(source: Source, table: pa.Table) -> Delivered:
    """A table of ``rows.kept``, its ids told apart and its rows digested."""
    told = table.column("id").combine_chunks()
    told = (told if isinstance(told, pa.Array) else pa.concat_arrays(told.chunks or [pa.array([], pa.string())])).dictionary_encode()
    return Delivered(table, told.dictionary, told.indices.to_numpy(zero_copy_only=False).astype(np.int64), marks(source, table))


def marks(source: Source, table: pa.Table) -> Longs:
    """What tells a row from the version before, where no column does; rows of one id need no telling apart by their id."""
    if source.version is not None:
        return np.zeros(table.num_rows, dtype=np.int64)
    return digests(table, ["deleted", *(name for name in own_columns(source) if name not in source.id)])


def settle(source: Source, rows: Delivered, of: Longs, found: Sequence[Version], counters: Counters, callers: Callers) -> Settled:
    """Give each new row its version, its instant and its number; ``found`` are the versions there are of its ids. Whose delivery each row
    is ``of``: 0, 1, 2 …, never falling."""
    known = Versions.of_ids(rows.names, found)
    ids = _Ids.of(known, len(rows.names))
    version, new, first = _versions(source, rows, known, ids, of)
    keep = np.flatnonzero(new)
    codes, version, first, whose = rows.codes[keep], version[keep], first[keep], of[keep]
    event_at = _longs(rows.table.column("event_at"))[keep]
    known_at = _said_known(rows.table, event_at, np.array(callers.known_after, dtype=np.int64)[whose], keep)
    if not source.time:
        known_at = np.where(first & (known_at == UNSAID), ALWAYS, known_at)
        event_at = np.where(first, ALWAYS, event_at)
    arriving = known_at == UNSAID
    known_at[arriving], last_known = _arrivals(whose[arriving], callers.now, counters.last_known)
    _one_after_another(known_at, codes, ids)
    ahead = event_at > known_at + APART
    event_at = np.minimum(np.where(event_at == UNSAID, known_at, event_at), known_at)
    seq = counters.last_seq + 1 + np.arange(len(keep), dtype=np.int64)
    made = {"seq": seq, "version": version, "event_at": event_at, "known_at": known_at}
    kept = rows.table.take(pa.array(keep)) if len(keep) < len(rows.codes) else rows.table
    schema = event_schema(source)
    events = pa.table([pa.array(made[n]) if n in made else kept.column(n) for n in schema.names], schema=schema)
    new, early = (np.bincount(of, minlength=len(callers.now)).tolist() for of in (whose, whose[ahead]))
    return Settled(events, rows.digests[keep], last_known, new, early)


def _arrivals(whose: Longs, now: Sequence[int], last: int) -> tuple[Longs, int]:
    """When rows are known that say nothing of it: at their delivery's ``now``, each a microsecond after the one before; and the last.

    >>> _arrivals(np.array([0, 0, 2]), [50, 60, 40], 10)
    (array([50, 51, 52]), 52)
    """
    begins: list[int] = []
    for instant, rows in zip(now, np.bincount(whose, minlength=len(now)).tolist(), strict=True):
        begins.append(max(instant, last + 1))
        last = begins[-1] + rows - 1 if rows else last
    before = np.searchsorted(whose, np.arange(len(now)))
    return np.array(begins, dtype=np.int64)[whose] + np.arange(len(whose)) - before[whose], last


@dataclass(frozen=True)
class _Ids:
    """What is known of each id: how many versions, where the newest of them stands (-1: nowhere), and the last instant one was known at."""

    versions: Longs
    newest: Longs
    last_known: Longs

    @classmethod
    def of(cls, known: Versions, names: int) -> _Ids:
        newest, last = np.full(names, -1, dtype=np.int64), np.full(names, UNSAID, dtype=np.int64)
        newest[known.which] = np.arange(len(known.which))  # in order of version: the last one stays
        np.maximum.at(last, known.which, known.known_at)
        return cls(np.bincount(known.which, minlength=names).astype(np.int64), newest, last)


def _longs(column: pa.ChunkedArray) -> Longs:
    if column.null_count == len(column):
        return np.full(len(column), UNSAID, dtype=np.int64)
    return np.asarray((pc.fill_null(column, UNSAID) if column.null_count else column).to_numpy(), dtype=np.int64)


def _said_known(table: pa.Table, event_at: Longs, known_after: Longs, keep: Longs) -> Longs:
    said = _longs(table.column("said_known"))[keep]
    there = (event_at != UNSAID) & (known_after != UNSAID)
    later = np.where(there, np.where(there, event_at, 0) + np.where(there, known_after, 0), UNSAID)
    return np.where(said == UNSAID, later, said)


def _versions(source: Source, rows: Delivered, known: Versions, of: _Ids, whose: Longs) -> tuple[Longs, Mask, Mask]:
    """For each row its version, whether it is new, and whether it is the first of its id."""
    codes = rows.codes
    version = np.zeros(len(codes), dtype=np.int64) if source.version is None else _longs(rows.table.column("said_version")).copy()
    new, first = np.ones(len(codes), dtype=np.bool_), of.versions[codes] == 0
    alone = np.bincount(codes, minlength=len(rows.names)) == 1
    seen = np.flatnonzero(~first)
    newest = of.newest[codes[seen]]
    if source.version is None:
        new[seen] = known.digest[newest] != rows.digests[seen]
        version[seen] = known.version[newest] + 1
    else:
        new[seen] = known.version[newest] != version[seen]
        alone &= of.versions <= 1
    for group in _groups(codes, np.flatnonzero(~alone[codes])):
        there = known.of(int(codes[group[0]]))
        if source.version is None:
            numbers = _next_of_each(rows.digests[group].tolist(), whose[group].tolist(), there)
        else:
            numbers = _said_versions(version[group].tolist(), [v for v, _ in there])
        new[group] = [number is not None for number in numbers]
        version[group] = [number or 0 for number in numbers]
        first[group] = False
        first[group[0]] = not there
    return version, new, first


def _groups(codes: Longs, rows: Longs) -> list[Longs]:
    """These rows by their id, in order within it."""
    if len(rows) == 0:
        return []
    ordered = rows[np.argsort(codes[rows], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(codes[ordered])) + 1)


def _said_versions(said: Sequence[int], before: Sequence[int]) -> list[int | None]:
    """The versions a column says, each once.

    >>> _said_versions([1, 2, 1], [2])
    [1, None, None]
    """
    there, numbers = set(before), []
    for version in said:
        numbers.append(None if version in there else version)
        there.add(version)
    return numbers


def _next_versions(digests: Sequence[int], before: Sequence[tuple[int, int]]) -> list[int | None]:
    """The next versions, for rows that say something else than the one before; ``before`` are (version, digest), in order.

    >>> _next_versions([7, 7, 8], []), _next_versions([7, 8], [(0, 7), (1, 8)])
    ([0, None, 1], [None, None])
    """
    if before and digests[-1] == before[-1][1]:
        return [None] * len(digests)
    number, digest = (before[-1][0] + 1, before[-1][1]) if before else (0, None)
    numbers: list[int | None] = []
    for mark in digests:
        numbers.append(None if mark == digest else number)
        number, digest = (number, digest) if mark == digest else (number + 1, mark)
    return numbers


def _next_of_each(digests: Sequence[int], whose: Sequence[int], before: Sequence[tuple[int, int]]) -> list[int | None]:
    """The next versions, where several deliveries say something of one id, one delivery after another.

    >>> _next_of_each([7, 8, 7, 8], [0, 0, 1, 1], [])
    [0, 1, None, None]
    """
    numbers: list[int | None] = []
    for _, turn in groupby(range(len(digests)), whose.__getitem__):
        said = [digests[at] for at in turn]
        some = _next_versions(said, before)
        before = [(number, mark) for number, mark in zip(some, said, strict=True) if number is not None][-1:] or before
        numbers += some
    return numbers


def _one_after_another(known_at: Longs, codes: Longs, of: _Ids) -> None:
    """Push what is known too early for its id to a microsecond after the version before."""
    seen = np.flatnonzero(of.versions[codes] > 0)
    known_at[seen] = np.maximum(known_at[seen], of.last_known[codes[seen]] + 1)
    several = np.bincount(codes, minlength=len(of.versions)) > 1
    for group in _groups(codes, np.flatnonzero(several[codes])):
        # Each at least one after the one before: the running maximum of what is left when the steps are taken off.
        steps = np.arange(len(group))
        known_at[group] = np.maximum.accumulate(known_at[group] - steps) + steps
