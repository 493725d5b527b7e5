"""Tags of orders by arm, so that Shopify's own reports can be filtered by them: the list that an order came from, of which version's arm.

An order carries what was shown to its buyer in the hidden property ``_everloop`` of its lines (``PREDICTION/ARM``). A report of Shopify's
can count tagged orders, and no more: whoever saw a list and bought nothing has no order. What a model brings is told by
``everloop shopify money``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from everloop.connect.shopify.admin import Shop, UserErrors
from everloop.connect.shopify.beside import Told, kept_up
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.orders import CARRIER, arm
from everloop.connect.shopify.place import Place

PREFIX: Final = "everloop:"
TABLES: Final = (
    "create table if not exists tagged (id text, tag text, primary key (id, tag)) without rowid",
    "create table if not exists to_tag (id text, tag text, primary key (id, tag)) without rowid",
)
EVERY: Final = 1.0
AGAIN: Final = 30.0
_log = logging.getLogger("everloop.shopify")


def tags_of(order: Row) -> tuple[str, ...]:
    """The tags of an order as a webhook tells it: the arms its lines were recommended by, each once; a list worked out beforehand has
    ``precomputed``.

    >>> line = {"properties": [{"name": "_everloop", "value": "9d00410c64e5744e/candidate"}, {"name": "Colour", "value": "red"}]}
    >>> tags_of({"line_items": [line, {"properties": [{"name": "_everloop", "value": "precomputed/"}]}, {"properties": []}]})
    ('everloop:candidate', 'everloop:precomputed')
    >>> tags_of({"line_items": [{"properties": [{"name": "_everloop", "value": "x/<b>"}]}]})
    ()
    """
    return tuple(sorted({f"{PREFIX}{found}" for value in _carried(order) if (found := arm(value))}))


def _carried(order: Row) -> Iterator[str]:
    for line in order.get("line_items") or ():
        properties: Any = line.get("properties") if isinstance(line, dict) else None
        for one in properties or ():
            if isinstance(one, dict) and one.get("name") == CARRIER and isinstance(one.get("value"), str):
                yield one["value"]


@dataclass(frozen=True)
class Tags:
    """The tags this door has given to orders of one shop, and is to give. Make it once: that makes its tables."""

    shop: Shop
    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            for table in TABLES:
                t.execute(table)

    def wish(self, order: Row) -> tuple[str, ...]:
        """Note by what an order is to be tagged, by what its lines carry; the tags it has not had from here. A shop that is slow or down is
        not waited for."""
        id, tags = str(order.get("admin_graphql_api_id") or order.get("id") or ""), tags_of(order)
        if not id or not tags:
            return ()
        with self.place.transaction() as t:
            there = {str(tag) for (tag,) in t.execute("select tag from tagged where id = ?", (id,))}
            new = tuple(tag for tag in tags if tag not in there)
            t.executemany("insert or ignore into to_tag values (?, ?)", [(id, tag) for tag in new])
        return new

    def give(self, stop: threading.Event | None = None) -> int:
        """Tag every order that waits for it, until ``stop``; how many. One that the shop will not have tagged waits no more. Raises what
        else the shop raises, and then the others wait."""
        orders = 0
        while not (stop is not None and stop.is_set()) and (row := self._next("to_tag")) is not None:
            id, tags = row
            # What may have been written has to be removed: it is remembered before.
            with self.place.transaction() as t:
                t.executemany("insert or ignore into tagged values (?, ?)", [(id, tag) for tag in tags])
            try:
                self.shop.ask("tags_add", id=id, tags=tags)
                orders += 1
            except UserErrors as error:
                _log.warning("%s is not tagged: %s", id, error)
                with self.place.transaction() as t:
                    t.executemany("delete from tagged where id = ? and tag = ?", [(id, tag) for tag in tags])
            with self.place.transaction() as t:
                t.execute("delete from to_tag where id = ?", (id,))
        return orders

    def carry(self, stop: threading.Event, told: Told = _log.info) -> None:
        """Give tags until ``stop``, for a thread beside the door."""
        kept_up(lambda: self.give(stop), stop, told, "Orders are not tagged yet", every=EVERY, again=AGAIN)

    def remove(self) -> int:
        """Take back every tag given from here; of how many orders. What was begun goes on where it ended."""
        with self.place.transaction() as t:
            t.execute("delete from to_tag")
        orders = 0
        while (row := self._next("tagged")) is not None:
            id, tags = row
            try:
                self.shop.ask("tags_remove", id=id, tags=tags)
            except UserErrors as error:  # the order is gone, and its tags with it
                _log.warning("%s has its tags no more, or keeps them: %s", id, error)
            with self.place.transaction() as t:
                t.execute("delete from tagged where id = ?", (id,))
            orders += 1
        return orders

    def _next(self, table: str) -> tuple[str, list[str]] | None:
        with self.place.transaction(write=False) as t:
            row = t.execute(f"select id, group_concat(tag, char(31)) from {table} group by id limit 1").fetchone()
        return None if row is None else (str(row[0]), str(row[1]).split("\x1f"))
