"""The mirror: how models stand, in the app's own metafield: a theme reads ``app.metafields.everloop.serving``, and no merchant can edit it.

Written by compare-and-set: should two doors write at once, the later reads what is there and writes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.house import Row
from everloop.errors import EverloopError

NAMESPACE: Final = "everloop"
KEY: Final = "serving"
TRIES: Final = 5


def mirrored(standing: Iterable[Row]) -> dict[str, Any]:
    """What a theme is told of each model. ``on`` is false while a person holds it: then only what the champion says is shown.

    >>> mirrored([{"model": "recs", "champion": "recs@3", "candidate": None, "stage": "steady", "share": 0.0, "held": "Kim: odd"}])
    {'form': 1, 'models': {'recs': {'on': False, 'champion': 'recs@3', 'candidate': None, 'stage': 'steady', 'share': 0.0}}}
    """
    told = ("champion", "candidate", "stage", "share", "assignment")
    models = {str(one["model"]): {"on": not one.get("held")} | {key: one[key] for key in told if key in one} for one in standing}
    return {"form": 1, "models": models}


def mirror(shop: Shop, value: Mapping[str, Any]) -> bool:
    """Put this into the metafield, where it says something else; whether it did. Raises what ``shop`` raises, STALE_OBJECT among it where
    somebody else was faster five times."""
    return put(shop, NAMESPACE, KEY, json.dumps(value, sort_keys=True, separators=(",", ":")))


def put(shop: Shop, namespace: str, key: str, text: str) -> bool:
    """JSON into one of the app's own metafields, by compare-and-set; whether it said something else before."""
    for attempt in range(TRIES):
        there = shop.ask("app_metafield", namespace=namespace, key=key)["currentAppInstallation"]
        field = there.get("metafield") or {}
        if same(field.get("value"), text):
            return False
        said = {"ownerId": there["id"], "namespace": namespace, "key": key, "type": "json", "value": text}
        try:
            shop.ask("metafields_set", metafields=[said | {"compareDigest": field.get("compareDigest")}])
            return True
        except EverloopError as error:
            if not stale(error) or attempt == TRIES - 1:
                raise
    return False


def stale(error: EverloopError) -> bool:
    """Whether somebody else wrote what was to be written since it was read.

    >>> stale(EverloopError("no"))
    False
    """
    return "STALE_OBJECT" in getattr(error, "codes", ())


def same(there: str | None, wanted: str) -> bool:
    """Whether a metafield says this already; a shop may write the same JSON otherwise.

    >>> same('{"a": 1}', '{"a":1}'), same(None, "{}"), same("a", "b")
    (True, False, False)
    """
    if there is None or there == wanted:
        return there is not None
    try:
        return bool(json.loads(there) == json.loads(wanted))
    except ValueError:
        return False
