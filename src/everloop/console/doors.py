"""The doors: what is open to who is not signed in yet. Signing in and out, setting a password by a one-time link, and the link that opens
a house without people to its own machine. Nothing else is open."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Route as At

from everloop.clock import monotonic
from everloop.connect.openid import Going, Provider
from everloop.console import asked, words
from everloop.console.asked import RefusedError
from everloop.console.page import Shown
from everloop.console.shown import MOUNT
from everloop.errors import EverloopError, Unknown
from everloop.registry.people import key_of

if TYPE_CHECKING:
    from everloop.console.app import Desk

_log = logging.getLogger("everloop.console")
# What is said of who comes in: the name they gave, from where, and what came of it; never what they showed for it.

T = TypeVar("T")
USED = (
    "It was used already, or its time is over. An admin makes a new one on the page People, "
    "or somebody at the house's machine does: everloop person link NAME"
)
AWAY = "away"
"""The third cookie: what must come back from an OpenID provider."""
BEFORE = "before"
"""The second cookie: what the forms of who is not signed in yet carry."""


def routes(desk: Desk) -> list[BaseRoute]:
    """The doors of a house."""
    return [At(path, partial(_opened, desk, answer), methods=[method]) for (method, path), answer in DOORS.items()]


async def _opened(desk: Desk, answer: Answer, request: Request) -> Response:
    try:
        return await answer(desk, request)
    except RefusedError as no:
        _log.warning("%s from %s was refused: %s", DONE[answer], asked.place(request), no.why)
        return desk.trouble(request, None, "This may not be done", no.why, no.status)
    except Unknown:
        _log.warning("%s from %s came to nothing: there is no such link.", DONE[answer], asked.place(request))
        return desk.trouble(request, None, "This link opens nothing any more", USED, 404)
    except EverloopError as no:
        _log.warning("%s from %s came to nothing: %s", DONE[answer], asked.place(request), no)
        return desk.trouble(request, None, "This could not be done", str(no), 409)


async def sign_in_page(desk: Desk, request: Request) -> Response:
    """The form; who is signed in already goes on."""
    if await run_in_threadpool(desk.visit, request) is not None:
        return RedirectResponse(asked.own(request.query_params.get("next", "")), 303)
    return await run_in_threadpool(_sign_in, desk, request, asked.own(request.query_params.get("next", "")))


async def sign_in(desk: Desk, request: Request) -> Response:
    """Name and password; who was wrong too often waits."""
    fields = await asked.form(request)
    _check(desk, request, fields)
    name, place, to = fields.get("name", "").strip()[:200], asked.place(request), asked.own(fields.get("next", ""))
    wait = desk.throttle.wait(key_of(name), place, monotonic())
    if wait > 0:
        _log.warning("Signing in as %r from %s has to wait %.1f seconds: too many tries were wrong.", name[:80], place, wait)
        said = f"Too many tries were wrong. Try again in {_spoken(wait)}."
        answer = await run_in_threadpool(_sign_in, desk, request, to, said, 429, name)
        answer.headers["retry-after"] = f"{int(wait) + 1}"
        return answer
    # Counted before it is known, so that many at once are not all let through.
    desk.throttle.failed(key_of(name), place, monotonic())
    secret = await _in_line(desk, partial(desk.letting.sign_in, name, fields.get("password", ""), desk.wall()))
    if secret is None:
        _log.warning("Signing in as %r from %s: name and password do not fit.", name[:80], place)
        said = "Name and password do not fit, or this person is not let in."
        return await run_in_threadpool(_sign_in, desk, request, to, said, 401, name)
    desk.throttle.succeeded(key_of(name), place)
    _log.info("%r is signed in from %s.", name[:80], place)
    return signed_in(desk, request, secret, to)


async def sign_out(desk: Desk, request: Request) -> Response:
    """The session is over."""
    fields = await asked.form(request)
    visit = await run_in_threadpool(desk.visit, request)
    if visit is not None:
        asked.check_form(request, fields, visit.form_word, url=desk.house.settings.console.url)
        await run_in_threadpool(desk.letting.sign_out, visit)
    answer = RedirectResponse(f"{MOUNT}/sign-in", 303)
    asked.take_cookie(answer, request, desk.letting.cookie)
    return answer


async def set_up_page(desk: Desk, request: Request) -> Response:
    """The form that sets a password, for who has the link; looking at it uses nothing up."""
    return await run_in_threadpool(_set_up, desk, request)


async def set_up(desk: Desk, request: Request) -> Response:
    """The password is kept, the link is used up, and its person signed in."""
    fields = await asked.form(request)
    _check(desk, request, fields)
    if fields.get("password", "") != fields.get("again", ""):
        return await run_in_threadpool(_set_up, desk, request, "The two passwords are not the same.", 400)
    try:
        link, password = request.path_params["link"], fields.get("password", "")
        business = await run_in_threadpool(desk.business)
        secret = await _in_line(desk, partial(desk.letting.set_up, link, password, desk.wall(), business=business))
    except Unknown:
        raise
    except EverloopError as no:
        return await run_in_threadpool(_set_up, desk, request, str(no), 400)
    _log.info("Somebody set a password by a link, from %s, and is signed in.", asked.place(request))
    return signed_in(desk, request, secret, MOUNT + "/")


async def enter(desk: Desk, request: Request) -> Response:
    """This machine comes in, by the link that was printed when the console started."""
    if not asked.here(request):
        raise RefusedError(403, "This link opens from the machine itself only.")
    secret = await run_in_threadpool(desk.letting.enter, request.path_params["link"], desk.wall())
    _log.info("This machine came in by its link.")
    return signed_in(desk, request, secret, MOUNT + "/")


async def away(desk: Desk, request: Request) -> Response:
    """To the OpenID provider; what must come back is kept by the browser, under our seal."""
    provider = _provider(desk)
    going = await run_in_threadpool(provider.away, _back_at(desk, request))
    kept = words.sealed(desk.letting.seal, [going.state, going.nonce, going.verifier, asked.own(request.query_params.get("next", ""))])
    answer = RedirectResponse(going.url, 303)
    asked.give_cookie(answer, request, f"{desk.letting.cookie}-{AWAY}", kept, seconds=600)
    return answer


async def back(desk: Desk, request: Request) -> Response:
    """From the provider: who it says this is is let in, if somebody of that name is."""
    provider, cookie = _provider(desk), f"{desk.letting.cookie}-{AWAY}"
    kept = words.unsealed(desk.letting.seal, request.cookies.get(asked.cookie_name(request, cookie), ""))
    if kept is None:
        raise RefusedError(403, "This browser is not on its way from the provider. Sign in again.")
    state, nonce, verifier, to = kept
    query = dict(request.query_params)
    who = await run_in_threadpool(provider.back, _back_at(desk, request), query, Going("", state, nonce, verifier))
    business = await run_in_threadpool(desk.business)
    secret = await run_in_threadpool(partial(desk.letting.by_provider, who, desk.wall(), business=business))
    _log.info("%r is signed in by the provider, from %s.", who.name[:80], asked.place(request))
    answer = signed_in(desk, request, secret, to)
    asked.take_cookie(answer, request, cookie)
    return answer


def signed_in(desk: Desk, request: Request, secret: str, to: str) -> Response:
    """On to a page, with a new cookie: a session never goes on under the cookie from before."""
    answer = RedirectResponse(asked.own(to), 303)
    asked.give_cookie(answer, request, desk.letting.cookie, secret, seconds=int(desk.letting.longest.total_seconds()))
    asked.take_cookie(answer, request, f"{desk.letting.cookie}-{BEFORE}")
    return answer


Answer = Callable[["Desk", Request], Awaitable[Response]]

DOORS: dict[tuple[str, str], Answer] = {
    ("GET", "/sign-in"): sign_in_page,
    ("POST", "/sign-in"): sign_in,
    ("POST", "/sign-out"): sign_out,
    ("GET", "/set-up/{link}"): set_up_page,
    ("POST", "/set-up/{link}"): set_up,
    ("GET", "/enter/{link}"): enter,
    ("GET", "/oidc/away"): away,
    ("GET", "/oidc/back"): back,
}
"""All that is open, by method and path."""

DONE: dict[Answer, str] = {
    sign_in_page: "The page to sign in",
    sign_in: "Signing in",
    sign_out: "Signing out",
    set_up_page: "The page of a link",
    set_up: "Setting a password",
    enter: "Coming in by this machine's link",
    away: "Going to the provider",
    back: "Coming back from the provider",
}
"""What each is called in a log, where no address may stand: it may hold a link."""


def _provider(desk: Desk) -> Provider:
    if desk.provider is None:
        raise RefusedError(404, "This house has no OpenID provider.")
    return desk.provider


def _back_at(desk: Desk, request: Request) -> str:
    """Where the provider sends browsers back to, which it has to know."""
    scheme = "https" if asked.is_secure(request.scope) else "http"
    return (desk.house.settings.console.url or f"{scheme}://{request.headers.get('host', '')}") + f"{MOUNT}/oidc/back"


async def _in_line(desk: Desk, hashes: Callable[[], T]) -> T:
    """What hashes a password, few at once, and in no thread that a page could use meanwhile."""
    return await to_thread.run_sync(hashes, limiter=desk.hashing)


def _check(desk: Desk, request: Request, fields: dict[str, str]) -> None:
    before = request.cookies.get(asked.cookie_name(request, f"{desk.letting.cookie}-{BEFORE}"), "")
    if not before:
        raise RefusedError(
            403, "The browser gave no cookie back, so nothing was done. Allow this address to set one, and load the page again."
        )
    asked.check_form(request, fields, words.form_word(before), url=desk.house.settings.console.url)


def _spoken(wait: float) -> str:
    """How long that is, not a moment less than it is.

    >>> _spoken(0.2), _spoken(7.1), _spoken(900.0)
    ('1 second', '8 seconds', '15 minutes')
    """
    count, unit = (ceil(wait), "second") if wait < 120 else (ceil(wait / 60), "minute")
    return f"{count} {unit}{'s' if count != 1 else ''}"


def _sign_in(desk: Desk, request: Request, to: str, said: str = "", status: int = 200, name: str = "") -> Response:
    provider = None if desk.provider is None else urlsplit(desk.provider.issuer).netloc
    values = {"to": to, "trouble": said, "alone": desk.letting.open_here(), "provider": provider, "name": name}
    return _with_form(desk, request, Shown("Sign in", "sign_in.html", values, status))


def _set_up(desk: Desk, request: Request, said: str = "", status: int = 200) -> Response:
    name = desk.letting.whose_link(request.path_params["link"], desk.wall())
    return _with_form(desk, request, Shown("Set a password", "set_up.html", {"name": name, "trouble": said}, status))


def _with_form(desk: Desk, request: Request, shown: Shown) -> Response:
    name = f"{desk.letting.cookie}-{BEFORE}"
    before = request.cookies.get(asked.cookie_name(request, name), "") or words.new_secret()
    answer = desk.shown(shown, request, None, token=words.form_word(before))
    asked.give_cookie(answer, request, name, before)
    return answer
