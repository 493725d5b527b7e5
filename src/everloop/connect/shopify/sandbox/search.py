"""Shopify's search language, as much of it as we speak: ``updated_at:>=2026-11-01T00:00:00Z test:false``, all of it to hold.

A term nobody knows is *ignored*, as Shopify does, so that everything is found: whoever relies on a filter asks a canary first.
https://shopify.dev/docs/api/usage/search-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from everloop.connect.shopify.sandbox.payloads import number

Node = Mapping[str, Any]
_TERM = re.compile(r"""(\w+):\s*(>=|<=|>|<)?\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
FIELDS: Mapping[str, Callable[[Node], Any]] = {
    "id": lambda node: number(str(node["id"])),
    "created_at": lambda node: node.get("createdAt"),
    "updated_at": lambda node: node.get("updatedAt"),
    "processed_at": lambda node: node.get("processedAt"),
    "action": lambda node: node.get("action"),
    "subject_type": lambda node: node.get("subjectType"),
    "test": lambda node: str(bool(node.get("test"))).lower(),
    "status": lambda node: str(node.get("status", "open")).lower(),
    "vendor": lambda node: node.get("vendor"),
    "product_type": lambda node: node.get("productType"),
    "sku": lambda node: node.get("sku"),
    "handle": lambda node: node.get("handle"),
    "title": lambda node: node.get("title"),
}


def matching(nodes: Iterable[Node], query: str | None) -> tuple[list[Node], list[str]]:
    """The nodes all known terms of a query hold for, and the names of the terms that were ignored.

    >>> shop = [{"id": "gid://shopify/Order/1", "updatedAt": "2026-11-01T00:00:00Z"}, {"id": "gid://shopify/Order/2"}]
    >>> [node["id"] for node in matching(shop, "updated_at:>=2026-10-31T22:00:00Z")[0]]
    ['gid://shopify/Order/1']
    >>> found, ignored = matching(shop, "colour:red")
    >>> len(found), ignored
    (2, ['colour'])
    """
    found, ignored = list(nodes), []
    for name, sign, *values in _TERM.findall(query or ""):
        value = next(filter(None, values), "")
        if name not in FIELDS:
            ignored.append(name)
        elif value != "any":
            found = [node for node in found if _holds(FIELDS[name](node), sign, value)]
    return found, ignored


def _holds(have: Any, sign: str, value: str) -> bool:
    if have is None:
        return False
    left: Any = have
    right: Any = int(value) if isinstance(have, int) and value.lstrip("-").isdigit() else value
    if isinstance(left, str) and re.match(r"\d{4}-\d\d-\d\d", right if isinstance(right, str) else ""):
        left, right = _comparable(left), _comparable(str(right))
    elif isinstance(left, str) and not sign:
        return left.lower() == str(right).lower()
    answers: dict[str, bool] = {">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right, "": left == right}
    return answers[sign]


def _comparable(at: str) -> str:
    """An instant as text that sorts: UTC, a date alone as its midnight."""
    from everloop.clock import instant

    return f"{instant(at):%Y-%m-%dT%H:%M:%S}"
