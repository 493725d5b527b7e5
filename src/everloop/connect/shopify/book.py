"""The door's book: what it has to remember to tell a house the right thing, whatever came in which order. Tables of ``shopify.db``.

``newest`` is how far each order and product was told; ``lines`` which product a line is of, which an order forgets once the product is
deleted; ``variants`` whose an inventory item is; ``levels`` every level there was, by the second; ``stockouts`` what was made of them;
``wanted`` what changed and was not told whole; ``refused`` rows the house would not have. No name, no address, no customer is in it. Of
orders and levels of long ago only that stays which may still change what is told (``shrink``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from everloop.clock import from_microseconds, microseconds
from everloop.connect.shopify.inbox import refusing
from everloop.connect.shopify.place import Place

_TABLES = """
create table if not exists newest (kind text, id text, version integer not null, primary key (kind, id)) without rowid;
create table if not exists lines (line_id text primary key, order_id text not null, product_id text, variant_id text, held text)
    without rowid;
create index if not exists lines_orders on lines (order_id);
create table if not exists variants (variant_id text primary key, product_id text not null, item_id text, endless integer not null,
    listed integer not null, since integer not null) without rowid;
create index if not exists variants_products on variants (product_id);
create index if not exists variants_items on variants (item_id);
create table if not exists levels (item_id text, location_id text, at integer, lag integer not null, available integer not null,
    primary key (item_id, location_id, at)) without rowid;
create table if not exists stockouts (product_id text, began_at integer, ended_at integer, version integer not null,
    primary key (product_id, began_at)) without rowid;
create table if not exists wanted (kind text, id text, since integer not null, why text not null, primary key (kind, id)) without rowid;
create table if not exists refused (source text not null, at integer not null, row text not null, why text not null);
create table if not exists facts (name text primary key, value text not null) without rowid
"""
_AT_ONCE = 500
KEPT: Final = timedelta(days=90)
"""How long everything is remembered: well beyond the month in which what lies aside may be read again."""
_SAID_AGAIN = """
delete from levels where at < :before and (item_id, location_id, at) in (
    select item_id, location_id, at from (
        select item_id, location_id, at, available > 0 as there, lag(available > 0) over one as prior, lead(at) over one as later
        from levels window one as (partition by item_id, location_id order by at))
    where there = prior and later is not null)
"""
"""Levels that say what the one before said of whether anything is left, but the newest of each: no stock-out depends on them."""


class Line(NamedTuple):
    """A line of an order: its product, once that was ever told, and its newest row (JSON) where it was not."""

    order_id: str
    product_id: str | None = None
    variant_id: str | None = None
    held: str | None = None


class Variant(NamedTuple):
    """A variant: its product, its inventory item where it was told, whether it is sold without stock, whether its product still lists it,
    and since when there is it (seconds since the epoch; 0: not told)."""

    product_id: str
    item_id: str | None
    endless: bool
    listed: bool
    since: int = 0


class Wanted(NamedTuple):
    """Something to be asked for: ``kind`` as the Admin API calls it, since when (UTC), and why."""

    kind: str
    id: str
    since: datetime
    why: str


def open_book(place: Place) -> None:
    """Make the book's tables where there are none."""
    with refusing(), place.transaction() as t:
        for statement in _TABLES.split(";"):
            t.execute(statement)


def newest(t: sqlite3.Connection, kind: str, ids: Iterable[str]) -> dict[str, int]:
    """How far each of these was told, in microseconds since the epoch."""
    return dict(_among(t, "select id, version from newest where kind = ? and id in ({})", ids, kind))


def lines(t: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Line]:
    """What is known of these lines."""
    found = _among(t, "select line_id, order_id, product_id, variant_id, held from lines where line_id in ({})", ids)
    return {id: Line(*said) for id, *said in found}


def lines_of(t: sqlite3.Connection, orders: Iterable[str]) -> dict[str, list[str]]:
    """The lines of these orders."""
    found: dict[str, list[str]] = {}
    for order, line in _among(t, "select order_id, line_id from lines where order_id in ({})", orders):
        found.setdefault(order, []).append(line)
    return found


def variants(
    t: sqlite3.Connection, *, ids: Iterable[str] = (), products: Iterable[str] = (), items: Iterable[str] = ()
) -> dict[str, Variant]:
    """What is known of these variants, of the variants of these products, and of those counted by these items."""
    found: dict[str, Variant] = {}
    for column, wanted in (("variant_id", ids), ("product_id", products), ("item_id", items)):
        query = f"select variant_id, product_id, item_id, endless, listed, since from variants where {column} in ({{}})"
        found |= {
            id: Variant(product, item, bool(endless), bool(listed), since)
            for id, product, item, endless, listed, since in _among(t, query, wanted)
        }
    return found


def levels(t: sqlite3.Connection, items: Iterable[str]) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Every level of these items: by item, location and second, when it was told after it (ms) and how many were left."""
    found = _among(t, "select item_id, location_id, at, lag, available from levels where item_id in ({})", items)
    return {(item, location, at): (lag, available) for item, location, at, lag, available in found}


def stockouts(t: sqlite3.Connection, products: Iterable[str]) -> dict[str, dict[int, tuple[int | None, int]]]:
    """The stock-outs told of these products: by product and when it began, when it ended and its version."""
    found: dict[str, dict[int, tuple[int | None, int]]] = {}
    for product, began, ended, version in _among(
        t, "select product_id, began_at, ended_at, version from stockouts where product_id in ({})", products
    ):
        found.setdefault(product, {})[began] = (ended, version)
    return found


def wanted(place: Place) -> list[Wanted]:
    """What is to be asked for, the longest wanted first."""
    with refusing(), place.transaction(write=False) as t:
        found = t.execute("select kind, id, since, why from wanted order by since").fetchall()
    return [Wanted(kind, id, from_microseconds(since), why) for kind, id, since, why in found]


def asked_for(place: Place, kind: str, id: str) -> None:
    """This was asked for, whatever came of it."""
    with refusing(), place.transaction() as t:
        t.execute("delete from wanted where kind = ? and id = ?", (kind, id))


def shrink(place: Place, now: datetime) -> None:
    """Let go of what is older than ``KEPT`` and changes nothing that is told any more: how far orders were told, which the versions of the
    house's own rows say as well, and levels that say again whether anything is left."""
    before = microseconds(now - KEPT)
    with refusing(), place.transaction() as t:
        t.execute("delete from newest where kind = 'Order' and version < ?", (before,))
        t.execute(_SAID_AGAIN, {"before": before // 1_000_000})


def fact(place: Place, name: str) -> str | None:
    """Something learnt of the shop, such as its ``currency``."""
    with refusing(), place.transaction(write=False) as t:
        found = t.execute("select value from facts where name = ?", (name,)).fetchone()
    return found[0] if found else None


def _among(t: sqlite3.Connection, query: str, ids: Iterable[str], *first: Any) -> Iterator[Any]:
    there = list(dict.fromkeys(ids))
    for at in range(0, len(there), _AT_ONCE):
        some = there[at : at + _AT_ONCE]
        yield from t.execute(query.format(",".join("?" * len(some))), (*first, *some)).fetchall()
