"""One way to open a house's database, and one way to write to it: short transactions that take the write lock when they begin.

In: a URL. Out: an Engine; ``writing`` and ``reading`` give a Connection inside a transaction. Foreign errors leave as ours: a full disk
is HouseFull, a lock that is not given back in time HouseBusy, anything else StoreError. Reads no clock.

SQLite runs in WAL mode (readers never wait for the writer) with foreign keys on and every commit synced. Postgres takes one advisory
lock for each writing transaction, which is what ``BEGIN IMMEDIATE`` is to SQLite: writers of one house stand in a line. What was written
there is told on a channel, so that who waits for changes need not ask (``CHANNEL``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from everloop.disk import MEND_THE_DISK, full
from everloop.errors import HouseBusy, HouseFull, Missing, StoreError
from everloop.sql.trouble import postgres_trouble
from everloop.sql.wal import write_ahead

BUSY_SECONDS = 30.0
_WRITES = "everloop_writes"
_LOCK = 0x0E7E_100B  # the same number in every process: writers of one database share one line
CHANNEL = "everloop_house"
"""Where a Postgres server tells, with each commit, that a house was written to."""


def open_engine(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine for ``sqlite:///path`` (the folder is made) or ``postgresql://…``; opens no connection yet.

    A writer waits ``busy_seconds`` for another one, then gives up with HouseBusy.

    >>> open_engine("sqlite:///:memory:").dialect.name
    'sqlite'

    Raises StoreError for a URL nobody can open, Missing where the driver is not installed.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": busy_seconds, "check_same_thread": False})
        _as_sqlite(engine, parsed.database or ":memory:", busy_seconds)
        return engine
    try:
        engine = create_engine(parsed, pool_pre_ping=True, isolation_level="READ COMMITTED")
    except ModuleNotFoundError as error:
        raise Missing(error.name or "psycopg", "postgres", "A house on Postgres") from error
    except (NoSuchModuleError, ArgumentError) as error:
        raise StoreError(f"{_masked(parsed)} cannot be opened: {error}. Say sqlite:///house.db or postgresql://…") from error
    _as_postgres(engine, busy_seconds)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds the write lock from its first moment: everything in it happens, or nothing does."""
    with _translated(engine), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees the database as it was when it began, and waits for nobody."""
    with _translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise _ours(error, engine.url) from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{_masked(engine.url)} cannot keep {error.object!r}: it is no text. Nothing was kept.") from error


def _ours(error: SQLAlchemyError, url: URL) -> StoreError:
    if url.get_backend_name() == "postgresql" and isinstance(error, DBAPIError) and error.orig is not None:
        return postgres_trouble(_masked(url), getattr(error.orig, "sqlstate", None), str(error.orig))
    return translated(error, _masked(url))


def translated(error: Exception, where: str) -> StoreError:
    """One of our errors for one of the driver's."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    what = said[0] if said else type(error).__name__
    low = what.lower()
    # SQLite says no more than that where it cannot make its -wal and -shm, also where that is for want of room.
    failed = "disk i/o error" in low
    if "disk is full" in low or "no space left" in low or "could not extend file" in low or (failed and full(Path(where))):
        return HouseFull(f"There is no room left for {where}: {what}. Nothing was half-written. Make room and run it again.")
    if "database is locked" in low or "lock timeout" in low or "database table is locked" in low:
        return HouseBusy(f"Another process has been writing to {where} for too long ({what}). Run it again, or see who holds it.")
    if "not a database" in low or "malformed" in low:
        return StoreError(f"{where} is no house, or a broken one ({what}). Restore the house folder from a backup.")
    if failed:
        return StoreError(f"{where}: {what}. Nothing was half-written. {MEND_THE_DISK}")
    return StoreError(f"{where}: {what}")


def rewrite_tables(engine: Engine, tables: Sequence[str]) -> None:
    """On Postgres: write tables anew, and what its planner knows of them, so that nothing of what was deleted or replaced is left in their
    dead rows. Raises HouseBusy where somebody reads them for too long, StoreError."""
    with _translated(engine), engine.connect() as connection:
        # No transaction may be open around it, so it is done by the driver's own connection.
        driver: Any = connection.connection.driver_connection
        before, driver.autocommit = driver.autocommit, True
        try:
            driver.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
            for table in tables:
                driver.execute(f"VACUUM (FULL, ANALYZE) {table}")
            driver.execute("RESET lock_timeout")
        except Exception as error:
            connection.invalidate()
            raise postgres_trouble(_masked(engine.url), getattr(error, "sqlstate", None), str(error)) from error
        driver.autocommit = before


# -- the two databases -------------------------------------------------------------------------------------------------------------


def _parsed(url: str) -> URL:
    if url.startswith("sqlite:///"):
        # A path may hold ? and %, which mean something else in a URL; so it is taken whole.
        file = url.removeprefix("sqlite:///") or ":memory:"
        try:
            if file != ":memory:":
                Path(file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder of {file} cannot be made: {error.strerror}.") from error
        return URL.create("sqlite", database=file)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url.split('@')[-1]!r} is no database URL. Say sqlite:///house.db or postgresql://…") from error
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "postgresql":
        raise StoreError(f"{_masked(parsed)}: a house lives on SQLite or Postgres. Say sqlite:///house.db or postgresql://…")
    return parsed


def _masked(url: URL) -> str:
    return url.database or ":memory:" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _as_sqlite(engine: Engine, where: str, busy_seconds: float) -> None:
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: "begun" does
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            write_ahead(connection, busy_seconds)
        except sqlite3.Error as error:
            connection.close()
            raise translated(error, where) from error

    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def _as_postgres(engine: Engine, busy_seconds: float) -> None:
    def begun(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES, False):
            limit = f"set_config('lock_timeout', '{int(busy_seconds * 1000)}', true)"
            connection.execute(text(f"SELECT {limit}, pg_advisory_xact_lock({_LOCK}), pg_notify('{CHANNEL}', '')"))
        else:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))

    event.listen(engine, "begin", begun)
