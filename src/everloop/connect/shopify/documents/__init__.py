"""Everything the Admin API is asked, each document a file beside this one; none is put together from pieces.

A bulk operation takes no variables: ``inlined`` writes their values into its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from everloop.errors import Unknown

FOLDER: Final = Path(__file__).parent
IDS_AT_ONCE: Final = 25
"""How many things by their ids one query asks for, as many as one change may set: what such a document costs is reckoned with so many."""

HARMLESS_AGAIN: Final = frozenset({"metafields_set", "metafields_delete", "metaobject_upsert", "staged_upload", "tags_add", "tags_remove"})
"""Mutations after which the shop is the same whether they were said once or twice, so that one without an answer is said again."""


def names() -> tuple[str, ...]:
    """Every document there is, in order."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.graphql")))


@cache
def text(name: str) -> str:
    """The document of this name. Raises Unknown, which says those there are."""
    try:
        return (FOLDER / f"{name}.graphql").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Unknown("document", name, names()) from None


def changes(name: str) -> bool:
    """Whether this document changes the shop.

    >>> changes("shop"), changes("metafields_set")
    (False, True)
    """
    return re.search(r"^mutation\b", text(name), re.MULTILINE) is not None


def harmless_again(name: str) -> bool:
    """Whether it may be asked again when nobody knows if it was heard."""
    return not changes(name) or name in HARMLESS_AGAIN


def inlined(document: str, values: Mapping[str, Any]) -> str:
    """A document with its variables' values written in, as JSON texts and numbers, which GraphQL reads alike.

    >>> inlined("query Orders($filter: String) { orders(query: $filter) { edges { node { id } } } }", {"filter": 'name:"#1"'})
    'query Orders { orders(query: "name:\\\\"#1\\\\"") { edges { node { id } } } }'

    Raises Unknown for a variable without a value.
    """
    bare = re.sub(r"(query\s+\w+)\s*\([^)]*\)", r"\1", document, count=1)

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Unknown("value of the variable", match[1])
        return json.dumps(values[match[1]])

    return re.sub(r"\$(\w+)", value, bare)
