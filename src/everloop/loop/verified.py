"""The chain walked from its first record to its head while nobody waits: who asked for it, when, and what came of it, as a fact.

A chain of a million records takes seconds, so a page asks for the walk and shows what the last one found.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from everloop.clock import EPOCH, utc
from everloop.errors import EverloopError, HouseBusy, JournalBroken
from everloop.loop.house import House
from everloop.registry.written import as_data

FACT = "verified"
_UNDER_WAY = threading.Lock()


@dataclass(frozen=True)
class Verified:
    """One walk. ``head`` is where the journal ended, None while the walk goes on or where it broke; then ``broken`` says where."""

    at: datetime
    by: str
    head: str | None = None
    records: int = 0
    broken: str | None = None

    @property
    def goes_on(self) -> bool:
        return self.head is None and self.broken is None


def verify(house: House, *, by: str, now: datetime) -> Verified:
    """Walk the chain, and note what was found; what cannot be read (StoreError) is raised and leaves no note but that it was begun."""
    _note(house, Verified(now, by))
    try:
        head = house.journal.verify()
        found = Verified(now, by, str(head), head.seq)
    except JournalBroken as broken:
        found = Verified(now, by, broken=str(broken))
    _note(house, found)
    return found


def begin(house: House, *, by: str, now: datetime) -> None:
    """The same in a thread of its own. Raises HouseBusy where this process is at it already."""
    if not _UNDER_WAY.acquire(blocking=False):
        raise HouseBusy("The journal is being verified already. Look again in a moment.")

    def walk() -> None:
        try:
            verify(house, by=by, now=now)
        except EverloopError:
            return  # what was begun stays noted as begun
        finally:
            _UNDER_WAY.release()

    threading.Thread(target=walk, name="verify", daemon=True).start()


def last_verified(house: House) -> Verified | None:
    """The newest walk; None where nobody asked for one."""
    fact = house.facts.latest("", FACT)
    if fact is None:
        return None
    body = fact.body
    return Verified(datetime.fromisoformat(body["at"]), body["by"], body["head"], body["records"], body["broken"])


def _note(house: House, found: Verified) -> None:
    body = as_data({"at": utc(found.at).isoformat(), "by": found.by, "head": found.head, "records": found.records, "broken": found.broken})
    with house.store.transaction() as t:
        house.facts.put(t, "", FACT, EPOCH, body)
