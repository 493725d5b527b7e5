"""Who works for a house now, for people: every process that joined, what it carries out, and which of them leads. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everloop.clock import said
from everloop.loop.control.by_hand import MODEL
from everloop.loop.control.errands import CONTROLLER
from everloop.loop.control.joined import WORKER, joined_here, who
from everloop.loop.house import House
from everloop.registry.errands import Errands
from everloop.registry.leases import Leases


@dataclass(frozen=True)
class Working:
    """One process: its ``name`` (host, process id, a word of its own), until when its leases last by the wall clock, and what it does."""

    name: str
    until: datetime
    leads: bool = False
    carries: tuple[str, ...] = ()

    def spoken(self, now: datetime) -> str:
        """It in a sentence, at an aware instant of wall time.

        >>> noon = datetime.fromisoformat("2026-11-02T12:00Z")
        >>> Working("shop-1:4711:ab", noon, leads=True, carries=("the turn of demand",)).spoken(noon)
        'Process 4711 on shop-1 works for this house and leads it: the turn of demand.'
        """
        line = f"{who(self.name)} works for this house" + " and leads it" * self.leads
        line += f": {', '.join(self.carries)}" if self.carries else ""
        late = f" It has not been heard of since {said(self.until)}: another one takes over." if now > self.until else ""
        return f"{line}.{late}"


def working(house: House) -> list[Working]:
    """Every process that works for a house, as it last said so, by name."""
    with house.store.reading() as t:
        leases, errands = Leases(house.store).all(within=t), Errands(house.store).unfinished(within=t)
    carried: dict[str, list[str]] = {}
    for errand in errands:
        if errand.state == "taken" and errand.holder:
            carried.setdefault(errand.holder, []).append(f"the {errand.verb} of {errand.model} for {said(errand.now)}")
    for lease in leases:
        if lease.name.startswith(MODEL):
            carried.setdefault(lease.holder, []).append(f"{lease.name.removeprefix(MODEL)} by hand")
    leader = next((lease.holder for lease in leases if lease.name == CONTROLLER), None)
    joined = sorted((lease for lease in leases if lease.name.startswith(WORKER)), key=lambda lease: lease.holder)
    return [Working(one.holder, one.until, one.holder == leader, tuple(carried.get(one.holder, ()))) for one in joined]


def works_elsewhere(house: House) -> bool:
    """Whether a process works for a house in another folder than this one: on another machine, as a rule."""
    workers = (lease.holder for lease in Leases(house.store).all() if lease.name.startswith(WORKER))
    return not all(joined_here(house.settings.house, name) for name in workers)
