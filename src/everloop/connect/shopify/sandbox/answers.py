"""What a query reads of a shop in memory: the real schema asks, things answer by their own field names, and lists become pages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import everloop.connect.shopify.sandbox.changes as changes
from everloop.connect.shopify.sandbox.asked import Asked, Thing
from everloop.connect.shopify.sandbox.language import (
    GraphQLError,
    GraphQLNonNull,
    GraphQLResolveInfo,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from everloop.connect.shopify.sandbox.payloads import number
from everloop.connect.shopify.sandbox.search import matching

Read = Callable[..., Any]


def resolved(source: Any, info: GraphQLResolveInfo[Any], /, **said: Any) -> Any:
    """The value of one field: what the shop's tables, its things or the operation say. A field nobody told the sandbox of is an error."""
    asked: Asked = info.context
    name, kind = info.field_name, info.parent_type.name
    if kind == "Mutation":
        change = changes.CHANGES.get(name)
        if change is None:
            raise GraphQLError(f"The sandbox does not do {name}. It does: {', '.join(sorted(changes.CHANGES))}.")
        with asked.shop.lock:
            return change(asked, **said)
    if kind == "QueryRoot":
        read = QUERIES.get(name)
        if read is None:
            raise GraphQLError(f"The sandbox does not know the query {name}. It knows: {', '.join(sorted(QUERIES))}.")
        with asked.shop.lock:
            found = read(asked, **said)
    else:
        found = _of(source, kind, name, asked, said)
    named = get_named_type(info.return_type).name
    if named.endswith("Connection") and not isinstance(found, dict):
        return _page(asked, info.path.as_list(), found or [], said)
    if found is None and isinstance(info.return_type, GraphQLNonNull):
        if is_list_type(get_nullable_type(info.return_type)):
            return []
        raise GraphQLError(f"The sandbox does not know {kind}.{name}: its things do not say it.")
    return found


def _of(source: Mapping[str, Any], kind: str, name: str, asked: Asked, said: Mapping[str, Any]) -> Any:
    special = FIELDS.get((kind, name)) or FIELDS.get(("", name))
    if special is not None and name not in source:
        return special(asked, source, **said)
    found = source.get(name)
    return found(**said) if callable(found) else found


# -- pages -----------------------------------------------------------------------------------------------------------------------------


def _page(asked: Asked, path: Sequence[Any], nodes: Sequence[Thing], said: Mapping[str, Any]) -> Thing:
    """A connection: filtered, sorted, and one page of it unless the operation is a bulk one."""
    found, ignored = matching(nodes, said.get("query"))
    if asked.ignores_filters and said.get("query"):
        found, ignored = list(nodes), ["query"]
    asked.warn(path, said.get("query"), ignored)
    order = _SORTED.get(str(said.get("sortKey")))
    if order is not None:
        found = sorted(found, key=lambda node: (str(node.get(order) or ""), _last(node)))
    if said.get("reverse"):
        found = found[::-1]
    if asked.bulk:
        return {"edges": [{"node": node} for node in found], "nodes": found, "pageInfo": {"hasNextPage": False, "hasPreviousPage": False}}
    begin = 0 if said.get("after") is None else _place(said["after"]) + 1
    first = said.get("first") or said.get("last")
    if first is None:
        raise GraphQLError("you must provide one of first or last")
    shown = found[begin : begin + min(int(first), 250)]
    edges = [{"node": node, "cursor": _cursor(begin + i)} for i, node in enumerate(shown)]
    info = {
        "hasNextPage": begin + len(shown) < len(found),
        "hasPreviousPage": begin > 0,
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "nodes": shown, "pageInfo": info}


_SORTED = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "PROCESSED_AT": "processedAt", "TITLE": "title"}


def _last(node: Mapping[str, Any]) -> tuple[int, str]:
    id = str(node.get("id") or "")
    return len(id), id


def _cursor(place: int) -> str:
    return base64.b64encode(f"sandbox:{place}".encode()).decode()


def _place(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("sandbox:"))
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.") from None


# -- queries ---------------------------------------------------------------------------------------------------------------------------


def _orders(asked: Asked, **_: Any) -> list[Thing]:
    return asked.visible_orders()


def _count(nodes: Callable[[Asked], Sequence[Thing]]) -> Read:
    def counted(asked: Asked, query: str | None = None, limit: int | None = 10_000, **_: Any) -> Thing:
        found, ignored = matching(nodes(asked), query)
        count = len(nodes(asked)) if asked.ignores_filters else len(found)
        asked.warn(["count"], query, ignored)
        return {"count": min(count, limit or count), "precision": "EXACT" if not limit or count <= limit else "AT_LEAST"}

    return counted


def _all(kind: str) -> Read:
    def read(asked: Asked, **_: Any) -> list[Thing]:
        return asked.shop.all(kind)

    return read


def _one(asked: Asked, id: str, **_: Any) -> Thing | None:
    return asked.shop.thing(id)


def _many(asked: Asked, ids: Sequence[str], **_: Any) -> list[Thing | None]:
    return [asked.shop.thing(id) for id in ids]


def _shop(asked: Asked, **_: Any) -> Thing:
    shop = asked.shop
    return {
        "__typename": "Shop", "id": "gid://shopify/Shop/1", "name": shop.domain.split(".")[0], "myshopifyDomain": shop.domain,
        "currencyCode": shop.currency, "ianaTimezone": "Etc/UTC", "taxesIncluded": shop.taxes_included, "url": f"https://{shop.domain}",
    }  # fmt: skip


def _installation(asked: Asked, **_: Any) -> Thing:
    scopes = [{"__typename": "AccessScope", "handle": scope, "description": scope} for scope in asked.scopes]
    return {**asked.shop.app, "accessScopes": scopes}


def _metaobjects(asked: Asked, type: str, **_: Any) -> list[Thing]:
    return [m for m in asked.shop.all("Metaobject") if m["type"] == type]


def _metaobject_by_handle(asked: Asked, handle: Mapping[str, str], **_: Any) -> Thing | None:
    return next((m for m in _metaobjects(asked, handle["type"]) if m["handle"] == handle["handle"]), None)


def _operation(asked: Asked, id: str, **_: Any) -> Thing | None:
    return asked.bulk_operations.get(id)


QUERIES: Mapping[str, Read] = {
    "shop": _shop,
    "currentAppInstallation": _installation,
    "orders": _orders,
    "ordersCount": _count(lambda asked: asked.visible_orders()),
    "products": _all("Product"),
    "productsCount": _count(lambda asked: asked.shop.all("Product")),
    "productVariants": _all("ProductVariant"),
    "inventoryItems": _all("InventoryItem"),
    "locations": _all("Location"),
    "events": _all("BasicEvent"),
    **dict.fromkeys(("node", "order", "product", "productVariant", "inventoryItem", "inventoryLevel", "location", "metaobject"), _one),
    "nodes": _many,
    "metaobjects": _metaobjects,
    "metaobjectByHandle": _metaobject_by_handle,
    "bulkOperation": _operation,
    "bulkOperations": lambda asked, **_: list(asked.bulk_operations.values()),
}


# -- fields that are more than a value -------------------------------------------------------------------------------------------------


def _metafield(asked: Asked, source: Thing, namespace: str = changes.OURS, key: str = "", **_: Any) -> Thing | None:
    return asked.shop.metafields.get((source["id"], changes.owned(namespace), key))


def _metafields(asked: Asked, source: Thing, namespace: str | None = None, keys: Sequence[str] | None = None, **_: Any) -> list[Thing]:
    space = None if namespace is None else changes.owned(namespace)
    return [
        field for (owner, ns, key), field in asked.shop.metafields.items()
        if owner == source["id"] and space in (None, ns) and (not keys or key in keys or f"{ns}.{key}" in keys)
    ]  # fmt: skip


def _quantities(asked: Asked, level: Thing, names: Sequence[str], **_: Any) -> list[Thing]:
    return [
        {"__typename": "InventoryQuantity", "id": f"gid://shopify/InventoryQuantity/{name}", "name": name, "quantity": level["available"],
         "updatedAt": level["updatedAt"]}
        for name in names
    ]  # fmt: skip


def _levels_of_location(asked: Asked, location: Thing, **_: Any) -> list[Thing]:
    return [level for level in asked.shop.all("InventoryLevel") if level["location"]["id"] == location["id"]]


def _entry_fields(asked: Asked, entry: Thing, **_: Any) -> list[Thing]:
    return [_entry_field(key, value) for key, value in entry["values"].items()]


def _one_entry_field(asked: Asked, entry: Thing, key: str, **_: Any) -> Thing | None:
    return _entry_field(key, entry["values"][key]) if key in entry["values"] else None


def _entry_field(key: str, value: str) -> Thing:
    return {"__typename": "MetaobjectField", "key": key, "value": value, "type": "single_line_text_field", "jsonValue": value}


def _legacy_id(asked: Asked, source: Thing, **_: Any) -> str:
    return str(number(str(source["id"])))


def _left(variant: Thing) -> int:
    return sum(level["available"] for level in variant["inventoryItem"]["inventoryLevels"])


FIELDS: Mapping[tuple[str, str], Read] = {
    ("", "metafield"): _metafield,
    ("", "metafields"): _metafields,
    ("", "legacyResourceId"): _legacy_id,
    ("InventoryLevel", "quantities"): _quantities,
    ("Location", "inventoryLevels"): _levels_of_location,
    ("InventoryItem", "inventoryLevel"): lambda asked, item, **_: next(iter(item["inventoryLevels"]), None),
    ("Product", "totalInventory"): lambda asked, product, **_: sum(_left(v) for v in product["variants"]),
    ("ProductVariant", "inventoryQuantity"): lambda asked, variant, **_: _left(variant),
    ("Metaobject", "fields"): _entry_fields,
    ("Metaobject", "field"): _one_entry_field,
}
