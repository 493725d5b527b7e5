"""The page People: who is let in and what they may; an admin lets in, gives another role, makes a new link, and lets out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from everloop.console.page import Asking, Role, Route, Shown
from everloop.console.shown import MOUNT
from everloop.loop import let_in
from everloop.registry.people import MAY, ROLES, People


@dataclass(frozen=True)
class Line:
    """One person: what they may, since when they are here, and whether they can sign in yet."""

    name: str
    role: Role
    added_at: datetime
    ready: bool
    me: bool


def people(asking: Asking) -> Shown:
    """Everybody who is let in."""
    kept = People(asking.house.store).all()
    lines = [Line(p.name, p.role, p.added_at, bool(p.password or p.subject), p.name == asking.person.name) for p in kept]
    return Shown("People", "people.html", {"lines": lines, "roles": ROLES, "means": MAY, "link": None})


def add(asking: Asking, form: Mapping[str, str]) -> str:
    """Let somebody in."""
    let_in.add(asking.house, form.get("name", ""), form.get("role", ""), by=asking.person.name, now=asking.now)
    return f"{MOUNT}/people"


def give(asking: Asking, form: Mapping[str, str]) -> str:
    """Another role for somebody; they sign in again."""
    let_in.give(asking.house, form.get("name", ""), form.get("role", ""), by=asking.person.name, now=asking.now)
    return f"{MOUNT}/people"


def remove(asking: Asking, form: Mapping[str, str]) -> str:
    """Let somebody out; they are signed out at once."""
    let_in.remove(asking.house, form.get("name", ""), by=asking.person.name, reason=form.get("reason", ""), now=asking.now)
    return f"{MOUNT}/people"


ROUTES: tuple[Route, ...] = (
    Route("/people", people, "viewer", name="people"),
    Route("/people/add", add, "admin", "POST", name="people-add"),
    Route("/people/role", give, "admin", "POST", name="people-role"),
    Route("/people/remove", remove, "admin", "POST", name="people-remove"),
)
