"""AWS Lambda: one event is one request. In: a house as an app. Out: a handler for events of API Gateway (REST and HTTP), function URLs and
application load balancers, and for a schedule that keeps an instance warm.

Events are made requests by mangum (``everloop[lambda]``), the only library for it that is kept, and only here. Its own lifespan would begin
and end the house with every event, so it is left out; and so that nobody who may invoke a function passes for this machine, every request
says that it came by way of somebody. https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from everloop.clock import monotonic
from everloop.errors import EverloopError, Missing

VIA: Final = (b"via", b"1.1 lambda")
SCHEDULED: Final = "aws.events"
"""The ``source`` of an event of EventBridge, which a schedule sends."""


class Behind(Protocol):
    """A house as one instance of a function has it."""

    @property
    def asgi(self) -> Any: ...

    def check(self) -> None: ...

    def catch_up(self) -> None: ...

    def let_go(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Function:
    """One instance of a function: what Lambda calls with an event and its context. ``answered`` makes a reply of an event, on ``loop``."""

    house: Behind
    answered: Callable[[dict[str, Any], Any], dict[str, Any]]
    loop: asyncio.AbstractEventLoop

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Before an event it catches up with what is in force, for an instance stands still in between; after it, what was answered is left
        to whoever seals it. Raises EverloopError for an event that is no request, HouseBusy where it cannot answer."""
        self.house.catch_up()
        if event.get("source") == SCHEDULED:
            self.house.check()
            return {"ready": True}
        _request(event)
        asyncio.set_event_loop(self.loop)  # mangum asks for the one of this thread
        try:
            return self.answered(dict(event), context)
        finally:
            self.house.let_go()

    def close(self) -> None:
        """Answer no more. Lambda never asks for it: it ends an instance without a word."""
        self.house.close()
        _over(self.loop)


@dataclass(frozen=True)
class Doorway:
    """One instance of a function that is the door of a shop. ``opened`` gives a door's app, and what tells whether something waits;
    its threads live for one event, and for ``linger`` seconds more where something waits. A schedule opens it for ``carried`` seconds."""

    opened: Callable[[], tuple[Any, Callable[[], bool]]]
    mangum: Callable[..., Callable[[dict[str, Any], Any], dict[str, Any]]]
    loop: asyncio.AbstractEventLoop
    linger: float = 3.0
    carried: float = 20.0

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Raises EverloopError for an event that is no request."""
        asyncio.set_event_loop(self.loop)
        app, waits = self.opened()
        if event.get("source") == SCHEDULED:
            self.loop.run_until_complete(_lived(app, lambda: self._carried(waits)))
            return {"waits": waits()}
        _request(event)

        async def answered(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if scope["type"] == "http":
                await _until(lambda: not waits(), self.linger)

        return self.mangum(_from_afar(answered), lifespan="on")(dict(event), context)

    def close(self) -> None:
        """Open no more."""
        _over(self.loop)

    async def _carried(self, waits: Callable[[], bool]) -> None:
        await asyncio.sleep(min(1.0, self.carried))  # those who look now and then have looked once
        await _until(lambda: not waits(), self.carried)


def doorway(opened: Callable[[], tuple[Any, Callable[[], bool]]]) -> Doorway:
    """What Lambda calls for a shop. Raises Missing."""
    return Doorway(opened, _mangum(), _begun())


def handler(house: Behind) -> Function:
    """What Lambda calls. Raises Missing."""
    mangum, loop = _mangum(), _begun()
    return Function(house, mangum(_from_afar(house.asgi), lifespan="off"), loop)


def _begun() -> asyncio.AbstractEventLoop:
    """A loop for all events of an instance. mangum would make one of its own where this thread has none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def _over(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()
    asyncio.set_event_loop(None)


def _mangum() -> Any:
    try:
        from mangum import Mangum
    except ImportError:
        raise Missing("mangum", "lambda", "A handler of AWS Lambda") from None

    return Mangum


def _request(event: Mapping[str, Any]) -> None:
    """Raises EverloopError for an event that is none."""
    if "requestContext" not in event:
        said = ", ".join(sorted(map(str, event))[:8]) or "nothing"
        raise EverloopError(
            f"This event is no request: it says {said}. Events of API Gateway, function URLs and load balancers are, and a schedule of "
            "EventBridge keeps an instance warm."
        )


async def _until(done: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so, no longer than these seconds."""
    until = monotonic() + seconds
    while not await asyncio.to_thread(done) and monotonic() < until:
        await asyncio.sleep(0.05)


async def _lived(app: Any, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """An app's whole life, which lasts as long as what is done meanwhile. Raises EverloopError where it does not start."""
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, asked.get, said.put))
    await asked.put({"type": "lifespan.startup"})
    if (began := await said.get())["type"] != "lifespan.startup.complete":
        raise EverloopError(f"The door does not open: {began.get('message')}")
    await meanwhile()
    await asked.put({"type": "lifespan.shutdown"})
    await said.get()
    await life


def _from_afar(asgi: Any) -> Any:
    """An app that takes nobody for somebody on its own machine."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asgi({**scope, "headers": [*scope["headers"], VIA]} if scope["type"] == "http" else scope, receive, send)

    return app
