"""The event log on Postgres, where several machines share it. In: event tables. Out: the same, until the sealer has them.

One transaction holds the rows, the (id, version) index, the counters, the delivery, and what the lake does also: all of it or nothing. It
takes one advisory lock of its source before it looks how far that has come, and the server lets go of it when the commit is seen by all: so
what is known later has the higher number, and other sources do not wait. Single rows lie in ``hot``; many at once as pieces of Arrow.
No file of this machine is used, and no clock is read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import everloop.connect.postgres_tables as tables
import everloop.lake.hot as hot
import everloop.lake.noted as noted
from everloop.connect.postgres_client import Lines, batches, bodies, committed, flags, last_row, longs, words
from everloop.connect.postgres_tables import ALONE, ARRIVING, EVENTS, ONLINE, SCHEMA
from everloop.errors import HouseBusy
from everloop.lake.alone import PATIENCE
from everloop.lake.events import AT_ONCE, MANY, versions_of
from everloop.lake.shape import EventRows, Events
from everloop.lake.tables import Also, Counters, Delivery, Version
from everloop.settings import Durability

if TYPE_CHECKING:
    from psycopg import Connection

BUSY_SECONDS: Final = 60
#: So many rows of what arrived at once are one piece.
PIECE: Final = 65_536

_KEEP: Final = f"""
INSERT INTO {SCHEMA}.versions SELECT %s, * FROM unnest(%s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (source, id, version) DO UPDATE SET known_at = excluded.known_at, digest = excluded.digest""".encode()
_HOT: Final = f"""
INSERT INTO {SCHEMA}.hot SELECT %s, * FROM unnest(
    %s::bigint[], %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[], %s::bytea[])""".encode()
_KNOWN: Final = f"SELECT id, version, known_at, digest FROM {SCHEMA}.versions WHERE source = %s AND id = ANY(%s::bytea[])".encode()
_ROWS: Final = f"""
SELECT seq, id, version, event_at, known_at, deleted, said FROM {SCHEMA}.hot
WHERE source = %s AND seq > %s ORDER BY seq LIMIT {AT_ONCE}""".encode()
_STAGED: Final = f"SELECT first_seq, last_seq FROM {SCHEMA}.files WHERE source = %s AND last_seq > %s ORDER BY first_seq LIMIT 1".encode()
_NOTE: Final = f"""
INSERT INTO {SCHEMA}.deliveries VALUES (%s, %s, %s) ON CONFLICT (source, number) DO UPDATE SET said = excluded.said""".encode()


class PostgresLog:
    """A log in one Postgres database (13 or newer). Safe between threads, processes and machines.

    ``durability``: what an arrival survives once it is over. ``sync`` and ``group``: the power going; the server itself syncs together what
    commits together. ``process``: the end of the process, not the server's within half a second.

    >>> PostgresLog("postgresql://shop:hush@db/house")
    PostgresLog('postgresql://shop@db/house', durability='sync')
    """

    def __init__(self, url: str, durability: Durability = "sync") -> None:
        """Connects to nothing yet. Raises SettingsError for what is no URL of Postgres; Missing without psycopg."""
        # Who runs the server may have asked for more than a sync here, as on a replica, too: that stays.
        wanted = "'off'" if durability == "process" else "CASE current_setting(c) WHEN 'off' THEN 'on' ELSE current_setting(c) END"
        self.durability = durability
        self.lines = Lines(url, setup=f"SELECT set_config(c, {wanted}, false) FROM (VALUES ('synchronous_commit')) AS v (c)")
        self._numbers: dict[str, int] = {}
        self._held = threading.local()
        self._made = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lines.where!r}, durability={self.durability!r})"

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection of this log, with its tables there; what goes wrong comes out as StoreError."""
        with self.lines.taken() as connection:
            if not self._made:
                tables.make(connection)
                self._made = True
            yield connection

    @contextmanager
    def arrivals(self, source: str) -> Iterator[PostgresArrivals]:
        """One arrival; see ``tables.EventLog``. Raises HouseBusy where another one takes longer than a minute."""
        with self.connected() as connection:
            number, counters = self._begun(connection, source)
            yield PostgresArrivals(connection, number, counters)
            committed(connection)

    def _begun(self, connection: Connection, source: str) -> tuple[int, Counters]:
        """Begin a transaction that alone may write to a source: its number, and how far it has come now."""
        while True:
            number = self._numbers.get(source) or self._number(connection, source)
            cursor = connection.execute(
                f"BEGIN; SET LOCAL lock_timeout = '{BUSY_SECONDS}s'; SELECT pg_advisory_xact_lock({ARRIVING}, {number}); "
                f"SELECT last_seq, last_known FROM {SCHEMA}.sources WHERE number = {number}".encode()
            )
            found = last_row(cursor)
            if found is not None:
                self._numbers[source] = number
                return number, Counters(*found)
            connection.execute("ROLLBACK")
            self._numbers.pop(source, None)  # the log was emptied
            new = f"INSERT INTO {SCHEMA}.sources (name, last_seq, last_known) VALUES (%s, 0, %s) ON CONFLICT (name) DO NOTHING"
            connection.execute(new.encode(), (source.encode(), Counters().last_known))

    def _number(self, connection: Connection, source: str) -> int:
        row = connection.execute(f"SELECT number FROM {SCHEMA}.sources WHERE name = %s".encode(), (source.encode(),)).fetchone()
        return int(row[0]) if row else 0

    def counters(self, source: str) -> Counters:
        """How far a source has come."""
        with self.connected() as connection:
            said = f"SELECT last_seq, last_known FROM {SCHEMA}.sources WHERE name = %s".encode()
            row = connection.execute(said, (source.encode(),)).fetchone()
        return Counters(*row) if row else Counters()

    def unsealed(self, source: str, schema: pa.Schema, *, after: int) -> Iterator[pa.Table]:
        """Event tables of the rows beyond ``after``, in order of ``seq``."""
        while True:
            body = None
            with self.connected() as connection:
                number = self._number(connection, source)
                with connection.cursor(binary=True) as cursor:
                    rows = cursor.execute(_ROWS, (number, after)).fetchall()
                    staged = cursor.execute(_STAGED, (number, after)).fetchone()
                    if staged and (not rows or staged[0] < rows[0][0]):
                        piece = f"SELECT body FROM {SCHEMA}.files WHERE source = %s AND first_seq = %s".encode()
                        body = cursor.execute(piece, (number, staged[0])).fetchone()
            if staged and (not rows or staged[0] < rows[0][0]):
                if body is not None:  # else it was sealed since it was named: its rows lie in the tables by now
                    yield hot.from_bytes(body[0], schema)
                after = staged[1]
            elif rows:
                # A piece may lie between two hot rows: only those before it are next.
                rows = [row for row in rows if not staged or row[0] < staged[0]]
                yield hot.from_rows([(row[0], row[1].decode(), *row[2:]) for row in rows], schema)
                after = rows[-1][0]
            else:
                return

    def sealed(self, source: str, through_seq: int) -> None:
        """Let go of what lies in the tables, 10,000 rows at a time."""
        with self.connected() as connection:
            number = self._number(connection, source)
            connection.execute(f"DELETE FROM {SCHEMA}.files WHERE source = %s AND last_seq <= %s".encode(), (number, through_seq))
            some = f"SELECT seq FROM {SCHEMA}.hot WHERE source = %s AND seq <= %s ORDER BY seq LIMIT {AT_ONCE}"
            what = f"DELETE FROM {SCHEMA}.hot WHERE source = %s AND seq = ANY(ARRAY({some}))".encode()
            while connection.execute(what, (number, number, through_seq)).rowcount == AT_ONCE:
                pass

    def synced(self) -> None:
        """Sync what has arrived, whatever the durability, in whichever process. Who seals is told where the lock was lost meanwhile."""
        mine: Connection | None = getattr(self._held, "connection", None)
        if mine is not None:
            with self.lines.told():
                _flush(mine)
        else:
            with self.connected() as connection:
                _flush(connection)

    def deliveries(self, source: str, *, newest: int | None = None) -> list[Delivery]:
        """Every delivery of a source, in order of number; or of them only the ``newest`` so many."""
        with self.connected() as connection:
            return _deliveries(connection, self._number(connection, source), newest)

    @contextmanager
    def sealing(self, source: str) -> Iterator[None]:
        """Be the only sealer of a source, on all machines; a dead one's lock is nobody's."""
        with self._locked(source, f"sealing {source}", PATIENCE) as connection:
            before = getattr(self._held, "connection", None)
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = before

    @contextmanager
    def alone(self, name: str, what: str, *, patience: float = PATIENCE) -> Iterator[None]:
        """Be the only one at something, on all machines; a dead one's lock is nobody's. Raises HouseBusy with ``what`` is done."""
        with self._locked(name, what, patience):
            yield

    @contextmanager
    def _locked(self, name: str, what: str, patience: float) -> Iterator[Connection]:
        with self.connected() as connection:
            key = f"{ALONE}, {_half(name)}"
            try:
                if patience:
                    connection.execute(f"SET lock_timeout = {round(patience * 1000)}; SELECT pg_advisory_lock({key})".encode())
                got = bool(patience) or last_row(connection.execute(f"SELECT pg_try_advisory_lock({key})".encode())) == (True,)
            except Exception as error:
                if getattr(error, "sqlstate", None) != "55P03":
                    raise
                got = False
            if not got:
                long = f" and has been for {patience:g} seconds" if patience else ""
                raise HouseBusy(f"Another process is {what}{long}. Run it again when it is done.", aloud=f"Another process is {what}.")
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.execute(f"RESET lock_timeout; SELECT pg_advisory_unlock({key})".encode())

    def close(self) -> None:
        """Close the connections nobody uses. The next call opens another."""
        self.lines.close()

    def wiped(self) -> None:
        """Write the tables anew, so that nothing of what was deleted is left in them; what the server's write-ahead log holds of it goes as
        that is used again. Raises HouseBusy where somebody reads them for too long."""
        with self.connected() as connection:
            connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'".encode())
            for table in (*EVENTS, *ONLINE):
                connection.execute(f"VACUUM (FULL) {SCHEMA}.{table}".encode())
            connection.execute("RESET lock_timeout")
        self.tell_gone()

    def emptied(self) -> None:
        """Let go of every row, version and delivery of every source, but for where files lay and how far streams were taken."""
        with self.connected() as connection, connection.transaction():
            connection.execute(f"LOCK TABLE {', '.join(f'{SCHEMA}.{table}' for table in EVENTS)}".encode())
            numbers = [number for (number,) in connection.execute(f"SELECT number FROM {SCHEMA}.sources".encode()).fetchall()]
            kept = [(number, one) for number in numbers for one in noted.without_rows(_deliveries(connection, number))]
            gone = ", ".join(f"{SCHEMA}.{table}" for table in EVENTS if table != "sources")
            connection.execute(f"TRUNCATE {gone}".encode())
            for number, one in kept:
                connection.execute(_NOTE, (number, one.number, noted.text(one).encode()))
            connection.execute(f"DELETE FROM {SCHEMA}.sources WHERE number NOT IN (SELECT source FROM {SCHEMA}.deliveries)".encode())
            connection.execute(f"UPDATE {SCHEMA}.sources SET last_seq = 0, last_known = %s".encode(), (Counters().last_known,))

    def owner(self) -> str | None:
        """The mark of the house it belongs to; None: nobody's yet."""
        with self.connected() as connection:
            return tables.owner(connection)

    def owned_by(self, mark: str, *, instead: bool = False) -> str:
        """Let it belong to a house, unless it belongs to one; returns whose it is then."""
        with self.connected() as connection:
            return tables.owned_by(connection, mark, instead)

    def tell_gone(self) -> None:
        """Whoever has read events lets go of what they remember, on every machine."""
        with self.connected() as connection:
            connection.execute(f"UPDATE {SCHEMA}.house SET went = went + 1".encode())

    @property
    def went(self) -> int:
        """How often something went from the log and the tables. What was read before is read again."""
        with self.connected() as connection:
            return int(last_row(connection.execute(f"SELECT went FROM {SCHEMA}.house".encode()))[0])  # type: ignore[index]

    @property
    def identity(self) -> str:
        """What no other log is called, a copy of this one in another database neither."""
        said = (
            f"SELECT id || ':' || (SELECT system_identifier FROM pg_control_system()) || ':' || d.oid "
            f"FROM {SCHEMA}.house, pg_database AS d WHERE d.datname = current_database()"
        )
        with self.connected() as connection:
            return str(last_row(connection.execute(said.encode()))[0])  # type: ignore[index]


class PostgresArrivals:
    """One arrival in one source, inside its transaction."""

    def __init__(self, connection: Connection, number: int, counters: Counters) -> None:
        self.connection, self.number, self.counters = connection, number, counters

    def known(self, ids: Sequence[str]) -> list[Version]:
        """The versions there are of these ids."""
        found: list[Version] = []
        if self.counters.last_seq:
            with self.connection.cursor(binary=True) as cursor:
                for some in batches(sorted(ids), AT_ONCE):
                    rows = cursor.execute(_KNOWN, (self.number, words(some))).fetchall()
                    found += [Version(id.decode(), *rest) for id, *rest in rows]
        return found

    def append(self, events: Events, digests: Sequence[int] | NDArray[np.int64], *, last_known: int) -> None:
        """Keep events: their rows, their versions, and how far the source has come."""
        rows = events.num_rows
        if rows == 0:
            return
        first, last = self.counters.last_seq + 1, self.counters.last_seq + rows
        with self.connection.pipeline():
            for some in batches(versions_of(events, digests), AT_ONCE):
                ids, *numbers = zip(*some, strict=True)
                self.connection.execute(_KEEP, (self.number, words(ids), *map(longs, numbers)))
            if rows >= MANY:
                self._stage(events.table() if isinstance(events, EventRows) else events, first)
            else:
                for part in batches(hot.to_rows(events), AT_ONCE):
                    seq, ids, version, event_at, known_at, deleted, said = zip(*part, strict=True)
                    numbers = [longs(some) for some in (version, event_at, known_at)]
                    said = (longs(seq), words(ids), *numbers, flags(deleted), bodies(said))
                    self.connection.execute(_HOT, (self.number, *said))
            come = f"UPDATE {SCHEMA}.sources SET last_seq = %s, last_known = %s WHERE number = %s"
            self.connection.execute(come.encode(), (last, last_known, self.number))
        self.counters = Counters(last, last_known)

    def _stage(self, events: pa.Table, first: int) -> None:
        for start in range(0, events.num_rows, PIECE):
            piece = events.slice(start, PIECE)
            extent = (self.number, first + start, first + start + piece.num_rows - 1)
            self.connection.execute(f"INSERT INTO {SCHEMA}.files VALUES (%s, %s, %s, %b)".encode(), (*extent, hot.to_bytes(piece)))

    def deliveries(self, *, only_last: bool = False) -> list[Delivery]:
        """The deliveries so far, in order of number; or only the last of them."""
        return _deliveries(self.connection, self.number, 1 if only_last else None)

    def note(self, delivery: Delivery) -> None:
        """Remember a delivery."""
        self.connection.execute(_NOTE, (self.number, delivery.number, noted.text(delivery).encode()))

    def forget(self, versions: Sequence[tuple[str, int]]) -> None:
        """Let these versions come again."""
        gone = f"DELETE FROM {SCHEMA}.versions AS v USING unnest(%s::bytea[], %s::bigint[]) AS g (id, version) "
        for some in batches(versions, AT_ONCE):
            ids, numbers = zip(*some, strict=True)
            this = "WHERE v.source = %s AND v.id = g.id AND v.version = g.version"
            self.connection.execute((gone + this).encode(), (words(ids), longs(numbers), self.number))

    def also(self, what: Also, events: Events) -> None:
        """Do something else in the same transaction."""
        what(self.connection, events)


def _deliveries(connection: Connection, number: int, newest: int | None = None) -> list[Delivery]:
    said = f"SELECT said FROM {SCHEMA}.deliveries WHERE source = %s ORDER BY number DESC LIMIT %s".encode()  # of NULL is none
    return [noted.delivery(text) for (text,) in connection.execute(said, (number, newest)).fetchall()][::-1]


def _flush(connection: Connection) -> None:
    """A commit that waits for the disk has all that was committed before it there, too."""
    connection.execute("BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'everloop', ''); COMMIT")


def _half(name: str) -> int:
    """A name as half the key of an advisory lock: a whole number of 32 bits with a sign."""
    from zlib import crc32

    return crc32(name.encode()) - 2**31
