"""The console as one ASGI app: every request is let in or not, then a page reads, or a form does; deny by default.

An address is known only by the table of routes, where each has a role, and by ``doors.DOORS``, which are open to who is not signed in yet.
A page runs in a thread. Nothing a person can do here goes round ``loop/``.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import cast

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as At
from starlette.types import Receive, Scope, Send

from everloop.clock import wall
from everloop.connect.openid import Provider
from everloop.console import asked, doors, files, live, words
from everloop.console.asked import RefusedError
from everloop.console.page import Act, Asking, Done, Page, Route, Shown
from everloop.console.passwords import AT_ONCE
from everloop.console.routes import NAVIGATION, ROUTES
from everloop.console.sessions import Letting, Visit
from everloop.console.shown import MOUNT, Around, page
from everloop.console.throttle import Throttle
from everloop.errors import EverloopError, Unknown
from everloop.loop.house import House

_log = logging.getLogger("everloop.console")
PAGES_AT_ONCE = 2
"""Pages that are made at once. More would be done no sooner, for one Python makes them, and would take the cores from answers; a form, such
as an undo, waits for none of them."""


@dataclass(frozen=True)
class Desk:
    """What answers for one house: its routes, how people come in, and its clocks (``wall``: sessions; ``business``: everything else)."""

    house: House
    letting: Letting
    routes: tuple[Route, ...]
    wall: Callable[[], datetime] = wall
    throttle: Throttle = field(default_factory=Throttle)
    hashing: CapacityLimiter = field(default_factory=partial(CapacityLimiter, AT_ONCE))
    making: CapacityLimiter = field(default_factory=partial(CapacityLimiter, PAGES_AT_ONCE))
    provider: Provider | None = None
    name: str = ""

    @property
    def said(self) -> str:
        """The cookie that carries what came of a form to the page that shows it."""
        return f"{self.letting.cookie}-said"

    def business(self) -> datetime:
        """Business time, the one now of all pages: the machine's clock, or the last turn's where somebody turned ahead of it; where the
        clock is turned, the newest instant the journal knows."""
        if self.house.turned and (newest := self.house.journal.newest()) is not None:
            return newest
        now, last = self.wall(), self.house.turns.latest()
        return now if last is None else max(now, last)

    def visit(self, request: Request, *, noted: bool = True) -> Visit | None:
        """Who asks; None: nobody who is let in. Reads the house: call it in a thread."""
        secret = request.cookies.get(asked.cookie_name(request, self.letting.cookie))
        return self.letting.visit(secret, here=asked.here(request), now=self.wall(), noted=noted)

    def shown(
        self, shown: Shown, request: Request, visit: Visit | None, *, token: str = "", said: str = "", at: int | None = None
    ) -> HTMLResponse:
        """A page around what is shown; ``at`` is how far the journal was before it was read for it."""
        around = Around(
            house=self.name,
            person=visit.person if visit else None,
            routes=self.routes,
            navigation=NAVIGATION,
            token=visit.form_word if visit else token,
            path=asked.below(request),
            theme=asked.theme(request),
            live=request.method == "GET",
            at=at,
            said=said,
        )
        return HTMLResponse(page(shown, around), shown.status)

    def trouble(self, request: Request, visit: Visit | None, title: str, what: str, status: int) -> HTMLResponse:
        """A page that says what could not be done, and what to do next."""
        return self.shown(Shown(title, "trouble.html", {"what": what}, status), request, visit)


def console(house: House, *, routes: Sequence[Route] = ROUTES, clock: Callable[[], datetime] = wall) -> Starlette:
    """The console of a house, mounted at ``/console``. ``clock`` is the wall clock; business time follows from it, or from the journal
    where the house's clock is turned."""
    said = house.settings.console
    letting = Letting(house, idle=said.idle, longest=said.longest)
    provider = Provider(said.oidc, said.oidc_client, said.oidc_secret, said.oidc_claim) if said.oidc else None
    desk = Desk(house, letting, tuple(routes), clock, provider=provider, name=house.settings.folder.name)
    watch = live.Watch(lambda: house.journal.head().seq)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await watch.close()

    inside: list[BaseRoute] = [
        *(At(route.path, partial(_answer, desk, route), methods=[route.method]) for route in routes),
        *doors.routes(desk),
        At("/live", partial(live.answer, desk, watch), methods=["GET"]),
        At("/static/{file}", files.answer, methods=["GET"]),
        At("/{rest:path}", partial(_nowhere, desk), methods=["GET", "POST"]),
    ]
    app = Starlette(routes=[At("/", _to_the_console), At(MOUNT, _to_the_console), Mount(MOUNT, routes=inside)], lifespan=lifespan)
    app.add_middleware(Hardened)
    return app


async def _to_the_console(_: Request) -> Response:
    return RedirectResponse(MOUNT + "/", 307)


async def _nowhere(desk: Desk, request: Request) -> Response:
    """What is in no table: who is not signed in learns nothing about it."""
    visit = await run_in_threadpool(desk.visit, request)
    if visit is None:
        return asked.sign_in_first(request)
    return desk.trouble(request, visit, "Nothing is here", "There is no page at this address.", 404)


async def _answer(desk: Desk, route: Route, request: Request) -> Response:
    """One request of one route: let in, then done in a thread."""
    form: Mapping[str, str] = {}
    visit: Visit | None = None
    try:
        # A form is read before anything else, so that what it is too much of is not kept.
        if route.method == "POST":
            form = await asked.form(request)
        visit = await run_in_threadpool(desk.visit, request, noted=not asked.by_itself(request))
        if visit is None:
            return asked.sign_in_first(request)
        if not visit.person.may(route.role):
            raise RefusedError(403, f"This is for people who are {route.role} at least; {visit.person.name} is {visit.person.role}.")
        if route.method == "POST":
            asked.check_form(request, form, visit.form_word, url=desk.house.settings.console.url)
        return await to_thread.run_sync(_done, desk, route, request, visit, form, limiter=desk.making if route.method == "GET" else None)
    except RefusedError as no:
        who = repr(visit.person.name) if visit else "who is not signed in"
        _log.warning("%s %s for %s from %s was refused: %s", route.method, route.path, who, asked.place(request), no.why)
        return desk.trouble(request, visit, "This may not be done", no.why, no.status)
    except Unknown as no:
        return desk.trouble(request, visit, "Nothing is here", str(no), 404)
    except EverloopError as no:
        return desk.trouble(request, visit, "This could not be done", str(no), 409)
    except OverflowError:  # an instant or a number no calendar and no table has
        return desk.trouble(request, visit, "This cannot be read", "A number or an instant in this address is beyond all there are.", 400)


def _done(desk: Desk, route: Route, request: Request, visit: Visit, form: Mapping[str, str]) -> Response:
    path = {name: str(value) for name, value in request.path_params.items()}
    query = dict(reversed(request.query_params.multi_items()))
    asking = Asking(house=desk.house, person=visit.person, now=desk.business(), path=path, query=query)
    if route.method == "POST":
        came = cast("Act", route.does)(asking, form)
        if isinstance(came, Shown):
            return desk.shown(came, request, visit)
        done = Done(came) if isinstance(came, str) else came
        answer: Response = RedirectResponse(asked.own(done.to), 303)
        if done.said:
            asked.give_cookie(answer, request, desk.said, words.sealed(visit.secret, [done.said[:1_000]]), seconds=60)
        return answer
    said = words.unsealed(visit.secret, request.cookies.get(asked.cookie_name(request, desk.said), "")) or []
    at = desk.house.journal.head().seq
    answer = desk.shown(cast("Page", route.does)(asking), request, visit, said=" ".join(said), at=at)
    if said and not asked.by_itself(request):
        asked.take_cookie(answer, request, desk.said)
    return answer


class Hardened:
    """What every answer of the console says to a browser: nothing from elsewhere, nothing inline, in no frame, kept by nobody."""

    POLICY = "; ".join(
        (
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'", "form-action 'self'",
            "base-uri 'none'", "frame-ancestors 'none'",
        )
    )  # fmt: skip
    SAID = (
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    )
    STRICT = (b"strict-transport-security", b"max-age=31536000")

    def __init__(self, app: Callable[[Scope, Receive, Send], object]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        secure = asked.is_secure(scope)

        async def sent(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = [*cast("list[tuple[bytes, bytes]]", message.get("headers", [])), *self.SAID]
                headers += [self.STRICT] if secure else []
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, sent)  # type: ignore[arg-type]
