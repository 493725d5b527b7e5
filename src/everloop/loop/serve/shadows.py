"""Shadows: what versions that nobody is answered by say, worked out when whoever asked has been answered.

One thread takes them in turn, and rests after each for as long as keeps it to its share of a core. At most so many wait, and at most so
many bytes; what comes when all places are taken is left out and counted, so that a slow candidate costs evidence and never an answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from everloop.errors import StoreError
from everloop.spans import carried

MOST = 1_024
"""Requests whose shadow answers may wait."""
MOST_BYTES = 32 << 20
"""Bytes of features that may wait with them; what is more than that waits alone."""
SHARE = 0.1
"""Of a core, that working them out may take: what is more would be taken from those who wait for an answer."""
_lines = logging.getLogger(__name__)


class Shadows:
    """A line of things to be done, and the thread that does them. Safe between threads; the thread starts with the first."""

    def __init__(self, most: int = MOST) -> None:
        self.dropped = 0
        """How many were left out."""
        self._most, self._held, self._line, self._more = most, 0, deque[tuple[Callable[[], None], int]](), threading.Condition()
        self._closing, self._thread = False, None  # type: bool, threading.Thread | None
        self._busy = self._hurried = False

    def later(self, work: Callable[[], None], held: int = 0) -> None:
        """Do this, which holds so many bytes, when those before it are done; where too many wait, leave it out."""
        with self._more:
            if self._closing or len(self._line) >= self._most or (self._held and self._held + held > MOST_BYTES):
                self.dropped += 1
                return
            self._line.append((carried(work), held))
            self._held += held
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="everloop-shadows")
                self._thread.start()
            self._more.notify_all()

    def lost(self) -> None:
        """One that was worked out could not be kept."""
        with self._more:
            self.dropped += 1

    def hurry(self, timeout: float = 5.0) -> bool:
        """Do what waits without a rest, for at most so many seconds, for whoever may be stopped after it; whether all of it is done."""
        with self._more:
            self._hurried = True
            self._more.notify_all()
            done = self._more.wait_for(lambda: not self._line and not self._busy, timeout)
            self._hurried = False
        return done

    def close(self, timeout: float = 5.0) -> None:
        """Do what waits, for at most so many seconds; nothing comes after it."""
        with self._more:
            self._closing = True
            self._more.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._more:
                while not self._line and not self._closing:
                    self._more.wait()
                if not self._line:
                    return
                work, held = self._line.popleft()
                self._busy = True
            began = time.thread_time()
            try:
                work()
            except StoreError:  # the log is full or stalls: those who asked were told
                self.lost()
            except Exception:
                self.lost()
                _lines.exception("A shadow answer could not be worked out")
            with self._more:
                self._held -= held
                self._busy = False
                self._more.notify_all()
            self._rest((time.thread_time() - began) * (1 / SHARE - 1))

    def _rest(self, seconds: float) -> None:
        """Let those who answer go first for so long; not at the end, when nobody asks any more."""
        until = time.monotonic() + seconds
        with self._more:
            while not (self._closing or self._hurried) and (left := until - time.monotonic()) > 0:
                self._more.wait(left)
