"""Quick answers: a question that says itself what is known of it, answered on the event loop. In: a request. Out: rows for the log.

That takes no thread, no table and no disk but the log's. Whatever takes more (a unit whose past has to be read, a list, a version that is
slow, learnt by other definitions, or served elsewhere) is answered by ``doors`` as ever, and ``None`` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from everloop import rollout
from everloop.clock import microseconds
from everloop.features.served import definition_of
from everloop.lake.values import Reads
from everloop.loop.serve.asked import reads_of
from everloop.loop.serve.follow import Seat
from everloop.loop.serve.known import Known
from everloop.project.model import Model
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
    slow: bool
    """Whether a version that answers in shadow takes longer than others may wait for."""
    private: Collection[str]
    hidden: Collection[str]
    definition: str
    salt: str

    def question(self, request: Mapping[str, Any], now: datetime) -> Question | None:
        """What a request asks, with its features; None where they have to be read."""
        moment = microseconds(now)
        unit = SEPARATOR.join([str(request[name]) for name in self.model.unit])
        features = request.get("features")
        if features is not None:
            return Question(unit, moment, _as_fed(features)) if self.brought else None
        try:
            # A decimal is what JSON says it is; everything else is read.
            reads = self.reads
            said = {
                name: value + 0.0 if value.__class__ is float else reads[name](value) for name, value in request.items() if name in reads
            }
        except ValueError:
            return None  # it is said what is wrong with it where it is read the long way
        found = self.known.given(self.model, said, moment)
        if found is None:
            return None
        kept = {name: hashed(value, self.salt) if name in self.hidden else value for name, value in said.items()}
        return Question(unit, moment, found, READ_BY_NOTHING, self.definition, _encode(kept).decode() if kept else None)

    def answer(self, question: Question, request: Mapping[str, Any]) -> list[Row]:
        """What is said to it: first the answer that is given, then who failed to give one."""
        split = self.model.split_by
        arm = rollout.arm_of(question.unit if split is None or split not in request else str(request[split]), self.traffic)
        return answer_one(
            self.model, self.traffic, self.versions, question,
            arm=arm, answered_at=question.moment, private=self.private, salt=self.salt,
        )  # fmt: skip

    def shadow(self, question: Question, said: list[Row]) -> list[Row]:
        """What the other versions of a roll-out say to it, seen by nobody."""
        return shadow_one(
            self.model, self.traffic, self.versions, question, said,
            answered_at=question.moment, private=self.private, salt=self.salt,
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
    served = {*asked_in_turn(traffic, "champion", seat.rows), *asked_in_turn(traffic, "candidate", seat.rows)}
    served -= {traffic.candidate} if traffic.stage != "canary" else set()
    if any(v in seat.predictors and v not in seat.rows for v in (*served, *others(traffic))):
        return None
    if traffic.champion not in seat.rows or any(seat.rows[v].seconds > CHEAP for v in served if v in seat.rows):
        return None
    return Quick(
        model,
        traffic,
        {version: able(model, seat.predictors[version].shape, row.columns, row.one) for version, row in seat.rows.items()},
        known,
        reads_of(model),
        all("baseline" not in row.columns for row in seat.rows.values()),
        any(seat.rows[v].seconds > CHEAP for v in others(traffic) if v in seat.rows),
        private_columns(model),
        private_in(model.per) if isinstance(model.per, Source) else frozenset(),
        definition_of(model),
        salt,
    )


def _as_fed(features: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if value.__class__ is int else value for name, value in features.items()}
