"""AWS Lambda: one event is one request. In: a house as an app. Out: a handler for events of API Gateway (REST and HTTP), function URLs and
application load balancers, and for a schedule that keeps an instance warm.

Events are made requests by mangum (``everloop[lambda]``), the only library for it that is kept, and only here. Its own lifespan would begin
and end the house with every event, so it is left out; and so that nobody who may invoke a function passes for this machine, every request
says that it came by way of somebody. https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from everloop.errors import EverloopError, Missing

VIA: Final = (b"via", b"1.1 lambda")
SCHEDULED: Final = "aws.events"
"""The ``source`` of an event of EventBridge, which a schedule sends."""


class Behind(Protocol):
    """A house as one instance of a function has it."""

    asgi: Any

    def check(self) -> None: ...

    def catch_up(self) -> None: ...

    def let_go(self) -> None: ...


@dataclass(frozen=True)
class Function:
    """One instance of a function: what Lambda calls with an event and its context. ``answered`` makes a reply of an event, on ``loop``."""

    house: Behind
    answered: Callable[[dict[str, Any], Any], dict[str, Any]]
    loop: asyncio.AbstractEventLoop

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Before an event it catches up with what is in force, for an instance stands still in between; after it, what was answered is left
        to whoever seals it. Raises EverloopError for an event that is no request, HouseBusy where a schedule finds that it cannot answer."""
        self.house.catch_up()
        if event.get("source") == SCHEDULED:
            self.house.check()
            return {"ready": True}
        if "requestContext" not in event:
            said = ", ".join(sorted(map(str, event))[:8]) or "nothing"
            raise EverloopError(
                f"This event is no request: it says {said}. Events of API Gateway, of a function URL and of a load balancer are, and a "
                "schedule of EventBridge keeps an instance warm."
            )
        asyncio.set_event_loop(self.loop)  # mangum asks for the one of this thread
        try:
            return self.answered(dict(event), context)
        finally:
            self.house.let_go()


def handler(house: Behind) -> Function:
    """What Lambda calls. Raises Missing."""
    try:
        from mangum import Mangum
    except ImportError:
        raise Missing("mangum", "lambda", "A handler of AWS Lambda") from None

    return Function(house, Mangum(_from_afar(house.asgi), lifespan="off"), asyncio.new_event_loop())


def _from_afar(asgi: Any) -> Any:
    """An app that takes nobody for somebody on its own machine."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asgi({**scope, "headers": [*scope["headers"], VIA]}, receive, send)

    return app
