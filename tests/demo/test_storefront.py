"""A grocer as a Shopify shop: its orders are the same rows whichever way they come; a list adds what nobody would have bought anyhow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from everloop.connect.shopify.orders import rows
from everloop.connect.shopify.rest import order
from everloop.connect.shopify.sandbox.shop import Shop as Box
from everloop.demo.shop import Shop
from everloop.demo.storefront.orders import Shown, history, of_shop, promoted

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def grocer():
    """Two households with an order a day for ten days, of milk (11) and one each of tea (12)."""
    at = [NOON + n * DAY for n in range(10) for _ in (0, 1)]
    basket, household = [str(100 + n) for n in range(20)], [str(1 + n % 2) for n in range(20)]
    stamp = pa.timestamp("us", "UTC")
    lines = pa.table(
        {
            "line_id": [f"{one}-{product}" for one in basket for product in ("11", "12")],
            "ordered_at": pa.array([one for one in at for _ in (0, 1)], stamp),
            "product_id": ["11", "12"] * 20,
            "department": ["GROCERY"] * 40,
            "quantity": [2, 1] * 20,
            "price": [149, 300] * 20,
        }
    )
    baskets = pa.table({"basket_id": basket, "household_id": household, "ordered_at": pa.array(at, stamp), "amount": [598] * 20})
    products = pa.table({"product_id": ["11", "12", "13"], "category": ["MILK", "TEA", None]})
    return of_shop(Shop(products, lines, baskets, pa.table({"household_id": ["1", "2"]})), 2, 3)


def box():
    return Box("complete-journey.myshopify.com", currency="USD", taxes_included=False, tax_rate="0", now=lambda: NOON)


def told(people, shop, first, last, shown=None):
    heard = []
    shop.listeners.append(lambda topic, payload, at: heard.append((topic, payload, at)))
    people.stock(shop, first)
    people.buy(shop, first, last, shown or {})
    return [one for one in heard if one[0].startswith("orders/")]


def test_an_order_of_history_and_the_same_as_a_webhook_come_to_the_same_money():
    people = grocer()
    past = history(people.between(NOON, NOON + DAY)).to_pylist()
    created = [payload for topic, payload, _ in told(people, box(), NOON, NOON + DAY) if topic == "orders/create"]
    sent = [row for payload in created for _, row in rows(order(payload, NOON))]
    said = ("product_id", "customer_id", "quantity", "price", "net", "currency", "arm", "unit")
    assert [{name: row[name] for name in said} for row in sent] == [{name: row[name] for name in said} for row in past]


def test_a_list_adds_what_the_customer_would_not_have_bought_and_says_from_which_answer():
    people = grocer()
    people = replace(people, prices={**people.prices, "13": 500}, kinds={**people.kinds, "13": "CAKE"})
    seen = {"1": Shown(("11", "13", "99"), "9d00410c64e5744e/champion", taken=1.0)}
    created = [payload for topic, payload, _ in told(people, box(), NOON, NOON + DAY, seen) if topic == "orders/create"]
    mine, others = (next(one for one in created if one["customer"]["id"] == who) for who in (1, 2))
    assert [line["product_id"] for line in mine["line_items"]] == [11, 12, 13]
    assert mine["line_items"][-1]["properties"] == [{"name": "_everloop", "value": "9d00410c64e5744e/champion"}]
    assert len(others["line_items"]) == 2
    assert people.added == {"1": 500}


def test_what_comes_back_after_a_week_is_told_in_a_later_one():
    people = replace(grocer(), bought=grocer().bought * 40, later=[])
    shop = box()
    first = told(people, shop, NOON, NOON + 5 * DAY)
    assert people.later
    assert all(at < NOON + 5 * DAY for _, _, at in first)
    assert [at for _, _, at in first] == sorted(at for _, _, at in first)
    waiting = len(people.later)
    people.buy(shop, NOON + 100 * DAY, NOON + 101 * DAY, {})
    assert waiting > 0
    assert not people.later


def test_a_promotion_changes_nothing_before_it_begins():
    people = grocer()
    later = promoted(people, NOON + 5 * DAY, share=1.0)
    assert later.between(NOON, NOON + 5 * DAY) == people.between(NOON, NOON + 5 * DAY)
    assert {quantity for one in later.between(NOON + 5 * DAY, NOON + 10 * DAY) for _, quantity, _ in one.lines} == {3, 6}
