"""What is expected: for which tick of ``arrives=`` something was due, and whether it came. In: a source, when deliveries came. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.clock import said
from everloop.features.moments import ticks
from everloop.project.source import Source
from everloop.project.spans import every
from everloop.project.spoken_values import spoken_span
from everloop.records import Finding

LOOKS_BACK = 6
"""Ticks that are looked at: each takes one delivery, so that yesterday's, which came late, is not taken for today's."""


@dataclass(frozen=True)
class Due:
    """What was due last of all that had to be there by now: when, until when it might take, and when it came (None: it is overdue)."""

    source: str
    at: datetime
    until: datetime
    came_at: datetime | None


def due(source: Source, arrived: Sequence[datetime], now: datetime) -> Due | None:
    """What was due last, of all that had to be there at ``now`` (instants aware); None where nothing was, or nothing ever came before it.

    A tick takes the first delivery that came after the tick before it and before the one after it, and that no tick before took.

    >>> from everloop import Source, days, every, hours
    >>> orders = Source("orders", id="line_id", columns={"n": int}, arrives=every(days(1), at="06:00", zone="UTC"), overdue=hours(2))
    >>> day = lambda text: datetime.fromisoformat(f"2026-11-{text}+00:00")
    >>> due(orders, [day("01T05:50"), day("02T06:10")], day("03T07:59")).came_at.day
    2
    >>> due(orders, [day("01T05:50"), day("02T06:10")], day("03T08:00")).came_at is None
    True
    """
    return next(reversed(all_due(source, arrived, now)), None)


def all_due(source: Source, arrived: Sequence[datetime], now: datetime) -> list[Due]:
    """What was due at each tick that is looked at, of all that had to be there at ``now``, oldest first."""
    clock, came = source.arrives, sorted(at for at in arrived if at <= now)
    if clock is None or not came:
        return []
    since = looked_at_since(clock, now)
    # What came first of all is taken for the tick nearest to it.
    there = [tick for tick in ticks(clock, since, now) if tick >= came[0] - clock.span / 2]
    found: list[Due] = []
    left = [at for at in came if at > since]
    for number, tick in enumerate(there):
        before = there[number - 1] if number else tick - clock.span
        after = there[number + 1] if number + 1 < len(there) else now + clock.span
        taken = next((at for at in left if before < at < after), None)
        if taken is not None:
            left = [at for at in left if at > taken]
        if tick + source.patience <= now:
            found.append(Due(source.name, tick, tick + source.patience, taken))
    return found


def missing_since(source: Source, arrived: Sequence[datetime], now: datetime) -> Due | None:
    """The first that is missing of what is overdue at ``now``; None where nothing is, or something came since it was due.

    >>> from everloop import Source, days, every, hours
    >>> orders = Source("orders", id="line_id", columns={"n": int}, arrives=every(days(1), at="06:00", zone="UTC"), overdue=hours(2))
    >>> day = lambda text: datetime.fromisoformat(f"2026-11-{text}+00:00")
    >>> missing_since(orders, [day("01T05:50"), day("02T05:50")], day("20T12:00")).at.day
    3
    """
    last = due(source, arrived, now)
    if last is None or last.came_at is not None or source.arrives is None:
        return None
    newest = max(at for at in arrived if at <= now)
    if newest >= last.at:
        return None
    # Only the ticks about the last delivery say which was the first without one, however long it has been since.
    soon = min(now, newest + 2 * source.arrives.span + source.patience + timedelta(days=2))
    return next((one for one in all_due(source, arrived, soon) if one.came_at is None and one.at > newest), last)


def looked_at_since(clock: every, now: datetime) -> datetime:
    """From when on it matters to ``due`` when anything came, if something came before that."""
    return now - (LOOKS_BACK + 1) * clock.span - (timedelta(days=2) if clock.at else timedelta(0))


def overdue_sentence(due: Due, source: Source) -> str:
    """What is overdue, in words without a stop at the end.

    >>> from datetime import UTC
    >>> from everloop import Source, days, every, hours
    >>> orders = Source("orders", id="line_id", columns={"n": int}, arrives=every(days(1), at="17:00", zone="UTC"), overdue=hours(1))
    >>> five = datetime(2026, 11, 2, 17, tzinfo=UTC)
    >>> overdue_sentence(Due("orders", five, five + hours(1), None), orders)
    'orders were due at 2026-11-02 17:00 UTC and have not come; they may take 1 hour, which is over since 2026-11-02 18:00 UTC'
    """
    may = f"they may take {spoken_span(source.patience)}, which is over since {said(due.until)}"
    return f"{source.name} were due at {said(due.at)} and have not come; {may}"


def overdue_finding(source: Source, arrived: Sequence[datetime], now: datetime) -> Finding | None:
    """That a source is overdue, as a finding; None where it is not, or is expected at no time."""
    found = due(source, arrived, now)
    if found is None or found.came_at is not None:
        return None
    # No share of it met: it is told. Whose truth it is waits (brought.py); who only knows by it learns on, unless fresh(…) in must says no.
    return Finding(
        source=source.name, clause=f"arrives={source.arrives!r}", outcome="failed", rows=0, broken=0, met=None, share=1.0,
        sentence=overdue_sentence(found, source),
    )  # fmt: skip
