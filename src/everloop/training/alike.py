"""Item to item: what those who had one thing have too, and what they take next. Arrays in, arrays out; no clock, no disk.

``alike`` is the cosine of two columns of who had what (Sarwar, Karypis, Konstan and Riedl 2001: item-based collaborative filtering), shrunk
where few had both. ``followed`` is the chance that an item came up next given that another was had, shrunk to how often it comes up at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.pairs import Codes, Pairs

AT_ONCE = 512
"""So many items are compared with all others at a time."""


def alike(had: Pairs, *, most: int = 100, shrunk: float = 5.0) -> Pairs:
    """For each item (column of ``had``: a row for each customer) the ``most`` items likest to it, between 0 and 1.

    A cosine rests on how many had both; it is multiplied by both / (both + ``shrunk``).

    >>> had = Pairs.of([([0, 1], [1, 1]), ([0, 1], [1, 1]), ([2], [1])], 3)
    >>> alike(had, shrunk=2).row(0)
    (array([1]), array([0.5]))
    """
    weighed, there = had.sparse(), _ones(had).sparse()
    length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=0)).ravel())
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)

    def made(part: slice) -> Any:
        both, dots = (there[:, part].T @ there).tocsr(), (weighed[:, part].T @ weighed).tocsr()
        for one in (both, dots):  # of the same pattern, since no weight is negative or 0
            one.sort_indices()
        both, dots = both.tocoo(), dots.data
        cosine = dots * inverse[part][both.row] * inverse[both.col] * both.data / (both.data + shrunk)
        other = both.col != both.row + part.start
        return both.row[other], both.col[other], cosine[other]

    return _best(made, had.width, most)


def followed(had: Pairs, came: Pairs, *, most: int = 100, shrunk: float = 20.0) -> Pairs:
    """For each item had the ``most`` items that came up next most beyond chance: P(came | had) less P(came), where that is above 0.

    ``had`` and ``came`` have a row for each question; a chance among ``n`` who had it counts ``n / (n + shrunk)``.

    >>> had, came = Pairs.of([([0], [1]), ([0], [1]), ([1], [1])], 2), Pairs.of([([1], [1]), ([1], [1]), ([], [])], 2)
    >>> followed(had, came, shrunk=2).row(0)
    (array([1]), array([0.16666667]))
    """
    before, after = _ones(had).sparse(), _ones(came).sparse()
    count = np.asarray(before.sum(axis=0)).ravel()
    usual = np.asarray(after.sum(axis=0)).ravel() / max(1, len(had))

    def made(part: slice) -> Any:
        both = (before[:, part].T @ after).tocoo()
        n = count[part][both.row]
        gain = (both.data / n - usual[both.col]) * n / (n + shrunk)
        kept = (gain > 0) & (both.col != both.row + part.start)
        return both.row[kept], both.col[kept], gain[kept]

    return _best(made, had.width, most)


def summed(table: Pairs, items: Codes, weights: Floats) -> Floats:
    """How much the rows of these items say for every column, each weighted; (width,).

    >>> summed(Pairs.of([([1], [0.5]), ([0], [0.25])], 2), np.array([0, 1]), np.array([2.0, 4.0]))
    array([1., 1.])
    """
    part = table.take(items)
    sizes = part.starts[1:] - part.starts[:-1]
    return np.bincount(part.columns, part.values * np.repeat(weights, sizes), minlength=table.width).astype(np.float64)


def _ones(pairs: Pairs) -> Pairs:
    return Pairs(pairs.starts, pairs.columns, np.ones(len(pairs.values)), pairs.width)


def _best(made: Any, width: int, most: int) -> Pairs:
    """The best of each row, some rows at a time; ties go to the lower column, so that the same rows give the same table."""
    columns, values, sizes = [], [], np.zeros(width, dtype=np.int64)
    for start in range(0, width, AT_ONCE):
        row, column, value = made(slice(start, min(width, start + AT_ONCE)))
        order = np.lexsort((column, -value, row))
        row, column, value = row[order], column[order], value[order]
        first = np.searchsorted(row, row)
        kept = np.arange(len(row)) - first < most
        row, column, value = row[kept], column[kept], value[kept]
        order = np.lexsort((column, row))
        columns.append(column[order].astype(np.int64))
        values.append(value[order])
        sizes[start : start + AT_ONCE] = np.bincount(row, minlength=min(AT_ONCE, width - start))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Pairs(starts, np.concatenate([*columns, np.zeros(0, np.int64)]), np.concatenate([*values, np.zeros(0)]), width)
