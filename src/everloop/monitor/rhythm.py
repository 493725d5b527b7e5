"""Seasons: a Saturday is held against Saturdays. In: what was learnt from, in sums by season. Out: the reference of a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import add
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from everloop.clock import from_microseconds
from everloop.monitor.profile import Profile
from everloop.monitor.spec import Spec

LEAST, BUCKET = 4, 4  # windows of a season that make a reference; hours
Names: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Season:
    """The sum of ``windows`` windows of one season. ``names`` say which, the narrowest first: a weekday, then working days or weekends;
    for windows shorter than a day each with its four hours, and last these hours of any day. Windows of a week and more have none.
    """

    names: Names
    profile: Profile
    windows: int

    def __add__(self, other: Season) -> Season:
        return Season(self.names, self.profile + other.profile, self.windows + other.windows)

    def to_plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {"names": list(self.names), "profile": self.profile.to_plain(), "windows": self.windows}

    @staticmethod
    def from_plain(plain: Mapping[str, Any], spec: Spec) -> Season:
        """The Season that ``to_plain`` wrote."""
        return Season(tuple(plain["names"]), Profile.from_plain(plain["profile"], spec), plain["windows"])


def names_of(moment: int, span: timedelta, zone: str | None = None) -> Names:
    """The seasons of a window that begins at ``moment`` (µs UTC) and lasts ``span``, by the clocks of ``zone`` (UTC if unsaid).

    >>> names_of(0, timedelta(days=1)), names_of(0, timedelta(hours=1)), names_of(0, timedelta(days=7))
    (('Thursday', 'working day'), ('Thursday 00-04', 'working day 00-04', '00-04'), ())
    """
    if span >= timedelta(days=7):
        return ()
    local = from_microseconds(moment).astimezone(ZoneInfo(zone or "UTC"))
    day, kind = f"{local:%A}", "weekend" if local.weekday() >= 5 else "working day"
    if span >= timedelta(days=1):
        return day, kind
    first = local.hour // BUCKET * BUCKET
    hours = f"{first:02}-{first + BUCKET:02}"
    return f"{day} {hours}", f"{kind} {hours}", hours


def seasons_of(windows: Iterable[Profile], span: timedelta, zone: str | None = None) -> list[Season]:
    """Windows added up by season; the order of neither matters."""
    found: dict[Names, Season] = {}
    for window in windows:
        if window.first_at is not None:
            one = Season(names_of(window.first_at, span, zone), window, 1)
            found[one.names] = found[one.names] + one if one.names in found else one
    return [found[names] for names in sorted(found) if names]


def reference_for(names: Names, seasons: Sequence[Season], reference: Profile, *, part: Profile | None = None) -> Profile:
    """What a window of these seasons is held against: the narrowest season with four windows of what was learnt from, else the whole
    reference. ``part`` is a window that was learnt from itself: it is taken out, for nothing is far from a sum it is part of.
    """
    for level, name in enumerate(names):
        like = [s for s in seasons if len(s.names) == len(names) and s.names[level] == name]
        if like and sum(s.windows for s in like) - (part is not None) >= LEAST:
            found = reduce(add, like).profile
            break
    else:
        found = reference
    return found if part is None else found.without(part)
