"""A shop somebody could have: a few dozen products, weeks of orders, and what goes wrong with some of them. The same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from everloop.connect.shopify.sandbox.shop import Bought, Shop, Thing

KINDS = ("Coffee", "Tea", "Cups", "Filters", "Sweets")
WORDS = ("Amber", "Birch", "Cedar", "Delta", "Ember", "Fern", "Grove", "Harbour", "Iris", "Juniper")


def stocked(shop: Shop, *, products: int = 40, days: int = 30, orders_a_day: int = 20, seed: int = 7) -> Shop:
    """The shop, filled: its orders end now. About 3 % are cancelled, 5 % refunded in part, 1 % tests."""
    chance = random.Random(seed)
    began = shop.now() - timedelta(days=days)
    shelf = [_product(shop, i, chance, began) for i in range(products)]
    for day in range(days):
        for _ in range(orders_a_day):
            at = began + timedelta(days=day, seconds=chance.randrange(86_400))
            if at < shop.now():
                buy(shop, shelf, chance, at)
    return shop


@dataclass(frozen=True)
class Seen:
    """Who buys (None: a browser without a name), what they take from a list, and what the order carries."""

    customer: str | None
    lines: tuple[Bought, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def buy(shop: Shop, shelf: list[Thing], chance: random.Random, at: object = None, seen: Seen | None = None) -> Thing:
    """One order of somebody (or of who has ``seen`` a list), out of what is on the shelf; some think better of it."""
    wanted = chance.sample(shelf, k=min(len(shelf), 1 + chance.randrange(3)))
    lines = [Bought(product["variants"][0]["id"], 1 + chance.randrange(3)) for product in wanted]
    seen = seen or Seen(str(chance.randrange(1, 400)) if chance.random() < 0.8 else None)
    order = shop.order(
        [*seen.lines, *lines], customer=seen.customer, attributes=seen.attributes, at=at, test=chance.random() < 0.01,  # type: ignore[arg-type]
        shipping=Decimal("4.90"),
    )  # fmt: skip
    luck = chance.random()
    if luck < 0.03:
        shop.cancel(order["id"], at)  # type: ignore[arg-type]
    elif luck < 0.08:
        shop.refund(order["id"], 0, 1, at)  # type: ignore[arg-type]
    return order


def _product(shop: Shop, number: int, chance: random.Random, at: object) -> Thing:
    kind = KINDS[number % len(KINDS)]
    title = f"{WORDS[number % len(WORDS)]} {kind} {number + 1}"
    return shop.add_product(title, f"{chance.randrange(300, 4000) / 100:.2f}", kind=kind, vendor=kind, stock=500, at=at)  # type: ignore[arg-type]
