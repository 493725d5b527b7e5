"""Tags of orders by arm, so that Shopify's own reports can be filtered by them: the list that an order came from, of which version's arm.

An order carries what was shown to its buyer in the hidden property ``_everloop`` of its lines (``PREDICTION/ARM``). A report of Shopify's
can count tagged orders, and no more: whoever saw a list and bought nothing has no order. What a model brings is told by
``everloop shopify money``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from everloop.connect.shopify.house import Row
from everloop.connect.shopify.mirror import Shop
from everloop.connect.shopify.orders import CARRIER
from everloop.connect.shopify.place import Place

PREFIX: Final = "everloop:"
TABLE: Final = "create table if not exists tagged (id text, tag text, primary key (id, tag)) without rowid"
_ARM = re.compile(r"[a-z0-9-]{1,30}")


def tags_of(order: Row) -> tuple[str, ...]:
    """The tags of an order as a webhook tells it: the arms its lines were recommended by, each once; a list worked out beforehand has
    ``precomputed``.

    >>> line = {"properties": [{"name": "_everloop", "value": "9d00410c64e5744e/candidate"}, {"name": "Colour", "value": "red"}]}
    >>> tags_of({"line_items": [line, {"properties": [{"name": "_everloop", "value": "precomputed/"}]}, {"properties": []}]})
    ('everloop:candidate', 'everloop:precomputed')
    >>> tags_of({"line_items": [{"properties": [{"name": "_everloop", "value": "x/<b>"}]}]})
    ()
    """
    return tuple(sorted({f"{PREFIX}{arm}" for value in _carried(order) if (arm := _arm(value)) and _ARM.fullmatch(arm)}))


def _carried(order: Row) -> Iterator[str]:
    for line in order.get("line_items") or ():
        properties: Any = line.get("properties") if isinstance(line, dict) else None
        for one in properties or ():
            if isinstance(one, dict) and one.get("name") == CARRIER and isinstance(one.get("value"), str):
                yield one["value"]


def _arm(carried: str) -> str:
    origin, _, arm = carried.partition("/")
    return arm or origin


@dataclass(frozen=True)
class Tags:
    """The tags this door has given to orders of one shop. Make it once: that makes its table."""

    shop: Shop
    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            t.execute(TABLE)

    def give(self, order: Row) -> tuple[str, ...]:
        """Tag an order by what its lines carry; the tags it did not have from here. Again it gives none. Raises what the shop raises."""
        id = str(order.get("admin_graphql_api_id") or order.get("id") or "")
        with self.place.transaction(write=False) as t:
            there = {str(tag) for (tag,) in t.execute("select tag from tagged where id = ?", (id,))}
        new = tuple(tag for tag in tags_of(order) if tag not in there)
        if id and new:
            self.shop.ask("tags_add", id=id, tags=list(new))
            with self.place.transaction() as t:
                t.executemany("insert or ignore into tagged values (?, ?)", [(id, tag) for tag in new])
        return new if id else ()

    def remove(self) -> int:
        """Take back every tag given from here; of how many orders. What was begun goes on where it ended."""
        orders = 0
        while True:
            with self.place.transaction(write=False) as t:
                row = t.execute("select id, group_concat(tag, char(31)) from tagged group by id limit 1").fetchone()
            if row is None:
                return orders
            self.shop.ask("tags_remove", id=row[0], tags=str(row[1]).split("\x1f"))
            with self.place.transaction() as t:
                t.execute("delete from tagged where id = ?", (row[0],))
            orders += 1
