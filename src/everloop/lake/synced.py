"""Syncing a write-ahead log soon after each commit, not in it. In: word of a commit. Out: within 50 ms it survives a power cut.

Why syncing the ``-wal`` file alone is right, for connections with ``synchronous = NORMAL``:

- A commit only appends frames to the ``-wal`` file, each under a checksum that runs on from the one before. After a power cut SQLite reads
  as far as the checksums hold: what is left is a beginning of the commits, whole ones only. What a sync covered is on the disk, so at least
  everything up to the last sync is left.
- The database file is written by checkpoints alone. SQLite itself syncs the ``-wal`` file before one, and the database file before the
  ``-wal`` file may be begun again; so there is never a commit whose only copy is in a page that is not synced. The header of a log begun
  anew is synced before its first frame.
- The last connection to close makes a checkpoint and takes the ``-wal`` file away: where there is none, there is nothing to sync.

A process that is killed leaves its last 50 ms to the operating system; whoever opens the log next syncs them. No clock is read.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from everloop.errors import StoreError

#: Seconds between two syncs: what ``group`` may lose when the power goes.
SYNC_EVERY = 0.05
#: The syncing thread goes after so many seconds of nothing to do.
IDLE = 2.0


class Synced:
    """The ``-wal`` file of one SQLite database, synced in the background while commits come in. Safe between threads; not across a fork."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._there = threading.Condition()
        self._dirty, self._running = False, False
        self._failed: StoreError | None = None
        self._alone = threading.Lock()  # whoever holds it may use the descriptor
        self._fd: int | None = None

    def committed(self) -> None:
        """Something was committed: sync it soon."""
        with self._there:
            self._dirty = True
            if not self._running:
                threading.Thread(target=self._keep_syncing, daemon=True, name="events log").start()
                self._running = True
            self._there.notify()

    def tell(self) -> None:
        """Raises StoreError, once, if what was committed could not be synced since this was last asked."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def now(self) -> None:
        """Sync at once: what was committed before this was called survives a power cut when it returns. Raises OSError."""
        with self._alone:
            if self._opened() is not None:
                os.fsync(self._fd)  # type: ignore[arg-type]

    def close(self) -> None:
        """Sync, and let go of the file. Raises OSError."""
        try:
            self.now()
        finally:
            with self._alone:
                self._let_go()

    def _keep_syncing(self) -> None:
        while True:
            with self._there:
                if not self._dirty and not self._there.wait_for(lambda: self._dirty, IDLE):
                    self._running = False
                    return
                self._dirty = False
            try:
                self.now()
            except Exception as error:  # whatever it was, this thread must go on
                # The kernel may have dropped what it could not write. Whoever comes next hears of it, and it is tried again meanwhile.
                why = getattr(error, "strerror", None) or str(error)
                self._failed = StoreError(
                    f"What came in before could not be synced to {self.database}: {why}. It may not survive a power cut. Look at the disk."
                )
                with self._there:
                    self._dirty = True
            time.sleep(SYNC_EVERY)

    def _opened(self) -> int | None:
        """The file as it lies under its name now: it is taken away with the last connection and made anew with the next.

        It is kept open, because a failure to write is told to descriptors that were open when it happened; unlike the database file it
        holds none of the locks that closing a descriptor would let go of.
        """
        path = f"{os.path.realpath(self.database)}-wal"
        try:
            there = os.stat(path)
        except FileNotFoundError:
            self._let_go()
            return None
        if self._fd is not None and not os.path.samestat(os.fstat(self._fd), there):
            self._let_go()
        if self._fd is None:
            try:
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)  # its name must be there too
            finally:
                os.close(folder)
        return self._fd

    def _let_go(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)
