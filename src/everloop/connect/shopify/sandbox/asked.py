"""What an operation has at hand while it is carried out: the shop, who asks, and what Shopify would say beside the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from everloop.connect.shopify.sandbox.shop import Shop, Thing
from everloop.connect.shopify.scopes import ORDERS_SHOWN_DAYS

if TYPE_CHECKING:
    from everloop.connect.shopify.sandbox.bulk import Bulk

__all__ = ["Asked", "Thing"]


@dataclass
class Asked:
    """One operation. ``bulk`` is whether it is one of bulk, where connections have no pages."""

    shop: Shop
    scopes: Sequence[str]
    operations: Bulk
    bulk: bool = False
    ignores_filters: bool = False
    warnings: list[Thing] = field(default_factory=list)

    @property
    def bulk_operations(self) -> Mapping[str, Thing]:
        return self.operations.told()

    def visible_orders(self) -> list[Thing]:
        """The orders this app is shown: those of 60 days, all of them with read_all_orders."""
        orders = self.shop.all("Order")
        if "read_all_orders" in self.scopes:
            return orders
        since = self.shop.moment(self.shop.now() - timedelta(days=ORDERS_SHOWN_DAYS))
        return [order for order in orders if order["createdAt"] >= since]

    def warn(self, path: Sequence[Any], query: str | None, ignored: Sequence[str]) -> None:
        """Shopify says in ``extensions.search`` which terms of a filter it could not use, and answers all the same."""
        for name in ignored:
            said = {"field": name, "message": "Invalid search field for this query.", "code": "invalid_field"}
            self.warnings.append({"path": list(path), "query": query, "parsed": {}, "warnings": [said]})
