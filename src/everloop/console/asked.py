"""What a request says, read with suspicion: its form, its cookie, where it came from, and where it may be sent on to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from everloop.console.shown import MOUNT
from everloop.console.words import same
from everloop.errors import EverloopError
from everloop.serving.arriving import heads_of, peer_of
from everloop.serving.keys import from_here, is_here

MOST_BYTES, MOST_FIELDS = 64_000, 200
HANDED_ON = "everloop handed on"
"""In a scope: the request came through a worker of the same house, whose word about the peer and TLS counts."""


class RefusedError(EverloopError):
    """A request that may not be, and why; with the status of HTTP that says so."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, the first value of each. Raises RefusedError for what is no form or too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedError(415, "Only forms are taken here.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise RefusedError(413, f"A form may have {MOST_BYTES:,} bytes.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=False, max_num_fields=MOST_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise RefusedError(400, "This form cannot be read.") from error
    return dict(reversed(fields))


def check_form(request: Request, fields: Mapping[str, str], word: str, *, url: str | None = None) -> None:
    """A form must carry the word of its session, and come from a page of this address: that of the ``Host``, or ``url``, where people
    reach the house, since a proxy may pass another ``Host`` on. Raises RefusedError."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    ours = url is not None and origin is not None and origin == _origin(url)
    if origin is not None and not ours and (origin == "null" or urlsplit(origin).netloc != host):
        raise RefusedError(403, "This form was sent by a page of another address, so nothing was done.")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusedError(403, "This form was sent by a page of another address, so nothing was done.")
    if not same(fields.get("csrf", ""), word):
        raise RefusedError(403, "This form is not of this session, so nothing was done. Load the page again, and send it from there.")


def _origin(url: str) -> str:
    """What a browser says of a page at this address (RFC 6454): its scheme and place, in small letters, without the usual port.

    >>> _origin("https://ML.shop.example:443/"), _origin("http://localhost:8321")
    ('https://ml.shop.example', 'http://localhost:8321')
    """
    parts = urlsplit(url.lower())
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def is_secure(scope: Mapping[str, Any]) -> bool:
    """Whether the browser speaks TLS to us, or to who speaks to us."""
    if scope.get("scheme") == "https":
        return True
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return len(forwarded) == 1 and forwarded[0].split(b",")[0].strip().lower() == b"https"


def cookie_name(request: Request, name: str) -> str:
    """The cookie's name; where there is TLS, one that a browser takes by TLS only (RFC 6265bis)."""
    return f"__Secure-{name}" if is_secure(request.scope) else name


def give_cookie(answer: Response, request: Request, name: str, value: str, *, seconds: int | None = None) -> None:
    """A cookie no script reads and no other site's form carries; lax, so that a link in a message still leads in."""
    answer.set_cookie(
        cookie_name(request, name), value, max_age=seconds, path=MOUNT, secure=is_secure(request.scope), httponly=True, samesite="lax"
    )


def take_cookie(answer: Response, request: Request, name: str) -> None:
    """The cookie is gone."""
    answer.delete_cookie(cookie_name(request, name), path=MOUNT, secure=is_secure(request.scope), httponly=True, samesite="lax")


def peer(request: Request) -> str:
    """Who is at the other end, as far as can be believed: an address, or ``unix socket``."""
    said = request.scope.get(HANDED_ON) or peer_of(request.scope)
    return str(said or "unknown")


def place(request: Request) -> str:
    """From where somebody tries a password: the other end, and where that is a proxy of this machine, whom it speaks for."""
    end, spoken = peer(request), request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return f"{end} for {spoken[:64]}" if spoken and is_here(end) else end


def here(request: Request) -> bool:
    """Whether it comes from this machine itself, by no proxy."""
    heads = heads_of(request.headers.raw)
    return from_here(peer(request), heads.host, heads.forwarded)


def by_itself(request: Request) -> bool:
    """Whether the page's script asks, not a person: that is no use of a session."""
    return "everloop-live" in request.headers


def below(request: Request) -> str:
    """The path below the mount."""
    path = request.scope["path"]
    return str(path)[len(MOUNT) :] or "/" if path.startswith(MOUNT) else str(path)


def theme(request: Request) -> str:
    """Light or dark, where the viewer chose."""
    said = request.cookies.get("everloop_theme", "")
    return said if said in ("light", "dark") else ""


def own(address: str) -> str:
    """An address of the console itself; anything else becomes its first page, so that nobody is sent elsewhere.

    >>> own("/console/runs?page=2"), own("https://evil.example/"), own("//evil.example"), own("/console//evil"), own("/console/\\\\evil")
    ('/console/runs?page=2', '/console/', '/console/', '/console/', '/console/')
    """
    path = address.partition("?")[0].partition("#")[0]
    good = path == MOUNT or path.startswith(MOUNT + "/")
    return address if good and "//" not in path and "\\" not in address and address.isprintable() else MOUNT + "/"


def sign_in_first(request: Request) -> Response:
    """To the sign-in, and back from there; for what is no page, only that it needs one."""
    if request.method != "GET" or by_itself(request):
        return Response("Sign in first.", 401, media_type="text/plain")
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{MOUNT}/sign-in?next={quote(own(MOUNT + below(request) + query), safe='')}", 303)
