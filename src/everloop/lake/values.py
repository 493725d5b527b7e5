"""One value as its column's kind has it. In: whatever a row says. Out: what is kept, or a ValueError that says why not. No rows, no clock.

Nothing is guessed: yes is no number, a number is no text ("1" and 1 are different keys), text is no number. Whole numbers may come as
``3.0``, but text with a decimal point is never minor units: "12.00" is twelve euros to whoever wrote it.
NaN and pandas' NaT and NA are empty; infinities are refused. Instants carry a zone, or the source says which they are in.
``parse`` is the other reading, for files in which everything is text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from everloop.clock import microseconds
from everloop.project.columns import Kind, money, unit

_LONG = 2**63
_YES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_EMPTY = ("NAType", "NaTType")
_AS_THEY_ARE = frozenset({str, int, bool, datetime, date})
_POINT = re.compile(r"\d[.,]|[.,]\d")

Reads = Callable[[object], object]


def reader(kind: Kind, zone: str | None = None) -> Reads:
    """What reads a value of this kind: instants as microseconds since the epoch UTC, everything else as Python has it.

    >>> reader(int)(3.0), reader(datetime, "Europe/Berlin")("2026-11-02 01:00") == reader(datetime)("2026-11-02T00:00Z")
    (3, True)
    >>> reader(money("EUR"))(12.34)
    Traceback (most recent call last):
    ValueError: in a column of decimals; money("EUR") is whole minor units: write 1250 for 12.50, or declare it unit("EUR")

    Raises ValueError, which ends the sentence "price is 12.34, …".
    """
    if isinstance(kind, money):
        return _guarded(lambda value: _whole(value, _no_minor_units(value, kind)))
    if isinstance(kind, unit) or kind is float:
        return _guarded(_decimal)
    if kind is datetime:
        inside = ZoneInfo(zone) if zone else None
        return _guarded(lambda value: instant(value, inside))
    plain: dict[object, Reads] = {int: _whole, bool: _yes_or_no, date: _day}
    return _guarded(plain.get(kind, _words))


def parser(kind: Kind, zone: str | None = None) -> Reads:
    """What reads a value of this kind where everything is text, as in CSV; the empty text is empty.

    >>> parser(int)("12"), parser(float)("1e3"), parser(bool)("False"), parser(str)("007"), parser(int)("")
    (12, 1000.0, False, '007', None)
    """
    reads = reader(kind, zone)

    def parse(text: object) -> object:
        if text is None or text == "":
            return None
        return reads(_unquoted(str(text), kind))

    return parse


def has_point(value: object) -> bool:
    """Whether a value has a fraction, or as text or Decimal a decimal point (or comma): then it counts no minor units.

    >>> [has_point(value) for value in (12.5, 12.0, "12.00", "12,50", "12", None, Decimal("12.00"))]
    [True, False, True, True, False, False, True]
    """
    value = _plain(value)
    if isinstance(value, Decimal):
        return value.is_finite() and int(value.as_tuple().exponent) < 0
    if isinstance(value, float):
        return math.isfinite(value) and not value.is_integer()
    return isinstance(value, str) and _POINT.search(value) is not None


@lru_cache(maxsize=256)
def in_decimals(kind: money) -> str:
    """Why no value of a column of money is believed in which one has a decimal point, and the cure.

    >>> in_decimals(money("JPY"))
    'in a column of decimals; money("JPY") is whole minor units: write 1250 for 1250.0, or declare it unit("JPY")'
    """
    from everloop.project.spoken_values import decimals

    code = kind.currency
    places = decimals(code) if code else 2
    called, decimal = (f'money("{code}")', f'unit("{code}")') if code else (f'money(column="{kind.column}")', "float")
    written = f"1250 for {1250 / 10**places:.{places or 1}f}"
    return f"in a column of decimals; {called} is whole minor units: write {written}, or declare it {decimal}"


def said_version(value: object) -> int | None:
    """The number a version column says: a whole number, or an instant as microseconds.

    >>> said_version(7), said_version("1970-01-01T00:00:01Z"), said_version("7")
    (7, 1000000, 7)
    """
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        value = int(value)
    if isinstance(value, str | datetime):
        return instant(value, UTC)
    return _guarded(lambda v: _whole(v, "neither a whole number nor an instant"))(value)  # type: ignore[return-value]


def said_deleted(value: object) -> bool:
    """Whether a deleted column takes the row out: it is true, or filled.

    >>> said_deleted(True), said_deleted("2026-11-02"), said_deleted(None), said_deleted("false"), said_deleted(0)
    (True, True, False, False, False)
    """
    value = _plain(value)
    return value is not None and (_YES.get(value.strip().lower(), bool(value.strip())) if isinstance(value, str) else value != 0)


def said_id(value: object) -> str:
    """One part of an id as text.

    >>> said_id("l1"), said_id(7), said_id(True), said_id(date(2026, 11, 2))
    ('l1', '7', 'true', '2026-11-02')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def instant(value: object, zone: ZoneInfo | object | None) -> int | None:
    """An instant as microseconds since the epoch UTC; a date is its midnight. Without a zone of its own it needs one.

    >>> instant(date(1970, 1, 2), UTC)
    86400000000
    """
    value = _plain(value)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("no instant; write 2026-11-02T14:03:00Z") from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError("no instant; write 2026-11-02T14:03:00Z")
    if value.tzinfo is None or value.utcoffset() is None:
        if zone is None:
            raise ValueError('without a zone; say one in the row, or zone="Europe/Berlin" at the source')
        value = value.replace(tzinfo=zone)  # type: ignore[arg-type]
    try:
        return microseconds(value)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None


def _guarded(reads: Reads) -> Reads:
    def guarded(value: object) -> object:
        value = _plain(value)
        return None if value is None else reads(value)

    return guarded


def _plain(value: object) -> object:
    """A value without its library: numpy's numbers as Python's, everybody's "nothing" as None."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if value is None or kind.__name__ in _EMPTY:
        return None
    if kind.__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()
    if hasattr(value, "to_pydatetime"):  # pandas
        value = value.to_pydatetime(warn=False)
    return None if isinstance(value, float) and math.isnan(value) else value


def _no_minor_units(value: object, kind: money) -> str:
    # Asked of every value, so what is plainly whole is not looked at.
    return in_decimals(kind) if type(value) is not int and has_point(value) else "no whole number of minor units"


def _whole(value: object, otherwise: str = "no whole number") -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(otherwise)
    if not -_LONG <= value < _LONG:
        raise ValueError("too large a number")
    return int(value)


def _decimal(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("no number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("too large a number") from None
    if math.isinf(number):
        raise ValueError("no finite number")
    return None if math.isnan(number) else number + 0.0


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("no valid text") from None
    return str(value)


def _day(value: object) -> date:
    if isinstance(value, str):
        with suppress(ValueError):
            value = date.fromisoformat(value.strip()[:10]) if _midnight(value) else value
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("no date; write 2026-11-02")
    return value


def _midnight(text: str) -> bool:
    return text.strip()[10:] in ("", "T00:00:00", " 00:00:00")


def _unquoted(text: str, kind: Kind) -> object:
    """Text as the value it spells; what spells none stays text and is refused as such."""
    if "_" in text and kind is not str:
        return text  # Python would read 1_000 as a number
    if isinstance(kind, money) and has_point(text):
        return text
    try:
        if isinstance(kind, money) or kind is int:
            return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
        if isinstance(kind, unit) or kind is float:
            return float(text)
    except ValueError:
        return text
    return _YES.get(text.strip().lower(), text) if kind is bool else text
