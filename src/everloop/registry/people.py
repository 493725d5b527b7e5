"""The people of one house at rest: who they are, what each may, and what their password hashes to. Instants are arguments.

A house is a project, so a role here says nothing of another house. Whoever was removed stays known by name, and may nothing. Makes no
secret and checks none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import BigInteger, Column, Connection, Index, Row, Table, Text, func, select

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError, Unknown
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

Role: TypeAlias = Literal["viewer", "operator", "approver", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""In order: each may do what those before it may."""

MAY: Mapping[Role, str] = {
    "viewer": "looks at everything",
    "operator": "also takes back, holds and releases, acknowledges and snoozes, cancels and tries again",
    "approver": "also says yes and no, sets shares, hurries a step, overrides a verdict",
    "admin": "also lets people in and out",
}

_NAME = re.compile(r"[^\W_](?:[\w.@+' -]{0,98}[\w.])?")

PEOPLE = Table(
    "people",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("subject", Text),
    Column("added_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger),
)
Index(None, PEOPLE.c.subject, unique=True)


@dataclass(frozen=True)
class Person:
    """Somebody who is let in, and what they may."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this person may do what needs a role.

        >>> Person("Kim", "operator").may("viewer"), Person("Kim", "operator").may("approver")
        (True, False)
        """
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class KeptPerson:
    """A person as kept: ``password`` is an argon2 hash (None: not set up yet), ``subject`` who a provider says it is (its issuer,
    and what it calls them)."""

    name: str
    role: Role
    added_at: datetime
    password: str | None = field(default=None, repr=False)
    subject: str | None = None
    removed_at: datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether they can sign in already."""
        return self.password is not None or self.subject is not None

    @property
    def person(self) -> Person:
        return Person(self.name, self.role)


@dataclass(frozen=True)
class People:
    """The people of one house."""

    store: Store

    def add(self, connection: Connection, name: str, role: str, *, now: datetime) -> KeptPerson:
        """Let somebody in; a person who was removed comes back without a password. Raises EverloopError for a name that is none or in use,
        or a role there is not."""
        name, role = checked(name, role)
        known = self.find(name, within=connection)
        if known is not None and known.removed_at is None:
            raise EverloopError(f"{known.name} is there already, as {known.role}. Another role: everloop person role {known.name!r} {role}")
        connection.execute(PEOPLE.delete().where(PEOPLE.c.key == key_of(name)))
        connection.execute(PEOPLE.insert().values(key=key_of(name), name=name, role=role, added_at=microseconds(now)))
        return KeptPerson(name, role, now)

    def give(self, connection: Connection, name: str, role: str) -> KeptPerson:
        """Another role for somebody who is there. Raises Unknown, and EverloopError for a role there is not."""
        kept, (_, role) = self.get(name, within=connection), checked(name, role)
        connection.execute(PEOPLE.update().where(PEOPLE.c.key == key_of(name)).values(role=role))
        return KeptPerson(kept.name, role, kept.added_at, kept.password, kept.subject)

    def remove(self, connection: Connection, name: str, *, now: datetime) -> KeptPerson:
        """Somebody may nothing any more; the password goes, the name stays. Raises Unknown."""
        kept = self.get(name, within=connection)
        gone = {"removed_at": microseconds(now), "password": None, "subject": None}
        connection.execute(PEOPLE.update().where(PEOPLE.c.key == key_of(name)).values(gone))
        return KeptPerson(kept.name, kept.role, kept.added_at, removed_at=now)

    def set_password(self, connection: Connection, name: str, password: str | None) -> None:
        """Keep what a password hashes to; None: there is none any more. Raises Unknown."""
        self.get(name, within=connection)
        connection.execute(PEOPLE.update().where(PEOPLE.c.key == key_of(name)).values(password=password))

    def bind(self, connection: Connection, name: str, subject: str) -> None:
        """From now on this person is who the provider says is ``subject``, and nobody else is. Raises Unknown, and EverloopError where
        either is bound otherwise."""
        kept, other = self.get(name, within=connection), self.of_subject(subject, within=connection)
        if (kept.subject or subject) != subject or (other is not None and other.name != kept.name):
            raise EverloopError(f"{kept.name} was somebody else at the provider. An admin may remove and add {kept.name} again.")
        connection.execute(PEOPLE.update().where(PEOPLE.c.key == key_of(name)).values(subject=subject))

    def find(self, name: str, *, within: Connection | None = None) -> KeptPerson | None:
        """Whoever has that name, also if removed; None: nobody ever had it. Upper and lower case are the same name."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(PEOPLE).where(PEOPLE.c.key == key_of(name))).first()
        return None if row is None else _kept(row)

    def get(self, name: str, *, within: Connection | None = None) -> KeptPerson:
        """Whoever has that name and is let in. Raises Unknown."""
        kept = self.find(name, within=within)
        if kept is None or kept.removed_at is not None:
            raise Unknown(
                "person", name, [p.name for p in self.all(within=within)], next="Let them in: everloop person add NAME --role viewer"
            )
        return kept

    def of_subject(self, subject: str, *, within: Connection | None = None) -> KeptPerson | None:
        """Who is let in as this subject of a provider."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(PEOPLE).where(PEOPLE.c.subject == subject, PEOPLE.c.removed_at.is_(None))).first()
        return None if row is None else _kept(row)

    def all(self, *, within: Connection | None = None) -> list[KeptPerson]:
        """Everybody who is let in, by name."""
        with self.store.reading(within) as connection:
            return [_kept(row) for row in connection.execute(select(PEOPLE).where(PEOPLE.c.removed_at.is_(None)).order_by(PEOPLE.c.key))]

    def any(self, *, within: Connection | None = None) -> bool:
        """Whether anybody is let in by name. From then on this machine alone opens nothing."""
        with self.store.reading(within) as connection:
            return bool(connection.execute(select(func.count()).select_from(PEOPLE).where(PEOPLE.c.removed_at.is_(None))).scalar())


def key_of(name: str) -> str:
    """What two names that are the same have in common.

    >>> key_of(" Kim@Shop.example ") == key_of("kim@shop.example")
    True
    """
    return name.strip().casefold()


def checked(name: str, role: str) -> tuple[str, Role]:
    """The name and the role, where they may be a person's.

    >>> checked("Kim Doe", "approver")
    ('Kim Doe', 'approver')

    Raises EverloopError.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise EverloopError(
            f"{name!r} is no name for a person. Say up to 100 letters, digits, spaces and .8103-'_, as in kim@shop.example."
        )
    if role not in ROLES:
        raise EverloopError(f"{role!r} is no role. Say {', '.join(ROLES[:-1])} or {ROLES[-1]}.")
    return name, role


def _kept(row: Row[Any]) -> KeptPerson:
    removed = None if row.removed_at is None else from_microseconds(row.removed_at)
    return KeptPerson(row.name, row.role, from_microseconds(row.added_at), row.password, row.subject, removed)
