"""Stock-outs, worked out from inventory levels: the spans in which nothing of a product was left anywhere. Arithmetic; no store, no
clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple


class Left(NamedTuple):
    """How many pieces of an item a location could sell from ``at`` on (seconds since the epoch, UTC); below zero where too many were
    sold."""

    item_id: str
    location_id: str
    at: int
    available: int


class Span(NamedTuple):
    """From ``began_at`` until before ``ended_at`` (seconds since the epoch, UTC; None: it lasts) nothing was left."""

    began_at: int
    ended_at: int | None


def spans(levels: Iterable[Left], items: Mapping[str, int]) -> list[Span]:
    """The stock-outs of a product whose variants are counted by these inventory items, from all levels that were ever told of them.

    ``items`` says since when there is each (seconds since the epoch; 0: always). A location counts from when it first said a level; as long
    as an item that is there has not said any, nobody knows whether something is left, and nothing begins. Whichever order the levels came
    in, the spans are the same.

    >>> told = [Left("i1", "l", 10, 3), Left("i2", "l", 20, 1), Left("i1", "l", 30, 0), Left("i2", "l", 40, -1), Left("i2", "l", 50, 7)]
    >>> spans(told, {"i1": 0, "i2": 0})
    [Span(began_at=40, ended_at=50)]
    >>> spans([Left("i1", "l1", 10, 0)], {"i1": 0, "i2": 0}), spans([Left("i1", "l1", 10, 0)], {"i1": 0, "i2": 90})
    ([], [Span(began_at=10, ended_at=None)])
    """
    told = sorted((one for one in levels if one.item_id in items), key=lambda one: one.at)
    silent = dict(items)
    found: list[Span] = []
    left: dict[tuple[str, str], int] = {}
    total, since = 0, None
    for at, some in groupby(told, key=lambda one: one.at):
        for one in some:
            where, pieces = (one.item_id, one.location_id), max(0, one.available)
            total += pieces - left.get(where, 0)
            left[where] = pieces
            silent.pop(one.item_id, None)
        if total == 0 and since is None and all(there > at for there in silent.values()):
            since = at
        elif total > 0 and since is not None:
            found.append(Span(since, at))
            since = None
    return found if since is None else [*found, Span(since, None)]
