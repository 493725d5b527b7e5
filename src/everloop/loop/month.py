"""The month: what the turns of a model have cost since it began, and what they will have cost when it ends, by its past days.

In: what was spent when. Out: a ``Month``, and a sentence. A month is one of the calendar, in UTC; it is business time, as of the last turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from everloop.registry.costs import money_spent
from everloop.stats.rounded import figure

if TYPE_CHECKING:
    from everloop.loop.house import House

LONGEST, LEAST = 56, 14
"""So many whole days, at most and at least, tell what days cost: eight weeks, since what a loop does changes; and two, since it learns
seldom: where it learns by chance, once a week, an interval of 95 % held 70 % of months after one week, 86 after two, 91 after four."""
CONFIDENCE = 0.95
DAY = timedelta(days=1)
NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Month:
    """What turns cost in one month, in whatever currency ``[prices]`` of everloop.toml is.

    ``low`` and ``high`` hold what it will have cost by its end with ``confidence``, if the days to come are as the ``days`` whole ones
    before were; all three are None where those are too few. What was spent already is in each of them.
    """

    began: datetime
    until: datetime
    spent: float
    days: int
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = CONFIDENCE

    @property
    def name(self) -> str:
        return NAMES[self.began.month - 1]


def month_of(house: House, model: str, until: datetime) -> Month | None:
    """The month of a model up to an instant; None where nothing had a price."""
    began = _began(until)
    since = min(began, _midnight(until) - LONGEST * DAY)
    found = money_spent(house.store, model, since=since, until=until)
    return month_by(found, until) if found else None


def month_by(spent: Sequence[tuple[datetime, float]], until: datetime) -> Month:
    """The month of ``until``, by what was spent when (in any order; some of it at least).

    The days to come cost ``left`` times the mean of the whole days before, give or take Student's t times their standard deviation times
    ``sqrt(left + left² / days)``: the predictive interval of a sum (Meeker, Hahn and Escobar, *Statistical Intervals*, 2nd edition, 2017,
    chapter 4, for the mean of future values). A part of a day counts in part. Nothing is earned back: less than is spent it cannot become.

    >>> days = [(datetime(2026, 11, n, 12, tzinfo=UTC), 1.0 + n % 2) for n in range(1, 21)]
    >>> month = month_by(days, datetime(2026, 11, 21, tzinfo=UTC))
    >>> month.spent, month.days, month.expected, round(month.low, 1), round(month.high, 1)
    (30.0, 20, 45.0, 40.8, 49.2)
    """
    from everloop.stats.intervals import sum_of_next

    began, today = _began(until), _midnight(until)
    ended = _began(began + 31 * DAY)
    total = sum(money for at, money in spent if began <= at <= until)
    first = max(_midnight(min(at for at, _ in spent)), today - LONGEST * DAY)
    days = [0.0] * max(0, (today - first) // DAY)
    for at, money in spent:
        if first <= at < today:
            days[(at - first) // DAY] += money
    said = {"began": began, "until": until, "spent": total, "days": len(days)}
    if len(days) < LEAST:
        return Month(**said)  # type: ignore[arg-type]
    expected, low, high = sum_of_next(days, (ended - until) / DAY, CONFIDENCE)
    return Month(**said, expected=total + expected, low=total + max(0.0, low), high=total + high)  # type: ignore[arg-type]


def spoken_month(month: Month) -> str:
    """A month in a sentence, without its full stop.

    >>> at = datetime(2026, 11, 21, tzinfo=UTC)
    >>> spoken_month(Month(began=at, until=at, spent=30.0, days=20, expected=45.0, low=40.8, high=49.2))
    'November has cost 30.0 by [prices], and will have cost 45.0 by its end (40.8 … 49.2 with 95 % confidence, by the last 20 days)'
    """
    line = f"{month.name} has cost {figure(month.spent)} by [prices]"
    if month.expected is None or month.low is None or month.high is None:
        return f"{line}; what it will have cost by its end is told once {LEAST} whole days are known ({month.days} are)"
    sure = f"{figure(month.low)} … {figure(month.high)} with {month.confidence:.0%} confidence".replace("%", " %")
    return f"{line}, and will have cost {figure(month.expected)} by its end ({sure}, by the last {month.days} days)"


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _began(at: datetime) -> datetime:
    return _midnight(at).replace(day=1)
