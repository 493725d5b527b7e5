"""The book of what Shopify asked about people: each request once, by when it is due, and what became of it. A table of ``shopify.db``.

Whom it is about is kept until it is done, by id or orders; then a hash of the customer stays, keyed by the secret of the app: ids of
customers are few enough to be tried one after another. Addresses and names are never kept.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

import msgspec

from everloop.clock import from_microseconds, microseconds
from everloop.connect.shopify.place import Place
from everloop.errors import EverloopError

REQUEST, REDACT, SHOP, UNINSTALLED = "customers/data_request", "customers/redact", "shop/redact", "app/uninstalled"
TOPICS: Final = (REQUEST, REDACT, SHOP, UNINSTALLED)
LEFT, BACK = "app/left", "app/installed"
"""What is written down beside them: everything was taken away, as somebody here wanted; the app is in the shop again."""
DUE: Final = timedelta(days=30)
"""How long Shopify gives."""
_TABLE = """
create table if not exists privacy (
    id text primary key, topic text not null, customer text not null, subject text not null, asked_at integer not null,
    due_at integer not null, state text not null default 'asked', attempts integer not null default 0, done_at integer, outcome text)
"""

State: TypeAlias = Literal["asked", "done", "nobody"]


class _Customer(msgspec.Struct):
    id: int | str | None = None


class _Body(msgspec.Struct):
    """What the four topics carry that is looked at; the rest, an address or a phone number, is not even read."""

    customer: _Customer | None = None
    orders_requested: list[int | str] = []
    orders_to_redact: list[int | str] = []
    data_request: dict[str, Any] = {}


@dataclass(frozen=True)
class Request:
    """Something that was asked about a person, or about everybody: ``customer`` is a hash. ``outcome`` says what became of it."""

    id: str
    topic: str
    customer: str
    asked_at: datetime
    due_at: datetime
    state: State
    attempts: int
    done_at: datetime | None
    outcome: str | None

    def late(self, now: datetime) -> bool:
        """Whether it should have been done by now."""
        return self.state == "asked" and now > self.due_at

    def said(self, now: datetime) -> str:
        """For people, in a line."""
        head = f"{self.asked_at:%Y-%m-%d %H:%M} {self.topic}" + (f" of {self.customer}" if self.customer else "")
        if self.state != "asked":
            return f"{head}: {self.outcome} ({self.done_at:%Y-%m-%d %H:%M})" if self.done_at else f"{head}: {self.outcome}"
        left = (self.due_at - now) / timedelta(days=1)
        due = f"due in {left:.0f} days" if left >= 0 else f"OVERDUE by {-left:.0f} days"
        return f"{head}: not done yet, {due}" + (f" (tried {self.attempts} times; {self.outcome})" if self.attempts else "")


def asked(place: Place, id: str, topic: str, body: bytes, triggered_at: datetime, *, secret: str) -> bool:
    """Write down what was asked, on the disk when this returns; False where it is there already. ``secret`` is the app's.

    The same request delivered under another id is the same where it says the same. Raises EverloopError for a body that cannot be read.
    """
    try:
        said = msgspec.json.decode(body or b"{}", type=_Body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EverloopError(f"{topic} ({id}) cannot be read: {error}.") from None
    customer = "" if said.customer is None or said.customer.id is None else str(said.customer.id)
    orders = sorted({str(order) for order in (*said.orders_requested, *said.orders_to_redact)})
    number = str(said.data_request.get("id", ""))
    subject = json.dumps({"customer": customer, "orders": orders})
    key = _keyed(secret, "\x1f".join((topic, subject, number, "" if number else f"{triggered_at:%Y-%m-%d}")))[:16]
    with place.transaction() as t:
        t.execute(_TABLE)
        row = (key, topic, hashed(customer, secret), subject, microseconds(triggered_at), microseconds(triggered_at + DUE))
        words = "insert or ignore into privacy (id, topic, customer, subject, asked_at, due_at) values (?, ?, ?, ?, ?, ?)"
        return t.execute(words, row).rowcount > 0


def hashed(customer: str, secret: str) -> str:
    """What the book calls a customer: HMAC-SHA256 (RFC 2104), 12 hex digits of it.

    >>> hashed("207119551", "hush"), hashed("", "hush")
    ('2a050241cd2e', '')
    """
    return _keyed(secret, f"everloop shopify customer {customer}")[:12] if customer else ""


def _keyed(secret: str, words: str) -> str:
    return hmac.new(secret.encode(), words.encode(), sha256).hexdigest()


def requests(place: Place) -> list[Request]:
    """Everything that was ever asked, oldest first."""
    with place.transaction() as t:
        t.execute(_TABLE)
        found = t.execute(
            "select id, topic, customer, asked_at, due_at, state, attempts, done_at, outcome from privacy order by asked_at, id"
        ).fetchall()
    return [
        Request(id, topic, customer, from_microseconds(at), from_microseconds(due), state, attempts,
                None if done is None else from_microseconds(done), outcome)
        for id, topic, customer, at, due, state, attempts, done, outcome in found
    ]  # fmt: skip


def installed(place: Place) -> bool:
    """Whether the shop still has the app: False from ``app/uninstalled`` or ``left`` on, and then nothing is written to it any more."""
    last = [r for r in requests(place) if r.topic in (UNINSTALLED, LEFT, BACK)]
    return not last or last[-1].topic == BACK


def installed_since(place: Place, at: datetime) -> bool:
    """Whether the app was installed again after an instant (aware), and is there still."""
    return installed(place) and any(r.topic == BACK and r.asked_at > at for r in requests(place))


def left(place: Place, now: datetime) -> None:
    """What was written to the shop is about to be taken away: a door that is open writes none of it again."""
    _noted(place, LEFT, now, "nothing is written to the shop any more")


def installed_again(place: Place, now: datetime) -> None:
    """The app is in the shop again (a token was given): what is written to it is written again."""
    if not installed(place):
        _noted(place, BACK, now, "the app is in the shop")


def _noted(place: Place, topic: str, now: datetime, outcome: str) -> None:
    at = microseconds(now)
    with place.transaction() as t:
        t.execute(_TABLE)
        t.execute("insert into privacy values (?, ?, '', '{}', ?, ?, 'done', 0, ?, ?)", (f"{topic} {at}", topic, at, at, at, outcome))


def to_do(place: Place) -> list[tuple[Request, dict[str, Any]]]:
    """What was asked and is not done, oldest first, each with whom it is about."""
    with place.transaction() as t:
        t.execute(_TABLE)
        subjects = dict(t.execute("select id, subject from privacy where state = 'asked'").fetchall())
    return [(request, json.loads(subjects[request.id])) for request in requests(place) if request.id in subjects]


def found(place: Place, request: Request, subject: dict[str, Any]) -> None:
    """Keep whom a request turned out to be about, on the disk when this returns."""
    with place.transaction() as t:
        t.execute("update privacy set subject = ? where id = ?", (json.dumps(subject), request.id))


def tried(place: Place, request: Request, why: str) -> None:
    """A request could not be done now, and why."""
    with place.transaction() as t:
        t.execute("update privacy set attempts = attempts + 1, outcome = ? where id = ?", (why[:300], request.id))


def settled(place: Place, request: Request, state: State, outcome: str, now: datetime) -> None:
    """A request is done, and what became of it; whom it was about is kept no longer."""
    with place.transaction() as t:
        # The key goes with the deed: what is left is a hash of it.
        t.execute(_TABLE)
        t.execute(
            "insert into privacy values (?, ?, ?, '{}', ?, ?, ?, ?, ?, ?) on conflict (id) do update set subject = '{}', "
            "state = excluded.state, done_at = excluded.done_at, outcome = excluded.outcome",
            (request.id, request.topic, request.customer, microseconds(request.asked_at), microseconds(request.due_at), state,
             request.attempts, microseconds(now), outcome),
        )  # fmt: skip
