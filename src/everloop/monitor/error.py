"""The realised error: what became of the champion's answers, period by period, and whether it slipped since it was promoted.

In: answers whose truth is mature. Out: numbers and a finding; no clock, no disk. Immature answers are not handed in: they decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from everloop.monitor.seen import Answered
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.records import Outcome
from everloop.stats.blocks import periods
from everloop.stats.bootstrap import Effect, Estimate, effect_of_terms, estimate
from everloop.stats.change_point import change_point
from everloop.stats.intervals import next_one
from everloop.stats.known import answered as has_answer
from everloop.stats.known import known
from everloop.stats.measures import Measure, number
from everloop.stats.multiple import share_of_look
from everloop.stats.shapes import Floats

LEAST_PERIODS, HABIT, LEAST_ALPHA = 2, 4, 0.005


@dataclass(frozen=True)
class Series:
    """A measure period by period: when each began (µs UTC), its value, how many answers it rests on."""

    at: NDArray[np.int64]
    values: Floats
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Slip:
    """Whether it slipped: ``change`` is the newest window against what was promised (an effect: below 0 is worse), ``since`` (µs UTC)
    when it began, where that can be told; ``periods`` how many the window has, ``of`` how many there are since the promotion.
    """

    outcome: Outcome
    change: Effect | None
    since: int | None
    periods: int
    of: int


def truth_span(model: Model) -> timedelta:
    """How far ahead a truth looks: questions closer than that share part of their truth. A question per row shares none with others."""
    if not isinstance(model.per, tuple):
        return timedelta(days=1)
    return max((r.next or r.within or timedelta(0) for r in leaves(model.predicts)), default=timedelta(0))


def judged(table: Answered) -> Answered:
    """Only what can be judged: the truth is known and there is an answer."""
    return table.take(known(table.truth) & has_answer(table.answers))


def by_period(measure: Measure, table: Answered, span: timedelta) -> Series:
    """The measure of each period (``stats.blocks.periods``); NaN where it cannot be worked out."""
    table = judged(table)
    which = periods(table.moments, span)
    at, values, rows = [], [], []
    for p in range(int(which.max(initial=-1)) + 1):
        own = which == p
        value = measure.value(table.truth[own], table.answers.take(own))
        at.append(int(table.moments[own].min()))
        values.append(np.nan if value is None else value)
        rows.append(int(own.sum()))
    return Series(np.array(at, dtype=np.int64), np.array(values, dtype=np.float64), np.array(rows, dtype=np.int64))


def realised(measure: Measure, table: Answered, span: timedelta, *, seed: int, last: int = 4) -> Estimate:
    """The measure over the newest ``last`` periods, with its 95 % interval."""
    which = periods(table.moments, span)
    newest = table.take(which > which.max(initial=-1) - last)
    return estimate(measure, newest.truth, newest.answers, newest.units, newest.moments, seed=seed, span=span)


def slip(measure: Measure, promised: Answered, since: Answered, *, by: float, span: timedelta, seed: int) -> Slip:
    """Is the champion proven worse than when it was promoted, by more than ``by`` of what it was?

    The newest 2, 3, 4, 8 … periods since the promotion are each held against the contest it won. It has slipped if, for one of them,

    1. the interval of the change (units drawn anew, the same in both) lies beyond ``by``, at a confidence that grows with each period
       that is looked at (``stats.multiple.share_of_look``, at most 99.5 %), and
    2. at least two of its periods are each worse than promised by more than ``by`` and beyond the habit of the periods before it
       (Student's predictive interval); with fewer than four periods before it, at least three.

    The second is what keeps one bad week, which happens to all units at once, from being called a slip. If it has not slipped, the change
    shown is that of all periods since the promotion, at 95 %; *failed* means it is proven to be within ``by``.
    """
    promised, since = judged(promised), judged(since)
    was, now = by_period(measure, promised, span), by_period(measure, since, span)
    if len(promised) == 0 or len(now) < LEAST_PERIODS:
        return Slip("not enough evidence", None, None, 0, len(now))
    alpha = max(share_of_look(len(now) - LEAST_PERIODS + 1), LEAST_ALPHA)
    which = periods(since.moments, span)
    every = np.concatenate([was.values, now.values])
    level = number(measure.finish(measure.rows(promised.truth, promised.answers, np.ones(len(promised))).sum(axis=0)))
    for m in sorted({m for m in (2, 3, 4, 8, 16, 32, len(now)) if m <= len(now)}):
        if not _beyond_habit(measure, every[: len(every) - m], every[len(every) - m :], level, by):
            continue
        change = _change(measure, promised, since.take(which >= len(now) - m), 1 - alpha, seed)
        if change.high is not None and change.high < -by:
            return Slip("passed", change, _since(was, now, m, seed), m, len(now))
    change = _change(measure, promised, since, 0.95, seed)
    within = change.low is not None and change.low >= -by
    return Slip("failed" if within else "not enough evidence", change, None, len(now), len(now))


def _change(measure: Measure, before: Answered, after: Answered, confidence: float, seed: int) -> Effect:
    sides = [
        (measure.rows(side.truth, side.answers, np.ones(len(side))), side.units, side.moments) for side in (before, after)
    ]  # fmt: skip
    return effect_of_terms(measure, sides[0], sides[1], confidence=confidence, seed=seed, span=timedelta(0), same_moments=False)


def _beyond_habit(measure: Measure, before: Floats, window: Floats, level: float | None, by: float) -> bool:
    """Whether two periods of the window (three without a habit) are too bad to be chance; everything turned so that more is worse."""
    before, window = before[np.isfinite(before)], window[np.isfinite(window)]
    if level is None:
        return False
    sign = -1.0 if measure.better == "higher" else 1.0
    if measure.better == "zero":
        before, window, level = np.abs(before), np.abs(window), abs(level)
    usual = next_one(sign * before, 0.9) if len(before) >= HABIT else None
    limit = sign * level + by * abs(level)
    if usual is None:
        return int((sign * window > limit).sum()) >= 3
    return int((sign * window > max(limit, usual[1])).sum()) >= 2


def _since(was: Series, now: Series, window: int, seed: int) -> int | None:
    """When it began: the change point of the whole series, if it lies after the promotion; else where the window begins."""
    found = change_point(np.concatenate([was.values, now.values]), seed=seed)
    index = len(now) - window if found is None else found.index - len(was)
    return int(now.at[max(index, 0)])


@dataclass(frozen=True)
class Slice:
    """A group of questions that got worse: ``excess`` is its share of everything that got worse (above 1 where others got better)."""

    name: str
    value: str
    before: float
    now: float
    low: float
    high: float
    excess: float


def where_worst(
    measure: Measure, before: Answered, after: Answered, *, seed: int, names: Sequence[str] | None = None, least: int = 50
) -> Slice | None:
    """The group (of all groupings both tables have, or of ``names``) that is proven worse and carries most of the excess error; or None.

    A group counts if it has at least ``least`` questions on both sides, and if the 95 % interval of its change, widened for the number of
    groups looked at (Bonferroni), lies on the bad side. Excess is what its questions lost beyond what they would have lost before.
    """
    before, after = judged(before), judged(after)
    sides = [(measure.rows(s.truth, s.answers, np.ones(len(s))), s) for s in (before, after)]
    slices = []
    for name in names or [n for n in before.groups if n in after.groups]:
        for value in sorted({str(v) for v in after.groups[name] if v is not None}):
            own = [np.array([str(v) == value for v in s.groups[name]], dtype=bool) for _, s in sides]
            if min(int(o.sum()) for o in own) >= least:
                slices.append((name, value, own))
    if not slices:
        return None
    total = _excess(measure, sides[0][0], sides[1][0])
    found: list[tuple[float, Slice]] = []
    for name, value, own in slices:
        terms = [(t[o], s.units[o], s.moments[o]) for (t, s), o in zip(sides, own, strict=True)]
        confidence = 1 - max(0.05 / len(slices), LEAST_ALPHA / 2)
        change = effect_of_terms(
            measure, terms[0], terms[1], confidence=confidence, seed=seed, span=timedelta(0), same_moments=False
        )  # fmt: skip
        if change.high is None or change.low is None or change.high >= 0 or change.champion is None or change.candidate is None:
            continue
        lost = _excess(measure, terms[0][0], terms[1][0])
        share = lost / total if total > 0 else 1.0
        found.append((lost, Slice(name, value, change.champion, change.candidate, -change.high, -change.low, share)))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _excess(measure: Measure, before: Floats, after: Floats) -> float:
    old, new = before.sum(axis=0), after.sum(axis=0)
    sign = -1.0 if measure.better == "higher" else 1.0
    was, now = float(measure.finish(old)), float(measure.finish(new))
    weight = float(new[1]) if len(new) == 2 else float(len(after))
    gone = abs(now) - abs(was) if measure.better == "zero" else sign * (now - was)
    return gone * weight
