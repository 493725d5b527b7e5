"""Taking SQLite's write lock in turn. In: a connection. Out: a transaction that may write; nobody is passed over twice. No business clock.

SQLite lets whoever asks at the right moment have the lock, and those who wait sleep between asking, up to 100 ms: a process that writes at
full speed keeps all the others out. Here one waits at a time, asking often, and holds a file lock (the turnstile) for as long as it waits.
Whoever has just written must pass the turnstile to write again, and so comes after the one who waits there.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path

from everloop.clock import monotonic

#: Seconds between two askings of whoever is next; of those behind it.
NEXT, BEHIND = 0.0003, 0.001
#: Who cannot pass the turnstile for so long goes around it: it keeps order, SQLite keeps the data, and its holder may have been stopped.
AROUND = 2.0


class Turnstile:
    """The turnstile of one database as one connection passes it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def begin(self, connection: sqlite3.Connection, patience: float) -> None:
        """Begin a transaction with the write lock. Raises sqlite3.OperationalError ("database is locked") after ``patience`` seconds."""
        last = monotonic() + patience
        passed = self._pass(min(last, monotonic() + AROUND))
        try:
            connection.execute("PRAGMA busy_timeout = 0").close()
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or monotonic() >= last:
                        raise
                time.sleep(NEXT)
        finally:
            if passed:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}").close()

    def _pass(self, last: float) -> bool:
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if monotonic() >= last:
                    return False
            time.sleep(BEHIND)

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()
