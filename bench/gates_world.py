"""A shop in which two models are held against each other day by day: customers who keep their ways, weather that lasts. Drawn by a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from everloop import Model, Source, beats_champion, days, every
from everloop.gates import judge
from everloop.records import Contest, Opinion, Shape
from everloop.stats.shapes import Answers, Paired, Strings

Floats = npt.NDArray[np.float64]
DAY: Final = 86_400_000_000
NOW: Final = datetime(2026, 11, 2, tzinfo=UTC)
NUMBER: Final = Shape(kind="number")
orders: Final = Source("orders", id="order_id", time="at", columns={"customer_id": str, "amount": float})


def learn(rows: object) -> None:
    """Stands in for a learner; judging never calls it."""


SPENDING: Final = Model(
    "spending",
    predicts=orders.total("amount", next=days(1)),
    per="customer_id",
    asked=every(days(1)),
    knows=orders.total("amount", last=days(28)),
    learner=learn,
)


@dataclass(frozen=True)
class World:
    """How two models differ where neither is better: by ``own`` of each customer and by ``weather`` of each day, of which ``lasting`` is
    there the next day, all standard deviations of the logarithm of how far off one is beside the other."""

    customers: int = 200
    held_out: int = 56
    own: float = 0.3
    weather: float = 0.2
    lasting: float = 0.6


@dataclass
class Shop:
    """One shop over the years, in which candidates are learnt again and again: each keeps ``alike`` (a correlation) of what the one before
    made of customers and of weather."""

    world: World
    rng: np.random.Generator
    alike: float = 0.7
    size: Floats = field(init=False)
    own: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.size = np.exp(self.rng.normal(2.0, 0.7, self.world.customers))
        self.own = self.rng.normal(0, 1, self.world.customers)

    def weather(self, length: int) -> Floats:
        """What comes of each day (length,): standard deviation 1, of which some lasts."""
        rest = np.sqrt(1 - self.world.lasting**2)
        drawn, found = self.rng.normal(0, 1, length), np.empty(length)
        now = drawn[0]
        for day in range(length):
            now = drawn[0] if day == 0 else self.world.lasting * now + rest * drawn[day]
            found[day] = now
        return found

    def contest(self, weather: Floats, first_day: int, effect: float = 0.0) -> Paired:
        """Champion and a candidate, which is better by ``effect``, on every customer and each day of ``weather``."""
        w, rng = self.world, self.rng
        self.own = self.alike * self.own + np.sqrt(1 - self.alike**2) * rng.normal(0, 1, w.customers)
        length = len(weather)
        unit, day = np.tile(np.arange(w.customers), length), np.repeat(np.arange(length), w.customers)
        apart = w.own * self.own[unit] + w.weather * weather[day]
        size = self.size[unit]
        truth = size * rng.gamma(4.0, 0.25, len(unit))
        off = [np.exp(sign * apart / 2) * factor for sign, factor in ((1, 1.0), (-1, 1 - effect))]
        said = [Answers(NUMBER, truth + 0.3 * size * o * rng.normal(0, 1, len(unit))) for o in off]
        return Paired(names(w.customers)[unit], (first_day + day).astype(np.int64) * DAY, truth, *said)


@cache
def names(count: int) -> Strings:
    return np.array([f"c{i}" for i in range(count)], dtype=object)


def judged(paired: Paired, condition: beats_champion, number: int = 1) -> Opinion:
    """What the gate says, in the ``number``-th contest with this champion."""
    contest = Contest(
        id="c", made_at=NOW, model="spending", champion="old", candidate="new", body="", rows=len(paired), first_at=NOW, last_at=NOW,
        number=number,
    )  # fmt: skip
    return judge(contest, paired, [condition], SPENDING, now=NOW, id="v").opinions[0]


def of_rows(paired: Paired) -> bool:
    """A rival: a paired t-test that takes every question for a proof of its own, one-sided at 2.5 %."""
    gain = np.abs(paired.truth - paired.champion.value) - np.abs(paired.truth - paired.candidate.value)
    return bool(gain.mean() / (gain.std(ddof=1) / np.sqrt(len(gain))) > 1.96)
