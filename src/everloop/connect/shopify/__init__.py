"""A Shopify shop: what it tells us, what it is told, and the merchant's hand on both. The loop knows nothing of it.

Everything here speaks with a house over HTTP (``house.py``), as anybody else does, so that the shop's door may stand on another machine and
a house that is down loses nothing. What a project file needs is beside it: the sources a shop fills, ready declared.

    from everloop.connect.shopify import inventory, order_lines, products, stockouts
"""

from everloop.connect.shopify.sources import inventory, order_lines, products, stockouts

__all__ = ["inventory", "order_lines", "products", "stockouts"]
