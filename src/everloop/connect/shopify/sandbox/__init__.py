"""A shop in a box: Shopify's Admin API over its own schema, its tokens, costs and bulk operations, and webhooks that misbehave.

    with running() as sandbox:
        sandbox.settings            # [shopify] of a house that works for it
        sandbox.shop.order([…])     # somebody buys; listeners hear webhooks
        sandbox.emit("http://127.0.0.1:8322/shopify/webhooks", Chaos(repeats=0.2))

Needs ``everloop[shopify]``. Nothing here is used by a house that works for a real shop.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from everloop.connect.shopify.sandbox.asked import Asked
from everloop.connect.shopify.sandbox.bulk import Bulk
from everloop.connect.shopify.sandbox.carried import carried_in_bulk
from everloop.connect.shopify.sandbox.door import STATIC, Door
from everloop.connect.shopify.sandbox.emitter import Chaos, Emitter
from everloop.connect.shopify.sandbox.events import Events, subscribed
from everloop.connect.shopify.sandbox.grants import Grants
from everloop.connect.shopify.sandbox.points import Faults, Points
from everloop.connect.shopify.sandbox.schema import schema
from everloop.connect.shopify.sandbox.shop import Bought, Shop
from everloop.errors import EverloopError
from everloop.settings import Shopify

if TYPE_CHECKING:
    from everloop.connect.shopify.admin import Admin

__all__ = ["Bought", "Chaos", "Emitter", "Sandbox", "Shop", "running"]

CLIENT_ID, SECRET = "sandbox", "hush"


@dataclass
class Sandbox:
    """A shop that is answering at ``url``."""

    url: str
    shop: Shop
    door: Door
    emitters: list[Emitter] = field(default_factory=list)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30), repr=False)
    """What its clients ask with; closed with it."""

    @property
    def settings(self) -> Shopify:
        """What ``[shopify]`` says in a house that works for this shop."""
        grants = self.door.grants
        return Shopify(
            shop=self.shop.domain, client_id=grants.client_id, secret=grants.secret, admin=self.url, house="http://127.0.0.1:8321"
        )

    @property
    def faults(self) -> Faults:
        return self.door.faults

    @property
    def bulk(self) -> Bulk:
        return self.door.bulk

    def emit(self, address: str, chaos: Chaos = Chaos(), *, speed: float = 3600.0, workers: int = 4, events: bool = False) -> Emitter:
        """From now on what happens in the shop is told to this address, as webhooks; and beside them as the ``events`` the app subscribes
        to."""
        emitter = Emitter(address, self.door.grants.secret, self.shop.domain, chaos=chaos, speed=speed, workers=workers)
        self.emitters.append(emitter)
        self.shop.listeners.append(emitter)
        if events:
            self.shop.listeners.append(Events(self._opened, emitter.event, tuple(subscribed())))
        return emitter

    def _opened(self) -> Asked:
        return Asked(self.shop, self.door.grants.scopes, self.bulk)

    def admin(self) -> Admin:
        """A client of it, with a token that is always good."""
        from everloop.connect.shopify.admin import Admin

        return Admin(self.url, self.settings.api_version, _Static(STATIC), self.client)


@dataclass(frozen=True)
class _Static:
    token: str

    def said(self) -> str:
        return self.token

    def instead_of(self, refused: str) -> str:
        return self.token


@contextmanager
def running(
    shop: Shop | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    secret: str = SECRET,
    client_id: str = CLIENT_ID,
    scopes: Sequence[str] | None = None,
    token_lives: float | None = None,
    points: Points | None = None,
    bulk_seconds: float = 0.0,
    app_url: str | None = None,
) -> Iterator[Sandbox]:
    """A shop that answers on a free port (or ``port``) of this machine until the block ends; in threads of this process."""
    import uvicorn

    shop = shop or Shop()
    schema()
    with tempfile.TemporaryDirectory(prefix="everloop-sandbox-") as folder, socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise EverloopError(f"Nothing can answer on {host}:{port}: {error.strerror}. Say another port, or 0 for any.") from None
        bulk = Bulk(Path(folder), carried_in_bulk, bulk_seconds)
        grants = Grants(client_id, secret, tuple(scopes or shop.scopes), token_lives)
        door = Door(shop, grants, points or Points(), Faults(), bulk, app_url)
        config = uvicorn.Config(door.asgi(), log_level="critical", lifespan="off", timeout_graceful_shutdown=2, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True, name="sandbox")
        bulk.url = f"http://{host}:{listening.getsockname()[1]}"
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        sandbox = Sandbox(bulk.url, shop, door)
        try:
            yield sandbox
        finally:
            for emitter in sandbox.emitters:
                emitter.end()
            sandbox.client.close()
            server.should_exit = True
            thread.join(5)
