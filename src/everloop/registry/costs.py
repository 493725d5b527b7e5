"""Costs: what the records of a model cost in money, and when, without reading the records whole. Reads no clock."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from everloop.clock import from_microseconds, microseconds
from everloop.registry.journal import JOURNAL
from everloop.registry.store import Store


class _Money(msgspec.Struct):
    money: float | None = None


class _Costly(msgspec.Struct):
    cost: _Money | None = None


_read = msgspec.json.Decoder(_Costly).decode


def money_spent(
    store: Store, model: str, *, since: datetime, until: datetime, within: Connection | None = None
) -> list[tuple[datetime, float]]:
    """When a record of the model was made (``since <= made_at <= until``), and what it cost; only those that have a price."""
    query = select(JOURNAL.c.at, JOURNAL.c.body).where(
        JOURNAL.c.model == model, JOURNAL.c.at >= microseconds(since), JOURNAL.c.at <= microseconds(until)
    )
    with store.reading(within) as connection:
        found = [(row.at, _read(row.body).cost) for row in connection.execute(query)]
    return [(from_microseconds(at), cost.money) for at, cost in found if cost is not None and cost.money is not None]
