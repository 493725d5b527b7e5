"""Small made-up training tables for the tests of this folder: seeded, in the form of docs/training.md."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from everloop import Model, Source, days, every
from everloop.clock import from_microseconds, microseconds
from everloop.records import TrainingSet

DAY = 86_400_000_000
START = datetime(2026, 1, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 2, tzinfo=UTC)

orders = Source("orders", id="line_id", time="ordered_at", columns={"product_id": str, "quantity": int, "price": float, "kind": str})


class Shelf:
    """Blobs in a dict."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def save(self, body: bytes) -> str:
        sha = hashlib.sha256(body).hexdigest()
        self.bodies[sha] = body
        return sha

    def open(self, sha: str) -> bytes:
        return self.bodies[sha]


def number(learner, **words):
    """A model of a number with two numeric features."""
    said = {
        "predicts": orders.total("quantity", next=days(7)),
        "per": "product_id",
        "asked": every(days(1)),
        "knows": [orders.total("quantity", last=days(7)), orders.latest("price")],
        "learner": learner,
    }
    return Model("demand", **(said | words))


def never_empty(learner, **words):
    """A model of a number whose features are never empty, for learners that take no NaN."""
    return number(learner, knows=orders.total("quantity", last=[days(7), days(28)]), **words)


def chance(learner, make=number, **words):
    return make(learner, predicts=orders.none(next=days(7)), **words)


def shares(learner, **words):
    return number(learner, predicts=orders.outcome("kind"), per=orders, asked=None, knows=orders.given("quantity", "price"), **words)


def ranking(learner, **words):
    pair = ["customer_id", "product_id"]
    lines = Source("lines", id="line_id", time="ordered_at", columns={"customer_id": str, "product_id": str})
    return Model(
        "recommend",
        predicts=lines.which("product_id", next=days(7), most=3),
        per="customer_id",
        asked=every(days(7)),
        candidates=lines.which("product_id", last=days(91), most=20),
        knows=[lines.count(last=days(28), per=pair), lines.count(last=days(28), per="product_id")],
        learner=learner,
        **words,
    )


def table_of(model, rows=300, seed=0, empty=True):
    """Rows of a model's training table: the truth follows the first feature; every tenth second feature is empty."""
    rng = np.random.default_rng(seed)
    if model.kind == "ranking":
        return _candidates(model, rows // 6, rng)
    first, second = rng.gamma(2.0, 3.0, rows), rng.normal(size=rows)
    if empty:
        second[::10] = np.nan
    moments = microseconds(START) + np.sort(rng.integers(0, 60, rows)) * DAY
    columns = {
        "question": np.arange(rows),
        "moment": moments,
        "unit": [f"p{i}" for i in rng.integers(0, 20, rows)],
        model.columns[0]: first,
        model.columns[1]: pa.array(second, from_pandas=True),
    }
    if model.kind == "chance":
        truth = (rng.random(rows) < 1 / (1 + np.exp(first - 5))).astype(float)
        past = np.where(rng.random(rows) < 0.7, truth, 1 - truth)
    elif model.kind == "shares":
        truth, past = np.array(["a", "b", "c"])[np.digitize(first + rng.normal(size=rows), [3, 7])], None
    else:
        truth, past = first * 2 + rng.normal(size=rows), first * 2.2
    columns |= {"truth": truth, "group:region": rng.choice(["north", "south"], rows)}
    if past is not None:
        columns["baseline"] = past
    return pa.table(columns)


def _candidates(model, questions, rng):
    found = {n: [] for n in ("question", "moment", "unit", *model.columns, "item", "relevant", "truth", "baseline", "group:region")}
    for q in range(questions):
        bought = rng.poisson(2.0, 6)
        liked = [f"i{i}" for i in range(6) if rng.random() < bought[i] / 6]
        for i in range(6):
            values = (q, microseconds(START) + q * DAY, f"c{q % 9}", float(bought[i]), float(6 - i), f"i{i}", float(f"i{i}" in liked))
            for name, value in zip(found, (*values, liked, ["i0", "i1"], "north"), strict=True):
                found[name].append(value)
    return pa.table(found)


def training_set_of(table, learn=0.7, gap=0.1):
    """The record beside a table: the first 70 % of the moments are learnt from, the last 20 % are the holdout."""
    moments = table.column("moment").to_numpy()
    first, last = (from_microseconds(int(m)) for m in (moments.min(), moments.max())) if len(moments) else (START, START)
    span = last - first + timedelta(microseconds=1)
    until, since = first + learn * span, first + (learn + gap) * span
    return TrainingSet(
        id="set1",
        made_at=NOW,
        model="demand",
        body="",
        columns=(),
        rows=len(table),
        learn_rows=int((moments < microseconds(until)).sum()),
        judge_rows=int((moments >= microseconds(since)).sum()),
        first_at=first,
        learn_until=until,
        judge_from=since,
        last_at=last,
        truths_known_at=NOW,
    )
