"""A grocer as a Shopify shop: its orders are the same rows whichever way they come; a list adds what nobody would have bought anyhow."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from everloop.connect.shopify.orders import rows
from everloop.connect.shopify.rest import order
from everloop.connect.shopify.sandbox.payloads import number
from everloop.connect.shopify.sandbox.shop import Shop as Box
from everloop.demo.shop import Shop
from everloop.demo.storefront.open import PROJECT
from everloop.demo.storefront.orders import Shown, history, of_shop, promoted
from everloop.demo.storefront.story import Play, held_alike, tell
from everloop.errors import EverloopError
from everloop.loop.house import open_house
from everloop.settings import read_settings

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
    assert [(who, cents) for _, who, cents in people.added] == [("1", 500)]


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


SHORT = Play(change=30, last=32, span="7d")


@pytest.mark.slow
def test_the_story_is_told_to_its_end_and_says_only_what_is_so(tmp_path, capsys):
    """A shorter story of the same shop: a smaller shop has too few customers for a first candidate to be proven better."""
    told = tell(tmp_path, as_json=True, play=SHORT)
    said = json.loads(capsys.readouterr().out)
    titles = [title for title, _ in told.chapters]
    weeks = [SHORT.title(week) for week in (27, 28, 29, 30)]
    assert titles == ["A shop that has been selling for half a year", *weeks, "What it brought"]
    whole = " ".join(sentence for _, sentences in told.chapters for sentence in sentences)
    assert "Two forged ones were answered 401 and 401." in whole
    assert re.search(r"The house holds each of the [\d,]+ orders once, line by line as the shop does.", whole)
    assert "later the house holds recommend: the merchant, in the shop's admin" in whole
    assert "the control sees the shop's own" in whole
    assert told.account is not None
    assert told.account.found is not None
    assert (said["account"]["control"], said["account"]["currency"]) == (0.3, "USD")
    assert {arm.name for arm in told.account.arms} >= {"control"}
    assert told.planted > 0
    assert told.account.found.low <= told.planted * told.account.found.control <= told.account.found.high, "at every look, 95 %"
    house = open_house(PROJECT, settings=read_settings(tmp_path, house=tmp_path / "house"))
    house.journal.verify()
    assert [e.record.by for e in house.journal.read(kind="Decision", model="recommend") if e.record.cause == "held" and e.record.by]


def test_a_house_that_lacks_a_line_of_the_shop_is_found_out(tmp_path, monkeypatch):
    shop, people = box(), grocer()
    told(people, shop, NOON, NOON + DAY)
    kept = [
        {"id": str(number(line["id"])), "version": 1, "seq": n, "deleted": False, "quantity": line["currentQuantity"]}
        | {"product_id": str(number(line["product"]["id"]))}
        for n, line in enumerate(line for order in shop.all("Order") for line in order["lineItems"])
    ]
    there = SimpleNamespace(shop=SimpleNamespace(shop=shop), house=SimpleNamespace(lake=None))
    for held, alike in ((kept, True), (kept[1:], False), ([*kept, kept[0] | {"seq": 99, "version": 2, "quantity": 7}], False)):
        monkeypatch.setattr("everloop.demo.storefront.story.read_source", lambda *_, held=held: pa.Table.from_pylist(held))
        if alike:
            assert "2 orders once" in held_alike(there)
        else:
            with pytest.raises(EverloopError, match="1 order lines otherwise"):
                held_alike(there)
