"""A made-up shop that sells, refunds, edits, cancels, deletes and counts, event by event: what Shopify would deliver, and what it would
answer in the end. Each thing is told whole, as it stands, in the shape of classic webhooks; ``nodes`` are the same in the Admin API's.

Instants are whole seconds, as Shopify's are, and several things happen within one.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from everloop.connect.shopify.inbox import Delivery

SHOP = "beans.myshopify.com"
LOCATIONS = (71, 72)
_HOUR = timedelta(hours=1)


@dataclass
class Shop:
    """The shop as it stands, and what it has said so far, in order. ``at`` is now (UTC)."""

    at: datetime
    chance: random.Random
    currency: str = "EUR"
    products: dict[int, dict[str, Any]] = field(default_factory=dict)
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    levels: dict[tuple[int, int], tuple[int, datetime]] = field(default_factory=dict)
    open: list[int] = field(default_factory=list)
    said: list[Delivery] = field(default_factory=list)
    last_id: int = 10**12

    def new_id(self) -> int:
        self.last_id += self.chance.randrange(1, 1000)
        return self.last_id

    def say(self, topic: str, body: dict[str, Any]) -> None:
        """Deliver something as it stands now; triggered a little later than it happened, and never before what was triggered before."""
        number = len(self.said) + 1
        triggered = self.at + timedelta(milliseconds=self.chance.randrange(5, 900))
        if self.said:
            triggered = max(triggered, self.said[-1].triggered_at + timedelta(milliseconds=1))
        self.said.append(Delivery(f"w-{number}", topic, SHOP, triggered, "2026-10", json.dumps(body).encode(), f"e-{number}"))

    def text(self, at: datetime | None = None) -> str:
        return (at or self.at).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def shop(events: int, *, seed: int, products: int = 60, currency: str = "EUR") -> Shop:
    """A shop of which about so many things were delivered."""
    made = Shop(datetime.fromisoformat("2026-01-05T08:00:00+00:00"), random.Random(seed), currency)
    for _ in range(products):
        new_product(made)
    acts = [(create_order, 30), (count, 20), (refund, 7), (edit, 6), (fulfil, 12), (cancel, 4), (reprice, 10), (remove_product, 0.4)]
    acts += [(new_product, 0.4), (remove_order, 0.3)]
    while len(made.said) < events:
        # Half of what happens, happens in the same second as what happened before.
        made.at += timedelta(seconds=made.chance.choice((0, 0, 1, 7, 40)))
        act = made.chance.choices([a for a, _ in acts], [w for _, w in acts])[0]
        act(made)
    return made


# -- what happens ------------------------------------------------------------------------------------------------------------------


def new_product(shop: Shop) -> None:
    """A product with up to three variants, one in twelve a gift card, one in twelve sold without stock; all of them are counted at once."""
    id = shop.new_id()
    variants = [
        {"id": shop.new_id(), "item": shop.new_id(), "price": Decimal(shop.chance.randrange(199, 9999)) / 100}
        for _ in range(shop.chance.randrange(1, 4))
    ]
    made = {
        "id": id,
        "title": f"Product {len(shop.products)}",
        "vendor": "Beans",
        "type": shop.chance.choice(("tea", "coffee")),
        "status": "active",
        "variants": variants,
        "gift": shop.chance.random() < 1 / 12,
        "endless": shop.chance.random() < 1 / 12,
        "updated_at": shop.at,
    }
    shop.products[id] = made
    shop.say("products/create", product_body(shop, made))
    for variant in variants:
        for location in LOCATIONS:
            set_level(shop, variant["item"], location, shop.chance.randrange(0, 9))


def set_level(shop: Shop, item: int, location: int, available: int) -> None:
    shop.levels[item, location] = (available, shop.at)
    body = {"inventory_item_id": item, "location_id": location, "available": available, "updated_at": shop.text()}
    shop.say("inventory_levels/update", body)


def create_order(shop: Shop) -> None:
    """An order of up to three lines, a test in fifty; what is sold is taken off a location."""
    lines = []
    for product in shop.chance.sample(list(shop.products.values()), k=min(len(shop.products), shop.chance.randrange(1, 4))):
        variant, quantity = shop.chance.choice(product["variants"]), shop.chance.randrange(1, 4)
        total = variant["price"] * quantity
        line = {
            "id": shop.new_id(),
            "product": product["id"],
            "variant": variant["id"],
            "quantity": quantity,
            "current": quantity,
            "price": variant["price"],
            "gift": product["gift"],
            "discount": (total * shop.chance.choice((0, 0, 10, 33)) / 100).quantize(Decimal("0.01")),
            "tax": (total * 19 / 119).quantize(Decimal("0.01")),
            "arm": shop.chance.choice((None, None, "9d00410c64e5744e/candidate")),
        }
        lines.append(line)
        location = shop.chance.choice(LOCATIONS)
        left = shop.levels[variant["item"], location][0]
        if not product["gift"]:
            set_level(shop, variant["item"], location, left - quantity)
    made = {
        "id": shop.new_id(),
        "processed_at": shop.at,
        "updated_at": shop.at,
        "cancelled_at": None,
        "test": shop.chance.random() < 0.02,
        "customer": shop.chance.choice((None, shop.chance.randrange(10**6, 10**6 + 500))),
        "lines": lines,
        "refunds": [],
        "fulfilled": False,
    }
    shop.orders[made["id"]] = made
    shop.open = [*shop.open[-200:], made["id"]]
    shop.say("orders/create", order_body(shop, made))


def _some_order(shop: Shop) -> dict[str, Any] | None:
    """One of the last few hundred orders; what happens to it takes products away from lines whose product is gone, as Shopify does."""
    there = [id for id in shop.open if id in shop.orders]
    if not there:
        return None
    order = shop.orders[shop.chance.choice(there)]
    order["updated_at"] = shop.at
    for line in order["lines"]:
        if line["product"] not in shop.products:
            line["product"] = line["variant"] = None
    return order


def _some_line(shop: Shop, order: dict[str, Any]) -> dict[str, Any] | None:
    there = [line for line in order["lines"] if line["current"] > 0]
    return shop.chance.choice(there) if there else None


def refund(shop: Shop) -> None:
    """Some pieces of a line are paid back: the refund is told, and the order as it is left; either may come first."""
    order = _some_order(shop)
    line = _some_line(shop, order) if order else None
    if order is None or line is None:
        return
    pieces = shop.chance.randrange(1, line["current"] + 1)
    line["current"] -= pieces
    made = {
        "id": shop.new_id(),
        "order_id": order["id"],
        "created_at": shop.text(),
        "refund_line_items": [{"line_item_id": line["id"], "quantity": pieces}],
    }
    order["refunds"].append(made)
    shop.say("refunds/create", made)
    shop.say("orders/updated", order_body(shop, order))


def edit(shop: Shop) -> None:
    """A line is taken off before it is paid, or another put on."""
    order = _some_order(shop)
    line = _some_line(shop, order) if order else None
    if order is None or line is None:
        return
    line["current"] -= 1
    shop.say("orders/edited", {"order_edit": {"id": shop.new_id(), "order_id": order["id"], "created_at": shop.text()}})
    shop.say("orders/updated", order_body(shop, order))


def fulfil(shop: Shop) -> None:
    order = _some_order(shop)
    if order is not None:
        order["fulfilled"] = True
        shop.say("orders/updated", order_body(shop, order))
        shop.say("orders/fulfilled", order_body(shop, order))


def cancel(shop: Shop) -> None:
    order = _some_order(shop)
    if order is not None and order["cancelled_at"] is None:
        order["cancelled_at"] = shop.at
        for line in order["lines"]:
            line["current"] = 0
        shop.say("orders/cancelled", order_body(shop, order))
        shop.say("orders/updated", order_body(shop, order))


def remove_order(shop: Shop) -> None:
    order = _some_order(shop)
    if order is not None:
        del shop.orders[order["id"]]
        shop.say("orders/delete", {"id": order["id"]})


def reprice(shop: Shop) -> None:
    product = shop.products[shop.chance.choice(list(shop.products))]
    for variant in product["variants"]:
        variant["price"] = (variant["price"] * shop.chance.choice((90, 101, 110)) / 100).quantize(Decimal("0.01")) + Decimal("0.01")
    product["updated_at"] = shop.at
    shop.say("products/update", product_body(shop, product))


def count(shop: Shop) -> None:
    """Somebody counts, or a delivery comes in: a level is set anew, sometimes twice within a second."""
    product = shop.products[shop.chance.choice(list(shop.products))]
    variant, location = shop.chance.choice(product["variants"]), shop.chance.choice(LOCATIONS)
    for _ in range(shop.chance.choice((1, 1, 2))):
        set_level(shop, variant["item"], location, shop.chance.choice((0, 0, 3, 12)))


def remove_product(shop: Shop) -> None:
    if len(shop.products) > 10:
        id = shop.chance.choice(list(shop.products))
        product = shop.products.pop(id)
        for variant in product["variants"]:
            for location in LOCATIONS:
                shop.levels.pop((variant["item"], location), None)
        shop.say("products/delete", {"id": id})


# -- how it is said ----------------------------------------------------------------------------------------------------------------


def product_body(shop: Shop, product: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": product["id"],
        "admin_graphql_api_id": f"gid://shopify/Product/{product['id']}",
        "title": product["title"],
        "vendor": product["vendor"],
        "product_type": product["type"],
        "status": product["status"],
        "updated_at": shop.text(product["updated_at"]),
        "variants": [
            {
                "id": one["id"],
                "price": str(one["price"]),
                "inventory_item_id": one["item"],
                "inventory_management": "shopify",
                "inventory_policy": "continue" if product["endless"] else "deny",
            }
            for one in product["variants"]
        ],
    }


def product_node(shop: Shop, product: dict[str, Any]) -> dict[str, Any]:
    return {
        "__typename": "Product",
        "id": f"gid://shopify/Product/{product['id']}",
        "title": product["title"],
        "vendor": product["vendor"],
        "productType": product["type"],
        "status": product["status"].upper(),
        "updatedAt": shop.text(product["updated_at"]),
        "variants": {
            "nodes": [
                {
                    "id": f"gid://shopify/ProductVariant/{one['id']}",
                    "price": str(one["price"]),
                    "inventoryPolicy": "CONTINUE" if product["endless"] else "DENY",
                    "inventoryItem": {
                        "id": f"gid://shopify/InventoryItem/{one['item']}",
                        "tracked": True,
                        "inventoryLevels": {
                            "edges": [
                                {
                                    "node": {
                                        "id": f"gid://shopify/InventoryLevel/{location}?inventory_item_id={one['item']}",
                                        "location": {"id": f"gid://shopify/Location/{location}"},
                                        "updatedAt": shop.text(at),
                                        "quantities": [{"name": "available", "quantity": available}],
                                    }
                                }
                                for location in LOCATIONS
                                for available, at in [shop.levels[one["item"], location]]
                            ]
                        },
                    },
                }
                for one in product["variants"]
            ]
        },
    }


def order_body(shop: Shop, order: dict[str, Any]) -> dict[str, Any]:
    def money(amount: Decimal) -> dict[str, Any]:
        return {
            "shop_money": {"amount": str(amount), "currency_code": shop.currency},
            "presentment_money": {"amount": "1", "currency_code": "USD"},
        }

    return {
        "id": order["id"],
        "admin_graphql_api_id": f"gid://shopify/Order/{order['id']}",
        "created_at": shop.text(order["processed_at"]),
        "processed_at": shop.text(order["processed_at"]),
        "updated_at": shop.text(order["updated_at"]),
        "cancelled_at": None if order["cancelled_at"] is None else shop.text(order["cancelled_at"]),
        "test": order["test"],
        "currency": shop.currency,
        "presentment_currency": "USD",
        "taxes_included": True,
        "refunds": order["refunds"],
        "customer": None if order["customer"] is None else {"id": order["customer"], "email": "who@example.com"},
        "fulfillment_status": "fulfilled" if order["fulfilled"] else None,
        "line_items": [
            {
                "id": one["id"],
                "product_id": one["product"],
                "variant_id": one["variant"],
                "quantity": one["quantity"],
                "current_quantity": one["current"],
                "price": str(one["price"]),
                "price_set": money(one["price"]),
                "gift_card": one["gift"],
                "discount_allocations": [{"amount": str(one["discount"]), "amount_set": money(one["discount"])}] if one["discount"] else [],
                "tax_lines": [{"price": str(one["tax"]), "price_set": money(one["tax"])}],
                "properties": [{"name": "_everloop", "value": one["arm"]}] if one["arm"] else [],
            }
            for one in order["lines"]
        ],
    }


def order_node(shop: Shop, order: dict[str, Any]) -> dict[str, Any]:
    def money(amount: Decimal) -> dict[str, Any]:
        return {"shopMoney": {"amount": f"{amount:.4f}", "currencyCode": shop.currency}}

    def named(kind: str, id: object) -> dict[str, str] | None:
        return None if id is None else {"id": f"gid://shopify/{kind}/{id}"}

    return {
        "__typename": "Order",
        "id": f"gid://shopify/Order/{order['id']}",
        "updatedAt": shop.text(order["updated_at"]),
        "processedAt": shop.text(order["processed_at"]),
        "test": order["test"],
        "currencyCode": shop.currency,
        "taxesIncluded": True,
        "cancelledAt": None if order["cancelled_at"] is None else shop.text(order["cancelled_at"]),
        "customer": named("Customer", order["customer"]),
        "lineItems": {
            "nodes": [
                {
                    "id": f"gid://shopify/LineItem/{one['id']}",
                    "quantity": one["quantity"],
                    "currentQuantity": one["current"],
                    "isGiftCard": one["gift"],
                    "product": named("Product", one["product"]) if one["product"] in shop.products else None,
                    "variant": named("ProductVariant", one["variant"]) if one["product"] in shop.products else None,
                    "originalUnitPriceSet": money(one["price"]),
                    "discountAllocations": [{"allocatedAmountSet": money(one["discount"])}] if one["discount"] else [],
                    "taxLines": [{"priceSet": money(one["tax"])}],
                    "customAttributes": [{"key": "_everloop", "value": one["arm"]}] if one["arm"] else [],
                }
                for one in order["lines"]
            ]
        },
    }


def nodes(shop: Shop) -> list[dict[str, Any]]:
    """All the Admin API would answer now."""
    return [*(product_node(shop, one) for one in shop.products.values()), *(order_node(shop, one) for one in shop.orders.values())]
