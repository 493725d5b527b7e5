"""Payloads in the shape of classic webhooks (REST): orders, products, inventory levels. In: parsed JSON. Out: orders.py's and goods.py's
values.

https://shopify.dev/docs/api/webhooks lists the topics; money is read from ``shop_money`` where it is said in two currencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from everloop.connect.shopify.goods import Level, Product, Variant
from everloop.connect.shopify.orders import CARRIER, UNIT, Line, Order
from everloop.connect.shopify.said import Payload, amount, at, digits, each, maybe_at, needed, own_id, part, token, version, whole


def order(said: Payload, told_at: datetime | None) -> Order:
    """An order as ``orders/create``, ``orders/updated``, ``orders/cancelled`` … tell it. Raises ValueError for what is none."""
    currency = said.get("currency")
    if not isinstance(currency, str) or len(currency) != 3 or "line_items" not in said:
        raise ValueError("an order says its currency and its line_items; this does not")
    refunded = _refunded(said)
    return Order(
        id=needed(own_id(said), "the order"),
        version=version(at(said.get("updated_at"), "updated_at"), told_at),
        processed_at=at(said.get("processed_at") or said.get("created_at"), "processed_at"),
        cancelled_at=maybe_at(said.get("cancelled_at")),
        customer_id=digits(own_id(part(said.get("customer")))),
        currency=currency,
        test=said.get("test") is True,
        taxes_included=said.get("taxes_included") is True,
        lines=tuple(_line(one, refunded) for one in each(said["line_items"], "line_items")),
        unit=token(next((n.get("value") for n in each(said.get("note_attributes"), "note_attributes") if n.get("name") == UNIT), None)),
    )


def _line(said: Payload, refunded: Mapping[str, int]) -> Line:
    id = needed(own_id(said), "a line")
    quantity = whole(said.get("quantity"), "quantity")
    current = said.get("current_quantity")
    return Line(
        id=id,
        product_id=digits(said.get("product_id")),
        variant_id=digits(said.get("variant_id")),
        quantity=quantity,
        current=quantity - refunded.get(id, 0) if current is None else whole(current, "current_quantity"),
        price=_shop_money(said, "price"),
        discounts=sum((_shop_money(one, "amount") for one in each(said.get("discount_allocations"), "discount_allocations")), Decimal(0)),
        taxes=sum((_shop_money(one, "price") for one in each(said.get("tax_lines"), "tax_lines")), Decimal(0)),
        gift_card=said.get("gift_card") is True,
        recommended=next((str(p.get("value")) for p in each(said.get("properties"), "properties") if p.get("name") == CARRIER), None),
    )


def _refunded(said: Payload) -> dict[str, int]:
    """How many pieces of each line were refunded, for payloads of before ``current_quantity``."""
    pieces: dict[str, int] = {}
    for refund in each(said.get("refunds"), "refunds"):
        for one in each(refund.get("refund_line_items"), "refund_line_items"):
            id = needed(one.get("line_item_id"), "a refunded line")
            pieces[id] = pieces.get(id, 0) + whole(one.get("quantity"), "quantity")
    return pieces


def _shop_money(said: Payload, name: str) -> Decimal:
    shop = part(part(said.get(f"{name}_set")).get("shop_money"))
    return amount(shop.get("amount", said.get(name)), name)


def product(said: Payload, told_at: datetime | None, currency: str | None) -> Product:
    """A product as ``products/create`` and ``products/update`` tell it; of more than a hundred variants the others are only named."""
    if "variants" not in said:
        raise ValueError("a product says its variants; this does not")
    full = each(said["variants"], "variants")
    variants = [_variant(one) for one in full]
    there = {one.id for one in variants}
    named = [needed(own_id(one), "a variant") for one in each(said.get("variant_gids"), "variant_gids")]
    variants += [Variant(id) for id in dict.fromkeys(named) if id not in there]
    return Product(
        id=needed(own_id(said), "the product"),
        version=version(at(said.get("updated_at"), "updated_at"), told_at),
        title=_words(said.get("title")),
        vendor=_words(said.get("vendor")),
        product_type=_words(said.get("product_type")),
        status=_words(said.get("status")),
        price=amount(full[0].get("price"), "price") if full else None,
        currency=currency,
        variants=tuple(variants),
    )


def _variant(said: Payload) -> Variant:
    endless = said.get("inventory_policy") == "continue" or ("inventory_management" in said and said["inventory_management"] is None)
    since = maybe_at(said.get("created_at"))
    return Variant(needed(own_id(said), "a variant"), digits(said.get("inventory_item_id")), endless, since)


def _words(value: object) -> str | None:
    return value if isinstance(value, str) else None


def level(said: Payload, told_at: datetime | None) -> Level | None:
    """An inventory level as ``inventory_levels/update`` and ``…/connect`` tell it; None where nobody counts."""
    if said.get("available") is None:
        return None
    return Level(
        item_id=needed(said.get("inventory_item_id"), "the inventory item"),
        location_id=needed(said.get("location_id"), "the location"),
        updated_at=at(said.get("updated_at"), "updated_at"),
        told_at=told_at,
        available=whole(said["available"], "available"),
    )


def disconnected(said: Payload, told_at: datetime) -> Level:
    """An item that a location stopped keeping: nothing is left of it there."""
    item, location = needed(said.get("inventory_item_id"), "the inventory item"), needed(said.get("location_id"), "the location")
    return Level(item, location, told_at, told_at, 0)
