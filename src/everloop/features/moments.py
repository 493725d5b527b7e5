"""Moments: when questions are asked, and what the calendar says of them. Whole microseconds since 1970 UTC; reads no clock, no disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from everloop.errors import Unknown
from everloop.features.holidays import is_holiday
from everloop.project.spans import every

Micros: TypeAlias = NDArray[np.int64]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
DAY: Final = 86_400_000_000
#: Since when an undated row counts: 0001-01-01.
ALWAYS: Final = -62_135_596_800_000_000
#: Later than every moment; what is in force until then has no successor yet.
FOREVER: Final = 2**63 - 1
PARTS: Final = ("hour", "weekday", "day", "week", "month", "holiday")


def micros(moment: datetime) -> int:
    """An aware instant as whole microseconds since 1970 UTC, exactly.

    >>> micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000

    Raises ValueError for an instant without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no zone. Say which: datetime(…, tzinfo=timezone.utc).")
    return (moment - EPOCH) // MICROSECOND


def instant(moment: int) -> datetime:
    """The aware UTC instant of so many microseconds since 1970.

    >>> instant(-1).isoformat()
    '1969-12-31T23:59:59.999999+00:00'
    """
    return EPOCH + timedelta(microseconds=int(moment))


def length(span: timedelta) -> int:
    """A span in whole microseconds.

    >>> length(timedelta(hours=1))
    3600000000
    """
    return span // MICROSECOND


def zone_of(name: str | None) -> ZoneInfo:
    """The IANA zone of that name; UTC where none is named. Raises Unknown."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unknown("time zone", str(name), next="Use a name such as 'Europe/Berlin'.") from None


def ticks(asked: every, first: datetime, last: datetime) -> list[datetime]:
    """The moments at which a clock puts its questions, from ``first`` to ``last``, both included; aware UTC, ascending.

    With ``at``, spans of whole days step so many days of the zone's own calendar, so that midnight stays midnight across a change of
    clocks; a local time that does not exist is moved forward by the change, one that comes twice is the first of the two. Days are
    counted from 1970-01-01 of that calendar, and spans of a whole number of weeks from Monday 1970-01-05. Every other clock ticks at
    multiples of its span since that day's ``at`` in UTC. Which moments tick never depends on ``first``.

    >>> berlin = every(timedelta(days=1), at="00:00", zone="Europe/Berlin")
    >>> [t.isoformat()[:16] for t in ticks(berlin, datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))]
    ['2026-03-28T23:00', '2026-03-29T22:00', '2026-03-30T22:00']

    Raises ValueError for a span that is not longer than nothing or instants without a zone, Unknown for a zone nobody knows.
    """
    step, begin, end = length(asked.span), micros(first), micros(last)
    if step <= 0:
        raise ValueError(f"{asked!r} never ticks: its span must be longer than nothing.")
    if asked.at is not None and step % DAY == 0:
        return _local_ticks(asked, step // DAY, begin, end)
    origin = (4 * DAY if step % (7 * DAY) == 0 else 0) + (_time_of_day(asked.at) if asked.at else 0)
    from_ = origin + -(-(begin - origin) // step) * step
    return [instant(t) for t in range(from_, end + 1, step)]


def last_ticks(asked: every, moments: Micros) -> Micros:
    """The last tick of a clock at or before each of these moments (n,), int64 µs UTC.

    >>> at_noon = every(timedelta(days=1), at="12:00", zone="Europe/Berlin")
    >>> asked = micros(datetime(2026, 3, 29, 9, 59, tzinfo=UTC)), micros(datetime(2026, 3, 29, 10, tzinfo=UTC))
    >>> [instant(int(t)).isoformat()[:16] for t in last_ticks(at_noon, np.array(asked))]
    ['2026-03-28T11:00', '2026-03-29T10:00']
    """
    step = length(asked.span)
    if not len(moments):
        return moments
    if asked.at is None or step % DAY:
        origin = (4 * DAY if step % (7 * DAY) == 0 else 0) + (_time_of_day(asked.at) if asked.at else 0)
        return moments - (moments - origin) % step
    # A change of clocks makes a day an hour longer.
    found = _local_ticks(asked, step // DAY, int(moments.min()) - step - DAY, int(moments.max()))
    opened = np.array([micros(tick) for tick in found], dtype=np.int64)
    return opened[np.searchsorted(opened, moments, side="right") - 1]


def _local_ticks(asked: every, days: int, begin: int, end: int) -> list[datetime]:
    zone, at = zone_of(asked.zone), _clock_time(str(asked.at))
    origin = date(1970, 1, 5) if days % 7 == 0 else date(1970, 1, 1)
    # A day of slack on either side: a local date is at most a day away from the date in UTC.
    day = origin + timedelta(days=((instant(begin).date() - origin).days - 1) // days * days)
    made, stop = [], instant(end).date() + timedelta(days=1)
    while day <= stop:
        tick = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        if begin <= micros(tick) <= end:
            made.append(tick)
        day += timedelta(days=days)
    return made


def _clock_time(at: str) -> time:
    try:
        return time.fromisoformat(at)
    except ValueError:
        raise ValueError(f"{at!r} is no time of day. Write it as '02:00'.") from None


def _time_of_day(at: str) -> int:
    clock = _clock_time(at)
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


def calendar_parts(parts: Sequence[str], moments: Micros, zone: str | None, holidays: str | None = None) -> dict[str, NDArray[np.float64]]:
    """What the calendar of a zone says at each moment: hour 0-23, weekday 0-6 from Monday, day 1-31, ISO week 1-53, month 1-12, and whether
    its day is a holiday of a place (``holidays``; see ``holidays.py``), 1 or 0.

    >>> calendar_parts(["hour", "weekday"], np.array([0]), "America/New_York")
    {'hour': array([19.]), 'weekday': array([2.])}

    Raises Unknown for other parts, a holiday of no place among them, and what ``is_holiday`` raises.
    """
    known = PARTS if holidays else PARTS[:-1]
    for part in parts:
        if part not in known:
            raise Unknown("part of the calendar", part, known)
    where = zone_of(zone)
    unique, back = np.unique(moments, return_inverse=True)
    said = np.empty((len(unique), len(PARTS)), dtype=np.float64)
    for i, moment in enumerate(unique.tolist()):
        local = instant(moment).astimezone(where)
        free = float("holiday" in parts and is_holiday(local.date(), holidays or ""))
        said[i] = (local.hour, local.weekday(), local.day, local.isocalendar().week, local.month, free)
    return {part: said[back, PARTS.index(part)] for part in parts}
