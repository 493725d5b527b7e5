"""What a Shopify shop tells us, ready declared. ``shop`` is the myshopify domain; money is in the shop's currency."""

from everloop import Source, always, at_least, days, hours, money

products = Source(
    "products", id="product_id", version="updated_at", deleted="deleted_at", apart="shop",
    columns={"vendor": str, "product_type": str, "status": str},
)
order_lines = Source(
    "order_lines", id="line_id", time="processed_at", version="updated_at", deleted="cancelled_at", late=days(1), of=products, apart="shop",
    columns={"product_id": str, "customer_id": str, "order_id": str, "quantity": int, "currency": str, "price": money(column="currency"), "test": bool},
    must=[always("product_id"), at_least("quantity", 0, share=0.999)],
)
stockouts = Source(  # spans worked out from inventory_levels/update: nothing left anywhere, from … to …
    "stockouts", id="stockout_id", time=["began_at", "ended_at"], late=hours(1), of=products, apart="shop", columns={"product_id": str},
)
