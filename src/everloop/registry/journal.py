"""The journal: every record of the ring, once, in order, each sealed with the hash of the one before it. The audit log is the journal.

In: frozen records, inside the caller's transaction. Out: the same records, and proof that nobody changed, dropped, reordered or added
one since. Reads no clock: ``made_at`` is the record's own. SQLite and Postgres refuse to update or delete a row; the chain finds it
where somebody got round that. Who rewrites the whole chain is found by a head that was anchored elsewhere (alert, card, export).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Row, Select, Table, Text, func, select

from everloop.clock import from_microseconds, microseconds, said
from everloop.errors import ClockWentBack, EverloopError, JournalBroken, StoreError, Unknown
from everloop.records import Record
from everloop.registry.store import R, Store
from everloop.registry.written import read_back, written
from everloop.sql.schema import METADATA

JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("model", Text),
    Column("turn", Text),
    Column("verb", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
Index(None, JOURNAL.c.id, unique=True)
Index(None, JOURNAL.c.kind, JOURNAL.c.seq)
Index(None, JOURNAL.c.model, JOURNAL.c.kind, JOURNAL.c.seq)
Index(None, JOURNAL.c.turn)
Index(None, JOURNAL.c.at)

NOTHING = "0" * 64


@dataclass(frozen=True)
class Head:
    """Where the journal ends: the last sequence number and its hash. Anchored elsewhere it proves that nothing was cut off since."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @staticmethod
    def read(text: str) -> Head:
        """A head from its text. Raises EverloopError for text that is none.

        >>> Head.read("0:" + NOTHING).seq
        0
        """
        seq, _, digest = text.strip().partition(":")
        if not seq.isdecimal() or len(digest) != 64:
            raise EverloopError(f"{text!r} is no head of a journal. It looks like 41:9f3c…, with 64 digits.")
        return Head(int(seq), digest)


@dataclass(frozen=True)
class Entry:
    """One record as journalled: which turn wrote it, and by which verb. ``at`` is the record's ``made_at``."""

    seq: int
    turn: str | None
    verb: str
    kind: str
    at: datetime
    record: Record
    hash: str


@dataclass(frozen=True)
class Journal:
    """The journal of one house."""

    store: Store

    def append(self, connection: Connection, record: R, *, turn: str | None = None, verb: str = "", back: timedelta = timedelta(0)) -> R:
        """Keep a record; returns it as kept. The same record again is a no-op that returns the first.

        Business time runs forwards: a ``made_at`` before the newest one journalled, by more than ``back``, raises ClockWentBack. Later
        records of a turn that already has one are let in, since their ``made_at`` is the turn's and other turns went on meanwhile.

        Raises StoreError for an id that is taken by another body, and for what cannot be written (NaN, a naive instant).
        """
        kind, body = type(record).__name__, written(record)
        first = connection.execute(select(JOURNAL.c.kind, JOURNAL.c.body).where(JOURNAL.c.id == record.id)).first()
        if first is not None:
            if tuple(first) != (kind, body):
                raise StoreError(
                    f"The id {record.id} already belongs to another {first.kind}, and a journal is never rewritten. "
                    f"Give the {kind} an id of its own."
                )
            return record
        self._forwards(connection, record, turn, back)
        head = self.head(within=connection)
        row = {
            "seq": head.seq + 1, "id": record.id, "model": _model(record), "turn": turn, "verb": verb, "kind": kind,
            "at": microseconds(record.made_at), "body": body, "previous": head.hash,
        }  # fmt: skip
        connection.execute(JOURNAL.insert().values(**row, hash=seal(row)))
        return record

    def find(self, id: str, *, within: Connection | None = None) -> Record | None:
        """The record of this id, or None."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(JOURNAL.c.kind, JOURNAL.c.body).where(JOURNAL.c.id == id)).first()
        return None if row is None else read_back(row.kind, row.body)

    def turn_of(self, id: str, *, within: Connection | None = None) -> str | None:
        """The turn that kept the record of this id; None where no turn did, or there is no such record."""
        with self.store.reading(within) as connection:
            return connection.execute(select(JOURNAL.c.turn).where(JOURNAL.c.id == id)).scalar()

    def get(self, id: str, *, within: Connection | None = None) -> Record:
        """The record of this id. Raises Unknown."""
        record = self.find(id, within=within)
        if record is None:
            raise Unknown("record", id, where="the journal", next="See what there is: everloop history <model>")
        return record

    def read(
        self,
        *,
        kind: str | tuple[str, ...] | None = None,
        model: str | None = None,
        turn: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int | None = None,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        within: Connection | None = None,
    ) -> list[Entry]:
        """Records in the order they were kept, with ``since <= made_at <= until``, beyond number ``after`` and below
        ``before``; every filter narrows."""
        query: Select[Any] = select(JOURNAL).order_by(JOURNAL.c.seq.desc() if newest_first else JOURNAL.c.seq)
        if kind is not None:
            query = query.where(JOURNAL.c.kind.in_((kind,) if isinstance(kind, str) else kind))
        if model is not None:
            query = query.where(JOURNAL.c.model == model)
        if turn is not None:
            query = query.where(JOURNAL.c.turn == turn)
        if since is not None:
            query = query.where(JOURNAL.c.at >= microseconds(since))
        if until is not None:
            query = query.where(JOURNAL.c.at <= microseconds(until))
        if after is not None:
            query = query.where(JOURNAL.c.seq > after)
        if before is not None:
            query = query.where(JOURNAL.c.seq < before)
        if limit is not None:
            query = query.limit(limit)
        with self.store.reading(within) as connection:
            return [entry_in(row) for row in connection.execute(query)]

    def head(self, *, within: Connection | None = None) -> Head:
        """Where the journal ends now."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(JOURNAL.c.seq, JOURNAL.c.hash).order_by(JOURNAL.c.seq.desc()).limit(1)).first()
        return Head(0, NOTHING) if row is None else Head(row.seq, row.hash)

    def verify(self, anchor: Head | None = None) -> Head:
        """Walk the chain from the first record to the head, which is returned.

        ``anchor`` is a head noted earlier: the journal must still go through it. Without one a tail that was cut off cannot be seen.

        Raises JournalBroken with the first record that is not what was written.
        """
        head = Head(0, NOTHING)
        met = anchor is None or anchor == head
        with self.store.reading() as connection:
            query = select(JOURNAL).order_by(JOURNAL.c.seq).execution_options(yield_per=1000)
            for row in connection.execute(query):
                head = _linked(head, row)
                if anchor is not None and head.seq == anchor.seq:
                    if head != anchor:
                        was = f"{anchor.hash[:12]}… was anchored"
                        raise JournalBroken(head.seq, f"its hash is {head.hash[:12]}…, but {was}: the chain was rewritten")
                    met = True
        if not met and anchor is not None:
            ends = f"the journal ends at record {head.seq}, but a head at record {anchor.seq} was anchored"
            raise JournalBroken(head.seq + 1, f"it is gone: {ends}")
        return head

    def newest(self, *, within: Connection | None = None) -> datetime | None:
        """The latest ``made_at`` of any record; None in an empty journal."""
        with self.store.reading(within) as connection:
            at = connection.execute(select(func.max(JOURNAL.c.at))).scalar()
        return None if at is None else from_microseconds(at)

    def _forwards(self, connection: Connection, record: Record, turn: str | None, back: timedelta) -> None:
        newest = self.newest(within=connection)
        if newest is None or newest - record.made_at <= back:
            return
        if turn is not None and connection.execute(select(JOURNAL.c.seq).where(JOURNAL.c.turn == turn).limit(1)).first():
            return
        raise ClockWentBack(
            f"The clock says {said(record.made_at)}, but this house has already journalled {said(newest)}. Nothing was kept. "
            f"Set the machine's clock right, or give a later instant: everloop turn --now …"
        )


def _model(record: Record) -> str | None:
    return getattr(record, "model", None)


def seal(row: Mapping[str, Any]) -> str:
    """The hash of a row: SHA-256 over the hash before and everything the row says."""
    says = json.dumps([row[key] for key in ("seq", "id", "model", "turn", "verb", "kind", "at", "body")], separators=(",", ":"))
    return hashlib.sha256((row["previous"] + "|" + says).encode()).hexdigest()


def _linked(head: Head, row: Row[Any]) -> Head:
    if row.seq != head.seq + 1:
        raise JournalBroken(head.seq + 1, f"it is gone; the next one there is {row.seq}")
    if row.previous != head.hash:
        raise JournalBroken(row.seq, "it does not follow the one before it: a record was put in, taken out or moved")
    if row.hash != seal(dict(row._mapping)):
        raise JournalBroken(row.seq, "what it says is not what was sealed: somebody changed it")
    return Head(row.seq, row.hash)


def entry_in(row: Row[Any]) -> Entry:
    """The entry that a row of the table says."""
    return Entry(row.seq, row.turn, row.verb, row.kind, from_microseconds(row.at), read_back(row.kind, row.body), row.hash)
