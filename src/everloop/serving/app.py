"""The app: a house over HTTP, as one ASGI callable. In: requests. Out: replies, whose shapes are in ``asks.py`` and paths in ``paths.py``.

In this order: the path, the key, the content type, the instant, the body, a place among those under way, the door. What fails one of them
never reaches the next. Doors that block run in threads of their own, so that an undo never waits for predictions; what the doors do is not
this file's to know.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from everloop.clock import instant, monotonic, wall
from everloop.errors import EverloopError, UnderWay, Unknown
from everloop.project.model import Model
from everloop.records import Prediction, Received
from everloop.serving import asks, inference, invocations
from everloop.serving.arriving import FEW, Bodies, GoneError, Heads, Receive, Scope, Send, heads_of, peer_of
from everloop.serving.bodies import ARROW, JSON, NDJSON, json_rows, json_value, rows_of
from everloop.serving.doors import Doors, Row
from everloop.serving.fits import Fit, fit_of
from everloop.serving.forms import Form, form_of
from everloop.serving.keys import Keys, allowed, shown
from everloop.serving.metrics import Metrics
from everloop.serving.paths import OTHER, Path, at
from everloop.serving.queries import explain, known_after, parameter
from everloop.serving.rates import Rates
from everloop.serving.refused import RefusedError, later, refusal, short

T = TypeVar("T")
Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
AtTurn: TypeAlias = Callable[[], Awaitable[None] | None]

LARGEST_BODY = 16 * 1024 * 1024
IN_FLIGHT = 64
IN_LINE = 2_048  # requests answered on the event loop that may wait for the log at once: each is a row, and a row is written soon
TURNS = 4  # turns and scores that may be waited for at once
MOST_EXPLAINED = 100
HUNG_UP = 499  # how metrics call a request whose sender went before the reply
LONGEST_WORD = 2_000  # characters of by= and reason=
TEXT, HTML, PROMETHEUS = "text/plain; charset=utf-8", "text/html; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_PAGE = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
_log = logging.getLogger("everloop.serving")
_encode = msgspec.json.Encoder().encode


class Ask(NamedTuple):
    """One request, let in and read: the name in its path, its body, when it happens."""

    name: str
    body: bytes
    content_type: str
    query: bytes
    now: datetime
    version: str = ""


class Reply(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()


def app(
    doors: Doors,
    *,
    keys: Callable[[], Keys],
    metrics: Metrics,
    largest_body: int = LARGEST_BODY,
    in_flight: int = IN_FLIGHT,
    on_start: AtTurn | None = None,
    on_stop: AtTurn | None = None,
) -> Asgi:
    """One house over HTTP, as an ASGI callable.

    ``keys`` gives the keys as they are now; it is called on the event loop for each request that shows one. ``largest_body`` in bytes;
    ``in_flight`` how many requests may be at the doors at once, health and people's words not counted. ``on_start`` and ``on_stop`` are
    called, and awaited if they can be, when the server starts and when it has replied to everybody.
    """
    return _App(doors, keys, metrics, Bodies(largest_body), in_flight, on_start, on_stop)


class _App:
    """One running app."""

    def __init__(
        self,
        doors: Doors,
        keys: Callable[[], Keys],
        metrics: Metrics,
        bodies: Bodies,
        in_flight: int,
        on_start: AtTurn | None,
        on_stop: AtTurn | None,
    ) -> None:
        self.doors, self.keys, self.metrics, self.bodies = doors, keys, metrics, bodies
        self.on_start, self.on_stop, self.stopping = on_start, on_stop, False
        self.under_way, self.turns, self.in_line = _Places(in_flight), _Places(TURNS), _Places(IN_LINE)
        # Threads of their own: whatever else is under way, an undo finds one free.
        self.answering = ThreadPoolExecutor(min(8, in_flight), "everloop-answers")
        self.telling = ThreadPoolExecutor(4, "everloop-told")
        self.turning = ThreadPoolExecutor(TURNS, "everloop-turns")
        self.people = ThreadPoolExecutor(8, "everloop-people")
        self.forms: dict[str, tuple[Fit, Form | None]] = {}
        self.rates = Rates()
        self.described: tuple[object, object, Mapping[str, Any]] | None = None
        self.verbs: dict[str, Callable[[Ask], Awaitable[Reply]]] = {
            "predict": self.predict, "features": self.features, "events": self.events, "truths": self.truths, "outcomes": self.outcomes,
            "predictions": self.predictions, "turn": self.turn, "score": self.score, "undo": self.undo, "approve": self.approve,
            "reject": self.reject, "cancel": self.cancel, "status": self.status, "metrics": self.counted, "live": self.live,
            "ready": self.ready, "infer": self.infer, "infer_by": self.infer, "oip_model": self.oip_model, "oip_version": self.oip_model,
            "oip_model_ready": self.oip_model_ready, "oip_version_ready": self.oip_model_ready, "oip_live": self.oip_live,
            "oip_ready": self.oip_ready, "oip_server": self.oip_server, "invocations": self.invocations, "ping": self.ping,
            "health": self.ping, "version": self.version, "openapi": self.openapi, "docs": self.docs, "home": self.home,
        }  # fmt: skip

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
        self.stopping = True
        for pool in (self.answering, self.telling, self.turning, self.people):
            pool.shutdown(wait=False)
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
        methods, name, version = at(scope["path"])
        head = scope["method"] == "HEAD"
        path = methods.get("GET" if head else scope["method"])
        try:
            if path is None:
                raise _no_such(scope, methods)
            ask = await self.let_in(path, name, version, scope, receive)
            try:
                reply = await self.verbs[path.name](ask)
            finally:
                self.bodies.let_go(ask.body)
        except GoneError:
            reply = None
        except Exception as error:
            reply = _error_reply(_told(error, path), scope["path"])
        route = path.path if path else next((p.path for p in methods.values()), OTHER)
        if reply is not None:
            await _sent(send, reply, head)
        self.metrics.request(route, reply.status if reply else HUNG_UP, monotonic() - began)

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
        taken = (JSON, ARROW, *NDJSON) if path.takes == "rows" else (JSON, invocations.CSV) if path.takes == "table" else (JSON,)
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
            if path.timed and self.doors.turned:
                cure = "Send Everloop-Now: 2026-11-02T00:00:00Z, the instant at which this happens."
                raise RefusedError("bad_time", f"This house has a clock that is turned. {cure}")
            return None
        if not self.doors.turned:
            cure = "Leave Everloop-Now out, or start the house with --turned-clock."
            raise RefusedError("bad_time", f"This house goes by the wall clock. {cure}")
        try:
            return instant(heads.now[:64])
        except EverloopError as error:
            raise RefusedError("bad_time", f"Everloop-Now: {error}") from None

    async def in_thread(self, pool: ThreadPoolExecutor, door: Callable[..., T], *given: object) -> T:
        """A door that blocks, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(pool, _through, door, *given)

    async def read(self, ask: Ask, reader: Callable[..., T], *given: object) -> T:
        """A body's meaning; one that is not small is read beside the event loop."""
        return reader(*given) if len(ask.body) <= FEW else await self.in_thread(self.telling, reader, *given)

    def model(self, name: str) -> Model:
        model = self.doors.models.get(name)
        if model is None:
            raise Unknown("model", name[:60], sorted(self.doors.models))
        return model

    # -- answers ---------------------------------------------------------------------------------------------------------------------

    def form(self, model: Model) -> tuple[Fit, Form | None]:
        """What fits a model, and the form in which most requests come."""
        made = self.forms.get(model.name)
        if made is None or made[0].model is not model:
            fit = fit_of(model)
            made = self.forms[model.name] = (fit, form_of(fit))
        return made

    def fit(self, model: Model) -> Fit:
        return self.form(model)[0]

    async def predict(self, ask: Ask) -> Reply:
        model, why = self.model(ask.name), explain(ask.query)
        fit, form = self.form(model)
        request = form.read(ask.body) if form is not None and not why and len(ask.body) <= FEW else None
        if request is not None:
            with self.in_line:
                soon = self.doors.answer_soon(model.name, request, ask.now)
                if soon is not None:
                    return self.one(self.answer(model, await soon))
        requests, several = await self.read(ask, _requests, fit, ask.body)
        if why and len(requests) > MOST_EXPLAINED:
            what = (
                f"{len(requests):,} requests in one body. Say explain=true of at most {MOST_EXPLAINED}: reasons take longer than answers."
            )
            raise RefusedError("too_large", what, field="requests")
        answers = await self.answers(model, requests, ask.now, explain=why)
        if several:
            return Reply(200, _encode({"answers": answers}))
        return self.one(answers[0])

    def one(self, answer: asks.Answered) -> Reply:
        return Reply(200 if answer.error is msgspec.UNSET else 503, _encode(answer))

    async def answers(self, model: Model, requests: Sequence[Row], now: datetime, *, explain: bool = False) -> list[asks.Answered]:
        given: Sequence[Prediction] = ()
        because: Sequence[asks.Because | str] = ()
        if requests:
            with self.under_way:
                given = await self.in_thread(self.answering, self.doors.predict, model.name, requests, now)
                if explain:
                    because = await self.in_thread(self.answering, self.doors.because, model.name, given)
        if len(given) != len(requests):
            raise RuntimeError(f"{model.name}: {len(given)} answers to {len(requests)} requests")
        answers = [self.answer(model, one) for one in given]
        for answer, why in zip(answers, because, strict=explain):
            asks.explain(answer, why)
        return answers

    def answer(self, model: Model, given: Prediction) -> asks.Answered:
        version = self.doors.named(given.version)
        labels = tuple(self.doors.labels(given.version)) if model.kind == "shares" else ()
        said = asks.answer_of(model.shape, given, version, labels)
        self.metrics.add("everloop_answers_total", model.name, version, given.arm)
        if said.error is not msgspec.UNSET:
            self.metrics.add("everloop_answer_errors_total", model.name)
        return said

    async def features(self, ask: Ask) -> Reply:
        said = await self.read(ask, _meant, ask.body, asks.OnlineFeaturesAsk)
        with self.under_way:
            found = await self.in_thread(self.answering, self.doors.online_features, said, ask.now)
        return Reply(200, _encode(found))

    # -- answers, as other tools ask for them ------------------------------------------------------------------------------------------

    async def infer(self, ask: Ask) -> Reply:
        model = self.model(ask.name)
        fit, force = self.fit(model), self.doors.in_force(model.name)
        version = inference.version_in(model, force, ask.version) if ask.version else None
        said, requests = await self.read(ask, inference.meant, fit, ask.body)
        if version is not None:
            inference.all_by(model, version, self.doors.assigned(model.name, requests))
        answers = await self.answers(model, requests, ask.now)
        if version is not None:
            # Who answers may have changed on the way, and a candidate that fails is answered for.
            inference.all_by(model, version, [answer.version for answer in answers])
        return Reply(200, _encode(inference.reply(fit, said, answers, force)))

    async def oip_model(self, ask: Ask) -> Reply:
        model = self.model(ask.name)
        force = self.doors.in_force(model.name)
        if ask.version:
            inference.version_in(model, force, ask.version)
        return Reply(200, _encode(inference.metadata(self.fit(model), force)))

    async def oip_model_ready(self, ask: Ask) -> Reply:
        model = self.model(ask.name)
        try:
            force = self.doors.in_force(model.name)
        except EverloopError:
            return Reply(400, _encode(inference.InferenceModelReady(model.name, False)))
        if ask.version:
            inference.version_in(model, force, ask.version)
        ready = self.doors.ready().ready and not self.stopping
        return Reply(200 if ready else 400, _encode(inference.InferenceModelReady(model.name, ready)))

    async def oip_live(self, ask: Ask) -> Reply:
        return Reply(200, _encode(inference.InferenceLive(True)))

    async def oip_ready(self, ask: Ask) -> Reply:
        ready = self.doors.ready().ready and not self.stopping
        # The protocol wants a status from 400 to 499 of who is not ready.
        return Reply(200 if ready else 400, _encode(inference.InferenceReady(ready, ready)))

    async def oip_server(self, ask: Ask) -> Reply:
        return Reply(200, _encode(inference.server(await self.in_thread(self.people, _release))))

    async def invocations(self, ask: Ask) -> Reply:
        model = self.model(invocations.asked_of(parameter(ask.query, "model", "model=NAME"), self.doors.models))
        requests = await self.read(ask, invocations.requests, self.fit(model), ask.content_type, ask.body)
        return Reply(200, _encode(invocations.reply(await self.answers(model, requests, ask.now))))

    async def ping(self, ask: Ask) -> Reply:
        ready = self.doors.ready().ready and not self.stopping
        return Reply(200 if ready else 503, b"\n", JSON, () if ready else [(b"retry-after", b"1")])

    async def version(self, ask: Ask) -> Reply:
        return Reply(200, (await self.in_thread(self.people, _release)).encode(), TEXT)

    # -- what happened ---------------------------------------------------------------------------------------------------------------

    async def events(self, ask: Ask) -> Reply:
        if ask.name not in self.doors.sources:
            raise Unknown("source", ask.name[:60], sorted(self.doors.sources))
        after = known_after(ask.query)
        rows = await self.read(ask, rows_of, ask.content_type, ask.body)
        with self.under_way:
            kept = self.doors.receive(ask.name, rows, ask.now, after)
            # Whoever hangs up does not take back what others' rows are being kept with.
            received = await asyncio.shield(asyncio.wrap_future(kept))
        return self.received("everloop_events_total", ask.name, received)

    async def truths(self, ask: Ask) -> Reply:
        return await self.told("truths", self.doors.truths, ask)

    async def outcomes(self, ask: Ask) -> Reply:
        return await self.told("outcomes", self.doors.outcomes, ask)

    async def predictions(self, ask: Ask) -> Reply:
        return await self.told("predictions", self.doors.predictions, ask)

    async def told(self, noun: str, door: Callable[..., Received], ask: Ask) -> Reply:
        rows = await self.read(ask, json_rows, ask.body)
        with self.under_way:
            received = await self.in_thread(self.telling, door, rows, ask.now)
        return self.received("everloop_told_total", noun, received)

    def received(self, family: str, name: str, received: Received) -> Reply:
        for outcome, count in (("kept", received.kept), ("duplicate", received.duplicates), ("refused", received.refused)):
            if count:
                self.metrics.add(family, name, outcome, count=count)
        nothing = received.refused and not received.kept and not received.duplicates
        return Reply(422 if nothing else 200, _encode(asks.received_reply(received)))

    # -- operating -------------------------------------------------------------------------------------------------------------------

    async def turn(self, ask: Ask) -> Reply:
        said = await self.read(ask, _meant, ask.body, asks.TurnAsk)
        model = None if said.model is None else self.model(said.model).name
        with self.turns:
            turns = await self.in_thread(self.turning, self.doors.turn, model, ask.now, "demand" if said.retrain else "schedule")
        return Reply(200, _encode(asks.TurnsReply([dict(turn) for turn in turns])))

    async def score(self, ask: Ask) -> Reply:
        said = await self.read(ask, _meant, ask.body, asks.ScoreAsk)
        model = None if said.model is None else self.model(said.model).name
        with self.turns:
            answers = await self.in_thread(self.turning, self.doors.score, model, ask.now)
        return Reply(200, _encode(asks.ScoreReply(dict(answers))))

    async def undo(self, ask: Ask) -> Reply:
        model, said = await self.word(ask)
        return await self.done(self.doors.undo, model, said.by, said.reason, ask.now)

    async def approve(self, ask: Ask) -> Reply:
        model, said = await self.word(ask)
        # A yes to a retraining takes as long as that does: it is no word that others should wait behind.
        sentence = await self.in_thread(self.turning, self.doors.approve, model, True, said.by, said.reason, ask.now)
        return Reply(200, _encode(asks.SentenceReply(sentence)))

    async def reject(self, ask: Ask) -> Reply:
        model, said = await self.word(ask)
        return await self.done(self.doors.approve, model, False, said.by, said.reason, ask.now)

    async def cancel(self, ask: Ask) -> Reply:
        model, said = await self.word(ask)
        return await self.done(self.doors.cancel, model, said.by, said.reason)

    async def word(self, ask: Ask) -> tuple[str, asks.WordAsk]:
        model, said = self.model(ask.name).name, await self.read(ask, _meant, ask.body, asks.WordAsk)
        for field, text in (("by", said.by), ("reason", said.reason)):
            if not text.strip() or len(text) > LONGEST_WORD:
                what = "is empty" if not text.strip() else f"has more than {LONGEST_WORD:,} characters"
                raise RefusedError("invalid", f"{field} {what}. The journal wants to know who says so, and why.", field=field)
        return model, said

    async def done(self, door: Callable[..., str], *given: object) -> Reply:
        return Reply(200, _encode(asks.SentenceReply(await self.in_thread(self.people, door, *given))))

    async def status(self, ask: Ask) -> Reply:
        standing = await self.in_thread(self.people, self.doors.status)
        return Reply(200, _encode(asks.StatusReply([dict(one) for one in standing])))

    async def counted(self, ask: Ask) -> Reply:
        return Reply(200, (await self.in_thread(self.people, self.metrics.said)).encode(), PROMETHEUS)

    # -- open to all -----------------------------------------------------------------------------------------------------------------

    async def live(self, ask: Ask) -> Reply:
        return Reply(200, _encode(asks.LiveReply()))

    async def ready(self, ask: Ask) -> Reply:
        ready = self.doors.ready()
        why = "this worker is stopping" if self.stopping else ready.why
        can = ready.ready and not self.stopping
        said = asks.ReadyReply(can, why, dict(ready.generations))
        return Reply(200 if can else 503, _encode(said), headers=() if can else [(b"retry-after", b"1")])

    def description(self) -> Mapping[str, Any]:
        from everloop.serving.openapi import document

        models, sources = self.doors.models, self.doors.sources
        if self.described is None or self.described[0] is not models or self.described[1] is not sources:
            self.described = (models, sources, document(models, sources, turned=self.doors.turned))
        return self.described[2]

    async def openapi(self, ask: Ask) -> Reply:
        return Reply(200, await self.in_thread(self.people, lambda: _encode(self.description())))

    async def docs(self, ask: Ask) -> Reply:
        from everloop.serving.pages import docs_page

        return Reply(200, (await self.in_thread(self.people, lambda: docs_page(self.description()))).encode(), HTML, [_PAGE])

    async def home(self, ask: Ask) -> Reply:
        from everloop.serving.pages import home_page

        return Reply(200, home_page().encode(), HTML, [_PAGE])


class _Places:
    """How many may be at the doors at once; who comes when all are taken is told to come again."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    def __enter__(self) -> None:
        if self.taken >= self.most:
            raise later("overloaded", f"{self.most} requests are under way, which is all this worker takes at once. Try again.", 1)
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self.taken -= 1


# -- small steps ---------------------------------------------------------------------------------------------------------------------


async def _called(step: AtTurn | None) -> None:
    waiting = step() if step is not None else None
    if inspect.isawaitable(waiting):
        await waiting


async def _sent(send: Send, reply: Reply, head: bool) -> None:
    headers = [(b"content-type", reply.content_type.encode()), (b"content-length", b"%d" % len(reply.body)), *_SAFE, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


@cache
def _release() -> str:
    """Everloop's version. What reads it takes as long to load as a fifth of a worker, and few ask."""
    from importlib.metadata import version

    return version("everloop")


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


def _error_reply(refused: RefusedError, path: str) -> Reply:
    said: msgspec.Struct
    if path == "/v2" or path.startswith("/v2/"):
        said = inference.error(refused)
    elif path == "/invocations":
        said = invocations.error(refused)
    else:
        said = asks.ErrorReply(error=refused.kind, message=refused.message, field=refused.field, examples=list(refused.examples))
    close = [(b"connection", b"close")] if refused.close else []
    return Reply(refused.status, _encode(said), headers=[*refused.headers, *close])


def _has_much_to_say(heads: Heads) -> bool:
    """Whether a refused request has a body not worth waiting for."""
    return heads.chunked or (heads.length or 0) > FEW


def _through(door: Callable[..., T], *given: object) -> T:
    """What a door gives; a StopIteration no future can hold, and whoever waits for it would wait for ever."""
    try:
        return door(*given)
    except StopIteration as error:
        raise RuntimeError("a door raised StopIteration") from error


def _not_taken(path: Path, heads: Heads) -> str:
    came = "Compressed bodies are" if heads.encoded else f"Content-Type {short(heads.content_type)} is" if heads.content_type else ""
    also = f", {NDJSON[0]} or {ARROW}" if path.takes == "rows" else f" or {invocations.CSV}" if path.takes == "table" else ""
    return f"{came} not read here. Send {JSON}{also}." if came else f"The Content-Type is missing. Say {JSON}{also}."


def _requests(fit: Fit, body: bytes) -> tuple[list[Row], bool]:
    return fit.requests(json_value(body))


A = TypeVar("A", asks.TurnAsk, asks.ScoreAsk, asks.WordAsk, asks.OnlineFeaturesAsk)


def _meant(body: bytes, kind: type[A]) -> A:
    """A body as the record it should be; none at all is an empty object. Raises RefusedError (400, 422)."""
    value = json_value(body) if body else {}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        field = where.strip(".`") or (what.split("`")[1] if "`" in what and "field" in what else None)
        raise RefusedError("invalid", f"{what}. See {kind.__name__} in GET /docs.", field=field) from None
