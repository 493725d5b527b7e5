"""What a delivery comes to: the same rows whichever way a thing was told, and no demand where there is none."""

from __future__ import annotations

import json
import random

import pytest
from bench.shopify_shop import nodes, order_body, order_node, product_body, product_node, shop
from hypothesis import given
from hypothesis import strategies as st
from tests.connect.shopify.forged import SHOP

from everloop.clock import instant
from everloop.connect.shopify.decode import SOURCES, TOPICS, Undecodable, rows_of, rows_of_node
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.said import minor

TOLD = instant("2026-11-02T09:30:01.250Z")
LINE = {"id": 11, "product_id": 7, "variant_id": 8, "quantity": 3, "current_quantity": 3, "price": "10.00", "properties": []}
ORDER = {
    "id": 1, "admin_graphql_api_id": "gid://shopify/Order/820982911946154508", "created_at": "2026-11-02T04:30:00-05:00",
    "processed_at": "2026-11-02T04:29:00-05:00", "updated_at": "2026-11-02T04:30:00-05:00", "cancelled_at": None, "test": False,
    "currency": "EUR", "taxes_included": False, "customer": {"id": 5}, "line_items": [LINE],
}  # fmt: skip


def delivery(topic, body, told=TOLD):
    return Delivery("w-1", topic, SHOP, told, "2026-10", body if isinstance(body, bytes) else json.dumps(body).encode())


def line(order=(), **said):
    [(source, row)] = rows_of(delivery("orders/updated", {**ORDER, **dict(order), "line_items": [{**LINE, **said}]}))
    assert source == "order_lines"
    return row


def test_an_order_comes_to_a_row_for_each_line():
    assert line() == {
        "line_id": "11", "order_id": "820982911946154508", "processed_at": "2026-11-02T09:29:00.000000Z",
        "updated_at": "2026-11-02T09:30:00.001250Z", "cancelled_at": None, "product_id": "7", "variant_id": "8", "customer_id": "5",
        "quantity": 3, "currency": "EUR", "price": 1000, "net": 3000, "arm": None, "unit": None,
    }  # fmt: skip


def test_a_line_says_what_is_still_bought_and_what_it_brings():
    row = line(current_quantity=2, discount_allocations=[{"amount": "3.00"}])
    assert (row["quantity"], row["price"], row["net"], row["cancelled_at"]) == (2, 900, 1800, None)


def test_taxes_are_taken_off_where_prices_hold_them():
    assert line({"taxes_included": True}, tax_lines=[{"price": "4.79"}])["net"] == 2521
    assert line(tax_lines=[{"price": "4.79"}])["net"] == 3000


def test_money_is_the_shops_and_not_what_the_customer_saw():
    assert line(price_set={"shop_money": {"amount": "8.00"}, "presentment_money": {"amount": "9.99"}})["price"] == 800


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"test": True}, {}),
        ({"cancelled_at": "2026-11-02T09:29:30Z"}, {}),
        ({}, {"gift_card": True}),
        ({}, {"current_quantity": 0}),
        ({"refunds": [{"refund_line_items": [{"line_item_id": 11, "quantity": 3}]}]}, {"current_quantity": None}),
    ],
    ids=["a test order", "a cancelled order", "a gift card", "a line that was taken off", "a refunded line of an old payload"],
)
def test_what_is_no_demand_is_taken_out(order, said):
    assert line(order, **said)["cancelled_at"] is not None


def test_which_browser_was_answered_is_read_from_the_orders_hidden_note():
    notes = [{"name": "gift", "value": "yes"}, {"name": "_everloop_unit", "value": "b7c1d2e3-0000"}]
    assert line({"note_attributes": notes})["unit"] == "b7c1d2e3-0000"


@pytest.mark.parametrize("value", ["207119551000", "x" * 65, "", None, 7, "a b c d e"])
def test_what_no_browser_made_is_nobodys_token(value):
    assert line({"note_attributes": [{"name": "_everloop_unit", "value": value}]})["unit"] is None


def test_who_recommended_a_line_is_read_from_its_hidden_property():
    assert line(properties=[{"name": "Engraving", "value": "x"}, {"name": "_everloop", "value": "9d00/candidate"}])["arm"] == "candidate"
    assert line(properties=[{"name": "_everloop", "value": "precomputed/"}])["arm"] == "precomputed"


@pytest.mark.parametrize(
    ("currency", "text", "whole"), [("JPY", "1500", 1500), ("JPY", "1500.00", 1500), ("KWD", "1.234", 1234), ("EUR", "0.005", 1)]
)
def test_money_becomes_minor_units_of_its_own_currency(currency, text, whole):
    assert line({"currency": currency}, price=text)["price"] == whole


def test_a_product_of_more_than_a_hundred_variants_names_them_all():
    variants = [{"id": n, "price": "1.00", "inventory_item_id": 1000 + n} for n in range(1, 101)]
    gids = [{"admin_graphql_api_id": f"gid://shopify/ProductVariant/{n}"} for n in range(1, 251)]
    said = {"id": 7, "updated_at": "2026-11-02T09:30:00Z", "variants": variants, "variant_gids": gids}
    rows = rows_of(delivery("products/update", said), "EUR")
    there = {row["variant_id"]: row["inventory_item_id"] for source, row in rows if source == "#variants"}
    assert len(there) == 250
    assert (there["100"], there["101"]) == ("1100", None)


def test_rest_and_graphql_come_to_the_very_same_rows():
    made = shop(600, seed=3)
    for order in made.orders.values():
        for one in order["lines"]:
            if one["product"] not in made.products:
                one["product"] = one["variant"] = None
    told = instant("2027-01-01")
    pairs = [(order_body(made, o), order_node(made, o), "orders/updated") for o in made.orders.values()]
    pairs += [(product_body(made, p), product_node(made, p), "products/update") for p in made.products.values()]
    assert len(pairs) > 100
    for body, node, topic in pairs:
        rest = rows_of(delivery(topic, body, told), "EUR")
        assert (
            rest == [(s, row) for s, row in rows_of_node(node, "EUR", told) if s in ("order_lines", "products", "#variants")][: len(rest)]
        )


def test_a_next_gen_event_is_read_as_the_node_it_found():
    node = order_node(made := shop(300, seed=1, products=10), next(iter(made.orders.values())))
    body = {"topic": "Order", "action": "update", "query_variables": {"orderId": node["id"]}, "data": {"order": node}}
    assert rows_of(delivery("Order/update", body)) == rows_of_node(node, told_at=TOLD)


def test_an_event_whose_query_failed_is_asked_for_and_not_believed_in_part():
    body = {"query_variables": {"orderId": "gid://shopify/Order/1"}, "data": {"order": None}, "query_errors": [{"message": "no scope"}]}
    [(source, row)] = rows_of(delivery("Order/update", body))
    assert (source, row["kind"], row["id"]) == ("#wanted", "Order", "1")
    assert "no scope" in row["why"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"{}",
        b'{"id":1}',
        b'{"line_items":7,"currency":"EUR"}',
        b"[" * 50_000,
        b'{"currency":"EUR","line_items":[7]}',
    ],
)
@pytest.mark.parametrize("topic", ["orders/create", "products/update", "refunds/create"])
def test_what_cannot_be_read_says_so(topic, body):
    with pytest.raises(Undecodable):
        rows_of(delivery(topic, body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ORDER, *LINE, "variants", "available", "data"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(st.sampled_from([*TOPICS, "Order/update", "Product/delete"]), JSON)
def test_whatever_is_said_comes_to_rows_or_is_undecodable(topic, said):
    try:
        rows = rows_of(delivery(topic, json.dumps(said).encode()))
    except Undecodable:
        return
    assert all(source in SOURCES or source.startswith("#") for source, _ in rows)


def test_a_topic_that_tells_nothing_of_the_shop_comes_to_nothing():
    assert rows_of(delivery("customers/redact", b"not even JSON")) == []


def test_every_node_of_a_shop_can_be_read():
    made = shop(500, seed=random.Random(2).randrange(100))
    assert all(rows_of_node(node, "EUR") for node in nodes(made) if node["__typename"] != "Order" or node["lineItems"]["nodes"])


@given(st.decimals(0, 10**6, places=2))
def test_minor_units_of_a_currency_of_two_decimals_are_exact(amount):
    assert minor(amount, "EUR") == int(amount * 100)
