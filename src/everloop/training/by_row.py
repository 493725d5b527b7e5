"""A predictor that is asked row by row: warmed up, and how long one answer takes. In: what answers. Out: the same, by row."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from everloop.clock import monotonic
from everloop.stats.shapes import Answers
from everloop.training.predictor import Answering, Predictor, answers_of
from everloop.training.single import One

WARMING = 5
"""Times a predictor is asked before it serves; a slow one less often."""
LONG = 0.05
"""Seconds after which it has been warmed up enough."""


@dataclass(frozen=True)
class ByRow:
    """The ``columns`` a predictor reads, what it says of ``one`` row of them, and how many ``seconds`` that takes."""

    columns: tuple[str, ...]
    one: One
    seconds: float


def by_row(answering: Answering, tried: pa.Table | None = None) -> ByRow | None:
    """A predictor warmed up to be asked row by row: by its own ``one`` where it has it, else by a table of one row; None where that would
    not be all it reads. ``tried``: rows it is known to answer, by which it is timed; one that answers none takes for ever.

    >>> from everloop.records import Shape
    >>> from everloop.training.feed import Feed
    >>> class Double:
    ...     def predict(self, X):
    ...         return 2 * X[:, 0]
    >>> by_row(Predictor(Shape(kind="number"), Feed(("price",)), Double())).one([2.5])
    (5.0, ())
    """
    one: One | None = getattr(answering, "one", None)
    if one is None and isinstance(answering, Predictor):
        one = _as_numbers(answering) if answering.fed_as == "numbers" else _through_a_table(answering)
    if one is None:
        return None
    rows: list[list[object]] = []
    if tried is not None and set(answering.columns) <= set(tried.column_names):
        rows = [[row[name] for name in answering.columns] for row in tried.slice(0, WARMING).to_pylist()]
    took, first = float("inf"), monotonic()
    for at in range(WARMING):
        began = monotonic()
        if began - first > LONG:
            break
        with suppress(Exception):  # some learners refuse what is empty; that took no time, and says nothing
            one(rows[at % len(rows)] if rows else [None] * len(answering.columns))
            took = min(took, monotonic() - began)
    return ByRow(answering.columns, one, took)


def _as_numbers(predictor: Predictor) -> One:
    nothing_beside = pa.table({"question": [0]})

    def one(row: Sequence[object]) -> tuple[float, tuple[float, ...]]:
        fed = np.array([row], dtype=np.float64)
        return _said(answers_of(predictor.shape, predictor.fitted, fed, nothing_beside))

    return one


def _through_a_table(predictor: Predictor) -> One:
    words = {*predictor.vocabulary, *predictor.feed.texts}
    kinds = [(name, pa.string() if name in words else pa.float64()) for name in predictor.columns]

    def one(row: Sequence[object]) -> tuple[float, tuple[float, ...]]:
        columns = [pa.array([value], kind) for value, (_, kind) in zip(row, kinds, strict=True)]
        return _said(predictor.answer(pa.table(columns, names=[name for name, _ in kinds])))

    return one


def _said(answers: Answers) -> tuple[float, tuple[float, ...]]:
    return float(answers.value[0]), () if answers.values is None else tuple(answers.values[0].tolist())
