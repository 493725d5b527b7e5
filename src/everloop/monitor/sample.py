"""Samples of rows that add up: the 2,000 rows with the least hashes of their keys. Rows in, rows out; no clock, no disk, no chance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.monitor.columns import numbers
from everloop.monitor.spec import Spec
from everloop.stats.shapes import Floats

MOST = 2_000


@dataclass(frozen=True)
class Sample:
    """At most 2,000 rows, by their ``hashes`` (ascending). Samples of parts, added in any order, are the sample of the whole; a key that
    comes twice counts once.
    """

    hashes: NDArray[np.uint64]
    rows: pa.Table

    def __add__(self, other: Sample) -> Sample:
        hashes = np.concatenate([self.hashes, other.hashes])
        return _least(hashes, pa.concat_tables([self.rows, other.rows]))


def sample(keys: Sequence[str], rows: pa.Table) -> Sample:
    """The sample of rows with these keys.

    >>> whole = sample(["a", "b", "c"], pa.table({"x": [1, 2, 3]}))
    >>> parts = sample(["c"], pa.table({"x": [3]})) + sample(["b", "a"], pa.table({"x": [2, 1]}))
    >>> whole.rows.equals(parts.rows)
    True
    """
    digests = b"".join(hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys)
    return _least(np.frombuffer(digests, dtype=np.uint64), rows)


def as_matrix(spec: Spec, rows: pa.Table, features: Sequence[str]) -> Floats:
    """Rows as numbers (n, features): categories by their place among the bins, NaN where empty or missing."""
    found = np.full((len(rows), len(features)), np.nan)
    for i, name in enumerate(features):
        bins = spec.features[name]
        if name not in rows.column_names:
            continue
        column = rows.column(name)
        if bins.kind == "number":
            found[:, i] = np.concatenate([numbers(part)[0] for part in column.chunks] or [found[:, i]])
        else:
            found[:, i] = [np.nan if v is None else bins.codes.get(str(v), 1) for v in column.to_pylist()]
    return found


def _least(hashes: NDArray[np.uint64], rows: pa.Table) -> Sample:
    hashes, first = np.unique(hashes, return_index=True)
    return Sample(hashes[:MOST], rows.take(pa.array(first[:MOST])))
