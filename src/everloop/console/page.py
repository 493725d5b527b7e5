"""What a page of the console is made of: who asks, what is shown, what a form does, and the line of the table that says all three.

Nothing here knows a request, a cookie or a template engine: a page is a function, and is tested as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from everloop.registry.people import ROLES, Person, Role

if TYPE_CHECKING:
    from everloop.loop.house import House

__all__ = ["ROLES", "Act", "Asking", "Done", "Page", "Person", "Role", "Route", "Shown"]


@dataclass(frozen=True)
class Asking:
    """One request of somebody who may make it. ``now`` is business time, aware; ``path`` holds the words of the address, such as
    ``{"model": "demand"}``, ``query`` the first value of each word after the question mark."""

    house: House
    person: Person
    now: datetime
    path: Mapping[str, str]
    query: Mapping[str, str]

    def number(self, word: str, default: int, *, most: int = 10**6) -> int:
        """A whole number of the query, from 0 to ``most``; ``default`` where there is none. What is larger is ``most``."""
        said = self.query.get(word, "")
        if not (said.isascii() and said.isdecimal()):
            return default
        return min(int(said), most) if len(said) < 20 else most


@dataclass(frozen=True)
class Shown:
    """What a page shows: the title of the window, a template of ``templates/`` (or of the page's own folder), and what the template is
    given."""

    title: str
    template: str
    values: Mapping[str, object]
    status: int = 200


@dataclass(frozen=True)
class Done:
    """What came of a form: the address to go to next, and a sentence that is shown there once."""

    to: str
    said: str = ""


Page: TypeAlias = Callable[[Asking], Shown]
"""Reads, and says what is shown. Runs in a thread. errors.Unknown becomes 404, any other EverloopError a page that says it (409)."""

Act: TypeAlias = Callable[[Asking, Mapping[str, str]], str | Done | Shown]
"""Does what a form that was sent asks for, by ``asking.person.name``; returns the address to go to next (303), as ``url`` says it, with a
sentence (``Done``) or without; or what is shown at once and never again, such as a secret (``Shown``)."""


@dataclass(frozen=True)
class Route:
    """One address of the console, below where it is mounted: ``/models/{model}``; who may ask for it, at least; and what it does.

    ``{word}`` stands for one piece of a path, ``{word:path}`` for all that is left. ``name`` is what ``url(name, …)`` knows it by.
    """

    path: str
    does: Page | Act
    role: Role
    method: Literal["GET", "POST"] = "GET"
    name: str = ""
