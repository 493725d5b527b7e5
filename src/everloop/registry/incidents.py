"""Incidents: what is wrong with which model now, and what was; each as its newest change left it. Reads no clock.

The changes themselves are records of the journal; this is the pointer to the newest of each, moved in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Select, Table, Text, select

from everloop.clock import microseconds
from everloop.errors import Overtaken, Unknown
from everloop.records import Incident
from everloop.registry.store import Store
from everloop.registry.written import read_as, written
from everloop.sql.schema import METADATA

SHORTEST = 4  # letters of an id that may stand for all of it
LONGEST = 60  # letters of what was asked for that an error repeats

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("incident", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("change", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
Index(None, INCIDENTS.c.model, INCIDENTS.c.state)
Index(None, INCIDENTS.c.at)


@dataclass(frozen=True)
class Incidents:
    """The incidents of one house."""

    store: Store

    def move(self, connection: Connection, incident: Incident) -> Incident:
        """Put a change in force: the first of an incident, or the one after the one in force; the same again is a no-op.

        Raises Overtaken where somebody else changed it first.
        """
        there = self.find(incident.incident, within=connection)
        if there is not None and there.id == incident.id:
            return incident
        row = {"state": incident.state, "change": incident.change, "at": microseconds(incident.made_at), "body": written(incident)}
        if there is None and incident.change == 1:
            connection.execute(INCIDENTS.insert().values(incident=incident.incident, model=incident.model, **row))
            return incident
        mine = INCIDENTS.update().where(INCIDENTS.c.incident == incident.incident, INCIDENTS.c.change == incident.change - 1)
        if connection.execute(mine.values(**row)).rowcount != 1:
            raise Overtaken(
                f"The incident {incident.incident} of {incident.model} was changed by somebody else meanwhile; nothing was kept. "
                "Look again: everloop incidents"
            )
        return incident

    def open(self, model: str | None = None, *, within: Connection | None = None) -> list[Incident]:
        """Those that are not over, of one model or of all, the one that opened first before the others."""
        query = select(INCIDENTS.c.body).where(INCIDENTS.c.state != "resolved")
        found = self._read(query if model is None else query.where(INCIDENTS.c.model == model), within)
        return sorted(found, key=lambda incident: (incident.opened_at, incident.incident))

    def all(
        self, model: str | None = None, *, since: datetime | None = None, limit: int = 100, within: Connection | None = None
    ) -> list[Incident]:
        """The incidents that changed last (at or after ``since``), also those that are over, newest first."""
        query = select(INCIDENTS.c.body).order_by(INCIDENTS.c.at.desc(), INCIDENTS.c.incident).limit(limit)
        query = query if model is None else query.where(INCIDENTS.c.model == model)
        return self._read(query if since is None else query.where(INCIDENTS.c.at >= microseconds(since)), within)

    def find(self, incident: str, *, within: Connection | None = None) -> Incident | None:
        """The incident of this id as it stands, or None."""
        return next(iter(self._read(select(INCIDENTS.c.body).where(INCIDENTS.c.incident == incident), within)), None)

    def named(self, text: str, *, within: Connection | None = None) -> Incident:
        """The incident whose id begins so (four letters at least). Raises Unknown where there is none or more than one."""
        text = text.strip().lower()
        far = select(INCIDENTS.c.body).where(INCIDENTS.c.incident.startswith(text, autoescape=True)).limit(2)
        found = self._read(far, within) if len(text) >= SHORTEST else []
        if len(found) != 1:
            why = "Say more of its letters." if len(found) > 1 else "See what there is: everloop incidents"
            raise Unknown("incident", text[:LONGEST], where="this house", next=why)
        return found[0]

    def _read(self, query: Select[Any], within: Connection | None) -> list[Incident]:
        with self.store.reading(within) as connection:
            return [read_as(Incident, body) for body in connection.execute(query).scalars()]
