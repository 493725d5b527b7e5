"""The doors of one house, as one worker opens them. In: what the app was asked. Out: what it replies with; see ``serving/doors.py``.

An answer needs the routes in force, what is known of the unit, and the answers log: house.db is not on its way. It is given ``at_once``
where a question needs no more than what is at hand, else ``at_length``. What people and the controller do goes through house.db, which is
opened when it is first needed.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from everloop.errors import EverloopError, HouseBusy, Unknown
from everloop.loop.serve.asked import by_what_they_carry, once_each
from everloop.loop.serve.at_length import AtLength, arm, here
from everloop.loop.serve.at_once import AtOnce
from everloop.loop.serve.follow import Follow, Seat
from everloop.loop.serve.known import Known
from everloop.loop.serve.shadows import Shadows
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Incident, Prediction, Received
from everloop.serving.answer import SEPARATOR
from everloop.serving.doors import InForce, Ready, Row
from everloop.spans import learnt, trace_of

if TYPE_CHECKING:
    from everloop.lake.gather import Gathering
    from everloop.loop.house import House
    from everloop.registry.errands import Verb
    from everloop.serving.asks import Because, OnlineFeaturesAsk, OnlineFeaturesReply
    from everloop.serving.log import AnswersLog
    from everloop.serving.notices import Notices
    from everloop.serving.verdicts import VerdictReply

HOURS = 6 * 3600.0
"""Seconds a turn that was asked for is waited for: as long as anybody may want to train."""


class HouseDoors:
    """One house as one worker sees it. ``house`` opens it, at most once and only when something needs more than an answer does."""

    def __init__(
        self,
        models: Mapping[str, Model],
        sources: Mapping[str, Source],
        *,
        house: Callable[[], House],
        follow: Follow,
        known: Known,
        log: AnswersLog,
        gathering: Gathering,
        turned: bool = False,
    ) -> None:
        self.models, self.sources, self.turned = models, sources, turned
        self.follow, self.known, self.log, self.gathering = follow, known, log, gathering
        self.shadows = Shadows()
        self.at_length = AtLength(sources, known, log, self.shadows)
        self.at_once = AtOnce(known, log, self.shadows, self.at_length.otherwise)
        self._open, self._opening = house, threading.Lock()
        self.draining = False

    # -- answers --

    def predict(self, model: str, requests: Sequence[Row], now: datetime) -> Sequence[Prediction]:
        """One answer for each request, in the log before it is given. See ``Doors``."""
        declared, seat, salt = self._model(model), *self._seat(model)
        once_each(declared, requests)
        if len(requests) == 1:
            one = self.at_once.by_key(declared, seat, salt, requests[0], now)
            if one is not None:
                return [one]
        given: list[Prediction | None] = [None] * len(requests)
        for places in by_what_they_carry(requests):
            some = [requests[place] for place in places]
            for place, prediction in zip(places, self.at_length.answered(declared, seat, salt, some, now), strict=True):
                given[place] = prediction
        return [prediction for prediction in given if prediction is not None]

    def answer_soon(self, model: str, request: Row, now: datetime) -> Awaitable[Prediction] | None:
        """The answer to one request that says itself what is known of it. See ``Doors``."""
        return self.at_once.soon(self._model(model), *self._seat(model), request, now)

    def because(self, model: str, given: Sequence[Prediction]) -> Sequence[Because | str]:
        """Why each answer is what it is, told from what is remembered of it. See ``Doors``."""
        from everloop.loop.serve.explained import explained

        return explained(self._model(model), self._seat(model)[0].predictors, given)

    def beside(self, model: str, items: Sequence[str], most: int | None, now: datetime) -> tuple[str, Sequence[tuple[str, float]]]:
        """What goes with a product or a cart."""
        return self.at_length.beside(self._model(model), self._seat(model)[0], items, most, now)

    def in_force(self, model: str) -> InForce:
        """Who answers for a model."""
        traffic = here(self._seat(self._model(model).name)[0])
        return InForce(
            self.named(traffic.champion),
            self.named(traffic.candidate) if traffic.candidate and traffic.stage == "canary" else None,
            self.named(traffic.baseline) if traffic.baseline else None,
            {arm: self.named(version) for arm, version in traffic.by_arm.items()} if traffic.arms and traffic.stage == "canary" else {},
        )

    def assigned(self, model: str, requests: Sequence[Row]) -> Sequence[str]:
        """The version that answers each request."""
        declared, seat, force = self._model(model), self._seat(model)[0], self.in_force(model)
        split = declared.split_by
        named = [declared.unit if split is None or split not in request else (split,) for request in requests]
        units = [SEPARATOR.join(str(request[name]) for name in names) for request, names in zip(requests, named, strict=True)]
        return [force.of(arm(unit, seat)) for unit in units]

    def online_features(self, asked: OnlineFeaturesAsk, now: datetime) -> OnlineFeaturesReply:
        """What models know of units, in Feast's own shape; nobody answers and nothing is logged. See ``connect/feast/online.py``."""
        from everloop.connect.feast import online as feast
        from everloop.loop.serve.looked import looked_up

        wanted = feast.wanted(asked, self.models)
        return feast.reply(asked, [(one, looked_up(self.known, one.model, one.requests, now)) for one in wanted])

    def _model(self, name: str) -> Model:
        if name not in self.models:
            raise Unknown("model", name, sorted(self.models))
        return self.models[name]

    def _seat(self, model: str) -> tuple[Seat, str]:
        table = self.follow.table
        if table is None:
            raise HouseBusy(self.follow.wrong or "Nothing says who answers yet. Ask again in a moment.")
        if model not in table.seats:
            raise self.follow.without(model)
        return table.seats[model], table.salt

    def named(self, version: str) -> str:
        """A version's id as people say it."""
        return self.follow.names.get(version, version)

    def labels(self, version: str) -> Sequence[str]:
        """The labels a version's class shares stand for."""
        return self.follow.labels.get(version, ())

    def is_baseline(self, version: str) -> bool:
        """Whether a version is a baseline, which answers until something better is proven."""
        return version in self.follow.baselines

    # -- what happened --

    def receive(self, source: str, rows: Sequence[Row] | pa.Table, now: datetime, known_after: timedelta | None) -> Future[Received]:
        """Rows of a source, kept together with others that come at the same time."""
        if source not in self.sources:
            raise Unknown("source", source, sorted(self.sources))
        return self.gathering.receive(self.sources[source], rows, now, known_after)

    def truths(self, told: Sequence[Row], now: datetime) -> Received:
        """Truths that are no event."""
        from everloop.loop.tell.told import tell_truths

        return tell_truths(self.house, told, now)

    def outcomes(self, told: Sequence[Row], now: datetime) -> Received:
        """Named outcomes of a unit or a prediction."""
        from everloop.loop.tell.told import tell_outcomes

        return tell_outcomes(self.house, told, now)

    def predictions(self, told: Sequence[Row], now: datetime) -> Received:
        """Answers of another service."""
        from everloop.loop.tell.told import tell_predictions

        return tell_predictions(self.house, told, now, log=Surely(self.log))

    def arrived(self, notices: Notices, now: datetime) -> Sequence[Received]:
        """Objects that were written to a store."""
        from everloop.loop.arriving import take_all

        return take_all(self.house, notices, now)

    # -- the ring --

    def turn(self, model: str | None, now: datetime, cause: str, once: str | None = None) -> list[Mapping[str, Any]]:
        """Once round the ring, in the controller."""
        from everloop.loop.control.errands import ASKED

        # What nobody wants a candidate of is turned as its schedule would have it be, and told as what it was: asked for.
        done = self._wished("turn", model, now, ASKED if cause == "schedule" else cause, once)
        if turns := [str(said["turn"]) for _, said in done if "turn" in said]:
            learnt(turn=",".join(turns), turn_trace=",".join(map(trace_of, turns)))
        return [{"model": name, **said} for name, said in done]

    def score(self, model: str | None, now: datetime) -> Mapping[str, int]:
        """Every question that has come due, answered in the controller."""
        return {name: int(said.get("answers", 0)) for name, said in self._wished("score", model, now, "demand")}

    def _wished(
        self, verb: Verb, model: str | None, now: datetime, cause: str, once: str | None = None
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """What came of a wish that is kept only once somebody is there to carry it out: who is told that nobody is has left nothing."""
        from everloop.loop.control.errands import asked_before, led

        names = self._names(model)
        if not all(asked_before(self.house, verb, name, now, cause, once) for name in names):
            led(self.house, ends=lambda: self.draining)
        # A thousand who wish the same while it is under way are one that follows. On a turned clock each asks about a moment of its own.
        return self._carried_out(verb, names, now, cause, once, joins=once is None and not self.house.turned)

    def _names(self, model: str | None) -> Sequence[str]:
        return [self._model(model).name] if model else sorted(self.models)

    def _carried_out(
        self, verb: Verb, names: Sequence[str], now: datetime, cause: str, once: str | None = None, *, joins: bool = False
    ) -> list[tuple[str, Mapping[str, Any]]]:
        from everloop.loop.control.errands import ask, awaited, came_of

        asked = [(name, ask(self.house, verb, name, now, cause, once=once, joins=joins)) for name in names]
        return [(name, came_of(awaited(self.house, errand.id, HOURS, ends=lambda: self.draining))) for name, errand in asked]

    # -- people --

    def undo(self, model: str, by: str, reason: str, now: datetime) -> str:
        """The version before answers again."""
        from everloop.loop import people

        return people.undo(self.house, self._model(model), by=by, reason=reason, now=now)

    def hold(self, model: str, by: str, reason: str, now: datetime) -> str:
        """A stop to roll-outs, until it is released."""
        from everloop.loop import hand

        return hand.hold(self.house, self._model(model), by=by, reason=reason, now=now)

    def release(self, model: str, by: str, reason: str, now: datetime) -> str:
        """Roll-outs may go on."""
        from everloop.loop import hand

        return hand.release(self.house, self._model(model), by=by, reason=reason, now=now)

    def share(self, model: str, share: float | None, by: str, reason: str, now: datetime) -> str:
        """The share a canary's candidate answers."""
        from everloop.loop import hand

        return hand.set_share(self.house, self._model(model), share, by=by, reason=reason, now=now)

    def approve(self, model: str, yes: bool, by: str, reason: str, now: datetime, question: str | None = None) -> str:
        """A person's word on what the model waits for."""
        from everloop.loop import people

        def in_the_controller(_house: House, model: Model, now: datetime, cause: str) -> str:
            try:
                [(_, said)] = self._carried_out("turn", [model.name], now, cause)
            except EverloopError as error:  # the word is given already, and stands
                return str(error)
            return str(said.get("sentence", ""))

        words = {"by": by, "reason": reason, "now": now, "question": question}
        return people.answer_question(self.house, self._model(model), yes, **words, go_on=in_the_controller)  # type: ignore[arg-type]

    def cancel(self, model: str, by: str, reason: str) -> str:
        """End the turn under way."""
        from everloop.loop.control.cancel import cancel

        return cancel(self.house, self._model(model), by=by, reason=reason)

    def forget(self, column: str, value: str, everybody: bool, by: str, reason: str, now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Erase one person, or everybody."""
        from everloop.loop.forget import empty, forget
        from everloop.loop.spoken import spoken_record
        from everloop.registry.written import as_data

        words: dict[str, Any] = {"by": by, "reason": reason, "now": now}
        record = empty(self.house, **words) if everybody else forget(self.house, column, value, **words)
        return spoken_record(record), as_data(record)

    def known_of(self, column: str, value: str) -> Mapping[str, Any]:
        """Everything that is kept of one person."""
        from everloop.loop.forget import known_of
        from everloop.registry.written import as_data

        found: Mapping[str, Any] = as_data(known_of(self.house, column, value))
        return found

    def status(self) -> list[Mapping[str, Any]]:
        """Each model's standing."""
        from everloop.loop.look import status

        return [vars(standing) for standing in status(self.house)]

    def verdict(self, rollout: str) -> VerdictReply:
        """How a roll-out stands."""
        from everloop.loop.concluded import concluded, reply

        return reply(concluded(self.house, rollout))

    def history(self, after: int | None) -> tuple[Sequence[Mapping[str, Any]], int]:
        """What the journal kept beyond a number."""
        from everloop.loop.kept_since import kept_since

        return kept_since(self.house, after)

    def incidents(self, model: str | None, every: bool) -> list[Mapping[str, Any]]:
        """What is wrong now; ``every``: also what is over."""
        from everloop.loop.incidents import incidents_of
        from everloop.registry.written import as_data

        return [as_data(incident) for incident in incidents_of(self.house, model, every=every)]

    def acknowledge(self, incident: str, by: str, reason: str, now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Somebody is at an incident."""
        from everloop.loop.incidents import acknowledge

        return _as_said(acknowledge(self.house, incident, by=by, reason=reason, now=now))

    def snooze(self, incident: str, until: str, by: str, reason: str, now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Nobody is told of an incident before a moment."""
        from everloop.loop.incidents import snooze

        return _as_said(snooze(self.house, incident, until, by=by, reason=reason, now=now))

    def ready(self) -> Ready:
        """Whether this worker can answer."""
        table = self.follow.table
        if self.draining:
            return Ready(False, "It is about to end.")
        if table is None:
            return Ready(False, self.follow.wrong or "Nothing says who answers yet.")
        return Ready(True, generations=tuple(sorted(table.generations().items())))

    @property
    def house(self) -> House:
        """The house, opened when it is first needed."""
        with self._opening:
            return self._house

    @cached_property
    def _house(self) -> House:
        return self._open()


def _as_said(incident: Incident) -> tuple[str, Mapping[str, Any]]:
    from everloop.loop.incidents import spoken_incident
    from everloop.registry.written import as_data

    return spoken_incident(incident), as_data(incident)


@dataclass(frozen=True)
class Surely:
    """The answers log for what is told: whoever tells it is not told that it is kept unless it is, whatever the house does when full."""

    log: AnswersLog

    def write(self, rows: pa.Table) -> None:
        self.log.write(rows, must=True)
