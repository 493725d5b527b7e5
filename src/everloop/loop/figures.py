"""What conditions name of the questions that were answered: readings, groups, and how sure each version was. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import from_microseconds
from everloop.features.compile import features as read_features
from everloop.features.steps import begun_at
from everloop.features.truth import truths
from everloop.loop.asked import questions_of
from everloop.loop.brought import brought
from everloop.loop.house import House
from everloop.monitor.confidence import confidence
from everloop.monitor.seen import Answered, Figures
from everloop.project.conditions import at_least, at_most, fair_across
from everloop.project.model import Model
from everloop.project.reading import AnyReading, is_reading, leaves
from everloop.project.resolve import truth_span
from everloop.records import Confidence
from everloop.stats.blocks import periods
from everloop.stats.shapes import Answers, Paired, Strings, of_a_step

Table = TypeVar("Table", Answered, Paired)
PERIODS = 4


def figures_of(house: House, model: Model, given: pa.Table, now: datetime) -> dict[str, Figures]:
    """The readings that ``at_least`` and ``at_most`` name, of the questions of the newest four periods; what looks ahead, where its window
    is closed.
    """
    readings = list(dict.fromkeys(_bounded(model)))
    if not readings or not len(given):
        return {}
    which = periods(given.column("moment").to_numpy().astype(np.int64), truth_span(model))
    newest = given.take(pa.array(np.flatnonzero(which > which.max() - PERIODS)))
    asked = newest.select(["moment", "unit"]).group_by(["moment", "unit"], use_threads=False).aggregate([])
    units = np.array([*asked.column("unit").to_pylist(), None], dtype=object)[:-1]
    return {repr(reading): Figures(units=units, values=_values(house, model, reading, asked, now)) for reading in readings}


def with_groups(house: House, model: Model, table: Table) -> Table:
    """The same questions with the group each belonged to when it was asked, for every ``fair_across``."""
    conditions = [c for c in (*model.roll_back_when, *model.tell_when) if isinstance(c, fair_across)]
    readings = {c.reading.name: c.reading for c in conditions if c.reading.name not in table.groups}
    if not readings or not len(table):
        return table
    asked = questions_of(model, pa.table({"moment": _asked_at(model, table), "unit": pa.array(table.units, pa.string())}))
    found = read_features(list(readings.values()), asked, house.tables(model), model=model)
    return replace(table, groups={**table.groups, **{name: _groups(found.column(name)) for name in readings}})


def confidences(house: House, given: pa.Table) -> tuple[Confidence, ...]:
    """How sure each version was in the newest window it answered in, shadows too."""
    good = given.filter(pc.is_null(given.column("error")))
    if not len(good):
        return ()
    moment = pc.max(good.column("moment")).as_py()
    newest, found = good.filter(pc.equal(good.column("moment"), moment)), []
    for version in sorted(set(newest.column("version").to_pylist())):
        shape = of_a_step(house.candidate(house.version(version).candidate).shape)
        said = confidence(Answers.from_arrow(shape, newest.filter(pc.equal(newest.column("version"), version)).column("answer")))
        if said is not None:
            found.append(Confidence(version=version, at=from_microseconds(moment), mean=said[0], rows=said[1]))
    return tuple(found)


def _asked_at(model: Model, table: Answered | Paired) -> pa.Array:
    """When each was asked: the steps of a path are dated by the time they predict."""
    steps = table.groups.get("step")
    if steps is None:
        return pa.array(table.moments, pa.int64())
    return pa.array(2 * table.moments - begun_at(model, table.moments, steps.astype(np.int64)), pa.int64())


def _bounded(model: Model) -> Iterator[AnyReading]:
    for condition in (*model.roll_back_when, *model.retrain_when, *model.tell_when):
        if isinstance(condition, at_least | at_most) and is_reading(condition.what):
            yield condition.what


def _values(house: House, model: Model, reading: AnyReading, asked: pa.Table, now: datetime) -> NDArray[np.float64]:
    questions, tables = questions_of(model, asked), house.tables(model)
    if not any(leaf.looks_ahead for leaf in leaves(reading)):
        return _floats(read_features([reading], questions, tables, model=model).column(0))
    alone = model.but(model.name, void_when=()) if model.void_when else model
    found = truths(reading, questions, tables, model=alone, known_at=now, delivered=brought(house, model, now))
    values = _floats(found.truth)
    values[~found.mature] = np.nan
    return values


def _floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else float(v) for v in column.to_pylist()], dtype=np.float64)


def _groups(column: pa.ChunkedArray) -> Strings:
    return np.array([*(None if v is None else str(v) for v in column.to_pylist()), None], dtype=object)[:-1]
