"""A year played on a turned clock: each week its orders arrive, the ring turns for every model, and the questions of the week are answered.

What is planted (a bad delivery, a change in demand, a harmful model) is said in ``Plants``; whatever comes of it is the ring's own doing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import joblib
import pyarrow as pa
import pyarrow.parquet as pq

from everloop import lake
from everloop.demo.shop import Shop, between, cents, rhythm, starts
from everloop.demo.usual import HalfAsMuchAgain
from everloop.features.moments import ticks
from everloop.loop.answers import answer_due
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import House, open_house
from everloop.loop.people import admit_file, answer_question
from everloop.loop.resume import go_round
from everloop.records import Decision, Verdict
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
    """One year of one house, as far as it has been played."""

    house: House
    shop: Shop
    plants: Plants
    decisions: list[Decision] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # what checks said of the bad delivery
    forced: Verdict | None = None

    def begin(self) -> None:
        """Half a year of history, known as it happened; products and households, which have no date."""
        past = self.shop.until(starts(FIRST))
        for name in ("products", "households", "lines", "baskets"):
            self.deliver(name, getattr(past, name), starts(FIRST))

    def week(self, number: int) -> None:
        """The week before arrives, the ring turns, and the questions at this week's beginning are answered."""
        now = starts(number)
        if number > FIRST:
            for name in ("lines", "baskets"):
                rows = between(getattr(self.shop, name), starts(number - 1), now)
                if name == "lines" and number == self.plants.cents:
                    self.bad_delivery(rows, now)
                self.deliver(name, rows, now)
        for model in self.house.project.models.values():
            # Nothing can have changed for a model between two of its own ticks: no answer, no truth of one.
            if not ticks(model.asked, now, now):  # type: ignore[arg-type]
                continue
            self.decisions.append(go_round(self.house, model, now))
            # Where the model only suggests, somebody in this shop says yes.
            if self.house.approvals.waiting(model.name):
                answer_question(self.house, model, True, by="the analyst", reason="the evidence convinces", now=now)
        if number == self.plants.harm:
            self.force_harm(now + timedelta(hours=1))
            now += timedelta(hours=1)
        for model in self.house.project.models.values():
            answer_due(self.house, model, now)

    def bad_delivery(self, rows: pa.Table, now: datetime) -> None:
        """Prices in cents arrive; somebody asks for a retrain; checks refuse; the delivery is taken back."""
        self.deliver("lines", cents(rows), now - timedelta(hours=2))
        demand = self.house.project.model("demand")
        self.decisions.append(go_round(self.house, demand, now - timedelta(hours=1), "demand"))
        reports = self.house.journal.read(kind="Report", model="demand", newest_first=True, limit=1)
        self.refused = [f.sentence for f in reports[0].record.findings if f.outcome != "passed"]  # type: ignore[attr-defined]
        source = self.house.project.source("lines")
        newest = max(d.number for d in lake.deliveries(self.house.lake, source))
        lake.withdraw(self.house.lake, source, newest, now=now - timedelta(minutes=30))

    def force_harm(self, now: datetime) -> None:
        """A model that answers half as much again is let in past the gate, by name and with a reason."""
        demand = self.house.project.model("demand")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "generous.joblib"
            joblib.dump(HalfAsMuchAgain(), file)
            self.forced = admit_file(
                self.house, demand, file, now, override=True, trust=True, by="the sales director", reason="we want full shelves"
            )

    def deliver(self, source: str, rows: pa.Table, now: datetime) -> None:
        """Rows as a file, known as they happened."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{source}-{now:%Y-%m-%d-%H}.parquet"
            pq.write_table(rows, path)
            ingest_files(self.house, source, [path], now=now, known_after=timedelta(0))


@contextmanager
def open_year(folder: Path, shop: Shop, plants: Plants) -> Iterator[Year]:
    """A year in a house of its own."""
    folder = folder.resolve()
    settings: Settings = read_settings(folder, house=folder / "house")
    house = open_house(PROJECT, settings=settings)
    changed = shop
    if plants.rhythm is not None:
        from dataclasses import replace

        changed = replace(shop, lines=rhythm(shop.lines, from_week=plants.rhythm, seed=plants.seed))
    try:
        yield Year(house, changed, plants)
    finally:
        house.store.close()


def play(folder: Path, shop: Shop, plants: Plants, told: Callable[[int], None] = lambda week: None) -> list[tuple[str, str, str]]:
    """A whole year; returns (model, action, cause) of every decision that was not to hold."""
    with open_year(folder, shop, plants) as year:
        year.begin()
        for number in range(FIRST, LAST + 1):
            year.week(number)
            told(number)
        year.house.journal.verify()
        return [(d.model, d.action, d.cause) for d in year.decisions if d.action != "hold"]
