"""The page People: who is let in and what they may; an admin lets in, gives another role, makes a new link, and lets out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from everloop.console.page import Asking, Done, Role, Route, Shown
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
    lines = [Line(p.name, p.role, p.added_at, p.ready, p.name == asking.person.name) for p in kept]
    return Shown("People", "people.html", {"lines": lines, "roles": ROLES, "means": MAY, "link": None, "whose": ""})


def add(asking: Asking, form: Mapping[str, str]) -> Shown:
    """Let somebody in; shown at once is the link by which they set a password, since whoever lets in the first one is out with that."""
    kept = let_in.add(asking.house, form.get("name", ""), form.get("role", ""), by=asking.person.name, now=asking.now)
    return _with_link(asking, kept.name)


def give(asking: Asking, form: Mapping[str, str]) -> Done:
    """Another role for somebody; they sign in again."""
    kept = let_in.give(asking.house, form.get("name", ""), form.get("role", ""), by=asking.person.name, now=asking.now)
    return Done(f"{MOUNT}/people", f"{kept.name} is {kept.role} now, and signs in again.")


def remove(asking: Asking, form: Mapping[str, str]) -> Done:
    """Let somebody out; they are signed out at once."""
    kept = let_in.remove(asking.house, form.get("name", ""), by=asking.person.name, reason=form.get("reason", ""), now=asking.now)
    return Done(f"{MOUNT}/people", f"{kept.name} is let out.")


def link(asking: Asking, form: Mapping[str, str]) -> Shown:
    """A link by which somebody sets a password, shown once; the one before opens nothing any more."""
    return _with_link(asking, form.get("name", ""))


def _with_link(asking: Asking, name: str) -> Shown:
    made, page = let_in.set_up_link(asking.house, name, by=asking.person.name, now=asking.now), people(asking)
    return replace(page, values={**page.values, "link": made, "whose": name})


ROUTES: tuple[Route, ...] = (
    Route("/people", people, "viewer", name="people"),
    Route("/people/add", add, "admin", "POST", name="people-add"),
    Route("/people/role", give, "admin", "POST", name="people-role"),
    Route("/people/link", link, "admin", "POST", name="people-link"),
    Route("/people/remove", remove, "admin", "POST", name="people-remove"),
)
