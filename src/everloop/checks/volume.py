"""Volume: did as many rows happen in the last day as usual? In: an event table. Out: counts, and a finding. ``now`` is an argument.

The last 24 hours are held against the same 24 hours one to eight weeks ago, each counted as it was known just as soon afterwards, so that
what always comes late is no gap. On the scale on which counts of chance all scatter alike (Anscombe 1948: 2 √(n + 3/8) has variance 1),
the last day is out of the ordinary where it lies outside Student's predictive interval of the others at 99 %, and is a share of ``by``
away from their mean. With fewer than three such weeks the last 14 days stand in; with fewer than seven days nothing is said.

Days that were unusual themselves are no habit; so a business that really doubles is told of it for about six weeks.
A day that was as much out of the ordinary a year ago, the same weekday or the same date, is the season.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import stdtrit

from everloop.clock import microseconds
from everloop.project.conditions import usual_volume
from everloop.project.source import Source
from everloop.records import Finding, Outcome
from everloop.stats.rounded import figure, percent

WEEKS, LEAST_WEEKS, LEAST_DAYS, MOST_DAYS, CONFIDENCE = 8, 3, 7, 14, 0.99
DAY = 86_400_000_000
ALIKE = 0.3  # a year ago explains a day that is as unusual within this share
YEAR_AGO = (364, 365, 357, 371)
"""Days back: the same weekday, the same date, and a week either side, for feasts that wander."""


@dataclass(frozen=True)
class Volume:
    """Rows of the last day, and of comparable days before (``usual``: their mean; None: too few to compare with). ``unusual`` where they
    differ beyond chance and ``by``; ``season`` is how many times the usual a year ago's day was, where that explains it.
    """

    rows: int
    days: int = 0
    usual: float | None = None
    unusual: bool = False
    season: float | None = None


def volume(table: pa.Table, now: datetime, *, late: timedelta = timedelta(0), by: float = 0.5) -> Volume:
    """How many rows of an event table (``id``, ``event_at``, ``known_at``, µs) happened in the last 24 hours that are over by ``late``,
    which is how late rows may come, before an aware instant.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> at = np.concatenate([np.arange(2, 60).repeat(100), np.zeros(3)]) * -DAY + microseconds(noon) - 1
    >>> rows = pa.table({"id": [str(i) for i in range(len(at))], "event_at": at.astype(np.int64), "known_at": at.astype(np.int64)})
    >>> volume(rows, noon).rows, volume(rows, noon - timedelta(days=2)).unusual
    (3, False)
    """
    end = microseconds(now - late)
    at, known = _happened(table, microseconds(now))
    # As though each row had been known so much sooner as it may come late.
    at, known = at[at < end], known[at < end] - late // timedelta(microseconds=1)
    if not len(at):
        return Volume(0)
    counted, days, usual = _against_before(at, known, end, int(at.min()), by)
    if usual is None or not _is_unusual(counted, days, usual, by):
        return Volume(counted, len(days), usual)
    return Volume(counted, len(days), usual, True, _season(at, known, end, int(at.min()), counted / max(usual, 1.0), by))


def volume_finding(condition: usual_volume, source: Source, found: Volume) -> Finding:
    """What a clause says of a volume: unusual fails, unless the season explains it. ``met`` is how many times the usual it was."""
    outcome: Outcome = "not enough evidence" if found.usual is None else "failed" if found.unusual and found.season is None else "passed"
    return Finding(
        source=source.name, clause=repr(condition), outcome=outcome, rows=found.rows, broken=found.rows if outcome == "failed" else 0,
        met=found.rows / found.usual if found.usual else None, share=1.0, sentence=volume_sentence(source, found, condition.by),
        season=found.season,
    )  # fmt: skip


def volume_sentence(source: Source, found: Volume, by: float) -> str:
    """A volume, said aloud.

    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={})
    >>> volume_sentence(orders, Volume(3, 8, 100.0, True), 0.5)
    'In orders, 3 rows happened in the last day, where 100 do by the 8 comparable days before: not within 50 % of what is usual.'
    """
    said = f"In {source.name}, {found.rows:,} {'row' if found.rows == 1 else 'rows'} happened in the last day"
    if found.usual is None:
        return f"{said}, and there are too few days before to say what is usual."
    said += f", where {figure(found.usual)} do by the {found.days} comparable days before"
    if found.season is not None:
        return f"{said}: the season, for a year ago it was {figure(found.season)} times the usual too."
    if found.unusual:
        return f"{said}: not within {percent(by)} of what is usual."
    usual = abs(found.rows - found.usual) <= by * found.usual
    return f"{said}: {f'within {percent(by)} of what is usual' if usual else 'no more than chance makes it'}."


def _happened(table: pa.Table, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each row first happened and was first known (µs), of what is known by ``end``; a correction is no second row."""
    rows = table.select(["id", "event_at", "known_at"]).filter((pc.field("known_at") <= end) & pc.field("event_at").is_valid())
    if "version" in table.column_names and len(rows) and (pc.max(table.column("version")).as_py() or 0) > 0:
        rows = rows.group_by("id", use_threads=False).aggregate([("event_at", "min"), ("known_at", "min")])
        rows = rows.rename_columns({"event_at_min": "event_at", "known_at_min": "known_at"})
    return tuple(rows.column(name).to_numpy().astype(np.int64) for name in ("event_at", "known_at"))


def _on(at: NDArray[np.int64], known: NDArray[np.int64], end: int) -> int | None:
    """Rows of the day before ``end`` that were known by then; None where most were only brought in later, as history is."""
    there = (at >= end - DAY) & (at < end)
    late = int((there & (known > end)).sum())
    soon = int((there & (known <= end)).sum())
    return None if late > soon else soon


def _against_before(
    at: NDArray[np.int64], known: NDArray[np.int64], end: int, first: int, by: float
) -> tuple[int, list[int], float | None]:
    """The rows of the day before ``end``, those of comparable days, and the mean of these."""
    rows = _on(at, known, end) or 0
    for back, least in (([7 * k for k in range(1, WEEKS + 1)], LEAST_WEEKS), (list(range(1, MOST_DAYS + 1)), LEAST_DAYS)):
        days = [_on(at, known, end - k * DAY) for k in reversed(back) if end - (k + 1) * DAY >= first]
        there = _habit([n for n in days if n is not None], least, by)
        if len(there) >= least:
            return rows, there, float(np.mean(there))
    return rows, [], None


def _habit(days: list[int], least: int, by: float) -> list[int]:
    """The days, oldest first, without those that were unusual themselves: an alarm is no habit, however often it comes."""
    kept: list[int] = []
    for rows in days:
        if len(kept) < least or not _is_unusual(rows, kept, float(np.mean(kept)), by):
            kept.append(rows)
    return kept


def _is_unusual(rows: int, days: list[int], usual: float, by: float) -> bool:
    if abs(rows - usual) <= by * usual:
        return False
    past = 2 * np.sqrt(np.array(days) + 0.375)
    # Counts scatter at least as chance lets them, however alike the few days before happen to be.
    spread = max(float(past.std(ddof=1)), 1.0)
    half = float(stdtrit(len(past) - 1, (1 + CONFIDENCE) / 2)) * spread * np.sqrt(1 + 1 / len(past))
    return bool(abs(2 * np.sqrt(rows + 0.375) - past.mean()) > half)


def _season(at: NDArray[np.int64], known: NDArray[np.int64], end: int, first: int, now: float, by: float) -> float | None:
    """How many times the usual a day about a year ago was, if that is out of the ordinary too, and about as much."""
    for back in YEAR_AGO:
        then = end - back * DAY
        if then - DAY < first:
            continue
        rows, days, usual = _against_before(at, known, then, first, by)
        if usual is None or not _is_unusual(rows, days, usual, by):
            continue
        times = rows / max(usual, 1.0)
        if (times > 1) == (now > 1) and abs(now - times) <= ALIKE * max(times, now):
            return times
    return None
