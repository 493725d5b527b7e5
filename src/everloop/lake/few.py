"""A few rows in plain Python: read, told apart and settled as ``rows``, ``digest`` and ``settle`` do it, at a tenth of what arrays cost.

In: deliveries of dicts. Out: the same events, to the last digit; or None where a row needs more than this (one that must be refused, an id
that comes twice, a day for an instant): then the arrays decide. No store, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pyarrow as pa

from everloop.lake.digest import digest_of
from everloop.lake.rows import Brought, Offered, declared
from everloop.lake.settle import APART, UNSAID, Callers, Settled
from everloop.lake.shape import ALWAYS, SEPARATOR, EventRows, event_schema, own_columns
from everloop.lake.tables import Counters, Version
from everloop.lake.values import Reads, reader, said_deleted, said_id, said_version
from everloop.project.columns import Kind
from everloop.project.resolve import with_apart
from everloop.project.source import Source

#: Of so many rows arrays are quicker.
MOST: Final = 1_000
_LAST: Final = 2**63


class Row(NamedTuple):
    """What one row says: its id, when it happened, whether it is gone, its version and since when it is known (None: unsaid), the values of
    its source's own columns, and the digest of them."""

    id: str
    event_at: int | None
    deleted: bool
    version: int | None
    known_at: int | None
    values: tuple[Any, ...]
    digest: int


@dataclass(frozen=True)
class Few:
    """Rows of different ids in the order delivered, which delivery (0, 1, …) each is ``of``, and the deliveries."""

    rows: list[Row]
    of: list[int]
    brought: tuple[Brought, ...]

    @property
    def ids(self) -> list[str]:
        """The ids, each once."""
        return [row.id for row in self.rows]


class _Reading(NamedTuple):
    """How rows of one source are read."""

    columns: tuple[tuple[str, Reads], ...]
    ids: tuple[int, ...]
    time: int | None
    version: str | None
    known: tuple[str, Reads] | None
    deleted: str | None
    marked: tuple[tuple[str, int], ...]
    declared: tuple[str, ...]
    schema: pa.Schema


@lru_cache(maxsize=256)
def _reading(source: Source) -> _Reading | None:
    kinds: dict[str, Kind] = own_columns(source)
    names = list(kinds)
    if source.time and kinds[source.time[0]] is not datetime:
        return None
    return _Reading(
        columns=tuple((name, reader(kind, source.zone)) for name, kind in kinds.items()),
        ids=tuple(names.index(name) for name in with_apart(source, source.id)),
        time=names.index(source.time[0]) if source.time else None,
        version=source.version,
        known=(source.known, reader(datetime, source.zone)) if source.known else None,
        deleted=source.deleted,
        marked=() if source.version else tuple((name, at) for at, name in enumerate(names) if name not in source.id),
        declared=tuple(declared(source)),
        schema=event_schema(source),
    )


def few(source: Source, several: Sequence[Offered]) -> Few | None:
    """Deliveries of dicts as their source declares them; None where the arrays must see to them.

    >>> orders = Source("orders", id="line_id", columns={"quantity": int})
    >>> few(orders, [[{"line_id": "l1", "quantity": 2}]]).ids, few(orders, [[{"line_id": "l1", "quantity": "two"}]])
    (['l1'], None)
    """
    reading = _reading(source)
    if reading is None or sum(map(len, several)) > MOST or any(isinstance(some, pa.Table) for some in several):
        return None
    rows, of, brought = list[Row](), list[int](), list[Brought]()
    for number, some in enumerate(several):
        came, first = dict[str, str](), len(rows)
        for said in some:
            row = _row(reading, said)
            if row is None:
                return None
            rows.append(row)
            of.append(number)
            for name in said:
                came[str(name)] = ""
        if reading.known is not None and len(some) > 1:
            rows[first:] = sorted(rows[first:], key=lambda row: _LAST if row.known_at is None else row.known_at)
        missing = tuple(name for name in reading.declared if name not in came)
        brought.append(Brought(len(some), len(some), 0, (), tuple(came.items()), missing, ()))
    return None if len({row.id for row in rows}) < len(rows) else Few(rows, of, tuple(brought))


def _row(reading: _Reading, said: Mapping[str, Any]) -> Row | None:
    """One row as it is kept; None for one that may have to be refused."""
    try:
        values = tuple([reads(said.get(name)) for name, reads in reading.columns])
        version = None if reading.version is None else said_version(said.get(reading.version))
        known_at: Any = None if reading.known is None else reading.known[1](said.get(reading.known[0]))
        deleted = reading.deleted is not None and said_deleted(said.get(reading.deleted))
    except ValueError:
        return None
    event_at: Any = None if reading.time is None else values[reading.time]
    if (event_at is None and reading.time is not None and not deleted) or (version is None and reading.version is not None):
        return None
    parts = ["" if values[at] is None else said_id(values[at]) for at in reading.ids]
    if "" in parts or (len(parts) > 1 and any(SEPARATOR in part for part in parts)):
        return None
    digest = digest_of([("deleted", deleted), *[(name, values[at]) for name, at in reading.marked]]) if reading.version is None else 0
    return Row(SEPARATOR.join(parts), event_at, deleted, version, known_at, values, digest)


def settle_few(source: Source, few: Few, found: Sequence[Version], counters: Counters, callers: Callers) -> Settled:
    """Give each new row its version, its instant and its number, as ``settle`` does; ``found`` are the versions there are of its ids."""
    now, known_after = callers.now, callers.known_after
    there: dict[str, list[Version]] = {}
    for one in sorted(found, key=lambda one: one.version):
        there.setdefault(one.id, []).append(one)
    last, seq, undated = counters.last_known, counters.last_seq, not source.time
    events, digests, kept, ahead, reached = list[tuple[Any, ...]](), list[int](), [0] * len(now), [0] * len(now), -1
    for row, of in zip(few.rows, few.of, strict=True):
        before = there.get(row.id)
        version = row.version
        if version is not None:
            if before and any(one.version == version for one in before):
                continue
        elif before:
            if before[-1].digest == row.digest:
                continue
            version = before[-1].version + 1
        else:
            version = 0
        event_at, known_at = row.event_at, row.known_at
        if known_at is None and event_at is not None and (after := known_after[of]) != UNSAID:
            known_at = event_at + after
        if undated and not before:
            event_at, known_at = ALWAYS, ALWAYS if known_at is None else known_at
        if known_at is None:
            # Each a microsecond after the one before; a delivery begins no earlier than it came.
            known_at = last = last + 1 if of == reached else max(now[of], last + 1)
            reached = of
        if before:
            known_at = max(known_at, max(one.known_at for one in before) + 1)
        ahead[of] += event_at is not None and event_at > known_at + APART
        event_at = known_at if event_at is None else min(event_at, known_at)
        seq += 1
        events.append((seq, row.id, version, event_at, known_at, row.deleted, *row.values))
        digests.append(row.digest)
        kept[of] += 1
    reading = _reading(source)
    assert reading is not None, "what was read before is read again"
    return Settled(EventRows(reading.schema, events), digests, last, kept, ahead)
