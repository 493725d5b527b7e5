"""Answers with the truths that are told of them by now, as watching holds them against one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.features.steps import begun_at
from everloop.features.truth import Truths, rows_of, truths, with_told
from everloop.loop.asked import questions_of
from everloop.loop.brought import brought
from everloop.loop.house import House
from everloop.loop.tell.told import told_truths
from everloop.monitor.maturity import NEVER, Maturity, maturity, window_span
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.project.source import Source
from everloop.serving.answered import in_steps
from everloop.stats.blocks import periods
from everloop.training.rehearse import truths as truth_array


@dataclass(frozen=True)
class Told:
    """Answers with what came of them: a mask of those whose truth is mature, the truths, and since when it is known what came of each
    (µs; ``NEVER`` where it is not known yet), row for row. Of an answer in steps each ``step`` is a row, and ``begins`` is when the time it
    predicts does."""

    table: pa.Table
    truth: NDArray[Any]
    mature: NDArray[np.bool_]
    known_at: NDArray[np.int64]

    @property
    def moments(self) -> NDArray[np.int64]:
        """When each was asked; of a step when the time it predicts begins, for that is what its truth waits for."""
        name = "begins" if "begins" in self.table.column_names else "moment"
        return np.asarray(self.table.column(name).to_numpy(), dtype=np.int64)

    def of(self, version: str, since: datetime, *, seen: int) -> Told:
        """What one version answered from an instant on, failures aside; only of questions asked after ``seen`` (µs UTC), the last moment
        that whoever is judged has learnt from (``loop.unlearnt``)."""
        mask = pc.and_(pc.equal(self.table.column("version"), version), pc.is_null(self.table.column("error")))
        mask = pc.and_(mask, pc.greater_equal(self.table.column("answered_at"), microseconds(since)))
        mask = pc.and_(mask, pc.greater(self.table.column("moment"), seen))
        return self.take(np.flatnonzero(mask.to_numpy(zero_copy_only=False)))

    def take(self, rows: NDArray[np.int64]) -> Told:
        return Told(self.table.take(pa.array(rows)), self.truth[rows], self.mature[rows], self.known_at[rows])

    def only_mature(self) -> Told:
        return self.take(np.flatnonzero(self.mature))


def told_of(house: House, model: Model, given: pa.Table, now: datetime) -> Told:
    """Answers with their truths as known now, worked out once for each question, of a path for each step. What somebody told
    (``loop.told``) wins over what the events say, and is mature at once; what is told to be void leaves."""
    given, keys = in_steps(given, model.shape), ["moment", "unit", *(["step"] if model.steps > 1 else [])]
    if not len(given):
        return Told(given, np.zeros(0, dtype=object), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64))
    asked = given.select(keys).group_by(keys, use_threads=False).aggregate([])
    found = _derived(house, model, asked, now)
    if model.steps == 1:  # what somebody tells does not say of which step of a path
        units, moments = asked.column("unit").combine_chunks(), asked.column("moment").to_numpy().astype(np.int64)
        found = with_told(found, moments, units, told_truths(house, model, now), by_unit=isinstance(model.per, Source))
    elif "begins" not in given.column_names:
        begins = begun_at(model, *(given.column(name).to_numpy().astype(np.int64) for name in ("moment", "step")))
        given = given.append_column("begins", pa.array(begins))
    known = truth_array(pa.table({"truth": found.truth}), model.shape)
    rows = rows_of(given.select(keys), asked)
    there = found.mature & ~found.void & np.asarray(found.truth.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    since = np.full(len(asked), NEVER) if found.known_at is None else found.known_at
    return Told(given, known[rows], there[rows], since[rows])


def maturity_of(model: Model, told: Told, now: datetime) -> Maturity | None:
    """How mature these answers' windows are; None where nothing was answered."""
    if not len(told.table):
        return None
    # A step waits for no other step.
    wait = model.matures_after if model.each is None else model.matures_after - (model.steps - 1) * model.each
    return maturity(told.moments, told.known_at, now=now, span=window_span(model), wait=wait)


def in_mature_windows(model: Model, told: Told, ripe: Maturity | None) -> Told:
    """Without the answers of windows too little of whose truth is known: they decide nothing."""
    if ripe is None or ripe.mature.all():
        return told
    return told.take(np.flatnonzero(ripe.mature[periods(told.moments, window_span(model))]))


def in_immature_windows(model: Model, told: Told, ripe: Maturity | None) -> Told:
    """Only the answers of windows too little of whose truth is known, and nothing of the truth there is."""
    rows = np.zeros(0, dtype=np.int64) if ripe is None else np.flatnonzero(~ripe.mature[periods(told.moments, window_span(model))])
    waiting = told.take(rows)
    return replace(waiting, mature=np.ones(len(rows), dtype=bool), truth=np.full(len(rows), None, dtype=object))


def _derived(house: House, model: Model, asked: pa.Table, now: datetime) -> Truths:
    """What the events say came of these questions. Where not one event of what is predicted ever arrived, they say nothing, not zero."""
    sources = {reading.source.name for reading in leaves(model.predicts)}
    if any(house.lake.log.counters(name).last_seq for name in sources):
        return truths(
            model.predicts, questions_of(model, asked), house.tables(model), model=model, known_at=now, delivered=brought(house, model, now)
        )
    kind = {"ranking": pa.list_(pa.string()), "shares": pa.string()}.get(model.kind, pa.float64())
    none = np.zeros(len(asked), dtype=bool)
    return Truths(pa.nulls(len(asked), kind), none, none, np.full(len(asked), NEVER))


def as_truth(truth: NDArray[np.object_], kind: str) -> NDArray[np.object_] | NDArray[np.float64]:
    """Truths as measures take them."""
    return truth if kind in ("ranking", "shares") else truth.astype(np.float64)
