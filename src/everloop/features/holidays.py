"""Holidays: is a day one, in a country or a part of it? By the tables of the library ``holidays``, which carries them for every year."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from everloop.errors import Missing, Unknown


def is_holiday(day: date, place: str) -> bool:
    """Whether a day is a public holiday of a place: a country by ISO 3166-1, such as ``"US"``, or a part of it by ISO 3166-2, such as
    ``"DE-BY"``.

    >>> is_holiday(date(2026, 1, 6), "DE"), is_holiday(date(2026, 1, 6), "DE-BY")
    (False, True)

    Raises Unknown for a place of which no holidays are known, Missing where the library is not installed.
    """
    return day in _days(place, day.year)


@lru_cache(maxsize=256)
def _days(place: str, year: int) -> frozenset[date]:
    try:
        import holidays
    except ImportError:
        raise Missing("holidays", "holidays", 'calendar("holiday")') from None
    country, _, part = place.partition("-")
    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        raise Unknown("country whose holidays are known", country, sorted(known), next='Say it by ISO 3166, such as "US" or "DE-BY".')
    if part and part not in known[country]:
        raise Unknown(f"part of {country} whose holidays are known", part, sorted(known[country]))
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
