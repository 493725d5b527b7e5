"""What a mutation does to the shop in memory. Each answers what Shopify's does, its userErrors with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everloop.connect.shopify.sandbox.asked import Asked, Thing

Change = Callable[..., Thing]
OURS = "$app"
MOST_AT_ONCE = 25
FLOW_BYTES = 50_000


def owned(namespace: str | None) -> str:
    """The app's own namespace is said as ``$app``, or not at all.

    >>> owned(None), owned("$app"), owned("$app:loop"), owned("facts")
    ('$app', '$app', '$app:loop', 'facts')
    """
    return namespace or OURS


def _wrong(field: Sequence[str] | None, message: str, code: str | None = None, **more: Any) -> Thing:
    return {"field": None if field is None else list(field), "message": message, "code": code, **more}


def metafields_set(asked: Asked, metafields: Sequence[Mapping[str, Any]]) -> Thing:
    """All of them or none; with ``compareDigest``, only where the value is still the one that was read (null: where there is none)."""
    if len(metafields) > MOST_AT_ONCE:
        said = f"Exceeded the maximum metafields input limit of {MOST_AT_ONCE}."
        return {"metafields": None, "userErrors": [_wrong(["metafields"], said, "LESS_THAN_OR_EQUAL_TO", elementIndex=None)]}
    errors = [e for i, one in enumerate(metafields) for e in _unfit(asked, i, one)]
    if errors:
        return {"metafields": None, "userErrors": errors}
    kept = [asked.shop.keep(m["ownerId"], owned(m.get("namespace")), m["key"], m["value"], m.get("type")) for m in metafields]
    return {"metafields": kept, "userErrors": []}


def _unfit(asked: Asked, index: int, said: Mapping[str, Any]) -> list[Thing]:
    where = ["metafields", str(index)]
    if asked.shop.thing(said["ownerId"]) is None:
        return [_wrong([*where, "ownerId"], "Owner does not exist.", "INVALID", elementIndex=index)]
    there = asked.shop.metafields.get((said["ownerId"], owned(said.get("namespace")), said["key"]))
    if "compareDigest" in said and said["compareDigest"] != (there["compareDigest"] if there else None):
        return [_wrong(where, "The resource has been updated since it was loaded. Try again with an updated `compareDigest` value.",
                       "STALE_OBJECT", elementIndex=index)]  # fmt: skip
    if not there and not said.get("type"):
        return [_wrong([*where, "type"], "Type can't be blank", "BLANK", elementIndex=index)]
    kind = str(said.get("type") or (there or {}).get("type"))
    if kind == "json" or kind.startswith("list."):
        try:
            json.loads(said["value"])
        except ValueError:
            return [_wrong([*where, "value"], f"Value is invalid JSON: {said['value'][:40]}.", "INVALID_VALUE", elementIndex=index)]
    if kind in ("number_integer", "number_decimal") and not str(said["value"]).replace(".", "", 1).lstrip("-").isdigit():
        return [_wrong([*where, "value"], "Value must be a number.", "INVALID_VALUE", elementIndex=index)]
    return []


def metafields_delete(asked: Asked, metafields: Sequence[Mapping[str, Any]]) -> Thing:
    gone: list[Thing | None] = []
    for one in metafields:
        key = one["ownerId"], owned(one.get("namespace")), one["key"]
        there = asked.shop.metafields.pop(key, None)
        if there:
            asked.shop.things["Metafield"].pop(there["id"])
        gone.append({"ownerId": key[0], "namespace": key[1], "key": key[2]} if there else None)
    return {"deletedMetafields": gone, "userErrors": []}


def metaobject_upsert(asked: Asked, handle: Mapping[str, str], metaobject: Mapping[str, Any] | None = None, values: Any = None) -> Thing:
    said = {field["key"]: field["value"] for field in (metaobject or {}).get("fields") or ()}
    given = json.loads(values) if isinstance(values, str) else values or {}
    entry = asked.shop.edit(handle["type"], handle["handle"], **said, **given)
    return {"metaobject": entry, "userErrors": []}


def metaobject_delete(asked: Asked, id: str) -> Thing:
    if asked.shop.things.get("Metaobject", {}).pop(id, None) is None:
        return {"deletedId": None, "userErrors": [_wrong(["id"], "Record not found", "RECORD_NOT_FOUND")]}
    return {"deletedId": id, "userErrors": []}


def flow_trigger(asked: Asked, handle: str | None = None, payload: Any = None, body: str | None = None) -> Thing:
    """What a trigger carries is at most 50,000 bytes as JSON."""
    if len(json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()) > FLOW_BYTES:
        said = f"Errors validating schema:\n  Properties size exceeds the limit of {FLOW_BYTES} bytes.\n"
        return {"userErrors": [_wrong(["body"], said)]}
    asked.shop.flow.append((handle or "", payload))
    return {"userErrors": []}


def tags_add(asked: Asked, id: str, tags: Sequence[str]) -> Thing:
    return _tagged(asked, id, lambda have: [*have, *(tag for tag in tags if tag not in have)])


def tags_remove(asked: Asked, id: str, tags: Sequence[str]) -> Thing:
    return _tagged(asked, id, lambda have: [tag for tag in have if tag not in tags])


def _tagged(asked: Asked, id: str, change: Callable[[list[str]], list[str]]) -> Thing:
    thing = asked.shop.thing(id)
    if thing is None or "tags" not in thing:
        return {"node": None, "userErrors": [_wrong(["id"], "Resource not found")]}
    after = change(thing["tags"])
    if after != thing["tags"]:
        thing.update(tags=after, updatedAt=asked.shop.moment(None))
    return {"node": thing, "userErrors": []}


def bulk_query(asked: Asked, query: str, groupObjects: bool = False, **_: Any) -> Thing:  # noqa: N803 - the schema's word
    return asked.operations.ask(asked, query)


def bulk_mutation(asked: Asked, mutation: str, stagedUploadPath: str, **_: Any) -> Thing:  # noqa: N803
    return asked.operations.change(asked, mutation, stagedUploadPath)


def bulk_cancel(asked: Asked, id: str) -> Thing:
    return asked.operations.cancel(id)


def staged_upload(asked: Asked, input: Sequence[Mapping[str, Any]]) -> Thing:
    return {"stagedTargets": [asked.operations.staged(one) for one in input], "userErrors": []}


CHANGES: Mapping[str, Change] = {
    "metafieldsSet": metafields_set,
    "metafieldsDelete": metafields_delete,
    "metaobjectUpsert": metaobject_upsert,
    "metaobjectDelete": metaobject_delete,
    "flowTriggerReceive": flow_trigger,
    "tagsAdd": tags_add,
    "tagsRemove": tags_remove,
    "bulkOperationRunQuery": bulk_query,
    "bulkOperationRunMutation": bulk_mutation,
    "bulkOperationCancel": bulk_cancel,
    "stagedUploadsCreate": staged_upload,
}
