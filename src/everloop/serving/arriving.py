"""Requests as they arrive: what their headers say, and the whole of their body, within bounds of size and time. ASGI in, bytes out.

A body is read before a place is held for it, so that who sends slowly takes nobody's place; what all bodies take together, half-read ones
and whole ones that wait or are worked on, is bounded too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from everloop.clock import monotonic
from everloop.serving.keys import UNIX_SOCKET
from everloop.serving.refused import RefusedError, later

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SLOWEST = 30.0
"""Seconds a body may take."""
FEW = 64 * 1024
"""Bytes of a body that is a small one."""
_FORWARDED = (b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip")
_HERE = (b"http://localhost", b"http://127.0.0.1", b"http://[::1]")


class GoneError(Exception):
    """Whoever asked has hung up."""


class Heads(NamedTuple):
    """What the headers of a request say that matters here."""

    host: str | None = None  # None: none, or more than one
    authorization: str | None = None
    content_type: str = ""
    length: int | None = None
    encoded: bool = False
    chunked: bool = False
    forwarded: bool = False
    now: str | None = None
    ambiguous: str | None = None  # a header that came twice and must not
    sns: bool = False  # a message of Amazon SNS; no page of a browser may say so without asking first


def heads_of(headers: Iterable[tuple[bytes, bytes]]) -> Heads:
    """The headers of a request; names come in small letters, as ASGI promises.

    >>> heads_of([(b"host", b"localhost"), (b"content-type", b"Application/JSON; charset=utf-8"), (b"x-forwarded-for", b"10.0.0.1")])[:7:2]
    ('localhost', 'application/json', False, True)
    """
    said: dict[bytes, bytes] = {}
    twice: str | None = None
    forwarded = False
    for name, value in headers:
        if name in _WANTED:
            if name in said:
                twice = name.decode("latin-1")
            said[name] = value
        elif name.startswith(b"x-forwarded-") or name in _FORWARDED:
            forwarded = True
    if not said:
        return Heads(forwarded=forwarded)
    origin, length = said.get(b"origin"), said.get(b"content-length", b"")
    # A page of somebody else's in a browser on this machine is not this machine.
    elsewhere = origin is not None and not any(origin == here or origin.startswith(here + b":") for here in _HERE)
    return Heads(
        host=said[b"host"].decode("latin-1") if b"host" in said and twice != "host" else None,
        authorization=said[b"authorization"].decode("latin-1") if b"authorization" in said else None,
        content_type=said.get(b"content-type", b"").split(b";", 1)[0].strip().lower().decode("latin-1"),
        length=int(length) if length.isdigit() and len(length) < 19 else None,
        encoded=said.get(b"content-encoding", b"identity").strip().lower() != b"identity",
        chunked=b"transfer-encoding" in said,
        forwarded=forwarded or elsewhere,
        now=said[b"everloop-now"].decode("latin-1") if b"everloop-now" in said else None,
        ambiguous=twice,
        sns=b"x-amz-sns-message-type" in said,
    )


_WANTED = frozenset(
    (
        b"host",
        b"authorization",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"everloop-now",
        b"origin",
        b"x-amz-sns-message-type",
    )
)


def peer_of(scope: Scope) -> str | None:
    """The address at the other end; ``UNIX_SOCKET`` where the server listens on one.

    >>> peer_of({"client": ("127.0.0.1", 51234)}), peer_of({"client": None, "server": ("/run/everloop.sock", None)}), peer_of({})
    ('127.0.0.1', 'unix socket', None)
    """
    client, server = scope.get("client"), scope.get("server")
    if client:
        return str(client[0])
    return UNIX_SOCKET if server and server[1] is None else None


class Bodies:
    """Reads bodies, and counts what they take until they are let go of: ``held`` bytes.

    ``largest`` in bytes, each; all together may take four of the largest, and small ones one more: whoever asks for an answer is not
    refused because others send much.
    """

    def __init__(self, largest: int, *, slowest: float = SLOWEST) -> None:
        self.largest, self.slowest = largest, slowest
        self.most, self.held = 4 * largest, 0
        self._due: dict[asyncio.Task[Any], float] = {}  # until when each body that is being read must have come
        self._late: set[asyncio.Task[Any]] = set()
        self._looking = False

    async def whole(self, receive: Receive, heads: Heads) -> bytes:
        """The body, held until ``let_go``.

        Raises RefusedError: 413 too large (reading stops there), 408 too slow, 503 too much at once; GoneError. Then nothing is held.
        """
        if heads.length is not None and heads.length > self.largest:
            raise self._too_large()
        reader = asyncio.current_task()
        assert reader is not None
        if not self._looking:
            self._look_again()
        self._due[reader] = monotonic() + self.slowest
        try:
            return await self._read(receive)
        except asyncio.CancelledError:
            if reader not in self._late:
                raise
            reader.uncancel()
            what = f"The body did not come within {self.slowest:g} s. Send it faster, or in parts."
            raise RefusedError("too_slow", what, close=True) from None
        finally:
            del self._due[reader]
            self._late.discard(reader)

    def _look_again(self) -> None:
        self._looking = True
        asyncio.get_running_loop().call_later(min(1.0, self.slowest / 4), self._look)

    def _look(self) -> None:
        """Give up bodies that are too slow. One clock for all of them: a timer for each would cost more than reading most bodies does."""
        now = monotonic()
        for reader, due in self._due.items():
            if due <= now and reader not in self._late:
                self._late.add(reader)
                reader.cancel()
        self._looking = False
        if self._due:
            self._look_again()

    def let_go(self, body: bytes) -> None:
        """A body that was held is done with."""
        self.held -= len(body)

    async def _read(self, receive: Receive) -> bytes:
        parts, size, more = list[bytes](), 0, True
        try:
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise GoneError
                part, more = message.get("body", b""), message.get("more_body", False)
                parts.append(part)
                size += len(part)
                self.held += len(part)
                if size > self.largest:
                    raise self._too_large()
                if self.held > self.most + (self.largest if size <= FEW else 0):
                    busy = later("overloaded", "Too many bodies are under way. Send fewer or smaller ones at once, or try again.", 1)
                    busy.close = True
                    raise busy
            return b"".join(parts)
        except BaseException:
            self.held -= size
            raise

    def _too_large(self) -> RefusedError:
        what = f"The body has more than {self.largest:,} bytes. Send it in parts; everloop.toml says how much: [serving] largest_body."
        return RefusedError("too_large", what, close=True)
