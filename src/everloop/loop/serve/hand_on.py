"""Handing on: what is asked of a worker below ``/console`` goes to the process that has the console, and what that says comes back, piece
by piece. Pages are made in a process of their own, so that no answer waits for one.

Two things are said to it beside the request, which nobody else can say, since its socket lies in a folder of this user's: who is at the
other end, and whether that is TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, TypeAlias
from urllib.parse import quote

import httptools

from everloop.serving.arriving import SLOWEST, heads_of, peer_of

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

PEER, SCHEME = b"everloop-peer", b"everloop-scheme"
LARGEST = 128_000
"""Bytes of a form; the console takes fewer."""
MOST = 64
"""Requests handed on at once, and bodies of them that are still coming; who listens for changes is counted by the console."""
LISTENS = "/console/live"
PIECE = 65_536
PATIENCE = 30.0
"""Seconds the console may take to begin with a page; its process may have to start first."""
QUIET = 2 * PATIENCE
"""Seconds without a byte after which a console that began is taken for dead; a line of events says every 15 that it is not."""
_NOT_ON = (b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"content-length", b"expect", PEER, SCHEME)
_NOT_BACK = (b"connection", b"keep-alive", b"transfer-encoding")
_FULL = b"The console is asked for too much at once. Try again."
_DOWN = b"The console does not answer. What the house logs says why; answers are given all the same."


class BrokenOffError(Exception):
    """The console ended in the middle of a page: half of it is out, and the line is cut, so that nobody takes that for the whole."""


class HandOn:
    """An app before another: ``/console`` goes to the socket at ``path``, everything else to the app."""

    def __init__(self, app: Asgi, path: str) -> None:
        self.app, self.path = app, path
        self.under_way: set[asyncio.Task[Any]] = set()
        self.at_once = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == "/console" or path.startswith("/console/")):
            await self.app(scope, receive, send)
            return None
        self.loop = asyncio.get_running_loop()
        if self.at_once >= MOST:
            return await _said(send, 503, _FULL)
        with self._counted():
            body = await _body(scope, receive, send)
        if body is None:
            return None
        request = _request(scope, body)
        if request is None:
            return await _said(send, 400, b"There is no such address.")
        with nullcontext() if path == LISTENS else self._counted():
            await self._handed(scope, request, receive, send)
        return None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.at_once += 1
        try:
            yield
        finally:
            self.at_once -= 1

    def leave(self) -> None:
        """This worker ends: who listens for changes is let go, and comes back to another one. Safe from any thread."""
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop is over already
                self.loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        for task in self.under_way:
            task.cancel()

    async def _handed(self, scope: Scope, request: bytes, receive: Receive, send: Send) -> None:
        heard = _Heard()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_unix_connection(self.path), PATIENCE)
        except (OSError, TimeoutError):
            return await _said(send, 503, _DOWN)
        gone = asyncio.create_task(_gone(receive))
        try:
            writer.write(request)
            await writer.drain()
            while not heard.whole:
                reading = asyncio.create_task(reader.read(PIECE))
                self.under_way.add(reading)
                done, _ = await asyncio.wait(
                    {reading, gone}, timeout=QUIET if heard.began else PATIENCE, return_when=asyncio.FIRST_COMPLETED
                )
                self.under_way.discard(reading)
                if reading not in done or reading.cancelled():
                    reading.cancel()
                    break  # whoever asked has hung up, this worker ends, or the console takes too long
                if not (piece := reading.result()):
                    break
                heard.feed(piece)
                await heard.passed_on(send)
        except (OSError, httptools.HttpParserError):
            pass
        finally:
            gone.cancel()
            writer.close()
        # An answer to HEAD is whole without the body it tells of, and a line of events has no end of its own.
        if heard.began and not (heard.whole or heard.of_events or gone.done() or scope["method"] == "HEAD"):
            raise BrokenOffError("The console ended in the middle of a page.")
        await heard.ended(send)
        return None


class _Heard:
    """What the console replied so far, as a parser tells it."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.began = self.told = self.whole = False
        self.parser = httptools.HttpResponseParser(self)

    def feed(self, piece: bytes) -> None:
        self.parser.feed_data(piece)

    @property
    def of_events(self) -> bool:
        return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in self.headers)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in _NOT_BACK:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.began = True

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.whole = True

    async def passed_on(self, send: Send) -> None:
        """Say what is there and was not said yet."""
        if self.began and not self.told:
            self.told = True
            await send({"type": "http.response.start", "status": self.parser.get_status_code(), "headers": self.headers})
        pieces, self.pieces = self.pieces, []
        if pieces:
            await send({"type": "http.response.body", "body": b"".join(pieces), "more_body": True})

    async def ended(self, send: Send) -> None:
        """Say that this was all."""
        with suppress(OSError):  # whoever asked may have hung up
            if not self.began:
                await _said(send, 503, _DOWN)
            else:
                await self.passed_on(send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})


def _request(scope: Scope, body: bytes) -> bytes | None:
    """The request as it goes on; None: its address would end its own line, and say what we alone may."""
    # A server need not tell the path as it came (ASGI 3); decoded it may hold anything.
    target: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    target = target.partition(b"?")[0] + (b"?" + scope["query_string"] if scope.get("query_string") else b"")
    if any(byte <= 0x20 or byte == 0x7F for byte in target):
        return None
    headers = [(name, value) for name, value in scope["headers"] if name not in _NOT_ON]
    headers += [(PEER, (peer_of(scope) or "unknown").encode()), (SCHEME, scope.get("scheme", "http").encode())]
    headers += [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (scope["method"].encode(), target, lines, body)


async def _body(scope: Scope, receive: Receive, send: Send) -> bytes | None:
    """The body of a request; None: it is too large or too slow, and whoever sent it was told."""
    try:
        too_large = (heads_of(scope["headers"]).length or 0) > LARGEST
        body = None if too_large else await asyncio.wait_for(_whole(receive), SLOWEST)
    except TimeoutError:
        await _said(send, 408, b"This form came too slowly.")
        return None
    if body is None:
        await _said(send, 413, b"This is too large for a form.")
    return body


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None: it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > LARGEST:
            return None
        if not message.get("more_body", False):
            return body


async def _gone(receive: Receive) -> None:
    """Until whoever asked has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _said(send: Send, status: int, words: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(words)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})
