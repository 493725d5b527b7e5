"""Holding a house: exactly one controller turns it, by a lease in house.db and, where that is a file, a lock beside it.

The lease is renewed by the monotonic clock; the wall clock only writes into it until when it lasts, for people and doors to read. Nobody
takes a lease because a wall clock says that it has ended: it is taken where it was given back, where its holder died on this machine
(the kernel gave the lock back), or where it was watched for as long as it lasts and nobody renewed it. So a clock that is set, here or
elsewhere, neither loses nor keeps it.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from everloop.clock import monotonic, wall
from everloop.errors import HouseBusy, Overtaken, StoreError
from everloop.lake.alone import alone
from everloop.loop.control.errands import CONTROLLER
from everloop.loop.house import House
from everloop.loop.news.alerts import taken_over
from everloop.registry.journal import Journal
from everloop.registry.leases import Lease, Leases
from everloop.registry.outbox import Outbox

LASTS = timedelta(seconds=10)
RENEW_EVERY = 2.0
LOOK_EVERY = 0.1


@dataclass
class Held:
    """The right to turn a house. ``lost`` is set as soon as it is known that somebody else has it."""

    house: House
    lease: Lease
    lost: threading.Event = field(default_factory=threading.Event)

    def fence(self, transaction: Connection) -> None:
        """Raises Overtaken where the house is somebody else's by now; asked in the transaction of whatever is kept."""
        try:
            Leases(self.house.store).check(transaction, self.lease)
        except Overtaken:
            self.lost.set()
            raise

    def renew(self) -> None:
        """Say that one lives. A house that cannot be written to just now is asked again; the fence holds meanwhile."""
        with suppress(StoreError):
            try:
                with self.house.store.transaction() as t:
                    self.lease = Leases(self.house.store).renew(t, self.lease, now=wall(), lasts=LASTS)
            except Overtaken:
                self.lost.set()


@contextmanager
def held(house: House, told: Callable[[str], None], *, renew_every: float = RENEW_EVERY) -> Iterator[Held]:
    """Hold the controller's lease, renewed in a thread of its own, and give it back. Raises HouseBusy with who has it."""
    with _locked(house) as here:
        mine = Held(house, _taken(house, told, here))
        done = threading.Event()

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
            with suppress(StoreError), house.store.transaction() as t:
                Leases(house.store).release(t, mine.lease)


def name_of_process() -> str:
    """Who holds a lease: host, process, and a word nobody else has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _taken(house: House, told: Callable[[str], None], here: bool) -> Lease:
    leases, me, since = Leases(house.store), name_of_process(), monotonic()
    seen = first = leases.there(CONTROLLER)
    while True:
        died_here = here and first is not None and _host(first.holder) == _host(me)
        if seen is None or not seen.holder or died_here or monotonic() - since >= LASTS.total_seconds():
            break
        if monotonic() - since < LOOK_EVERY:
            told(f"{_who(seen)} may still turn this house. Waiting {LASTS.total_seconds():g} s for a sign of life.")
        time.sleep(LOOK_EVERY)
        seen = leases.there(CONTROLLER)
        if seen is not None and seen.holder and seen != first:
            raise _busy(seen)
    try:
        with house.store.transaction() as t:
            taken = leases.seize(t, CONTROLLER, me, seen=seen, now=wall(), lasts=LASTS)
            if seen is not None and seen.holder:
                news = taken_over(_who(seen), _who(taken), taken.fence)
                Outbox(house.store).put(t, news, at=wall(), head=str(Journal(house.store).head(within=t)))
            return taken
    except Overtaken:
        raise _busy(leases.there(CONTROLLER)) from None


@contextmanager
def _locked(house: House) -> Iterator[bool]:
    """The lock beside a house in a file; whether there is one, so that its holder's death on this machine is known at once."""
    if not house.settings.registry.startswith("sqlite:"):
        yield False
        return
    inside = False
    try:
        with alone(house.settings.house / "controller.lock", "turning this house", patience=0):
            inside = True
            yield True
    except HouseBusy:
        if inside:
            raise
        raise _busy(Leases(house.store).there(CONTROLLER)) from None


def _busy(lease: Lease | None) -> HouseBusy:
    return HouseBusy(f"{_who(lease)} turns this house already. One controller is enough: leave it running, or end that process first.")


def _who(lease: Lease | None) -> str:
    if lease is None or not lease.holder:
        return "Another process"
    parts = lease.holder.rsplit(":", 2)
    return f"Process {parts[1]} on {parts[0]}" if len(parts) == 3 else lease.holder


def _host(holder: str) -> str:
    return holder.rsplit(":", 2)[0]
