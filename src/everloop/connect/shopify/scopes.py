"""What the app may do in a shop: the scopes it asks for. ``app/shopify.app.toml`` says the same, and a test that they agree.

Which of them a document needs is worked out from the metadata of Shopify's own schema (``sandbox/access.py``); none is asked for that none
needs, but those of the storefront, which are no fields of the Admin API.
"""

from __future__ import annotations

from typing import Final

SCOPES: Final = (
    "read_customers",
    "read_inventory",
    "read_metaobjects",
    "read_orders",
    "read_products",
    "write_app_proxy",
    "write_metaobjects",
    "write_orders",
    "write_products",
)
"""Asked for when the app is installed."""

OPTIONAL: Final = ("read_all_orders",)
"""Given by Shopify on request: without it, orders older than 60 days are not shown."""

ORDERS_SHOWN_DAYS: Final = 60
"""How far back orders are shown without read_all_orders. https://shopify.dev/docs/api/usage/access-scopes"""


def held(granted: tuple[str, ...] | list[str]) -> frozenset[str]:
    """The scopes that come with those granted: who may write may read.

    >>> sorted(held(["write_products"]))
    ['read_products', 'write_products']
    """
    return frozenset(granted) | {"read_" + scope.removeprefix("write_") for scope in granted if scope.startswith("write_")}
