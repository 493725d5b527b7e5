"""Outcomes as figures of a roll-out: what was told of each unit, by name, in the span after it was first answered. Nothing is judged here.

A unit counts once, whatever it was asked about and however often something was told of it. What happened before it was answered is none of
its figure, and what is told after the window closed is counted apart: a verdict that was reached is not changed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.loop.house import House
from everloop.loop.split import QUANTILE, Met
from everloop.loop.tell.outcomes import OUTCOMES
from everloop.loop.tell.own import own_events
from everloop.project.conditions import outcome
from everloop.project.model import Model
from everloop.stats.shapes import Floats


@dataclass(frozen=True)
class ToldOf:
    """Of the units of a split, (n,): what was told of each in its window so far, and whether the window is closed. ``late``: how many
    outcomes came after their window had closed."""

    values: Floats
    closed: NDArray[np.bool_]
    late: int


def told_rows(house: House, model: Model, name: str, now: datetime) -> pa.Table:
    """The outcomes of a model under one name that were known before an instant: ``unit``, ``value``, ``at`` and ``known_at`` (µs UTC)."""
    events = own_events(house, OUTCOMES)
    mine = (pc.field("model") == model.name) & (pc.field("name") == name) & (pc.field("known_at") < microseconds(now))
    return events.filter(mine).select(["unit", "value", "at", "known_at"])


def told_of_units(rows: pa.Table, on: outcome, split: Met, now: datetime) -> ToldOf:
    """What was told of the units of a split, each from the answer it was met by; of yes and no 1.0 where anything above 0 was told."""
    values, since = np.zeros(len(split.units)), _first_met(split)
    closed = since + _micros(on.known_after) <= microseconds(now)
    units = split.answers.column("unit").take(pa.array(split.rows)).to_pylist()
    place = dict(zip(units, split.owner.tolist(), strict=True))
    whose = np.array([place.get(unit, -1) for unit in rows.column("unit").to_pylist()], dtype=np.int64)
    at, known, amount = (rows.column(column).to_numpy() for column in ("at", "known_at", "value"))
    mine = np.flatnonzero(whose >= 0)
    begun = since[whose[mine]]
    mine = mine[(at[mine] >= begun) & (at[mine] < begun + _micros(on.next))]
    in_time = known[mine] <= since[whose[mine]] + _micros(on.known_after)
    used = mine[in_time]
    np.add.at(values, whose[used], amount[used])
    values = np.maximum(values, 0.0)
    return ToldOf(values if on.total else (values > 0).astype(np.float64), closed, int((~in_time).sum()))


def usual_most(rows: pa.Table, on: outcome, at: datetime) -> float | None:
    """What an amount counts for at most: the 99.5 % quantile of what units were told to have in a span as long before an instant; None
    where nobody had any."""
    end = microseconds(at)
    before = rows.filter((pc.field("at") >= end - _micros(on.next)) & (pc.field("at") < end) & (pc.field("known_at") <= end))
    sums = before.group_by("unit").aggregate([("value", "sum")]).column("value_sum").to_numpy()
    some = sums[sums > 0]
    return float(np.quantile(some, QUANTILE)) if len(some) else None


def _first_met(split: Met) -> NDArray[np.int64]:
    return np.asarray(split.answers.column("answered_at").to_numpy().astype(np.int64)[split.first])


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
