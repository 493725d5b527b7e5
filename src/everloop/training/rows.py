"""The rows a learner learns from: features, truths, and what a function learner may want to know beside them. No clock, no disk."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.errors import LearnerFailed
from everloop.records import Shape, TrainingSet
from everloop.training.feed import Fed, Feed, fed, numbers

ERASED = b"everloop erased"
"""Under this name a training set says how many of its rows were erased since it was made, of those to learn from and those to judge by."""


@dataclass(frozen=True)
class Rows:
    """What a learner learns from, by moment, then unit.

    ``X`` is float64 (n, columns), a pyarrow.Table or a pandas.DataFrame, as the model's ``fed_as`` says; ``y`` (n,) is float64, 0/1 for
    chances and candidates of a list, str for classes; ``moments`` (n,) int64 µs UTC; ``groups`` the number of rows of each question
    and ``items`` (n,) the candidate of each row, for lists only; ``champion`` the fitted object that answers today, for learners that go
    on from it.
    """

    X: Fed
    y: NDArray[Any]
    names: tuple[str, ...]
    moments: NDArray[np.int64]
    units: NDArray[np.object_]
    groups: NDArray[np.int64] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    champion: Any = None
    weights: NDArray[np.float64] | None = None
    items: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.y)


def rows_of(
    table: pa.Table, shape: Shape, feed: Feed, *, seed: int = 0, settings: Mapping[str, object] | None = None, champion: Any = None
) -> Rows:
    """The rows of a training table (docs/training.md) as a learner of this shape is fed them.

    >>> table = pa.table({"moment": [0, 1], "unit": ["a", "b"], "price": [1.0, 2.0], "truth": [3.0, 4.0]})
    >>> rows_of(table, Shape(kind="number"), Feed(("price",))).y
    array([3., 4.])
    """
    return Rows(
        X=fed(table, feed),
        y=truth_of(table, shape),
        names=feed.columns,
        moments=table.column("moment").to_numpy().astype(np.int64),
        units=np.array(table.column("unit").to_pylist(), dtype=object),
        groups=group_sizes(table) if shape.kind == "ranking" else None,
        items=np.array(table.column("item").to_pylist(), dtype=object)
        if shape.kind == "ranking" and "item" in table.column_names
        else None,
        settings=dict(settings or {}),
        seed=seed,
        champion=champion,
    )


def truth_of(table: pa.Table, shape: Shape) -> NDArray[Any]:
    """What a learner of this shape is to hit, row by row. Raises LearnerFailed where a chance's truth is neither 0 nor 1."""
    if shape.kind == "shares":
        return np.array(table.column("truth").to_pylist(), dtype=object)
    name = "relevant" if shape.kind == "ranking" else "truth"
    y = numbers(table.column(name), name)
    if shape.kind in ("chance", "ranking") and not np.isin(y[~np.isnan(y)], (0.0, 1.0)).all():
        raise LearnerFailed(
            f"{name} holds {y[~np.isin(y, (0.0, 1.0))][0]:g}, and a chance comes true (1) or does not (0). Predict a yes or no."
        )
    return y


def learnable(table: pa.Table, training_set: TrainingSet, shape: Shape, learn_from: datetime | None = None) -> pa.Table:
    """The rows that may be learnt from: before the gap, not before ``learn_from``, with a truth; each question's rows together."""
    until = training_set.learn_until
    if until is None:
        part = table.slice(0, training_set.learn_rows - _erased(table)[0])
    else:
        part = table.filter(pc.less(table.column("moment"), microseconds(until)))
    if learn_from is not None:
        part = part.filter(pc.greater_equal(part.column("moment"), microseconds(learn_from)))
    truth = part.column("relevant" if shape.kind == "ranking" else "truth")
    there = pc.is_valid(truth)
    if pa.types.is_floating(truth.type):
        there = pc.and_(there, pc.invert(pc.fill_null(pc.is_nan(truth), True)))
    return together(part.filter(there))


def holdout(table: pa.Table, training_set: TrainingSet) -> pa.Table:
    """The rows both sides are judged on: from ``judge_from`` on."""
    since = training_set.judge_from
    if since is None:
        part = table.slice(len(table) - (training_set.judge_rows - _erased(table)[1]))
    else:
        part = table.filter(pc.greater_equal(table.column("moment"), microseconds(since)))
    return together(part)


def together(table: pa.Table) -> pa.Table:
    """The same rows with each question's rows side by side; nothing moves where they already are."""
    if "question" not in table.column_names or not len(table):
        return table
    asked = table.column("question").to_numpy()
    starts = np.flatnonzero(np.r_[True, asked[1:] != asked[:-1]])
    if len(np.unique(asked[starts])) == len(starts):
        return table
    first = {q: at for at, q in reversed(list(enumerate(asked.tolist())))}
    return table.take(pa.array(np.argsort([first[q] for q in asked.tolist()], kind="stable")))


def _erased(table: pa.Table) -> list[int]:
    """How many rows to learn from, and how many to judge by, were erased from a training set since it was made."""
    said: list[int] = json.loads((table.schema.metadata or {}).get(ERASED, b"[0,0]"))
    return said


def first_rows(table: pa.Table) -> NDArray[np.int64]:
    """The position of the first row of each answer: of each question, where the table says it, and of each ``step`` of a path.

    >>> first_rows(pa.table({"question": [4, 4, 7]})).tolist()
    [0, 2]
    >>> first_rows(pa.table({"question": [4, 4, 7], "step": [1, 2, 1]})).tolist()
    [0, 1, 2]
    """
    return np.arange(len(table)) if "step" in table.column_names else first_of_questions(table)


def first_of_questions(table: pa.Table) -> NDArray[np.int64]:
    """The position of each question's first row, whatever its steps; every row is its own question where the table does not say.

    >>> first_of_questions(pa.table({"question": [4, 4, 7], "step": [1, 2, 1]})).tolist()
    [0, 2]
    """
    if "question" not in table.column_names:
        return np.arange(len(table))
    asked = table.column("question").to_numpy()
    return np.flatnonzero(np.r_[True, asked[1:] != asked[:-1]]) if len(asked) else np.zeros(0, dtype=np.int64)


def group_sizes(table: pa.Table) -> NDArray[np.int64]:
    """How many rows each answer is made from, in order.

    >>> group_sizes(pa.table({"question": [4, 4, 7]})).tolist()
    [2, 1]
    """
    return np.diff(np.append(first_rows(table), len(table))).astype(np.int64)


def shape_of(shape: Shape, table: pa.Table) -> Shape:
    """The shape with the labels these rows hold, sorted, where the project file leaves them open.

    >>> shape_of(Shape(kind="shares"), pa.table({"truth": ["b", "a", "b"]})).labels
    ('a', 'b')
    """
    if shape.kind != "shares" or shape.labels:
        return shape
    return replace(shape, labels=tuple(sorted(v for v in pc.unique(table.column("truth")).to_pylist() if v is not None)))


def parameters(verb: Any) -> frozenset[str]:
    """What a verb of a learner asks to be told, by name; nothing where it does not say.

    >>> sorted(parameters(lambda X, group: X))
    ['X', 'group']
    """
    try:
        return frozenset(inspect.signature(verb).parameters)
    except (TypeError, ValueError):
        return frozenset()
