"""What a delivery or a node of the Admin API comes to: rows of the shop's sources. Pure, and the same rows whichever way a thing was told.

In: a ``Delivery`` (classic webhook or Next-Gen Event), or a node. Out: (source, row) pairs; sources the house does not have begin with
``#`` (see goods.py) and are the door's own. ``updated_at`` of a row is its version (said.py), so that a stale one never takes the place
of a newer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from everloop.connect.shopify import goods, nodes, orders, rest
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.said import Payload, at, each, kind_of, needed, own_id, part
from everloop.errors import EverloopError

Rows = list[tuple[str, Row]]
SOURCES = ("products", "order_lines", "inventory", "stockouts")
COMPLIANCE = ("customers/data_request", "customers/redact", "shop/redact", "app/uninstalled")
"""What is handed to privacy: it comes to no rows."""


class Undecodable(EverloopError):  # noqa: N818 - named by what happened, as those of errors.py
    """A delivery or node that says what it cannot mean. It is kept aside, and said why."""


def rows_of(delivery: Delivery, currency: str | None = None) -> Rows:
    """The rows a delivery comes to; none for topics that tell nothing of products, orders and inventory.

    ``currency`` is the shop's, which payloads of products do not say: without it they have no price.

    >>> from everloop.clock import instant
    >>> told = instant("2026-11-02T09:30:01Z")
    >>> body = b'{"inventory_item_id": 12, "location_id": 7, "available": 0, "updated_at": "2026-11-02T10:30:00+01:00"}'
    >>> [(source, row)] = rows_of(Delivery("b5", "inventory_levels/update", "beans.myshopify.com", told, "2026-10", body))
    >>> source, row["inventory_item_id"], row["updated_at"], row["available"]
    ('inventory', '12', '2026-11-02T09:30:00.000000Z', 0)

    Raises Undecodable.
    """
    reads = _CLASSIC.get(delivery.topic)
    event = delivery.topic[:1].isupper()
    if reads is None and not event:
        return []
    try:
        said = msgspec.json.decode(delivery.body)
        if not isinstance(said, dict):
            raise ValueError("it is no JSON object")
        return _event(said, delivery, currency) if reads is None else reads(said, delivery.triggered_at, currency)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, msgspec.DecodeError) as error:
        raise Undecodable(f"{delivery.topic} cannot be read: {error}") from None


def rows_of_node(node: Payload, currency: str | None = None, told_at: datetime | None = None) -> Rows:
    """The rows a node of the Admin API comes to, by what its id is of: Order, Product, ProductVariant, InventoryItem, InventoryLevel.

    ``told_at`` is when Shopify sent it; None: it was asked for, and is what stands now. Raises Undecodable.

    >>> node = {"id": "gid://shopify/Product/7", "updatedAt": "2026-11-02T09:30:00Z", "title": "Beans", "status": "ACTIVE",
    ...         "variants": {"nodes": [{"id": "gid://shopify/ProductVariant/8", "price": "12.50"}]}}
    >>> [(source, row.get("price")) for source, row in rows_of_node(node, "EUR")]
    [('products', 1250), ('#variants', None)]
    """
    kind = node.get("__typename") or kind_of(node.get("id"))
    try:
        if kind == "Order":
            return orders.rows(nodes.order(node, told_at))
        if kind == "Product":
            return [*goods.product_rows(nodes.product(node, told_at, currency)), *_levels_of_variants(node, told_at)]
        if kind == "ProductVariant":
            owner = part(node.get("product")).get("id")
            of = [] if owner is None else [goods.variant_row(needed(owner, "the product"), nodes.variant(node))]
            return [*of, *_levels(part(node.get("inventoryItem")), node, told_at)]
        if kind == "InventoryItem":
            return _levels(node, part(node.get("variant")), told_at)
        if kind == "InventoryLevel":
            level = nodes.level(node, told_at)
            return [] if level is None else goods.level_rows(level)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Undecodable(f"{node.get('id')} cannot be read: {error}") from None
    raise Undecodable(
        f"A node {kind or node.get('id')!r} comes to no rows: Order, Product, ProductVariant, InventoryItem, InventoryLevel do."
    )


def _levels_of_variants(product: Payload, told_at: datetime | None) -> Rows:
    found: Rows = []
    for variant in each(product.get("variants"), "variants"):
        found += _levels(part(variant.get("inventoryItem")), {**variant, "product": {"id": product["id"]}}, told_at)
    return found


def _levels(item: Payload, variant: Payload, told_at: datetime | None) -> Rows:
    """The levels under an inventory item, of the variant it belongs to."""
    under = {"id": item.get("id"), "variant": {"id": variant.get("id"), "product": part(variant.get("product"))}}
    found: Rows = []
    for one in each(item.get("inventoryLevels"), "inventoryLevels"):
        level = nodes.level(one, told_at, under)
        found += [] if level is None else goods.level_rows(level)
    return found


def _event(said: dict[str, Any], delivery: Delivery, currency: str | None) -> Rows:
    """A Next-Gen Event: the nodes its query found; where it found none, what the event is of, to be asked for."""
    kind, _, action = delivery.topic.partition("/")
    named = [id for id in part(said.get("query_variables")).values() if isinstance(id, str) and kind_of(id)]
    if action == "delete":
        return [row for id in named for row in _deleted(kind_of(id), needed(id, kind), delivery.triggered_at)]
    found: Iterable[object] = part(said.get("data")).values()
    there = [node for node in found if isinstance(node, dict) and kind_of(node.get("id")) in _NODES]
    if said.get("query_errors") or not there:
        # Data that came beside errors lacks what could not be read: a whole one is asked for.
        why = f"an event came without it: {str(said.get('query_errors') or 'no data')[:200]}"
        return [row for id in named for row in goods.wanted(str(kind_of(id)), needed(id, kind), delivery.triggered_at, why)]
    return [row for node in there for row in rows_of_node(node, currency, delivery.triggered_at)]


_NODES = ("Order", "Product", "ProductVariant", "InventoryItem", "InventoryLevel")


def _deleted(kind: str | None, id: str, when: datetime) -> Rows:
    return goods.deleted_order(id, when) if kind == "Order" else goods.deleted_product(id, when) if kind == "Product" else []


def _order(said: Payload, told_at: datetime, _: str | None) -> Rows:
    return orders.rows(rest.order(said, told_at))


def _product(said: Payload, told_at: datetime, currency: str | None) -> Rows:
    return goods.product_rows(rest.product(said, told_at, currency))


def _level(said: Payload, told_at: datetime, _: str | None) -> Rows:
    level = rest.level(said, told_at)
    return [] if level is None else goods.level_rows(level)


def _disconnected(said: Payload, told_at: datetime, _: str | None) -> Rows:
    return goods.level_rows(rest.disconnected(said, told_at))


def _order_deleted(said: Payload, told_at: datetime, _: str | None) -> Rows:
    return goods.deleted_order(needed(own_id(said), "the order"), told_at)


def _product_deleted(said: Payload, told_at: datetime, _: str | None) -> Rows:
    return goods.deleted_product(needed(own_id(said), "the product"), told_at)


def _refund(said: Payload, told_at: datetime, _: str | None) -> Rows:
    """A refund names its order, and what it left of it comes with the order itself, before or after: should it not, it is asked for."""
    since = at(said.get("processed_at") or said.get("created_at"), "created_at")
    return goods.wanted("Order", needed(said.get("order_id"), "the refunded order"), since, "it was refunded")


def _edit(said: Payload, told_at: datetime, _: str | None) -> Rows:
    edit = part(said.get("order_edit"))
    since = at(edit.get("created_at"), "created_at")
    return goods.wanted("Order", needed(edit.get("order_id"), "the edited order"), since, "it was edited")


_Reads = Callable[[Payload, datetime, str | None], Rows]
_CLASSIC: dict[str, _Reads] = {
    **{f"orders/{word}": _order for word in ("create", "updated", "paid", "cancelled", "fulfilled", "partially_fulfilled")},
    "orders/delete": _order_deleted,
    "orders/edited": _edit,
    "refunds/create": _refund,
    "products/create": _product,
    "products/update": _product,
    "products/delete": _product_deleted,
    "inventory_levels/update": _level,
    "inventory_levels/connect": _level,
    "inventory_levels/disconnect": _disconnected,
}
TOPICS = tuple(_CLASSIC)
"""The classic topics that come to rows."""
