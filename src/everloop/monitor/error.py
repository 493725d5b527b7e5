"""The realised error: what became of the champion's answers, period by period, and whether it slipped since it was promoted.

A model that errs by 0.4 at weekends and by 0.7 on working days, as shops do, hides a weekend of 0.7 among its working days. So a period is
held against the promised periods of its own season (``rhythm.names_of``), the narrowest of which at least four were promised.

In: answers whose truth is mature. Out: numbers and a finding; no clock, no disk. Immature answers are not handed in: they decide nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from everloop.monitor.rhythm import LEAST, names_of
from everloop.monitor.seen import Answered
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
    when it began, where that can be told; ``periods`` how many the window has, ``of`` how many there are since the promotion; ``seasonal``
    says whether each was held against promised periods of its own season alone.
    """

    outcome: Outcome
    change: Effect | None
    since: int | None
    periods: int
    of: int
    seasonal: bool = False


@dataclass(frozen=True)
class Seasons:
    """The season each period is held against (``own``), and all it belongs to (``names``), those promised first; "" is any season."""

    own: tuple[str, ...]
    names: tuple[frozenset[str], ...]

    @property
    def differ(self) -> bool:
        return len(set(self.own)) > 1

    def of(self, season: str) -> NDArray[np.bool_]:
        """Which periods belong to a season."""
        return np.array([not season or season in names for names in self.names], dtype=bool)


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


NEWEST = 4  # periods of which a metric is worked out


def newest_of(table: Answered, span: timedelta, last: int = NEWEST) -> Answered:
    """The answers of the newest ``last`` periods."""
    which = periods(table.moments, span)
    return table.take(which > which.max(initial=-1) - last)


def realised(measure: Measure, table: Answered, span: timedelta, *, seed: int, last: int = NEWEST) -> Estimate:
    """The measure over the newest ``last`` periods, with its 95 % interval."""
    newest = newest_of(table, span, last)
    return estimate(measure, newest.truth, newest.answers, newest.units, newest.moments, seed=seed, span=span)


def slip(
    measure: Measure, promised: Answered, since: Answered, *, by: float, span: timedelta, zone: str | None = None, seed: int
) -> Slip:  # fmt: skip
    """Is the champion proven worse than when it was promoted, by more than ``by`` of what it was?

    The newest 2, 3, 4, 8 … periods since the promotion are each held against the contest it won, like seasons (by the clocks of ``zone``,
    UTC if unsaid) with like. It has slipped if, for one of them,

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
    which, seasons = periods(since.moments, span), _seasons(was, now, span, zone)
    every = np.concatenate([was.values, now.values])
    levels = _levels(measure, promised, span, seasons)
    for m in sorted({m for m in (2, 3, 4, 8, 16, 32, len(now)) if m <= len(now)}):
        if not _beyond_habit(measure, every, len(every) - m, seasons, levels, by):
            continue
        alike = _alike(promised, was, now, span, seasons, m)
        change = _change(measure, promised, since.take(which >= len(now) - m), 1 - alpha, seed, alike)
        if change.high is not None and change.high < -by:
            level = np.array([levels[season] for season in seasons.own], dtype=np.float64)
            return Slip("passed", change, _since(every - level, now, m, seed), m, len(now), seasons.differ)
    change = _change(measure, promised, since, 0.95, seed, _alike(promised, was, now, span, seasons, len(now)))
    within = change.low is not None and change.low >= -by
    return Slip("failed" if within else "not enough evidence", change, None, len(now), len(now), seasons.differ)


def _seasons(was: Series, now: Series, span: timedelta, zone: str | None) -> Seasons:
    """The seasons of all periods; all alike where one has no season of which enough periods were promised."""
    names = [names_of(at, span, zone) for at in (*was.at.tolist(), *now.at.tolist())]
    promised = Counter(name for found in names[: len(was)] for name in found)
    own = tuple(next((name for name in found if promised[name] >= LEAST), "") for found in names)
    return Seasons(own if all(own) else ("",) * len(own), tuple(map(frozenset, names)))


def _levels(measure: Measure, promised: Answered, span: timedelta, seasons: Seasons) -> dict[str, float]:
    """What was promised of each season; NaN where it cannot be worked out."""
    which = periods(promised.moments, span)
    found = {}
    for season in set(seasons.own):
        own = promised.take(seasons.of(season)[which])
        level = number(measure.finish(measure.rows(own.truth, own.answers, np.ones(len(own))).sum(axis=0)))
        found[season] = np.nan if level is None else level
    return found


def _alike(promised: Answered, was: Series, now: Series, span: timedelta, seasons: Seasons, m: int) -> Floats | None:
    """What each promised row counts, so that seasons weigh as they do in the newest ``m`` periods; None where all are alike."""
    if not seasons.differ:
        return None
    window = now.rows[len(now) - m :]
    weights = np.zeros(len(was))
    for season in set(seasons.own[-m:]):
        there = seasons.of(season)[: len(was)]
        mine = np.array([one == season for one in seasons.own[-m:]])
        weights[there] += window[mine].sum() / was.rows[there].sum()
    return np.asarray(weights[periods(promised.moments, span)], dtype=np.float64)


def _change(measure: Measure, before: Answered, after: Answered, confidence: float, seed: int, weights: Floats | None = None) -> Effect:
    sides = []
    for side, w in ((before, np.ones(len(before)) if weights is None else weights), (after, np.ones(len(after)))):
        there = side.take(w > 0)
        terms = measure.rows(there.truth, there.answers, w[w > 0]) * w[w > 0][:, None]
        sides.append((terms, there.units, there.moments))
    return effect_of_terms(measure, sides[0], sides[1], confidence=confidence, seed=seed, span=timedelta(0), same_moments=False)


def _beyond_habit(measure: Measure, every: Floats, first: int, seasons: Seasons, levels: dict[str, float], by: float) -> bool:
    """Whether two periods from ``first`` on (three without a habit) are too bad to be chance; all turned so that more is worse."""
    sign = -1.0 if measure.better == "higher" else 1.0
    values = np.abs(every) if measure.better == "zero" else sign * every
    beyond, least = 0, 2
    for season in set(seasons.own[first:]):
        level = abs(levels[season]) if measure.better == "zero" else sign * levels[season]
        habit = values[:first][seasons.of(season)[:first]]
        habit = habit[np.isfinite(habit)]
        usual = next_one(habit, 0.9) if len(habit) >= HABIT else None
        if usual is None:
            least = 3
        window = values[first:][[one == season for one in seasons.own[first:]]]
        # Without a level nothing is beyond it: a comparison with NaN never holds.
        beyond += int((window > np.maximum(level + by * abs(level), -np.inf if usual is None else usual[1])).sum())
    return beyond >= least


def _since(off: Floats, now: Series, window: int, seed: int) -> int | None:
    """When it began: the change point of how far all periods are off what was promised, if it lies after the promotion; else where the
    window begins."""
    found = change_point(off, seed=seed)
    index = len(now) - window if found is None else found.index - (len(off) - len(now))
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
