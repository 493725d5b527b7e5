# ruff: noqa: N803 — X is what learners call it
"""A column of what a learner is fed, by name or by place, whatever form that has. No clock, no disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from everloop.errors import LearnerFailed
from everloop.stats.shapes import Floats
from everloop.training.feed import Fed

Column: TypeAlias = int | str


def place_of(X: Fed, column: Column, names: Sequence[str] | None = None) -> int:
    """The place of a column of X, from 0 on, by its name or place (below 0: from the end). ``names``: what the columns of plain numbers are
    called, where that is known. Raises LearnerFailed where there is none.

    >>> place_of(np.zeros((1, 2)), -1), place_of(np.zeros((1, 2)), "b", ["a", "b"])
    (1, 1)
    """
    known = list(names or ()) or names_of(X)
    if isinstance(column, str):
        if column in known:
            return known.index(column)
    elif -X.shape[1] <= column < X.shape[1]:
        return int(column % X.shape[1])
    there = f": {', '.join(known)}." if known else '. Of plain numbers say its place in knows (from 0), or say fed_as="arrow".'
    raise LearnerFailed(f"There is no column {column!r} in what the learner is fed{there}")


def column_at(X: Fed, place: int) -> Floats:
    """The column at a place as float64, empty as NaN.

    >>> column_at(np.array([[1.0, 2.0]]), 1)
    array([2.])
    """
    column = X[:, place] if isinstance(X, np.ndarray) else X.iloc[:, place] if hasattr(X, "iloc") else X.column(place)
    return np.asarray(column, dtype=np.float64)


def names_of(X: Fed) -> list[str]:
    """What the columns are called; plain numbers have no names."""
    if isinstance(X, np.ndarray):
        return []
    return list(X.column_names) if hasattr(X, "column_names") else [str(name) for name in X.columns]
