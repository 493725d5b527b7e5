"""A child: one place among the processes of a house, the process that fills it now, and how often it died. Standard library only.

Children are fresh processes that die with who started them: each holds the end of a pipe that closes with its parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import IO

from everloop.loop.serve.lean import LEAN
from everloop.loop.serve.listening import Wakeable
from everloop.loop.serve.supervised import Told, arguments

SHORTEST, LONGEST = 0.1, 5.0
"""Seconds before what died is started again: twice as long each time."""
LIVED = 10.0
"""Seconds after which a child counts as having started."""


@dataclass
class Child:
    """One place in the tree, and the process that fills it now. ``once``: it is not started again when it has done its work."""

    name: str
    module: str
    once: bool = False
    works: bool = False
    """Whether it is a worker, which answers on the socket."""
    measures: bool = False
    """Whether it tells the metrics on the socket, and answers nothing else."""
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    ready: bool = False
    ever_ready: bool = False
    done: bool = False
    deaths: int = 0
    tries: int = 0
    start_at: float | None = 0.0
    words: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    replaces: Child | None = None
    after: Child | None = None
    asked: Wakeable | None = None
    """Where it is asked, if it starts only then; without it the others go on."""
    held: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it is to be started at ``start_at``."""
        return self.start_at is not None and self.process is None and not self.done and (self.after is None or self.after.done)

    @property
    def lasts(self) -> bool:
        """Whether the house is there only once this one is."""
        return not self.once and self.replaces is None and self.asked is None

    @property
    def listens(self) -> bool:
        """Whether it is given the socket."""
        return self.works or self.measures

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def start(self, told: Told) -> tuple[subprocess.Popen[bytes], IO[bytes], int]:
        """Start its process; returns it, what it says, and a pipe in which it says once that it is ready. Reading waits for neither."""
        ready, theirs = os.pipe()
        # Nobody ever writes into it: the child sees it close. One for each, since the kernel tells one process of one pipe.
        alive, self.held = os.pipe()
        told = replace(told, name=self.name, alive=alive, ready=theirs)
        # Ctrl-C is the supervisor's to hear: children are told in an orderly way, so they are in no group of the terminal's.
        self.process = process = subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments(told)],
            pass_fds=[alive, theirs, *([told.socket] if told.socket is not None else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(self.works),
            process_group=0,
        )
        os.close(theirs)
        os.close(alive)
        self.began, self.ready, self.start_at = now(), False, None
        self.words.clear()
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        os.set_blocking(ready, False)
        return process, process.stdout, ready

    def is_ready(self) -> None:
        """It said so: whatever became of those before it, this place can be filled."""
        self.ready = self.ever_ready = True
        self.tries = 0

    def buried(self) -> float:
        """Its process has ended: let go of it; returns how many seconds it lived."""
        self.let_go()
        self.process = None
        return now() - self.began

    def count_death(self, code: int, lived: float) -> bool:
        """Count that it died; returns whether it never got as far as being ready."""
        # Somebody, or the kernel for want of memory, may kill a child before it is ready: that says nothing of what it could do.
        soon = not self.ready and lived < LIVED and code != -signal.SIGKILL
        self.tries += soon
        self.deaths = 0 if self.ready and lived >= LIVED else self.deaths + 1
        self.ready = False
        return soon

    def pause(self) -> float:
        """Seconds until it is started again, by how often it died one time after the other."""
        return min(LONGEST, SHORTEST * 2.0 ** max(0, self.deaths - 1))

    def let_go(self) -> None:
        """Close the pipe by which the child sees that this process lives."""
        if self.held is not None:
            os.close(self.held)
            self.held = None


def environment(worker: bool) -> dict[str, str]:
    """What a child is given; the user's own environment beats ours."""
    return {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1", **(LEAN if worker else {}), **os.environ}


def how(code: int) -> str:
    """How a process ended, from its exit code.

    >>> how(-9), how(2)
    ('was ended by SIGKILL', 'ended with exit code 2')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def now() -> float:
    """Monotonic seconds."""
    return time.monotonic()
