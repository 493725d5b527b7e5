"""What is to be told now, of rows in whatever order they came, and what is to be remembered afterwards. Reads the book; writes nothing.

The rows a house holds in the end do not depend on the order: of each order and product the newest version counts, of each level of a second
the one told last; what lacks its product waits until that is known; stock-outs are worked out anew from all levels there are
(``warehouse.py``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from everloop.clock import from_microseconds
from everloop.connect.shopify import book
from everloop.connect.shopify.goods import ORDERS, VARIANTS, WANTED
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.plan import SECOND, Plan, version_of
from everloop.connect.shopify.said import text
from everloop.connect.shopify.warehouse import stocked

_WANT: Final = "insert into wanted values (?, ?, ?, ?) on conflict do update set since = max(since, excluded.since), why = excluded.why"


def planned(t: sqlite3.Connection, rows: Iterable[tuple[str, Row]], now: datetime, *, anew: bool = False) -> Plan:
    """What these rows come to; ``now`` (aware) numbers the versions of stock-outs. ``anew``: what was told already is told again, unless it
    is stale."""
    by: dict[str, list[Row]] = {}
    for source, row in rows:
        by.setdefault(source, []).append(row)
    plan = Plan(anew)
    _products(t, by.get("products", []), plan)
    _lines(t, by.get("order_lines", []), by.get(ORDERS, []), plan)
    stocked(t, by.get(VARIANTS, []), by.get("inventory", []), plan, now)
    _wanted(t, by.get(WANTED, []), plan)
    currency = next((row["currency"] for row in by.get("order_lines", []) if row.get("currency")), None)
    if currency:
        plan.write("insert or ignore into facts values ('currency', ?)", currency)
    return plan


def _products(t: sqlite3.Connection, rows: list[Row], plan: Plan) -> None:
    top: dict[str, Row] = {}
    for row in rows:
        id = row["product_id"]
        if id not in top or version_of(row) > version_of(top[id]):
            top[id] = row
    known = book.newest(t, "Product", top)
    for id, row in top.items():
        if plan.fresh(version_of(row), known.get(id, -1)):
            plan.tell("products", row)
            plan.told("Product", id, version_of(row))


def _lines(t: sqlite3.Connection, rows: list[Row], deleted: list[Row], plan: Plan) -> None:
    """Lines by their order. Of which product a line is even a stale order says; an order that is gone takes its lines along."""
    tops: dict[str, int] = {}
    for row in [*rows, *deleted]:
        tops[row["order_id"]] = max(tops.get(row["order_id"], 0), version_of(row))
    known = book.newest(t, "Order", tops)
    fresh = {order for order, version in tops.items() if plan.fresh(version, known.get(order, -1))}
    ends = {row["order_id"] for row in deleted if row["order_id"] in fresh and version_of(row) == tops[row["order_id"]]}
    before = book.lines(t, (row["line_id"] for row in rows))
    now = dict(before)
    for row in rows:
        one = now.get(row["line_id"]) or book.Line(row["order_id"])
        if one.product_id is None and row["product_id"] is not None:
            one = one._replace(product_id=row["product_id"], variant_id=row["variant_id"])
        now[row["line_id"]] = one
    for row in rows:
        order, line = row["order_id"], row["line_id"]
        if order in fresh and order not in ends and version_of(row) == tops[order]:
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


def _wanted(t: sqlite3.Connection, rows: list[Row], plan: Plan) -> None:
    """What was not told whole is wanted, unless what is known by now says it."""
    for kind in sorted({row["kind"] for row in rows}):
        some = [row for row in rows if row["kind"] == kind]
        known = book.newest(t, kind, (row["id"] for row in some))
        for row in some:
            since = version_of(row, "since")
            newest = plan.newest.get((kind, row["id"]), known.get(row["id"], -1))
            if newest // SECOND < since // SECOND:
                plan.write(_WANT, kind, row["id"], since, row["why"])
