"""Open to all: whether this worker lives and can answer, and the description of every path, for programs and for people."""

from __future__ import annotations

from everloop.serving import asks
from everloop.serving.desk import AGAIN, Ask, Desk, Reply, encode, told

HTML = "text/html; charset=utf-8"
_PAGE = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")


async def live(desk: Desk, ask: Ask) -> Reply:
    """This process lives."""
    return told(asks.LiveReply())


async def ready(desk: Desk, ask: Ask) -> Reply:
    """Whether this worker can answer, and if not, why."""
    ready = desk.doors.ready()
    why = "this worker is stopping" if desk.stopping else ready.why
    can = ready.ready and not desk.stopping
    said = asks.ReadyReply(can, why, dict(ready.generations))
    return Reply(200 if can else 503, encode(said), headers=() if can else AGAIN)


async def openapi(desk: Desk, ask: Ask) -> Reply:
    """The description, for programs."""
    return Reply(200, await desk.in_thread(desk.looking, lambda: encode(desk.description())))


async def docs(desk: Desk, ask: Ask) -> Reply:
    """The description, for people."""
    from everloop.serving.pages import docs_page

    return Reply(200, (await desk.in_thread(desk.looking, lambda: docs_page(desk.description()))).encode(), HTML, [_PAGE])


async def home(desk: Desk, ask: Ask) -> Reply:
    """Where to go from here."""
    from everloop.serving.pages import home_page

    return Reply(200, home_page().encode(), HTML, [_PAGE])
