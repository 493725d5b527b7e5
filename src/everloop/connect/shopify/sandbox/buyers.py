"""Buyers of a shop in a box, who see its storefront: a list beside a product, of the app or of the shop itself. What one buys from a list
carries where it came from, as the theme block writes it, and the order carries the browser. In: a shop that answers. Out: its orders.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from everloop.connect.shopify.orders import CARRIER, UNIT
from everloop.connect.shopify.sandbox.made_up import Seen, buy
from everloop.connect.shopify.sandbox.payloads import number
from everloop.connect.shopify.sandbox.shop import Bought, Shop, Thing

CUSTOMERS: Final = 400
NAMED: Final = 0.8
"""The share of buyers who are logged in."""
TAKEN: Final = 0.25
"""How often somebody buys something from the list they see."""


@dataclass(frozen=True)
class Buyers:
    """Who buys in ``shop``; ``client`` asks where its storefront is."""

    shop: Shop
    client: httpx.Client
    chance: random.Random

    def buy(self) -> Thing:
        """Somebody looks at a product and what is shown beside it, and orders."""
        shelf = self.shop.all("Product")
        page, who = self.chance.choice(shelf), self.chance.randrange(1, CUSTOMERS)
        customer = str(who) if self.chance.random() < NAMED else None
        unit = None if customer else f"browser-{who:08}"
        carried, items = self._listed(page, {"logged_in_customer_id": customer} if customer else {"unit": str(unit)})
        lines = []
        if items and self.chance.random() < TAKEN:
            product = self.shop.thing(f"gid://shopify/Product/{self.chance.choice(items)}")
            lines = [Bought(product["variants"][0]["id"], properties={CARRIER: carried})] if product else []
        return buy(self.shop, shelf, self.chance, seen=Seen(customer, tuple(lines), {UNIT: unit} if unit else {}))

    def _listed(self, page: Thing, who: Mapping[str, str]) -> tuple[str, list[str]]:
        """What is shown beside a product and what an order carries of it: the list of the app, else the shop's own."""
        product = str(number(page["id"]))
        said = self._asked("/apps/everloop/recommendations", {"product": product, **who})
        if said.get("items"):
            return str(said["property"]), [str(one["product_id"]) for one in said["items"]]
        own = self._asked("/recommendations/products.json", {"product_id": product, "intent": "complementary"})
        carried = str(said["property"]) if said.get("prediction") else f"shopify/{said.get('arm') or ''}"
        return carried, [str(one["id"]) for one in own.get("products", ())]

    def _asked(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """A reply; nothing where there is none, as a buyer sees it."""
        try:
            reply = self.client.get(path, params=dict(query))
            said: Mapping[str, Any] = reply.json() if reply.is_success else {}
        except (httpx.HTTPError, ValueError):
            return {}
        return said
