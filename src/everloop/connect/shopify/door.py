"""The shop's door: one ASGI app for all that comes from a shop, and the threads behind it. A process of its own, so that an ack never
waits.

Routes and threads are given by who knows them (webhooks.py, flow.py, proxy.py, hand.py, streams.py); this file starts and ends them
together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from everloop.connect.shopify import book, inbox, webhooks
from everloop.connect.shopify.beside import Beside
from everloop.connect.shopify.drain import Does, Drain
from everloop.connect.shopify.house import House
from everloop.connect.shopify.letterbox import Letterbox
from everloop.connect.shopify.place import Place
from everloop.settings import Shopify

_log = logging.getLogger("everloop.shopify")


@dataclass(frozen=True)
class Door:
    """What a door opens onto: ``does`` is who is handed deliveries of a topic (``shop/redact``, ``metaobjects/*``), ``published`` says
    through which delivery (its number) somebody else has their bodies, where somebody is to have them."""

    settings: Shopify
    place: Place
    house: House
    routes: Sequence[BaseRoute] = ()
    does: Mapping[str, Does] = field(default_factory=dict)
    beside: Sequence[Beside] = ()
    published: Callable[[], int] | None = None


def app(door: Door) -> Starlette:
    """The door as an ASGI app. Its tables are made, and its threads started, when the server starts; ended when it has replied to
    everybody."""
    inbox.open_inbox(door.place)
    book.open_book(door.place)
    drain = Drain(door.place, door.house, does=door.does, currency=door.settings.currency, published=door.published)
    letterbox = Letterbox(door.place, came=drain.woken.set)

    async def health(_: Request) -> Response:
        return JSONResponse({"shop": door.settings.shop, "house": "down" if drain.down else "up"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        keeping = Beside("letterbox", letterbox.carry, wake=letterbox.close)
        others = [Beside("drain", drain.carry, wake=drain.woken.set), *door.beside]
        for one in (keeping, *others):
            one.start()
        yield
        for one in (keeping, *reversed(others)):
            one.stop()

    return Starlette(
        routes=[
            *webhooks.routes(door.settings, letterbox),
            *door.routes,
            Route("/shopify/health", health, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
