"""Turning by hand where the house's database is elsewhere: a process that is no worker holds a model for as long as it turns it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from everloop.clock import monotonic, wall
from everloop.errors import HouseBusy, Overtaken
from everloop.loop.control.joined import LASTS, Joined, joined, who
from everloop.loop.control.signs import Signs, take_over
from everloop.registry.errands import Errands
from everloop.registry.leases import Lease, Leases

if TYPE_CHECKING:
    from everloop.loop.house import House

MODEL = "model/"
"""What the lease of a model is called that somebody turns by hand; its name follows."""
LOOK_EVERY = 0.1


@contextmanager
def by_hand(house: House, model: str, *, patience: float = 0.0) -> Iterator[House]:
    """Hold a model; gives the house as one may write to it meanwhile. Raises HouseBusy where a living process turns the model."""
    with joined(house) as mine:
        lease = _taken(house, mine, model, monotonic() + patience)

        def fence(t: Connection) -> None:
            house.store.fence(t)  # of another model that it holds
            Leases(mine.store).check(t, lease)

        yield replace(house, store=replace(house.store, fence=fence))


def held_by_hand(leases: list[Lease]) -> set[str]:
    """The models that somebody turns by hand.

    >>> held_by_hand([Lease("model/demand", "shop-1:4711:ab", wall(), 1), Lease("controller", "shop-1:4711:ab", wall(), 3)])
    {'demand'}
    """
    return {lease.name.removeprefix(MODEL) for lease in leases if lease.name.startswith(MODEL)}


def _taken(house: House, mine: Joined, model: str, until: float) -> Lease:
    """The lease of a model, when nobody else turns it. Who has it is waited for only until it gives a sign of life, or is dead."""
    store, signs = mine.store, Signs(mine.store, house.settings.house, mine.name)
    while True:
        with store.transaction() as t:
            there = Leases(store).there(MODEL + model, within=t)
            carried = [e.holder for e in Errands(store).unfinished(within=t) if e.model == model and e.state == "taken"]
            busy = next(iter(carried), None) or (there.holder if there is not None else None)
            if not busy:
                return Leases(store).seize(t, MODEL + model, mine.name, seen=there, now=wall(), lasts=LASTS)
        for holder, seen in signs.dead():
            with suppress(Overtaken):
                take_over(mine, house.settings.house, holder, seen)
        if busy in signs.lives and monotonic() >= until:
            raise HouseBusy(f"{who(busy)} is turning {model}. Run it again when it is done.", aloud=f"Another process is turning {model}.")
        time.sleep(LOOK_EVERY)
