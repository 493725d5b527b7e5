"""Rows that are known only later than now, because they came while the clock of a house stood later: said aloud, since nothing is learnt or
answered by them until then, and what arrives after them unsaid is known after them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow.compute as pc

from everloop.clock import from_microseconds, microseconds, said
from everloop.loop.house import House
from everloop.project.model import Model

APART = timedelta(hours=1)
"""Clocks may differ, and rows come meanwhile: so much later is no trouble."""


def known_ahead(house: House, model: Model, now: datetime) -> tuple[str, ...]:
    """A sentence for each source of a model with rows that are known only after ``now`` (aware)."""
    latest = microseconds(now + APART)
    sources = [source.name for source in model.sources if house.lake.log.counters(source.name).last_known > latest]
    tables = house.tables(model) if sources else {}
    known = {name: tables[name].column("known_at") for name in sources}
    later = {name: at.filter(pc.greater(at, latest)).to_numpy() for name, at in known.items()}
    return tuple(_sentence(name, len(at), int(at.min())) for name, at in later.items() if len(at))


def _sentence(source: str, rows: int, first: int) -> str:
    """One source.

    >>> _sentence("orders", 1, 1_793_491_200_000_000)
    "1 row of orders is known only from 2026-11-01 00:00 UTC on: the house's clock stood later when it came."
    """
    are, they = ("s of {} are", "they") if rows > 1 else (" of {} is", "it")
    since = said(from_microseconds(first))
    return f"{rows:,} row{are.format(source)} known only from {since} on: the house's clock stood later when {they} came."
