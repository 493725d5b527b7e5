"""A training set put together by parts of the units is, to the last byte, the one put together in one piece; wherever its events lie."""

from __future__ import annotations

import importlib
import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop import Model, Source, days, every
from everloop.features import cut as cutting
from everloop.features.as_of import as_of
from everloop.features.cut import cut_into_files, cut_of, cut_up
from everloop.features.moments import ALWAYS, micros
from everloop.features.parts import as_of_parts
from everloop.testing.plain import Said, event_table
from everloop.testing.projects.happenings import HAPPENINGS

END = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 86_400_000_000
CUT = {"churn": {"orders", "customers"}, "recommend": set()}
"""Of which sources each part holds its units' rows alone."""


def elsewhere(fn, items):
    """As an executor maps: everything travels, nothing is shared."""
    return [pickle.loads(pickle.dumps(fn))(pickle.loads(pickle.dumps(item))) for item in items]


def in_one(model, tables, **words):
    bodies = []
    return as_of(model, tables, now=END, id="ts", save=lambda body: bodies.append(body) or "sha", **words), bodies[0]


def by_parts(model, tables, count=3, parts=None, **words):
    bodies, cut = [], cut_of(model, count)
    record = as_of_parts(
        model, cut, parts or cut_up(model, cut, tables), mapped=elsewhere, now=END, id="ts",
        save=lambda body: bodies.append(body) or "sha", **words,
    )  # fmt: skip
    return record, bodies[0]


def happened(kind):
    project = importlib.import_module(f"everloop.testing.projects.{kind}")
    model = next(word for word in vars(project).values() if isinstance(word, Model))
    rows = HAPPENINGS[kind](END)
    return model, {s.name: event_table(s, [said(s, row) for row in rows[s.name]]) for s in model.sources}


def said(source, row):
    at = micros(row[source.time[0]]) if source.time else ALWAYS
    values = {name: micros(value) if isinstance(value, datetime) else value for name, value in row.items()}
    return Said("\x1f".join(str(row[c]) for c in source.id), 0, at, at, values)


@pytest.mark.parametrize("kind", ["churn", "recommend"])
def test_parts_of_a_tiny_project_give_the_bytes_that_one_piece_gives(kind):
    model, tables = happened(kind)
    assert cut_of(model, 2).sources == CUT[kind]
    assert by_parts(model, tables) == in_one(model, tables)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shop", "fraud"])
def test_parts_of_every_project_give_the_bytes_that_one_piece_gives(kind):
    model, tables = happened(kind)
    assert by_parts(model, tables, 5, max_questions=500, seed=3) == in_one(model, tables, max_questions=500, seed=3)


def test_rows_without_a_time_are_looked_at_together():
    assert cut_of(happened("price")[0], 4) is None


# -- rows that come again, about somebody else --


class Learner:
    def fit(self, rows, truth):
        return self

    def predict(self, rows):
        return rows[:, 0]


products = Source("products", id="product_id", columns={"brand": str})
orders = Source("orders", id="line_id", time="at", of=products, columns={"product_id": str, "quantity": int})
returns = Source("returns", id="return_id", time="at", columns={"product_id": str, "line_id": str, "quantity": int})
DEMAND = Model(
    "demand",
    predicts=orders.total("quantity", next=days(3)),
    per="product_id",
    asked=every(days(1)),
    knows=[
        orders.total("quantity", last=[days(2), days(9)]),
        orders.total("quantity", last=days(9), per="brand"),
        orders.count(last=days(5), per=()),
        returns.latest("quantity"),
    ],
    learner=Learner(),
)
# One source of each kind: cut, whole because it is also read by brand, whole because it is a parent.
RETURNED = Model(
    "returned",
    predicts=returns.total("quantity", next=days(3)),
    per="product_id",
    asked=every(days(1)),
    knows=[returns.count(last=days(5)), orders.count(last=days(5), per="brand")],
    learner=Learner(),
)
units = st.sampled_from(["p1", "p2", "p3", "p4", "p5", None])
lines = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3), units, st.integers(0, 30), st.integers(0, 4), st.booleans()), max_size=40)


def lived(rows, returned):
    """Lines and returns, some of them corrected, late, about another product than before, or taken back."""
    start = micros(END) - 40 * DAY

    def events(source, said, more):
        once = {(f"{source.name}{n}", version): (unit, at, late, gone) for n, version, unit, at, late, gone in said}
        return [
            Said(
                id, version, start + at * DAY + version, start + (at + late) * DAY + version * 7,
                {"product_id": unit, "quantity": at + version, **more}, deleted=gone and version > 0,
            )
            for (id, version), (unit, at, late, gone) in once.items()
        ]  # fmt: skip

    named = [Said(f"p{n}", 0, ALWAYS, start, {"product_id": f"p{n}", "brand": f"b{n % 2}"}) for n in range(1, 5)]
    tables = {"products": event_table(products, named)}
    tables |= {
        "orders": event_table(orders, events(orders, rows, {})),
        "returns": event_table(returns, events(returns, returned, {"line_id": "x"})),
    }
    return tables


@settings(max_examples=5, deadline=None)
@given(lines, lines, st.integers(1, 6), st.sampled_from([DEMAND, RETURNED]), st.sampled_from([None, 40]))
def test_rows_corrected_to_be_about_another_unit_are_in_the_parts_of_both(rows, returned, count, model, at_most):
    tables = lived(rows, returned)
    assert by_parts(model, tables, count, max_questions=at_most) == in_one(model, tables, max_questions=at_most)


MOVES = [(1, 0, "p1", 5, 0, False), (1, 1, "p2", 6, 3, False), *((n, 0, f"p{n % 5 + 1}", n, 0, False) for n in range(2, 30))]


def test_parts_that_part_the_versions_of_a_row_would_be_noticed(monkeypatch):
    tables = lived([], MOVES)
    assert by_parts(RETURNED, tables, 6) == in_one(RETURNED, tables)
    own = "SELECT part, row_at FROM ({})"
    monkeypatch.setattr(cutting, "_places", lambda *given: own.format(cutting._placed(*given[:4], f"e.{given[4]} AS row_at, ")))
    assert by_parts(RETURNED, tables, 6) != in_one(RETURNED, tables)


def test_a_source_also_read_by_something_else_is_whole_in_every_part():
    assert cut_of(DEMAND, 4).sources == {"returns"}
    assert cut_of(RETURNED, 4).sources == {"returns"}


def test_truths_that_somebody_told_go_to_the_part_of_their_unit():
    tables = lived([], MOVES)
    start = micros(END) - 40 * DAY
    told = pa.table(
        {"moment": [start + 8 * DAY, start + 9 * DAY + 5, start + 9 * DAY], "unit": ["p1", "p9", "p2"], "truth": [77.0, 5.0, None],
         "void": [False, False, True]}
    )  # fmt: skip
    record, body = in_one(RETURNED, tables, told=told)
    assert by_parts(RETURNED, tables, 4, told=told) == (record, body)
    assert record.void == 1


@pytest.mark.parametrize("rows", [MOVES, MOVES[2:], []])
def test_parts_in_files_are_read_as_those_in_memory(tmp_path, rows):
    tables, cut = lived(MOVES, rows), cut_of(RETURNED, 4)
    events = {name: (lambda table=table: table) for name, table in tables.items()}
    parts = cut_into_files(RETURNED, cut, events, tmp_path / "parts", schemas={n: t.schema for n, t in tables.items()}, memory="200MB")
    for part, held in zip(parts, cut_up(RETURNED, cut, tables), strict=True):
        assert {n: t.combine_chunks() for n, t in part.tables().items()} == {n: t.combine_chunks() for n, t in held.tables().items()}
    assert by_parts(RETURNED, tables, 4, parts) == in_one(RETURNED, tables)


@pytest.mark.slow
def test_a_table_longer_than_a_batch_of_the_engine_gives_the_same_bytes():
    rng = np.random.default_rng(0)
    start = micros(END) - 300 * DAY
    rows = [
        Said(f"r{n}", 0, start + int(at), start + int(at), {"product_id": f"p{unit}", "line_id": "x", "quantity": int(unit) % 7})
        for n, (at, unit) in enumerate(zip(np.sort(rng.integers(0, 290 * DAY, 30_000)), rng.integers(0, 600, 30_000), strict=True))
    ]
    tables = lived([], []) | {"returns": event_table(returns, rows)}
    record, body = in_one(RETURNED, tables)
    assert record.rows > 122_880
    assert by_parts(RETURNED, tables, 4) == (record, body)


def test_a_change_that_leaves_little_is_judged_alike():
    tables = lived([], MOVES)
    since = END - timedelta(days=25)
    assert by_parts(RETURNED, tables, 3, learn_from=since) == in_one(RETURNED, tables, learn_from=since)
