"""Leaving a shop: everything this app wrote there is removed, before it is uninstalled and its token opens nothing any more.

Metafields and tags are remembered when they are written (``metafields.py``, ``tags.py``), metaobjects are found by their types. What was
begun goes on where it ended; what is gone already is no trouble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from everloop.connect.shopify import arms, flags
from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.metafields import Metafields, paged_type
from everloop.connect.shopify.mirror import KEY, NAMESPACE
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.tags import Tags

TYPES: Final = (flags.TYPE, arms.TYPE)


@dataclass(frozen=True)
class Left:
    """How much was removed."""

    metaobjects: int
    metafields: int
    orders: int

    def __str__(self) -> str:
        return (
            f"Removed {_many(self.metaobjects, 'metaobject')}, {_many(self.metafields, 'metafield')} and the tags of "
            f"{_many(self.orders, 'order')}. "
            "Nothing that was written here is in the shop any more; now uninstall the app in the admin."
        )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def leave(shop: Shop, place: Place) -> Left:
    """Remove all of it. The flags go first, and with them the merchant's hand: what it holds stays held. Raises what the shop raises."""
    objects = 0
    for kind in TYPES:
        for node in list(paged_type(shop, kind)):
            shop.ask("metaobject_delete", id=node["id"])
            objects += 1
    fields = Metafields(shop, place).remove()
    app = shop.ask("app_metafield", namespace=NAMESPACE, key=KEY)["currentAppInstallation"]
    if app.get("metafield"):
        shop.ask("metafields_delete", metafields=[{"ownerId": app["id"], "namespace": NAMESPACE, "key": KEY}])
        fields += 1
    return Left(objects, fields, Tags(shop, place).remove())
