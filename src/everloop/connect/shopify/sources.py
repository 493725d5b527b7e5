"""What a Shopify shop tells us, ready declared: a project file imports these and asks about them. Money is in the shop's currency.

Test orders, gift cards, cancellations and what was refunded or removed are never demand: a line says the quantity that is *still* bought
(``current_quantity`` of the Admin API), a line of none of it, of a test order or of a gift card is taken out.
"""

from __future__ import annotations

from everloop import Source, always, at_least, days, hours, money

products = Source(
    "products",
    id="product_id",
    version="updated_at",
    deleted="deleted_at",
    columns={"title": str, "vendor": str, "product_type": str, "status": str, "price": money(column="currency"), "currency": str},
)
"""Each product of the shop; ``price`` is that of its first variant, ``status`` is active, draft or archived."""

order_lines = Source(
    "order_lines",
    id="line_id",
    time="processed_at",
    version="updated_at",
    deleted="cancelled_at",
    late=days(1),
    of=products,
    columns={
        "order_id": str,
        "product_id": str,
        "variant_id": str,
        "customer_id": str,
        "quantity": int,
        "currency": str,
        "price": money(column="currency"),
        "net": money(column="currency"),
        "arm": str,
        "unit": str,
    },
    must=[always("product_id"), at_least("quantity", 0, share=0.999)],
)
"""What was bought, line by line. ``price`` is that of one piece after discounts; ``net`` what the line brings in the end: after discounts,
refunds, taxes and without shipping; ``arm`` is which version recommended it, where one did; ``unit`` is the anonymous token the
order carries, where a browser was answered before anybody logged in (docs/shopify.md, "Money")."""

inventory = Source(
    "inventory",
    id=["inventory_item_id", "location_id", "updated_at"],
    time="updated_at",
    late=hours(1),
    of=products,
    columns={"product_id": str, "variant_id": str, "available": int},
)
"""How many pieces of a variant a location can still sell, each time that changed."""

stockouts = Source(
    "stockouts",
    id="stockout_id",
    time=["began_at", "ended_at"],
    version="updated_at",
    deleted="retracted_at",
    late=hours(1),
    of=products,
    columns={"product_id": str},
)
"""Spans in which nothing of a product was left anywhere, worked out from inventory; one that lasts still has no end.
One that was none after all, as a level that came late says, is taken back."""
