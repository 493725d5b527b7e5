"""Trees for one row: which leaves each value still allows, as the bits of one long integer. In: numbers. Out: leaves. No clock, no disk.

A row's values are looked up instead of its trees being walked (QuickScorer: Lucchese et al., SIGIR 2015). A node that a value sends right
rules out the leaves on its left, whatever the other values are; of the leaves that no value rules out, the leftmost of each tree is the
one that the walk ends in. What a column's value rules out in all trees together is worked out beforehand, between any two thresholds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.training.trees import Trees

MOST_BYTES = 1 << 24
"""What the masks of one set of trees may take; larger ones are walked. 200 trees of 31 leaves over 20 columns take 3 MB."""
BIAS = 1023  # of the exponent of a float64
Span: TypeAlias = tuple[int, int]  # so many leaves as ones, and the place of the first
WORDS: dict[int, np.dtype[Any]] = {32: np.dtype("<u4"), 64: np.dtype("<u8")}


@dataclass(frozen=True, slots=True)
class Masks:
    """The trees of a ``Trees`` by what a value leaves possible.

    ``numbers``: for each column that is compared, its thresholds, rising, and one mask more than there are: the n-th for a value above n of
    them; after these one for a missing value. ``codes``: for each column of categories a mask for each code, the last for missing ones.
    A tree has ``words`` words of ``width`` bits in a mask, its leaves from the lowest bit on as they stand from left to right. ``every`` is
    the mask of all leaves, ``ones`` that of each tree's first one; ``nodes`` says which node each bit is.
    """

    numbers: tuple[tuple[int, list[float], list[int]], ...]
    codes: tuple[tuple[int, list[int]], ...]
    every: int
    ones: int
    width: int
    words: int
    nodes: NDArray[np.intp]
    firsts: NDArray[np.int64]

    def bits(self, row: Sequence[float]) -> NDArray[np.int64]:
        """The bit of the leaf that one row of numbers ends in, for each tree (trees,); NaN is missing.

        >>> stump = Trees(
        ...     roots=np.array([0], np.int32), kids=np.array([[1, 2], [1, 1], [2, 2]], np.int32), column=np.zeros(3, np.int32),
        ...     threshold=np.array([0.5, 0, 0]), lost=np.array([1, 0, 0], np.uint8), value=np.array([[0.0], [10.0], [20.0]]),
        ...     category=np.full(3, -1, np.int32), lefts=np.zeros((0, 1), np.uint8))
        >>> masks = masks_of(stump)
        >>> [masks.nodes[masks.bits([x])].tolist() for x in (0.5, 0.6, float("nan"))]
        [[1], [2], [1]]
        """
        left = self.every
        for column, edges, masks in self.numbers:
            x = row[column]
            left &= masks[bisect_left(edges, x) if x == x else -1]
        for column, masks in self.codes:
            x = row[column]
            left &= masks[int(x) if 0 <= x < len(masks) - 1 else -1]
        # Each tree's lowest bit and no other. No tree is without one, so nothing is carried from one tree into the next.
        left &= (left ^ self.every) + self.ones
        said = np.frombuffer(left.to_bytes(len(self.nodes) // 8, "little"), WORDS[self.width])
        if self.words == 1:
            return _exponents(said) + self.firsts
        at: NDArray[np.int64] = said.nonzero()[0]
        return _exponents(said[at]) + (at * self.width - BIAS)


def masks_of(trees: Trees) -> Masks | None:
    """The masks of these trees; None where they would be too many, or where one column is compared here and a category there."""
    inner = np.flatnonzero(~trees.leaf)
    # A node with two parents would stand in two places.
    if np.bincount(np.concatenate([trees.roots, trees.kids[inner].ravel()])).max() > 1 or np.isnan(trees.threshold[inner]).any():
        return None
    compared, chosen = _by_column(trees, inner[trees.category[inner] < 0]), _by_column(trees, inner[trees.category[inner] >= 0])
    leaves = _counted(trees, inner)
    most = max(leaves[root] for root in trees.roots.tolist())
    width = 32 if most <= 32 else 64
    words = -(-most // width)
    lane, count = width * words, len(trees.roots)
    rows = sum(len({*trees.threshold[nodes].tolist()}) + 2 for nodes in compared.values()) + len(chosen) * trees.lefts.shape[1]
    if compared.keys() & chosen.keys() or rows * lane * count // 8 > MOST_BYTES:
        return None
    first = _placed(trees, inner, leaves, lane)
    lefts = [(((1 << leaves[kid]) - 1), at) for kid, at in zip(trees.kids[:, 0].tolist(), first, strict=True)]
    every = sum(((1 << leaves[root]) - 1) << (lane * tree) for tree, root in enumerate(trees.roots.tolist()))
    nodes = np.zeros(lane * count, dtype=np.intp)
    ends = np.flatnonzero(trees.leaf)
    nodes[[first[n] for n in ends.tolist()]] = ends
    return Masks(
        numbers=tuple((column, *_between(trees, nodes, lefts, every)) for column, nodes in compared.items()),
        codes=tuple((column, _for_codes(trees, nodes, lefts, every)) for column, nodes in chosen.items()),
        every=every,
        ones=sum(1 << (lane * tree) for tree in range(count)),
        width=width,
        words=words,
        nodes=nodes,
        firsts=np.arange(count, dtype=np.int64) * lane - BIAS,
    )


def _exponents(powers: NDArray[Any]) -> NDArray[np.int64]:
    """The exponents of powers of two, each with ``BIAS`` added, as a float64 holds them."""
    found: NDArray[np.int64] = powers.astype(np.float64).view(np.int64)
    found >>= 52
    return found


def _by_column(trees: Trees, nodes: NDArray[np.intp]) -> dict[int, NDArray[np.intp]]:
    """These nodes by the column they look at, each column's by rising threshold."""
    nodes = nodes[np.argsort(trees.threshold[nodes], kind="stable")]
    column = trees.column[nodes]
    return {int(c): nodes[column == c] for c in np.flatnonzero(np.bincount(column))}


def _counted(trees: Trees, inner: NDArray[np.intp]) -> list[int]:
    """How many leaves there are below each node (nodes,); children stand behind their parents."""
    leaves = [1] * len(trees.kids)
    for n, (left, right) in zip(inner[::-1].tolist(), trees.kids[inner[::-1]].tolist(), strict=True):
        leaves[n] = leaves[left] + leaves[right]
    return leaves


def _placed(trees: Trees, inner: NDArray[np.intp], leaves: list[int], lane: int) -> list[int]:
    """The bit of the first leaf below each node (nodes,)."""
    first = [0] * len(trees.kids)
    for tree, root in enumerate(trees.roots.tolist()):
        first[root] = tree * lane
    for n, (left, right) in zip(inner.tolist(), trees.kids[inner].tolist(), strict=True):
        first[left], first[right] = first[n], first[n] + leaves[left]
    return first


def _between(trees: Trees, nodes: NDArray[np.intp], lefts: list[Span], every: int) -> tuple[list[float], list[int]]:
    """The thresholds of one column, and the mask between any two of them; the last one is that of a missing value."""
    edges: list[float] = []
    masks, gone, gone_where_missing = [every], 0, 0
    for n, edge, lost in zip(nodes.tolist(), trees.threshold[nodes].tolist(), trees.lost[nodes].tolist(), strict=True):
        if edges and edge > edges[-1]:
            masks.append(every ^ gone)
        if not edges or edge > edges[-1]:
            edges.append(edge)
        leaves, first = lefts[n]
        gone |= leaves << first
        gone_where_missing |= 0 if lost else leaves << first
    return edges, [*masks, every ^ gone, every ^ gone_where_missing]


def _for_codes(trees: Trees, nodes: NDArray[np.intp], lefts: list[Span], every: int) -> list[int]:
    """The mask of each code of one column, and last that of a missing one."""
    gone = [0] * trees.lefts.shape[1]
    for n, goes_left in zip(nodes.tolist(), trees.lefts[trees.category[nodes]].tolist(), strict=True):
        leaves, first = lefts[n]
        for code, there in enumerate(goes_left):
            gone[code] |= 0 if there else leaves << first
    return [every ^ one for one in gone]
