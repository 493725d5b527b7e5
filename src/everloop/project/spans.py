"""Spans and clocks: time is never a bare number. Reads no clock."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from everloop.project import refuse
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

    def __post_init__(self) -> None:
        refuse.span(self.span, place=self.place, word="every")
        if self.zone is not None:
            refuse.zone(self.zone, place=self.place)
        if self.at is None:
            return
        if not is_time_of_day(self.at):
            refuse.refuse(f"every(…, at={self.at!r}) is no time of day.", 'Say at="02:00", or whichever is meant.', place=self.place)
        if self.zone is None:
            cure = 'Add zone="Europe/Berlin", or whichever is meant.'
            refuse.refuse(f"every(…, at={self.at!r}) does not say whose {self.at}.", cure, place=self.place)


def is_time_of_day(at: object) -> bool:
    """Whether it reads ``"HH:MM"``.

    >>> is_time_of_day("02:00"), is_time_of_day("24:00"), is_time_of_day("2am")
    (True, False, False)
    """
    if not isinstance(at, str) or len(at) != 5 or at[2] != ":" or not (at[:2] + at[3:]).isdecimal() or not at.isascii():
        return False
    return int(at[:2]) < 24 and int(at[3:]) < 60
