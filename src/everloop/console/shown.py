"""What a page says becomes HTML: templates, and the few words every template has (``url``, ``at``, ``plot``, ``id``, ``csrf``).

Everything is escaped unless it is Markup. Nothing is styled or scripted inline: the Content-Security-Policy would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from everloop import plots
from everloop.clock import said, utc
from everloop.console.page import ROLES, Person, Route, Shown
from everloop.errors import Unknown

MOUNT = "/console"
"""Where the console hangs, on every server that has it."""
HERE = Path(__file__).parent


def address(routes: Sequence[Route], name: str, **words: object) -> str:
    """The address of a page by its name; words that are not in its path come after a question mark, but for None.

    >>> from everloop.console.page import Route
    >>> address([Route("/models/{model}", print, "viewer", name="model")], "model", model="demand & more", page=2)
    '/console/models/demand%20%26%20more?page=2'

    Raises Unknown for a name no page has.
    """
    path = next((route.path for route in routes if route.name == name), None)
    if path is None:
        raise Unknown("page", name, sorted(route.name for route in routes if route.name))
    left = dict(words)

    def filled(found: re.Match[str]) -> str:
        return quote(str(left.pop(found[1])), safe="/" if found[2] else "")

    path = re.sub(r"\{(\w+)(:path)?\}", filled, path)
    asked = urlencode([(word, str(value)) for word, value in left.items() if value is not None])
    return MOUNT + path + (f"?{asked}" if asked else "")


def at(instant: datetime | None, missing: str = "never") -> Markup:
    """An instant as a person reads it: UTC to the minute, which the page's script turns into the viewer's own zone.

    >>> from everloop.clock import instant
    >>> str(at(instant("2026-11-02T14:03Z")))
    '<time datetime="2026-11-02T14:03:00+00:00">2026-11-02 14:03 UTC</time>'
    """
    if instant is None:
        return Markup("<span class=missing>{}</span>").format(missing)
    return Markup('<time datetime="{}">{}</time>').format(utc(instant).isoformat(), said(instant))


def plot(picture: str) -> Markup:
    """A plot of ``everloop.plots`` in a box of its own; its style, which is the same in all of them, comes from the style sheet."""
    return Markup('<div class="plot">{}</div>').format(Markup(picture.replace(f"<style>{plots.STYLE}</style>", "")))


def id_(value: str) -> Markup:
    """The id of a record, short, whole for who copies it, and a way to what is behind it.

    >>> str(id_("687ae61cf34b7223"))
    '<a class="id" href="/console/why?id=687ae61cf34b7223" title="687ae61cf34b7223">687ae61cf34b</a>'
    """
    return Markup('<a class="id" href="{}/why?id={}" title="{}">{}</a>').format(MOUNT, quote(value, safe="@"), value, value[:12])


@lru_cache(1)
def engine() -> Environment:
    """The templates, read once. A word that is not there is an error, not a gap."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {"at": at, "plot": plot, "id": id_, "mount": MOUNT}
    return made


@dataclass(frozen=True)
class Around:
    """What is around a page: who looks, where (the name of the house), by which routes, and the secret of this session's forms.

    ``theme`` is what the viewer chose: ``light``, ``dark``, or nothing, which leaves it to the system.
    """

    house: str
    person: Person | None
    routes: Sequence[Route]
    navigation: Sequence[tuple[str, str]]
    token: str
    path: str = "/"
    theme: str = ""
    live: bool = True
    """Whether the page may be asked for again by its script: it came of no form."""
    at: int | None = None
    """How far the journal was before the page was made: what its script has to hear from there on."""
    said: str = ""
    """What came of the form that was sent before this page, in a sentence."""


def page(shown: Shown, around: Around) -> str:
    """The whole page as text."""

    def url(name: str, **words: object) -> str:
        return address(around.routes, name, **words)

    def csrf() -> Markup:
        return Markup('<input type="hidden" name="csrf" value="{}">').format(around.token)

    def may(role: str) -> bool:
        """Whether the person may do what needs this role; templates leave out what they may not."""
        return around.person is not None and ROLES.index(around.person.role) >= ROLES.index(role)

    there = {route.name for route in around.routes if around.person is not None and may(route.role)}
    navigation = [(url(name), label, _is_at(url(name), around.path)) for name, label in around.navigation if name in there]
    words: Mapping[str, object] = {
        "url": url, "csrf": csrf, "may": may, "person": around.person, "house": around.house, "navigation": navigation,
        "theme": around.theme, "live": around.live, "live_at": around.at, "said": around.said, "title": shown.title,
        "has": there.__contains__,
    }  # fmt: skip
    return engine().get_template(shown.template).render({**shown.values, **words})


def _is_at(address: str, path: str) -> bool:
    here = MOUNT + path
    return here.rstrip("/") == address.rstrip("/") or (address.rstrip("/") != MOUNT and here.startswith(address + "/"))
