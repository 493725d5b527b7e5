"""Everything behind a shop's door, put together: the storefront, Flow, the merchant's hand, tags of orders, privacy, and the way in of an
embedded app. In: settings, the shop's own database, a house, the Admin API. Out: a door. The one place where these meet.
"""

from __future__ import annotations

import json
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from everloop.clock import wall
from everloop.connect.shopify import about_people, embedded, privacy
from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.beside import Beside, Told
from everloop.connect.shopify.door import Door
from everloop.connect.shopify.front import front
from everloop.connect.shopify.hand import Hand, follow
from everloop.connect.shopify.house import House, Row
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.leave import leave
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.prompt import Promptly, hears
from everloop.connect.shopify.seen import SeenFlags
from everloop.connect.shopify.tags import Tags
from everloop.connect.shopify.tokens import Tokens
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


def wired(
    said: Shopify,
    place: Place,
    house: House,
    shop: Shop,
    *,
    soon: House | None = None,
    tokens: Tokens | None = None,
    told: Told = _log.info,
) -> Door:
    """A door with everything behind it. ``soon`` is the same house asked by a way that waits no longer than storefronts do; ``tokens`` are
    those ``shop`` is asked with, which an embedded app gets anew, and which nobody keeps once the app is uninstalled."""
    installed = WhileInstalled(shop, place)
    hand, tags = Hand(SeenFlags(place), house, installed), Tags(installed, place)
    before = front(said, place, house, soon=soon, admin=installed, told=told)

    def tag(delivery: Delivery) -> None:
        tags.wish(json.loads(delivery.body))

    def take_away() -> None:
        # Its token opens nothing any more, as a rule: then what was written stays, and Shopify says so to the merchant.
        with suppress(EverloopError):
            leave(shop, place)
        if tokens is not None:
            tokens.forget()

    def carry_out(stop: threading.Event) -> None:
        privacy.keep_carrying_out(place, house, stop, uninstall=take_away)

    beside: list[Beside] = [
        *before.beside,
        Beside("promptly", Promptly(place, hand, told).carry),
        Beside("flags", lambda stop: follow(hand, said.poll.total_seconds(), stop, told)),
        Beside("tags", lambda stop: tags.carry(stop, told)),
        Beside("privacy", carry_out),
    ]
    does = {**before.does, **privacy.does(place, said.secret), "metaobjects/*": hears(hand), "orders/create": tag}
    routes = [*before.routes, *(embedded.routes(said, place, tokens) if tokens is not None else ())]
    return Door(said, place, house, routes=routes, does=does, beside=beside)


def looked_whether_installed(place: Place, shop: Shop) -> None:
    """An app that was uninstalled and answers again is in the shop again. Where it does not answer, it is not."""
    if not about_people.installed(place):
        with suppress(EverloopError):
            shop.ask("shop")
            about_people.installed_again(place, wall())
