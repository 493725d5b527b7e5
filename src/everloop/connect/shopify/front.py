"""The front of a shop: what its storefronts and its merchants' workflows meet of a house. In: a shop, a place, a house. Out: routes, what
runs beside them, and who wants to see which deliveries. ``door.py`` puts them beside its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from starlette.routing import BaseRoute

from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.beside import Beside, Told
from everloop.connect.shopify.flow import Actions
from everloop.connect.shopify.heard import Heard
from everloop.connect.shopify.house import House
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.proxy import Storefront
from everloop.connect.shopify.runs import Runs
from everloop.connect.shopify.shelf import Shelf, named
from everloop.connect.shopify.triggers import Triggers
from everloop.settings import Shopify

PRODUCTS = ("products/create", "products/update", "products/delete", "Product/create", "Product/update", "Product/delete")


@dataclass(frozen=True)
class Front:
    """What a door opens in front: give ``routes``, ``does`` and ``beside`` to ``door.Door``."""

    routes: Sequence[BaseRoute]
    beside: Sequence[Beside]
    does: Mapping[str, Callable[[Delivery], None]]
    shelf: Shelf
    triggers: Triggers


def front(
    shop: Shopify,
    place: Place,
    house: House,
    *,
    soon: House | None = None,
    admin: Shop | None = None,
    told: Told = print,
) -> Front:
    """The front of a shop. ``soon`` is the same house asked by a way that waits no longer than storefronts do (``proxy.PATIENCE``); without
    ``admin`` Flow is told nothing."""
    shelf, heard, runs, triggers = Shelf(place), Heard(place), Runs(place), Triggers(place)
    storefront, actions = Storefront(shop, soon or house, shelf, heard), Actions(shop, runs)
    beside = [
        Beside("outcomes", lambda stop: heard.carry(house, stop, told)),
        Beside("runs", lambda stop: runs.carry(house, stop, actions.woken, told), actions.woken.set),
    ]
    if admin is not None:
        beside.append(Beside("triggers", partial(triggers.carry, house, admin, told=told)))

    def does(delivery: Delivery) -> None:
        _on_the_shelf(shelf, delivery)

    return Front([*storefront.routes(), *actions.routes()], beside, dict.fromkeys(PRODUCTS, does), shelf, triggers)


def _on_the_shelf(shelf: Shelf, delivery: Delivery) -> None:
    """What a product is called in links, as it was just said."""
    said = msgspec.json.decode(delivery.body)
    one = named(said, gone=delivery.topic.endswith("/delete")) if isinstance(said, dict) else None
    if one is not None:
        shelf.name([one])
