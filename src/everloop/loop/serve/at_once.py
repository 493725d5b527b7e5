"""Answered at once: one question at a time, without a table, by what its request says or what is kept of its keys. In: a request. Out:
an answer.

What is said is in the log before it is given, by ``quick``; what nobody sees follows when whoever asked has been answered. Whatever takes
more is answered ``at_length``, and ``None`` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from everloop.loop.serve.asked import Row
from everloop.loop.serve.follow import Seat
from everloop.loop.serve.known import Known
from everloop.loop.serve.quick import Quick, quick_of
from everloop.loop.serve.shadows import Shadows
from everloop.project.model import Model
from everloop.records import Prediction
from everloop.serving import answered
from everloop.serving.log import AnswersLog
from everloop.serving.one import Question
from everloop.serving.soon import Soon
from everloop.spans import span


class AtOnce:
    """The questions of one worker that are answered one by one. ``otherwise``: the versions in a seat that learnt by other definitions."""

    def __init__(self, known: Known, log: AnswersLog, shadows: Shadows, otherwise: Callable[[Model, Seat], Collection[str]]) -> None:
        self._known, self._log, self._shadows, self._otherwise = known, log, shadows, otherwise
        self._quick: dict[str, tuple[Seat, Quick | None]] = {}
        self._soon: Soon | None = None

    def soon(self, model: Model, seat: Seat, salt: str, request: Row, now: datetime) -> Awaitable[Prediction] | None:
        """The answer to a request that says itself what is known of it; None where something has to be read. On the event loop."""
        quick = self.quick(model, seat, salt)
        question = quick.question(request, now) if quick is not None and not quick.waits else None
        if quick is None or question is None:
            return None
        rows = quick.answer(question, request, now)
        if self._soon is None:
            self._soon = Soon(self._log)
        return self._kept(self._soon, quick, question, rows)

    async def _kept(self, soon: Soon, quick: Quick, question: Question, rows: list[answered.Row]) -> Prediction:
        with span("remember answers", model=quick.model.name):
            await soon.keep(rows)
        if quick.traffic.rolling:
            if quick.slow:
                self._later(quick, question, rows)
            else:
                asyncio.get_running_loop().call_soon(self._shadowed, soon, quick, question, rows)
        return rows[0].prediction()

    def by_key(self, model: Model, seat: Seat, salt: str, request: Row, now: datetime) -> Prediction | None:
        """The answer to one question by what is kept of its keys; None where events have to be read. In a thread."""
        quick = self.quick(model, seat, salt)
        if quick is None or "features" in request or not set(request) <= {*model.request, "row"}:
            return None
        with span("read features", model=model.name, at="once"):
            question = quick.looked_up(request, now)
        if question is None:
            return None
        if not quick.row and not self._known.ever_seen(model, [question.unit])[0]:
            return None  # nothing is known of it, which the long way says
        rows = quick.answer(question, request, now)
        with span("remember answers", model=model.name):
            self._log.write_rows(rows)
        if quick.traffic.rolling:
            self._later(quick, question, rows)
        return rows[0].prediction(features=True)

    def quick(self, model: Model, seat: Seat, salt: str) -> Quick | None:
        """Who answers at once under what is in force; None where nobody can."""
        made = self._quick.get(model.name)
        if made is None or made[0] is not seat:
            made = self._quick[model.name] = (seat, quick_of(model, seat, salt, self._known, self._otherwise(model, seat)))
        return made[1]

    def _later(self, quick: Quick, question: Question, rows: list[answered.Row]) -> None:
        self._shadows.later(lambda: self._log.write_rows(quick.shadow(question, rows)), len(rows[0].features or ""))

    def _shadowed(self, soon: Soon, quick: Quick, question: Question, said: list[answered.Row]) -> None:
        """What nobody sees is kept like everything else; where it cannot be, it is counted."""
        rows = quick.shadow(question, said)
        if rows:
            soon.keep(rows).add_done_callback(self._shadow_kept)

    def _shadow_kept(self, kept: asyncio.Future[None]) -> None:
        if kept.cancelled() or kept.exception() is not None:
            self._shadows.lost()
