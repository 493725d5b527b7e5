"""Small made-up traffic, questions and predictors for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from everloop import Model, Source, days, every, yes_above
from everloop.records import Shape, Traffic
from everloop.stats.shapes import Answers

NOW = datetime(2026, 11, 2, 6, tzinfo=UTC)
DAY = 86_400_000_000

people = Source("people", id="person_id", columns={"name": str}, private="name")
orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"product_id": str, "quantity": int, "kind": str, "customer": str},
    private="customer",
)


class Learner:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]


def demand(**words):
    said = {
        "predicts": orders.total("quantity", next=days(7)),
        "per": "product_id",
        "asked": every(days(1)),
        "knows": [orders.total("quantity", last=days(7)), orders.latest("kind"), orders.latest("customer")],
        "learner": Learner(),
        "fed_as": "pandas",
    }
    return Model("demand", **(said | words))


def churn():
    return demand(predicts=orders.none(next=days(7)), answers=yes_above(0.5))


class Says:
    """Answers the first feature plus something; raises or answers NaN where the unit's number says so."""

    def __init__(self, shape=None, plus=0.0, raises=(), nan=()):
        self.shape, self.plus, self.raises, self.nan, self.asked = shape or Shape(kind="number"), plus, set(raises), set(nan), []

    columns = ("orders_quantity_total_last_7d",)

    def answer(self, features):
        value = features.column(self.columns[0]).to_numpy().astype(float)
        self.asked.append(len(value))
        if self.raises & set(value.tolist()):
            raise ValueError("no such luck")
        given = np.where(np.isin(value, list(self.nan)), np.nan, value + self.plus)
        return Answers(self.shape, given)


class Gives:
    """Answers what it was made with."""

    columns = ()

    def __init__(self, answers):
        self.answers, self.shape = answers, answers.shape

    def answer(self, features):
        return self.answers


def traffic(stage="steady", champion="v1", candidate=None, previous=None, share=0.0):
    return Traffic(
        id="t1",
        made_at=NOW,
        model="demand",
        generation=1,
        stage=stage,
        champion=champion,
        candidate=candidate,
        previous=previous,
        share=share,
        since=NOW,
        salt="s",
    )


def asked(count=6, moment=DAY):
    """As many questions about products 0, 1, 2 …; the first feature is the product's number."""
    units = [f"p{i}" for i in range(count)]
    questions = pa.table({"question": range(count), "moment": [moment] * count, "product_id": units})
    features = pa.table(
        {
            "question": range(count),
            "orders_quantity_total_last_7d": np.arange(count, dtype=float),
            "orders_kind_latest": ["tea"] * count,
            "orders_customer_latest": ["Ann"] * count,
        }
    )
    return questions, features


def everybody_champion(_unit, _traffic):
    return "champion"


def odd_ones_to_the_candidate(unit, _traffic):
    return "candidate" if int(unit[1:]) % 2 else "champion"
