"""Errands: wishes that a house be turned, kept until a worker has carried them out. Reads no clock.

The same wish (verb, model, moment, cause) is one errand, whoever asks and however often. What was done stays done; what failed, asked
again, waits again. Who carries which out is said in ``claims.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Row, Select, Table, Text, func, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import Overtaken, Unknown
from everloop.records import identity
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

Verb: TypeAlias = Literal["turn", "score"]
State: TypeAlias = Literal["waiting", "taken", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
MOST_TAKEOVERS = 5
"""So many workers may die over an errand before it is given up."""

ERRANDS = Table(
    "errands",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("verb", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("now", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("said", Text),
    Column("taken", Integer, nullable=False),
    Column("holder", Text),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("takeovers", Integer, nullable=False, server_default="0"),
)
Index(None, ERRANDS.c.state, ERRANDS.c.asked_at)
Index(None, ERRANDS.c.asked_at)
Index(None, ERRANDS.c.model, ERRANDS.c.verb, ERRANDS.c.now)


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One wish: ``now`` is business time; ``asked_at`` and ``done_at`` are wall time. ``said`` is JSON: what came of it."""

    id: str
    verb: Verb
    model: str
    now: datetime
    cause: str
    state: State = "waiting"
    asked_at: datetime
    done_at: datetime | None = None
    said: str | None = None
    taken: int = 0
    """How often a worker has begun it."""
    holder: str | None = None
    """The worker that carries it out, or did; None while it waits."""
    fence: int = 0
    """How often it was claimed: who claimed it before somebody else did may keep nothing of it."""
    takeovers: int = 0
    """How many workers have died over it."""

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def errand_id(verb: Verb, model: str, now: datetime, cause: str) -> str:
    """The id of a wish: the same wish is the same errand, in whatever process.

    >>> from datetime import timedelta, timezone
    >>> berlin, noon = timezone(timedelta(hours=1)), datetime.fromisoformat("2026-11-02T12:00Z")
    >>> errand_id("turn", "demand", noon, "demand") == errand_id("turn", "demand", noon.astimezone(berlin), "demand")
    True
    """
    return identity("errand", verb, model, microseconds(now), cause)


def once_id(verb: Verb, model: str, cause: str, once: str) -> str:
    """The id of a wish that was given a name of its own: whenever it is asked again under it, it is the same errand.

    >>> once_id("turn", "demand", "demand", "a") == once_id("turn", "demand", "demand", "a") != once_id("turn", "demand", "demand", "b")
    True
    """
    return identity("errand", "once", verb, model, cause, once)


@dataclass(frozen=True)
class Errands:
    """The errands of one house."""

    store: Store

    def ask(self, connection: Connection, errand: Errand, *, joins: bool = False) -> Errand:
        """Keep a wish; one that is there already is returned as it is, only one that failed waits again.

        Errands are carried out in the order they were asked, also where the machine's clock was set back in between. A wish that ``joins``
        is the oldest one of its kind (verb, model, cause) that nobody has begun, which is then for this moment, if that is later: a
        thousand who wish the same while one is under way are one that follows.
        """
        there = self.find(errand.id, within=connection)
        if there is not None and there.state != "failed":
            return there
        if there is None and joins and (waiting := self._waiting_like(errand, connection)) is not None:
            now = max(waiting.now, errand.now)
            connection.execute(ERRANDS.update().where(ERRANDS.c.id == waiting.id).values(now=microseconds(now)))
            return replace(waiting, now=now)
        newest = connection.execute(select(func.max(ERRANDS.c.asked_at)).where(ERRANDS.c.state.in_(("waiting", "taken")))).scalar()
        asked_at = max(microseconds(errand.asked_at), (newest or 0) + 1)
        asked = replace(errand, state="waiting", asked_at=from_microseconds(asked_at), done_at=None, said=None, taken=0)
        values = {"state": "waiting", "asked_at": asked_at, "done_at": None, "said": None, "taken": 0, "holder": None, "takeovers": 0}
        if there is not None:
            connection.execute(ERRANDS.update().where(ERRANDS.c.id == errand.id).values(**values))
            return replace(asked, fence=there.fence)
        said = {"id": errand.id, "verb": errand.verb, "model": errand.model, "now": microseconds(errand.now), "cause": errand.cause}
        connection.execute(ERRANDS.insert().values(**said, **values))
        return asked

    def unfinished(self, *, within: Connection | None = None) -> list[Errand]:
        """Errands that wait, and those that were taken and not finished, oldest first: after a crash this is what is left to do."""
        return self._read(select(ERRANDS).where(ERRANDS.c.state.in_(("waiting", "taken"))).order_by(ERRANDS.c.asked_at), within)

    def given_up(self, *, within: Connection | None = None) -> int:
        """How many that are still known failed because workers died over them again and again."""
        with self.store.reading(within) as connection:
            dead = select(func.count()).select_from(ERRANDS).where(ERRANDS.c.state == "failed", ERRANDS.c.takeovers >= MOST_TAKEOVERS)
            return int(connection.execute(dead).scalar() or 0)

    def finish(self, connection: Connection, id: str, state: State, said: str, at: datetime) -> Errand:
        """End an errand as ``done``, ``failed`` or ``cancelled``, with what came of it as JSON. Raises Unknown, Overtaken if it has ended.

        The same end again is a no-op.
        """
        there = self._there(connection, id)
        if there.ended:
            if there.state == state:
                return there
            raise Overtaken(f"The errand {id} ({there.verb} {there.model}) has already ended as {there.state}.")
        connection.execute(ERRANDS.update().where(ERRANDS.c.id == id).values(state=state, said=said, done_at=microseconds(at)))
        return replace(there, state=state, said=said, done_at=at)

    def recent(self, *states: State, limit: int = 50, within: Connection | None = None) -> list[Errand]:
        """What was asked last, newest first; of any state, or of these."""
        query = select(ERRANDS).order_by(ERRANDS.c.asked_at.desc()).limit(limit)
        return self._read(query.where(ERRANDS.c.state.in_(states)) if states else query, within)

    def forget(self, connection: Connection, before: datetime) -> int:
        """Remove what ended before an instant of wall time; returns how many.

        Of each model, verb and cause the one of the latest moment stays: by it a schedule knows what was asked for already.
        """
        other = ERRANDS.alias()
        same = (other.c.model == ERRANDS.c.model, other.c.verb == ERRANDS.c.verb, other.c.cause == ERRANDS.c.cause)
        later = select(other.c.id).where(*same, other.c.now > ERRANDS.c.now).exists()
        old = ERRANDS.delete().where(ERRANDS.c.state.in_(ENDED), ERRANDS.c.done_at < microseconds(before), later)
        return connection.execute(old).rowcount

    def find(self, id: str, *, within: Connection | None = None) -> Errand | None:
        """The errand of this id, or None."""
        return next(iter(self._read(select(ERRANDS).where(ERRANDS.c.id == id), within)), None)

    def newest(self, model: str, verb: Verb, *, cause: str | None = None, within: Connection | None = None) -> Errand | None:
        """The errand of the latest moment, whatever became of it; of one ``cause``, or of any."""
        query = select(ERRANDS).where(ERRANDS.c.model == model, ERRANDS.c.verb == verb).order_by(ERRANDS.c.now.desc()).limit(1)
        if cause is not None:
            query = query.where(ERRANDS.c.cause == cause)
        return next(iter(self._read(query, within)), None)

    def _waiting_like(self, errand: Errand, connection: Connection) -> Errand | None:
        same = (ERRANDS.c.verb == errand.verb, ERRANDS.c.model == errand.model, ERRANDS.c.cause == errand.cause)
        query = select(ERRANDS).where(ERRANDS.c.state == "waiting", ERRANDS.c.taken == 0, *same).order_by(ERRANDS.c.asked_at).limit(1)
        return next(iter(self._read(query, connection)), None)

    def _there(self, connection: Connection, id: str) -> Errand:
        there = self.find(id, within=connection)
        if there is None:
            raise Unknown("errand", id, where="this house")
        return there

    def _read(self, query: Select[Any], within: Connection | None) -> list[Errand]:
        with self.store.reading(within) as connection:
            return [errand_in(row) for row in connection.execute(query)]


def errand_in(row: Row[Any]) -> Errand:
    """The errand that a row of the table says."""
    return Errand(
        id=row.id,
        verb=cast(Verb, row.verb),
        model=row.model,
        now=from_microseconds(row.now),
        cause=row.cause,
        state=cast(State, row.state),
        asked_at=from_microseconds(row.asked_at),
        done_at=None if row.done_at is None else from_microseconds(row.done_at),
        said=row.said,
        taken=row.taken,
        holder=row.holder,
        fence=row.fence,
        takeovers=row.takeovers,
    )
