"""Approvals: decisions that wait for a person's word, and the word once it was given. Reads no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Row, Table, Text, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError, Overtaken, Unknown
from everloop.records import Approval, Decision
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

APPROVALS = Table(
    "approvals",
    METADATA,
    Column("decision", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # waiting, approved, rejected, withdrawn
    Column("by", Text),
    Column("reason", Text),
    Column("answered_at", BigInteger),
)
Index(None, APPROVALS.c.model, APPROVALS.c.state)


@dataclass(frozen=True)
class Question:
    """A decision that waits, or waited, for a person. ``action`` is what is to be done if they say yes."""

    decision: str
    model: str
    action: str
    asked_at: datetime
    state: str
    by: str | None = None
    reason: str | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True)
class Approvals:
    """What people were asked, and said."""

    store: Store

    def ask(self, connection: Connection, decision: Decision) -> Question:
        """Keep a decision waiting for a person; asked again it is a no-op. Raises EverloopError for a decision that asks nothing."""
        if decision.asks is None:
            raise EverloopError(f"The decision {decision.id} of {decision.model} asks nobody anything (it says {decision.action}).")
        there = self.find(decision.id, within=connection)
        if there is not None:
            return there
        values = {"model": decision.model, "action": decision.asks, "asked_at": microseconds(decision.made_at), "state": "waiting"}
        connection.execute(APPROVALS.insert().values(decision=decision.id, **values))
        return Question(decision.id, decision.model, decision.asks, decision.made_at, "waiting")

    def answer(self, connection: Connection, decision: str, *, approved: bool, by: str, reason: str, now: datetime, id: str) -> Approval:
        """A person's word on a waiting decision, as the record the caller journals in the same transaction.

        Raises Unknown if nobody was asked, Overtaken if it was answered or withdrawn already, EverloopError without a name or a reason.
        """
        if not by.strip() or not reason.strip():
            raise EverloopError("A word on a decision needs a name and a reason. Say --by and --reason.")
        there = self.find(decision, within=connection)
        if there is None:
            raise Unknown("question", decision, [q.decision for q in self.waiting(within=connection)], where="this house")
        if there.state != "waiting":
            who = f" by {there.by}: {there.reason}" if there.by else ""
            raise Overtaken(f"The question {decision} about {there.model} was already {there.state}{who}.")
        self._end(connection, decision, "approved" if approved else "rejected", by=by, reason=reason, answered_at=microseconds(now))
        return Approval(
            id=id, made_at=now, made_from=(decision,), model=there.model, decision=decision, approved=approved, by=by, reason=reason
        )

    def withdraw(self, connection: Connection, decision: str, *, reason: str, now: datetime) -> None:
        """Take back a question that no longer matters; one that was answered stays as it was."""
        self._end(connection, decision, "withdrawn", reason=reason, answered_at=microseconds(now))

    def waiting(self, model: str | None = None, *, within: Connection | None = None) -> list[Question]:
        """Questions nobody has answered yet: whether to undo before all others, for harm does not wait; then the oldest first."""
        order = (APPROVALS.c.action != "undo", APPROVALS.c.asked_at, APPROVALS.c.decision)
        query = select(APPROVALS).where(APPROVALS.c.state == "waiting").order_by(*order)
        with self.store.reading(within) as connection:
            rows = connection.execute(query if model is None else query.where(APPROVALS.c.model == model)).all()
        return [_question(row) for row in rows]

    def find(self, decision: str, *, within: Connection | None = None) -> Question | None:
        """The question a decision asked, waiting or not; None if it asked none."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(APPROVALS).where(APPROVALS.c.decision == decision)).first()
        return None if row is None else _question(row)

    def _end(self, connection: Connection, decision: str, state: str, **values: Any) -> None:
        open_one = APPROVALS.update().where(APPROVALS.c.decision == decision, APPROVALS.c.state == "waiting")
        connection.execute(open_one.values(state=state, **values))


def _question(row: Row[Any]) -> Question:
    answered = None if row.answered_at is None else from_microseconds(row.answered_at)
    return Question(row.decision, row.model, row.action, from_microseconds(row.asked_at), row.state, row.by, row.reason, answered)
