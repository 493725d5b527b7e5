"""Answers and truths as arrays, in the four shapes; and two models' answers to the same questions. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.records import Shape

Floats: TypeAlias = NDArray[np.float64]
Strings: TypeAlias = NDArray[np.object_]


@dataclass(frozen=True)
class Answers:
    """``n`` answers of one shape. NaN in ``value`` (or no items) means: no answer.

    number, chance: ``value`` (n,). shares: ``values`` (n, labels), ``value`` the largest share. quantiles: ``values`` (n, levels),
    ``value`` the level nearest to 0.5. ranking: ``items`` and ``scores``, best first, ``value`` the count. Answers in several steps
    (``paths``) have ``values`` (n, steps x what one step has), step by step, and as ``value`` the sum over steps, of chances the mean.
    ``beside`` (n,) each: what was known of the question, where a measure asks for it (money, a user's own figure). ``scale``
    (n,), where it is known: how far the naive forecast of each unit usually lay from the truth, for MASE.
    """

    shape: Shape
    value: Floats
    values: Floats | None = None
    items: tuple[tuple[str, ...], ...] | None = None
    scores: tuple[tuple[float, ...], ...] | None = None
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scale: Floats | None = None

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: NDArray[Any]) -> Answers:
        """The answers at these positions, or where a boolean mask holds."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            value=self.value[rows],
            values=None if self.values is None else self.values[rows],
            items=None if self.items is None else tuple(self.items[i] for i in rows),
            scores=None if self.scores is None else tuple(self.scores[i] for i in rows),
            beside={name: values[rows] for name, values in self.beside.items()},
            scale=None if self.scale is None else self.scale[rows],
        )

    def to_arrow(self) -> pa.StructArray:
        """As a struct column ``{value, values, items}``, the one form answers have in every table."""
        n = len(self)
        values = self.scores if self.items is not None else (self.values.tolist() if self.values is not None else [[]] * n)
        return pa.StructArray.from_arrays(
            [
                pa.array(self.value, pa.float64(), from_pandas=True),
                pa.array(values, pa.list_(pa.float64())),
                pa.array(self.items if self.items is not None else [[]] * n, pa.list_(pa.string())),
            ],
            names=["value", "values", "items"],
        )

    @staticmethod
    def from_arrow(shape: Shape, column: pa.StructArray | pa.ChunkedArray) -> Answers:
        """The answers a struct column of ``to_arrow`` holds."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        value = column.field("value").to_numpy(zero_copy_only=False).astype(np.float64)
        if shape.kind in ("number", "chance") and shape.steps == 1:
            return Answers(shape, value)
        listed = column.field("values").to_pylist()
        if shape.kind == "ranking":
            items = tuple(tuple(i or ()) for i in column.field("items").to_pylist())
            return Answers(shape, value, items=items, scores=tuple(tuple(v or ()) for v in listed))
        width = len(shape.labels) if shape.kind == "shares" else shape.steps * max(1, len(shape.levels))
        rows = [v if v else [np.nan] * width for v in listed]
        return Answers(shape, value, values=np.array(rows, dtype=np.float64).reshape(len(value), width))


def of_a_step(shape: Shape) -> Shape:
    """What one step of an answer looks like."""
    return shape if shape.steps == 1 else replace(shape, steps=1)


def middle_of(shape: Shape) -> int:
    """Which of the levels is nearest to 0.5."""
    return int(np.argmin(np.abs(np.array(shape.levels) - 0.5)))


def paths(answers: Answers, steps: int) -> Answers:
    """Answers to single steps, those of one question side by side, as one answer for each question.

    Raises ValueError where they are not so many for each.

    >>> found = paths(Answers(Shape(kind="number"), np.array([1.0, 2.0, 5.0, 6.0])), 2)
    >>> found.value, found.values.tolist()
    (array([ 3., 11.]), [[1.0, 2.0], [5.0, 6.0]])
    """
    if steps == 1:
        return answers
    if len(answers) % steps:
        raise ValueError(f"{len(answers)} answers are not {steps} for each question")
    by_step = answers.value.reshape(-1, steps)
    values = (answers.value if answers.values is None else answers.values).reshape(len(by_step), -1)
    value = by_step.mean(axis=1) if answers.shape.kind == "chance" else by_step.sum(axis=1)
    return Answers(replace(answers.shape, steps=steps), value, values=values)


@dataclass(frozen=True)
class Paired:
    """Two models' answers to the same questions, with the truth: float64 (NaN: not known), str for shares, tuples of items for rankings.

    ``units`` (n,) strings, ``moments`` (n,) int64 µs UTC; ``groups`` maps a fair_across reading's name to (n,) strings, ``rivals`` the
    name of a simple rule to what it would have answered.
    """

    units: Strings
    moments: NDArray[np.int64]
    truth: NDArray[Any]
    champion: Answers
    candidate: Answers
    groups: Mapping[str, Strings] = field(default_factory=dict)
    rivals: Mapping[str, Answers] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: NDArray[Any]) -> Paired:
        """The questions at these positions, or where a boolean mask holds."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        groups = {name: g[rows] for name, g in self.groups.items()}
        rivals = {name: r.take(rows) for name, r in self.rivals.items()}
        sides = self.champion.take(rows), self.candidate.take(rows)
        return Paired(self.units[rows], self.moments[rows], self.truth[rows], *sides, groups, rivals)
