"""Made-up happenings for the tiny projects: rows as a shop would send them. Seeded; ``end`` (aware) is the instant history stops at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import numpy as np

Rows: TypeAlias = list[dict[str, object]]


def shop(end: datetime, seed: int = 0, products: int = 40, length: int = 200) -> dict[str, Rows]:
    """Order lines of ``length`` days: every product has its own pace, a weekly rhythm, and fewer sales while its price is up."""
    rng = np.random.default_rng(seed)
    pace, price = rng.gamma(2.0, 2.0, products), rng.integers(2_00, 40_00, products)
    rows: Rows = []
    for day in range(length):
        morning = end - timedelta(days=length - day)
        weekend = 1.6 if morning.weekday() >= 5 else 0.8
        dear = (day // 14 + np.arange(products)) % 5 == 0
        for p, n in enumerate(rng.poisson(pace * weekend * np.where(dear, 0.5, 1.1))):
            for at in np.sort(rng.integers(0, 86_400, n)):
                rows.append(
                    {
                        "line_id": f"l{len(rows)}",
                        "ordered_at": morning + timedelta(seconds=int(at)),
                        "product_id": f"p{p:02d}",
                        "quantity": int(rng.integers(1, 4)),
                        "price": int(price[p] * (1.25 if dear[p] else 1.0)),
                    }
                )
    return {"orders": rows}


def churn(end: datetime, seed: int = 0, customers: int = 400, length: int = 300) -> dict[str, Rows]:
    """Customers who order at their own pace until, one day, some of them stop."""
    rng = np.random.default_rng(seed)
    ages = rng.choice(["18-39", "40-64", "65+"], customers)
    people: Rows = [{"customer_id": f"c{c:03d}", "age_group": str(ages[c])} for c in range(customers)]
    orders: Rows = []
    for c in range(customers):
        pause, day = float(rng.gamma(2.0, 5.0)) + 2, float(rng.uniform(0, 30))
        leaves = float(rng.uniform(60, 600))
        while day < min(length, leaves):
            at = end - timedelta(days=length) + timedelta(seconds=int(day * 86_400))
            amount = int(rng.gamma(3.0, 12_00))
            orders.append({"order_id": f"o{len(orders)}", "ordered_at": at, "customer_id": f"c{c:03d}", "amount": amount})
            day += float(rng.exponential(pause)) + 0.5
    orders.sort(key=lambda row: str(row["ordered_at"]))
    return {"customers": people, "orders": orders}


def fraud(end: datetime, seed: int = 0, payments: int = 6_000, length: int = 150) -> dict[str, Rows]:
    """Card payments, some of them fraud: large, online, in bursts on one card, at a few merchants."""
    rng = np.random.default_rng(seed)
    days_in = np.sort(rng.uniform(0, length, payments))
    cards, merchants = rng.integers(0, 600, payments), rng.integers(0, 40, payments)
    for start in rng.integers(0, payments - 4, payments // 40):
        cards[start : start + 4] = cards[start]
        days_in[start : start + 4] = days_in[start] + np.arange(4) * 0.004
        merchants[start : start + 4] = rng.integers(0, 6)
    order = np.argsort(days_in, kind="stable")
    days_in, cards, merchants = days_in[order], cards[order], merchants[order]
    amount, online = rng.gamma(2.0, 30_00, payments).astype(int) + 1, rng.random(payments) < 0.4
    burst = np.r_[False, (cards[1:] == cards[:-1]) & (np.diff(days_in) < 0.01)]
    chance = 1 / (1 + np.exp(-(-4.5 + 3.0 * burst + 1.2 * online + amount / 150_00 + 1.0 * (merchants < 6))))
    paid: Rows = []
    back: Rows = []
    for i in range(payments):
        at = end - timedelta(days=length) + timedelta(seconds=int(days_in[i] * 86_400))
        paid.append(
            {
                "payment_id": f"y{i}",
                "asked_at": at,
                "card_id": f"k{cards[i]}",
                "merchant_id": f"m{merchants[i]}",
                "amount": int(amount[i]),
                "online": bool(online[i]),
            }
        )
        filed = at + timedelta(days=float(rng.uniform(1, 13)))
        if rng.random() < chance[i] and filed < end:
            back.append({"chargeback_id": f"b{i}", "filed_at": filed, "payment_id": f"y{i}", "reason": "fraud"})
    return {"payments": paid, "chargebacks": back}


def price(end: datetime, seed: int = 0, houses: int = 1_500) -> dict[str, Rows]:
    """Houses that sold: dearer by the square metre in some places, and where the advert speaks of a garden."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for h in range(houses):
        area, zone, garden = float(rng.gamma(9.0, 13.0)) + 20, int(rng.integers(0, 8)), bool(rng.random() < 0.4)
        worth = area * (2_000_00 + 450_00 * zone) * (1.15 if garden else 1.0) * float(rng.lognormal(0, 0.08))
        advert = "quiet house " + ("with a large garden " if garden else "near the station ") + ("and a cellar" if h % 3 else "")
        rows.append(
            {"house_id": f"h{h}", "area": area, "rooms": max(1, int(area / 25)), "zip": f"10{zone}00", "advert": advert,
             "price": int(worth) + 10_000_00}
        )  # fmt: skip
    return {"houses": rows}


def recommend(end: datetime, seed: int = 0, customers: int = 150, products: int = 60, length: int = 180) -> dict[str, Rows]:
    """Customers who mostly buy their own few favourites, which change in summer, and now and then what everybody buys."""
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, products + 1)
    popular /= popular.sum()
    favourites = [rng.choice(products, 6, replace=False) for _ in range(customers)]
    rows: Rows = []
    for day in range(length):
        if day == length // 2:
            favourites = [np.r_[f[:2], rng.choice(products, 4, replace=False)] for f in favourites]
        for c in np.flatnonzero(rng.random(customers) < 0.15):
            for _ in range(int(rng.integers(1, 5))):
                p = int(rng.choice(favourites[c])) if rng.random() < 0.7 else int(rng.choice(products, p=popular))
                at = end - timedelta(days=length - day) + timedelta(seconds=int(rng.integers(0, 86_400)))
                rows.append({"line_id": f"l{len(rows)}", "ordered_at": at, "customer_id": f"c{c:03d}", "product_id": f"p{p:02d}"})
    return {"orders": rows}


HAPPENINGS: Mapping[str, Callable[[datetime], dict[str, Rows]]] = {
    "shop": shop,
    "churn": churn,
    "fraud": fraud,
    "price": price,
    "recommend": recommend,
}
