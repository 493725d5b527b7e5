"""Columns: what stands in a file of answers, one row for each key. In: answers as they are remembered. Out: an Arrow table.

| column | |
|---|---|
| the unit's columns | whole numbers where they are declared so, else text |
| ``moment`` | the instant asked about, UTC |
| ``version``, ``arm`` | such as ``demand@3``; whose place it holds in the traffic, empty for a version that has none |
| ``id`` | only of answers that are remembered: what truths and outcomes are told about |
| ``value`` | number, chance |
| ``says`` | chance, shares |
| ``shares.LABEL``, ``quantiles.LEVEL`` | one column for each |
| ``value.STEP``, ``quantiles.STEP.LEVEL`` | in their place, where an answer has several steps |
| ``items`` | ranking: ``item`` and ``score``, best first |
| ``error`` | why there is no answer |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.project.columns import Kind
from everloop.project.model import Model
from everloop.records import Shape

ITEMS = pa.list_(pa.struct([("item", pa.string()), ("score", pa.float64())]))
MICRO = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Columns:
    """The columns of one batch: of which kinds its unit is, what answers look like, by version id their labels, and what versions are
    called."""

    unit: tuple[tuple[str, Kind], ...]
    shape: Shape
    labels: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    arms: Mapping[str, str | None] | None
    """By version id the arm to show, where it is not the one that was served."""
    with_id: bool

    def schema(self) -> pa.Schema:
        """The same columns in every part, whatever is in it."""
        unit = [(name, _unit_type(kind)) for name, kind in self.unit]
        id = [("id", pa.string())] if self.with_id else []
        said = [("moment", MICRO), ("version", pa.string()), ("arm", pa.string()), *id, *self._answer(), ("error", pa.string())]
        taken = {name for name, _ in said}
        # A unit's column may be called as one of ours is.
        return pa.schema([(f"unit.{name}" if name in taken else name, kind) for name, kind in unit] + said)

    def table(self, requests: Sequence[Mapping[str, Any]], moments: Sequence[int], rows: pa.Table) -> pa.Table:
        """A row for each request: ``rows`` are its answers in the columns of ``serving.answered.SCHEMA``, in order."""
        unit = [_unit(kind, [request.get(name) for request in requests]) for name, kind in self.unit]
        versions = rows.column("version").to_pylist()
        arms = rows.column("arm").to_pylist() if self.arms is None else [self.arms.get(v) for v in versions]
        names = pa.array([self.names.get(v) for v in versions], pa.string())
        id = [rows.column("id")] if self.with_id else []
        answers = self._answers(rows.column("answer"), rows.column("says"), versions)
        moment = pa.array(np.asarray(moments, dtype=np.int64)).cast(MICRO)
        return pa.table([*unit, moment, names, pa.array(arms, pa.string()), *id, *answers, rows.column("error")], schema=self.schema())

    def _answer(self) -> list[tuple[str, pa.DataType]]:
        if self.shape.kind == "ranking":
            return [("items", ITEMS)]
        if self.shape.kind == "quantiles":
            return [(name, pa.float64()) for name in _quantiles(self.shape)]
        if self.shape.kind == "shares":
            return [(f"shares.{label}", pa.float64()) for label in self._all_labels()] + [("says", pa.string())]
        if self.shape.steps > 1:
            return [(f"value.{step}", pa.float64()) for step in range(1, self.shape.steps + 1)]
        says = [("says", pa.string())] if self.shape.kind == "chance" else []
        return [("value", pa.float64()), *says]

    def _answers(self, given: pa.ChunkedArray, says: pa.ChunkedArray, versions: list[str | None]) -> list[Any]:
        if self.shape.kind in ("number", "chance") and self.shape.steps > 1:
            steps = self.shape.steps
            return _columns([row or [None] * steps for row in pc.struct_field(given, "values").to_pylist()], steps)
        if self.shape.kind in ("number", "chance"):
            value = pc.struct_field(given, "value")
            return [value, says] if self.shape.kind == "chance" else [value]
        values = pc.struct_field(given, "values").to_pylist()
        if self.shape.kind == "ranking":
            return [_lists(pc.struct_field(given, "items").to_pylist(), values)]
        if self.shape.kind == "quantiles":
            count = len(_quantiles(self.shape))
            return _columns([row or [None] * count for row in values], count)
        labels = self._all_labels()
        said = [dict(zip(self.labels[v], row, strict=True)) if row and v else {} for row, v in zip(values, versions, strict=True)]
        return [*_columns([[one.get(label) for label in labels] for one in said], len(labels)), says]

    def _all_labels(self) -> list[str]:
        return list(dict.fromkeys(label for labels in self.labels.values() for label in labels))


def unit_kinds(model: Model, kinds: Mapping[str, Kind]) -> tuple[tuple[str, Kind], ...]:
    """The columns of a model's unit and how each is declared."""
    return tuple((name, kinds.get(name, str)) for name in model.unit)


def flat(table: pa.Table) -> pa.Table:
    """The same for CSV: instants as ISO 8601, lists as JSON.

    >>> flat(pa.table({"moment": pa.array([0], MICRO), "items": pa.array([[{"item": "p", "score": 1.5}]], ITEMS)})).to_pylist()
    [{'moment': '1970-01-01T00:00:00.000000Z', 'items': '[{"item":"p","score":1.5}]'}]
    """
    for at, column in enumerate(table.schema):
        if column.type == MICRO:
            table = table.set_column(at, column.name, pc.strftime(table[column.name], "%Y-%m-%dT%H:%M:%SZ"))
        elif column.type == ITEMS:
            said = [None if one is None else msgspec.json.encode(one).decode() for one in table[column.name].to_pylist()]
            table = table.set_column(at, column.name, pa.array(said, pa.string()))
    return table


def _quantiles(shape: Shape) -> list[str]:
    steps = [f"{step}." for step in range(1, shape.steps + 1)] if shape.steps > 1 else [""]
    return [f"quantiles.{step}{level:g}" for step in steps for level in shape.levels]


def _columns(wide: list[list[float | None]], count: int) -> list[pa.Array]:
    return [pa.array([row[at] for row in wide], pa.float64()) for at in range(count)]


def _lists(items: list[list[str] | None], scores: list[list[float] | None]) -> pa.Array:
    said = [
        None if best is None else [{"item": item, "score": score} for item, score in zip(best, worth or (), strict=True)]
        for best, worth in zip(items, scores, strict=True)
    ]
    return pa.array(said, ITEMS)


def _unit_type(kind: Kind) -> pa.DataType:
    return pa.int64() if kind is int else pa.string()


def _unit(kind: Kind, values: list[Any]) -> pa.Array:
    """A column of the unit; what cannot be told in it is empty, and its row says why it is wrong."""
    if kind is int:
        return pa.array([v if type(v) is int and -(2**63) <= v < 2**63 else None for v in values], pa.int64())
    return pa.array([None if v is None else str(v).encode("utf-8", "replace").decode() for v in values], pa.string())
