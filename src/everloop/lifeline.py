"""A lifeline: a process ends when the one that holds the other end of a pipe does, however that ends. Standard library only."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading

_F_SETSIG = 10  # Linux: which signal a file sends its owner; Python 3.11 does not name it


def die_with(pipe: int, *, group: bool = False) -> None:
    """End this process at once when the other end of ``pipe`` is closed; nobody ever writes into it. ``group``: and whatever it started.

    On Linux the kernel itself does so, even while a library holds the interpreter's lock. It tells one process of one pipe: each child
    needs a pipe of its own.
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(pipe, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp() if group else os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_watch, args=(pipe, group), daemon=True, name="lifeline").start()


def _watch(pipe: int, group: bool) -> None:
    with selectors.DefaultSelector() as one:
        one.register(pipe, selectors.EVENT_READ)
        one.select()
    (os.killpg if group else os.kill)(os.getpgrp() if group else os.getpid(), signal.SIGKILL)
