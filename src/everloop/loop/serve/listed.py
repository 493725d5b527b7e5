"""Lists that belong to nobody: the candidates every customer shares (``per=()``), read from the event tables and kept for a while.

They change with every row that arrives and would make a state of the whole shop; so they are read once a minute beside the requests, which
go on with what was read before; after a quiet time, who asks first waits for them. What is each customer's own is as new as ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KEPT = 60.0
"""Seconds after which what everybody shares is read again."""
OLDEST = 600.0
"""Seconds after which nobody is answered from it any more."""
Lists = Sequence[Sequence[str]]


@dataclass(frozen=True)
class _Kept:
    lists: Lists
    made_at: float
    about: tuple[int, int]


class Shared:
    """The shared lists of one model. ``read(moment)`` reads them anew. Safe between threads; ``exactly``: never older than the events."""

    def __init__(self, read: Callable[[int], Lists], *, exactly: bool) -> None:
        self._read, self._exactly = read, exactly
        self._kept: _Kept | None = None
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None

    def now(self, moment: int, through: int) -> Lists:
        """The lists at a moment, microseconds UTC, with the events ``through`` a sequence number; they are seldom older than a minute, and
        never than ten."""
        kept = self._kept
        if self._outdated(kept, moment, through):
            with self._lock:
                if self._outdated(self._kept, moment, through):
                    self._make(moment, through)
                kept = self._kept
        elif kept is not None and not self._exactly and time.monotonic() - kept.made_at > KEPT:
            self._beside(moment, through)
        assert kept is not None
        return kept.lists

    def _outdated(self, kept: _Kept | None, moment: int, through: int) -> bool:
        if kept is None:
            return True
        return kept.about != (moment, through) if self._exactly else time.monotonic() - kept.made_at > OLDEST

    def _make(self, moment: int, through: int) -> None:
        self._kept = _Kept(self._read(moment), time.monotonic(), (moment, through))

    def _beside(self, moment: int, through: int) -> None:
        with self._lock:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(target=self._make, args=(moment, through), daemon=True, name="shared lists")
                self._reading.start()
