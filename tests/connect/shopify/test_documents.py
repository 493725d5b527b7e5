"""Every document is valid, affordable, within the scopes of the app, and shows no protected data: by the schema of the sandbox."""

import tomllib
from pathlib import Path

import pytest
from graphql import parse, validate

from everloop.connect.shopify import documents, scopes
from everloop.connect.shopify.sandbox import access, cost
from everloop.connect.shopify.sandbox.schema import schema
from everloop.errors import Unknown

APP = Path(documents.__file__).parents[1] / "app" / "shopify.app.toml"
BY_OWNER = {"write_products": "metafields_set", "write_orders": "tags_add", "write_app_proxy": "proxy"}
"""What the schema cannot say of a scope, since it depends on a value: whose metafield, whose tags; the storefront is no field at all."""


@pytest.mark.parametrize("name", documents.names())
def test_a_document_is_valid_and_within_scopes_and_cost_and_shows_nobody(name):
    document = parse(documents.text(name))
    assert [error.message for error in validate(schema(), document)] == []
    assert access.lacking(access.needed(document), scopes.SCOPES) == ()
    assert access.protected(document) == {}
    assert cost.requested(schema(), document, {"ids": ["gid"] * documents.IDS_AT_ONCE}) < cost.MOST


def test_no_scope_is_asked_for_that_nothing_needs():
    used = {scope for name in documents.names() for ways in access.needed(parse(documents.text(name))) for scope in ways}
    assert set(scopes.SCOPES) - used == set(BY_OWNER)


@pytest.mark.skipif(not APP.exists(), reason="the app's files are not here")
def test_the_app_asks_for_the_same_scopes():
    said = tomllib.loads(APP.read_text(encoding="utf-8"))["access_scopes"]
    assert sorted(said["scopes"].split(",")) == list(scopes.SCOPES)
    assert said["optional_scopes"] == list(scopes.OPTIONAL)


@pytest.mark.parametrize("name", [n for n in documents.names() if n.startswith("bulk_") and "edges" in documents.text(n)])
def test_a_bulk_document_keeps_to_what_bulk_operations_allow(name):
    text = documents.inlined(documents.text(name), {"filter": "x"})
    document = parse(text)
    assert validate(schema(), document) == []
    count, depth = cost.connections(schema(), document)
    assert 1 <= count <= 5
    assert depth <= 2
    assert "nodes" not in text, "bulk operations read edges only"
    assert text.count("__typename") == count, "each line says what it is of"


# Each can fail: a document that breaks one rule.


def test_a_field_that_is_protected_is_noticed():
    document = parse("{ orders(first: 1) { nodes { id email customer { firstName } } } }")
    assert access.protected(document) == {"Order.email": "email", "Customer.firstName": "name"}


def test_a_scope_that_is_not_asked_for_is_noticed():
    document = parse("{ orders(first: 1) { nodes { customer { id } } } }")
    assert access.lacking(access.needed(document), ["read_products"]) == ("read_customers", "read_orders")
    assert access.lacking(access.needed(document), ["write_orders", "read_customers"]) == ()


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("{ shop { id } }", 1),
        ("{ products(first: 48) { nodes { id } } }", 50),
        ("{ products(first: 48) { edges { node { id } } } }", 50),
        ("{ products(first: 10) { nodes { variants(first: 5) { nodes { id } } } } }", 2 + 10 * (1 + 2 + 5)),
        ("query Q($n: Int!) { products(first: $n) { nodes { id } } }", 252),
        ("mutation { tagsAdd(id: 1, tags: []) { userErrors { message } } }", 10),
    ],
)
def test_what_a_query_costs(text, points):
    assert cost.requested(schema(), parse(text)) == points


def test_a_page_costs_what_it_brought_in_the_end():
    document = parse("{ products(first: 48) { nodes { id } } }")
    assert cost.requested(schema(), document, None, {"products": {"nodes": [{"id": 1}, {"id": 2}]}}) == 4


def test_a_document_that_is_not_there_says_which_are():
    with pytest.raises(Unknown, match=r"no document 'orders'\. There are app_metafield, bulk_cancel"):
        documents.text("orders")


def test_every_change_that_is_harmless_again_is_a_document():
    assert set(documents.names()) >= documents.HARMLESS_AGAIN
    assert all(documents.changes(name) for name in documents.HARMLESS_AGAIN)
    assert not documents.harmless_again("flow_trigger")
    assert not documents.harmless_again("bulk_query")
