"""Who is signed in, and the links by which somebody may set a password: what is kept is the SHA-256 of a secret. Instants are wall time.

A secret holds 256 random bits, so nobody can try them all. A session or link without a person is this machine's own, which counts as long
as nobody was let in by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, Connection, Index, Table, Text, select

from everloop.clock import from_microseconds, microseconds
from everloop.registry.people import key_of
from everloop.registry.store import Store
from everloop.sql.schema import METADATA

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("person", Text),
    Column("began_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)
Index(None, SESSIONS.c.person)

LINKS = Table(
    "links",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("person", Text),
    Column("until", BigInteger, nullable=False),
)
Index(None, LINKS.c.person)


@dataclass(frozen=True)
class Session:
    """Somebody signed in: ``person`` is the key of a name, None this machine; over at ``until``, whatever happens."""

    digest: str
    person: str | None
    began_at: datetime
    seen_at: datetime
    until: datetime

    def good(self, now: datetime, idle: timedelta) -> bool:
        """Whether it still counts: neither over nor unused for longer than ``idle``."""
        return now < self.until and now - self.seen_at < idle


@dataclass(frozen=True)
class Sessions:
    """The sessions of one house."""

    store: Store

    def begin(self, connection: Connection, digest: str, person: str | None, *, now: datetime, until: datetime) -> Session:
        """Somebody is signed in from now on; what is over goes."""
        connection.execute(SESSIONS.delete().where(SESSIONS.c.until <= microseconds(now)))
        key, at = None if person is None else key_of(person), microseconds(now)
        connection.execute(SESSIONS.insert().values(digest=digest, person=key, began_at=at, seen_at=at, until=microseconds(until)))
        return Session(digest, key, now, now, until)

    def find(self, digest: str, *, within: Connection | None = None) -> Session | None:
        """The session of a secret's digest."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(SESSIONS).where(SESSIONS.c.digest == digest)).first()
        if row is None:
            return None
        return Session(
            row.digest, row.person, from_microseconds(row.began_at), from_microseconds(row.seen_at), from_microseconds(row.until)
        )

    def seen(self, connection: Connection, digest: str, *, now: datetime) -> None:
        """It was used now."""
        connection.execute(SESSIONS.update().where(SESSIONS.c.digest == digest).values(seen_at=microseconds(now)))

    def end(self, connection: Connection, digest: str) -> None:
        """It is over; twice is as good as once."""
        connection.execute(SESSIONS.delete().where(SESSIONS.c.digest == digest))

    def end_of(self, connection: Connection, person: str | None) -> int:
        """All of a person's are over (None: all of this machine's); how many there were."""
        whose = SESSIONS.c.person.is_(None) if person is None else SESSIONS.c.person == key_of(person)
        return connection.execute(SESSIONS.delete().where(whose)).rowcount

    def end_all(self, connection: Connection) -> int:
        """Nobody is signed in any more, and no link opens anything; how many sessions there were."""
        connection.execute(LINKS.delete())
        return connection.execute(SESSIONS.delete()).rowcount


@dataclass(frozen=True)
class Links:
    """The one-time links of one house."""

    store: Store

    def make(self, connection: Connection, digest: str, person: str | None, *, now: datetime, until: datetime) -> None:
        """Keep a link; those of the same person, and those that are over, open nothing any more."""
        whose = LINKS.c.person.is_(None) if person is None else LINKS.c.person == key_of(person)
        connection.execute(LINKS.delete().where(whose | (LINKS.c.until <= microseconds(now))))
        connection.execute(
            LINKS.insert().values(digest=digest, person=None if person is None else key_of(person), until=microseconds(until))
        )

    def whose(self, digest: str, *, now: datetime, within: Connection | None = None) -> tuple[str | None] | None:
        """Whose link this is, in a tuple, as long as it is good; None: it opens nothing."""
        with self.store.reading(within) as connection:
            row = connection.execute(select(LINKS.c.person).where(LINKS.c.digest == digest, LINKS.c.until > microseconds(now))).first()
        return None if row is None else (row.person,)

    def use(self, connection: Connection, digest: str, *, now: datetime) -> tuple[str | None] | None:
        """The same, and from now on it opens nothing: of two who come at once, one gets in."""
        found = self.whose(digest, now=now, within=connection)
        connection.execute(LINKS.delete().where(LINKS.c.digest == digest))
        return found

    def end_of(self, connection: Connection, person: str) -> None:
        """The links of a person open nothing any more."""
        connection.execute(LINKS.delete().where(LINKS.c.person == key_of(person)))
