"""Signalled: the signals a process is sent, heard by a loop that waits for sockets. Standard library only."""

from __future__ import annotations

import signal
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True)
class Signalled:
    """``socket`` can be read when a signal has come; ``numbers`` are those to be heeded, oldest first: a child's end only wakes."""

    socket: socket.socket
    numbers: deque[int] = field(default_factory=deque)

    def woke(self) -> None:
        """Take what woke the loop, so that it can wait again."""
        with suppress(BlockingIOError):
            self.socket.recv(4096)

    def _came(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self.numbers.append(number)


@contextmanager
def signalled() -> Iterator[Signalled]:
    """Hear this process's signals; what heard them before does again afterwards. Only a main thread may."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    heard = Signalled(here)
    before = {which: signal.signal(which, heard._came) for which in HEARD}
    woken = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    try:
        yield heard
    finally:
        signal.set_wakeup_fd(woken)
        for which, handler in before.items():
            signal.signal(which, handler)
        here.close()
        there.close()
