"""Keeping: every step of a turn becomes one record, once; its body at least once, its pointer and its alert in the same transaction.

A step's id is made of the turn and the verb. If the journal has it, the kept record is returned and the verb is not called; so a turn
that was killed goes on where it stopped. What a record moves is fixed by its kind, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from everloop.clock import wall
from everloop.errors import Overtaken, StoreError
from everloop.lake.alone import alone
from everloop.loop.alerts import alert_of
from everloop.project.model import Model
from everloop.records import Decision, Record, Traffic, Version, identity
from everloop.registry.turns import Turn

if TYPE_CHECKING:
    from everloop.loop.house import House

ANY = timedelta(days=36_500)
"""A turn's records are dated by its own moment, while other turns and people go on, and undo never waits: that the clock of a model runs
forwards is checked where its turn opens."""

P = ParamSpec("P")
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Step:
    """What a verb is told about the step it does: the house, the model, business time, and the id its record will have."""

    house: House
    model: Model
    now: datetime
    id: str
    turn: str
    cause: str

    @property
    def seed(self) -> int:
        """The same chance for the same step, however often it is done again."""
        return int(self.id[:8], 16) % 2**31


@dataclass(frozen=True)
class Keep:
    """One open turn: call it with a verb of ``wiring`` and what the verb needs."""

    house: House
    model: Model
    turn: Turn

    def __call__(self, verb: Callable[Concatenate[Step, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The record of this step: read back where it was kept before, else done now and kept."""
        name = verb.__name__
        id = identity(self.turn.id, name)
        kept = self.house.journal.find(id)
        if kept is not None:
            return kept  # type: ignore[return-value]
        self.house.pause(f"before {name}")
        record = verb(Step(self.house, self.model, self.turn.now, id, self.turn.id, self.turn.cause), *args, **kwargs)
        self.house.pause(f"after {name}, not kept")
        with self.house.store.transaction() as t:
            record = keep_record(self.house, t, record, model=self.model, turn=self.turn.id, verb=name)
        self.house.pause(f"kept {name}")
        return record


def keep_record(house: House, t: Connection, record: R, *, model: Model, turn: str | None, verb: str) -> R:
    """In one transaction: the record, the pointer it moves, the question it asks, and the alert it causes."""
    if isinstance(record, Version):
        candidate, verdict = house.candidate(record.candidate, within=t), house.verdict(record.verdict, within=t)
        version = house.versions.admit(t, candidate, verdict, now=record.made_at, id=record.id)
        if version.id != record.id:
            # The same content was let in before: it is that version again, whose record is in the journal already.
            return version  # type: ignore[return-value]
        record = version  # type: ignore[assignment]
    kept = house.journal.append(t, record, turn=turn, verb=verb, back=ANY)
    if isinstance(record, Traffic):
        house.pointers.move(t, record, expected_generation=record.generation - 1)
    if isinstance(record, Decision) and record.asks:
        house.approvals.ask(t, record)
    if alert := alert_of(record, model):
        house.outbox.put(t, alert, at=record.made_at, head=str(house.journal.head(within=t)))
    return kept


@contextmanager
def keeping(house: House, model: Model, now: datetime, cause: str) -> Iterator[Keep]:
    """Open a turn, or go on with the one that was begun for this instant; end it as done, or as superseded where it was overtaken.

    Raises HouseBusy where another turn of the model is open, Overtaken where somebody else moved the traffic first, ClockWentBack.
    """
    id = turn_id(model, now, cause)
    with alone(house.settings.house / "turns" / f"{model.name}.lock", f"turning {model.name}", patience=0):
        with house.store.transaction() as t:
            house.forwards(t, model, now, id)
            left = house.turns.opened(model.name, within=t)
            if left is not None and left.id != id:
                # Whoever opened it is dead, or it would hold the lock. What it kept stays kept, and it may still be gone on with.
                house.turns.finish(t, left.id, at=wall())
            turn = house.turns.open(t, Turn(id=id, model=model.name, now=now, cause=cause, started_at=wall()))
        yield from _ended(house, model, turn)


def turn_id(model: Model, now: datetime, cause: str) -> str:
    """The id of a turn: the same model, moment and cause are the same turn, in whatever process."""
    return identity("turn", model.name, now.isoformat(), cause)


def _ended(house: House, model: Model, turn: Turn) -> Iterator[Keep]:
    id = turn.id
    try:
        yield Keep(house, model, turn)
    except Overtaken:
        with house.store.transaction() as t:
            house.turns.finish(t, id, at=wall(), state="superseded")
        raise
    except Exception:
        # What could not be done now can be done again: steps that were kept stay kept, and the turn is not in the way of others.
        with suppress(StoreError), house.store.transaction() as t:
            house.turns.finish(t, id, at=wall())
        raise
    with house.store.transaction() as t:
        house.turns.finish(t, id, at=wall())
