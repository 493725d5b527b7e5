"""Costs: what the records of a model cost in money, and when, without reading the records whole. Reads no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, select

from everloop.clock import from_microseconds, microseconds
from everloop.records import Cost
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


class _Took(msgspec.Struct):
    cpu_seconds: float
    bytes_read: int | None = None
    bytes_written: int | None = None
    money: float | None = None


class _Measured(msgspec.Struct):
    cost: _Took | None = None
    seconds: float = 0.0


_measured = msgspec.json.Decoder(_Measured).decode


@dataclass(frozen=True)
class Loop:
    """Once round the ring of one model: what its records took together. ``seconds`` is how long its training took, where it ``trained``."""

    turn: str
    at: datetime
    cost: Cost
    trained: bool = False
    seconds: float = 0.0


def loops(store: Store, model: str, *, since: datetime, until: datetime, within: Connection | None = None) -> list[Loop]:
    """The loops of a model with records that were measured (``since <= made_at <= until``), oldest first; records are not read whole."""
    query = (
        select(JOURNAL.c.turn, JOURNAL.c.kind, JOURNAL.c.at, JOURNAL.c.body)
        .where(JOURNAL.c.model == model, JOURNAL.c.at >= microseconds(since), JOURNAL.c.at <= microseconds(until))
        .order_by(JOURNAL.c.seq)
    )
    turns: dict[str, list[tuple[int, str, _Measured]]] = {}
    with store.reading(within) as connection:
        for row in connection.execute(query):
            if row.turn is not None and (found := _measured(row.body)).cost is not None:
                turns.setdefault(row.turn, []).append((row.at, row.kind, found))
    return [_loop(turn, records) for turn, records in turns.items()]


def _loop(turn: str, records: list[tuple[int, str, _Measured]]) -> Loop:
    costs = [found.cost for _, _, found in records if found.cost is not None]
    learnt = [found.seconds for _, kind, found in records if kind == "Candidate"]
    total = Cost(
        cpu_seconds=sum(c.cpu_seconds for c in costs),
        bytes_read=_known([c.bytes_read for c in costs]),
        bytes_written=_known([c.bytes_written for c in costs]),
        money=_known([c.money for c in costs]),
    )
    return Loop(turn, from_microseconds(max(at for at, _, _ in records)), total, bool(learnt), sum(learnt))


N = TypeVar("N", int, float)


def _known(values: Iterable[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
