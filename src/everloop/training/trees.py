# ruff: noqa: N803 — X is what learners call it
"""Decision trees as flat arrays, walked many rows and all trees at once. In: numbers. Out: the leaf each row ends in. No clock, no disk.

A row goes left where its value is at most the node's threshold; where it has none, to the side the node names; at a node that splits
categories, where the node's row in ``lefts`` says so for its code. All three are what scikit-learn does, comparison by comparison, so the
leaves are the same ones and not only nearly.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats
from everloop.training.paths import Paths, paths_of

LANES = 1 << 14  # rows x trees walked at once: what they touch stays in the processor's second cache
COMPACT = 3  # levels after which lanes that have arrived are left out


class Trees(msgspec.Struct, frozen=True, dict=True):
    """The nodes of all trees, one after another; ``roots`` says where each begins.

    ``kids`` (nodes, 2) are the left and right child, a leaf is its own; ``column`` and ``threshold`` (nodes,) say where a value goes,
    ``lost`` (nodes,) whether a missing one goes left; ``value`` (nodes, outputs) is what a leaf says. ``category`` (nodes,) is -1 or a row
    of ``lefts`` (splits, codes + 1), which holds 1 for every code that goes left, in its last column for missing ones. ``cover`` (nodes,)
    is how many rows, or how much weight, a node had when it was grown; empty where nobody knows.
    """

    roots: NDArray[np.int32]
    kids: NDArray[np.int32]
    column: NDArray[np.int32]
    threshold: Floats
    lost: NDArray[np.uint8]
    value: Floats
    category: NDArray[np.int32]
    lefts: NDArray[np.uint8]
    cover: Floats = msgspec.field(default_factory=lambda: np.zeros(0))

    def check(self, width: int) -> None:
        """Raise ValueError unless every walk over rows of ``width`` numbers stays inside and ends."""
        nodes = len(self.kids)
        shapes: list[tuple[NDArray[Any], tuple[int]]] = [
            (self.column, (nodes,)),
            (self.threshold, (nodes,)),
            (self.lost, (nodes,)),
            (self.category, (nodes,)),
        ]
        if self.kids.shape != (nodes, 2) or any(array.shape != shape for array, shape in shapes) or self.value.shape[:1] != (nodes,):
            raise ValueError("the arrays of its trees do not fit together")
        if self.cover.shape not in ((0,), (nodes,)):
            raise ValueError("its trees do not say how many rows each node had")
        if self.value.ndim != 2 or self.lefts.ndim != 2 or self.roots.ndim != 1 or not len(self.roots) or not self.lefts.shape[1]:
            raise ValueError("the arrays of its trees have no such shape")
        here = np.arange(nodes)[:, None]
        # Children stand behind their parents, so no walk goes round in a circle.
        if not ((self.kids > here).all(axis=1) | (self.kids == here).all(axis=1)).all() or not (self.kids < nodes).all():
            raise ValueError("a node of its trees has no such child")
        for array, end in ((self.roots, nodes), (self.column, width), (self.category + 1, len(self.lefts) + 1)):
            if len(array) and (array.min() < 0 or array.max() >= end):
                raise ValueError("a node of its trees points nowhere")

    @cached_property
    def depth(self) -> int:
        """The most nodes a walk goes through before its leaf."""
        found, level = 0, self.roots.astype(np.intp)
        while len(inner := level[~self.leaf[level]]):
            # Not by ``unique``, which loads numpy.ma: 10 MiB.
            below = np.zeros(len(self.kids), dtype=bool)
            below[self.kids[inner]] = True
            found, level = found + 1, np.flatnonzero(below)
        return found

    @cached_property
    def leaf(self) -> NDArray[np.bool_]:
        """Which nodes are leaves (nodes,)."""
        return np.asarray(self.kids[:, 0] == np.arange(len(self.kids)))

    @cached_property
    def paths(self) -> Paths:
        """The way to every leaf. Raises ValueError where nobody knows how many rows a branch had."""
        return paths_of(self.kids, self.column, self.cover)

    @cached_property
    def _flat(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """Children in one row; columns, those that send missing ones left in the second half of a row (see ``_doubled``); thresholds."""
        width = int(self.column.max(initial=0)) + 1
        column = np.where(self.leaf, 0, self.column + width * (self.lost != 0)).astype(np.intp)
        return self.kids.astype(np.intp).ravel(), column, np.where(self.leaf, np.inf, self.threshold)

    def leaves(self, X: Floats) -> NDArray[np.intp]:
        """The leaf of each row in each tree (trees, n), for X (n, columns); NaN is missing.

        >>> stump = Trees(
        ...     roots=np.array([0], np.int32), kids=np.array([[1, 2], [1, 1], [2, 2]], np.int32), column=np.zeros(3, np.int32),
        ...     threshold=np.array([0.5, 0, 0]), lost=np.array([1, 0, 0], np.uint8), value=np.array([[0.0], [10.0], [20.0]]),
        ...     category=np.full(3, -1, np.int32), lefts=np.zeros((0, 1), np.uint8))
        >>> stump.leaves(np.array([[0.5], [0.6], [np.nan]]))
        array([[1, 2, 1]])
        """
        found = np.empty((len(self.roots), len(X)), dtype=np.intp)
        step = max(1, LANES // len(self.roots))
        doubled = _doubled(X[:, : int(self.column.max(initial=0)) + 1])
        for first in range(0, len(X), step):
            part = doubled[first : first + step]
            found[:, first : first + step] = self._walked(part)
        return found

    def right(self, x: Floats) -> NDArray[np.bool_]:
        """Whether one row (columns,) would go right at each node (nodes,)."""
        width = int(self.column.max(initial=0)) + 1
        doubled = _doubled(x[None, :width])
        found = ~(doubled[0].take(self._flat[1]) <= self._flat[2])
        if len(self.lefts):
            nodes = np.arange(len(self.kids))
            self._by_category(nodes, np.zeros_like(nodes), doubled.ravel(), found)
        return np.asarray(found, dtype=np.bool_)

    def _walked(self, doubled: Floats) -> NDArray[np.intp]:
        kids, column, threshold = self._flat
        rows, width = doubled.shape
        values = doubled.ravel()
        node = np.repeat(self.roots.astype(np.intp), rows)
        base = np.tile(np.arange(rows, dtype=np.intp) * width, len(self.roots))
        arrived, lanes = node, None
        for level in range(self.depth):
            right = ~(values.take(base + column.take(node)) <= threshold.take(node))
            if len(self.lefts):
                self._by_category(node, base, values, right)
            node = kids.take(2 * node + right)
            if level % COMPACT == COMPACT - 1 and len(node) > 4096:
                under_way = np.flatnonzero(~self.leaf.take(node))
                arrived, lanes = _put(arrived, lanes, node), under_way if lanes is None else lanes.take(under_way)
                node, base = node.take(under_way), base.take(under_way)
        return _put(arrived, lanes, node).reshape(len(self.roots), rows)

    def _by_category(self, node: NDArray[np.intp], base: NDArray[np.intp], values: Floats, right: NDArray[np.bool_]) -> None:
        """Correct ``right`` where a node splits categories; a code that no node knows is a missing one."""
        row = self.category.take(node)
        at = np.flatnonzero(row >= 0)
        if not len(at):
            return
        codes = values.take(base.take(at) + self.column.take(node.take(at)))
        last = self.lefts.shape[1] - 1
        known = (codes >= 0) & (codes < last)
        code = np.where(known, np.where(known, codes, 0), last).astype(np.intp)
        right[at] = self.lefts[row.take(at), code] == 0


def _doubled(X: Floats) -> Floats:
    """Each row twice over: as it is, where a missing value is above every threshold, and with missing values below every threshold."""
    return np.concatenate([X, np.where(np.isnan(X), -np.inf, X)], axis=1)


def _put(arrived: NDArray[np.intp], lanes: NDArray[np.intp] | None, node: NDArray[np.intp]) -> NDArray[np.intp]:
    if lanes is None:
        return node
    arrived[lanes] = node
    return arrived
