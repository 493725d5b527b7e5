"""Concept drift: losses of matured truths one by one, in the order in which their windows matured, watched by a detector.

In: the champion's matured answers and how far each detector had come. Out: how far it is now; no clock, no disk. Each truth counts once,
as it was when its window matured; what is corrected later is not bet on again. A new version begins anew.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from everloop.clock import from_microseconds, microseconds
from everloop.monitor.error import judged
from everloop.monitor.maturity import Maturity, window_span
from everloop.monitor.seen import Answered, Seen
from everloop.project.conditions import slipped
from everloop.project.metrics import by_arms, name_of
from everloop.project.model import Model
from everloop.records import Followed
from everloop.stats.measures import Measure, measure
from everloop.stats.shapes import Floats
from everloop.stats.shiryaev import Detector, follow, learning

LEAST = 100  # answers of the contest, by which the mean is known that is not to be exceeded
MOST = 0.99  # who loses more than this on average has next to nothing more to lose


def followed(model: Model, seen: Seen, *, now: datetime) -> dict[str, Followed]:
    """Each ``slipped(…, detector="bets")`` with what has matured since the last turn, by its clause; without those that cannot be."""
    found: dict[str, Followed] = {}
    conditions = [c for c in (*model.retrain_when, *model.tell_when) if isinstance(c, slipped) and c.detector == "bets"]
    for condition in conditions:
        name = name_of(condition.on, model.metric)
        state = _begun(repr(condition), seen, measure(name), condition.by)
        if state is not None:
            found[repr(condition)] = _on(state, seen, measure(name), model, now)
    return found


def losses_of(one: Measure, table: Answered, cap: float) -> Floats:
    """What each answer lost, between 0 and 1: the measure's own terms over ``cap``; where more is better, what is missing to 1."""
    terms = one.rows(table.truth, table.answers, np.ones(len(table)))
    return np.clip(1 - terms[:, 0] if one.better == "higher" else terms[:, 0] / cap, 0.0, 1.0)


def cap_of(one: Measure, promised: Answered) -> float:
    """What counts as losing all: 1 where losses are bounded, else the loss that one in a hundred exceeded in the contest."""
    if one.better == "higher" or one.name == "brier":
        return 1.0
    cap = float(np.quantile(one.rows(promised.truth, promised.answers, np.ones(len(promised)))[:, 0], 0.99))
    return cap if cap > 0 else 1.0


def in_order(table: Answered) -> NDArray[np.int64]:
    """The rows by moment, then unit."""
    return np.lexsort((table.units.astype(str), table.moments))


def _begun(clause: str, seen: Seen, one: Measure, by: float) -> Followed | None:
    """The state kept in the last turn, or a new one for a new version."""
    promised = None if seen.promised is None else judged(seen.promised)
    if promised is None or len(promised) < LEAST or not by_arms(one.name, promised.answers.shape.kind):
        return None
    before = seen.followed.get(clause)
    if before is not None and before.version == promised.version and before.means:
        return before
    cap = cap_of(one, promised)
    losses = losses_of(one, promised, cap)
    if float(losses.mean()) * (1 + by) >= MOST:
        return None
    new = learning(losses, by=by)
    fixed = {"mean": new.mean, "means": new.means, "worth": new.worth, "stakes": new.stakes, "target": new.target}
    return Followed(clause=clause, version=promised.version, cap=cap, **fixed)  # type: ignore[arg-type]


def _on(state: Followed, seen: Seen, one: Measure, model: Model, now: datetime) -> Followed:
    """With the windows that are over, mature and not yet counted; those that are passed over while immature are waited for."""
    ripe, table = seen.maturity, seen.answered
    if ripe is None or not len(ripe.began):
        return state
    over = ripe.began + window_span(model).total_seconds() * 1e6 <= microseconds(now)
    fresh = over & ((ripe.began > state.through) | np.isin(ripe.began, np.array(state.waiting, dtype=np.int64)))
    waiting = tuple(ripe.began[fresh & ~ripe.mature].tolist())
    through = max(state.through, int(ripe.began[over].max(initial=state.through)))
    state = replace(state, through=through, waiting=waiting)
    if table is None or not (fresh & ripe.mature).any():
        return state
    table = judged(table)
    table = table.take(_in_windows(table, ripe, fresh & ripe.mature))
    return _follow(state, table.take(in_order(table)), one)


def _in_windows(table: Answered, ripe: Maturity, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which answers lie in these windows."""
    window = np.searchsorted(ripe.began, table.moments, side="right") - 1
    return np.asarray((window >= 0) & wanted[np.maximum(window, 0)])


def _follow(state: Followed, table: Answered, one: Measure) -> Followed:
    before = Detector(
        state.mean, state.means, state.worth, state.stakes, state.target,
        state.rows, state.wealth, state.longest, state.began, state.alarm, state.change,
    )  # fmt: skip
    after = follow(before, losses_of(one, table, state.cap))
    began_at = _moments(state.began_at, before, after.began, table)
    changed_at = state.changed_at
    if after.alarm is not None and after.change is not None and changed_at is None:
        changed_at = from_microseconds(int(began_at[after.began.index(after.change)]))
    return replace(
        state,
        rows=after.rows,
        wealth=after.wealth,
        longest=after.longest,
        began=after.began,
        began_at=began_at,
        evidence=after.evidence,
        alarm=after.alarm,
        change=after.change,
        changed_at=changed_at,
    )


def _moments(kept: tuple[int, ...], before: Detector, began: tuple[int, ...], table: Answered) -> tuple[int, ...]:
    """When the answer was asked with which each bet began; of those that began before, as it was kept."""
    return tuple(int(table.moments[number - before.rows]) if number >= before.rows else at for number, at in zip(began, kept, strict=True))
