"""WAL mode for a SQLite file: readers never wait for the writer. Standard driver only; every database of a house is put into it here."""

from __future__ import annotations

import sqlite3
import time


def write_ahead(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Put the file into WAL mode, asking again for at most ``busy_seconds`` while another process changes the mode.

    SQLite's own busy timeout does not cover this change: of two that open a new file at once, one is told "database is locked".

    >>> write_ahead(sqlite3.connect(":memory:"), 1.0)
    """
    until = time.monotonic() + busy_seconds
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode not in ("wal", "memory"):
        raise sqlite3.OperationalError(f"the journal mode stays {mode}: is the file on a network drive? Put the house on a local disk")


def rewritten(connection: sqlite3.Connection, seconds: float = 30.0) -> None:
    """Bring the log into the file and cut it off, so that no older page is left in it. Raises sqlite3.OperationalError ("locked") where
    readers of older pages do not end within these seconds.

    >>> rewritten(sqlite3.connect(":memory:"))
    """
    until = time.monotonic() + seconds
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > until:
            raise sqlite3.OperationalError("the log is locked by a reader")
        time.sleep(0.02)
