"""Joining a house: a process says that it works for it, and goes on saying so; what it holds is its own until it is taken for dead.

Everything a process holds, it holds under one name, renewed in one transaction. It is renewed by the monotonic clock; the wall clock only
writes until when it lasts, for people and doors to read. Beside it a lock in the house folder says to others on this machine whether it
lives: the kernel gives that back when it dies. Who takes whom for dead is in ``signs.py``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from everloop.clock import wall
from everloop.errors import Overtaken, StoreError
from everloop.registry.claims import Claims
from everloop.registry.leases import Lease, Leases
from everloop.registry.store import Store, unfenced

if TYPE_CHECKING:
    from everloop.loop.house import House

LASTS = timedelta(seconds=20)
RENEW_EVERY = 5.0
WORKER = "worker/"
"""What the lease is called by which a process says that it lives; its own name follows."""
FOLDER = "working"


@dataclass
class Joined:
    """One process that works for a house. ``lost`` is set as soon as it is known that it was taken for dead."""

    store: Store
    name: str
    lease: Lease
    lost: threading.Event = field(default_factory=threading.Event)

    def fence(self, transaction: Connection) -> None:
        """Raises Overtaken where this process was taken for dead; asked in the transaction of whatever is kept."""
        try:
            Leases(self.store).check(transaction, self.lease)
        except Overtaken:
            self.lost.set()
            raise

    def renew(self) -> None:
        """Say that one lives. A house that cannot be written to just now is asked again; the fence holds meanwhile."""
        with suppress(StoreError), self.store.transaction() as t:
            if not Leases(self.store).renew_all(t, self.name, now=wall(), lasts=LASTS):
                self.lost.set()


@contextmanager
def joined(house: House, *, renew_every: float = RENEW_EVERY) -> Iterator[Joined]:
    """Work for a house: one's leases are renewed in a thread of its own; at the end everything is given back."""
    store, name = Store(house.store.engine, unfenced), name_of_process()
    with _alive(house.settings.house, name):
        with store.transaction() as t:
            lease = Leases(store).seize(t, WORKER + name, name, seen=None, now=wall(), lasts=LASTS)
        mine, done = Joined(store, name, lease), threading.Event()

        def renewing() -> None:
            while not mine.lost.is_set() and not done.wait(renew_every):
                mine.renew()

        thread = threading.Thread(target=renewing, name="everloop lease", daemon=True)
        thread.start()
        try:
            yield mine
        finally:
            done.set()
            thread.join()
            with suppress(StoreError), store.transaction() as t:
                for errand in Claims(store).held(name, within=t):
                    Claims(store).give_back(t, errand.id)
                given_back(store, t, name)


def given_back(store: Store, t: Connection, name: str, *, seen: tuple[Lease, ...] | None = None) -> None:
    """Give back whatever a process holds but its errands; of a dead one only if it is as it was ``seen``, else Overtaken is raised."""
    Leases(store).vacate(t, name, seen=seen)
    Leases(store).end(t, WORKER + name)


def name_of_process() -> str:
    """Who holds something: host, process, and a word nobody else has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def who(name: str) -> str:
    """A process as people say it.

    >>> who("shop-1:4711:ab12"), who("")
    ('Process 4711 on shop-1', 'Another process')
    """
    parts = name.rsplit(":", 2)
    return f"Process {parts[1]} on {parts[0]}" if len(parts) == 3 else name or "Another process"


def died_here(house: Path, name: str) -> bool:
    """Whether a process that joined in this very folder is gone: then its lock is nobody's. False where nothing is known of it here."""
    try:
        fd = os.open(_lock(house, name), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def joined_here(house: Path, name: str) -> bool:
    """Whether a process joined in this very folder, living or dead."""
    return _lock(house, name).exists()


def forgotten(house: Path, name: str) -> None:
    """Take away the lock of a dead process."""
    _lock(house, name).unlink(missing_ok=True)


def _lock(house: Path, name: str) -> Path:
    return house / FOLDER / f"{name.replace(':', '-')}.alive"


@contextmanager
def _alive(house: Path, name: str) -> Iterator[None]:
    file = _lock(house, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(fd)
