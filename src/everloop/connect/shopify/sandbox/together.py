"""What a shop shows beside a product by itself, without any app: what was bought together with it, or more of its kind.

Asked for as at a storefront: https://shopify.dev/docs/api/ajax/reference/product-recommendations.
How ``related`` is worked out Shopify does not say; here it is what sells best of the same kind. ``complementary`` is what merchants pick,
or have picked by what is bought together.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, TypeAlias

from everloop.connect.shopify.sandbox.shop import Shop, Thing

Intent: TypeAlias = Literal["related", "complementary"]
MOST: Final = 10


def beside(shop: Shop, product: str, intent: Intent = "related", most: int = MOST) -> list[Thing]:
    """The products (at most ``most``, ten at Shopify) a shop shows beside the one with this id, best first; none for one it does not have.

    >>> from everloop.connect.shopify.sandbox.shop import Bought
    >>> shop = Shop()
    >>> beans, cup, tea = (shop.add_product(name, "9.00") for name in ("Beans", "Cup", "Tea"))
    >>> _ = shop.order([Bought(one["variants"][0]["id"]) for one in (beans, cup)])
    >>> [one["title"] for one in beside(shop, beans["id"], "complementary")]
    ['Cup']
    >>> sorted(one["title"] for one in beside(shop, beans["id"]))
    ['Cup', 'Tea']
    """
    there = shop.thing(product)
    if there is None:
        return []
    bought = [{line["product"]["id"] for line in order["lineItems"] if line["product"]} for order in shop.all("Order")]
    if intent == "complementary":
        counts = Counter(id for basket in bought if product in basket for id in basket)
    else:
        sold = Counter(id for basket in bought for id in basket)
        counts = Counter({one["id"]: 1 + sold[one["id"]] for one in shop.all("Product") if one["productType"] == there["productType"]})
    del counts[product]
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [found for id, _ in ranked if (found := shop.thing(id)) is not None][:most]


def as_asked(product: Thing) -> Thing:
    """A product as the storefront is told of it: some of what Shopify says."""
    return {
        "id": int(product["id"].rpartition("/")[2]),
        "title": product["title"],
        "handle": product["handle"],
        "type": product["productType"],
        "vendor": product["vendor"],
        "available": any(level["available"] > 0 for v in product["variants"] for level in v["inventoryItem"]["inventoryLevels"]),
        "price": round(100 * float(product["variants"][0]["price"])),
        "url": f"/products/{product['handle']}",
    }
