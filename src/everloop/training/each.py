# ruff: noqa: N803 — X is what learners call it
"""One model for each product, shop or whatever a column names, and one of all together for whoever has too little of its own.

In: rows, one column of which says whose they are. Out: numbers. The models are learnt wherever the work under way is done
(``executor.here``), many in each piece, and are the same wherever that is. Reads no clock, touches no disk.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.errors import LearnerFailed
from everloop.stats.shapes import Floats
from everloop.training.columns import Column, place_of
from everloop.training.executor import here, map_in_batches
from everloop.training.feed import Fed

TOGETHER = 20
"""Models learnt in one piece of work: the journey of a piece costs milliseconds, as does a small model."""


@dataclass(eq=False)
class Each:
    """A copy of ``learner`` for each value of the column ``by`` (name or place) with at least ``least`` rows; it answers for that value.

    It sees the other columns. Whoever has fewer, or nobody has heard of, is answered by a copy that learnt all rows.
    Say ``fed_as="arrow"`` where the column is a category, such as ``orders.latest("product_id")`` of a model per product.

    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [2.0, 1.0]] * 3)
    >>> class Mean:
    ...     def fit(self, X, y):
    ...         self.mean_ = y.mean()
    ...         return self
    ...     def predict(self, X):
    ...         return np.full(len(X), self.mean_)
    >>> Each(Mean(), by=0, least=2).fit(X, X[:, 0] * 10).predict(np.array([[1.0, 0.0], [2.0, 0.0], [7.0, 0.0]]))
    array([10., 20., 15.])
    """

    learner: Any
    by: Column = 0
    least: int = 20

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """How it was made; ``deep``: the learner's own words as ``learner__…`` beside."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        if deep and hasattr(self.learner, "get_params"):
            found |= {f"learner__{name}": value for name, value in self.learner.get_params(deep=True).items()}
        return found

    def set_params(self, **words: Any) -> Self:
        """The same, made otherwise. Raises LearnerFailed for a parameter it has not."""
        inner = {name.removeprefix("learner__"): value for name, value in words.items() if name.startswith("learner__")}
        for name, value in words.items():
            if name.startswith("learner__"):
                continue
            if name not in ("learner", "by", "least"):
                raise LearnerFailed(f"Each has no parameter {name!r}. It has learner, by and least, and learner__… for the learner's own.")
            setattr(self, name, value)
        if inner:
            self.learner.set_params(**inner)
        return self

    def fit(self, X: Fed, y: Floats, sample_weight: Floats | None = None, names: Sequence[str] | None = None) -> Self:
        """Learn from X (n, columns) and y (n,). Raises LearnerFailed where there is no such column; what a learner raises is raised."""
        self.column_ = place_of(X, self.by, names)
        rows = {value: at for value, at in _rows_by(X, self.column_).items() if len(at) >= self.least}
        everybody, rest = np.arange(len(y)), _others(X, self.column_)
        parts = [(_taken(rest, at), y[at], None if sample_weight is None else sample_weight[at]) for at in (*rows.values(), everybody)]
        fitted = map_in_batches(here(), partial(_learnt, self.learner), parts, TOGETHER)
        self.models_, self.others_ = dict(zip(rows, fitted[:-1], strict=True)), fitted[-1]
        return self

    def predict(self, X: Fed) -> Floats:
        """Numbers (n,) for X (n, columns), each by the model of whose row it is."""
        found, rest = np.full(len(X), np.nan), _others(X, self.column_)
        others: list[NDArray[np.int64]] = []
        for value, at in _rows_by(X, self.column_).items():
            if value in self.models_:
                found[at] = self.models_[value].predict(_taken(rest, at))
            else:
                others.append(at)
        if others:
            at = np.sort(np.concatenate(others))
            found[at] = self.others_.predict(_taken(rest, at))
        return found


def _learnt(learner: Any, given: tuple[Fed, Floats, Floats | None]) -> Any:
    rows, truth, weight = given
    made = copy.deepcopy(learner)
    if weight is None:
        made.fit(rows, truth)
    else:
        made.fit(rows, truth, sample_weight=weight)
    return made


def _rows_by(X: Fed, place: int) -> dict[str, NDArray[np.int64]]:
    """The places of each value's rows, by the value as text; what is empty is a value, too."""
    if isinstance(X, np.ndarray):
        column = X[:, place]
    elif isinstance(X, pa.Table):
        held = X.column(place)
        column = np.array((held.cast(held.type.value_type) if pa.types.is_dictionary(held.type) else held).to_pylist(), dtype=object)
    else:
        column = np.asarray(X.iloc[:, place], dtype=object)
    values, code = np.unique(column.astype(str), return_inverse=True)
    order = np.argsort(code, kind="stable")
    return dict(zip(values.tolist(), np.split(order, np.cumsum(np.bincount(code, minlength=len(values)))[:-1]), strict=True))


def _others(X: Fed, place: int) -> Fed:
    """The other columns; as plain numbers where they are, since many learners know nothing else."""
    if isinstance(X, np.ndarray):
        return np.delete(X, place, axis=1)
    if not isinstance(X, pa.Table):
        return X.drop(columns=X.columns[place])
    rest = X.remove_column(place)
    if any(not pa.types.is_floating(column.type) and not pa.types.is_integer(column.type) for column in rest.schema):
        return rest
    return np.column_stack([np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64) for column in rest.columns])


def _taken(X: Fed, at: NDArray[np.int64]) -> Fed:
    return X[at] if isinstance(X, np.ndarray) else X.take(pa.array(at)) if isinstance(X, pa.Table) else X.iloc[at]
