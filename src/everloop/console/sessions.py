"""From a cookie to a person: who is signed in, how they come in and how they leave. Requests are not known here; instants are wall time."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.connect.openid import Who
from everloop.console import words
from everloop.console.passwords import fits, hashed
from everloop.errors import EverloopError, Unknown
from everloop.loop import let_in
from everloop.loop.house import House
from everloop.records import identity
from everloop.registry.people import People, Person, key_of
from everloop.registry.sessions import Links, Session, Sessions

NOTED = timedelta(minutes=5)
"""How exactly it is known when a session was last used: it is not written with every page."""


@dataclass(frozen=True)
class Visit:
    """Somebody who is signed in, and the secret of their session, which only their browser and this request know."""

    person: Person
    secret: str
    session: Session

    @property
    def form_word(self) -> str:
        return words.form_word(self.secret)


@dataclass(frozen=True)
class Letting:
    """How people come into one house: a session is over when it was not used for ``idle``, and at ``longest`` whatever happens."""

    house: House
    idle: timedelta = timedelta(hours=8)
    longest: timedelta = timedelta(days=7)

    @property
    def cookie(self) -> str:
        """The name of the cookie: another for each house, since a browser gives all ports of a machine the same cookies."""
        return f"everloop-{identity('console', self.house.salt)[:8]}"

    @property
    def seal(self) -> str:
        """What is sealed with it, this house sealed."""
        return identity("console seal", self.house.salt) + self.house.salt

    def open_here(self) -> bool:
        """Whether the house is open to its own machine: as long as nobody was let in by name."""
        return not People(self.house.store).any()

    def visit(self, secret: str | None, *, here: bool, now: datetime, noted: bool = True) -> Visit | None:
        """Who shows this cookie; None: nobody who is let in. ``here``: the request comes from this machine itself. What a page asks by
        itself (``noted`` False) is no use of the session."""
        if not secret:
            return None
        house, digest = self.house, words.digest_of(secret)
        with house.store.reading() as t:
            session = Sessions(house.store).find(digest, within=t)
            if session is None or not session.good(now, self.idle):
                return None
            if session.person is None:
                person = this_machine() if here and not People(house.store).any(within=t) else None
            else:
                kept = People(house.store).find(session.person, within=t)
                person = kept.person if kept is not None and kept.removed_at is None else None
        if person is None:
            return None
        if noted and now - session.seen_at >= min(NOTED, self.idle / 4):
            with house.store.transaction() as t:
                Sessions(house.store).seen(t, digest, now=now)
        return Visit(person, secret, session)

    def sign_in(self, name: str, password: str, now: datetime) -> str | None:
        """A new session's secret for whoever knows the password; None: name and password do not fit."""
        kept = People(self.house.store).find(name)
        if not fits(kept.password if kept is not None and kept.removed_at is None else None, password):
            return None
        return self.begin(kept.name if kept else name, now)

    def begin(self, person: str | None, now: datetime) -> str:
        """A new session's secret, for somebody who proved who they are; None: this machine."""
        secret = words.new_secret()
        with self.house.store.transaction() as t:
            Sessions(self.house.store).begin(t, words.digest_of(secret), person, now=now, until=now + self.longest)
        return secret

    def sign_out(self, visit: Visit) -> None:
        """The session is over."""
        with self.house.store.transaction() as t:
            Sessions(self.house.store).end(t, visit.session.digest)

    def whose_link(self, link: str, now: datetime) -> str:
        """The name of whom a set-up link is for. Raises Unknown for one that opens nothing."""
        found = Links(self.house.store).whose(words.digest_of(link), now=now)
        if found is None or found[0] is None:
            raise _no_link()
        return People(self.house.store).get(found[0]).name

    def by_provider(self, who: Who, now: datetime, *, business: datetime) -> str:
        """A new session for who a provider says this is: whoever came as that subject before, or the first time whoever is let in by that
        name; that is journalled at ``business`` time. Raises EverloopError for anybody else."""
        people, store = People(self.house.store), self.house.store
        with store.transaction() as t:
            kept = people.of_subject(who.subject, within=t) or people.find(who.name, within=t)
            if kept is None or kept.removed_at is not None:
                raise EverloopError(f"{who.name} is not let in here. An admin may: everloop person add {who.name} --role viewer")
            people.bind(t, kept.name, who.subject)
            if kept.subject is None:
                let_in.noted(self.house, t, kept, "came by the provider for the first time", by=kept.name, now=business)
        return self.begin(kept.name, now)

    def set_up(self, link: str, password: str, now: datetime, *, business: datetime) -> str:
        """The password of whom a link is for; the link opens nothing any more, and who was signed in by that name is out; it is journalled
        at ``business`` time. Returns the secret of a new session. Raises Unknown, EverloopError for a password that is none."""
        name = self.whose_link(link, now)
        kept, secret, store = hashed(password, name), words.new_secret(), self.house.store
        with store.transaction() as t:
            if Links(store).use(t, words.digest_of(link), now=now) != (key_of(name),):
                raise _no_link()
            People(store).set_password(t, name, kept)
            let_in.noted(self.house, t, People(store).get(name, within=t), "set a password by the link", by=name, now=business)
            Sessions(store).end_of(t, name)
            Sessions(store).begin(t, words.digest_of(secret), name, now=now, until=now + self.longest)
        return secret

    def enter(self, link: str, now: datetime) -> str:
        """A session of this machine, by the one-time link printed at start. Raises Unknown; EverloopError where there are people."""
        store, secret = self.house.store, words.new_secret()
        with store.transaction() as t:
            if People(store).any(within=t):
                raise EverloopError("There are people in this house: sign in by name. An admin lets others in: everloop person add")
            if Links(store).use(t, words.digest_of(link), now=now) != (None,):
                raise _no_link("")
            Sessions(store).begin(t, words.digest_of(secret), None, now=now, until=now + self.longest)
        return secret


def this_machine() -> Person:
    """Whoever sits at this machine, where nobody was let in by name: they can read the house's files, so they may do everything."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    return Person(f"{name} at this machine", "admin")


def _no_link(whose: str = " NAME") -> Unknown:
    return Unknown("link", "that was opened", next=f"It was used, or is over. A new one: everloop person link{whose}")
