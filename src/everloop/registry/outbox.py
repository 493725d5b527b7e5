"""The outbox: sentences for people, kept in the transaction that caused them until delivered. Reads no clock, sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import BigInteger, Column, Connection, Index, Row, Select, Table, Text, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import Unknown
from everloop.records import Alert, identity
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

Ended: TypeAlias = Literal["given up", "unwanted"]

ALERTS = Table(
    "alerts",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("owner", Text),
    Column("head", Text),
    Column("raised_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    Column("ended", Text),
)
Index(None, ALERTS.c.delivered_at, ALERTS.c.raised_at)


@dataclass(frozen=True)
class Kept:
    """An alert in the outbox. ``head`` is where the journal ended when it was raised: delivered elsewhere, it anchors the journal.

    ``ended`` says why it waits no more though it reached nobody: it was given up, or nobody wanted it.
    """

    alert: Alert
    raised_at: datetime
    head: str | None
    delivered_at: datetime | None
    ended: Ended | None = None


@dataclass(frozen=True)
class Outbox:
    """The alerts of one house."""

    store: Store

    def put(self, connection: Connection, alert: Alert, *, at: datetime, head: str | None = None) -> bool:
        """Keep an alert; False if the same news (its key, or its model and sentence) is there already, delivered or not."""
        key = alert.key or identity(alert.model, alert.sentence)
        if connection.execute(select(ALERTS.c.key).where(ALERTS.c.key == key)).first():
            return False
        values = {"key": key, "model": alert.model, "severity": alert.severity, "sentence": alert.sentence, "owner": alert.owner}
        connection.execute(ALERTS.insert().values(**values, head=head, raised_at=microseconds(at)))
        return True

    def waiting(self, *, within: Connection | None = None) -> list[Kept]:
        """Alerts nobody has delivered yet, and that are still worth it, oldest first."""
        waits = select(ALERTS).where(ALERTS.c.delivered_at.is_(None), ALERTS.c.ended.is_(None))
        return self._read(waits.order_by(ALERTS.c.raised_at, ALERTS.c.key), within)

    def all(self, model: str | None = None, *, limit: int = 100, within: Connection | None = None) -> list[Kept]:
        """The newest alerts, of one model or of all, newest first."""
        query = select(ALERTS).order_by(ALERTS.c.raised_at.desc(), ALERTS.c.key).limit(limit)
        return self._read(query if model is None else query.where(ALERTS.c.model == model), within)

    def delivered(self, connection: Connection, key: str, *, at: datetime) -> None:
        """Note that an alert reached its person; the first time counts. Raises Unknown."""
        if not connection.execute(select(ALERTS.c.key).where(ALERTS.c.key == key)).first():
            raise Unknown("alert", key, where="the outbox")
        unsent = ALERTS.update().where(ALERTS.c.key == key, ALERTS.c.delivered_at.is_(None))
        connection.execute(unsent.values(delivered_at=microseconds(at)))

    def end(self, connection: Connection, key: str, how: Ended) -> None:
        """Note that an alert waits no more though it reached nobody; what was delivered stays so. Raises Unknown."""
        if not connection.execute(select(ALERTS.c.key).where(ALERTS.c.key == key)).first():
            raise Unknown("alert", key, where="the outbox")
        unsent = ALERTS.update().where(ALERTS.c.key == key, ALERTS.c.delivered_at.is_(None), ALERTS.c.ended.is_(None))
        connection.execute(unsent.values(ended=how))

    def _read(self, query: Select[Any], within: Connection | None) -> list[Kept]:
        with self.store.reading(within) as connection:
            return [_kept(row) for row in connection.execute(query)]


def _kept(row: Row[Any]) -> Kept:
    alert = Alert(model=row.model, severity=row.severity, sentence=row.sentence, owner=row.owner, key=row.key)
    delivered = None if row.delivered_at is None else from_microseconds(row.delivered_at)
    return Kept(alert, from_microseconds(row.raised_at), row.head, delivered, row.ended)
