"""The app: a house over HTTP, as one ASGI callable. In: requests. Out: replies, whose shapes are in ``asks.py`` and paths in ``paths.py``.

In this order: the path, the key, the content type, the instant, the body, a place among those under way, the door. What fails one of them
never reaches the next. Doors that block run in threads of their own, so that an undo never waits for predictions; what the doors do is not
this file's to know, and what is asked of them is ``verbs/``'s.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec

from everloop.clock import instant, monotonic, wall
from everloop.errors import EverloopError, UnderWay
from everloop.serving import asks, inference, invocations, tensorflow
from everloop.serving.arriving import FEW, Bodies, GoneError, Heads, Receive, Scope, Send, heads_of, peer_of
from everloop.serving.bodies import ARROW, JSON, NDJSON
from everloop.serving.desk import Ask, Desk, Reply, encode
from everloop.serving.doors import Doors
from everloop.serving.keys import Keys, allowed, shown
from everloop.serving.metrics import Metrics
from everloop.serving.paths import OTHER, Path, at, route_of
from everloop.serving.rates import Rates
from everloop.serving.refused import RefusedError, refusal, short
from everloop.serving.verbs import VERBS
from everloop.spans import NAMED, Asked, asked_now

Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
AtTurn: TypeAlias = Callable[[], Awaitable[None] | None]
Line: TypeAlias = Callable[[str, str, int, float], None]

LARGEST_BODY = 16 * 1024 * 1024
IN_FLIGHT = 64
_ALSO = {"rows": (*NDJSON, ARROW), "table": (invocations.CSV,), "notice": ("text/plain",)}
"""What a body may be beside JSON; Amazon SNS, which says so in a header, calls its own text."""
HUNG_UP = 499  # how metrics call a request whose sender went before the reply
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_log = logging.getLogger("everloop.serving")


def app(
    doors: Doors,
    *,
    keys: Callable[[], Keys],
    metrics: Metrics,
    largest_body: int = LARGEST_BODY,
    in_flight: int = IN_FLIGHT,
    on_start: AtTurn | None = None,
    on_stop: AtTurn | None = None,
    line: Line | None = None,
) -> Asgi:
    """One house over HTTP, as an ASGI callable.

    ``keys`` gives the keys as they are now; it is called on the event loop for each request that shows one. ``largest_body`` in bytes;
    ``in_flight`` how many requests may be at the doors at once, health and people's words not counted. ``on_start`` and ``on_stop`` are
    called, and awaited if they can be, when the server starts and when it has replied to everybody. ``line`` is told of each request that
    was replied to: method, route, status, seconds.
    """
    return _App(Desk(doors, metrics, in_flight), keys, Bodies(largest_body), on_start, on_stop, line)


class _App:
    """One running app."""

    def __init__(
        self, desk: Desk, keys: Callable[[], Keys], bodies: Bodies, on_start: AtTurn | None, on_stop: AtTurn | None, line: Line | None
    ) -> None:
        self.desk, self.keys, self.bodies, self.on_start, self.on_stop, self.line = desk, keys, bodies, on_start, on_stop, line
        self.metrics, self.rates = desk.metrics, Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await _called(self.on_start)
        except Exception as error:
            _log.exception("The worker could not start")
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.desk.close()
        try:
            await _called(self.on_stop)
        except Exception as error:
            _log.exception("The worker could not stop as it should")
            await send({"type": "lifespan.shutdown.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.shutdown.complete"})

    # -- one request -----------------------------------------------------------------------------------------------------------------

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = monotonic()
        asked = Asked(scope["headers"])
        asked_now(asked)
        methods, name, version = at(scope["path"])
        head = scope["method"] == "HEAD"
        path = methods.get("GET" if head else scope["method"])
        try:
            if path is None:
                raise _no_such(scope, methods)
            ask = await self.let_in(path, name, version, scope, receive)
            try:
                reply = await VERBS[path.name](self.desk, ask)
            finally:
                self.bodies.let_go(ask.body)
        except GoneError:
            reply = None
        except Exception as error:
            reply = _error_reply(_told(error, path), scope["path"], asked)
        route = path.path if path else next((p.path for p in methods.values()), OTHER)
        if reply is not None:
            await _sent(send, reply, head)
        status, seconds = reply.status if reply else HUNG_UP, monotonic() - began
        self.metrics.request(route, status, seconds)
        if self.line is not None:
            self.line(scope["method"], route, status, seconds)

    async def let_in(self, path: Path, name: str, version: str, scope: Scope, receive: Receive) -> Ask:
        """The request, once everything but its meaning has been looked at. Raises RefusedError, GoneError."""
        heads = heads_of(scope["headers"])
        if heads.ambiguous not in (None, "host"):
            raise RefusedError("malformed", f"The header {heads.ambiguous} comes twice. Send it once.", close=True)
        now = wall()
        if path.scope is not None:
            keys = self.keys()
            denied = allowed(keys, heads.authorization, peer=peer_of(scope), host=heads.host, forwarded=heads.forwarded, scope=path.scope)
            if denied is not None:
                kind = "no_key" if denied.status == 401 else "no_scope"
                headers = [(b"www-authenticate", b'Bearer realm="everloop"')] if denied.status == 401 else []
                raise RefusedError(kind, denied.message, headers=headers, close=_has_much_to_say(heads))
            if keys.any_limited and heads.authorization is not None:
                self.not_too_often(keys, heads)
            now = self.moment(path, heads) or now
        if path.method == "GET":
            return Ask(name, b"", "", scope.get("query_string", b""), now, version)
        taken = (JSON, *(_ALSO.get(path.takes, ()) if path.takes != "notice" or heads.sns else ()))
        if heads.content_type not in taken or heads.encoded:
            raise RefusedError("content_type", _not_taken(path, heads), close=_has_much_to_say(heads))
        body = await self.bodies.whole(receive, heads)
        return Ask(name, body, heads.content_type, scope.get("query_string", b""), now, version)

    def not_too_often(self, keys: Keys, heads: Heads) -> None:
        """Raises RefusedError (429) for a key that asks more often than it may."""
        key = shown(keys, heads.authorization or "")
        if key is None:
            return
        try:
            self.rates.take(key, monotonic())
        except RefusedError as refused:
            refused.close = _has_much_to_say(heads)
            raise

    def moment(self, path: Path, heads: Heads) -> datetime | None:
        """What ``Everloop-Now`` says. Raises RefusedError where it must be said and is not, or may not be said."""
        if heads.now is None:
            if path.timed and self.desk.doors.turned:
                cure = "Send Everloop-Now: 2026-11-02T00:00:00Z, the instant at which this happens."
                raise RefusedError("bad_time", f"This house has a clock that is turned. {cure}")
            return None
        if not self.desk.doors.turned:
            cure = "Leave Everloop-Now out, or start the house with --turned-clock."
            raise RefusedError("bad_time", f"This house goes by the wall clock. {cure}")
        try:
            return instant(heads.now[:64])
        except EverloopError as error:
            raise RefusedError("bad_time", f"Everloop-Now: {error}") from None


# -- small steps ---------------------------------------------------------------------------------------------------------------------


async def _called(step: AtTurn | None) -> None:
    waiting = step() if step is not None else None
    if inspect.isawaitable(waiting):
        await waiting


async def _sent(send: Send, reply: Reply, head: bool) -> None:
    headers = [(b"content-type", reply.content_type.encode()), (b"content-length", b"%d" % len(reply.body)), *_SAFE, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


def _no_such(scope: Scope, methods: Mapping[str, Path]) -> RefusedError:
    close = _has_much_to_say(heads_of(scope["headers"]))
    if not methods:
        return RefusedError("no_such_path", f"There is no path {short(scope['path'])}. GET /docs lists those there are.", close=close)
    there = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
    what = f"{short(scope['path'])} takes {there}, not {short(scope['method'])}."
    return RefusedError("no_such_method", what, headers=[(b"allow", there.encode())], close=close)


def _told(error: Exception, path: Path | None) -> RefusedError:
    """What goes back; what must not go back is logged, with where it came from unless waiting mends it."""
    said, where = refusal(error), path.path if path else "?"
    if said.status == 500:
        _log.error("%s: %s", where, said.kind, exc_info=error)
    elif said.status > 500 and not isinstance(error, RefusedError | UnderWay):
        _log.warning("%s: %s: %s", where, said.kind, error)
    return said


def _error_reply(refused: RefusedError, path: str, asked: Asked) -> Reply:
    said: msgspec.Struct
    if path == "/v2" or path.startswith("/v2/") or route_of(path) in tensorflow.PATHS:
        said = inference.error(refused)
    elif path == "/invocations":
        said = invocations.error(refused)
    else:
        said = asks.ErrorReply(error=refused.kind, message=refused.message, field=refused.field, examples=list(refused.examples))
    close = [(b"connection", b"close")] if refused.close else []
    # What was no fault of the sender stands in the log under this id.
    known = [(NAMED, asked.id.encode())] if refused.status >= 500 else []
    return Reply(refused.status, encode(said), headers=[*refused.headers, *close, *known])


def _has_much_to_say(heads: Heads) -> bool:
    """Whether a refused request has a body not worth waiting for."""
    return heads.chunked or (heads.length or 0) > FEW


def _not_taken(path: Path, heads: Heads) -> str:
    came = "Compressed bodies are" if heads.encoded else f"Content-Type {short(heads.content_type)} is" if heads.content_type else ""
    also = f", {NDJSON[0]} or {ARROW}" if path.takes == "rows" else f" or {invocations.CSV}" if path.takes == "table" else ""
    return f"{came} not read here. Send {JSON}{also}." if came else f"The Content-Type is missing. Say {JSON}{also}."
