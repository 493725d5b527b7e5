"""Server-sent events: every page that is open hears when the journal grew, and looks again itself (WHATWG HTML, 9.2).

A page carries how far the journal was before it was made, and its line begins there: what is kept while the page is on its way is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from everloop.console.app import Desk

EVERY = 0.5
"""Seconds between two looks at the journal, while somebody listens; one look for all of them."""
HEARTBEAT = 15.0
"""Seconds after which a listener that heard nothing is told that the line is alive, and is looked at again: is it still signed in?"""
MOST = 256
"""Listeners at once; more are told to come later."""


class Watch:
    """How far the journal is, looked at by one task for everybody who listens."""

    def __init__(self, reached: Callable[[], int]) -> None:
        self.reached, self.at, self.listeners = reached, -1, 0
        self._grew = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def after(self, seq: int, seconds: float) -> int:
        """How far the journal is, as soon as that is further than ``seq``, or after so many seconds."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        async with self._grew:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._grew.wait_for(lambda: self.at > seq), seconds)
        return self.at

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look(self) -> None:
        while self.listeners:
            with suppress(Exception):  # a house that cannot be read for a moment is looked at again
                at = await run_in_threadpool(self.reached)
                if at != self.at:
                    async with self._grew:
                        self.at = at
                        self._grew.notify_all()
            await asyncio.sleep(EVERY)


async def answer(desk: Desk, watch: Watch, request: Request) -> Response:
    """The line of one page: ``listening`` at first, ``journal`` when it grew, ``ended`` when the session is over; the data is how far the
    journal is. ``?after=`` says how far it was when the page was made; a line that is taken up again says what it heard last."""
    if await run_in_threadpool(desk.visit, request, noted=False) is None:
        return Response("Sign in first.", 401, media_type="text/plain")
    if watch.listeners >= MOST:
        return Response("Too many pages are open.", 503, headers={"retry-after": "30"}, media_type="text/plain")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_line(desk, watch, request), media_type="text/event-stream", headers=headers)


async def _line(desk: Desk, watch: Watch, request: Request) -> AsyncIterator[str]:
    watch.listeners += 1
    try:
        yield "retry: 2000\n\n"
        at, known = await run_in_threadpool(watch.reached), _known(request)
        told = at if known is None else known
        yield f"id: {told}\nevent: listening\ndata: {at}\n\n"
        # Further, or in a house that was put back to an earlier day less far: the page is of another moment.
        if told != at:
            told = at
            yield f"id: {at}\nevent: journal\ndata: {at}\n\n"
        while True:
            at = await watch.after(told, HEARTBEAT)
            # Who was signed out, removed or given another role meanwhile hears nothing more.
            if await run_in_threadpool(desk.visit, request, noted=False) is None:
                yield "event: ended\ndata:\n\n"
                return
            if at > told:
                told = at
                yield f"id: {at}\nevent: journal\ndata: {at}\n\n"
            else:
                yield ": alive\n\n"
    finally:
        watch.listeners -= 1


def _known(request: Request) -> int | None:
    """How far the journal was in what the page shows; None: it does not say."""
    for said in (request.headers.get("last-event-id", ""), request.query_params.get("after", "")):
        if said.isascii() and said.isdecimal() and len(said) < 19:
            return int(said)
    return None
