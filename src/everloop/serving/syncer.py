"""The syncer: a thread that brings segments to the disk every 50 ms, and lets go of closed ones, so that nobody waits for a sync.

In: segments the writer has written to. Out: nothing, or what went wrong, said to the writer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from everloop.clock import monotonic
from everloop.errors import StoreError
from everloop.serving.segment import Owned, refusal

SYNC_EVERY = 0.05  # seconds; what ``group`` may lose when the power goes
STALLED = 1.0  # seconds a sync may take; beyond, nothing more is acknowledged that only a sync makes safe


class Left:
    """A segment its writer is done with: ``done`` when it is closed, ``error`` where it could not be synced first.

    ``unheard`` is told of the error where nobody waits for ``done``.
    """

    def __init__(self, unheard: Callable[[StoreError], None] | None = None) -> None:
        self.unheard = unheard
        self.done = threading.Event()
        self.error: StoreError | None = None

    def let_go(self, segment: Owned | None, *, sync: bool) -> None:
        """Close the segment, if there is one, and say so."""
        try:
            if segment is not None:
                segment.let_go(sync=sync)
        except StoreError as error:
            self.error = error
            if self.unheard is not None:
                self.unheard(error)
        finally:
            self.done.set()


class Syncer:
    """Syncs what was written. Safe between threads; a stalled disk holds up its thread and nobody else."""

    def __init__(self, failed: Callable[[StoreError, Owned], None]) -> None:
        self._failed = failed
        self._news = threading.Condition(threading.Lock())
        self._dirty: Owned | None = None
        self._leaving: list[tuple[Owned | None, Left]] = []
        self._closing = False
        self._since: float | None = None  # when the sync in hand began
        self.thread: threading.Thread | None = None

    def soon(self, segment: Owned) -> None:
        """Sync this segment within 50 ms."""
        if self._dirty is segment:
            return
        with self._news:
            self._dirty = segment
            self._start()
            self._news.notify()

    def let_go(self, segment: Owned | None, left: Left) -> None:
        """Sync this segment and close it; the writer uses it no more. Without one: say when all before are closed."""
        with self._news:
            self._dirty = None
            self._leaving.append((segment, left))
            self._start()
            self._news.notify()

    def stalled(self) -> bool:
        """Whether a sync has been under way for too long to promise anything."""
        since = self._since
        return since is not None and monotonic() - since > STALLED

    def close(self) -> None:
        """No more segments come; the thread ends when it has let go of those it has."""
        with self._news:
            self._closing = True
            self._news.notify()

    def _start(self) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, daemon=True, name="answers log, syncer")
            self.thread.start()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._dirty or self._leaving or self._closing)
                # Cleared before the sync: what is written meanwhile asks for another.
                dirty, self._dirty = self._dirty, None
                leaving, self._leaving = self._leaving, []
                if not dirty and not leaving:
                    return
                self._since = monotonic()
            if dirty is not None:
                self._sync(dirty)
            for segment, left in leaving:
                left.let_go(segment, sync=True)
            with self._news:
                self._since = None
                self._news.wait_for(lambda: self._leaving or self._closing, SYNC_EVERY)

    def _sync(self, segment: Owned) -> None:
        try:
            segment.sync()
        except OSError as error:
            # The kernel may have dropped what it could not write: this segment is trusted no further.
            self._failed(refusal(error, segment.path.parent), segment)
