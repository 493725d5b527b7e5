"""Hard rows for the exactness of features: everything that can go wrong with events, in one stream of deliveries. In: a seed. Out: dicts.

Rows that are late by up to 40 days, told twice, corrected (also out of order), taken back and told again, from clocks that run ahead, at
the edges of windows and of their hops to the microsecond, several at one instant; values that are empty, NaN, infinite, minus zero, beyond
64 bits when summed, floats that do not add up the same in another order. No clock is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from everloop import Model, Source, at_least, days, every, hours, minutes, one_of
from everloop.project.reading import AnyReading

MINUTE: Final = 60_000_000
DAY: Final = 1440 * MINUTE
START: Final = 1_767_225_600_000_000  # 2026-01-01
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: (window, hop) in microseconds.
WINDOWS: Final = ((10 * MINUTE, 1), (60 * MINUTE, 5 * MINUTE), (7 * DAY, 60 * MINUTE), (30 * DAY, DAY))
UNITS: Final = ("ada", "bob", "cyd", "dee", "eve", "fay", "gus", "hal")

orders = Source(
    "orders",
    id="order_id",
    time="at",
    version="said",
    deleted="gone",
    late=days(40),
    columns={"customer_id": str, "quantity": int, "weight": float, "buyer": str, "gift": bool, "due": datetime},
)
gifts = orders.where(one_of("gift", True), at_least("quantity", 1))


class Learner:
    """A learner nobody asks."""

    def fit(self, rows: object, truth: object) -> None: ...

    def predict(self, rows: object) -> object: ...


def readings() -> list[AnyReading]:
    """Every verb in every window, ratios, windows that end before the moment, rows that are chosen, other keys."""
    made: list[AnyReading] = []
    for last in (minutes(10), hours(1), days(7), days(30), None):
        within: dict[str, Any] = {} if last is None else {"last": last}
        made += [
            orders.total("quantity", **within), orders.total("weight", **within), orders.mean("quantity", **within),
            orders.mean("weight", **within), orders.count(**within), orders.lowest("weight", **within),
            orders.highest("quantity", **within), orders.distinct("buyer", **within), orders.latest("buyer", **within),
            orders.latest("weight", **within), orders.which("buyer", most=3, **within), orders.any(**within), orders.none(**within),
            (orders.total("weight", **within) / orders.count(**within)).named(f"weight_each_{last}"),
            (orders.total("quantity", **within) / orders.total("weight", **within)).named(f"quantity_by_weight_{last}"),
        ]  # fmt: skip
    return [
        *made,
        orders.total("weight", last=days(7), ago=days(7)),
        orders.count(last=hours(1), ago=minutes(30)),
        gifts.total("weight", last=days(7)),
        gifts.latest("quantity", last=days(30)),
        orders.count(last=days(30), per=()),
        orders.total("weight", last=days(7), per=("customer_id", "gift")),
        orders.distinct("weight", last=days(7)),
        orders.highest("due", last=days(7)),
        orders.latest("at"),
    ]


READINGS: Final = readings()
model = Model(
    "demand",
    predicts=orders.total("weight", next=days(7)),
    per="customer_id",
    asked=every(days(1)),
    knows=[orders.count(last=days(7))],
    learner=Learner(),
)


@dataclass(frozen=True)
class Delivery:
    """Rows that arrive together at ``now``, in microseconds."""

    now: int
    rows: list[dict[str, object]]


def instant(micros: int) -> datetime:
    """An instant as rows say it."""
    return EPOCH + timedelta(microseconds=micros)


def leaves_window(event_at: int, window: int, hop: int) -> int:
    """The first moment at which a row is no longer in a window."""
    return event_at - event_at % hop + hop + window


@dataclass
class Stream:
    """The deliveries of a seed."""

    seed: int
    now: int = START
    told: list[dict[str, object]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    units: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)

    def deliveries(self, count: int) -> Iterator[Delivery]:
        """So many deliveries, one after the other; one in eight brings several rows."""
        for _ in range(count):
            self.now = max(self._later(), self.now + 1)
            rows = [self._row() for _ in range(self.rng.randrange(2, 9) if self.rng.random() < 1 / 8 else 1)]
            yield Delivery(self.now, rows)

    def _later(self) -> int:
        """When the next delivery comes: soon, or just when a row enters or leaves a window."""
        rng = self.rng
        if self.times and rng.random() < 0.4:
            window, hop = rng.choice(WINDOWS)
            wanted = leaves_window(rng.choice(self.times[-300:]), window, hop) + rng.choice((-1, 0, 1))
            if self.now < wanted < self.now + DAY // 4:
                return wanted
        hour = 60 * MINUTE
        return self.now + rng.choice(
            (1, 2, MINUTE, 5 * MINUTE, rng.randrange(1, 40 * MINUTE), rng.randrange(1, hour), rng.randrange(3 * hour))
        )

    def _row(self) -> dict[str, object]:
        rng, chance = self.rng, self.rng.random()
        if self.told and chance < 0.08:
            return dict(rng.choice(self.told[-400:]))  # told twice
        row = self._corrected() if self.told and chance < 0.25 else self._new()
        self.told.append(row)
        return dict(row)

    def _new(self) -> dict[str, object]:
        rng, at, values = self.rng, self._event_at(), self._values()
        if len(self.times) > 9 and rng.random() < 0.15:  # at one instant with another row of the same unit
            beside = rng.randrange(1, 9)
            at, values["customer_id"] = self.times[-beside], self.units[-beside]
        self.times.append(at)
        self.units.append(values["customer_id"])
        return {
            "order_id": f"o{rng.randrange(10**6)}-{len(self.told)}",
            "said": rng.choice((0, 0, 0, 3)),
            "gone": False,
            "at": instant(at),
            **values,
        }

    def _corrected(self) -> dict[str, object]:
        rng = self.rng
        row = dict(rng.choice(self.told[-60:] if rng.random() < 0.7 else self.told))
        row["said"] = int(row["said"]) + rng.choice((1, 1, 1, 2, -1))  # type: ignore[call-overload]
        row["gone"] = rng.random() < 0.35
        if rng.random() < 0.8:
            row |= self._values()
        if rng.random() < 0.3:
            row["at"] = instant(self._event_at())
        return row

    def _event_at(self) -> int:
        rng, now = self.rng, self.now
        kind = rng.random()
        if kind < 0.35:
            return now
        if kind < 0.45:
            return now + rng.choice((1, 7, 90 * MINUTE, 3 * DAY))  # a clock that runs ahead
        if kind < 0.55:
            return now - rng.randrange(1, 40 * DAY)
        if kind < 0.75:
            window, hop = rng.choice(WINDOWS)
            return now // max(hop, MINUTE) * max(hop, MINUTE) - rng.choice((0, 0, window)) + rng.choice((-1, 0, 1))
        return now - rng.randrange(1, 3 * 60 * MINUTE)

    def _values(self) -> dict[str, object]:
        rng = self.rng
        odd = (0.1, 0.2, 0.3, 1e-3, 3e10, -0.0, -0.0, -0.0, 0.0, 1e-9, float("nan"), None, 1e17, rng.choice((-1e17, float("inf"))))
        return {
            "customer_id": rng.choice((*UNITS, None)),
            "quantity": rng.choice((0, 1, 2, 3, 5, None, 2**62, -(2**62), 2**63 - 1, rng.randrange(1000))),
            "weight": rng.choice(odd) if rng.random() < 0.4 else round(rng.lognormvariate(0, 2), rng.choice((1, 3, 12))),
            "buyer": rng.choice(("x", "y", "z", "ü", "", None, "w")),
            "gift": rng.choice((True, False, None)),
            "due": rng.choice((None, instant(self.now + DAY))),
        }
