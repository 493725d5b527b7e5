"""A house of five tiny models, one of each kind of answer, with nothing in it yet; and a sixth asked about the rows of a source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from everloop import Model, Source, days, every, money, slipped
from everloop.loop.house import House, open_house
from everloop.loop.project_file import project_of
from everloop.project.conditions import at_least, quantiles
from everloop.settings import read_settings

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)

orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"product_id": str, "customer_id": str, "quantity": int, "price": money("EUR")},
    private="customer_id",
)
tickets = Source("tickets", id="ticket_id", time="opened_at", columns={"topic": str, "urgent": bool})
daily = every(days(1), at="00:00", zone="UTC")


class Mean:
    """Answers the average of what it learnt from."""

    def fit(self, X, y):
        self.mean = float(y.mean())
        return self

    def predict(self, X):
        return [self.mean] * len(X)


demand = Model(
    "demand",
    predicts=orders.total("quantity", next=days(1)),
    per="product_id",
    asked=daily,
    knows=orders.total("quantity", last=days(7)),
    learner=Mean(),
    retrain_when=slipped("mae", by=0.2),
    tell_when=[slipped("mae", by=0.3), at_least("errors", 0.2)],
    owner="shop",
)
leaves = Model(
    "leaves", predicts=orders.none(next=days(28)), per="customer_id", asked=daily, knows=orders.count(last=days(7)), learner=Mean()
)
likes = Model(
    "likes",
    predicts=orders.which("product_id", next=days(14), most=3),
    per="customer_id",
    asked=daily,
    candidates=orders.which("product_id", last=days(365), most=20),
    knows=orders.count(last=days(28), per="product_id"),
    learner=Mean(),
)
spread = Model(
    "spread",
    predicts=orders.total("quantity", next=days(1)),
    per=("product_id", "customer_id"),
    asked=daily,
    knows=orders.total("quantity", last=days(7)),
    learner=Mean(),
    answers=quantiles(0.1, 0.5, 0.9),
)
topics = Model("topics", predicts=tickets.outcome("topic"), per=tickets, knows=tickets.given("urgent"), learner=Mean())
MODELS = (demand, leaves, likes, spread, topics)


def house_at(folder, models=MODELS) -> House:
    """A house in this folder; opened twice it is the same one."""
    return open_house(project_of(*models), settings=read_settings(folder, house=folder / "house"))


def day(n: int) -> datetime:
    """The midnight so many days before NOW's day."""
    return NOW.replace(hour=0) - timedelta(days=n)
