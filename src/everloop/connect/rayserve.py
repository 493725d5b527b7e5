"""Ray Serve around a house: each replica is a worker of it, behind Ray's own proxies. In: what opens a house. Out: an application.

The only file that imports ``ray.serve`` (``everloop[rayserve]``). Ray chooses a replica whatever the unit is; who is answered by which
version is the house's own assignment, which every replica reads from the same routes. https://docs.ray.io/en/latest/serve/http-guide.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from everloop.errors import Missing

NAME: Final = "everloop"
AT_ONCE: Final = 64
"""Requests that Ray hands one replica at a time: as many as a house has at its doors at once."""
LEAVING: Final = 30.0
"""Seconds a replica that is to end has for what it was handed."""


class Behind(Protocol):
    """A house as a replica has it."""

    @property
    def asgi(self) -> Any: ...

    def check(self) -> None: ...


def application(opening: Callable[[], Behind], **options: Any) -> Any:
    """An application of Ray Serve. ``opening`` travels to each replica, where it is called once; ``options`` are a deployment's.

    Raises Missing where Ray Serve is not installed.
    """
    try:
        from ray import serve
    except ImportError:
        raise Missing("Ray Serve", "rayserve", "An application of Ray Serve") from None

    def opened() -> Any:
        return _Answering(opening())

    class Everloop:
        """One replica. Ray calls ``check_health`` every few seconds, and replaces a replica that raises."""

        async def check_health(self) -> None:
            # A house whose disk stalls must not hold up the others that this loop answers.
            await asyncio.to_thread(self.app.house.check)  # type: ignore[attr-defined]

    said = {"name": NAME, "max_ongoing_requests": AT_ONCE, "graceful_shutdown_timeout_s": LEAVING} | options
    return serve.deployment(**said)(serve.ingress(opened)(Everloop)).bind()


class _Answering:
    """The app of a house, as Ray calls it."""

    def __init__(self, house: Behind) -> None:
        self.house = house

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.house.asgi(scope, receive, send)
