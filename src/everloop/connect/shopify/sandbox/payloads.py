"""What webhooks say of a shop's things, in the REST shape they have kept. The fields we and most apps read; the real ones have more.

https://shopify.dev/docs/api/webhooks
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from everloop.connect.shopify.sandbox.shop import Shop

Thing = Mapping[str, Any]


def number(id: str) -> int:
    """The number in an id of the Admin API.

    >>> number("gid://shopify/InventoryLevel/7?inventory_item_id=12")
    7
    """
    return int(id.rsplit("/", 1)[-1].split("?")[0])


def order(shop: Shop, said: Thing) -> dict[str, Any]:
    """orders/create, orders/updated, orders/cancelled."""
    lines = [line(shop, one) for one in said["lineItems"]]
    discounts = sum((Decimal(d["amount"]) for one in lines for d in one["discount_allocations"]), Decimal(0))
    subtotal = sum((one["quantity"] * Decimal(one["price"]) for one in lines), Decimal(0)) - discounts
    taxes = sum((Decimal(t["price"]) for one in lines for t in one["tax_lines"]), Decimal(0))
    total = subtotal + said["shipping"] + (0 if said["taxesIncluded"] else taxes)
    return {
        "id": number(said["id"]),
        "admin_graphql_api_id": said["id"],
        "name": said["name"],
        "created_at": _at(said["createdAt"]),
        "processed_at": _at(said["processedAt"]),
        "updated_at": _at(said["updatedAt"]),
        "cancelled_at": said["cancelledAt"] and _at(said["cancelledAt"]),
        "cancel_reason": "customer" if said["cancelledAt"] else None,
        "test": said["test"],
        "currency": said["currencyCode"],
        "presentment_currency": said["currencyCode"],
        "taxes_included": said["taxesIncluded"],
        "source_name": said["sourceName"],
        "financial_status": _paid(said),
        "tags": ", ".join(said["tags"]),
        "customer": said["customer"] and {"id": number(said["customer"]["id"]), "admin_graphql_api_id": said["customer"]["id"]},
        "note_attributes": [{"name": a["key"], "value": a["value"]} for a in said["customAttributes"]],
        "discount_codes": [],
        "total_discounts": _money(discounts),
        "subtotal_price": _money(subtotal),
        "total_tax": _money(taxes),
        "total_price": _money(total),
        "total_shipping_price_set": {"shop_money": {"amount": _money(said["shipping"]), "currency_code": said["currencyCode"]}},
        "line_items": lines,
        "refunds": [refund(one) for one in said["refunds"]],
    }


def line(shop: Shop, said: Thing) -> dict[str, Any]:
    variant, product = said["variant"], said["product"]
    return {
        "id": number(said["id"]),
        "admin_graphql_api_id": said["id"],
        "product_id": product and number(product["id"]),
        "variant_id": variant and number(variant["id"]),
        "sku": said["sku"],
        "title": said["title"],
        "name": said["name"],
        "quantity": said["quantity"],
        "current_quantity": said["currentQuantity"],
        "price": _money(said["price"]),
        "price_set": _both(said["originalUnitPriceSet"]),
        "total_discount": "0.00",
        "discount_allocations": [
            {"amount": d["shopMoney"]["amount"], "amount_set": _both(d), "discount_application_index": 0}
            for d in (one["allocatedAmountSet"] for one in said["discountAllocations"])
        ],
        "tax_lines": [
            {"title": t["title"], "rate": t["rate"], "price": t["priceSet"]["shopMoney"]["amount"], "price_set": _both(t["priceSet"])}
            for t in said["taxLines"]
        ],
        "properties": [{"name": a["key"], "value": a["value"]} for a in said["customAttributes"]],
        "gift_card": said["isGiftCard"],
        "taxable": not said["isGiftCard"],
        "requires_shipping": not said["isGiftCard"],
        "vendor": product and product["vendor"],
    }  # fmt: skip


def refund(said: Thing) -> dict[str, Any]:
    """refunds/create."""
    of, pieces = said["line"], max(1, said["line"]["quantity"])
    paid = Decimal(of["discountedTotalSet"]["shopMoney"]["amount"])
    return {
        "id": number(said["id"]),
        "admin_graphql_api_id": said["id"],
        "order_id": number(said["order"]["id"]),
        "created_at": _at(said["createdAt"]),
        "processed_at": _at(said["createdAt"]),
        "restock": False,
        "order_adjustments": [],
        "refund_line_items": [
            {
                "id": number(said["id"]),
                "line_item_id": number(of["id"]),
                "quantity": said["quantity"],
                "restock_type": "no_restock",
                "subtotal": _money(paid * said["quantity"] / pieces),
                "line_item": {"id": number(of["id"]), "admin_graphql_api_id": of["id"], "product_id": number(of["product"]["id"])},
            }
        ],
    }


def product(said: Thing) -> dict[str, Any]:
    """products/create, products/update."""
    return {
        "id": number(said["id"]),
        "admin_graphql_api_id": said["id"],
        "title": said["title"],
        "handle": said["handle"],
        "vendor": said["vendor"],
        "product_type": said["productType"],
        "status": said["status"].lower(),
        "tags": ", ".join(said["tags"]),
        "created_at": _at(said["createdAt"]),
        "updated_at": _at(said["updatedAt"]),
        "variant_gids": [{"admin_graphql_api_id": v["id"], "updated_at": _at(v["updatedAt"])} for v in said["variants"]],
        "variants": [
            {
                "id": number(v["id"]),
                "admin_graphql_api_id": v["id"],
                "product_id": number(said["id"]),
                "title": v["title"],
                "price": v["price"],
                "compare_at_price": v["compareAtPrice"],
                "sku": v["sku"],
                "position": v["position"],
                "inventory_policy": v["inventoryPolicy"].lower(),
                "inventory_item_id": number(v["inventoryItem"]["id"]),
                "inventory_quantity": sum(one["available"] for one in v["inventoryItem"].get("inventoryLevels", ())),
                "created_at": _at(v["createdAt"]),
                "updated_at": _at(v["updatedAt"]),
            }
            for v in said["variants"]
        ],
    }


def level(said: Thing) -> dict[str, Any]:
    """inventory_levels/update."""
    return {
        "inventory_item_id": number(said["item"]["id"]),
        "location_id": number(said["location"]["id"]),
        "available": said["available"],
        "updated_at": _at(said["updatedAt"]),
        "admin_graphql_api_id": said["id"],
    }


def metaobject(said: Thing) -> dict[str, Any]:
    """metaobjects/create, metaobjects/update."""
    return {
        "type": said["type"],
        "handle": said["handle"],
        "display_name": said["displayName"],
        "id": said["id"],
        "fields": dict(said["values"]),
        "created_at": said["createdAt"],
        "updated_at": said["updatedAt"],
        "capabilities": {},
    }


def _paid(said: Thing) -> str:
    left = sum(one["currentQuantity"] for one in said["lineItems"])
    if said["cancelledAt"] or left == 0:
        return "refunded"
    return "paid" if left == sum(one["quantity"] for one in said["lineItems"]) else "partially_refunded"


def _at(instant: str) -> str:
    return instant.replace("Z", "+00:00")


def _both(money: Thing) -> dict[str, Any]:
    one = {"amount": money["shopMoney"]["amount"], "currency_code": money["shopMoney"]["currencyCode"]}
    return {"shop_money": one, "presentment_money": one}


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
