"""Scoring: one part of a batch, answered by the code that answers a request and kept beside the file. In: requests. Out: a count.

A ``Scoring`` is a value that ``map(fn, items)`` may send elsewhere, unless its answers are remembered: the log belongs to one process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from everloop import rollout, serving
from everloop.clock import microseconds
from everloop.errors import ArtefactBroken, EverloopError, StoreError
from everloop.features.as_of import featured, live
from everloop.features.questions import of_units, unit_text
from everloop.features.reader import Reader
from everloop.features.served import as_of_in, definition_of, with_as_of
from everloop.features.spine import Spine
from everloop.features.steps import stepped
from everloop.loop.batch.columns import Columns
from everloop.loop.batch.keys import FEATURES, Part, Row
from everloop.loop.batch.parts import EXAMPLES, Count, keep
from everloop.loop.learnt import as_learnt
from everloop.loop.serve.asked import (
    UNKNOWN,
    alike,
    asked_by_key,
    asked_with_features,
    carts_of,
    columns_read,
    once_each,
    with_carts,
    with_past,
    with_split,
)
from everloop.project.model import Model
from everloop.project.reading import AnyReading
from everloop.project.source import Source
from everloop.records import Traffic
from everloop.serving.answer import Read, Remembers
from everloop.serving.answered import SCHEMA
from everloop.training.predictor import CART, Answering

LATER = "Its moment is later than now."


@dataclass(frozen=True)
class Scoring:
    """Whoever answers a batch, and all that it takes: the event tables as far as they are read (``reach``), who may be asked about
    (``seen``, empty where rows of a source are), and by version the columns it knows otherwise than the project file says today."""

    model: Model
    traffic: Traffic
    predictors: Mapping[str, Answering]
    otherwise: Mapping[str, Mapping[str, AnyReading]]
    tables: Mapping[str, pa.Table]
    reach: Mapping[str, int]
    seen: pa.Array
    now: datetime
    salt: str
    columns: Columns
    folder: Path
    log: Remembers | None = None

    def __call__(self, part: Part) -> Count:
        """Answer a part, keep it, and count what came of it."""
        now = microseconds(self.now)
        moments = [now if moment is None else moment for moment in part.moments]
        if self.log is not None:
            as_given(self.model, part, now)
        refused, unknown = dict(part.wrong), self._unknown(part)
        refused |= {at: LATER for at, moment in enumerate(moments) if at not in refused and moment > now}
        given: list[pa.Table] = []
        places: list[int] = []
        out = {*refused, *unknown}
        for group in alike(part.requests, [at for at in range(len(part)) if at not in out]):
            requests = [part.requests[at] for at in group]
            wrong = self._unreadable(requests)
            refused |= {group[at]: why for at, why in wrong.items()}
            group = [at for place, at in enumerate(group) if place not in wrong]
            if group:
                given.append(self._answered([part.requests[at] for at in group], [moments[at] for at in group]))
                places += group
        errors = {**refused, **dict.fromkeys(unknown, UNKNOWN)}
        rows = _in_order(given, places, errors, len(part))
        table = self.columns.table(part.requests, moments, rows)
        count = _counted(part, table, rows, refused, unknown)
        keep(self.folder, part.number, table, count)
        return count

    def _unknown(self, part: Part) -> list[int]:
        """The places of units nothing is known of. The rows of a source are asked about before they are known."""
        model = self.model
        asked = [at for at, request in enumerate(part.requests) if at not in part.wrong and not _brings(model, request)]
        if isinstance(model.per, Source) or not asked:
            return []
        units = ["\x1f".join(str(part.requests[at][name]) for name in model.unit) for at in asked]
        known = pc.is_in(pa.array(units, pa.string()), value_set=self.seen).to_pylist()
        return [at for at, there in zip(asked, known, strict=True) if not there]

    def _unreadable(self, requests: Sequence[Row]) -> dict[int, str]:
        """What cannot be read as its source declares it, each by its place; found one by one only where there is any."""
        if _brings(self.model, requests[0]):
            return _refused(self._brought, requests)
        return _refused(lambda some: asked_by_key(self.model, some), requests)

    def _answered(self, requests: Sequence[Row], moments: Sequence[int]) -> pa.Table:
        model = self.model
        read = Read()
        if _brings(model, requests[0]):
            features = self._brought(requests)
            questions = with_split(model, features.select(["question", "moment", *model.unit]), requests)
        else:
            asked, carts = asked_by_key(model, requests), carts_of(requests)
            made = of_units(model, asked, self.now)
            at = made.schema.get_field_index("moment")
            made = made.set_column(at, "moment", pa.array(moments, pa.int64()))
            with Reader(self.tables) as reader:
                found = featured(reader, Spine(model, stepped(model, made)), carts)[0]
            features = with_as_of(with_carts(found, carts), self.reach)
            # Of a list without a candidate there is no feature, but there is a question.
            split = [model.split_by] if model.split_by in made.column_names and model.split_by not in model.unit else []
            questions = made.select(["question", "moment", *model.unit, *split])
            older = {
                v: as_learnt(model, columns, features, lambda _: self.tables, made)
                for v, columns in self.otherwise.items()
                if len(features)
            }
            said = asked.append_column(CART, pa.array(carts, pa.list_(pa.string()))) if carts else asked
            read = Read(as_of_in(features), definition_of(model), said, older)
        rows = serving.answer(
            model,
            self.traffic,
            self.predictors,
            questions,
            features,
            now=self.now,
            arm_of=rollout.arm_of,
            log=self.log,
            salt=self.salt,
            later=None if self.log is not None else _never,
            read=read,
        )
        return rows.table.slice(0, rows.served)

    def _brought(self, requests: Sequence[Row]) -> pa.Table:
        """The features that requests bring; but a baseline answers by the unit's own past, which no request can bring."""
        model = self.model
        table = asked_with_features(model, requests, self.now, columns_read(self.predictors.values()))
        return with_past(model, table, requests, lambda asked: live(model, self.tables, moment=self.now, units=asked))


def seen_in(model: Model, tables: Mapping[str, pa.Table]) -> pa.Array:
    """Every unit that any source with the unit's columns has a row of, as one text each."""
    units = [unit_text(t, model.unit).unique() for t in tables.values() if set(model.unit) <= set(t.column_names) and len(t)]
    return pa.concat_arrays(units).unique() if units else pa.array([], pa.string())


def as_given(model: Model, part: Part, now: int) -> None:
    """Raise EverloopError for what cannot be remembered as answers given now."""
    if any(moment is not None and moment != now for moment in part.moments):
        raise EverloopError("Answers at moments of their own were not given then, so they are not remembered. Leave out --remember.")
    once_each(model, [request for at, request in enumerate(part.requests) if at not in part.wrong])


def _brings(model: Model, request: Row) -> bool:
    return FEATURES in request and FEATURES not in model.request


def _refused(read: Callable[[Sequence[Row]], object], requests: Sequence[Row]) -> dict[int, str]:
    wrong: dict[int, str] = {}
    try:
        read(requests)
    except (StoreError, ArtefactBroken):
        raise
    except EverloopError as error:
        if len(requests) == 1:
            return {0: str(error)}
        half = len(requests) // 2
        wrong = _refused(read, requests[:half])
        wrong |= {half + at: why for at, why in _refused(read, requests[half:]).items()}
    return wrong


def _in_order(given: list[pa.Table], places: list[int], errors: Mapping[int, str], rows: int) -> pa.Table:
    """Answers in the order of the rows asked; a row that nobody was asked about has nothing but its error."""
    missing = sorted(errors)
    blank = pa.table([pa.nulls(len(missing), one.type) for one in SCHEMA], schema=SCHEMA)
    blank = blank.set_column(SCHEMA.get_field_index("error"), "error", pa.array([errors[at] for at in missing], pa.string()))
    where: dict[int, int] = {at: place for place, at in enumerate([*places, *missing])}
    return pa.concat_tables([*given, blank]).take(pa.array([where[at] for at in range(rows)], pa.int64()))


def _counted(part: Part, table: pa.Table, rows: pa.Table, refused: Mapping[int, str], unknown: Sequence[int]) -> Count:
    errors = table["error"].to_pylist()
    wrong = [at for at, error in enumerate(errors) if error is not None]
    answered = [error is None and there for error, there in zip(errors, rows["answer"].is_valid().to_pylist(), strict=True)]
    names = pc.value_counts(table["version"].filter(pa.array(answered, pa.bool_()))).to_pylist()
    return Count(
        rows=len(part),
        answered=sum(answered),
        nothing=len(part) - sum(answered) - len(wrong),
        unknown=len(unknown),
        refused=len(refused),
        failed=len(wrong) - len(unknown) - len(refused),
        versions={one["values"]: one["counts"] for one in names},
        examples=[f"row {part.first + at + 1:,}: {errors[at]}" for at in wrong[:EXAMPLES]],
    )


def _never(shadows: Callable[[], None], held: int) -> None:
    """What nobody remembers needs no shadow."""
