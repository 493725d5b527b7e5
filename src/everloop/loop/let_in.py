"""Letting people in by name: who is added, given another role, or let out, by whom; in the journal with the change itself.

Whoever's role changes or who is let out is signed out in the same transaction. A person sets their own password, by a link that opens once.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection

from everloop.clock import utc, wall
from everloop.errors import EverloopError
from everloop.loop.house import House
from everloop.loop.keep import ANY
from everloop.records import Membership, identity
from everloop.registry.people import KeptPerson, People
from everloop.registry.sessions import Links, Sessions
from everloop.serving.keys import digest_of

LINK_LASTS = timedelta(hours=24)


def add(house: House, name: str, role: str, *, by: str, reason: str = "", now: datetime) -> KeptPerson:
    """Somebody is let in; they set their password by a link (``link``). The sessions of this machine end, since from now on people sign in
    by name. Raises EverloopError for a name in use or that is none, a role there is not, and a first person who is not admin."""
    with house.store.transaction() as t:
        people = People(house.store)
        first = not people.any(within=t)
        kept = people.add(t, name, role, now=wall())
        if first and kept.role != "admin":
            raise EverloopError(f"The first person of a house lets the others in. Say: everloop person add {kept.name!r} --role admin")
        Sessions(house.store).end_of(t, None)
        _journalled(house, t, kept.name, kept.role, by=by, why=reason, now=now)
    return kept


def give(house: House, name: str, role: str, *, by: str, reason: str = "", now: datetime) -> KeptPerson:
    """Another role for somebody, who signs in again. Raises Unknown; EverloopError where nobody would be admin."""
    with house.store.transaction() as t:
        people = People(house.store)
        kept = people.give(t, name, role)
        _somebody_is_admin(people, t)
        Sessions(house.store).end_of(t, kept.name)
        _journalled(house, t, kept.name, kept.role, by=by, why=reason, now=now)
    return kept


def remove(house: House, name: str, *, by: str, reason: str = "", now: datetime) -> KeptPerson:
    """Somebody is let out, and signed out at once. Raises Unknown; EverloopError for the last admin of others. Who removes the last person
    opens the house to its own machine again."""
    with house.store.transaction() as t:
        people = People(house.store)
        kept = people.remove(t, name, now=wall())
        if people.any(within=t):
            _somebody_is_admin(people, t)
        Sessions(house.store).end_of(t, kept.name)
        Links(house.store).end_of(t, kept.name)
        _journalled(house, t, kept.name, None, by=by, reason=reason, now=now)
    return kept


def link(house: House, name: str, *, by: str, now: datetime) -> str:
    """The secret of a new one-time link, by which this person sets a password (again). The link before it opens nothing any more. Raises
    Unknown, EverloopError."""
    secret, made = secrets.token_urlsafe(32), wall()
    with house.store.transaction() as t:
        kept = People(house.store).get(name, within=t)
        Links(house.store).make(t, digest_of(secret), kept.name, now=made, until=made + LINK_LASTS)
        noted(house, t, kept, "was given a link to set a password", by=by, now=now)
    return secret


def enter_link(house: House) -> str:
    """What opens the console once from its own machine: the path of an address. The one before opens nothing any more. Raises
    EverloopError where there are people."""
    secret, made = secrets.token_urlsafe(32), wall()
    with house.store.transaction() as t:
        if People(house.store).any(within=t):
            raise EverloopError("There are people in this house. Say whose link: everloop person link NAME")
        Links(house.store).make(t, digest_of(secret), None, now=made, until=made + LINK_LASTS)
    return f"/console/enter/{secret}"


def set_up_link(house: House, name: str, *, by: str, now: datetime) -> str:
    """What lets somebody set a password, once: the path of an address. Raises Unknown."""
    return f"/console/set-up/{link(house, name, by=by, now=now)}"


def noted(house: House, t: Connection, kept: KeptPerson, what: str, *, by: str, now: datetime) -> None:
    """In the journal: what was done to how somebody comes in, whose role stays as it is."""
    _journalled(house, t, kept.name, kept.role, by=by, reason=what, now=now)


def _somebody_is_admin(people: People, t: Connection) -> None:
    if not any(person.role == "admin" for person in people.all(within=t)):
        raise EverloopError("Nobody would be left who lets people in. Make somebody else admin first: everloop person role NAME admin")


def _journalled(
    house: House, t: Connection, name: str, role: str | None, *, by: str, reason: str = "", why: str = "", now: datetime
) -> None:  # fmt: skip
    if not by.strip():
        raise EverloopError("Who lets people in or out says their own name. Say --by.")
    # Two changes of one person in the same instant are two records: the head of the journal is another.
    id = identity("membership", name, role, by, utc(now).isoformat(), house.journal.head(within=t).seq)
    made = Membership(id=id, made_at=utc(now), person=name, role=role, by=by, reason=reason, why=why.strip() or None)
    house.journal.append(t, made, verb="membership", back=ANY)
