"""A small shop: orders of products, customers as they are now, payments asked about one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from everloop import Model, Source, days, every, hours, money

DAY = 86_400_000_000
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


class Learner:
    def fit(self, rows, truth):
        return self

    def predict(self, rows):
        return rows[:, 0]


@pytest.fixture
def shop():
    products = Source("products", id="product_id", columns={"brand": str, "price": money("EUR")})
    orders = Source(
        "orders", id="line_id", time="at", of=products, columns={"product_id": str, "customer_id": str, "quantity": int, "weight": float}
    )
    late = Source("orders", id="line_id", time="at", late=hours(6), columns={"product_id": str, "quantity": int})
    demand = Model(
        "demand",
        predicts=orders.total("quantity", next=days(7)),
        per="product_id",
        asked=every(days(7)),
        knows=[orders.total("quantity", last=[days(7), days(28)]), orders.count(last=days(7))],
        learner=Learner(),
    )
    return SimpleNamespace(products=products, orders=orders, late=late, demand=demand, learner=Learner(), start=START)
