"""The door of a shop as its settings have it. In: settings. Out: a door with everything behind it, to be served. Asks whether the shop has
the app."""

from __future__ import annotations

from dataclasses import replace

from everloop.connect.shopify.admin import Admin
from everloop.connect.shopify.door import Door
from everloop.connect.shopify.house import Asked
from everloop.connect.shopify.place import Journal, Place
from everloop.connect.shopify.proxy import PATIENCE
from everloop.connect.shopify.tokens import Tokens
from everloop.connect.shopify.wired import looked_whether_installed, wired
from everloop.settings import Settings


def door_of(settings: Settings, *, journal: Journal = "wal") -> Door:
    """The door of the shop that these settings name, which must name one. ``journal`` is how ``shopify.db`` is written."""
    said = settings.shopify
    assert said is not None
    place, house = Place(settings.house / "shopify.db", journal), Asked(said.house, said.key)
    tokens = Tokens(said, place)
    admin = Admin(said.admin, said.api_version, tokens)
    looked_whether_installed(place, admin)
    door = wired(said, place, house, admin, soon=replace(house, seconds=PATIENCE), tokens=tokens)
    if said.streams is None:
        return door
    from everloop.connect.shopify.beside import Beside
    from everloop.connect.shopify.streams import Stream

    stream = Stream(place, said.streams, said.shop)
    return replace(
        door, beside=[*door.beside, Beside("stream", stream.carry)], published=stream.published if said.streams.publish else None
    )
