"""Importance: how much each column moves the answers of a version. In: a predictor, rows. Out: shares that add up to one. No clock.

A column's values are dealt anew among the rows, and the answers held against those before: the mean difference is what the column moves.
No truth is asked for, so any learner, of whatever format, can be told, and nothing learnt by heart counts as knowledge.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from everloop.stats.shapes import Answers
from everloop.training.predictor import Answering

ROWS = 500  # a mean over so many rows is known to a few percent


def importance(predictor: Answering, table: pa.Table, *, seed: int) -> dict[str, float]:
    """The share of each column the predictor knows, of the newest ``ROWS`` rows of a training table; empty for lists, for no rows, and
    where no column moves anything.

    >>> from everloop.records import Shape
    >>> from everloop.training.feed import Feed
    >>> from everloop.training.predictor import Predictor
    >>> class Sum:
    ...     def predict(self, X):
    ...         return 3 * X[:, 0] + X[:, 1]
    >>> rows = pa.table({"a": [float(i % 7) for i in range(500)], "b": [float(i % 5) for i in range(500)], "c": [1.0] * 500})
    >>> found = importance(Predictor(Shape(kind="number"), Feed(("a", "b", "c")), Sum()), rows, seed=1)
    >>> max(found, key=found.get), round(sum(found.values()), 9), found["c"]
    ('a', 1.0, 0.0)
    """
    if predictor.shape.kind == "ranking" or not len(table):
        return {}
    rows = table.slice(max(0, len(table) - ROWS))
    before, rng = predictor.answer(rows), np.random.default_rng(seed)
    moved = {}
    for name in predictor.columns:
        if name not in rows.column_names:
            continue
        dealt = rows.column(name).take(pa.array(rng.permutation(len(rows))))
        moved[name] = _apart(before, predictor.answer(rows.set_column(rows.column_names.index(name), name, dealt)))
    total = sum(moved.values())
    return {name: one / total for name, one in moved.items()} if total > 0 else {}


def _apart(one: Answers, other: Answers) -> float:
    """The mean difference of two answers to the same questions, where both are answers."""
    left, right = (a.value[:, None] if a.values is None else a.values for a in (one, other))
    apart = np.abs(left - right)
    return float(apart[np.isfinite(apart)].mean()) if np.isfinite(apart).any() else 0.0
