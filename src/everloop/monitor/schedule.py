"""Has a clock struck since the last training? In: a clock and two instants. Out: a Signal. Reads no clock itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from everloop.project.spans import every
from everloop.project.spoken_values import spoken_span
from everloop.records import Signal


def due(condition: every, last: datetime | None, now: datetime) -> Signal:
    """The span has passed since the last training; with ``at`` it also waits for that time of day. Never trained: due at once."""
    passed = last is None or now >= next_due(condition, last)
    if last is None:
        sentence = "it was never trained"
    else:
        sentence = f"{spoken_span(timedelta(seconds=round((now - last).total_seconds())))} have passed since the last training"
    return Signal(clause=repr(condition), kind="schedule", fired=passed, outcome="passed" if passed else "failed", sentence=sentence)


def next_due(clock: every, last: datetime) -> datetime:
    """When a clock strikes next after the last training: a span later, and then at its time of day, in its zone.

    >>> next_due(every(timedelta(days=7), at="03:00", zone="UTC"), datetime(2026, 11, 2, 3, 20, tzinfo=UTC)).isoformat()
    '2026-11-09T03:00:00+00:00'
    """
    plain = last + clock.span
    if clock.at is None or clock.span < timedelta(days=1):
        return plain
    hour, minute = map(int, clock.at.split(":"))
    # A training that began a little after its time of day is due at that time again, not a day later.
    local = (plain - timedelta(hours=12)).astimezone(ZoneInfo(clock.zone or "UTC"))
    struck = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (struck if struck >= local else struck + timedelta(days=1)).astimezone(UTC)
