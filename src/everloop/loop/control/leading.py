"""Leading: of those who work for a house one asks for what is due and does what is done once for all of them. Any of them can.

Who leads holds the controller's lease, in the name of its process. Everybody looks every second whether somebody died, takes over from
them, and leads where nobody does. What the one who leads keeps, it keeps under that lease: who was taken for dead keeps nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from everloop.clock import wall
from everloop.errors import Overtaken
from everloop.loop.arriving import Arriving, expects_files, in_folders
from everloop.loop.control.chores import (
    Chores,
    Schedule,
    Sealing,
    Tiles,
    deliver_alerts,
    forget_errands,
    look_for_skew,
    tell_incidents_again,
)
from everloop.loop.control.errands import CONTROLLER
from everloop.loop.control.joined import LASTS, Joined, who
from everloop.loop.control.signs import Signs, take_over
from everloop.loop.control.streaming import stream_all
from everloop.loop.control.working import works_elsewhere
from everloop.loop.house import House, fenced
from everloop.loop.keep import Interrupted
from everloop.loop.news.again import EVERY
from everloop.registry.leases import Lease, Leases

LOOK_FOR_FILES = 30.0


@dataclass
class Leading:
    """Whether this process leads its house, and what it does where it does. ``over`` says that this process ends."""

    opened: House
    mine: Joined
    told: Callable[[str], None]
    over: threading.Event
    lease: Lease | None = None
    folders_told: bool = False
    signs: Signs = field(init=False)

    def __post_init__(self) -> None:
        self.signs = Signs(self.mine.store, self.opened.settings.house, self.mine.name)
        self.house = fenced(self.opened, self.fence, ended=self._ended)

    def fence(self, t: Connection) -> None:
        """Raises Overtaken where this process does not lead, or not any more."""
        if self.lease is None:
            raise Overtaken("Another process leads this house. Nothing was kept.")
        Leases(self.mine.store).check(t, self.lease)

    @property
    def leads(self) -> bool:
        return self.lease is not None and not self.ends

    @property
    def ends(self) -> bool:
        return self.over.is_set() or self.mine.lost.is_set()

    def _ended(self) -> BaseException | None:
        return Interrupted("This worker ends.") if self.ends else None

    def look(self) -> None:
        """Take over from the dead, and lead where nobody does."""
        for holder, seen in self.signs.dead():
            with suppress(Overtaken):  # it lives, or somebody else was faster
                left = take_over(self.mine, self.opened.settings.house, holder, seen)
                rest = ", ".join(f"the {errand.verb} of {errand.model}" for errand in left)
                self.told(f"{who(holder)} was lost. " + (f"What it left waits again: {rest}." if rest else "It left nothing undone."))
        if self.lease is None:
            self.lease = self._taken()
            if self.lease is not None:
                self.told(f"{who(self.mine.name)} leads this house.")

    def _taken(self) -> Lease | None:
        leases = Leases(self.mine.store)
        there = leases.there(CONTROLLER)
        if there is not None and there.holder:
            return None
        with suppress(Overtaken), self.mine.store.transaction() as t:
            self.mine.fence(t)
            return leases.seize(t, CONTROLLER, self.mine.name, seen=there, now=wall(), lasts=LASTS)
        return None

    # -- what is done, each in a thread of its own, so that none holds up another --

    def all(self) -> Iterator[Callable[[], None]]:
        """What is done by who leads, one callable for each thread."""
        yield from (self.lead, self.chores, self.post, self.meter)
        if self.opened.settings.mlflow:
            yield from (self.mirror, self.contests)
        if self.opened.settings.streams:
            yield self.streams
        if expects_files(self.opened):
            yield self.arriving

    def lead(self) -> None:
        """Who lives, who leads, and what is due."""
        chores, schedule = Chores(self.house, self.told), Schedule(self.house, self.told)
        while not self.ends:
            led = self.leads
            chores.do("see who works for this house", 1.0, self.look)
            if self.leads and not led:
                schedule = Schedule(self.house, self.told)  # what another asked for meanwhile is read anew
            if self.leads:
                chores.do("ask for what is due", 1.0, lambda look=schedule: look.look(wall()))
            self.over.wait(0.1)

    def chores(self) -> None:
        """What is kept in order for everybody: events, what is known of each unit, and errands of long ago."""
        house, chores = self.house, Chores(self.house, self.told)
        sealing, tiles, kept = Sealing(house), Tiles(house), house.settings.workers.kept
        while not self.ends:
            if self.leads:
                chores.do("keep tiles", 2.0, tiles.look)
                chores.do("seal events", 5.0, sealing.look)
                chores.do("forget old errands", 3600.0, lambda: forget_errands(house, wall(), kept))
            self.over.wait(0.2)

    def post(self) -> None:
        """Alerts on their way to people; an address that hangs holds up no chore."""
        chores = Chores(self.house, self.told)
        while not self.ends:
            if self.leads:
                chores.do("deliver alerts", 2.0, lambda: deliver_alerts(self.house))
                chores.do("tell Alertmanager of incidents again", EVERY.total_seconds(), lambda: tell_incidents_again(self.house))
            self.over.wait(0.2)

    def meter(self) -> None:
        """What takes long and must hold up nothing else: the daily look at skew, which reads a day's answers again."""
        chores = Chores(self.house, self.told)
        while not self.ends:
            if self.leads:
                chores.do("look for skew", 600.0, lambda: look_for_skew(self.house, wall()))
            self.over.wait(1.0)

    def mirror(self) -> None:
        """What MLflow is told; a server that is down or slow holds up nothing else."""
        from everloop.loop.mirror import mirror

        chores = Chores(self.house, self.told)
        while not self.ends:
            if self.leads:
                chores.do("tell MLflow", 5.0, lambda: mirror(self.house))
            self.over.wait(0.5)

    def contests(self) -> None:
        """What MLflow asks for; a contest may take an hour, and the mirror goes on meanwhile."""
        from everloop.loop.control.contests import hold_contests

        chores = Chores(self.house, self.told)
        while not self.ends:
            if self.leads:
                chores.do("see what MLflow asks for", 30.0, lambda: hold_contests(self.house, self.told))
            self.over.wait(0.5)

    def streams(self) -> None:
        """What comes by streams, and what is put there."""
        while not self.ends:
            if self.leads:
                stream_all(self.house, self.told, lambda: not self.leads)
            self.over.wait(0.2)

    def see_folders(self) -> None:
        """Say once, where others work for the house elsewhere, that files are looked for on this machine: another one that leads looks in
        folders of its own."""
        there = in_folders(self.opened)
        if there and not self.folders_told and works_elsewhere(self.opened):
            self.folders_told = True
            named = "; ".join(f"{name} ({', '.join(files)})" for name, files in there.items())
            self.told(
                f"Files are looked for on the machine that leads, which is this one now: {named}. Others that work for this house do not "
                "see them, unless all share that folder. Say a folder they share, or a bucket: [sources] of everloop.toml."
            )

    def arriving(self) -> None:
        """Files that arrive, and what is due and has not come; a large file holds up nothing else."""
        chores, there = Chores(self.house, self.told), Arriving(self.house, self.told)
        while not self.ends:
            if self.leads:
                chores.do("look for what arrives", LOOK_FOR_FILES, lambda: there.look(wall()))
                chores.do("see whose folders are looked in", LOOK_FOR_FILES, self.see_folders)
            else:
                self.folders_told = False
            self.over.wait(0.5)
