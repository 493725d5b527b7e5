"""Arms in the admin: a metaobject for each version that answers somebody, so that a report's filter by tag can be read.

``$app:experiment_arm`` says model, arm, version, its share of the units and the tag its orders have; one whose arm is no more says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.flags import differing, flag_of, handle_of
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.metafields import paged_type
from everloop.connect.shopify.tags import PREFIX

TYPE: Final = "$app:experiment_arm"


def arms_of(standing: Row) -> Iterator[Mapping[str, str]]:
    """Who answers for a model now, arm by arm.

    >>> stands = {"model": "recs", "champion": "recs@3", "candidate": "recs@4", "stage": "canary", "share": 0.1}
    >>> [(arm["version"], arm["share_percent"]) for arm in arms_of(stands)]
    [('recs@3', '90'), ('recs@4', '10')]
    """
    model, share = str(standing["model"]), float(standing.get("share") or 0) if standing.get("stage") == "canary" else 0.0
    if standing.get("champion"):
        yield _arm(model, "champion", str(standing["champion"]), 1 - share)
    if share:
        yield _arm(model, "candidate", str(standing.get("candidate") or ""), share)


def tell_arms(shop: Shop, standing: Iterable[Row]) -> int:
    """Write each arm as it is now, where it says something else; how many were written. Raises what the shop raises."""
    wanted = {handle_of(f"{arm['model']}-{arm['arm']}"): arm for one in standing for arm in arms_of(one)}
    there = {flag.handle: flag for flag in map(flag_of, paged_type(shop, TYPE))}
    over = {handle: {"version": "", "share_percent": "0"} for handle in there.keys() - wanted.keys()}
    written = 0
    for handle, fields in (wanted | over).items():
        different = differing(there.get(handle), fields)
        if different:
            said = {"fields": [{"key": key, "value": value} for key, value in different.items()]}
            shop.ask("metaobject_upsert", handle={"type": TYPE, "handle": handle}, metaobject=said)
            written += 1
    return written


def _arm(model: str, arm: str, version: str, share: float) -> dict[str, str]:
    return {"model": model, "arm": arm, "version": version, "share_percent": f"{100 * share:.4g}", "tag": f"{PREFIX}{arm}"}
