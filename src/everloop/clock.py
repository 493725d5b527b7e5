"""Clocks. Business time is an argument everywhere; these are the few places it can come from. Standard library only.

Three clocks: *business* time, which can be turned (``Turned``, or whatever instant a caller gives); *wall* time (``wall``), which is
business time where nobody turned it; *monotonic* time (``monotonic``) for latency and deadlines, which means nothing to anybody else.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from everloop.errors import ClockWentBack, EverloopError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Anything that can say what time it is for the business: an aware UTC datetime."""

    def now(self) -> datetime: ...


class Wall:
    """The machine's own clock."""

    def now(self) -> datetime:
        return wall()


class Turned:
    """A clock that stands still until it is turned, and only forwards. Safe between threads.

    >>> clock = Turned(instant("2026-11-02"))
    >>> clock.turn_on(timedelta(days=3)).isoformat()
    '2026-11-05T00:00:00+00:00'
    >>> clock.turn_to(instant("2026-11-01"))
    Traceback (most recent call last):
    everloop.errors.ClockWentBack: The clock stands at 2026-11-05 00:00 UTC and cannot be turned back to 2026-11-01 00:00 UTC. ...
    """

    def __init__(self, at: datetime) -> None:
        self._at, self._lock = utc(at), threading.Lock()

    def now(self) -> datetime:
        return self._at

    def turn_to(self, at: datetime) -> datetime:
        """The clock set forward to this instant (aware). Raises ClockWentBack for an earlier one; the same one is harmless."""
        at = utc(at)
        with self._lock:
            if at < self._at:
                raise ClockWentBack(
                    f"The clock stands at {said(self._at)} and cannot be turned back to {said(at)}. Turn it forward, or open a new house."
                )
            self._at = at
        return at

    def turn_on(self, span: timedelta) -> datetime:
        """The clock turned on by a span. Raises ClockWentBack for a span below zero."""
        return self.turn_to(self._at + span)

    def __repr__(self) -> str:
        return f"Turned({said(self._at)})"


def wall() -> datetime:
    """Now by the machine's clock, in UTC.

    >>> wall().utcoffset()
    datetime.timedelta(0)
    """
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go back; only differences mean anything."""
    return time.monotonic()


def utc(at: datetime) -> datetime:
    """The same instant in UTC. Raises EverloopError for a naive one, which could be anybody's noon.

    >>> utc(datetime.fromisoformat("2026-11-02T01:00+01:00"))
    datetime.datetime(2026, 11, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(at, datetime) or at.tzinfo is None or at.utcoffset() is None:
        raise EverloopError(f"{at!r} names no time zone, so it is no instant. Say datetime(…, tzinfo=timezone.utc).")
    return at.astimezone(UTC)


def instant(text: str) -> datetime:
    """An instant from ISO 8601 text, in UTC; without an offset it is read as UTC, a date alone as its midnight.

    >>> instant("2026-11-02T14:03Z"), instant("2026-11-02T15:03+01:00") == instant("2026-11-02T14:03")
    (datetime.datetime(2026, 11, 2, 14, 3, tzinfo=datetime.timezone.utc), True)

    Raises EverloopError for text that is none.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, AttributeError):
        raise EverloopError(f"{text!r} is no instant. Say 2026-11-02T14:03Z, or 2026-11-02.") from None


def microseconds(at: datetime) -> int:
    """Microseconds since the Unix epoch UTC, exactly.

    >>> microseconds(instant("1970-01-02")), microseconds(instant("0001-01-01"))
    (86400000000, -62135596800000000)
    """
    return (utc(at) - EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The instant so many microseconds after the Unix epoch UTC.

    >>> from_microseconds(86_400_000_001)
    datetime.datetime(1970, 1, 2, 0, 0, 0, 1, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + count * _MICROSECOND


def said(at: datetime) -> str:
    """An instant as sentences say it, to the minute.

    >>> said(instant("2026-11-02T14:03:59Z"))
    '2026-11-02 14:03 UTC'
    """
    return f"{utc(at):%Y-%m-%d %H:%M} UTC"
