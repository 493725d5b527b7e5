"""What is to be told now, of rows in whatever order they came, and what is to be remembered afterwards. Reads the book; writes nothing.

The rows a house holds in the end do not depend on the order: of each order and product the newest version counts, of each level of a second
the one told last; what lacks its product waits until that is known; stock-outs are worked out anew from all levels there are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from everloop.clock import from_microseconds, microseconds
from everloop.connect.shopify import book
from everloop.connect.shopify.goods import ORDERS, VARIANTS, WANTED
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.said import at, text
from everloop.connect.shopify.stock import Left, Span, spans

_SECOND: Final = 1_000_000
_WANT: Final = "insert into wanted values (?, ?, ?, ?) on conflict do update set since = max(since, excluded.since), why = excluded.why"
_Levels = dict[tuple[str, str, int], tuple[int, int]]


@dataclass
class Plan:
    """Rows for the house by source, and what to write into the book once it has them; ``newest`` is how far orders and products will be."""

    anew: bool = False
    rows: dict[str, list[Row]] = field(default_factory=dict)
    writes: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    newest: dict[tuple[str, str], int] = field(default_factory=dict)

    def tell(self, source: str, row: Row) -> None:
        self.rows.setdefault(source, []).append(row)

    def write(self, statement: str, *values: Any) -> None:
        self.writes.append((statement, values))

    def fresh(self, version: int, known: int) -> bool:
        """Whether a version is to be told of what is known up to another."""
        return version > known or (self.anew and version == known)

    def told(self, kind: str, id: str, version: int) -> None:
        """Remember how far a thing was told; what was wanted of it until then is there."""
        self.newest[kind, id] = version
        self.write("insert or replace into newest values (?, ?, ?)", kind, id, version)
        self.write("delete from wanted where kind = ? and id = ? and since < ?", kind, id, version // _SECOND * _SECOND + _SECOND)


@dataclass(frozen=True)
class _Goods:
    """Variants by id; the items whose product has just become known; the products whose variants are not what they were."""

    variants: dict[str, book.Variant]
    found: set[str]
    changed: set[str]


def planned(t: sqlite3.Connection, rows: Iterable[tuple[str, Row]], now: datetime, *, anew: bool = False) -> Plan:
    """What these rows come to; ``now`` (aware) numbers the versions of stock-outs. ``anew``: what was told already is told again, unless it
    is stale."""
    by: dict[str, list[Row]] = {}
    for source, row in rows:
        by.setdefault(source, []).append(row)
    plan = Plan(anew)
    _products(t, by.get("products", []), plan)
    _lines(t, by.get("order_lines", []), by.get(ORDERS, []), plan)
    inventory = by.get("inventory", [])
    goods = _goods(t, by.get(VARIANTS, []), inventory, plan)
    levels, touched = _levels(t, inventory, goods, plan)
    _stockouts(t, touched, goods, levels, plan, now)
    _wanted(t, by.get(WANTED, []), plan)
    currency = next((row["currency"] for row in by.get("order_lines", []) if row.get("currency")), None)
    if currency:
        plan.write("insert or ignore into facts values ('currency', ?)", currency)
    return plan


def _version(row: Row, name: str = "updated_at") -> int:
    return microseconds(at(row[name], name))


# -- products and orders -----------------------------------------------------------------------------------------------------------


def _products(t: sqlite3.Connection, rows: list[Row], plan: Plan) -> None:
    top: dict[str, Row] = {}
    for row in rows:
        id = row["product_id"]
        if id not in top or _version(row) > _version(top[id]):
            top[id] = row
    known = book.newest(t, "Product", top)
    for id, row in top.items():
        if plan.fresh(_version(row), known.get(id, -1)):
            plan.tell("products", row)
            plan.told("Product", id, _version(row))


def _lines(t: sqlite3.Connection, rows: list[Row], deleted: list[Row], plan: Plan) -> None:
    """Lines by their order. Of which product a line is even a stale order says; an order that is gone takes its lines along."""
    tops: dict[str, int] = {}
    for row in [*rows, *deleted]:
        tops[row["order_id"]] = max(tops.get(row["order_id"], 0), _version(row))
    known = book.newest(t, "Order", tops)
    fresh = {order for order, version in tops.items() if plan.fresh(version, known.get(order, -1))}
    ends = {row["order_id"] for row in deleted if row["order_id"] in fresh and _version(row) == tops[row["order_id"]]}
    before = book.lines(t, (row["line_id"] for row in rows))
    now = dict(before)
    for row in rows:
        one = now.get(row["line_id"]) or book.Line(row["order_id"])
        if one.product_id is None and row["product_id"] is not None:
            one = one._replace(product_id=row["product_id"], variant_id=row["variant_id"])
        now[row["line_id"]] = one
    for row in rows:
        order, line = row["order_id"], row["line_id"]
        if order in fresh and order not in ends and _version(row) == tops[order]:
            now[line] = _told(row, now[line], plan)
    for line, one in list(now.items()):
        if one.held is not None and one.product_id is not None:
            now[line] = _told(json.loads(one.held), one, plan)
    for there in book.lines_of(t, ends).values():
        now |= {line: one for line, one in book.lines(t, there).items() if line not in now}
    for line, one in now.items():
        if one.order_id in ends:
            when = text(from_microseconds(tops[one.order_id]))
            plan.tell("order_lines", {"line_id": line, "updated_at": when, "cancelled_at": when})
            now[line] = one._replace(held=None)
    for order in sorted(fresh):
        plan.told("Order", order, tops[order])
    for line, one in now.items():
        if before.get(line) != one:
            plan.write("insert or replace into lines values (?, ?, ?, ?, ?)", line, *one)


def _told(row: Row, line: book.Line, plan: Plan) -> book.Line:
    """Tell a line, or hold it until somebody says which product it is of."""
    if line.product_id is None:
        return line._replace(held=json.dumps(row))
    plan.tell("order_lines", {**row, "product_id": line.product_id, "variant_id": row["variant_id"] or line.variant_id})
    return line._replace(held=None)


# -- stock -------------------------------------------------------------------------------------------------------------------------


def _goods(t: sqlite3.Connection, rows: list[Row], inventory: list[Row], plan: Plan) -> _Goods:
    """The variants that matter now. Whose an item is never changes, so even a stale product says it; which variants there are now, and
    whether they are sold without stock, only the newest does."""
    products = {row["product_id"] for row in rows}
    items = [*(row["inventory_item_id"] for row in inventory), *(row["inventory_item_id"] for row in rows if row["inventory_item_id"])]
    before = book.variants(t, ids=(row["variant_id"] for row in rows), products=products, items=items)
    before |= book.variants(t, products={one.product_id for one in before.values()} - products)
    listed = book.newest(t, "Variants", products)
    now = dict(before)
    for row in rows:
        old = now.get(row["variant_id"]) or book.Variant(row["product_id"], None, False, row["product_id"] not in listed)
        since = old.since or (_version(row, "since") // _SECOND if row["since"] is not None else 0)
        now[row["variant_id"]] = old._replace(item_id=row["inventory_item_id"] or old.item_id, since=since)
    for product, (version, there) in _listings(rows).items():
        if version > listed.get(product, -1):
            plan.write("insert or replace into newest values ('Variants', ?, ?)", product, version)
            for id, one in now.items():
                if one.product_id == product:
                    said = there.get(id)
                    endless = one.endless if said is None or said["inventory_item_id"] is None else bool(said["endless"])
                    now[id] = one._replace(listed=said is not None, endless=endless)
    changed = {id: one for id, one in now.items() if before.get(id) != one}
    for id, one in changed.items():
        plan.write("insert or replace into variants values (?, ?, ?, ?, ?, ?)", id, *one)
    found = {one.item_id for id, one in changed.items() if one.item_id and (id not in before or before[id].item_id is None)}
    return _Goods(now, found, {one.product_id for one in changed.values()})


def _listings(rows: list[Row]) -> dict[str, tuple[int, dict[str, Row]]]:
    """Of each product that was told with all its variants, the newest version, and its variants by id."""
    found: dict[str, tuple[int, dict[str, Row]]] = {}
    for row in rows:
        if row["updated_at"] is None:
            continue
        version, there = found.get(row["product_id"], (-1, {}))
        if _version(row) > version:
            version, there = _version(row), {}
        if _version(row) == version:
            there[row["variant_id"]] = row
        found[row["product_id"]] = (version, there)
    return found


def _levels(t: sqlite3.Connection, rows: list[Row], goods: _Goods, plan: Plan) -> tuple[_Levels, set[str]]:
    """Every level of the items at hand; the products whose stock may not be what it was."""
    whose = {one.item_id: (id, one.product_id) for id, one in goods.variants.items() if one.item_id}
    before = book.levels(t, {row["inventory_item_id"] for row in rows} | goods.found)
    now, touched = dict(before), set(goods.changed)
    for row in rows:
        key = (row["inventory_item_id"], row["location_id"], _version(row) // _SECOND)
        if key not in now or row["lag"] > now[key][0]:
            now[key] = (row["lag"], row["available"])
    for key, (lag, available) in now.items():
        item, location, second = key
        old = before.get(key)
        if old != (lag, available):
            plan.write("insert or replace into levels values (?, ?, ?, ?, ?)", item, location, second, lag, available)
        if item in whose and (plan.anew or item in goods.found or old is None or old[1] != available):
            variant, product = whose[item]
            plan.tell(
                "inventory",
                {
                    "inventory_item_id": item,
                    "location_id": location,
                    "updated_at": text(from_microseconds(second * _SECOND)),
                    "product_id": product,
                    "variant_id": variant,
                    "available": available,
                },
            )
            touched.add(product)
            plan.write("delete from wanted where kind = 'InventoryItem' and id = ? and since < ?", item, (second + 1) * _SECOND)
    return now, touched


def _stockouts(t: sqlite3.Connection, touched: set[str], goods: _Goods, levels: _Levels, plan: Plan, now: datetime) -> None:
    """Stock-outs of these products, worked out anew; what is none any more is taken back."""
    of: dict[str, list[book.Variant]] = {product: [] for product in touched}
    for one in goods.variants.values():
        if one.listed and one.product_id in of:
            of[one.product_id].append(one)
    items = {one.item_id for some in of.values() for one in some if one.item_id}
    left: dict[str, list[Left]] = {}
    for (item, location, second), (_, available) in (book.levels(t, items) | levels).items():
        left.setdefault(item, []).append(Left(item, location, second, available))
    told = book.stockouts(t, touched)
    for product in sorted(touched):
        there = {one.began_at: one.ended_at for one in _spans(of[product], left)}
        before = told.get(product, {})
        for began in sorted({*there, *before}):
            if not plan.anew and began in there and began in before and there[began] == before[began][0]:
                continue
            version = max(microseconds(now), before[began][1] + 1 if began in before else 0)
            plan.tell("stockouts", _stockout(product, began, there.get(began), version, gone=began not in there))
            if began in there:
                plan.write("insert or replace into stockouts values (?, ?, ?, ?)", product, began, there[began], version)
            else:
                plan.write("delete from stockouts where product_id = ? and began_at = ?", product, began)


def _spans(variants: list[book.Variant], left: dict[str, list[Left]]) -> list[Span]:
    """The stock-outs of a product: none as long as nobody knows how one of its variants is counted, or where one is sold without stock."""
    items = {one.item_id: one.since for one in variants if one.item_id is not None}
    if len(items) < len(variants) or any(one.endless for one in variants):
        return []
    return spans((one for item in items for one in left.get(item, [])), items)


def _stockout(product: str, began: int, ended: int | None, version: int, *, gone: bool) -> Row:
    began_at = from_microseconds(began * _SECOND)
    return {
        "stockout_id": f"{product}-{began_at:%Y%m%dT%H%M%SZ}",
        "product_id": product,
        "began_at": text(began_at),
        "ended_at": None if ended is None else text(from_microseconds(ended * _SECOND)),
        "updated_at": text(from_microseconds(version)),
        "retracted_at": text(from_microseconds(version)) if gone else None,
    }


def _wanted(t: sqlite3.Connection, rows: list[Row], plan: Plan) -> None:
    """What was not told whole is wanted, unless what is known by now says it."""
    for kind in sorted({row["kind"] for row in rows}):
        some = [row for row in rows if row["kind"] == kind]
        known = book.newest(t, kind, (row["id"] for row in some))
        for row in some:
            since = _version(row, "since")
            newest = plan.newest.get((kind, row["id"]), known.get(row["id"], -1))
            if newest // _SECOND < since // _SECOND:
                plan.write(_WANT, kind, row["id"], since, row["why"])
