"""The two simple rules that every forecast is judged beside, for ever: the seasonal naive one and the mean of eight weeks.

In: the training table and the questions of a contest. Out: what the rules would have answered, from truths that were mature by then alone.
No clock, no disk.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.records import Shape, TrainingSet
from everloop.stats.blocks import codes
from everloop.stats.shapes import Answers, Floats
from everloop.training.baseline import past
from everloop.training.feed import numbers
from everloop.training.rows import learnable

SEASONAL: Final = "the seasonal naive forecast"
EIGHT: Final = "the mean of eight weeks"
WEEK, EIGHT_WEEKS, HOUR = timedelta(days=7), timedelta(days=56), timedelta(hours=1)
LONGEST_AGO: Final = 4
"""Weeks beyond the first possible one in which the season is looked for."""


def rivals(asked: pa.Table, table: pa.Table, learnt: pa.Table, shape: Shape, waits: timedelta) -> dict[str, Answers]:
    """What each rule would have answered to ``asked``, by its name; rules that know nothing are left out.

    ``table`` holds every question with a truth (``moment`` int64 µs, ``unit``, ``truth``); a truth is mature ``waits`` after its question.
    Quantiles are what the rule says plus how far truths of ``learnt`` usually lay from it.
    """
    found = {}
    for name, rule in ((SEASONAL, seasonal_naive), (EIGHT, eight_week_mean)):
        said = rule(asked, table, waits)
        if np.isfinite(said).any():
            usual = past(shape, _beside(learnt, rule(learnt, table, waits)))
            found[name] = usual.answer(_beside(asked, said))
    return found


class Beside(TypedDict, total=False):
    """What a rehearsal is told beside the two sides: see ``rehearse``."""

    rivals: dict[str, Answers]
    scale: Floats


def beside(asked: pa.Table, table: pa.Table, training_set: TrainingSet, shape: Shape, waits: timedelta) -> Beside:
    """The rules' answers to the questions of a contest, and what MASE counts in; nothing where answers are no numbers of one step."""
    if shape.kind not in ("number", "quantiles") or shape.steps > 1 or not len(asked):
        return {}
    learnt = learnable(table, training_set, shape)
    return {"rivals": rivals(asked, table, learnt, shape, waits), "scale": naive_error(asked, learnt, waits)}


def seasonal_naive(asked: pa.Table, table: pa.Table, waits: timedelta) -> Floats:
    """The truth a whole number of weeks ago (give or take the hour by which clocks are moved), the newest that was mature; else NaN.

    >>> week = 7 * 86_400_000_000
    >>> told = pa.table({"moment": [0, week, 2 * week], "unit": ["a"] * 3, "truth": [4.0, 6.0, 9.0]})
    >>> seasonal_naive(told, told, timedelta(days=7))
    array([nan,  4.,  6.])
    """
    known = _Known(table)
    whose, moments = known.asked(asked)
    found = np.full(len(moments), np.nan)
    first = -(-waits // WEEK) or 1
    for weeks in range(first, first + LONGEST_AGO):
        target = moments - _micros(weeks * WEEK)
        newest = np.minimum(target + _micros(HOUR), moments - _micros(waits))
        at = known.last(whose, newest)
        hit = (at >= 0) & np.isnan(found)
        hit[hit] = (known.whose[at[hit]] == whose[hit]) & (known.moments[at[hit]] >= target[hit] - _micros(HOUR))
        found[hit] = known.truth[at[hit]]
    return found


def eight_week_mean(asked: pa.Table, table: pa.Table, waits: timedelta) -> Floats:
    """The mean truth of the unit's questions of the eight weeks before the newest mature one; NaN where there is none.

    >>> week = 7 * 86_400_000_000
    >>> told = pa.table({"moment": [0, week, 2 * week], "unit": ["a"] * 3, "truth": [4.0, 6.0, 9.0]})
    >>> eight_week_mean(told, told, timedelta(days=7))
    array([nan,  4.,  5.])
    """
    known = _Known(table)
    whose, moments = known.asked(asked)
    newest = moments - _micros(waits)
    after, before = known.last(whose, newest) + 1, known.last(whose, newest - _micros(EIGHT_WEEKS)) + 1
    # Of a unit nothing is known of, the last truth before is another's, on both ends.
    sums = np.concatenate([[0.0], np.cumsum(known.truth)])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums[after] - sums[before]) / (after - before), dtype=np.float64)


def naive_error(asked: pa.Table, learnt: pa.Table, waits: timedelta) -> Floats:
    """How far the seasonal naive forecast lay from the truth on average where each unit was learnt from, for each question: what MASE
    counts in (Hyndman and Koehler 2006). NaN where a unit has no two such truths.

    >>> week = 7 * 86_400_000_000
    >>> told = pa.table({"moment": [0, week, 2 * week], "unit": ["a"] * 3, "truth": [4.0, 6.0, 9.0]})
    >>> naive_error(pa.table({"unit": ["a", "b"]}), told, timedelta(days=7))
    array([2.5, nan])
    """
    off = np.abs(numbers(learnt.column("truth"), "truth") - seasonal_naive(learnt, learnt, waits))
    units, where = np.unique(
        np.array([*learnt.column("unit").to_pylist(), *asked.column("unit").to_pylist()], dtype=str), return_inverse=True
    )
    mine, there = where[: len(off)], ~np.isnan(off)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(mine[there], off[there], len(units)) / np.bincount(mine[there], minlength=len(units))
    return np.asarray(mean[where[len(off) :]], dtype=np.float64)


class _Known:
    """The known truths by unit, then moment: ``whose`` (a number for each unit), ``moments`` (µs) and ``truth``, sorted."""

    def __init__(self, table: pa.Table) -> None:
        truth = numbers(table.column("truth"), "truth")
        kept = np.isfinite(truth)
        self.names = {name: place for place, name in enumerate(dict.fromkeys(table.column("unit").to_pylist()))}
        whose = codes(table.column("unit").combine_chunks())[kept]
        moments = table.column("moment").to_numpy().astype(np.int64)[kept]
        order = np.lexsort((moments, whose))
        self.whose, self.moments, self.truth = whose[order], moments[order], truth[kept][order]
        self.first = np.searchsorted(self.whose, np.arange(len(self.names) + 1))

    def asked(self, asked: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Whose question each is (-1: nobody's that is known), and its moment."""
        whose = np.array([self.names.get(unit, -1) for unit in asked.column("unit").to_pylist()], dtype=np.int64)
        return whose, asked.column("moment").to_numpy().astype(np.int64)

    def last(self, whose: NDArray[np.int64], until: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the unit's last truth at or before ``until``; the place before the unit's first where it has none."""
        order = np.lexsort((until, whose))
        found = np.full(len(whose), -1, dtype=np.int64)
        units, starts = np.unique(whose[order], return_index=True)
        for unit, rows in zip(units.tolist(), np.split(order, starts[1:]), strict=True):
            if unit >= 0:
                begin, end = self.first[unit], self.first[unit + 1]
                found[rows] = begin - 1 + np.searchsorted(self.moments[begin:end], until[rows], side="right")
        return found


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _beside(table: pa.Table, said: Floats) -> pa.Table:
    column = pa.array(said, pa.float64(), from_pandas=True)
    at = table.schema.get_field_index("baseline")
    return table.append_column("baseline", column) if at < 0 else table.set_column(at, "baseline", column)
