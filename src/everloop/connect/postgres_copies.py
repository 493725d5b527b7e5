"""Copies of an event log on Postgres: a SQLite log as it is at one instant, and the way back. psycopg's COPY, both ways; no clock.

In: a log of ``postgres.py``. Out: ``events.db`` and the files beside it, as ``lake/events.py`` reads them; so a backup is the same whatever
it is of. What is kept of each key (the online state) is not copied: whoever asks first makes it again from the events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from everloop.connect.postgres import PIECE, PostgresLog
from everloop.connect.postgres_tables import SCHEMA
from everloop.errors import StoreError
from everloop.lake.events import SqliteLog
from everloop.lake.hot import to_bytes

if TYPE_CHECKING:
    from psycopg import Connection

MANY: Final = 10_000
_LONG, _TEXT, _FLAG, _INT = "int8", "bytea", "bool", "int4"
#: The columns of each table with their types there; what is text here is bytes there.
TABLES: Final[dict[str, dict[str, str]]] = {
    "sources": {"number": _INT, "name": _TEXT, "last_seq": _LONG, "last_known": _LONG},
    "versions": {"source": _INT, "id": _TEXT, "version": _LONG, "known_at": _LONG, "digest": _LONG},
    "hot": {
        "source": _INT, "seq": _LONG, "id": _TEXT, "version": _LONG, "event_at": _LONG, "known_at": _LONG, "deleted": _FLAG, "said": _TEXT,
    },
    "deliveries": {"source": _INT, "number": _LONG, "said": _TEXT},
}  # fmt: skip
_BYTES: Final = {("hot", "said")}


class FrozenEvents:
    """An event log as it was at one instant, held by a transaction that reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reached(self) -> dict[str, int]:
        """How far each source had come."""
        found = self._connection.execute(f"SELECT name, last_seq FROM {SCHEMA}.sources".encode()).fetchall()
        return {bytes(name).decode(): int(seq) for name, seq in found}

    def copy(self, file: Path) -> None:
        """Write it into a new log on SQLite; what came many at once lies in ``events.files`` beside it."""
        log = SqliteLog(file)
        connection = log.connection()
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            for table, columns in TABLES.items():
                for some in _many(self._rows(table, columns)):
                    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", some)
            self._files(connection, log.beside)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            log.close()

    def _rows(self, table: str, columns: dict[str, str]) -> Iterator[tuple[Any, ...]]:
        text = [at for at, (name, kind) in enumerate(columns.items()) if kind == _TEXT and (table, name) not in _BYTES]
        with self._connection.cursor().copy(f"COPY {SCHEMA}.{table} ({', '.join(columns)}) TO STDOUT (FORMAT BINARY)".encode()) as copy:
            copy.set_types(list(columns.values()))
            for row in copy.rows():
                yield tuple(bytes(value).decode() if at in text else value for at, value in enumerate(row))

    def _files(self, connection: sqlite3.Connection, beside: Path) -> None:
        names = dict(connection.execute("SELECT number, name FROM sources").fetchall())
        there = self._connection.execute(f"SELECT source, first_seq, last_seq FROM {SCHEMA}.files ORDER BY 1, 2".encode()).fetchall()
        for source, first, last in there:
            body = self._connection.execute(
                f"SELECT body FROM {SCHEMA}.files WHERE source = %s AND first_seq = %s".encode(), (source, first), binary=True
            ).fetchone()
            assert body is not None
            beside.mkdir(parents=True, exist_ok=True)
            name = f"{names[source]}-{first}-{last}.arrow"
            (beside / name).write_bytes(body[0])
            connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (source, first, last, name))


@contextmanager
def frozen_events(log: Any) -> Iterator[FrozenEvents]:
    """An event log as it is now, until the end. Raises StoreError."""
    with log.connected() as connection:
        connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        there = FrozenEvents(connection)
        there.reached()  # only now is the instant chosen
        try:
            yield there
        finally:
            connection.execute(b"ROLLBACK")


def events_back(url: str, file: Path) -> None:
    """A log on SQLite into an empty one on Postgres, in one transaction: all of it, or nothing. Raises StoreError where it is not empty."""
    with PostgresLog(url).connected() as connection, closing(sqlite3.connect(file)) as source:
        if connection.execute(f"SELECT 1 FROM {SCHEMA}.sources LIMIT 1".encode()).fetchone():
            raise StoreError("There are events in that database already. Say an empty one.")
        with connection.transaction():
            for table, columns in TABLES.items():
                text = [at for at, (name, kind) in enumerate(columns.items()) if kind == _TEXT and (table, name) not in _BYTES]
                flags = [at for at, kind in enumerate(columns.values()) if kind == _FLAG]
                into = f"COPY {SCHEMA}.{table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
                with connection.cursor().copy(into.encode()) as copy:
                    copy.set_types(list(columns.values()))
                    for row in source.execute(f"SELECT {', '.join(columns)} FROM {table}"):
                        copy.write_row([_there(value, at in text, at in flags) for at, value in enumerate(row)])
            _files_back(connection, source, SqliteLog(file).beside)
            number = f"pg_get_serial_sequence('{SCHEMA}.sources', 'number')"
            connection.execute(f"SELECT setval({number}, max(number)) FROM {SCHEMA}.sources HAVING max(number) > 0".encode())


def _there(value: Any, text: bool, flag: bool) -> Any:
    return value.encode() if text and isinstance(value, str) else bool(value) if flag else value


def _files_back(connection: Connection, source: sqlite3.Connection, beside: Path) -> None:
    for number, first, _, name in source.execute(
        "SELECT source, first_seq, last_seq, file FROM files ORDER BY source, first_seq"
    ).fetchall():
        with (beside / name).open("rb") as file:
            events = pa.ipc.open_file(file).read_all()
        for start in range(0, events.num_rows, PIECE):
            piece = events.slice(start, PIECE)
            words = (number, first + start, first + start + piece.num_rows - 1, to_bytes(piece))
            connection.execute(f"INSERT INTO {SCHEMA}.files VALUES (%s, %s, %s, %b)".encode(), words)


def _many(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    some: list[tuple[Any, ...]] = []
    for row in rows:
        some.append(row)
        if len(some) == MANY:
            yield some
            some = []
    if some:
        yield some
