"""The shelf: which category each item is of, what is popular on it, and how much of a customer's past lies there. Arrays in, arrays out.

This is what is left to say of an item nobody has learnt of yet: it stands on a shelf, and that shelf has its customers.
"""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.pairs import Codes


def shares(shelves: Codes, popular: Floats) -> Floats:
    """Each item's share of what is popular on its shelf, (n,); on a shelf where nothing is, all have the same.

    >>> shares(np.array([0, 0, 1]), np.array([3.0, 1.0, 0.0]))
    array([0.75, 0.25, 1.  ])
    """
    if not len(shelves):
        return np.zeros(0)
    total, count = np.bincount(shelves, popular), np.bincount(shelves)
    there = total[shelves] > 0
    return np.where(there, popular / np.where(there, total[shelves], 1.0), 1.0 / count[shelves])


def affinity(shelves: Codes, had: Floats, questions: Codes) -> Floats:
    """How much of what each question's customer had is of each row's shelf, (n,) between 0 and 1; 0 for who had nothing.

    ``questions`` (n,) ascending: whose candidate each row is.

    >>> affinity(np.array([0, 0, 1]), np.array([3.0, 0.0, 1.0]), np.array([0, 0, 0]))
    array([0.75, 0.75, 0.25])
    """
    if not len(shelves):
        return np.zeros(0)
    wide = int(shelves.max()) + 1
    places, where = np.unique(questions * wide + shelves, return_inverse=True)
    mine, all_of_it = np.bincount(where, had, len(places))[where], np.bincount(questions, had)[questions]
    return np.divide(mine, all_of_it, out=np.zeros(len(mine)), where=all_of_it > 0)


def cold(shelves: Codes, popular: Floats, wanted: Codes, most: int) -> Codes:
    """The items to show who is known by nothing but the shelves they look at: the most popular there, shelf by shelf in turn; then others.

    >>> cold(np.array([0, 0, 1, 2]), np.array([1.0, 2.0, 5.0, 9.0]), np.array([0, 1]), 4).tolist()
    [1, 2, 0, 3]
    """
    order = np.lexsort((np.arange(len(popular)), -popular))
    wished = np.isin(shelves[order], wanted)
    mine = order[wished]
    place = np.full(int(max(shelves.max(initial=0), wanted.max(initial=0))) + 1, len(wanted))
    place[wanted] = np.arange(len(wanted))
    by_shelf = np.argsort(shelves[mine], kind="stable")
    ordered = shelves[mine][by_shelf]
    turn = np.empty(len(mine), dtype=np.int64)
    turn[by_shelf] = np.arange(len(mine)) - np.searchsorted(ordered, ordered)
    first = mine[np.lexsort((place[shelves[mine]], turn))]
    return np.concatenate([first, order[~wished]])[:most].astype(np.int64)
