"""Facts: small named bodies of JSON per model and instant, such as a version's reference profile or the profile of one window.

They can be worked out again, so they may be replaced; nothing is decided by them that is not journalled. Reads no clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Row, Select, Table, Text, select

from everloop.clock import from_microseconds, microseconds
from everloop.registry.store import Store, evenly
from everloop.registry.written import canonical
from everloop.sql.schema import METADATA

FACTS = Table(
    "facts",
    METADATA,
    Column("model", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
)


@dataclass(frozen=True)
class Fact:
    """One fact about a model: ``body`` is plain data; ``at`` is the instant it is about, such as a window's end."""

    model: str
    name: str
    at: datetime
    body: Any


@dataclass(frozen=True)
class Facts:
    """What is known about the models of one house."""

    store: Store

    def put(self, connection: Connection, model: str, name: str, at: datetime, body: Any) -> None:
        """Keep a fact, in place of the one of the same model, name and instant. Raises StoreError for NaN, which says nothing."""
        text = canonical(body, f"The fact {name} of {model}")
        same = (FACTS.c.model == model) & (FACTS.c.name == name) & (FACTS.c.at == microseconds(at))
        if connection.execute(FACTS.update().where(same).values(body=text)).rowcount == 0:
            connection.execute(FACTS.insert().values(model=model, name=name, at=microseconds(at), body=text))

    def latest(self, model: str, name: str, *, until: datetime | None = None, within: Connection | None = None) -> Fact | None:
        """The newest fact of this name at or before ``until``; None if there is none."""
        query = _about(model, name, None, until).order_by(None).order_by(FACTS.c.at.desc()).limit(1)
        with self.store.reading(within) as connection:
            row = connection.execute(query).first()
        return None if row is None else _fact(row)

    def read(
        self,
        model: str,
        name: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        most: int | None = None,
        within: Connection | None = None,
    ) -> list[Fact]:
        """The facts of this name with ``since <= at <= until``, oldest first; of more than ``most`` so many, evenly spread, with the
        newest."""
        query = _about(model, name, since, until)
        with self.store.reading(within) as connection:
            if most is not None:
                there = list(connection.execute(query.with_only_columns(FACTS.c.at)).scalars())
                query = query.where(FACTS.c.at.in_(evenly(there, most))) if len(there) > most else query
            return [_fact(row) for row in connection.execute(query)]


def _about(model: str, name: str, since: datetime | None, until: datetime | None) -> Select[Any]:
    query = select(FACTS).where(FACTS.c.model == model, FACTS.c.name == name).order_by(FACTS.c.at)
    if since is not None:
        query = query.where(FACTS.c.at >= microseconds(since))
    if until is not None:
        query = query.where(FACTS.c.at <= microseconds(until))
    return query


def _fact(row: Row[Any]) -> Fact:
    return Fact(row.model, row.name, from_microseconds(row.at), json.loads(row.body))
