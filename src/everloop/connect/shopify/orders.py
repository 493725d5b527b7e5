"""An order becomes rows of ``order_lines``, the same whichever way it was told. Values only; money in whole minor units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from everloop.connect.shopify.house import Row
from everloop.connect.shopify.said import minor, text

CARRIER = "_everloop"
"""The hidden property of a line that says which version recommended it."""
UNIT = "_everloop_unit"
"""The note attribute of an order that says which browser was answered before anybody logged in; hidden by its first letter as well."""
_CARRIED = re.compile(r"(?:[0-9a-f]{1,64}|precomputed|shopify)/(?P<arm>[a-z0-9-]{1,30})|(?P<origin>precomputed)/")


@dataclass(frozen=True)
class Line:
    """One line of an order. ``quantity`` is what was bought at first, ``current`` what of it is still bought: refunds, returns and edits
    have been taken off. ``price`` is of one piece; ``discounts`` and ``taxes`` are of the whole line at first; all in major units."""

    id: str
    product_id: str | None
    variant_id: str | None
    quantity: int
    current: int
    price: Decimal
    discounts: Decimal
    taxes: Decimal
    gift_card: bool = False
    recommended: str | None = None


@dataclass(frozen=True)
class Order:
    """An order as it stood at ``version`` (UTC)."""

    id: str
    version: datetime
    processed_at: datetime
    cancelled_at: datetime | None
    customer_id: str | None
    currency: str
    test: bool
    taxes_included: bool
    lines: tuple[Line, ...]
    unit: str | None = None


def rows(order: Order) -> list[tuple[str, Row]]:
    """The rows an order comes to, one for each of its lines.

    ``net`` is what is left of a line in the end, piece by piece: after discounts, without taxes, and without what was refunded or removed.
    Shipping is no line's. A line whose product nobody knows (any more) says none.
    """
    return [("order_lines", _row(order, line)) for line in order.lines]


def _row(order: Order, line: Line) -> Row:
    paid = line.price * line.quantity - line.discounts
    net = paid - (line.taxes if order.taxes_included else 0)
    pieces = max(line.quantity, 1)
    current = max(0, line.current)
    gone = order.cancelled_at or (order.version if order.test or line.gift_card or current == 0 else None)
    return {
        "line_id": line.id,
        "order_id": order.id,
        "processed_at": text(order.processed_at),
        "updated_at": text(order.version),
        "cancelled_at": text(gone),
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "customer_id": order.customer_id,
        "quantity": current,
        "currency": order.currency,
        "price": minor(paid / pieces, order.currency),
        "net": minor(net * current / pieces, order.currency),
        "arm": arm(line.recommended),
        "unit": order.unit,
    }


def arm(carried: str | None) -> str | None:
    """Whose list a line was bought from, out of what it carries (``CARRIER``): the arm, or ``precomputed`` for a list worked out beforehand
    that nobody's arm was drawn for. None for anything else: a buyer may write there what they want.

    >>> arm("9d00410c64e5744e/candidate"), arm("precomputed/champion"), arm("precomputed/"), arm("shopify/"), arm("x/<b>"), arm(None)
    ('candidate', 'champion', 'precomputed', None, None, None)
    """
    found = _CARRIED.fullmatch(carried or "")
    return None if found is None else found["arm"] or found["origin"]
