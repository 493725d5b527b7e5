"""What a controller does beside turning: seal what came in, keep the routes fresh, deliver alerts, and ask for what is due.

Each chore is one function of a house; ``Chores`` does each when its time has come, by the monotonic clock. A chore that fails is told
once and tried again: it never ends the controller. One that has failed for an hour is news for people.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from everloop import lake
from everloop.clock import monotonic, said, wall
from everloop.errors import HouseBusy, StoreError
from everloop.loop.control.due import due
from everloop.loop.control.errands import ask
from everloop.loop.house import House
from everloop.loop.news.again import tell_again
from everloop.loop.news.alerts import clock_set_back, not_done
from everloop.loop.news.deliver import deliver
from everloop.loop.news.put import put_news
from everloop.loop.online import online_of
from everloop.loop.serve import routes
from everloop.loop.serve.compiled import compile_served
from everloop.loop.serve.known import Known
from everloop.loop.skewed import look_daily
from everloop.loop.tell.answerable import is_elsewhere
from everloop.loop.tell.outcomes import OUTCOMES
from everloop.loop.tell.told import TRUTHS
from everloop.project.model import Model
from everloop.records import Traffic
from everloop.registry.errands import Errands

SCHEDULE = "schedule"
ROWS_AT_ONCE, LONGEST_HOT = 10_000, 60.0
"""A source is sealed when so many rows are hot, or its rows have been for so many seconds: each sealing is a commit of its table."""


LONG = 3600.0
"""Seconds for which a chore has to have failed before people are told."""


@dataclass
class Chores:
    """The chores of a house with their times, in seconds. ``told`` hears what went wrong, each trouble once until it is over."""

    house: House
    told: Callable[[str], None]
    next: dict[str, float] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    since: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    """Since when each has failed, by the monotonic and by the wall clock."""
    alerted: dict[str, date] = field(default_factory=dict)

    def do(self, name: str, every: float, chore: Callable[[], object]) -> None:
        """Do a chore if its time has come."""
        if monotonic() < self.next.get(name, 0.0):
            return
        try:
            chore()
        except Exception as error:
            trouble = f"{name}: {error}"
            if self.trouble.get(name) != trouble:
                self.told(f"Could not {trouble}")
            self.trouble[name] = trouble
            self._alert(name, error)
        else:
            for known in (self.trouble, self.since, self.alerted):
                known.pop(name, None)
        self.next[name] = monotonic() + every

    def _alert(self, name: str, error: Exception) -> None:
        """Tell people of a chore that has failed for long, once a day."""
        now = wall()
        began, since = self.since.setdefault(name, (monotonic(), now))
        if monotonic() - began < LONG or self.alerted.get(name) == now.date():
            return
        with suppress(StoreError):  # a house that takes no news either is tried again with the chore
            put_news(self.house, not_done(name, since, str(error), now), now)
            self.alerted[name] = now.date()


@dataclass
class Schedule:
    """Asks for a turn and the answers of every tick that has come due; remembers which tick was the last, model by model."""

    house: House
    told: Callable[[str], None]
    last: dict[str, datetime | None] = field(default_factory=dict)
    waits: bool = False

    def look(self, now: datetime) -> int:
        """Ask for what is due at ``now`` (aware); returns for how many models. A turned house is never due by itself."""
        if self.house.turned:
            return 0
        in_force = self.house.pointers.all()
        asked = sum(self._ask(model, in_force.get(model.name), now) for model in self.house.project.models.values())
        self._tell_of_the_clock(now)
        return asked

    def _ask(self, model: Model, traffic: Traffic | None, now: datetime) -> bool:
        if model.name not in self.last:
            newest = Errands(self.house.store).newest(model.name, "score", cause=SCHEDULE)
            self.last[model.name] = newest.now if newest else None
        tick = due(model, self.last[model.name], now, traffic=traffic)
        if tick is None:
            return False
        with self.house.store.transaction() as t:
            turned = self.house.turns.last(model.name, within=t)
            if turned is None or turned.now < tick:
                # Turn first: who answers is decided before the questions of this tick are answered.
                ask(self.house, "turn", model.name, tick, SCHEDULE, within=t)
            else:
                tick = turned.now  # a person was faster; what was asked until then is answered all the same
            if traffic is None or traffic.candidate is not None or not is_elsewhere(self.house, traffic.champion, within=t):
                ask(self.house, "score", model.name, tick, SCHEDULE, within=t)
        self.last[model.name] = tick
        return True

    def _tell_of_the_clock(self, now: datetime) -> None:
        latest = max((last for last in self.last.values() if last is not None), default=None)
        back = latest is not None and now < latest
        if back and not self.waits and latest is not None:
            self.told(f"The clock says {said(now)}, but {said(latest)} was turned already: nothing is due until it has passed that again.")
            put_news(self.house, clock_set_back(latest - now, now), latest)
        self.waits = back


@dataclass
class Sealing:
    """Seals each source when enough of it is hot or it has been for long enough."""

    house: House
    sealed: dict[str, int] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Seal the sources whose time has come. Raises what ``lake.seal`` raises."""
        for source in (*self.house.project.sources.values(), TRUTHS, OUTCOMES):
            last = self.house.lake.log.counters(source.name).last_seq
            if source.name not in self.sealed:
                self.sealed[source.name] = 0
            hot = last - self.sealed[source.name]
            if not hot:
                self.since.pop(source.name, None)
            elif hot >= ROWS_AT_ONCE or monotonic() - self.since.setdefault(source.name, monotonic()) >= LONGEST_HOT:
                self.sealed[source.name] = lake.seal(self.house.lake, source)
                self.since.pop(source.name, None)


@dataclass
class Routes:
    """Writes ``routes.json`` anew when somebody's traffic has moved, or the file is gone."""

    house: House
    written: dict[str, tuple[int, str]] | None = None

    def look(self) -> None:
        """Write them if they are stale. Raises StoreError where they cannot be written."""
        stands = {name: (traffic.generation, traffic.id) for name, traffic in self.house.pointers.all().items()}
        if stands == self.written and (self.house.settings.house / "routes.json").exists():
            return
        if self.written is not None:
            # It may have been turned on another machine, which compiles into a folder of its own.
            compile_served(self.house, wall(), again=False)
        routes.write_routes(self.house)
        self.written = stands


@dataclass
class Tiles:
    """Keeps what is known of every unit up to the events, so that no worker has to. On a turned clock whoever asks does it."""

    house: House
    known: Known | None = None

    def look(self) -> None:
        """Take in what has arrived."""
        if not self.house.turned:
            models = list(self.house.project.models.values())
            self.known = self.known or Known(self.house.lake, models, online_of(self.house.lake, self.house.settings))
            with suppress(sqlite3.OperationalError, HouseBusy):  # somebody else is at it
                self.known.fold()


def look_for_skew(house: House, now: datetime) -> None:
    """Once a day, model by model: were answers made from what the event log tells? On a turned clock whoever asks looks."""
    if not house.turned and house.settings.skew:
        for model in house.project.models.values():
            look_daily(house, model, now)


def deliver_alerts(house: House) -> None:
    """Put alerts on their way to people."""
    deliver(house, wall())


def tell_incidents_again(house: House) -> None:
    """Tell every Alertmanager what is still so."""
    tell_again(house, wall())


def finish_forgetting(house: House) -> int:
    """Go on with forgetting people where a process died over it; how many that were."""
    from everloop.loop.forget.plan import planned

    if not any(planned(house.settings.house)):
        return 0
    from everloop.loop.forget import finish

    return len(finish(house))


def forget_errands(house: House, now: datetime, kept: timedelta) -> int:
    """Errands that ended longer ago than anybody asks for them; returns how many there were."""
    with house.store.transaction() as t:
        return Errands(house.store).forget(t, now - kept)
