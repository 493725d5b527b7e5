"""The five tiny projects have training sets worth learning from, and live rows that are their training rows."""

from __future__ import annotations

import importlib
import io
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from everloop import Model
from everloop.features.as_of import as_of, live
from everloop.features.moments import ALWAYS, micros
from everloop.testing.plain import Said, event_table
from everloop.testing.projects.happenings import HAPPENINGS

END = datetime(2026, 6, 1, tzinfo=UTC)


def said(source, number, row):
    at = micros(row[source.time[0]]) if source.time else ALWAYS
    values = {name: micros(value) if isinstance(value, datetime) else value for name, value in row.items()}
    return Said("\x1f".join(str(row[c]) for c in source.id), 0, at, at, values)


@pytest.mark.parametrize("kind", sorted(HAPPENINGS))
def test_a_tiny_project_can_be_learnt_from(kind):
    project = importlib.import_module(f"everloop.testing.projects.{kind}")
    model = next(word for word in vars(project).values() if isinstance(word, Model))
    happened, bodies = HAPPENINGS[kind](END), []
    tables = {s.name: event_table(s, [said(s, i, row) for i, row in enumerate(happened[s.name])]) for s in model.sources}
    record = as_of(model, tables, now=END, id="ts", save=lambda body: bodies.append(body) or "sha")
    table = pq.read_table(io.BytesIO(bodies[0]))
    assert record.rows == table.num_rows > 1000
    assert record.learn_rows > 3 * record.judge_rows / 2 > 150
    assert table["truth"].null_count == 0
    assert {len(set(table[name].to_pylist()[:3000])) > 1 for name in model.columns} == {True}
    found = live(model, tables, moment=END)
    assert found.num_rows > 30
    assert found.column_names == [
        name for name in table.column_names if name not in ("truth", "relevant", "before") and not name.startswith("group:")
    ]
