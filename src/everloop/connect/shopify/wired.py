"""Everything behind a shop's door, put together: the storefront, Flow, the merchant's hand, tags of orders, and privacy. In: settings, the
shop's own database, a house, the Admin API. Out: a door. The one place where these meet.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from everloop.clock import wall
from everloop.connect.shopify import about_people, privacy
from everloop.connect.shopify.beside import Beside
from everloop.connect.shopify.door import Door
from everloop.connect.shopify.front import front
from everloop.connect.shopify.hand import Hand, follow
from everloop.connect.shopify.house import House, Row
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.leave import leave
from everloop.connect.shopify.mirror import Shop
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.prompt import Promptly, hears
from everloop.connect.shopify.seen import SeenFlags
from everloop.connect.shopify.tags import Tags
from everloop.errors import EverloopError
from everloop.settings import Shopify

_log = logging.getLogger("everloop.shopify")


class Uninstalled(EverloopError):  # noqa: N818 - named by what happened, as those of errors.py
    """The app is not in the shop any more, and nothing is written there."""


@dataclass(frozen=True)
class WhileInstalled:
    """The Admin API for as long as the shop has the app: from ``app/uninstalled`` (or ``everloop shopify leave``) on nothing is asked."""

    shop: Shop
    place: Place

    def ask(self, document: str, /, **variables: Any) -> Row:
        """The data of a document. Raises Uninstalled, and what the shop raises."""
        if not about_people.installed(self.place):
            raise Uninstalled("The app has left the shop. Install it again, then open the door again: everloop shopify serve")
        return self.shop.ask(document, **variables)


def wired(said: Shopify, place: Place, house: House, shop: Shop, *, told: Callable[[str], object] = _log.info) -> Door:
    """A door with everything behind it."""
    installed = WhileInstalled(shop, place)
    hand, tags = Hand(SeenFlags(place), house, installed), Tags(installed, place)

    def say(line: str) -> None:
        told(line)

    before = front(said, place, house, ask=installed.ask, told=say)

    def tag(delivery: Delivery) -> None:
        tags.wish(json.loads(delivery.body))

    def take_away() -> None:
        # Its token opens nothing any more, as a rule: then what was written stays, and Shopify says so to the merchant.
        with suppress(EverloopError):
            leave(shop, place)

    def carry_out(stop: threading.Event) -> None:
        privacy.keep_carrying_out(place, house, stop, uninstall=take_away)

    beside: list[Beside] = [
        *before.beside,
        Beside("promptly", Promptly(place, hand, told).carry),
        Beside("flags", lambda stop: follow(hand, said.poll.total_seconds(), stop, told)),
        Beside("tags", lambda stop: tags.carry(stop, told)),
        Beside("privacy", carry_out),
    ]
    does = {**before.does, **privacy.does(place), "metaobjects/*": hears(hand), "orders/create": tag}
    return Door(said, place, house, routes=before.routes, does=does, beside=beside)


def looked_whether_installed(place: Place, shop: Shop) -> None:
    """An app that was uninstalled and answers again is in the shop again. Where it does not answer, it is not."""
    if not about_people.installed(place):
        with suppress(EverloopError):
            shop.ask("shop")
            about_people.installed_again(place, wall())
