"""Turns: which rounds of the ring are open, done, superseded or cancelled; at most one is open for each model. Reads no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from sqlalchemy import BigInteger, Column, Connection, Index, Row, Select, Table, Text, func, select

from everloop.clock import from_microseconds, microseconds, said
from everloop.errors import HouseBusy, Overtaken, Unknown
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

State: TypeAlias = Literal["open", "done", "superseded", "cancelled"]

TURNS = Table(
    "turns",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("now", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("code", Text),
)
Index(None, TURNS.c.model, TURNS.c.now)
Index(None, TURNS.c.state, TURNS.c.now)
Index(None, TURNS.c.state, TURNS.c.started_at)
Index(
    "one_open_turn",
    TURNS.c.model,
    unique=True,
    sqlite_where=TURNS.c.state == "open",
    postgresql_where=TURNS.c.state == "open",
)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Once round the ring: ``now`` is its business time; ``started_at`` and ``finished_at`` are wall time."""

    id: str
    model: str
    now: datetime
    cause: str
    state: State = "open"
    started_at: datetime
    finished_at: datetime | None = None
    code: str | None = None
    """What the project file and all it brings were when the turn began, as one hash; None: nobody knows."""


@dataclass(frozen=True)
class Turns:
    """The turns of one house."""

    store: Store

    def open(self, connection: Connection, turn: Turn) -> Turn:
        """Begin a turn, or go on with one that was begun and not finished; one that is done is returned as it ended.

        Raises HouseBusy if another turn of the model is open.
        """
        known = self.find(turn.id, within=connection)
        if known is not None:
            return known
        other = self.opened(turn.model, within=connection)
        if other is not None:
            raise HouseBusy(
                f"A turn of {turn.model} is already open (for {said(other.now)}, begun {said(other.started_at)}, id {other.id}). "
                f"Let it finish, or go on with it: everloop turn {turn.model} --now {other.now:%Y-%m-%dT%H:%M:%SZ}",
                aloud=f"A turn of {turn.model} is already open.",
            )
        connection.execute(
            TURNS.insert().values(
                id=turn.id,
                model=turn.model,
                now=microseconds(turn.now),
                cause=turn.cause,
                state="open",
                started_at=microseconds(turn.started_at),
                code=turn.code,
            )
        )
        return turn

    def finish(self, connection: Connection, id: str, *, at: datetime, state: State = "done") -> Turn:
        """End a turn as ``done``, as ``superseded`` where it was overtaken, or ``cancelled`` by a person. Twice the same is a no-op.

        Raises Unknown, and Overtaken if it has already ended the other way.
        """
        turn = self.find(id, within=connection)
        if turn is None:
            raise Unknown("turn", id, where="this house")
        if turn.state not in ("open", state):
            raise Overtaken(f"The turn {id} of {turn.model} already ended as {turn.state}.")
        if turn.state == "open":
            connection.execute(TURNS.update().where(TURNS.c.id == id).values(state=state, finished_at=microseconds(at)))
        return self.find(id, within=connection) or turn

    def find(self, id: str, *, within: Connection | None = None) -> Turn | None:
        """The turn of this id, or None."""
        return self._first(select(TURNS).where(TURNS.c.id == id), within)

    def opened(self, model: str, *, within: Connection | None = None) -> Turn | None:
        """The model's open turn, if it has one: after a crash this is what to go on with."""
        return self._first(select(TURNS).where(TURNS.c.model == model, TURNS.c.state == "open"), within)

    def under_way(self, *, limit: int = 50, within: Connection | None = None) -> list[Turn]:
        """Those that are open, of any model, the one that began first before the others."""
        query = select(TURNS).where(TURNS.c.state == "open").order_by(TURNS.c.started_at).limit(limit)
        with self.store.reading(within) as connection:
            return [_turn(row) for row in connection.execute(query)]

    def last(self, model: str, *, within: Connection | None = None) -> Turn | None:
        """The model's newest finished turn by business time."""
        query = select(TURNS).where(TURNS.c.model == model, TURNS.c.state == "done").order_by(TURNS.c.now.desc(), TURNS.c.started_at.desc())
        return self._first(query, within)

    def latest(self, *, within: Connection | None = None) -> datetime | None:
        """The business time of the newest finished turn of any model; None where none is."""
        query = select(func.max(TURNS.c.now)).where(TURNS.c.state == "done")
        with self.store.reading(within) as connection:
            newest = connection.execute(query).scalar()
        return None if newest is None else from_microseconds(newest)

    def _first(self, query: Select[Any], within: Connection | None) -> Turn | None:
        with self.store.reading(within) as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else _turn(row)


def _turn(row: Row[Any]) -> Turn:
    return Turn(
        id=row.id,
        model=row.model,
        now=from_microseconds(row.now),
        cause=row.cause,
        state=cast(State, row.state),
        started_at=from_microseconds(row.started_at),
        finished_at=None if row.finished_at is None else from_microseconds(row.finished_at),
        code=row.code,
    )
