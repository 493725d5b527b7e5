"""Processes of this machine as an executor: loky, by way of joblib. They outlive a call, and end by themselves when nobody asks them.

A process that dies in the middle of its work (a library, the system that needs memory, a person) takes all others of its pool with it; what
they had not finished is done again by new ones. No process outlives this one. Reads only the monotonic clock.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from everloop.training.executor import Item, Result
from everloop.training.sent import Work, done, packed, work_of
from everloop.training.usage import Usage
from everloop.training.window import LOOK_EVERY, DiedError, through, unhurried, unspent

IDLE: Final = 20.0
"""Seconds after which a process that nobody asks ends."""
PARENT: Final = 0.5
"""Seconds between a process's looks at whether its parent is there."""


@dataclass
class Processes:
    """So many processes of this machine (by default one for each core this process may use), each with one thread for arithmetic.

    ``first`` is called once in each before anything else is unpickled there; ``spent`` is told what each item took, ``still`` raises why
    the work under way must end.

    >>> Processes(2).workers
    2
    """

    workers: int | None = None
    first: Callable[[], object] | None = None
    threads: int | None = 1
    spent: Callable[[Usage], None] = unspent
    still: Callable[[], None] = unhurried
    _pools: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)
    _alone: Any = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """As ``Executor.map`` promises. Raises LearnerFailed where what is sent cannot travel, or its process dies of it each time."""
        work = work_of(fn, self.first, self.threads)
        # What is the same for every item is written once and read once in each process: there may be tables in it.
        with tempfile.TemporaryDirectory(prefix="everloop-work-") as folder:
            path = Path(folder) / "work"
            path.write_bytes(packed(work, work.name))
            place = _Pool(self, str(path))
            return through(place, items, name=work.name, width=2 * self._count, spent=self.spent, still=self.still)

    @property
    def _count(self) -> int:
        if self.workers is not None:
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def pool(self, broken: object = None) -> Any:
        """The processes there are; new ones where there are none, or those that there were are ``broken``."""
        from joblib.externals.loky import ProcessPoolExecutor

        with self._alone:
            if self._pools and self._pools[-1] is broken:
                self._pools.clear()
            if not self._pools:
                self._pools.append(ProcessPoolExecutor(self._count, timeout=IDLE, initializer=_begin, initargs=(os.getpid(),)))
            return self._pools[-1]

    def end(self) -> None:
        """End every process, whatever it does; the next call makes new ones."""
        with self._alone:
            pools = list(self._pools)
            self._pools.clear()
        for pool in pools:
            with suppress(Exception):  # it may be broken, and is gone either way
                pool.shutdown(wait=True, kill_workers=True)


@dataclass(frozen=True)
class _Pool:
    """The place where one call's items are done."""

    processes: Processes
    path: str

    def begin(self, item: bytes) -> Future[bytes]:
        pool = self.processes.pool()
        try:
            return pool.submit(_done, self.path, item)  # type: ignore[no-any-return]
        except RuntimeError:  # broken, or shut down by another call that failed
            return self.processes.pool(broken=pool).submit(_done, self.path, item)  # type: ignore[no-any-return]

    def ended(self, under_way: Sequence[Future[bytes]]) -> Iterable[Future[bytes]]:
        return wait(under_way, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED).done

    def said(self, piece: Future[bytes]) -> bytes:
        from joblib.externals.loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        try:
            return piece.result()
        except (BrokenProcessPool, ShutdownExecutorError) as error:
            raise DiedError(str(error).strip().split("\n")[0]) from error

    def forget(self, under_way: Sequence[Future[bytes]]) -> None:
        # Each is asked, also after one that cannot be called off.
        if [piece for piece in under_way if not piece.cancel()]:
            self.processes.end()


@lru_cache(maxsize=1)
def _work(path: str) -> Work:
    found: Work = pickle.loads(Path(path).read_bytes())
    return found


def _done(path: str, item: bytes) -> bytes:
    return done(_work(path), item)


def _begin(parent: int) -> None:
    """A process of a pool: Ctrl-C is the parent's to hear, and no process outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True, name="lifeline").start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT)
    os.kill(os.getpid(), signal.SIGKILL)
