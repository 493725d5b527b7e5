"""Maturity: how much of the truth that will ever come has come, window by window; and whether it stopped coming.

In: when each question was asked and when its truth was first known. Out: ``Maturity``; no clock, no disk. What share comes by which age is
learnt from the model's own past (Kaplan and Meier, with what is still open as censored); until that can be told, a window is mature when
the project file says that its truth is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from everloop.clock import from_microseconds, microseconds
from everloop.project.model import Model
from everloop.stats.blocks import periods
from everloop.stats.rounded import percent
from everloop.stats.survival import Curve, kaplan_meier

Micros = NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
"""When a truth was known that is not known yet."""
MATURE, LEAST_DUE, TOO_FEW, SURELY = 0.9, 10, 0.5, 0.001


@dataclass(frozen=True)
class Outage:
    """Truths stopped coming: since when (aware UTC), how many were due by the curve, and how many came."""

    since: datetime
    due: float
    came: int


@dataclass(frozen=True)
class Maturity:
    """Windows (``window_span``), oldest first: when each began (µs UTC), how many questions it has (``asked``), of how many
    the truth is known (``came``) and will be known one day (``expected``), whether it is mature. ``as_of``: what was known then.
    """

    as_of: datetime
    began: Micros
    asked: NDArray[np.int64]
    came: NDArray[np.int64]
    expected: NDArray[np.float64]
    mature: NDArray[np.bool_]
    outage: Outage | None = None
    curve: Curve | None = None

    @property
    def coverage(self) -> float | None:
        """The share of all questions whose truth is known."""
        return float(self.came.sum() / self.asked.sum()) if len(self.asked) else None

    @property
    def of_expected(self) -> float | None:
        """Of the truths of the mature windows that will ever come, the share that has."""
        expected = float(self.expected[self.mature].sum())
        return min(float(self.came[self.mature].sum()) / expected, 1.0) if expected else None

    @property
    def said(self) -> str:
        """How much of the truth there is, as a clause, and what was known when."""
        known = percent(self.coverage)
        clause = f"the truth of {known} of {int(self.asked.sum()):,} answers is known as of {self.as_of:%Y-%m-%d %H:%M} UTC"
        return clause + (f", {self.immature} window{'s are' if self.immature > 1 else ' is'} immature" if self.immature else "")

    @property
    def foretold(self) -> bool:
        """Whether it can be told from the past when truths are due."""
        return self.curve is not None and self.curve.settled

    @property
    def immature(self) -> int:
        """How many windows decide nothing yet."""
        return int((~self.mature).sum())


def maturity(moments: Micros, known_at: Micros, *, now: datetime, span: timedelta, wait: timedelta) -> Maturity:
    """How mature each window is, ``now`` (aware): ``moments`` (n,) when each question was asked, ``known_at`` (n,) since when its truth is
    known (``NEVER``: not yet), both µs UTC. ``span`` is how long a window is (``stats.blocks.periods``).

    A window is mature once ``MATURE`` of the truths expected of it are known. Expected is the share the curve ends at, once the curve has
    gone flat; before, every window is expected whole, and mature ``wait`` after its newest question.

    >>> day = 86_400_000_000
    >>> asked = np.repeat(np.arange(40) * day, 10)
    >>> known = np.where(np.arange(400) % 10 == 0, NEVER, asked + 2 * day)  # one in ten never comes
    >>> now = from_microseconds(40 * day)
    >>> known[known > 40 * day] = NEVER
    >>> found = maturity(asked, known, now=now, span=timedelta(days=1), wait=timedelta(days=2))
    >>> found.immature, round(found.coverage, 3), round(found.of_expected, 3), found.outage
    (2, 0.855, 1.0, None)
    """
    until = microseconds(now)
    which = periods(moments, span)
    count = int(which.max(initial=-1)) + 1
    began = np.full(count, NEVER)
    newest = np.zeros(count, dtype=np.int64)
    np.minimum.at(began, which, moments)
    np.maximum.at(newest, which, moments)
    asked = np.bincount(which, minlength=count)
    came = np.bincount(which[known_at < until], minlength=count)
    curve = curve_of(moments, known_at, until)
    if curve is not None and curve.settled:
        expected = np.asarray(asked * curve.ever, dtype=np.float64)
        mature = came >= MATURE * expected
    else:
        expected = asked.astype(np.float64)
        mature = (newest + wait // timedelta(microseconds=1) <= until) | (came >= MATURE * expected)
    return Maturity(now, began, asked, came, expected, mature, outage_of(moments, known_at, now=now, span=span), curve)


def window_span(model: Model) -> timedelta:
    """How long a window of truths is: from one round of questions to the next, and a day at least."""
    day = timedelta(days=1)
    return day if model.asked is None else max(model.asked.span, day)


def curve_of(moments: Micros, known_at: Micros, until: int) -> Curve | None:
    """How long truth takes, by everything asked and known before ``until`` (µs); None where nothing was asked before."""
    before = moments < until
    if not before.any():
        return None
    asked, known = moments[before], known_at[before]
    came = known < until
    return kaplan_meier(np.maximum(np.where(came, known, until) - asked, 0), came)


def outage_of(moments: Micros, known_at: Micros, *, now: datetime, span: timedelta) -> Outage | None:
    """Whether far fewer truths came in the newest stretch of time than the curve of the time before foretells; None if not.

    The stretch is as long as a window, and at least twice the longest silence there was before, for truths that come in batches. It takes
    ``LEAST_DUE`` truths that were due, at most ``TOO_FEW`` of them come, and a chance of less than ``SURELY`` that so few come (Poisson).
    """
    until, first = microseconds(now), span // timedelta(microseconds=1)
    arrivals = np.unique(known_at[known_at < until - first])
    if len(arrivals) < 3:
        return None
    then = until - max(first, 2 * int(np.diff(arrivals).max()))
    curve = curve_of(moments, known_at, then)
    if curve is None or not curve.settled:
        return None
    open_then = (moments < until) & (known_at >= then)
    asked, known = moments[open_then], known_at[open_then]
    before, by_now = curve.by(np.maximum(then - asked, -1)), curve.by(until - asked)
    due = float(((by_now - before) / np.maximum(1 - before, 1e-9)).sum())
    came = int((known < until).sum())
    if due < LEAST_DUE or came > TOO_FEW * due or poisson.cdf(came, due) >= SURELY:
        return None
    return Outage(from_microseconds(max(then, int(known_at[known_at < until].max()))), due, came)
