"""Profiles: what a table of features or answers looked like, as whole counts in bins fixed once. Arrays in, counts out; no clock, no disk.

A ``Spec`` is made once, from what the champion learnt from, and says the bins; a ``Profile`` is counts against it. Profiles of one Spec add
up exactly, in any order, and take the same room for a thousand rows as for a billion. Numbers have up to 128 bins of equal mass in the
reference (a value that is more than one bin's mass by itself gets its own), with *below* and *above* at the ends, so that a single
outlier moves one count by one. Categories have their 200 most frequent values, *other* (known but rarer) and *unseen*. Both have *empty*.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.errors import Unknown
from everloop.stats.shapes import Answers, Floats

BINS, TOP, KNOWN = 128, 200, 2_000
ANSWERS = "answers"  # the name of the feature that holds what was answered
Counts: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = pa.Table | Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Bins:
    """The bins of one feature. number: ``edges`` (sorted), counts [empty, below, …, above]; category: ``top`` values and ``rest`` (known
    but rarer), counts [empty, unseen, other, top…].
    """

    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    top: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.edges) + 2 if self.kind == "number" else len(self.top) + 3

    def count(self, values: NDArray[Any]) -> Counts:
        """How many values fall into each bin."""
        if self.kind == "number":
            numbers = _numbers(values)
            there = numbers[~np.isnan(numbers)]
            inside = np.bincount(np.searchsorted(np.array(self.edges), there, side="right"), minlength=len(self.edges) + 1)
            return np.concatenate([[len(numbers) - len(there)], inside]).astype(np.int64)
        counts = np.zeros(len(self), dtype=np.int64)
        for value, number in zip(*_tally(values), strict=True):
            counts[0 if value is None else self._place.get(value, 1)] += number
        return counts

    @cached_property
    def _place(self) -> dict[str, int]:
        return dict.fromkeys(self.rest, 2) | {value: i + 3 for i, value in enumerate(self.top)}


@dataclass(frozen=True)
class Spec:
    """The bins of every feature, made once from a reference."""

    features: Mapping[str, Bins]

    @cached_property
    def id(self) -> str:
        """What it is made of, in 16 hex digits: profiles only add up if it is the same."""
        return hashlib.sha256(json.dumps(self.to_plain(), sort_keys=True).encode()).hexdigest()[:16]

    def to_plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            name: {"kind": b.kind, "edges": list(b.edges), "top": list(b.top), "rest": list(b.rest)} for name, b in self.features.items()
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Spec:
        """The Spec that ``to_plain`` wrote."""
        return Spec(
            {n: Bins(kind=b["kind"], edges=tuple(b["edges"]), top=tuple(b["top"]), rest=tuple(b["rest"])) for n, b in plain.items()}
        )


@dataclass(frozen=True)
class Profile:
    """Counts of ``rows`` rows against a Spec; ``first_at`` and ``last_at`` are the least and greatest moment (µs UTC) in it.

    >>> spec = describe({"price": np.arange(10.0)})
    >>> one, other = profile(spec, {"price": np.array([1.0, 99.0])}), profile(spec, {"price": np.array([np.nan])})
    >>> (one + other).rows, int((one + other).counts["price"].sum()), int(other.counts["price"][0])
    (3, 3, 1)
    """

    spec: Spec
    rows: int
    counts: Mapping[str, Counts]
    first_at: int | None = None
    last_at: int | None = None

    def __add__(self, other: Profile) -> Profile:
        if self.spec.id != other.spec.id:
            raise ValueError("Profiles of two Specs do not add up; count both against one Spec.")
        return replace(
            self,
            rows=self.rows + other.rows,
            counts={name: self.counts[name] + other.counts[name] for name in self.spec.features},
            first_at=min((at for at in (self.first_at, other.first_at) if at is not None), default=None),
            last_at=max((at for at in (self.last_at, other.last_at) if at is not None), default=None),
        )

    def to_plain(self) -> dict[str, Any]:
        """As plain values for JSON; the Spec is kept once, elsewhere, and named here by its id."""
        counts = {name: c.tolist() for name, c in self.counts.items()}
        return {"spec": self.spec.id, "rows": self.rows, "counts": counts, "first_at": self.first_at, "last_at": self.last_at}

    @staticmethod
    def from_plain(plain: Mapping[str, Any], spec: Spec) -> Profile:
        """The Profile that ``to_plain`` wrote. Raises Unknown where it was counted against another Spec."""
        if plain["spec"] != spec.id:
            raise Unknown("Spec", plain["spec"], [spec.id], where="this profile", next="Count the window again against the Spec at hand.")
        counts = {name: np.array(c, dtype=np.int64) for name, c in plain["counts"].items()}
        return Profile(spec, plain["rows"], counts, plain["first_at"], plain["last_at"])


def describe(columns: Columns) -> Spec:
    """The bins of each column of a reference, a table or a mapping of name to values. Numbers, truths and instants are numbers; texts,
    and whatever else, categories. A column that is empty throughout is a number if its type says so.

    >>> list(describe({"a": np.arange(5.0), "b": np.array(["x", None], dtype=object)}).features)
    ['a', 'b']
    """
    found: dict[str, Bins] = {}
    for name, values in _columns(columns).items():
        found[name] = Bins("number", edges=_edges(_numbers(values))) if values.dtype.kind in "fiub" else _categories(values)
    return Spec(found)


def profile(spec: Spec, columns: Columns, moments: NDArray[np.int64] | None = None) -> Profile:
    """Counts of a window against a Spec. Columns the Spec does not know are left out; one it knows but that is missing is all *empty*."""
    there = _columns(columns)
    rows = len(columns) if isinstance(columns, pa.Table) else max((len(v) for v in there.values()), default=0)
    counts = {}
    for name, bins in spec.features.items():
        if name in there:
            counts[name] = bins.count(there[name])
        else:
            counts[name] = np.zeros(len(bins), dtype=np.int64)
            counts[name][0] = rows
    first, last = (int(moments.min()), int(moments.max())) if moments is not None and len(moments) else (None, None)
    return Profile(spec, rows, counts, first, last)


def answers_as_column(answers: Answers) -> NDArray[Any]:
    """What was answered as one column: the number or chance, the likeliest label, the middle quantile, the first item of a list.

    >>> from everloop.records import Shape
    >>> shares = Answers(Shape(kind="shares", labels=("a", "b")), np.array([0.9]), values=np.array([[0.1, 0.9]]))
    >>> answers_as_column(shares)
    array(['b'], dtype=object)
    """
    if answers.items is not None:
        first: NDArray[Any] = np.array([*(items[0] if items else None for items in answers.items), None], dtype=object)
        return first[:-1]
    if answers.shape.kind == "shares" and answers.values is not None:
        found: NDArray[Any] = np.array(answers.shape.labels, dtype=object)[np.nan_to_num(answers.values).argmax(axis=1)]
        found[~np.isfinite(answers.value)] = None
        return found
    return answers.value


def _columns(columns: Columns) -> dict[str, NDArray[Any]]:
    if not isinstance(columns, pa.Table):
        return dict(columns)
    return {name: _values(columns.column(name)) for name in columns.column_names}


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        floats: Floats = column.cast(pa.float64()).to_numpy().astype(np.float64)
        return floats
    if pa.types.is_temporal(kind):
        return np.asarray(
            column.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(pa.float64()).to_numpy(), dtype=np.float64
        )
    strings: NDArray[Any] = np.array([*column.to_pylist(), None], dtype=object)
    return strings[:-1]


def _numbers(values: NDArray[Any]) -> Floats:
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    # A feature that was a number when the bins were made and holds texts now is empty, which is loud, rather than an exception.
    return np.array([float(v) if isinstance(v, int | float) else np.nan for v in values], dtype=np.float64)


def _tally(values: NDArray[Any]) -> tuple[list[str | None], list[int]]:
    counts: dict[str | None, int] = {}
    for value in values.tolist():
        key = None if value is None or (isinstance(value, float) and value != value) else str(value)
        counts[key] = counts.get(key, 0) + 1
    return list(counts), list(counts.values())


def _edges(values: Floats) -> tuple[float, ...]:
    """Where bins begin: quantiles, a place of its own for each heavy value, and what lies just above the greatest."""
    values = np.sort(values[np.isfinite(values)])
    if not len(values):
        return ()
    distinct, counts = np.unique(values, return_counts=True)
    heavy = distinct if len(distinct) <= BINS else distinct[counts > len(values) / BINS]
    cuts = values[(np.arange(1, BINS) * len(values)) // BINS]
    with np.errstate(over="ignore"):
        ends = np.nextafter(np.append(heavy, values[-1]), np.inf)
    return tuple(np.unique(np.concatenate([values[:1], cuts, heavy, ends[np.isfinite(ends)]])).tolist())


def _categories(values: NDArray[Any]) -> Bins:
    names, counts = _tally(values)
    known = sorted(((n, c) for n, c in zip(names, counts, strict=True) if n is not None), key=lambda pair: (-pair[1], pair[0]))
    return Bins("category", top=tuple(n for n, _ in known[:TOP]), rest=tuple(sorted(n for n, _ in known[TOP:KNOWN])))
