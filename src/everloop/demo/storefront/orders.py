"""Half a year of a grocer as a Shopify shop: what its customers buy anyhow, and what a list that is shown to them adds.

In: the demo's year (``demo/shop.py``). Out: rows of ``order_lines`` for what was, and orders in the shop in a box for what comes. Seeded;
reads no clock. What a list adds is planted and known, so that what is measured in the end can be held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import microseconds
from everloop.connect.shopify.orders import CARRIER
from everloop.connect.shopify.sandbox import shop as box
from everloop.demo.shop import Shop, load

CURRENCY: Final = "USD"
BACK: Final = 0.06
"""The share of orders of which something comes back."""
CANCELLED: Final = 0.02
CLICKED: Final = 0.5
"""How often what would have been bought anyhow is bought from a list it stands on."""


@dataclass(frozen=True)
class Bought:
    """One order of one customer: pieces and prices (cents of one) by product."""

    id: int
    customer_id: str
    at: datetime
    lines: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Shown:
    """What a customer was shown last, what an order line carries of it, and how likely each of its items is bought with an order."""

    items: tuple[str, ...]
    carried: str
    taken: float


@dataclass
class Customers:
    """The customers of the shop and what they buy anyhow; ``prices`` in cents and ``kinds`` by product. ``added`` is what lists brought:
    when, to whom, cents; ``later`` what is still to happen to orders that were placed."""

    bought: Sequence[Bought]
    prices: Mapping[str, int]
    kinds: Mapping[str, str]
    seed: int = 0
    added: list[tuple[datetime, str, int]] = field(default_factory=list)
    later: list[tuple[datetime, Callable[[], Any]]] = field(default_factory=list)

    def between(self, first: datetime, last: datetime) -> list[Bought]:
        """What was bought from ``first`` on and before ``last``, oldest first."""
        return [one for one in self.bought if first <= one.at < last]

    def stock(self, shop: box.Shop, at: datetime) -> None:
        """Put every product into the shop."""
        for product, price in self.prices.items():
            title = f"{self.kinds[product].capitalize()} {product}"
            shop.add_product(title, _money(price), vendor="Complete Journey", kind=self.kinds[product], at=at, id=_gid(product))

    def buy(self, shop: box.Shop, first: datetime, last: datetime, shown: Mapping[str, Shown]) -> int:
        """Let a week happen, in its order: what is bought, with what lists add, and what is cancelled or comes back; how many orders."""
        rng = np.random.default_rng([self.seed, int(first.timestamp())])
        orders = self.between(first, last)
        for one in orders:
            seen = shown.get(one.customer_id)
            more, from_list = self._more(one, seen, rng), self._from_list(one, seen, rng)
            luck, days, place = rng.random(), float(rng.exponential(1.0)), int(rng.integers(len(one.lines)))
            self.later.append((one.at, partial(self._placed, shop, one, more, from_list, luck, days, place)))
        while self.later:
            self.later.sort(key=lambda each: each[0])
            if self.later[0][0] >= last:
                break
            self.later.pop(0)[1]()
        return len(orders)

    def _more(self, one: Bought, seen: Shown | None, rng: np.random.Generator) -> list[box.Bought]:
        """What the list adds to an order: a product the customer would have bought anyhow is none that it brought."""
        anyhow = {product for product, _, _ in one.lines}
        found = []
        for item in () if seen is None else seen.items:
            if rng.random() < seen.taken and item in self.prices and item not in anyhow:  # type: ignore[union-attr]
                found.append(box.Bought(_gid(item), properties={CARRIER: seen.carried}))  # type: ignore[union-attr]
                self.added.append((one.at, one.customer_id, self.prices[item]))
        return found

    def _from_list(self, one: Bought, seen: Shown | None, rng: np.random.Generator) -> dict[str, str]:
        """What is bought from the list though it would have been bought anyhow, and what its line carries then."""
        listed = set() if seen is None else set(seen.items)
        return {p: seen.carried for p, _, _ in one.lines if p in listed and rng.random() < CLICKED}  # type: ignore[union-attr]

    def _placed(
        self, shop: box.Shop, one: Bought, more: list[box.Bought], from_list: Mapping[str, str], luck: float, days: float, place: int
    ) -> None:
        lines = [
            box.Bought(_gid(p), quantity, Decimal(_money(price)), properties={CARRIER: from_list[p]} if p in from_list else {})
            for p, quantity, price in one.lines
        ]
        both = [replace(each, variant=_variant(shop, each.variant)) for each in (*lines, *more)]
        made = shop.order(both, customer=one.customer_id, at=one.at, stock=False)
        if luck < CANCELLED:
            gone = one.at + timedelta(days=0.3 * days)
            self.later.append((gone, partial(shop.cancel, made["id"], at=gone)))
        elif luck < CANCELLED + BACK:
            back = one.at + timedelta(days=6 * days)
            self.later.append((back, partial(shop.refund, made["id"], line=place, quantity=99, at=back)))


def customers(number: int, products: int, seed: int = 0) -> Customers:
    """So many of the households that buy most often, and so many of the products they buy most.

    Raises Missing where the demo's data is not installed.
    """
    return of_shop(load(), number, products, seed)


def of_shop(shop: Shop, number: int, products: int, seed: int = 0) -> Customers:
    """The same of a shop that was loaded."""
    basket = pc.list_element(pc.split_pattern(shop.lines["line_id"], "-"), 0)
    lines = shop.lines.append_column("basket_id", basket).join(shop.baskets.select(["basket_id", "household_id"]), "basket_id")
    lines = lines.filter(pc.greater(lines["quantity"], 0))
    for name, size in (("household_id", number), ("product_id", products)):
        lines = lines.filter(pc.is_in(lines[name], value_set=_most(lines[name], size)))
    lines = lines.sort_by([("ordered_at", "ascending"), ("basket_id", "ascending"), ("product_id", "ascending")])
    means = lines.group_by("product_id").aggregate([("price", "mean")]).to_pylist()
    prices = {row["product_id"]: max(1, round(row["price_mean"])) for row in means}
    kinds = {row["product_id"]: row["category"] or "THINGS" for row in shop.products.to_pylist() if row["product_id"] in prices}
    return Customers(_orders(lines), prices, kinds, seed)


def promoted(shop: Customers, since: datetime, *, share: float = 0.4, times: int = 3) -> Customers:
    """The same shop, in which from ``since`` on a seeded share of all products is bought three at a time: a change no model has learnt."""
    rng = np.random.default_rng([shop.seed, 1])
    some = {product for product in sorted(shop.prices) if rng.random() < share}

    def now(one: Bought) -> Bought:
        return replace(one, lines=tuple((p, q * times if p in some else q, price) for p, q, price in one.lines))

    return replace(shop, bought=[now(one) if one.at >= since else one for one in shop.bought])


def history(bought: Sequence[Bought]) -> pa.Table:
    """Rows of ``order_lines`` for orders nobody sends webhooks of any more."""
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for one in bought:
        for place, (product, quantity, price) in enumerate(one.lines):
            at = microseconds(one.at)
            of, paid = (f"{one.id}{place:03}", str(one.id), at, at), (quantity, CURRENCY, price, quantity * price)
            said = (*of, product, product, one.customer_id, *paid, None, None, None)
            for name, value in zip(_COLUMNS, said, strict=True):
                rows[name].append(value)
    stamp, text = pa.timestamp("us", "UTC"), pa.string()
    kinds = {name: stamp for name in _COLUMNS if name.endswith("_at")} | {"arm": text, "unit": text}
    return pa.table({name: pa.array(values, kinds.get(name)) for name, values in rows.items()})


_COLUMNS: Final = ("line_id", "order_id", "processed_at", "updated_at", "product_id", "variant_id", "customer_id", "quantity", "currency",
                   "price", "net", "arm", "unit", "cancelled_at")  # fmt: skip


def _most(column: pa.ChunkedArray, size: int) -> pa.Array:
    counts = sorted(((one["counts"].as_py(), one["values"].as_py()) for one in pc.value_counts(column)), key=lambda c: (-c[0], c[1]))
    return pa.array([value for _, value in counts[:size]], pa.string())


def _orders(lines: pa.Table) -> list[Bought]:
    found: list[Bought] = []
    names = ("basket_id", "household_id", "ordered_at", "product_id", "quantity", "price")
    for basket, household, at, *line in zip(*(lines[name].to_pylist() for name in names), strict=True):
        if not found or found[-1].id != int(basket):
            found.append(Bought(int(basket), household, at, ()))
        found[-1] = replace(found[-1], lines=(*found[-1].lines, tuple(line)))
    return found


def _gid(product: str) -> str:
    return f"gid://shopify/Product/{product}"


def _variant(shop: box.Shop, product: str) -> str:
    return str(shop.needed(product)["variants"][0]["id"])


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
