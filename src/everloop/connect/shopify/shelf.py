"""The shelf: what a product is called in links, and the list worked out beforehand to stand beside it. In: products. Out: names, lists.

Kept in the shop's own database, so that a storefront is answered while the house is down. Titles, prices and pictures are not here: the
storefront asks Shopify for them, which knows the buyer's currency, and what may be seen at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from everloop.connect.shopify.place import Place
from everloop.connect.shopify.said import digits

TABLES = (
    "create table if not exists handles (product text primary key, handle text not null, updated_at text not null) without rowid",
    "create table if not exists lists (product text primary key, items text not null) without rowid",
)
HANDLE = re.compile(r"[\w-]{1,255}")
"""What a handle may be: it goes into Liquid, where anything else could end its quotes."""
SHOP = ""
"""The product a list is kept under that is shown where no product has its own."""


@dataclass(frozen=True)
class Named:
    """A product as links call it; ``handle`` None: it is gone. ``updated_at`` as Shopify says it."""

    product: str
    handle: str | None
    updated_at: str


@dataclass(frozen=True)
class Shelf:
    """The shelf of one shop. Make it once: that makes its tables."""

    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            for table in TABLES:
                t.execute(table)

    def name(self, named: Iterable[Named]) -> None:
        """Keep what products are called; an older word than the one kept changes nothing."""
        with self.place.transaction() as t:
            for one in named:
                handle = one.handle if one.handle and HANDLE.fullmatch(one.handle) else ""
                t.execute(
                    "insert into handles values (?, ?, ?) on conflict (product) do update set handle = excluded.handle,"
                    " updated_at = excluded.updated_at where excluded.updated_at >= handles.updated_at",
                    (one.product, handle, one.updated_at),
                )

    def handles(self, products: Sequence[str]) -> dict[str, str]:
        """The handle of each of these products that has one."""
        marks = ",".join("?" * len(products))
        with self.place.transaction(write=False) as t:
            rows = t.execute(f"select product, handle from handles where product in ({marks}) and handle <> ''", list(products))
            return dict(rows.fetchall())

    def lay(self, lists: Mapping[str, Sequence[str]]) -> None:
        """Keep lists worked out beforehand, by product; under ``SHOP`` the one for all others."""
        with self.place.transaction() as t:
            rows = [(product, json.dumps(list(items))) for product, items in lists.items()]
            t.executemany("insert into lists values (?, ?) on conflict (product) do update set items = excluded.items", rows)

    def beside(self, product: str | None) -> list[str]:
        """The list to be shown beside a product, worked out beforehand; the shop's own where the product has none; or nothing."""
        with self.place.transaction(write=False) as t:
            for key in dict.fromkeys((product or SHOP, SHOP)):
                row = t.execute("select items from lists where product = ?", (key,)).fetchone()
                if row:
                    return [str(item) for item in json.loads(row[0])]
        return []


def named(said: Mapping[str, Any], *, gone: bool = False) -> Named | None:
    """A product's name out of what Shopify says of it: payload of a webhook, node of the Admin API, or event; None where it has none.

    >>> named({"id": 7, "handle": "dark-roast", "updated_at": "2026-11-02T09:30:00Z"})
    Named(product='7', handle='dark-roast', updated_at='2026-11-02T09:30:00Z')
    >>> named({"query_variables": {"productId": "gid://shopify/Product/7"}}, gone=True).handle is None
    True
    """
    event, variables = said.get("data"), said.get("query_variables")
    node = event["product"] if isinstance(event, dict) and isinstance(event.get("product"), dict) else said
    told = variables.get("productId") if isinstance(variables, dict) else None
    try:
        id = digits(node.get("id") or told)
    except ValueError:
        return None
    handle, at = node.get("handle"), node.get("updated_at") or node.get("updatedAt") or ""
    if id is None or not (gone or handle):
        return None
    # What is gone stays so, whatever older word comes late: no instant is after this one.
    return Named(id, None, "9999") if gone else Named(id, str(handle), str(at))
