"""Quick answers: one question, answered without a table. In: a request. Out: rows for the log.

A question that says itself what is known of it needs no thread and no disk but the log's, and is answered on the event loop; one whose
unit's past is kept, in a thread. Whatever takes more (events that have to be read, a list, a version that learnt by other definitions or is
served elsewhere) is answered by ``doors`` as ever, and ``None`` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from everloop import rollout
from everloop.clock import microseconds
from everloop.features.fold import as_key
from everloop.features.served import definition_of
from everloop.lake.values import Reads
from everloop.loop.serve.asked import reads_of
from everloop.loop.serve.follow import Seat
from everloop.loop.serve.known import Known
from everloop.project.model import Model
from everloop.project.resolve import answered_by, with_apart
from everloop.project.source import Source
from everloop.records import Traffic
from everloop.serving.answer import SEPARATOR, asked_in_turn, others
from everloop.serving.answered import Row, hashed, private_columns, private_in
from everloop.serving.one import Able, Question, able, answer_one, shadow_one, single

CHEAP = 0.001
"""Seconds one answer may take where everybody else waits for it."""
READ_BY_NOTHING = "{}"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Quick:
    """Who answers for one model, ready to be asked one question at a time. ``brought``: also by features that requests bring."""

    model: Model
    traffic: Traffic
    versions: Mapping[str, Able]
    known: Known
    reads: Mapping[str, Reads]
    brought: bool
    past: bool
    """Whether the baseline of a control needs the unit's past, which no request brings."""
    waits: bool
    """Whether a version that serves takes longer than others may wait for: then it is asked in a thread."""
    slow: bool
    """Whether a version that answers in shadow does."""
    private: Collection[str]
    hidden: Collection[str]
    definition: str
    salt: str
    row: tuple[str, ...]
    """The columns that name the row asked about, where the model asks about rows."""
    wants: tuple[str, ...]
    """The columns of that row by which it is answered: what is left out of them may be known from the row, or is told."""

    def question(self, request: Mapping[str, Any], now: datetime) -> Question | None:
        """What a request asks that says itself what is known of it; None where something has to be read."""
        moment = microseconds(now)
        features = request.get("features")
        if features is not None:
            brought = self.brought and not (self.past and self._arm(self._unit(request), request) == "control")
            return Question(self._unit(request), moment, _as_fed(features)) if brought else None
        said = self._said(request)
        found = self.known.given(self.model, said, moment) if said is not None else None
        if said is None or found is None:
            return None
        return Question(self._unit(request), moment, found, READ_BY_NOTHING, self.definition, self._kept(said))

    def looked_up(self, request: Mapping[str, Any], now: datetime) -> Question | None:
        """What a request asks, with what is kept of its keys; None where events have to be read. It waits for the disk."""
        said, model = self._said(request), self.model
        if said is None or "features" in request or not all(name in request for name in self.wants):
            return None
        unit = {name: request[name] for name in model.unit}
        row = {"row": SEPARATOR.join([as_key(request[name]) for name in self.row])} if self.row else {}
        found = self.known.one(model, unit | said | row, now)
        if found is None:
            return None
        features, as_of, moment = found
        reach = _encode(dict(sorted(as_of.items()))).decode()
        return Question(self._unit(request), moment, features, reach, self.definition, self._kept(said))

    def _unit(self, request: Mapping[str, Any]) -> str:
        return SEPARATOR.join([str(request[name]) for name in self.model.unit])

    def _said(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is said beyond the unit, as its source declares it; None where some of it cannot be read, which the long way tells of."""
        reads = self.reads
        try:
            # A decimal is what JSON says it is; everything else is read.
            return {
                name: value + 0.0 if value.__class__ is float else reads[name](value) for name, value in request.items() if name in reads
            }
        except ValueError:
            return None

    def _kept(self, said: Mapping[str, Any]) -> str | None:
        kept = {name: hashed(value, self.salt) if name in self.hidden else value for name, value in said.items()}
        return _encode(kept).decode() if kept else None

    def answer(self, question: Question, request: Mapping[str, Any], now: datetime) -> list[Row]:
        """What is said to it: first the answer that is given, then who failed to give one."""
        return answer_one(
            self.model, self.traffic, self.versions, question,
            arm=self._arm(question.unit, request), answered_at=microseconds(now), private=self.private, salt=self.salt,
        )  # fmt: skip

    def _arm(self, unit: str, request: Mapping[str, Any]) -> str:
        split = self.model.split_by
        return rollout.arm_of(unit if split is None or split not in request else str(request[split]), self.traffic)

    def shadow(self, question: Question, said: list[Row]) -> list[Row]:
        """What the other versions of a roll-out say to it, seen by nobody."""
        return shadow_one(
            self.model, self.traffic, self.versions, question, said,
            answered_at=said[0].answered_at, private=self.private, salt=self.salt,
        )  # fmt: skip


def quick_of(model: Model, seat: Seat, salt: str, known: Known, otherwise: Collection[str]) -> Quick | None:
    """How a model's questions are answered one at a time under what is in force; None where they cannot be.

    ``otherwise``: the versions that learnt by other definitions than today's.
    """
    traffic = seat.route.traffic
    names = {*model.columns, "baseline"}
    elsewhere = any(named.candidate.format == "elsewhere" for named in seat.route.versions.values())
    if elsewhere or otherwise or not single(model.shape) or any(not set(row.columns) <= names for row in seat.rows.values()):
        return None
    served = {version for arm in traffic.propensities for version in asked_in_turn(traffic, arm, seat.rows)}
    if any(v in seat.predictors and v not in seat.rows for v in (*served, *others(traffic))):
        return None
    if traffic.champion not in seat.rows:
        return None
    rolled = {traffic.champion, *traffic.candidates, traffic.previous}
    return Quick(
        model,
        traffic,
        {version: able(model, seat.predictors[version].shape, row.columns, row.one) for version, row in seat.rows.items()},
        known,
        reads_of(model),
        all("baseline" not in row.columns for version, row in seat.rows.items() if version in rolled),
        any("baseline" in row.columns for version, row in seat.rows.items() if version not in rolled),
        any(seat.rows[v].seconds > CHEAP for v in served if v in seat.rows),
        any(seat.rows[v].seconds > CHEAP for v in others(traffic) if v in seat.rows),
        private_columns(model),
        private_in(model.per) if isinstance(model.per, Source) else frozenset(),
        definition_of(model),
        salt,
        with_apart(model.per, model.per.id) if isinstance(model.per, Source) else (),
        answered_by(model),
    )


def _as_fed(features: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if value.__class__ is int else value for name, value in features.items()}
