"""events.db: the log rows arrive in, on SQLite by the standard driver. In: event tables. Out: the same, until the sealer has them.

One transaction, taken with the write lock, holds the rows, the (id, version) index, the counters and the delivery: all of it or nothing.
Single rows lie in the table ``hot``; many at once lie in one Arrow file beside the database, synced before the transaction that names it,
so a crash leaves either both or a file nobody names, which the next arrival clears away. Writers take turns (``turnstile.py``);
``synced.py`` says what a power cut leaves. No clock is read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import everloop.lake.hot as hot
import everloop.lake.noted as noted
from everloop.errors import StoreError
from everloop.lake.alone import PATIENCE, alone
from everloop.lake.shape import EventRows, Events
from everloop.lake.synced import Synced
from everloop.lake.tables import Also, Counters, Delivery, Version
from everloop.lake.trouble import told
from everloop.lake.turnstile import Turnstile
from everloop.settings import Durability
from everloop.sql.wal import rewritten, write_ahead

#: So many rows or more arrive as one file.
MANY: Final = 20_000
#: Readers hold no transaction for more rows: an open reader keeps the write-ahead log from shrinking.
AT_ONCE: Final = 10_000
#: Rows of one statement: each gives other threads the interpreter, and has to get it back from them.
TOGETHER: Final = (256, 32, 4, 1)

_T = TypeVar("_T")
_BUSY_SECONDS = 60.0
_OF_PARENTS: list[sqlite3.Connection] = []
_FORMAT = 1
_TABLES = """
CREATE TABLE sources (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL, last_known INTEGER NOT NULL);
CREATE TABLE versions (
    source INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, known_at INTEGER NOT NULL, digest INTEGER NOT NULL,
    PRIMARY KEY (source, id, version)
) WITHOUT ROWID;
CREATE TABLE hot (
    source INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, event_at INTEGER NOT NULL,
    known_at INTEGER NOT NULL, deleted INTEGER NOT NULL, said BLOB NOT NULL, PRIMARY KEY (source, seq)
) WITHOUT ROWID;
CREATE TABLE files (
    source INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (source, first_seq)
) WITHOUT ROWID;
CREATE TABLE deliveries (source INTEGER NOT NULL, number INTEGER NOT NULL, said TEXT NOT NULL, PRIMARY KEY (source, number)) WITHOUT ROWID;
"""
_OWNER = "owner (one INTEGER PRIMARY KEY CHECK (one = 1), mark TEXT NOT NULL)"  # made when it is first said: older logs have none


@dataclass(frozen=True)
class SqliteLog:
    """A log in one SQLite file. Safe between threads and processes; each thread has its own connection.

    ``durability``: what an arrival survives once it is over. ``sync``: the power going at once; ``group``: the power going more than 50 ms
    later; ``process``: the end of the process.
    """

    file: Path
    durability: Durability = "sync"
    _held: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)
    _synced: dict[int, Synced] = field(default_factory=dict, init=False, repr=False, compare=False)  # by process: no thread outlives a fork

    @property
    def beside(self) -> Path:
        """The folder of what arrived many at once, and of the sealers' locks."""
        return self.file.with_name(f"{self.file.stem}.files")

    @contextmanager
    def arrivals(self, source: str) -> Iterator[SqliteArrivals]:
        """One arrival; see ``tables.EventLog``. Raises StoreError, too, where what arrived before could not be synced: once, to tell."""
        written: list[Path] = []
        with told(str(self.file)):
            if self.durability == "group":
                self._syncing().tell()
            try:
                with self._writing() as connection:
                    yield SqliteArrivals(connection, source, self.beside, written)
            except BaseException:
                for path in written:
                    path.unlink(missing_ok=True)
                raise
            if self.durability == "group":
                self._syncing().committed()

    def counters(self, source: str) -> Counters:
        """How far a source has come."""
        with told(str(self.file)):
            row = self.connection().execute("SELECT last_seq, last_known FROM sources WHERE name = ?", (source,)).fetchone()
        return Counters(*row) if row else Counters()

    def unsealed(self, source: str, schema: pa.Schema, *, after: int) -> Iterator[pa.Table]:
        """Event tables of the rows beyond ``after``, in order of ``seq``."""
        connection = self.connection()
        while True:
            with told(str(self.file)):
                number = _number(connection, source)
                rows = connection.execute(
                    "SELECT seq, id, version, event_at, known_at, deleted, said FROM hot WHERE source = ? AND seq > ? ORDER BY seq LIMIT ?",
                    (number, after, AT_ONCE),
                ).fetchall()
                staged = connection.execute(
                    "SELECT first_seq, last_seq, file FROM files WHERE source = ? AND last_seq > ? ORDER BY first_seq LIMIT 1",
                    (number, after),
                ).fetchone()
            if staged and (not rows or staged[0] < rows[0][0]):
                table = self._from_file(number, staged[2], schema)
                if table is not None:
                    yield table
                after = staged[1]
            elif rows:
                # A file may lie between two hot rows: only those before it are next.
                rows = [row for row in rows if not staged or row[0] < staged[0]]
                yield hot.from_rows(rows, schema)
                after = rows[-1][0]
            else:
                return

    def _from_file(self, number: int, name: str, schema: pa.Schema) -> pa.Table | None:
        with told(name):
            try:
                return hot.from_file(self.beside / name, schema)
            except FileNotFoundError:
                # Sealed since its name was read: its rows lie in the tables by now. If it is named still, somebody took it away.
                query = "SELECT 1 FROM files WHERE source = ? AND file = ?"
                if self.connection().execute(query, (number, name)).fetchone():
                    raise
                return None

    def sealed(self, source: str, through_seq: int) -> None:
        """Let go of what lies in the tables, 10,000 rows at a time."""
        with told(str(self.file)):
            connection = self.connection()
            number = _number(connection, source)
            gone = connection.execute("SELECT file FROM files WHERE source = ? AND last_seq <= ?", (number, through_seq)).fetchall()
            doomed = "SELECT seq FROM hot WHERE source = ? AND seq <= ? ORDER BY seq LIMIT ?"
            while connection.execute(doomed, (number, through_seq, 1)).fetchall():
                with self._writing():
                    what = f"DELETE FROM hot WHERE source = ? AND seq IN ({doomed})"
                    connection.execute(what, (number, number, through_seq, AT_ONCE))
            if gone:
                with self._writing():
                    connection.execute("DELETE FROM files WHERE source = ? AND last_seq <= ?", (number, through_seq))
            for (name,) in gone:
                (self.beside / name).unlink(missing_ok=True)

    def synced(self) -> None:
        """Sync what has arrived, whatever the durability, in whichever process."""
        with told(str(self.file)):
            self._syncing().now()

    def deliveries(self, source: str, *, newest: int | None = None) -> list[Delivery]:
        """Every delivery of a source, in order of number; or of them only the ``newest`` so many."""
        with told(str(self.file)):
            connection = self.connection()
            return _deliveries(connection, _number(connection, source), newest)

    @contextmanager
    def sealing(self, source: str) -> Iterator[None]:
        """Be the only sealer of a source on this machine; a dead one's lock is nobody's."""
        with self.alone(source, f"sealing {source}"):
            yield

    @contextmanager
    def alone(self, name: str, what: str, *, patience: float = PATIENCE) -> Iterator[None]:
        """Be the only one at something on this machine; see ``tables.EventLog``."""
        with alone(self.beside / f"{name}.lock", what, patience=patience):
            yield

    def close(self) -> None:
        """Close this thread's connection; with ``group``, sync what has arrived. The next call opens another."""
        held = self._held.__dict__.pop("connection", None)
        if held is not None:
            held[1].close()
        self._held.__dict__.pop("turnstile", None)
        if self.durability == "group":
            with told(str(self.file)):
                self._syncing().close()

    def wiped(self) -> None:
        """Write the file anew, so that nothing of what was deleted is left in its free pages or its log. Raises HouseBusy where a reader
        does not end."""
        with told(str(self.file)):
            connection = self.connection()
            connection.execute("VACUUM")
            rewritten(connection)
        self.tell_gone()

    def owner(self) -> str | None:
        """The mark of the house it belongs to; None: nobody's yet."""
        with told(str(self.file)):
            return _owner(self.connection())

    def owned_by(self, mark: str, *, instead: bool = False) -> str:
        """Let it belong to a house, unless it belongs to one; returns whose it is then."""
        with told(str(self.file)), self._writing() as connection:
            there = None if instead else _owner(connection)
            if there is None:
                connection.execute(f"CREATE TABLE IF NOT EXISTS {_OWNER}")
                connection.execute("INSERT OR REPLACE INTO owner VALUES (1, ?)", (mark,))
        return there or mark

    def emptied(self) -> None:
        """Let go of every row, version and delivery of every source, but for where files lay and how far streams were taken."""
        with told(str(self.file)), self._writing() as connection:
            numbers = [number for (number,) in connection.execute("SELECT number FROM sources").fetchall()]
            kept = [(number, one) for number in numbers for one in noted.without_rows(_deliveries(connection, number))]
            for table in ("hot", "files", "versions", "deliveries"):
                connection.execute(f"DELETE FROM {table}")
            connection.executemany("INSERT INTO deliveries VALUES (?, ?, ?)", [(at, one.number, noted.text(one)) for at, one in kept])
            connection.execute("DELETE FROM sources WHERE number NOT IN (SELECT source FROM deliveries)")
            connection.execute("UPDATE sources SET last_seq = 0, last_known = ?", (Counters().last_known,))
        for path in self.beside.glob("*.arrow"):
            path.unlink(missing_ok=True)

    def tell_gone(self) -> None:
        """Whoever has read events lets go of what they remember, in every process."""
        self.beside.mkdir(parents=True, exist_ok=True)
        self._mark.touch()

    @property
    def went(self) -> int:
        """When something last went from the log and the tables, by the clock of the disk; 0: never. What was read before is read again."""
        try:
            return self._mark.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @property
    def _mark(self) -> Path:
        return self.beside / "went"

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened when first needed; the tables are made if they are not there."""
        held: tuple[int, sqlite3.Connection] | None = getattr(self._held, "connection", None)
        if held is None or held[0] != os.getpid():
            if held is not None:
                _OF_PARENTS.append(held[1])  # closing it here would take the parent's files from under it
            held = (os.getpid(), self._opened())
            self._held.turnstile = Turnstile(self.beside / "writers.lock")
            self._held.connection = held
            if self.durability == "group":
                self._syncing().committed()  # by somebody who was killed before it was synced, perhaps
        return held[1]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction on this thread's connection that may write: all of it or nothing."""
        connection = self.connection()
        turnstile: Turnstile = self._held.turnstile
        turnstile.begin(connection, _BUSY_SECONDS)
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _syncing(self) -> Synced:
        mine = self._synced.get(os.getpid())
        return mine or self._synced.setdefault(os.getpid(), Synced(self.file))

    def _opened(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=64)
        write_ahead(connection, _BUSY_SECONDS)
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.durability == 'sync' else 'NORMAL'}")
        connection.execute("PRAGMA cache_size = -65536")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            _make(connection, self.file)
        return connection


def _make(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("COMMIT")
    if found not in (0, _FORMAT):
        connection.close()
        raise StoreError(f"{file} was written by a newer Everloop (format {found}). Upgrade: pip install -U everloop")


def _some(things: Sequence[_T], sizes: Sequence[int]) -> Iterator[Sequence[_T]]:
    """Pieces of these sizes, the largest first: few different statements, all of them prepared once.

    >>> list(_some("abcdef", (4, 1)))
    ['abcd', 'e', 'f']
    """
    at = 0
    for size in sizes:
        while len(things) - at >= size:
            yield things[at : at + size]
            at += size


def _number(connection: sqlite3.Connection, source: str) -> int:
    row = connection.execute("SELECT number FROM sources WHERE name = ?", (source,)).fetchone()
    return int(row[0]) if row else 0


def _owner(connection: sqlite3.Connection) -> str | None:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'owner'").fetchone():
        return None
    row = connection.execute("SELECT mark FROM owner").fetchone()
    return str(row[0]) if row else None


def _deliveries(connection: sqlite3.Connection, number: int, newest: int | None = None) -> list[Delivery]:
    said = "SELECT said FROM deliveries WHERE source = ? ORDER BY number DESC LIMIT ?"  # a limit below 0 is none
    return [noted.delivery(text) for (text,) in connection.execute(said, (number, -1 if newest is None else newest))][::-1]


def versions_of(events: Events, digests: Sequence[int] | NDArray[np.int64]) -> Iterator[tuple[Any, ...]]:
    """Id, version, when it was known, and digest of each event; of many in the index's own order: a million and a half go in in four
    seconds instead of forty."""
    if isinstance(events, EventRows):
        return ((row[1], row[2], row[4], digest) for row, digest in zip(events.rows, digests, strict=True))
    versions = events.select(["id", "version", "known_at"]).append_column("digest", pa.array(digests))
    if events.num_rows >= MANY:
        versions = versions.take(pc.sort_indices(versions, [("id", "ascending"), ("version", "ascending")]))
    return zip(*(column.to_pylist() for column in versions.columns), strict=True)


class SqliteArrivals:
    """One arrival in one source, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection, source: str, beside: Path, written: list[Path]) -> None:
        self.connection, self.source, self.beside, self.written = connection, source, beside, written
        select = "SELECT number, last_seq, last_known FROM sources WHERE name = ?"
        found = connection.execute(select, (source,)).fetchone()
        if found is None:
            connection.execute("INSERT INTO sources (name, last_seq, last_known) VALUES (?, 0, ?)", (source, Counters().last_known))
            found = connection.execute(select, (source,)).fetchone()
        self.number, *counted = found
        self.counters = Counters(*counted)

    def known(self, ids: Sequence[str]) -> list[Version]:
        """The versions there are of these ids."""
        found: list[Version] = []
        if self.counters.last_seq:
            for some in _some(sorted(ids), (AT_ONCE, *TOGETHER)):
                query = f"SELECT id, version, known_at, digest FROM versions WHERE source = ? AND id IN ({','.join('?' * len(some))})"
                found += map(Version._make, self.connection.execute(query, (self.number, *some)).fetchall())
        return found

    def append(self, events: Events, digests: Sequence[int] | NDArray[np.int64], *, last_known: int) -> None:
        """Keep events: their rows, their versions, and how far the source has come."""
        rows = events.num_rows
        if rows == 0:
            return
        self._insert("OR REPLACE INTO versions", versions_of(events, digests))
        first, last = self.counters.last_seq + 1, self.counters.last_seq + rows
        if rows >= MANY:
            events = events.table() if isinstance(events, EventRows) else events
            self._clear_away()
            path = self.beside / f"{self.source}-{first}-{last}.arrow"
            self.written.append(path)
            hot.to_file(events, path)
            self.connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (self.number, first, last, path.name))
        else:
            self._insert("INTO hot", hot.to_rows(events))
        self.connection.execute("UPDATE sources SET last_seq = ?, last_known = ? WHERE number = ?", (last, last_known, self.number))
        self.counters = Counters(last, last_known)

    def _insert(self, where: str, rows: Iterable[tuple[Any, ...]]) -> None:
        there = list(rows)
        one = f"({self.number}{', ?' * len(there[0])})"
        for some in _some(there, TOGETHER):
            self.connection.execute(f"INSERT {where} VALUES {', '.join([one] * len(some))}", [value for row in some for value in row])

    def deliveries(self, *, only_last: bool = False) -> list[Delivery]:
        """The deliveries so far, in order of number; or only the last of them."""
        return _deliveries(self.connection, self.number, 1 if only_last else None)

    def note(self, delivery: Delivery) -> None:
        """Remember a delivery."""
        said = noted.text(delivery)
        self.connection.execute("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?)", (self.number, delivery.number, said))

    def forget(self, versions: Sequence[tuple[str, int]]) -> None:
        """Let these versions come again."""
        self.connection.executemany(f"DELETE FROM versions WHERE source = {self.number} AND id = ? AND version = ?", versions)

    def also(self, what: Also, events: Events) -> None:
        """Do something else in the same transaction."""
        what(self.connection, events)

    def _clear_away(self) -> None:
        """Files that a crash left before anything named them."""
        named = {name for (name,) in self.connection.execute("SELECT file FROM files WHERE source = ?", (self.number,))}
        for path in self.beside.glob(f"{self.source}-*.arrow"):
            if path.name not in named:
                path.unlink(missing_ok=True)
