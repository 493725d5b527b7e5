"""A year played on a turned clock: each week its orders arrive, the ring turns for every model, and the questions of the week are answered.

What is planted (a bad delivery, a change in demand, a harmful model) is said in ``Plants``; whatever comes of it is the ring's own doing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import joblib
import pyarrow as pa

from everloop import lake
from everloop.demo.hands import Hands, Inside, outside
from everloop.demo.shop import Shop, between, cents, rhythm, starts
from everloop.demo.usual import HalfAsMuchAgain
from everloop.features.moments import ticks
from everloop.loop.house import House, open_house
from everloop.records import Decision, Verdict
from everloop.registry.written import as_data
from everloop.settings import Settings, read_settings

PROJECT = Path(__file__).with_name("project.py")
FIRST, LAST = 27, 53


@dataclass(frozen=True)
class Plants:
    """In which week something goes wrong; None: it does not. Weeks are those of the data."""

    cents: int | None = None  # a delivery with prices in cents
    rhythm: int | None = None  # a fortnightly promotion begins
    harm: int | None = None  # a harmful model is forced past the gate
    seed: int = 0


@dataclass
class Year:
    """One year of one house, as far as it has been played, by whose hands; ``house`` is read here, never written."""

    house: House
    hands: Hands
    shop: Shop
    plants: Plants
    decisions: list[Decision] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # what checks said of the bad delivery
    forced: Verdict | None = None

    def begin(self) -> None:
        """Half a year of history, known as it happened; products and households, which have no date."""
        past = self.shop.until(starts(FIRST))
        for name in ("products", "households", "lines", "baskets"):
            self.hands.deliver(name, getattr(past, name), starts(FIRST))

    def week(self, number: int) -> None:
        """The week before arrives, the ring turns, and the questions at this week's beginning are answered."""
        now = starts(number)
        if number > FIRST:
            for name in ("lines", "baskets"):
                rows = between(getattr(self.shop, name), starts(number - 1), now)
                if name == "lines" and number == self.plants.cents:
                    self.bad_delivery(rows, now)
                self.hands.deliver(name, rows, now)
        for model in self.house.project.models.values():
            # Nothing can have changed for a model between two of its own ticks: no answer, no truth of one.
            if not ticks(model.asked, now, now):  # type: ignore[arg-type]
                continue
            self.decisions.append(self.hands.turn(model.name, now))
            # Where the model only suggests, somebody in this shop says yes; what drift costs nobody here has asked about.
            if model.autonomy["promote"] != "act" and self.house.approvals.waiting(model.name):
                self.hands.say_yes(model.name, now)
        if number == self.plants.harm:
            self.force_harm(now + timedelta(hours=1))
            now += timedelta(hours=1)
        for model in self.house.project.models.values():
            self.hands.score(model.name, now)

    def bad_delivery(self, rows: pa.Table, now: datetime) -> None:
        """Prices in cents arrive; somebody asks for a retrain; checks refuse; the delivery is taken back."""
        self.hands.deliver("lines", cents(rows), now - timedelta(hours=2))
        self.decisions.append(self.hands.turn("demand", now - timedelta(hours=1), retrain=True))
        reports = self.house.journal.read(kind="Report", model="demand", newest_first=True, limit=1)
        self.refused = [f.sentence for f in reports[0].record.findings if f.outcome != "passed"]  # type: ignore[attr-defined]
        newest = max(d.number for d in lake.deliveries(self.house.lake, self.house.project.source("lines")))
        self.hands.withdraw("lines", newest, now - timedelta(minutes=30))

    def force_harm(self, now: datetime) -> None:
        """A model that answers half as much again is let in past the gate, by name and with a reason."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "generous.joblib"
            joblib.dump(HalfAsMuchAgain(), file)
            self.forced = self.hands.force("demand", file, now)


@contextmanager
def open_year(folder: Path, shop: Shop, plants: Plants, *, over_http: bool = False) -> Iterator[Year]:
    """A year in a house of its own; ``over_http`` it is turned by ``everloop run`` in processes of its own."""
    folder = folder.resolve()
    settings: Settings = read_settings(folder, house=folder / "house")
    house = open_house(PROJECT, settings=settings)
    changed = shop
    if plants.rhythm is not None:
        changed = replace(shop, lines=rhythm(shop.lines, from_week=plants.rhythm, seed=plants.seed))
    try:
        with outside(house) if over_http else nullcontext(Inside(house)) as hands:
            yield Year(house, hands, changed, plants)
    finally:
        house.store.close()


def play(
    folder: Path, shop: Shop, plants: Plants, told: Callable[[int], None] = lambda week: None, *, over_http: bool = False
) -> list[tuple[str, str, str]]:
    """A whole year; returns (model, action, cause) of every decision that was not to hold."""
    with open_year(folder, shop, plants, over_http=over_http) as year:
        year.begin()
        for number in range(FIRST, LAST + 1):
            year.week(number)
            told(number)
        year.house.journal.verify()
        return [(d.model, d.action, d.cause) for d in year.decisions if d.action != "hold"]


def journalled(folder: Path) -> list[dict[str, Any]]:
    """What was decided in the year played in a folder, record by record, as data: decisions, verdicts, words of people, traffic. What each
    step cost is left out: that is never the same twice.
    """
    house = open_house(PROJECT, settings=read_settings(folder, house=folder / "house"))
    entries = house.journal.read(kind=("Decision", "Verdict", "Approval", "Traffic"))
    house.store.close()
    return [{name: said for name, said in as_data(entry.record).items() if name != "cost"} for entry in entries]
