"""Lots: windows of too few rows to be judged, looked at together. In: profiles. Out: sums of them; no clock, no disk.

A window of fewer than 50 rows says nothing of drift. Where such windows are the rule, those of four hours, a day, a week or four weeks are
added up, whichever is the least that usually holds enough; a lot is judged when its time is over. What is not judged yet is told as *low
information*: which window, how many rows, what is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from itertools import groupby
from operator import add
from zoneinfo import ZoneInfo

import numpy as np

from everloop.clock import from_microseconds
from everloop.monitor.profile import Profile

LEAST_ROWS = 50  # habits are of windows as small as these; a distance by itself takes a hundred rows
SETTLED = 3  # windows from which it is told how many rows they usually have
MICROSECOND = timedelta(microseconds=1)
LONGER = (timedelta(hours=4), timedelta(days=1), timedelta(days=7), timedelta(days=28))


@dataclass(frozen=True)
class Waiting:
    """What is not judged yet: the window (or lot) that began at ``began`` (µs UTC) has only ``rows`` rows. ``together`` is how long a lot
    is where windows are added up, ``until`` (µs UTC) when it is over; ``usual`` how many rows a window has."""

    began: int
    rows: int
    usual: int
    together: timedelta | None = None
    until: int | None = None
    hopeless: bool = False

    def __str__(self) -> str:
        each = f"a window has about {self.usual} answer{'s' * (self.usual != 1)}"
        if self.hopeless:
            return f"low information: {each}, and not even {LONGER[-1].days} days of them hold {LEAST_ROWS}; nothing can be said of drift"
        if self.together is None or self.until is None:
            said = f"low information: the window of {from_microseconds(self.began):%Y-%m-%d %H:%M} UTC has {self.rows} answers"
            return f"{said}, and it takes {LEAST_ROWS}"
        together = f"{self.together.days} days" if self.together.days > 1 else "a day" if self.together.days else "4 hours"
        over = f"those since {from_microseconds(self.began):%Y-%m-%d %H:%M} UTC, {self.rows} so far, are judged after"
        return f"low information: {each}, so {together} are looked at together; {over} {from_microseconds(self.until):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Lots:
    """What can be judged: ``windows``, oldest first, each of at least 50 rows; ``first``: the index of the first of those added up
    to it; ``span``: how long each lasts (None: nobody knows); ``waiting``: the newest, where it cannot be judged."""

    windows: tuple[Profile, ...]
    first: tuple[int, ...]
    span: timedelta | None
    waiting: Waiting | None = None


def lots_of(windows: Sequence[Profile], new: Sequence[bool], span: timedelta | None, zone: str | None = None) -> Lots:
    """The windows that can be judged, one by one where they usually hold 50 rows. ``new`` says which were not learnt from: by those it is
    told how many rows windows usually have, from three on; without a ``span`` no window is added to another."""
    rows = [w.rows for w, fresh in zip(windows, new, strict=True) if fresh]
    # The newest may be under way.
    usual = int(np.median(rows[:-1])) if len(rows) >= SETTLED else None
    if usual is None or usual >= LEAST_ROWS or span is None or any(w.first_at is None for w in windows):
        return _enough(Lots(tuple(windows), tuple(range(len(windows))), span, _small(windows, new, usual)))
    for longer in LONGER:
        found = _together(windows, span, longer, zone) if longer > span else None
        if found is not None and np.median([w.rows for w in found.windows] or [0]) >= LEAST_ROWS:
            waiting = None if found.waiting is None else replace(found.waiting, usual=usual)
            return _enough(replace(found, waiting=waiting))
    newest = windows[-1]
    return Lots((), (), span, Waiting(newest.first_at or 0, newest.rows, usual, hopeless=_weeks(windows) >= LONGER[-1]))


def _together(windows: Sequence[Profile], span: timedelta, longer: timedelta, zone: str | None) -> Lots:
    """Lots by the clocks of a zone; the last one waits until its time is over."""
    lots = [list(lot) for _, lot in groupby(range(len(windows)), key=lambda i: _begin(windows[i].first_at or 0, longer, zone))]
    sums = [reduce(add, (windows[i] for i in lot)) for lot in lots]
    begin = _begin(windows[-1].first_at or 0, longer, zone)
    until, over = begin + longer // MICROSECOND, (windows[-1].first_at or 0) + span // MICROSECOND
    # An hour may lack where clocks are put forward.
    lacks = timedelta(hours=1) // MICROSECOND if longer >= timedelta(days=1) else 0
    done = over >= until - lacks
    waiting = None if done else Waiting(sums[-1].first_at or 0, sums[-1].rows, 0, longer, until)
    ends = len(sums) if done else len(sums) - 1
    # Of the oldest one the beginning may have been forgotten.
    whole = slice(1 if ends > 1 and (windows[0].first_at or 0) > _begin(windows[0].first_at or 0, longer, zone) else 0, ends)
    return Lots(tuple(sums[whole]), tuple(lot[0] for lot in lots[whole]), longer, waiting)


def _begin(moment: int, longer: timedelta, zone: str | None) -> int:
    """When the lot began that an instant lies in, in µs UTC: hours and days by the clock there, weeks on Mondays."""
    local = from_microseconds(moment).astimezone(ZoneInfo(zone or "UTC"))
    offset = (local.utcoffset() or timedelta(0)) // MICROSECOND
    monday = 4 * 86_400_000_000 if longer >= timedelta(days=7) else 0  # 1970-01-05
    step = longer // MICROSECOND
    return (moment + offset - monday) // step * step + monday - offset


def _small(windows: Sequence[Profile], new: Sequence[bool], usual: int | None) -> Waiting | None:
    """The newest window, where it has too few rows itself."""
    if not windows or windows[-1].rows >= LEAST_ROWS or not new[-1]:
        return None
    return Waiting(windows[-1].first_at or 0, windows[-1].rows, windows[-1].rows if usual is None else usual)


def _enough(lots: Lots) -> Lots:
    kept = [i for i, w in enumerate(lots.windows) if w.rows >= LEAST_ROWS]
    return replace(lots, windows=tuple(lots.windows[i] for i in kept), first=tuple(lots.first[i] for i in kept))


def _weeks(windows: Sequence[Profile]) -> timedelta:
    return ((windows[-1].last_at or 0) - (windows[0].first_at or 0)) * MICROSECOND
