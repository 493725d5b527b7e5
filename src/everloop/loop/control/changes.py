"""Whether somebody has written to a house's database since one last looked, for next to nothing: asked fifty times a second.

On SQLite the file says so, in some microseconds. A Postgres server tells it with each commit to whoever listens (``sql.engine.CHANNEL``);
while it cannot be reached it may always be so.
"""

from __future__ import annotations

import select
import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from everloop.clock import monotonic
from everloop.registry.store import Store
from everloop.sql.engine import CHANNEL

AGAIN = 1.0
"""Seconds before one listens again to a server that was not there."""


class Changes:
    """The changes of one house, seen by one thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        file = store.engine.url.database if store.engine.dialect.name == "sqlite" else None
        self.file = sqlite3.connect(file) if file not in (None, "", ":memory:") else None
        self.version, self.next = -1, 0.0
        self.listening: Connection | None = None

    def seen(self) -> bool:
        """Whether there may have been one; after the first look, and where nothing is wrong, only if there was."""
        if self.file is not None:
            before, self.version = self.version, self.file.execute("PRAGMA data_version").fetchone()[0]
            return bool(before != self.version)
        if self.store.engine.dialect.name == "sqlite":
            return True
        try:
            return self._told()
        except Exception:  # whatever is wrong with the server, whoever asks it for what it wants will hear
            self.close()
            return True

    def _told(self) -> bool:
        if self.listening is None:
            if monotonic() < self.next:
                return False
            self.next = monotonic() + AGAIN
            self.listening = self.store.engine.connect()
            driver = self._driver()
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            return True
        driver = self._driver()
        if not select.select([driver.fileno()], [], [], 0)[0]:
            return False
        return bool(list(driver.notifies(timeout=0)))

    def _driver(self) -> Any:
        assert self.listening is not None
        return self.listening.connection.driver_connection

    def close(self) -> None:
        """Listen no longer."""
        if self.file is not None:
            self.file.close()
        listening, self.listening = self.listening, None
        if listening is not None:
            with suppress(Exception):
                listening.invalidate()  # it is listening still, so nobody else is given it
                listening.close()
