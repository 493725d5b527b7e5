"""Watching: one signal for each condition a live model stands under. In: what was seen. Out: Signals. Reads no clock, touches no disk.

A signal's ``outcome`` is about its condition: *passed* if it is proven to hold (then it fires), *failed* if it is judged and does not hold
(or is not proven by a long way), *not enough evidence* if it cannot be judged. Immature windows decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

import everloop.monitor.clauses as clauses
from everloop.clock import microseconds
from everloop.monitor.clauses import Watched
from everloop.monitor.drift import broken
from everloop.monitor.error import truth_span
from everloop.monitor.schedule import due
from everloop.monitor.seen import Seen
from everloop.project.conditions import (
    ab,
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    drifted,
    fair_across,
    new_truths,
    slipped,
    worse_than_champion,
)
from everloop.project.model import Model
from everloop.project.spans import every
from everloop.records import Signal, Signals, Traffic
from everloop.stats.rounded import percent

Condition: TypeAlias = object
Judge: TypeAlias = Callable[..., Signal]

_JUDGES: dict[type, Judge] = {
    drifted: clauses.drift,
    slipped: clauses.slipped_since,
    worse_than_champion: clauses.worse_than,
    beats_champion: clauses.better_than,
    as_good_as_champion: clauses.better_than,
    fair_across: clauses.fair,
    new_truths: clauses.enough_truths,
    every: lambda w, clock: due(clock, w.seen.last_trained_at, w.now),
    at_least: clauses.bound,
    at_most: clauses.bound,
}


def watch(model: Model, traffic: Traffic, seen: Seen, *, now: datetime, id: str, made_from: tuple[str, ...] = (), seed: int = 0) -> Signals:
    """One signal for each condition of ``roll_back_when``, ``retrain_when`` and ``tell_when``, in that order, each clause once; while a
    candidate answers beside the champion also for what ``promote_when`` and the tests of ``roll_out`` ask of it; and, where they fire, for
    data that came apart and truths that stopped coming. What only a split can tell (``clauses.by_split``) is not judged here.
    """
    watched = Watched(model, traffic, seen, now, seed)
    said: dict[str, Condition] = {}
    wins = [win for step in model.roll_out if isinstance(step, ab) for win in step.wins_when]
    beside = [c for c in model.promote_when if isinstance(c, beats_champion | as_good_as_champion) and not clauses.by_split(model, c)]
    rolling = [*beside, *wins] if traffic.stage in ("shadow", "canary") else []
    for condition in (*model.roll_back_when, *model.retrain_when, *model.tell_when, *rolling):
        said.setdefault(repr(condition), condition)
    found = [_JUDGES[type(condition)](watched, condition) for condition in said.values()]
    return Signals(
        id=id, made_at=now, made_from=(traffic.id, *made_from), model=model.name, until=now,
        signals=(*found, *_data(seen), *_outage(watched)),
    )  # fmt: skip


def _data(seen: Seen) -> Iterable[Signal]:
    if seen.reference is None or not seen.windows:
        return
    for one in broken(seen.reference, seen.windows[-1]):
        sentence = f"{one.feature}: {percent(one.now)} of values are {one.what}, against {percent(one.before)} when it was learnt"
        yield Signal(
            clause="data", kind="data", fired=True, outcome="passed", sentence=sentence, about=one.feature, value=one.now,
            rows=seen.windows[-1].rows,
        )  # fmt: skip


def _outage(watched: Watched) -> Iterable[Signal]:
    """Truths that should be mature by now and are not: the newest one is older than a truth takes and two rounds of questions more."""
    seen, model = watched.seen, watched.model
    if seen.promoted_at is None or not seen.answers:
        return
    asked = model.asked.span if model.asked is not None else timedelta(days=1)
    overdue = watched.now - model.matures_after - 2 * max(asked, truth_span(model))
    newest = None if seen.answered is None or not len(seen.answered) else int(seen.answered.moments.max())
    if (microseconds(seen.promoted_at) if newest is None else newest) < microseconds(overdue):
        since = "since the promotion" if newest is None else f"for questions after {clauses.day(newest)}"
        sentence = f"no truth has come {since}, though answers were given and truths of {clauses.day(microseconds(overdue))} are due"
        yield Signal(clause="outage", kind="outage", fired=True, outcome="passed", sentence=sentence, coverage=seen.coverage)
