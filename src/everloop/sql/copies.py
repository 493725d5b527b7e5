"""Copies of a house's database: a SQLite file as it is at one instant, of a SQLite file or of Postgres; and the way back into Postgres.

A copy is always one SQLite file, of the same revision, whatever it is a copy of: it is proven, opened and put back in one way. Nobody who
writes waits for it. Reads no clock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, MetaData, func, inspect, select, text

from everloop.errors import StoreError
from everloop.sql.engine import open_engine, reading, translated, writing
from everloop.sql.migrate import migrate, revision, revision_within

PAGES = 16_384
"""Pages copied at a time, so that whoever waits may be told."""
ROWS = 1_000
OTHER = ("alembic_version",)


class Frozen(Protocol):
    """A database as it was at one instant, for as long as it is held."""

    def copy(self, file: Path) -> None:
        """Write it into a new SQLite file."""


class FrozenFile:
    """A SQLite file, held by a transaction that reads. Its log grows meanwhile."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection, self._file = connection, file

    def copy(self, file: Path) -> None:
        """Page by page, as SQLite's own backup does. Raises HouseFull, StoreError."""
        try:
            with closing(sqlite3.connect(file)) as target:
                target.execute("PRAGMA synchronous = OFF")  # a scratch copy: what counts is synced where it is kept
                self._connection.backup(target, pages=PAGES, sleep=0.0)
                target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise translated(error, str(file)) from error

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What a query says of this instant."""
        return self._connection.execute(statement).fetchall()


@contextmanager
def frozen_file(file: Path) -> Iterator[FrozenFile]:
    """A SQLite file as it is now, until the end. Raises StoreError for what is no database."""
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # only now is the instant chosen
            yield FrozenFile(connection, file)
    except sqlite3.Error as error:
        raise translated(error, str(file)) from error


class FrozenRows:
    """A house on Postgres, held by a transaction that reads."""

    def __init__(self, connection: Connection, at: str) -> None:
        self._connection, self._at = connection, at

    def copy(self, file: Path) -> None:
        """Row by row, into tables of the same revision."""
        engine = open_engine(f"sqlite:///{file}")
        try:
            with writing(engine) as target:
                migrate(target, self._at)
                poured(self._connection, target)
        finally:
            _as_one_file(engine)


@contextmanager
def frozen(engine: Engine) -> Iterator[Frozen]:
    """A house's database as it is now, until the end. Raises StoreError."""
    if engine.dialect.name == "sqlite":
        with frozen_file(Path(engine.url.database or "")) as there:
            yield there
        return
    with reading(engine) as connection:
        at = revision_within(connection)  # the first look chooses the instant
        if at is None:
            raise StoreError(f"There is no house at {engine.url.render_as_string(hide_password=True)}.")
        yield FrozenRows(connection, at)


def poured(source: Connection, target: Connection) -> dict[str, int]:
    """Every row of a house's tables into empty tables of the same names; returns how many there were of each.

    Raises StoreError where a table did not get as many as there were.
    """
    there = MetaData()
    there.reflect(target)
    counts = {}
    for table in there.sorted_tables:
        if table.name in OTHER:
            continue
        rows = source.execute(select(*table.columns).execution_options(yield_per=ROWS))
        for some in rows.partitions(ROWS):
            target.execute(table.insert(), [dict(row._mapping) for row in some])
        counts[table.name] = _count(source, table.name)
        if _count(target, table.name) != counts[table.name]:
            raise StoreError(f"Of {table.name} not all {counts[table.name]:,} rows were copied. Nothing was kept; run it again.")
    return counts


def put_back(file: Path, engine: Engine) -> None:
    """A copy's rows into an empty Postgres database, in one transaction: all of it, or nothing. Raises StoreError where it is not empty."""
    copy = open_engine(f"sqlite:///{file}")
    try:
        at = revision(copy)
        if at is None:
            raise StoreError(f"{file} is no copy of a house.")
        with reading(copy) as source, writing(engine) as target:
            if inspect(target).has_table("journal"):
                raise StoreError(f"There is a house at {engine.url.render_as_string(hide_password=True)} already. Say an empty database.")
            migrate(target, at)
            poured(source, target)
    finally:
        _as_one_file(copy)


def proven(file: Path) -> None:
    """Raises StoreError unless every page of a SQLite file is as it should be."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise translated(error, str(file)) from error
    if said != "ok":
        raise StoreError(f"{file} is broken: {said}. Back up anew; if that is broken too, restore an older backup.")


def _count(connection: Connection, table: str) -> int:
    return int(connection.execute(select(func.count()).select_from(text(table))).scalar() or 0)


def _as_one_file(engine: Engine) -> None:
    """Nothing of a SQLite file is left in a log beside it."""
    file = engine.url.database or ""
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def kept_before(engine: Engine, at: str, folder: Path | None = None) -> Path | None:
    """A house as it is, proven, in a file of its own (``house-0004.db``) before its tables are brought up to this release. The caller holds
    the writer's lock.

    It lies beside a SQLite file; for Postgres in ``folder``, and where none is said there is none: its own transaction is the way back.
    """
    source = engine.url.database if engine.dialect.name == "sqlite" else None
    beside = Path(source).parent if source and source != ":memory:" else folder
    if beside is None:
        return None
    to = beside / f"{Path(source).stem if source else 'house'}-{at}.db"
    beside.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part")
    part.unlink(missing_ok=True)
    try:
        with frozen(engine) as there:
            there.copy(part)
        proven(part)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return to
