"""The inbox: what Shopify delivered, on the disk before anybody is thanked for it. In: deliveries. Out: the same, oldest first, until done.

A delivery is kept once by its id, however often it comes. It waits until what it says is told; what cannot be read, or was tried too
often, lies dead beside the others, with why, and stops nobody. The body of a delivery that is done is let go of at once: it holds names and
addresses.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from everloop.clock import from_microseconds, microseconds
from everloop.connect.shopify.place import Place
from everloop.errors import HouseBusy, HouseFull

REMEMBERED: Final = timedelta(days=7)
"""How long the id of a delivery that is done is known again; Shopify tries for four hours."""
DEAD: Final = timedelta(days=30)
"""How long what could not be read or done lies there to be looked at."""
TRIES: Final = 30
"""How often a delivery that could not be done is tried: for about 19 hours."""
_TABLES = """
create table if not exists inbox (
    seq integer primary key autoincrement, id text not null unique, topic text not null, shop text not null,
    triggered_at integer not null, api_version text not null, event_id text, body blob, received_at integer not null,
    state text not null default 'waiting', attempts integer not null default 0, next_at integer not null default 0, why text);
create index if not exists inbox_states on inbox (state, seq)
"""
_COLUMNS = "seq, attempts, id, topic, shop, triggered_at, api_version, body, event_id"


@dataclass(frozen=True)
class Delivery:
    """One thing Shopify said, as it came: ``id`` once for each, ``body`` the raw bytes, instants in UTC.

    ``topic`` is ``orders/updated`` for a classic webhook, ``Order/update`` for a Next-Gen Event; ``event_id`` is shared by what one action
    of a person set off.
    """

    id: str
    topic: str
    shop: str
    triggered_at: datetime
    api_version: str
    body: bytes
    event_id: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A delivery that is not done: where it stands in the order of arrival, and how often it was tried."""

    seq: int
    delivery: Delivery
    attempts: int = 0


@dataclass(frozen=True)
class Figures:
    """How the inbox stands. ``oldest_at`` is when the oldest that waits came, ``last_at`` when the last one did; ``why`` of the last
    dead, ``dead_topics`` of all of them."""

    waiting: int
    dead: int
    done: int
    oldest_at: datetime | None
    last_at: datetime | None
    why: str | None
    dead_topics: Mapping[str, int] = field(default_factory=dict)


def open_inbox(place: Place) -> None:
    """Make the inbox's table where there is none."""
    with refusing(), place.transaction() as t:
        for statement in _TABLES.split(";"):
            t.execute(statement)


def keep(place: Place, deliveries: Sequence[Delivery], now: datetime) -> int:
    """Keep deliveries, all of them on the disk when this returns; how many were new.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from everloop.clock import instant
    >>> one = Delivery("b54557e4", "orders/create", "beans.myshopify.com", instant("2026-11-02T09:30Z"), "2026-10", b"{}")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Place(Path(folder) / "shopify.db")
    ...     open_inbox(place)
    ...     keep(place, [one, one], one.triggered_at), [w.delivery == one for w in waiting(place, one.triggered_at)]
    (1, [True])

    Raises HouseFull where the disk is full, HouseBusy where another process holds the database: then none of them is kept.
    """
    with refusing(), place.transaction() as t:
        return put(t, deliveries, now)


def put(t: sqlite3.Connection, deliveries: Sequence[Delivery], now: datetime) -> int:
    """Put deliveries into the inbox, in a transaction of the caller's; how many were new."""
    before = t.total_changes
    t.executemany(
        "insert or ignore into inbox (id, topic, shop, triggered_at, api_version, event_id, body, received_at) values (?,?,?,?,?,?,?,?)",
        [(d.id, d.topic, d.shop, microseconds(d.triggered_at), d.api_version, d.event_id, d.body, microseconds(now)) for d in deliveries],
    )
    return t.total_changes - before


def waiting(place: Place, now: datetime, most: int = 500) -> list[Waiting]:
    """The oldest deliveries whose time has come, in order of arrival."""
    with refusing(), place.transaction(write=False) as t:
        found = t.execute(
            f"select {_COLUMNS} from inbox where state = 'waiting' and next_at <= ? order by seq limit ?", (microseconds(now), most)
        ).fetchall()
    return _read(found)


def _read(found: Sequence[Sequence[Any]]) -> list[Waiting]:
    return [
        Waiting(seq, Delivery(id, topic, shop, from_microseconds(at), version, bytes(body or b""), event_id), attempts)
        for seq, attempts, id, topic, shop, at, version, body, event_id in found
    ]


def after(place: Place, seq: int, most: int = 100) -> list[Waiting]:
    """Deliveries beyond this one in order of arrival, done or not, whose bodies are there still."""
    with refusing(), place.transaction(write=False) as t:
        found = t.execute(f"select {_COLUMNS} from inbox where seq > ? and body is not null order by seq limit ?", (seq, most)).fetchall()
    return _read(found)


def done(t: sqlite3.Connection, seqs: Sequence[int], *, keep_body: bool = False) -> None:
    """These are told; their bodies are let go of unless somebody else is to have them yet."""
    body = "" if keep_body else ", body = null"
    t.executemany(f"update inbox set state = 'done', why = null{body} where seq = ?", [(seq,) for seq in seqs])


def dead(t: sqlite3.Connection, why: Sequence[tuple[int, str]]) -> None:
    """These cannot be read, and why."""
    t.executemany("update inbox set state = 'dead', why = ? where seq = ?", [(text[:500], seq) for seq, text in why])


def later(t: sqlite3.Connection, one: Waiting, now: datetime, why: str) -> bool:
    """This one could not be done now: it is tried again after 1, 2, 4 … seconds, an hour at most, and stands in nobody's way. Whether it
    is: after the last try it lies dead."""
    if one.attempts + 1 >= TRIES:
        t.execute("update inbox set attempts = attempts + 1 where seq = ?", (one.seq,))
        dead(t, [(one.seq, f"it was tried {TRIES} times; the last: {why}")])
        return False
    after = timedelta(seconds=min(3600, 2**one.attempts))
    t.execute(
        "update inbox set attempts = attempts + 1, next_at = ?, why = ? where seq = ?", (microseconds(now + after), why[:500], one.seq)
    )
    return True


def again(place: Place, id: str | None = None) -> int:
    """Let the dead (one, or all of them) wait again, as after an upgrade; how many."""
    with refusing(), place.transaction() as t:
        return t.execute(
            "update inbox set state = 'waiting', attempts = 0, next_at = 0 "
            "where state = 'dead' and body is not null and id = coalesce(?, id)",
            (id,),
        ).rowcount


def clear(place: Place, now: datetime, through_seq: int | None = None) -> None:
    """Forget what is done and old, and bodies of what is done through ``through_seq`` (None: all)."""
    with refusing(), place.transaction() as t:
        t.execute("update inbox set body = null where state = 'done' and body is not null and seq <= coalesce(?, seq)", (through_seq,))
        t.execute("delete from inbox where state = 'done' and body is null and received_at < ?", (microseconds(now - REMEMBERED),))
        t.execute("delete from inbox where state = 'dead' and received_at < ?", (microseconds(now - DEAD),))


def figures(place: Place) -> Figures:
    """How the inbox stands."""
    with refusing(), place.transaction(write=False) as t:
        counts = dict(t.execute("select state, count(*) from inbox group by state"))
        oldest, last = (
            t.execute("select min(received_at) from inbox where state = 'waiting'").fetchone()[0],
            t.execute("select max(received_at) from inbox").fetchone()[0],
        )
        why = t.execute("select topic || ' (' || id || '): ' || why from inbox where state = 'dead' order by seq desc limit 1").fetchone()
        topics = dict(t.execute("select topic, count(*) from inbox where state = 'dead' group by topic order by topic"))
    return Figures(
        waiting=counts.get("waiting", 0),
        dead=counts.get("dead", 0),
        done=counts.get("done", 0),
        oldest_at=None if oldest is None else from_microseconds(oldest),
        last_at=None if last is None else from_microseconds(last),
        why=why[0] if why else None,
        dead_topics=topics,
    )


@contextmanager
def refusing() -> Iterator[None]:
    """What SQLite could not do, in the house's words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise HouseFull(f"shopify.db cannot grow: {error}. Make room; Shopify delivers again for four hours.") from None
        if "locked" in str(error) or "busy" in str(error):
            raise HouseBusy("Another process holds shopify.db. Shopify delivers again.") from None
        raise
