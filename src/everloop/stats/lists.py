"""How well lists are made, and by which protocol: a figure of a ranking says nothing without it. Lists in, numbers out.

Precision, hit rate and nDCG at ``k`` are means over the questions that had something to find, each the measure of that name; coverage is
the share of the catalogue that is in anybody's first ``k`` places. *Repeat* looks only at what the unit had before, *explore* only at
what it never had: in the lists, and in the truths. A list of repeats alone has a good precision and finds nobody anything new, so the
three belong beside each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from everloop.stats.measures import gains, hits_by_place, precisions

Lists = Sequence[Sequence[str]]
Sets = Sequence[Collection[str]]


@dataclass(frozen=True)
class Found:
    """What lists found in their first ``k`` places, of ``questions`` that had something to find and a catalogue of ``items``.

    Shares run from 0 to 1; None where no question had anything to find.
    """

    k: int
    questions: int
    items: int
    precision: float | None
    hit_rate: float | None
    ndcg: float | None
    coverage: float | None


def found(lists: Lists, truths: Sets, k: int, items: int) -> Found:
    """How well ``lists`` (best first) find ``truths``, question by question; ``items``: how many there are to list at all.

    >>> found([["a", "b"], ["c", "a"], ["b"]], [{"a"}, {"a", "z"}, set()], 2, 4)
    Found(k=2, questions=2, items=4, precision=0.5, hit_rate=1.0, ndcg=0.6934264036172708, coverage=0.75)
    """
    firsts = [list(dict.fromkeys(listed))[:k] for listed in lists]
    hits, asked = hits_by_place(truths, firsts, k)
    asks = asked > 0
    each = np.column_stack([precisions(hits), hits.any(axis=1), gains(hits, asked)])[asks]
    means = each.mean(axis=0).tolist() if len(each) else [None] * 3
    seen = len(set[str]().union(*firsts))
    return Found(k, int(asks.sum()), items, means[0], means[1], means[2], seen / items if items else None)


def only(rows: Sets, had: Sets, *, repeat: bool) -> list[list[str]]:
    """Each row's items that the unit had before (``repeat``), or never had, in their order.

    >>> only([["a", "b"]], [{"b"}], repeat=True), only([["a", "b"]], [{"b"}], repeat=False)
    ([['b']], [['a']])
    """
    return [[item for item in row if (item in mine) == repeat] for row, mine in zip(rows, had, strict=True)]


def apart(lists: Lists, truths: Sets, had: Sets, k: int, items: int) -> dict[str, Found]:
    """What was found over ``all`` items, of ``repeat`` and of ``explore``; ``lists`` hold every candidate, best first."""
    made = {"all": found(lists, truths, k, items)}
    for name, repeat in (("repeat", True), ("explore", False)):
        made[name] = found(only(lists, had, repeat=repeat), only(truths, had, repeat=repeat), k, items)
    return made
