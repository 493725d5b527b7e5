"""The realised error, kept: what the champion's answers came to on mature truth, each time more of it was known, with its interval; and
the same group by group. Facts that can be worked out again; nothing is decided by them.

A look that comes to what the last one came to, on the same moments, keeps nothing, so that a model that is turned every hour has no row
for every hour. That is asked of what was found, not of how many rows there were: a window that rolls on has as many every time, and truth
that is set right makes none more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from everloop.loop.house import House
from everloop.loop.sliced import hidden
from everloop.monitor.error import judged, realised
from everloop.monitor.seen import Answered
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.records import Traffic
from everloop.registry.facts import Fact
from everloop.stats.blocks import periods
from everloop.stats.bootstrap import estimate
from everloop.stats.measures import Measure, measure
from everloop.stats.shapes import Strings
from everloop.stats.unsaid import why_unsaid
from everloop.stats.whole import Whole

ERROR, THROUGH = "error", "through"
PERIODS = 4  # the newest, as conditions on a metric take them
MOST_GROUPS, LEAST_ROWS, ROUNDS = 24, 50, 500


@dataclass(frozen=True)
class Realised:
    """A champion's own metric over its newest four periods of mature truth, as was known ``at`` (aware UTC): ``value`` between ``low`` and
    ``high`` (95 %; None where too little can be said) on ``rows`` answers.
    ``coverage``: the share of its answers whose truth is known, void or not (``Maturity.coverage``).
    ``why``: why there is no value."""

    at: datetime
    version: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    rows: int
    coverage: float | None
    why: str = ""


@dataclass(frozen=True)
class Group:
    """The same of one group of the questions: those whose ``name`` is ``of``."""

    name: str
    of: str
    value: float | None
    low: float | None
    high: float | None
    rows: int
    why: str = ""


def keep_realised(house: House, model: Model, traffic: Traffic, answered: Answered | None, coverage: float | None, now: datetime) -> None:
    """Remember what the champion's answers came to, if that or the moments it rests on are others than when it was last remembered."""
    one = measure(model.metric)
    if answered is None or isinstance(one, Whole):
        return
    span = truth_span(model)
    table = judged(answered)
    which = periods(table.moments, span)
    newest = table.take(which > which.max(initial=-1) - PERIODS)
    if not len(newest):
        return
    found = realised(one, newest, span, seed=0, last=PERIODS)
    why = why_unsaid(newest.truth, newest.answers) if found.value is None else ""
    kept = Realised(now, traffic.champion, one.name, found.value, found.low, found.high, len(newest), coverage, why)
    body = {
        **{name: value for name, value in asdict(kept).items() if name != "at" and (name != "why" or value)},
        THROUGH: int(newest.moments.max()),
    }
    last = house.facts.latest(model.name, ERROR)
    if last is not None and all(last.body.get(name) == value for name, value in body.items() if name != "coverage"):
        return
    shown = {name: values for name, values in newest.groups.items() if name not in hidden(model)}
    groups = [asdict(group) for group in by_group(one, replace(newest, groups=shown), span)]
    with house.store.transaction() as t:
        house.facts.put(t, model.name, ERROR, now, body)
        if groups:
            house.facts.put(t, model.name, f"groups {traffic.champion}", house.version(traffic.champion).made_at, groups)


def by_group(one: Measure, table: Answered, span: timedelta) -> Iterator[Group]:
    """The measure of each group with enough answers, the largest groups first; units are drawn anew for its interval."""
    sizes = [(name, of, rows) for name, values in table.groups.items() for of, rows in _members(values)]
    for name, of, rows in sorted(sizes, key=lambda each: -int(each[2].sum()))[:MOST_GROUPS]:
        mine = table.take(rows)
        found = estimate(one, mine.truth, mine.answers, mine.units, mine.moments, seed=0, span=span, rounds=ROUNDS)
        why = why_unsaid(mine.truth, mine.answers) if found.value is None else ""
        yield Group(name, of, found.value, found.low, found.high, found.rows, why)


def _members(values: Strings) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for of in sorted({str(v) for v in values if v is not None}):
        rows = np.array([str(v) == of for v in values], dtype=bool)
        if rows.sum() >= LEAST_ROWS:
            yield of, rows


def newest_realised(house: House, model: str) -> Realised | None:
    """What was last known of a model's error; None where no truth of a champion was mature yet."""
    fact = house.facts.latest(model, ERROR)
    return None if fact is None else _of(fact)


def realised_since(house: House, model: str, since: datetime, until: datetime, *, most: int | None = None) -> tuple[Realised, ...]:
    """What was known of a model's error between two instants, oldest first; of more than ``most`` so many, evenly spread."""
    return tuple(map(_of, house.facts.read(model, ERROR, since=since, until=until, most=most)))


def groups_of(house: House, model: str, version: str) -> tuple[Group, ...]:
    """What a champion's answers last came to group by group; empty where nobody knows groups of its questions."""
    fact = house.facts.latest(model, f"groups {version}")
    return () if fact is None else tuple(Group(**group) for group in fact.body)


def _of(fact: Fact) -> Realised:
    return Realised(at=fact.at, **{name: value for name, value in fact.body.items() if name != THROUGH})
