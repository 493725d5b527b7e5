"""What Shopify's payloads say, value by value: ids, instants, money, and which of two versions is the later. Pure; ValueError where
none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

import everloop.clock as clock
from everloop.errors import EverloopError
from everloop.project.spoken_values import decimals

Payload = Mapping[str, Any]
_LAST: Final = 999_999
_ID = re.compile(r"gid://shopify/(\w+)/(\d+)(?:\?.*)?")
_TOKEN = re.compile(r"(?=[0-9]*[A-Za-z-])[A-Za-z0-9-]{8,64}")


def digits(value: object) -> str | None:
    """An id as a string of digits, whichever shape it comes in; None for null.

    >>> digits(820982911946154508), digits("gid://shopify/Order/820982911946154508"), digits("4503"), digits(None)
    ('820982911946154508', '820982911946154508', '4503', None)
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        found = _ID.fullmatch(value)
        if found:
            return found[2]
        if value.isascii() and value.isdigit():
            return value
    raise ValueError(f"{_short(value)} is no id")


def needed(value: object, what: str) -> str:
    """An id that has to be there."""
    found = digits(value)
    if found is None:
        raise ValueError(f"{what} has no id")
    return found


def token(value: object) -> str | None:
    """The token that a browser made for itself; None for anything else. One of digits alone is none: it would say somebody's number.

    >>> token("b7c1d2e3-0000"), token("207119551000"), token("x"), token(None)
    ('b7c1d2e3-0000', None, None, None)
    """
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def kind_of(gid: object) -> str | None:
    """What an id is of.

    >>> kind_of("gid://shopify/InventoryLevel/7?inventory_item_id=12"), kind_of(7)
    ('InventoryLevel', None)
    """
    found = _ID.fullmatch(gid) if isinstance(gid, str) else None
    return found[1] if found else None


def own_id(thing: Payload) -> object:
    """The id of a REST-shaped thing: the one of the Admin API where it says it, which no parser of JSON rounds."""
    return thing.get("admin_graphql_api_id") or thing.get("id")


def at(value: object, what: str) -> datetime:
    """An instant that has to be there, in UTC."""
    found = maybe_at(value)
    if found is None:
        raise ValueError(f"{what} is no instant: {_short(value)}")
    return found


def maybe_at(value: object) -> datetime | None:
    """An instant in UTC, None for null."""
    if value is None:
        return None
    try:
        return clock.instant(value)  # type: ignore[arg-type]
    except EverloopError:
        raise ValueError(f"{_short(value)} is no instant") from None


def text(instant: datetime | None) -> str | None:
    """An instant as rows have it.

    >>> text(datetime(2026, 11, 2, 9, 30, tzinfo=UTC))
    '2026-11-02T09:30:00.000000Z'
    """
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def version(updated_at: datetime, told_at: datetime | None) -> datetime:
    """Which of a thing's versions this is. Shopify's ``updated_at`` knows whole seconds only: of two changes within one the later told
    counts, and what was asked for (``told_at`` None) counts before what was sent.

    >>> noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> [version(noon, told).microsecond for told in (noon, noon + timedelta(milliseconds=1500), None)]
    [0, 1500, 999999]
    """
    if updated_at.microsecond:
        return updated_at
    after = _LAST if told_at is None else min(_LAST - 1, lag(updated_at, told_at))
    return updated_at + timedelta(microseconds=after)


def lag(updated_at: datetime, told_at: datetime | None) -> int:
    """Milliseconds from a change until it was told, 0 at least; what was asked for comes after all of them."""
    return 2**53 if told_at is None else max(0, (told_at - updated_at) // timedelta(milliseconds=1))


def amount(value: object, what: str = "an amount") -> Decimal:
    """Money as Shopify writes it: text, in major units.

    >>> amount("199.00"), amount(None)
    (Decimal('199.00'), Decimal('0'))
    """
    if value is None:
        return Decimal(0)
    try:
        found = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found) > 10**15:
        raise ValueError(f"{what} is no money: {_short(value)}")
    return found


def minor(money: Decimal, currency: str) -> int:
    """Whole minor units of a currency, halves upwards.

    >>> minor(Decimal("199.00"), "EUR"), minor(Decimal("1500"), "JPY"), minor(Decimal("1.2345"), "KWD")
    (19900, 1500, 1235)
    """
    return int((money * 10 ** decimals(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def whole(value: object, what: str) -> int:
    """A whole number that has to be there."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} is no whole number: {_short(value)}")
    return value


def each(value: object, what: str) -> list[Payload]:
    """Several things, as a list, or as a connection of GraphQL has them (``nodes`` or ``edges``).

    >>> each([{"id": 1}], "x") == each({"nodes": [{"id": 1}]}, "x") == each({"edges": [{"node": {"id": 1}}]}, "x")
    True
    """
    if isinstance(value, Mapping):
        value = value["nodes"] if "nodes" in value else [edge.get("node") for edge in value.get("edges", []) if isinstance(edge, Mapping)]
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise ValueError(f"{what} is no list of things")
    return value


def part(value: object) -> Payload:
    """A thing inside a thing, empty for null."""
    return value if isinstance(value, Mapping) else {}


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
