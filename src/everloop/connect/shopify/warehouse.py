"""Stock as it is to be told: whose each item is, every level by the second, and the stock-outs that all of them make. In: rows, the book.
Out: what stands in a plan."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from everloop.clock import from_microseconds, microseconds
from everloop.connect.shopify import book
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.plan import SECOND, Plan, version_of
from everloop.connect.shopify.said import text
from everloop.connect.shopify.stock import Left, Span, spans

Levels: TypeAlias = dict[tuple[str, str, int], tuple[int, int]]
"""By item, location and second, when a level was told after it (ms) and how many were left."""


def stocked(t: sqlite3.Connection, variants: list[Row], inventory: list[Row], plan: Plan, now: datetime) -> None:
    """Plan what these rows of variants and levels come to; ``now`` (aware) numbers the versions of stock-outs."""
    goods = _goods(t, variants, inventory, plan)
    levels, touched = _levels(t, inventory, goods, plan)
    _stockouts(t, touched, goods, levels, plan, now)


@dataclass(frozen=True)
class _Goods:
    """Variants by id; the items whose product has just become known; the products whose variants are not what they were."""

    variants: dict[str, book.Variant]
    found: set[str]
    changed: set[str]


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
        since = old.since or (version_of(row, "since") // SECOND if row["since"] is not None else 0)
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
        if version_of(row) > version:
            version, there = version_of(row), {}
        if version_of(row) == version:
            there[row["variant_id"]] = row
        found[row["product_id"]] = (version, there)
    return found


def _levels(t: sqlite3.Connection, rows: list[Row], goods: _Goods, plan: Plan) -> tuple[Levels, set[str]]:
    """Every level of the items at hand; the products whose stock may not be what it was."""
    whose = {one.item_id: (id, one.product_id) for id, one in goods.variants.items() if one.item_id}
    before = book.levels(t, {row["inventory_item_id"] for row in rows} | goods.found)
    now, touched = dict(before), set(goods.changed)
    for row in rows:
        key = (row["inventory_item_id"], row["location_id"], version_of(row) // SECOND)
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
                    "updated_at": text(from_microseconds(second * SECOND)),
                    "product_id": product,
                    "variant_id": variant,
                    "available": available,
                },
            )
            touched.add(product)
            plan.write("delete from wanted where kind = 'InventoryItem' and id = ? and since < ?", item, (second + 1) * SECOND)
    return now, touched


def _stockouts(t: sqlite3.Connection, touched: set[str], goods: _Goods, levels: Levels, plan: Plan, now: datetime) -> None:
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
    began_at = from_microseconds(began * SECOND)
    return {
        "stockout_id": f"{product}-{began_at:%Y%m%dT%H%M%SZ}",
        "product_id": product,
        "began_at": text(began_at),
        "ended_at": None if ended is None else text(from_microseconds(ended * SECOND)),
        "updated_at": text(from_microseconds(version)),
        "retracted_at": text(from_microseconds(version)) if gone else None,
    }
