"""A shop with fourteen troubles: its sources, its model, what happens on each day, and what each trouble does to a day. Seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor

from everloop import (
    Model,
    Source,
    always,
    beats_champion,
    calendar,
    canary,
    days,
    drifted,
    every,
    money,
    shadow,
    slipped,
    usual_volume,
    worse_than_champion,
)

Rows: TypeAlias = list[dict[str, Any]]
Day: TypeAlias = dict[str, Rows]
START, END = datetime(2025, 8, 25, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
PRODUCTS, KINDS = 60, ("food", "garden", "toys", "books")
PEAK = range(27, 31)
"""Days of October on which, every year, two and a half times as much is sold."""

orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"product_id": str, "quantity": int, "price": money("EUR"), "kind": str, "wait": float},
    must=[always("product_id"), always("price"), usual_volume()],
)
stock = Source("stock", id="count_id", time="counted_at", columns={"product_id": str, "available": int})
demand = Model(
    "demand",
    predicts=orders.total("quantity", next=days(1)),
    per="product_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    knows=[
        orders.total("quantity", last=[days(7), days(28)]),
        orders.latest("price"),
        orders.latest("kind"),
        orders.mean("wait", last=days(7)),
        stock.latest("available"),
        calendar("weekday"),
    ],
    learner=HistGradientBoostingRegressor(
        loss="poisson", max_iter=60, max_leaf_nodes=12, min_samples_leaf=60, categorical_features="from_dtype", early_stopping=False
    ),
    fed_as="pandas",
    learns_from=days(150),
    holdout=days(28),
    promote_when=beats_champion("wape", by=0.01),
    roll_out=[shadow(days(1)), canary(0.5, every=days(1))],
    roll_back_when=worse_than_champion("wape", by=0.05),
    retrain_when=slipped("wape", by=0.1),
    tell_when=drifted(),
    autonomy="act",
    owner="planning",
)


class Generous(RegressorMixin, BaseEstimator):
    """A harmful model: half as much again as a seventh of the last week."""

    def fit(self, rows: Any, truth: Any) -> Generous:
        """Learns nothing."""
        return self

    def predict(self, rows: Any) -> Any:
        """(n,) from the first column."""
        return np.nan_to_num(np.asarray(rows.iloc[:, 0], dtype=np.float64)) * 1.5 / 7


@dataclass(frozen=True)
class World:
    """What a day is made of. ``flip`` (0 to 1) turns the week over for food and garden, and doubles it for toys and books, so that as much
    is sold on each day as before; ``mix`` moves demand from garden and books to food.
    """

    flip: float = 0.0
    mix: float = 0.0
    peak: bool = False
    wait: float = 30.0
    pace: np.ndarray[Any, Any] = field(default_factory=lambda: np.random.default_rng(1).gamma(3.0, 0.6, PRODUCTS) + 0.8)

    def day(self, morning: datetime) -> Day:
        """Everything that happens on one day, in order of time; the same day of the same world is the same."""
        rng = np.random.default_rng(int(morning.timestamp()) // 86_400)
        weekend = morning.weekday() >= 5
        usual = 1.9 if weekend else 0.75
        turned = {"food": 0.5 if weekend else 1.25, "toys": 3.3 if weekend else 0.25}
        turned |= {"garden": turned["food"], "books": turned["toys"]}
        season = 2.5 if self.peak and morning.month == 10 and morning.day in PEAK else 1.0
        number = (morning - START).days
        found: Day = {"orders": [], "stock": []}
        for p in range(PRODUCTS):
            kind = KINDS[p % 4]
            moved = 1 + self.mix * {"food": 0.8, "garden": -0.5, "toys": 0.0, "books": -0.5}[kind]
            price = int(500 + 40 * p) * (1.2 if (number // 14 + p) % 5 == 0 else 1.0)
            rhythm = (1 - self.flip) * usual + self.flip * turned[kind]
            pace = self.pace[p] * rhythm * season * moved * (0.6 if (number // 14 + p) % 5 == 0 else 1.1)
            for n, second in enumerate(np.sort(rng.integers(0, 86_400, rng.poisson(pace)))):
                found["orders"].append(
                    {
                        "line_id": f"{number}-{p}-{n}", "ordered_at": morning + timedelta(seconds=int(second)), "product_id": f"p{p:02d}",
                        "quantity": int(rng.integers(1, 4)), "price": int(price), "kind": kind,
                        "wait": round(float(rng.normal(self.wait, 8)), 1),
                    }
                )  # fmt: skip
            count = {"count_id": f"{number}-{p}", "counted_at": morning + timedelta(hours=1), "product_id": f"p{p:02d}"}
            found["stock"].append(count | {"available": int(rng.poisson(40))})
        return found


@dataclass(frozen=True)
class Trouble:
    """What goes wrong, and what is right to do: ``action`` is data, retrain, undo, told, season or nothing; ``culprit`` is what has to be
    named first. ``world`` is what each day since is made of (days since the beginning), ``spoils`` what becomes of its rows on the way.
    """

    name: str
    action: str
    culprit: tuple[str, ...] = ()
    world: Callable[[int], World] = lambda since: World()
    spoils: Callable[[Day, int], Day] = lambda day, since: day
    deploys: bool = False


def _each(source: str, change: Callable[[dict[str, Any], int], dict[str, Any]]) -> Callable[[Day, int], Day]:
    return lambda day, since: day | {source: [change(row, n) for n, row in enumerate(day[source])]}


def _twice(day: Day, since: int) -> Day:
    return day | {"orders": sorted([*day["orders"], *(r | {"line_id": r["line_id"] + "b"} for r in day["orders"])], key=_at)}


def _at(row: dict[str, Any]) -> Any:
    return row["ordered_at"]


TROUBLES = (
    Trouble("null spike", "data", ("price",), spoils=_each("orders", lambda r, n: r | {"price": None if n % 10 < 6 else r["price"]})),
    Trouble("unit x100", "data", ("price",), spoils=_each("orders", lambda r, n: r | {"price": r["price"] * 100})),
    Trouble(
        "renamed category", "data", ("kind",), spoils=_each("orders", lambda r, n: r | {"kind": r["kind"].replace("food", "groceries")})
    ),
    Trouble("type change", "data", ("price", "orders"), spoils=_each("orders", lambda r, n: r | {"price": f"about {r['price']}"})),
    Trouble("frozen feature", "data", ("stock",), spoils=lambda day, since: day | {"stock": []}),
    Trouble("duplicate events", "data", ("orders",), spoils=_twice),
    Trouble("seasonal peak", "season", ("orders",), world=lambda since: World(peak=True)),
    Trouble("gradual drift", "retrain", world=lambda since: World(flip=min(1.0, since / 14))),
    Trouble("abrupt drift", "retrain", world=lambda since: World(flip=1.0)),
    Trouble("mix shift", "told", ("orders_quantity",), world=lambda since: World(mix=1.0)),
    Trouble("bad deploy", "undo", ("demand@",), deploys=True),
    Trouble("label outage", "data", ("orders",), spoils=lambda day, since: day | {"orders": []}),
    Trouble("drift of an unimportant feature", "nothing", world=lambda since: World(wait=38.0)),
    Trouble("no fault", "nothing"),
)
HISTORY = replace(World(), peak=True)
