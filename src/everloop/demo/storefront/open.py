"""The shop in a box, its house and its door, open for as long as the story lasts, on a turned clock: the house in processes of its own, the
door and the box in threads of this one. Everything between them goes over HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette

from everloop.connect.shopify import door, sandbox
from everloop.connect.shopify.house import Asked
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.wired import wired
from everloop.demo.hands import Outside, started
from everloop.errors import EverloopError
from everloop.loop.house import House, open_house
from everloop.settings import Shopify, read_settings

PROJECT = Path(__file__).with_name("project.py")
DOMAIN = "complete-journey.myshopify.com"
PATIENCE = 600.0


@dataclass
class Clock:
    """What day it is in the story."""

    now: datetime

    def read(self) -> datetime:
        return self.now

    def client(self, seconds: float = PATIENCE) -> httpx.Client:
        """A client whose requests say what day it is."""
        return httpx.Client(event_hooks={"request": [self._said]}, timeout=seconds)

    def _said(self, request: httpx.Request) -> None:
        request.headers["Everloop-Now"] = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Open:
    """A shop and the house that works for it. ``house`` is read here, never written; ``hands`` reach it, and so does ``asked``."""

    clock: Clock
    shop: sandbox.Sandbox
    house: House
    hands: Outside
    asked: Asked
    place: Place
    address: str


@contextmanager
def opened(folder: Path, now: datetime, span: str) -> Iterator[Open]:
    """Everything, from when it is ready to the end. ``span``: what ``within`` and ``settles`` of everloop.toml say."""
    clock, port = Clock(now), _free_port()
    box = sandbox.Shop(DOMAIN, currency="USD", taxes_included=False, tax_rate="0.06", now=clock.read)
    with sandbox.running(box, app_url=f"http://127.0.0.1:{port}") as shop:
        (folder / "everloop.toml").write_text(_toml(shop, port, span))
        settings = read_settings(folder, house=folder / "house")
        house = open_house(PROJECT, settings=settings)
        try:
            with (
                started("run", PROJECT, settings.house, "--turned-clock") as (url, _),
                httpx.Client(base_url=url, timeout=PATIENCE) as client,
                clock.client() as dated,
            ):
                asked, place = Asked(url, client=dated), Place(settings.house / "shopify.db")
                assert settings.shopify is not None
                with _served(_door(settings.shopify, place, asked, shop), port) as address:
                    yield Open(clock, shop, house, Outside(house, client), asked, place, address)
        finally:
            house.store.close()


def _door(settings: Shopify, place: Place, asked: Asked, shop: sandbox.Sandbox) -> Starlette:
    """The door of the shop, as ``everloop shopify serve`` opens it, but on the story's clock."""
    return door.app(wired(settings, place, asked, shop.admin(), told=lambda _: None))


@contextmanager
def _served(app: Starlette, port: int) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True, name="door")
    thread.start()
    until(lambda: server.started, "the door opens")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


def until(done: Callable[[], bool], what: str, seconds: float = 300.0) -> None:
    """Wait until something is. Raises EverloopError where it takes too long."""
    last = time.monotonic() + seconds
    while not done():
        if time.monotonic() > last:
            raise EverloopError(f"Waited {seconds:g} s until {what}, in vain.")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _toml(shop: sandbox.Sandbox, port: int, span: str) -> str:
    said = {
        "shop": DOMAIN, "client_id": shop.settings.client_id, "secret": shop.settings.secret, "admin": shop.url, "port": port,
        "recommends": "recommend", "forecasts": "demand", "currency": "USD", "within": span, "settles": span,
    }  # fmt: skip
    return "[shopify]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items())
