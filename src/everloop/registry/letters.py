"""Letters: one alert on its way to one address, so that it arrives though processes die, and so that nobody is told for ever.

Waiting, sending, and then sent, given up or withdrawn. An address is kept as a hash: the URL of a recipient holds its secrets. Instants
are wall time and arguments; sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Row, Table, Text, and_, distinct, func, or_, select

from everloop.clock import from_microseconds, microseconds
from everloop.registry.outbox import ALERTS
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

State: TypeAlias = Literal["waiting", "sending", "sent", "given up", "withdrawn"]
ENDED: tuple[State, ...] = ("sent", "given up", "withdrawn")

LETTERS = Table(
    "letters",
    METADATA,
    Column("alert", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("message", Text),
    Column("first_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("why", Text),
)
Index(None, LETTERS.c.address, LETTERS.c.ended_at)
ADDRESSES = Table(
    "addresses",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", BigInteger, nullable=False),
    Column("paused_until", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One alert on its way to one address. ``due_at``: when to try, or when a try that nobody noted the end of counts as failed."""

    alert: str
    address: str
    person: str
    state: State = "waiting"
    attempts: int = 0
    first_at: datetime
    due_at: datetime
    ended_at: datetime | None = None
    why: str | None = None


@dataclass(frozen=True)
class Trouble:
    """An address that could not be reached: how often in a row, since when, why, and until when it is left alone."""

    address: str
    person: str
    failures: int
    since: datetime
    paused_until: datetime
    why: str


@dataclass(frozen=True)
class Letters:
    """The letters of one house."""

    store: Store

    def open(self, connection: Connection, letter: Letter) -> bool:
        """Put a letter on its way; False where it is on its way or has arrived. One that was withdrawn sets out again."""
        mine = _of(letter.address, [letter.alert])
        there = connection.execute(select(LETTERS.c.state).where(mine)).scalar()
        if there not in (None, "withdrawn"):
            return False
        moments = {"first_at": microseconds(letter.first_at), "due_at": microseconds(letter.due_at)}
        values = {"person": letter.person, "state": "waiting", "attempts": 0, "ended_at": None, "why": None} | moments
        if there is None:
            connection.execute(LETTERS.insert().values(alert=letter.alert, address=letter.address, **values))
        else:
            connection.execute(LETTERS.update().where(mine).values(**values))
        return True

    def claim(self, connection: Connection, address: str, alerts: Sequence[str], *, message: str, now: datetime, until: datetime) -> bool:
        """These are being sent, as one message; False, and nothing done, where another process is at one of them or has ended it.

        A claim that was not ended by ``until`` may be taken over: whoever held it died.
        """
        held = and_(LETTERS.c.state == "sending", LETTERS.c.due_at > microseconds(now), LETTERS.c.due_at <= microseconds(until))
        taken = select(func.count()).where(_of(address, alerts), or_(LETTERS.c.state.in_(ENDED), held))
        if connection.execute(taken).scalar():
            return False
        values = {"state": "sending", "message": message, "due_at": microseconds(until), "attempts": LETTERS.c.attempts + 1}
        return connection.execute(LETTERS.update().where(_of(address, alerts)).values(**values)).rowcount == len(alerts)

    def sent(self, connection: Connection, address: str, alerts: Sequence[str], *, at: datetime) -> None:
        """These arrived; the address is well."""
        self._end(connection, address, alerts, "sent", at, None)
        self.well(connection, address)

    def well(self, connection: Connection, address: str) -> None:
        """An address was reached: what was wrong with it is forgotten."""
        connection.execute(ADDRESSES.delete().where(ADDRESSES.c.id == address))

    def failed(self, connection: Connection, address: str, alerts: Sequence[str], *, why: str, due_at: datetime) -> None:
        """These did not arrive, and are due again then."""
        values = {"state": "waiting", "why": why, "due_at": microseconds(due_at)}
        connection.execute(LETTERS.update().where(_of(address, alerts), LETTERS.c.state.not_in(ENDED)).values(**values))

    def give_up(self, connection: Connection, address: str, alerts: Sequence[str], *, at: datetime, why: str) -> None:
        """These are not tried any more."""
        self._end(connection, address, alerts, "given up", at, why)

    def withdraw(self, connection: Connection, address: str, alerts: Sequence[str], *, at: datetime) -> None:
        """These have nobody to go to any more: the address was taken out of the table of people."""
        self._end(connection, address, alerts, "withdrawn", at, None)

    def trouble(self, connection: Connection, trouble: Trouble) -> None:
        """Note that an address could not be reached."""
        self.well(connection, trouble.address)
        moments = {"failing_since": microseconds(trouble.since), "paused_until": microseconds(trouble.paused_until)}
        values = {"id": trouble.address, "person": trouble.person, "failures": trouble.failures, "why": trouble.why}
        connection.execute(ADDRESSES.insert().values(**values, **moments))

    def troubles(self, *, within: Connection | None = None) -> dict[str, Trouble]:
        """The addresses that could not be reached when they were last tried."""
        with self.store.reading(within) as connection:
            rows = connection.execute(select(ADDRESSES)).all()
        moment = from_microseconds
        return {r.id: Trouble(r.id, r.person, r.failures, moment(r.failing_since), moment(r.paused_until), r.why) for r in rows}

    def of_waiting(self, *, within: Connection | None = None) -> list[Letter]:
        """All letters, ended ones too, of the alerts that wait in the outbox."""
        waiting = select(ALERTS.c.key).where(ALERTS.c.delivered_at.is_(None), ALERTS.c.ended.is_(None))
        return self._read(LETTERS.c.alert.in_(waiting), within)

    def of(self, alert: str, *, within: Connection | None = None) -> list[Letter]:
        """The letters of one alert."""
        return self._read(LETTERS.c.alert == alert, within)

    def given_up(self, since: datetime, *, within: Connection | None = None) -> list[Letter]:
        """The letters that were given up since an instant, oldest first."""
        return self._read(and_(LETTERS.c.state == "given up", LETTERS.c.ended_at >= microseconds(since)), within)

    def messages(self, since: datetime, until: datetime, *, within: Connection | None = None) -> dict[str, int]:
        """How many messages each address was sent in (since, until]; one that told of many alerts is one."""
        span = and_(LETTERS.c.ended_at > microseconds(since), LETTERS.c.ended_at <= microseconds(until), LETTERS.c.state == "sent")
        query = select(LETTERS.c.address, func.count(distinct(LETTERS.c.message))).where(span).group_by(LETTERS.c.address)
        with self.store.reading(within) as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def _end(self, connection: Connection, address: str, alerts: Sequence[str], state: State, at: datetime, why: str | None) -> None:
        ended = LETTERS.update().where(_of(address, alerts), LETTERS.c.state.not_in(ENDED))
        connection.execute(ended.values(state=state, ended_at=microseconds(at), why=why))

    def _read(self, which: Any, within: Connection | None) -> list[Letter]:
        with self.store.reading(within) as connection:
            return [_letter(row) for row in connection.execute(select(LETTERS).where(which).order_by(LETTERS.c.first_at, LETTERS.c.alert))]


def _of(address: str, alerts: Sequence[str]) -> Any:
    return and_(LETTERS.c.address == address, LETTERS.c.alert.in_(alerts))


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        alert=row.alert,
        address=row.address,
        person=row.person,
        state=row.state,
        attempts=row.attempts,
        first_at=from_microseconds(row.first_at),
        due_at=from_microseconds(row.due_at),
        ended_at=None if row.ended_at is None else from_microseconds(row.ended_at),
        why=row.why,
    )
