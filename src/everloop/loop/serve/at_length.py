"""Answered at length: many questions in one table, and whatever has to be read for them. In: requests of the same columns. Out: answers.

The long way of a worker: features from what is known, or as requests bring them; versions that learnt by other definitions than today's are
given theirs. Every answer is in the log before it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from everloop import rollout
from everloop.errors import EverloopError
from everloop.features.questions import unit_text
from everloop.features.served import as_of_in, definition_of
from everloop.loop.serve.asked import (
    Row,
    asked_by_key,
    asked_with_features,
    carts_of,
    columns_read,
    left_out,
    newcomers,
    nothing_known,
    questions_of,
    with_carts,
    with_past,
    with_split,
)
from everloop.loop.serve.follow import Seat
from everloop.loop.serve.known import Known
from everloop.loop.serve.shadows import Shadows
from everloop.loop.tell.answerable import answered_elsewhere, served_here
from everloop.project.model import Model
from everloop.project.reading import AnyReading
from everloop.project.source import Source
from everloop.records import Candidate, Prediction, Traffic
from everloop.serving.answer import Older, Read, answer
from everloop.serving.log import AnswersLog
from everloop.spans import span
from everloop.training.predictor import CART


class AtLength:
    """The questions of one worker that are answered many at a time, or take more than what is at hand."""

    def __init__(self, sources: Mapping[str, Source], known: Known, log: AnswersLog, shadows: Shadows) -> None:
        self._sources, self._known, self._log, self._shadows = sources, known, log, shadows
        self._otherwise: dict[str, dict[str, AnyReading]] = {}

    def answered(self, model: Model, seat: Seat, salt: str, requests: Sequence[Row], now: datetime) -> list[Prediction]:
        """One answer for each request; all of them carry the same columns. Raises Unknown for a unit nothing is known of. Of a row
        that has not arrived, the answer says what the request left out."""
        read, unsaid, heard = Read(), tuple[str, ...](), list[bool]()
        if "features" in requests[0]:
            with span("read features", model=model.name, at="length", questions=len(requests)):
                features = self._with_features(model, seat, requests, now)
            questions = with_split(model, features, requests)
        else:
            asked, carts = asked_by_key(model, requests), carts_of(requests)
            if not newcomers(requests):
                self._only_seen(model, asked)
            unsaid = left_out(model, requests[0])
            heard = self._known.ever_seen(model, unit_text(asked, model.unit).to_pylist()) if unsaid else []
            with span("read features", model=model.name, at="length", questions=len(requests)):
                features = with_carts(self._known.features(model, asked, now, carts), carts)
            questions = questions_of(model, asked, features, now)
            said = asked.append_column(CART, pa.array(carts, pa.list_(pa.string()))) if carts else asked
            read = Read(as_of_in(features), definition_of(model), said, self._older(model, seat, features, asked))
        rows = answer(
            model,
            here(seat),
            seat.predictors,
            questions,
            features,
            now=now,
            arm_of=lambda unit, _: arm(unit, seat),
            log=self._log,
            salt=salt,
            propensities=seat.route.traffic.propensities,
            later=self._shadows.later,
            read=read,
        )
        given = rows.predictions()
        if not unsaid or all(heard):
            return given
        return [one if seen else replace(one, left_out=unsaid) for one, seen in zip(given, heard, strict=True)]

    def beside(
        self, model: Model, seat: Seat, items: Sequence[str], most: int | None, now: datetime
    ) -> tuple[str, list[tuple[str, float]]]:
        """What goes with these items by the champion's tables, as far as it may be listed now. It is about nobody: nothing is remembered.

        Raises EverloopError where the model lists nothing, or its champion does not know what goes with what.
        """
        champion, wanted = here(seat).champion, most or model.shape.most or len(items)
        says = getattr(getattr(seat.predictors[champion], "fitted", None), "beside", None)
        if model.kind != "ranking" or not callable(says):
            what = (
                "answers with no list, and does not"
                if model.kind != "ranking"
                else f"is answered by {seat.route.versions[champion].name}, which does not"
            )
            raise EverloopError(
                f"{model.name} {what} know what goes with what. A version learnt by learner=Recommender(…) does, once it is champion."
            )
        found: list[tuple[str, float]] = []
        net = wanted
        while True:
            # Rules are asked of those that would be listed, and of more where some may not be.
            net *= 4
            said = says(items, net)
            may = set(self._known.allowed(model, [item for item, _ in said], now))
            found = [one for one in said if one[0] in may][:wanted]
            if len(found) == wanted or len(said) < net:
                return champion, found

    def otherwise(self, model: Model, seat: Seat) -> dict[str, Mapping[str, AnyReading]]:
        """By version, the columns that it knows otherwise than the project file says today; only versions with any."""
        found = {version: self._learnt_otherwise(model, named.candidate) for version, named in seat.route.versions.items()}
        return {version: columns for version, columns in found.items() if columns}

    def _learnt_otherwise(self, model: Model, candidate: Candidate) -> Mapping[str, AnyReading]:
        if candidate.id not in self._otherwise:
            from everloop.loop.learnt import otherwise

            self._otherwise[candidate.id] = otherwise(model, candidate, self._sources)
        return self._otherwise[candidate.id]

    def _older(self, model: Model, seat: Seat, features: pa.Table, asked: pa.Table) -> dict[str, Older]:
        found = self.otherwise(model, seat) if len(features) else {}
        if not found:
            return {}
        from everloop.loop.learnt import as_learnt

        return {version: as_learnt(model, columns, features, self._known.tables, asked) for version, columns in found.items()}

    def _with_features(self, model: Model, seat: Seat, requests: Sequence[Row], now: datetime) -> pa.Table:
        table = asked_with_features(model, requests, now, columns_read(seat.predictors.values()))
        return with_past(model, table, requests, lambda asked: self._known.features(model, asked, now))

    def _only_seen(self, model: Model, asked: pa.Table) -> None:
        """Raises Unknown for a unit nothing is known of. The rows of a source are asked about before they are known."""
        if isinstance(model.per, Source):
            return
        units = unit_text(asked, model.unit).to_pylist()
        for unit, seen in zip(units, self._known.ever_seen(model, units), strict=True):
            if not seen:
                raise nothing_known(model, str(unit).replace("\x1f", ", "))


def here(seat: Seat) -> Traffic:
    """The traffic as far as it can be answered here. Raises EverloopError where a service elsewhere answers everybody."""
    return served_here(seat.route.traffic, {version: named.candidate for version, named in seat.route.versions.items()})


def arm(unit: str, seat: Seat) -> str:
    """The arm of a unit. Raises EverloopError where a service elsewhere answers it."""
    found = rollout.arm_of(unit, seat.route.traffic)
    champion = seat.route.versions[seat.route.traffic.champion].candidate
    if found == "champion" and champion.format == "elsewhere":
        raise answered_elsewhere(champion)
    return found
