"""Watching: one signal for each condition a live model stands under. In: what was seen. Out: Signals. Reads no clock, touches no disk.

A signal's ``outcome`` is about its condition: *passed* if it is proven to hold (then it fires), *failed* if it is judged and does not hold
(or is not proven by a long way), *not enough evidence* if it cannot be judged. Immature windows decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import everloop.monitor.clauses as clauses
from everloop.clock import microseconds
from everloop.monitor.bounds import bound
from everloop.monitor.calibrated import calibrated
from everloop.monitor.causes import with_causes
from everloop.monitor.deployed import deployed
from everloop.monitor.detector import followed
from everloop.monitor.schedule import due
from everloop.monitor.seen import Seen
from everloop.monitor.slips import slipped_since
from everloop.monitor.unfit import came_apart, unfit
from everloop.monitor.watched import NOTHING, Watched, day
from everloop.project.conditions import (
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
from everloop.project.resolve import truth_span
from everloop.project.spans import every
from everloop.project.steps import ab, bandit
from everloop.records import Signal, Signals, Traffic

Condition: TypeAlias = object
Judge: TypeAlias = Callable[..., Signal]

_JUDGES: dict[type, Judge] = {
    drifted: clauses.drift,
    slipped: slipped_since,
    worse_than_champion: clauses.worse_than,
    beats_champion: clauses.better_than,
    as_good_as_champion: clauses.better_than,
    fair_across: clauses.fair,
    new_truths: clauses.enough_truths,
    every: lambda w, clock: due(clock, w.seen.last_trained_at, w.now),
    at_least: bound,
    at_most: bound,
}


def watch(model: Model, traffic: Traffic, seen: Seen, *, now: datetime, id: str, made_from: tuple[str, ...] = (), seed: int = 0) -> Signals:
    """One signal for each condition of ``roll_back_when``, ``retrain_when`` and ``tell_when``, in that order, each clause once; while a
    candidate answers beside the champion also for what ``promote_when`` and the tests of ``roll_out`` ask of it; and, where they fire, for
    events that are not fit to learn from, data that came apart, truths that stopped coming, and a version that fails or is slow since it
    took over. What only a split can tell (``clauses.by_split``) is not judged here.
    """
    on = followed(model, seen, now=now)
    watched = Watched(model, traffic, seen, now, seed, on)
    said: dict[str, Condition] = {}
    wins = [win for step in model.roll_out if isinstance(step, ab | bandit) for win in step.wins_when]
    beside = [c for c in model.promote_when if isinstance(c, beats_champion | as_good_as_champion) and not clauses.by_split(model, c)]
    rolling = [*beside, *wins] if traffic.stage in ("shadow", "canary") else []
    for condition in (*model.roll_back_when, *model.retrain_when, *model.tell_when, *rolling):
        said.setdefault(repr(condition), condition)
    # Where it is known what truth waits for, nothing that is there is in doubt: it is complete, as far as it goes.
    outage = () if seen.overdue else tuple(_outage(watched))
    found = [_of_truth(_JUDGES[type(condition)](watched, condition), seen, frozen=bool(outage)) for condition in said.values()]
    apart = came_apart(seen.reference, seen.windows) if seen.reference is not None and seen.windows else ()
    asked, zone = (model.asked.span, model.asked.zone) if model.asked is not None else (timedelta(days=1), None)
    fell = (*found, *unfit(model, seen.findings), *apart, *outage, *deployed(watched))
    return Signals(
        id=id, made_at=now, made_from=(traffic.id, *made_from), model=model.name, until=now,
        signals=(
            *(with_causes(s, seen, span=asked, zone=zone) for s in fell),
            *clauses.estimates(watched), *calibrated(seen),
        ),
        followed=tuple(on.values()), fresh=seen.fresh, confidence=seen.confidence, overdue=seen.overdue or None,
    )  # fmt: skip


def _of_truth(signal: Signal, seen: Seen, *, frozen: bool) -> Signal:
    """A signal that rests on truth says how much of it there is, and of when; while truths have stopped coming it decides nothing."""
    if signal.coverage is None or seen.maturity is None:
        return signal
    said = f"{signal.sentence}; {seen.maturity.said}" if signal.rows else signal.sentence
    signal = replace(signal, as_of=seen.maturity.as_of, sentence=said)
    if not frozen:
        return signal
    stopped = f"{signal.sentence}; truths stopped coming, so it decides nothing"
    return replace(signal, fired=False, outcome=NOTHING, sentence=stopped)


def _outage(watched: Watched) -> Iterable[Signal]:
    """Truths that stopped coming: far fewer came than by the curve (``maturity.outage_of``); or, where there is no curve yet, the newest
    is older than a truth takes and two rounds of questions more."""
    seen, model = watched.seen, watched.model
    if seen.maturity is not None and seen.maturity.outage is not None:
        lost = seen.maturity.outage
        sentence = f"truths stopped coming: {lost.came:,} came since {lost.since:%Y-%m-%d %H:%M} UTC of about {lost.due:,.0f} that were due"
        yield Signal(
            clause="outage", kind="outage", fired=True, outcome="passed", sentence=sentence, value=lost.came / lost.due,
            coverage=seen.coverage, since=lost.since, as_of=seen.maturity.as_of,
        )  # fmt: skip
        return
    if seen.promoted_at is None or not seen.answers or (seen.maturity is not None and seen.maturity.foretold):
        return
    if seen.coverage == 1.0:
        return  # nothing that was asked waits for its truth
    asked = model.asked.span if model.asked is not None else timedelta(days=1)
    overdue = watched.now - model.matures_after - 2 * max(asked, truth_span(model))
    newest = None if seen.answered is None or not len(seen.answered) else int(seen.answered.moments.max())
    if (microseconds(seen.promoted_at) if newest is None else newest) < microseconds(overdue):
        since = "since the promotion" if newest is None else f"for questions after {day(newest)}"
        sentence = f"no truth has come {since}, though answers were given and truths of {day(microseconds(overdue))} are due"
        yield Signal(clause="outage", kind="outage", fired=True, outcome="passed", sentence=sentence, coverage=seen.coverage)
