"""Tell a house what a shop said: the one way rows go in, whether they were delivered, asked for or imported. In: rows. Out: what became
of them.

Rows are told first and remembered afterwards, so that whoever is killed in between tells them again, which is harmless. One tells at a
time, on this machine; the inbox takes in deliveries meanwhile.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from everloop.clock import microseconds
from everloop.connect.shopify.decode import SOURCES
from everloop.connect.shopify.house import House, Refused, Row, Unreachable
from everloop.connect.shopify.inbox import refusing
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.planned import planned
from everloop.lake.alone import alone

AT_ONCE: Final = 1_000
"""Rows of one request to the house."""
_LATER = (401, 403, 408, 429)
_log = logging.getLogger("everloop.shopify")


@dataclass(frozen=True)
class Told:
    """What became of rows: how many of each source the house was told; those it would not have, as (source, row, why); the sources it does
    not have."""

    rows: dict[str, int]
    refused: tuple[tuple[str, Row, str], ...] = ()
    unknown: tuple[str, ...] = ()


def tell(
    place: Place,
    house: House,
    rows: Iterable[tuple[str, Row]],
    *,
    now: datetime,
    anew: bool = False,
    also: Callable[[sqlite3.Connection], None] | None = None,
) -> Told:
    """Tell a house rows of ``decode.py``, in whatever order they came; ``also`` is done in the transaction that remembers them.

    ``now`` (aware) is the wall's; ``anew`` tells again what was told, as to a house that lost it. What is stale is left out, what lacks
    its product waits, stock-outs follow. Raises Unreachable where the house does not answer (or shows the key away): nothing is
    remembered then, and all of it may be told again."""
    with alone(place.file.with_suffix(".telling"), "telling the house what the shop said"):
        with refusing(), place.transaction(write=False) as t:
            plan = planned(t, rows, now, anew=anew)
        told = _said(house, plan.rows)
        with refusing(), place.transaction() as t:
            for statement, some in groupby(plan.writes, key=lambda one: one[0]):
                t.executemany(statement, [values for _, values in some])
            t.executemany(
                "insert into refused values (?, ?, ?, ?)",
                [(source, microseconds(now), json.dumps(row), why[:500]) for source, row, why in told.refused],
            )
            if also is not None:
                also(t)
    return told


def _said(house: House, rows: dict[str, list[Row]]) -> Told:
    counts: dict[str, int] = {}
    refused: list[tuple[str, Row, str]] = []
    unknown: list[str] = []
    for source in SOURCES:
        there = rows.get(source, [])
        for at in range(0, len(there), AT_ONCE):
            some = there[at : at + AT_ONCE]
            try:
                refused += [(source, row, why) for row, why in _received(house, source, some)]
                counts[source] = counts.get(source, 0) + len(some)
            except Refused as no:
                if no.code != "unknown":
                    raise
                # A project that asks nothing of a source does not declare it.
                unknown.append(source)
                break
    for source, _, why in refused:
        _log.warning("The house would not have a row of %s: %s", source, why)
    return Told(counts, tuple(refused), tuple(unknown))


def _received(house: House, source: str, rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Tell rows of one source; those that were refused, and why. Found by halves, since a reply names only a few."""
    try:
        reply = house.receive(source, rows)
        if not reply.get("refused"):
            return []
        why = "; ".join(map(str, reply.get("examples") or ())) or "refused"
    except Refused as no:
        if no.code == "unknown":
            raise
        if no.status in _LATER:
            raise Unreachable(f"The house does not take what the shop said: {no} ({no.status})") from no
        why = str(no)
    if len(rows) == 1:
        return [(rows[0], why)]
    middle = len(rows) // 2
    return [*_received(house, source, rows[:middle]), *_received(house, source, rows[middle:])]
