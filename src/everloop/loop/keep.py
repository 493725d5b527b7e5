"""Keeping: every step of a turn becomes one record, once; its body at least once, its pointer and its alert in the same transaction.

A step's id is made of the turn and the verb. If the journal has it, the kept record is returned and the verb is not called; so a turn
that was killed goes on where it stopped. What a record moves is fixed by its kind, here and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from everloop.clock import monotonic, said, wall
from everloop.errors import CodeChanged, Overtaken, StoreError
from everloop.loop.incidents import incidents_by
from everloop.loop.news.alerts import alert_of
from everloop.loop.overtaken import withdraw_overtaken
from everloop.loop.spending import METER, cost
from everloop.loop.turning import turning
from everloop.project.model import Model
from everloop.records import Candidate, Decision, Record, Traffic, Verdict, Version, identity
from everloop.registry.turns import State, Turn
from everloop.spans import about, span, trace_of

if TYPE_CHECKING:
    from everloop.loop.house import House

ANY = timedelta(days=36_500)
"""A turn's records are dated by its own moment, while other turns and people go on, and undo never waits: that the clock of a model runs
forwards is checked where its turn opens."""

LOOK_EVERY = 0.2
"""Seconds between two looks whether a turn was cancelled while a child works for it."""


_lines = logging.getLogger(__name__)


class Cancelled(Overtaken):
    """A person ended the turn: what it had kept stays kept, nothing more is, and nobody goes on with it."""


class Interrupted(BaseException):
    """This process is told to end. No Exception: nothing that tidies up after a failure may take it for one; the turn stays open."""


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
        self.house.still()
        self.house.pause(f"before {name}")
        with about(step=name), span(name, record=id), METER.step() as step:
            record = verb(Step(self.house, self.model, self.turn.now, id, self.turn.id, self.turn.cause), *args, **kwargs)
        record = replace(record, cost=cost(METER.taken(step), self.house.settings.prices))
        self.house.pause(f"after {name}, not kept")
        with self.house.store.transaction() as t:
            _not_cancelled(self.house, self.house.turns.find(self.turn.id, within=t), t)
            record = keep_record(self.house, t, record, model=self.model, turn=self.turn.id, verb=name)
        self.house.pause(f"kept {name}")
        with about(step=name):
            _lines.info("%s: %s was kept as %s", self.model.name, name, record.id)
        return record


def keep_record(house: House, t: Connection, record: R, *, model: Model, turn: str | None, verb: str) -> R:
    """In one transaction: the record, the pointer it moves, the questions it asks or overtakes, the incidents it opens, moves or ends, and
    the alerts that come of it."""
    if isinstance(record, Version):
        candidate, verdict = house.candidate(record.candidate, within=t), house.verdict(record.verdict, within=t)
        version = house.versions.admit(t, candidate, verdict, now=record.made_at, id=record.id)
        house.runs.let_in(t, candidate.id, version)
        if version.id != record.id:
            # The same content was let in before: it is that version again, whose record is in the journal already.
            return version  # type: ignore[return-value]
        record = version  # type: ignore[assignment]
    kept = house.journal.append(t, record, turn=turn, verb=verb, back=ANY)
    if isinstance(record, Candidate):
        house.runs.learnt(t, record)
    elif isinstance(record, Verdict):
        house.runs.judged(t, record)
    changes = incidents_by(house, t, record, model)
    if isinstance(record, Traffic):
        house.pointers.move(t, record, expected_generation=record.generation - 1)
        withdraw_overtaken(house, t, record)
    if isinstance(record, Decision) and record.asks:
        house.approvals.ask(t, record)
    for incident in changes:
        house.journal.append(t, incident, turn=turn, verb="incident", back=ANY)
        house.incidents.move(t, incident)
    happened: list[Record] = [record, *changes]
    for alert in filter(None, (alert_of(each, model) for each in happened)):
        house.outbox.put(t, alert, at=record.made_at, head=str(house.journal.head(within=t)))
    return kept


@contextmanager
def keeping(house: House, model: Model, now: datetime, cause: str) -> Iterator[Keep]:
    """Open a turn, or go on with the one that was begun for this instant; end it as done, or as superseded where it was overtaken.

    Raises HouseBusy where another process turns the model, Overtaken where somebody else moved the traffic first, Cancelled where a person
    ended it, CodeChanged where it was begun by other code than this process opened, ClockWentBack.
    """
    id = turn_id(model, now, cause)
    with turning(house, model.name) as house:
        with house.store.transaction() as t:
            _same_code(house, house.turns.find(id, within=t))
            house.forwards(t, model, now, id)
            left = house.turns.opened(model.name, within=t)
            if left is not None and left.id != id:
                # Whoever opened it is dead, or it would hold the lock. What it kept stays kept, and it may still be gone on with.
                other = bool(left.code and house.project.code and left.code != house.project.code)
                house.turns.finish(t, left.id, at=wall(), state="superseded" if other else "done")
            code = house.project.code or None
            turn = house.turns.open(t, Turn(id=id, model=model.name, now=now, cause=cause, started_at=wall(), code=code))
            _not_cancelled(house, turn, t)
        # One trace for one turn, however often it is gone on with.
        known = {"turn": turn.id, "now": now.isoformat(), "cause": cause}
        with about(turn_id=turn.id, model=model.name), span("turn", trace=trace_of(turn.id), model=model.name, **known):
            yield from _ended(replace(house, ended=_Look(house, id)), model, turn)


def _same_code(house: House, begun: Turn | None) -> None:
    if begun is not None and begun.code and house.project.code and begun.code != house.project.code:
        raise CodeChanged(
            f"The turn of {begun.model} for {said(begun.now)} was begun by another state of the project file, or of what it imports. "
            "What it kept stays; nobody goes on with it. Turn again, at a later moment."
        )


def turn_id(model: Model, now: datetime, cause: str) -> str:
    """The id of a turn: the same model, moment and cause are the same turn, in whatever process."""
    return identity("turn", model.name, now.isoformat(), cause)


def cancel_id(turn: str) -> str:
    """The id of the record that says who ended a turn, and why."""
    return identity("cancel", turn)


def _ended(house: House, model: Model, turn: Turn) -> Iterator[Keep]:
    try:
        yield Keep(house, model, turn)
    except Overtaken:
        # At a fence not even this may be written: the turn is somebody else's now.
        with suppress(StoreError):
            _finish(house, turn.id, "superseded")
        raise
    except Exception:
        # What could not be done now can be done again: steps that were kept stay kept, and the turn is not in the way of others.
        with suppress(StoreError):
            _finish(house, turn.id, "done")
        raise
    _finish(house, turn.id, "done")


def _finish(house: House, id: str, state: State) -> None:
    with house.store.transaction() as t:
        there = house.turns.find(id, within=t)
        if there is None or there.state != "cancelled":
            house.turns.finish(t, id, at=wall(), state=state)


def _not_cancelled(house: House, turn: Turn | None, within: Connection | None) -> None:
    if turn is not None and turn.state == "cancelled":
        record = house.journal.find(cancel_id(turn.id), within=within)
        why = "; ".join(record.because) if isinstance(record, Decision) else "it was ended"
        raise Cancelled(f"The turn of {turn.model} for {said(turn.now)} is not gone on with: {why}. What answers stays as it was.")


class _Look:
    """Whether a turn was cancelled, or the house's own work must end; the house is looked at five times a second at most."""

    def __init__(self, house: House, turn: str) -> None:
        self.house, self.turn, self.next = house, turn, monotonic() + LOOK_EVERY

    def __call__(self) -> BaseException | None:
        if (why := self.house.ended()) is not None:
            return why
        if monotonic() < self.next:
            return None
        self.next = monotonic() + LOOK_EVERY
        try:
            _not_cancelled(self.house, self.house.turns.find(self.turn), None)
        except Cancelled as cancelled:
            self.next = 0.0
            return cancelled
        return None
