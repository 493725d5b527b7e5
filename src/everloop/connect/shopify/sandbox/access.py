"""What a document takes: the scopes it needs, and the protected customer data it shows, both as Shopify's own schema says of each field.

The schema says it in sentences, such as "`read_orders` access scope or `read_marketplace_orders` access scope.": scopes between backticks,
one of which is enough. What depends on a value, such as the owner of a metafield, it cannot say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from everloop.connect.shopify.sandbox.language import DocumentNode, TypeInfo, TypeInfoVisitor, Visitor, get_named_type, visit
from everloop.connect.shopify.sandbox.schema import HERE, described, schema
from everloop.connect.shopify.scopes import held

Ways = frozenset[str]
"""Scopes any one of which is enough."""


def needed(document: DocumentNode, file: Path = HERE) -> frozenset[Ways]:
    """What each field and type of a document asks for. All of them have to be met."""
    access = _said_of_access(file)
    found = (ways_of(access.get(key)) for parent, name, kind in _fields(document, file) for key in ((parent, name), (kind, "")))
    return frozenset(ways for ways in found if ways)


def lacking(needs: Iterable[Ways], granted: Iterable[str]) -> tuple[str, ...]:
    """One scope for each need that none of those granted meets.

    >>> lacking([frozenset({"read_orders", "read_quick_sale"}), frozenset({"read_customers"})], ["write_orders"])
    ('read_customers',)
    """
    have = held(tuple(granted))
    return tuple(sorted({min(ways, key=lambda s: (not s.startswith("read_"), len(s), s)) for ways in needs if not ways & have}))


def protected(document: DocumentNode, file: Path = HERE) -> dict[str, str]:
    """The fields of a document that show protected customer data, and which: address, email, name or phone."""
    said = _said_of_protection(file)
    return {f"{parent}.{name}": said[parent, name] for parent, name, _ in _fields(document, file) if (parent, name) in said}


def ways_of(sentence: str | None) -> Ways:
    """The scopes a sentence of the schema names; a bare ``orders`` is reading or writing them.

    >>> sorted(ways_of("`read_orders` access scope, `read_marketplace_orders` access scope or `read_quick_sale` access scope."))
    ['read_marketplace_orders', 'read_orders', 'read_quick_sale']
    >>> sorted(ways_of("Any of `orders` or `shipping` access scopes."))
    ['read_orders', 'read_shipping', 'write_orders', 'write_shipping']
    >>> ways_of(None)
    frozenset()
    """
    names = re.findall(r"`([a-z_]+)`", sentence or "")
    return frozenset(s for n in names for s in ((n,) if re.match("(read|write|manage)_", n) else (f"read_{n}", f"write_{n}")))


def _fields(document: DocumentNode, file: Path) -> list[tuple[str, str, str]]:
    """Each field of a document: the type it is on, its name, and the type it is of."""
    found: list[tuple[str, str, str]] = []
    types = TypeInfo(schema(file))

    class Seen(Visitor):
        def enter_field(self, node: Any, *_: Any) -> None:
            parent, kind = types.get_parent_type(), types.get_type()
            if parent is not None and kind is not None:
                found.append((parent.name, node.name.value, get_named_type(kind).name))

    visit(document, TypeInfoVisitor(types, Seen()))
    return found


@cache
def _said_of_access(file: Path) -> dict[tuple[str, str], str]:
    types = described(file)["__schema"]["types"]
    said = {(t["name"], ""): t["requiredAccess"] for t in types if t.get("requiredAccess")}
    return said | {(t["name"], f["name"]): f["requiredAccess"] for t in types for f in t.get("fields") or () if f.get("requiredAccess")}


@cache
def _said_of_protection(file: Path) -> dict[tuple[str, str], str]:
    types = described(file)["__schema"]["types"]
    fields = ((t["name"], f) for t in types for f in t.get("fields") or ())
    return {
        (of, f["name"]): str(f.get("protectedContent") or "protected")
        for of, f in fields
        if f.get("isProtected") or f.get("protectedContent")
    }
