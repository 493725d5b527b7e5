"""Nodes in the shape of the Admin API (GraphQL): orders, products, variants, inventory. In: parsed JSON. Out: orders.py's and goods.py's
values.

Fields are read where they are there, by the Admin API's own names; connections as ``nodes``, as ``edges`` or as a plain list (bulk exports,
once their children are put back). https://shopify.dev/docs/api/admin-graphql
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from everloop.connect.shopify.goods import Level, Product, Variant
from everloop.connect.shopify.orders import CARRIER, UNIT, Line, Order
from everloop.connect.shopify.said import Payload, amount, at, digits, each, maybe_at, needed, part, token, version, whole


def order(node: Payload, told_at: datetime | None) -> Order:
    """An ``Order``: id, updatedAt, processedAt, cancelledAt, test, currencyCode, taxesIncluded, customer, lineItems."""
    currency = node.get("currencyCode")
    if not isinstance(currency, str) or "lineItems" not in node:
        raise ValueError("an Order says its currencyCode and its lineItems; this does not")
    return Order(
        id=needed(node.get("id"), "the order"),
        version=version(at(node.get("updatedAt"), "updatedAt"), told_at),
        processed_at=at(node.get("processedAt") or node.get("createdAt"), "processedAt"),
        cancelled_at=maybe_at(node.get("cancelledAt")),
        customer_id=digits(part(node.get("customer")).get("id")),
        currency=currency,
        test=node.get("test") is True,
        taxes_included=node.get("taxesIncluded") is True,
        lines=tuple(_line(one) for one in each(node["lineItems"], "lineItems")),
        unit=token(next((a.get("value") for a in each(node.get("customAttributes"), "customAttributes") if a.get("key") == UNIT), None)),
    )


def _line(node: Payload) -> Line:
    attributes = each(node.get("customAttributes"), "customAttributes")
    return Line(
        id=needed(node.get("id"), "a line"),
        product_id=digits(part(node.get("product")).get("id")),
        variant_id=digits(part(node.get("variant")).get("id")),
        quantity=whole(node.get("quantity"), "quantity"),
        current=whole(node.get("currentQuantity"), "currentQuantity"),
        price=_money(node.get("originalUnitPriceSet")),
        discounts=_sum(each(node.get("discountAllocations"), "discountAllocations"), "allocatedAmountSet"),
        taxes=_sum(each(node.get("taxLines"), "taxLines"), "priceSet"),
        gift_card=node.get("isGiftCard") is True,
        recommended=next((str(a.get("value")) for a in attributes if a.get("key") == CARRIER), None),
    )


def _money(set: object) -> Decimal:
    return amount(part(part(set).get("shopMoney")).get("amount"))


def _sum(several: Sequence[Payload], name: str) -> Decimal:
    return sum((_money(one.get(name)) for one in several), Decimal(0))


def product(node: Payload, told_at: datetime | None, currency: str | None) -> Product:
    """A ``Product``: id, updatedAt, title, vendor, productType, status, variants, and priceRangeV2 for the currency if nobody knows it."""
    if "variants" not in node:
        raise ValueError("a Product says its variants; this does not")
    variants = each(node["variants"], "variants")
    first = variants[0].get("price") if variants else None
    said = part(part(node.get("priceRangeV2")).get("minVariantPrice")).get("currencyCode")
    status = node.get("status")
    return Product(
        id=needed(node.get("id"), "the product"),
        version=version(at(node.get("updatedAt"), "updatedAt"), told_at),
        title=node.get("title"),
        vendor=node.get("vendor"),
        product_type=node.get("productType"),
        status=status.lower() if isinstance(status, str) else None,
        price=None if first is None else amount(first, "price"),
        currency=said if isinstance(said, str) else currency,
        variants=tuple(variant(one) for one in variants),
    )


def variant(node: Payload) -> Variant:
    """A ``ProductVariant``: id, createdAt, inventoryPolicy, inventoryItem with its id and tracked."""
    item = part(node.get("inventoryItem"))
    endless = node.get("inventoryPolicy") == "CONTINUE" or item.get("tracked") is False
    return Variant(needed(node.get("id"), "a variant"), digits(item.get("id")), endless, maybe_at(node.get("createdAt")))


def level(node: Payload, told_at: datetime | None, item: Payload | None = None) -> Level | None:
    """An ``InventoryLevel``: updatedAt, quantities, location, item (or the ``item`` it was found under); None where nobody counts."""
    of = part(node.get("item")) or part(item)
    available = next((q.get("quantity") for q in each(node.get("quantities"), "quantities") if q.get("name") == "available"), None)
    if available is None:
        return None
    owner = part(of.get("variant"))
    return Level(
        item_id=needed(of.get("id"), "the inventory item"),
        location_id=needed(part(node.get("location")).get("id"), "the location"),
        updated_at=at(node.get("updatedAt"), "updatedAt"),
        told_at=told_at,
        available=whole(available, "available"),
        product_id=digits(part(owner.get("product")).get("id")),
        variant_id=digits(owner.get("id")),
    )
