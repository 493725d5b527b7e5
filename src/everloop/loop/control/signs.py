"""Signs of life: who of those that work for a house is dead, and taking over from them.

Nobody is dead because a wall clock says that a lease has ended: who died on this machine has given its lock back to the kernel, and
anybody else is watched for as long as a lease lasts, by the monotonic clock of who watches. So a clock that is set, here or elsewhere,
neither kills nor keeps anybody; and while nobody could look (the database was away, this process slept) nobody is blamed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from everloop.clock import monotonic, wall
from everloop.loop.control.joined import LASTS, Joined, died_here, forgotten, given_back, who
from everloop.loop.news.alerts import taken_over
from everloop.registry.claims import Claims
from everloop.registry.errands import Errand
from everloop.registry.journal import Journal
from everloop.registry.leases import Lease, Leases
from everloop.registry.outbox import Outbox
from everloop.registry.store import Store

Held = tuple[Lease, ...]
AWAY = 5.0
"""Seconds between two looks after which everybody is watched anew."""


@dataclass
class Signs:
    """What was last seen of everybody else who works for a house."""

    store: Store
    folder: Path
    me: str
    seen: dict[str, tuple[Held, float]] = field(default_factory=dict)
    lives: set[str] = field(default_factory=set)
    """Who gave a sign since one began to look."""
    looked: float = float("-inf")

    def dead(self) -> list[tuple[str, Held]]:
        """Who is dead now, each with what it holds, as it was seen. Raises StoreError where one cannot look."""
        held = sorted(Leases(self.store).all(), key=lambda lease: lease.holder)
        there = {holder: tuple(theirs) for holder, theirs in groupby(held, key=lambda lease: lease.holder) if holder != self.me}
        now = monotonic()
        known = self.seen if now - self.looked <= AWAY else {}
        self.seen = {holder: self._since(known.get(holder), theirs, holder, now) for holder, theirs in there.items()}
        self.looked = now
        lasts = LASTS.total_seconds()
        return [(h, theirs) for h, (theirs, since) in self.seen.items() if now - since >= lasts or died_here(self.folder, h)]

    def _since(self, before: tuple[Held, float] | None, theirs: Held, holder: str, now: float) -> tuple[Held, float]:
        if before is not None and before[0] == theirs:
            return before
        if before is not None:
            self.lives.add(holder)
        return theirs, now


def take_over(mine: Joined, folder: Path, holder: str, seen: Held) -> list[Errand]:
    """Take from a dead process whatever it held, in one transaction; its errands wait again, each with one death more to its account.

    Raises Overtaken where it gave a sign of life, where somebody else was faster, or where this process was itself taken for dead.
    """
    store = mine.store
    with store.transaction() as t:
        mine.fence(t)
        given_back(store, t, holder, seen=seen)
        left = Claims(store).take_over(t, holder)
        if left or len(seen) > 1:
            news = taken_over(who(holder), who(mine.name), [f"the {errand.verb} of {errand.model}" for errand in left], holder)
            Outbox(store).put(t, news, at=wall(), head=str(Journal(store).head(within=t)))
    forgotten(folder, holder)
    return left
