"""Spans and clocks: time is never a bare number. Reads no clock."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from everloop.project.said import Word


def minutes(count: float) -> timedelta:
    """A span of so many minutes.

    >>> minutes(90) == hours(1.5)
    True
    """
    return timedelta(minutes=count)


def hours(count: float) -> timedelta:
    """A span of so many hours.

    >>> hours(24) == days(1)
    True
    """
    return timedelta(hours=count)


def days(count: float) -> timedelta:
    """A span of so many 24-hour days, whatever the local clock does in between.

    >>> days(7).total_seconds()
    604800.0
    """
    return timedelta(days=count)


@dataclass(frozen=True, repr=False)
class every(Word):
    """A clock: as ``asked=`` it puts the questions, in ``retrain_when`` it is a reason to retrain.

    ``at`` is a time of day ``"HH:MM"`` in the IANA ``zone``.

    >>> every(days(1), at="02:00", zone="Europe/Berlin")
    every(days(1), at='02:00', zone='Europe/Berlin')
    """

    span: timedelta
    _: KW_ONLY
    at: str | None = None
    zone: str | None = None
