"""Every document of ours, judged by Shopify's own schemas of the three versions that are supported."""

import pytest
from graphql import parse, validate
from tests.oracles.shopify.schemas import FOLDER, VERSIONS, schema_file, there_is_npm

from everloop.connect.shopify import documents, scopes
from everloop.connect.shopify.sandbox import access, cost
from everloop.connect.shopify.sandbox.schema import HERE, described, schema

pytestmark = pytest.mark.skipif(not there_is_npm(), reason="JUDGED BY NOBODY: no npm on this machine, so no schemas of Shopify's")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid_within_scopes_and_cost_and_shows_nobody(version):
    file, said = schema_file(version), {}
    for name in documents.names():
        document = parse(documents.text(name))
        wrong = [error.message for error in validate(schema(file), document)]
        closed = access.lacking(access.needed(document, file), scopes.SCOPES)
        shown = access.protected(document, file)
        points = cost.requested(schema(file), document, {"ids": ["gid"] * documents.IDS_AT_ONCE})
        if wrong or closed or shown or points >= cost.MOST:
            said[name] = wrong, closed, shown, points
    assert said == {}


def test_the_schema_of_the_sandbox_is_shopify_s_own():
    schema_file(VERSIONS[0])
    assert (FOLDER / HERE.name).read_bytes() == HERE.read_bytes()
    assert len(described()["__schema"]["types"]) > 3_000


def test_a_document_of_the_newest_version_is_noticed_on_an_older_one():
    text = 'mutation { metaobjectUpsert(handle: {type: "a", handle: "b"}, values: {}) { userErrors { message } } }'
    assert validate(schema(), parse(text)) == []
    assert validate(schema(schema_file("2026-04")), parse(text)) != []
