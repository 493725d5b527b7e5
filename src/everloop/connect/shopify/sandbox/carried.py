"""A document is read once and carried out on a shop in memory: data, errors, and the scopes it would have needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from everloop.connect.shopify.sandbox.access import Ways, needed
from everloop.connect.shopify.sandbox.answers import resolved
from everloop.connect.shopify.sandbox.asked import Asked
from everloop.connect.shopify.sandbox.language import DocumentNode, GraphQLError, execute, parse, validate
from everloop.connect.shopify.sandbox.schema import schema


def carried(asked: Asked, document: DocumentNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """A document carried out on the shop: its data, and errors where there are any."""
    result = execute(schema(), document, root_value={}, context_value=asked, variable_values=dict(variables), field_resolver=resolved)
    body: dict[str, Any] = {"data": result.data}  # type: ignore[union-attr]
    if result.errors:  # type: ignore[union-attr]
        body["errors"] = [_said(error) for error in result.errors]  # type: ignore[union-attr]
    return body


def carried_in_bulk(asked: Asked, document: DocumentNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The same, where connections have no pages."""
    return carried(Asked(asked.shop, asked.scopes, asked.operations, bulk=True, ignores_filters=asked.ignores_filters), document, variables)


@lru_cache(maxsize=512)
def read(text: str) -> tuple[DocumentNode | None, list[dict[str, Any]], frozenset[Ways]]:
    """A document, or what is wrong with it; and the scopes it needs."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, [_said(error)], frozenset()
    wrong = [_said(error) for error in validate(schema(), document)]
    return document, wrong, frozenset() if wrong else needed(document)


def _said(error: GraphQLError) -> dict[str, Any]:
    said: dict[str, Any] = {"message": error.message}
    if error.locations:
        said["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    if error.path:
        said["path"] = error.path
    return said
