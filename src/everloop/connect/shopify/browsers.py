"""The browsers of somebody: the tokens under which storefronts were answered before their person had a name, found by the orders that carry
them. In: a house, and by which columns and values somebody is known. Out: the browsers, and by what is known what they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from everloop.connect.shopify.house import House, Refused, Row
from everloop.connect.shopify.said import token

Whom: TypeAlias = Sequence[tuple[str, str]]
"""Columns and what each says of a person."""


@dataclass(frozen=True)
class Browser:
    """A browser by its token; ``shared``: somebody else bought with it as well."""

    token: str
    shared: bool

    @property
    def whom(self) -> Whom:
        """By what it is known: the name it was answered under, and what its orders carry; of a shared one not those, which say others.

        >>> Browser("b7c1d2e3-0000", shared=False).whom
        (('customer_id', 'b7c1d2e3-0000'), ('unit', 'b7c1d2e3-0000'))
        >>> Browser("b7c1d2e3-0000", shared=True).whom
        (('customer_id', 'b7c1d2e3-0000'),)
        """
        answered = ("customer_id", self.token)
        return (answered,) if self.shared else (answered, ("unit", self.token))


def browsers(house: House, whom: Whom) -> tuple[Browser, ...]:
    """The browsers somebody bought with, by their tokens. Raises Unreachable, and Refused for anything but a column nobody has.

    A token comes from the buyer's own hands: what is none (a customer's number among it) is nobody's.
    """
    orders = [row for column, value in whom for row in order_lines(house, column, value)]
    names = {row.get("customer_id") for row in orders}
    found = sorted({one for row in orders if (one := token(row.get("unit"))) is not None})
    return tuple(Browser(one, shared=_others(order_lines(house, "unit", one), names)) for one in found)


def known(house: House, column: str, value: str) -> Row | None:
    """Everything the house knows by this; None where nothing of it has such a column. Raises Unreachable, and Refused for another no."""
    try:
        said: Row = house.operate("known", {"column": column, "value": value})["known"]
    except Refused as error:
        if error.code != "unknown":
            raise
        return None
    return said


def answered(house: House, column: str, value: str) -> list[str]:
    """The ids of what they were answered."""
    said: dict[str, Any] = dict(known(house, column, value) or {})
    return [row["id"] for rows in said.get("answers", {}).values() for row in rows]


def order_lines(house: House, column: str, value: str) -> Sequence[Row]:
    """The order lines the house knows by this."""
    said: dict[str, Any] = dict(known(house, column, value) or {})
    found: Sequence[Row] = said.get("rows", {}).get("order_lines", ())
    return found


def _others(rows: Sequence[Row], names: set[Any]) -> bool:
    return any(row.get("customer_id") not in names | {None} for row in rows)
