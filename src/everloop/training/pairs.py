"""Sparse rows as three arrays: which columns each row has, and how much. Arrays in, arrays out; no clock, no disk.

What a recommender has learnt is kept in this form, so that whoever answers with it needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """``width`` columns; row ``i`` has ``columns[starts[i]:starts[i + 1]]`` with ``values`` of the same places, columns ascending.

    >>> Pairs.of([([2, 0], [1.0, 3.0]), ([], [])], 3).row(0)
    (array([0, 2]), array([3., 1.]))
    """

    starts: Codes
    columns: Codes
    values: Floats
    width: int

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, Any]], width: int) -> Pairs:
        """The rows as given: columns (whole numbers) and values of each, arrays or lists."""
        ordered = [np.argsort(np.asarray(columns, dtype=np.int64), kind="stable") for columns, _ in rows]
        parts = [np.asarray(columns, dtype=np.int64)[order] for (columns, _), order in zip(rows, ordered, strict=True)]
        values = [np.asarray(said, dtype=np.float64)[order] for (_, said), order in zip(rows, ordered, strict=True)]
        starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        nothing: list[Any] = [np.zeros(0)]
        return cls(starts, np.concatenate(parts or nothing).astype(np.int64), np.concatenate(values or nothing), width)

    @classmethod
    def of_sparse(cls, matrix: Any) -> Pairs:
        """A scipy matrix in compressed rows."""
        made = matrix.tocsr()
        made.sort_indices()
        return cls(made.indptr.astype(np.int64), made.indices.astype(np.int64), made.data.astype(np.float64), made.shape[1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, at: int) -> tuple[Codes, Floats]:
        """The columns of one row, and the value of each."""
        part = slice(self.starts[at], self.starts[at + 1])
        return self.columns[part], self.values[part]

    def sparse(self) -> Any:
        """As scipy holds it."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, self.columns, self.starts), shape=(len(self), self.width))

    def take(self, rows: Codes) -> Pairs:
        """These rows, in this order."""
        sizes = (self.starts[1:] - self.starts[:-1])[rows]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], sizes)
        return Pairs(starts, self.columns[places], self.values[places], self.width)
