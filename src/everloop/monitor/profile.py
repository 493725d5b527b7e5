"""Profiles: what a table of features or answers looked like, as whole counts in bins fixed once. Arrays in, counts out; no clock, no disk.

A ``Spec`` (``spec.py``) is made once, from what the champion learnt from, and says the bins; a ``Profile`` is counts against it. Profiles
of one Spec add up exactly, in any order, and take the same room for a thousand rows as for a billion: any window is a sum, and the partial
profiles of workers or partitions are too.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.errors import Unknown
from everloop.monitor.columns import Columns, Part, chunks, numbers, rows_of, tally
from everloop.monitor.scores import Scores
from everloop.monitor.spec import Bins, Counts, Spec
from everloop.stats.frequent import Frequent
from everloop.stats.shapes import Answers, Floats

ANSWERS = "answers"  # the name of the feature that holds what was answered
FARTHEST = 2.0**46  # quanta; a value beyond counts as this in sums, which so stay whole numbers of 64 bits
WIDTHS = ("uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Totals:
    """What a number's bins do not tell: how many values were not a number though there (``nan``) or infinite, the sum of the finite ones in
    whole quanta (``Bins.quantum``), the least and the greatest of them.
    """

    nan: int = 0
    infinite: int = 0
    total: int = 0
    least: float | None = None
    greatest: float | None = None

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.nan + other.nan,
            self.infinite + other.infinite,
            self.total + other.total,
            min((x for x in (self.least, other.least) if x is not None), default=None),
            max((x for x in (self.greatest, other.greatest) if x is not None), default=None),
        )


@dataclass(frozen=True)
class Profile:
    """Counts of ``rows`` rows against a Spec; ``first_at`` and ``last_at`` are the least and greatest moment (µs UTC) in it. ``totals`` are
    those of numbers, ``unseen`` the names of categories that the reference did not have; ``scores`` what chances the champion gave in it
    and what came of them, None where it does not answer with chances.

    >>> from everloop.monitor.spec import describe
    >>> spec = describe({"price": np.arange(10.0)})
    >>> one, other = profile(spec, {"price": np.array([1.0, 99.0])}), profile(spec, {"price": np.array([np.nan])})
    >>> (one + other).rows, int((one + other).counts["price"].sum()), int(other.counts["price"][0])
    (3, 3, 1)
    >>> one.mean("price"), one.totals["price"].greatest
    (50.0, 99.0)
    """

    spec: Spec
    rows: int
    counts: Mapping[str, Counts]
    first_at: int | None = None
    last_at: int | None = None
    totals: Mapping[str, Totals] = field(default_factory=dict)
    unseen: Mapping[str, Frequent] = field(default_factory=dict)
    scores: Scores | None = None

    def __add__(self, other: Profile) -> Profile:
        self._same_spec(other)
        return replace(
            self,
            rows=self.rows + other.rows,
            counts={name: self.counts[name] + other.counts[name] for name in self.spec.features},
            first_at=min((at for at in (self.first_at, other.first_at) if at is not None), default=None),
            last_at=max((at for at in (self.last_at, other.last_at) if at is not None), default=None),
            totals={n: self.totals.get(n, Totals()) + other.totals.get(n, Totals()) for n in {**self.totals, **other.totals}},
            unseen={n: self.unseen.get(n, Frequent()) + other.unseen.get(n, Frequent()) for n in {**self.unseen, **other.unseen}},
            scores=scores_of((self, other)),
        )

    def without(self, part: Profile) -> Profile:
        """The counts that are left when a part of it is taken out; a part that is no part leaves it as it is. Extremes, sums and names
        are not counts and are left out.
        """
        self._same_spec(part)
        counts = {name: self.counts[name] - part.counts[name] for name in self.spec.features}
        if self.rows < part.rows or any((c < 0).any() for c in counts.values()):
            return self
        return Profile(self.spec, self.rows - part.rows, counts, self.first_at, self.last_at)

    def mean(self, feature: str) -> float | None:
        """The mean of a number's finite values, an outlier beyond 65,536 times anything the reference had taken as that; None of none."""
        totals, counts = self.totals.get(feature), self.counts[feature]
        there = 0 if totals is None else int(counts[1:].sum()) - totals.infinite
        return None if totals is None or not there else totals.total * self.spec.features[feature].quantum / there

    def to_plain(self) -> dict[str, Any]:
        """As plain values for JSON, under 2 kB a feature; the Spec is kept once, elsewhere, and named here by its id."""
        return {
            "spec": self.spec.id, "rows": self.rows, "first_at": self.first_at, "last_at": self.last_at,
            "counts": {name: _packed(c) for name, c in self.counts.items()},
            "totals": {n: [t.nan, t.infinite, t.total, t.least, t.greatest] for n, t in self.totals.items()},
            "unseen": {n: {"counts": dict(f.counts), "lost": f.lost} for n, f in self.unseen.items()},
            **({} if self.scores is None else {"scores": self.scores.to_plain()}),
        }  # fmt: skip

    @staticmethod
    def from_plain(plain: Mapping[str, Any], spec: Spec) -> Profile:
        """The Profile that ``to_plain`` wrote. Raises Unknown where it was counted against another Spec."""
        if plain["spec"] != spec.id:
            raise Unknown("Spec", plain["spec"], [spec.id], where="this profile", next="Count the window again against the Spec at hand.")
        return Profile(
            spec, plain["rows"], {name: _unpacked(c) for name, c in plain["counts"].items()}, plain["first_at"], plain["last_at"],
            {n: Totals(*t) for n, t in plain["totals"].items()},
            {n: Frequent(f["counts"], f["lost"]) for n, f in plain["unseen"].items()},
            Scores.from_plain(plain["scores"]) if "scores" in plain else None,
        )  # fmt: skip

    def _same_spec(self, other: Profile) -> None:
        if self.spec.id != other.spec.id:
            raise ValueError("Profiles of two Specs do not add up; count both against one Spec.")


def profile(spec: Spec, columns: Columns, moments: NDArray[np.int64] | None = None) -> Profile:
    """Counts of a window against a Spec, in one pass. Columns the Spec does not know are left out; one it knows but that is missing is all
    *empty*.
    """
    rows = rows_of(columns)
    counts: dict[str, Counts] = {}
    totals: dict[str, Totals] = {}
    unseen: dict[str, Frequent] = {}
    for name, bins in spec.features.items():
        found = np.zeros(len(bins), dtype=np.int64)
        if bins.kind == "number":
            totals[name] = reduce(add, (_count_numbers(bins, part, found) for part in chunks(columns, name)), Totals())
        else:
            unseen[name] = reduce(add, (_count_names(bins, part, found) for part in chunks(columns, name)), Frequent())
        found[0] += rows - found.sum()
        counts[name] = found
    first, last = (int(moments.min()), int(moments.max())) if moments is not None and len(moments) else (None, None)
    return Profile(spec, rows, counts, first, last, totals, unseen)


def profile_of(spec: Spec, batches: Iterable[pa.RecordBatch]) -> Profile:
    """The profile of a stream of record batches (``pyarrow.parquet.ParquetFile.iter_batches``): what is held is one batch and the counts.

    >>> from everloop.monitor.spec import describe
    >>> spec = describe({"x": np.arange(4.0)})
    >>> profile_of(spec, pa.table({"x": [0.0, 1.0, 9.0]}).to_batches(max_chunksize=2)).rows
    3
    """
    return reduce(add, (profile(spec, batch) for batch in batches), profile(spec, {}))


def scores_of(profiles: Iterable[Profile]) -> Scores | None:
    """The chances and truths of several windows in one table; None where none of them has any."""
    tables = [one.scores for one in profiles if one.scores is not None]
    return reduce(add, tables) if tables else None


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


def _count_numbers(bins: Bins, part: Part, counts: Counts) -> Totals:
    """Add the values of one part to ``counts``."""
    values, nulls = numbers(part)
    found = bins.count_numbers(values)
    counts += found
    empty = int(found[0])
    there = values[~np.isnan(values)] if empty else values
    if not len(there):
        return Totals(nan=empty - nulls)
    least, greatest = float(there.min()), float(there.max())
    infinite = 0
    if not (np.isfinite(least) and np.isfinite(greatest)):
        there, whole = there[np.isfinite(there)], len(there)
        infinite = whole - len(there)
        least, greatest = (float(there.min()), float(there.max())) if len(there) else (np.nan, np.nan)
    ends = (None, None) if infinite and not len(there) else (least, greatest)
    return Totals(empty - nulls, infinite, _in_quanta(there, bins.quantum), *ends)


def _in_quanta(values: Floats, quantum: float) -> int:
    """The sum in whole quanta, exact whatever the order: 65,536 values of at most 2**46 stay below 2**62."""
    with np.errstate(over="ignore"):
        return int(np.rint(np.clip(values / quantum, -FARTHEST, FARTHEST)).astype(np.int64).sum())


def _count_names(bins: Bins, part: Part, counts: Counts) -> Frequent:
    """Add the names of one part to ``counts``; what is unseen, by name."""
    counted = tally(part)
    counts += bins.count_names(counted)
    return Frequent.of({name: number for name, number in counted.items() if name is not None and name not in bins.codes})


def _packed(counts: Counts) -> str:
    """Whole numbers as text, in the narrowest width that holds them, compressed."""
    width = next(w for w in WIDTHS if int(counts.max(initial=0)) <= np.iinfo(w).max)
    return width[4:] + ":" + base64.b64encode(zlib.compress(counts.astype(np.dtype(width).newbyteorder("<")).tobytes(), 9)).decode()


def _unpacked(text: str) -> Counts:
    width, _, packed = text.partition(":")
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.dtype(f"uint{width}").newbyteorder("<")).astype(np.int64)
