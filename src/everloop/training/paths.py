"""The way to every leaf of trees: which columns it asks about, and what share of the rows went that way. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats


@dataclass(frozen=True)
class Paths:
    """The way to each leaf.

    ``columns`` (leaves, d) are the different columns on it, -1 beyond the last; ``share`` (leaves, d) the product of the shares of rows
    that kept to the way wherever it asked about that column. ``node``, ``right`` and ``slot`` (leaves, depth) are its steps: at which node,
    whether to the right, and for which of the columns; a step beyond the last has the slot d.
    """

    leaf: NDArray[np.intp]
    columns: NDArray[np.intp]
    share: Floats
    node: NDArray[np.intp]
    right: NDArray[np.bool_]
    slot: NDArray[np.intp]


def paths_of(kids: NDArray[np.int32], column: NDArray[np.int32], cover: Floats) -> Paths:
    """The way to every leaf, of nodes as ``Trees`` has them. Raises ValueError where a node does not say how many rows it had."""
    if cover.shape != (len(kids),) or not (cover > 0).all():
        raise ValueError("its trees do not say how many rows each branch had")
    ends = kids[:, 0] == np.arange(len(kids))
    leaf, inner = np.flatnonzero(ends), np.flatnonzero(~ends)
    parent, right = np.full(len(kids), -1, np.intp), np.zeros(len(kids), bool)
    for side in (0, 1):
        parent[kids[inner, side]] = inner
        right[kids[inner, side]] = bool(side)
    steps, at = [], leaf
    while (up := parent[at]).max(initial=-1) >= 0:
        steps.append((at, up))
        at = np.where(up >= 0, up, at)
    return _paths(leaf, column, cover, right, steps)


def _paths(
    leaf: NDArray[np.intp],
    column: NDArray[np.int32],
    cover: Floats,
    right: NDArray[np.bool_],
    steps: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> Paths:
    count, depth = len(leaf), len(steps)
    columns, share = np.full((count, depth + 1), -1, np.intp), np.ones((count, depth + 1))
    node, sides, slot = np.zeros((count, depth), np.intp), np.zeros((count, depth), bool), np.full((count, depth), depth, np.intp)
    used, every = np.zeros(count, np.intp), np.arange(count)
    for step, (at, up) in enumerate(steps):
        there = up >= 0
        asked = np.where(there, column[up], -2)
        same = columns[:, :depth] == asked[:, None]
        place = np.where(there, np.where(same.any(axis=1), same.argmax(axis=1), used), depth)
        used += there & (place == used)
        columns[every, place] = np.where(there, asked, -1)
        share[every, place] *= np.where(there, cover[at] / cover[up], 1.0)
        node[:, step], sides[:, step], slot[:, step] = np.where(there, up, 0), right[at], place
    width = int(used.max(initial=0))
    return Paths(leaf, columns[:, :width], share[:, :width], node, sides, np.minimum(slot, width))
