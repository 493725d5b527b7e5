"""The drain: what waits in the inbox is read and told, in the order it came. What cannot be read lies aside; a house that is down is
waited for.

At least once each: a delivery is done in the same transaction in which the book remembers what it said, and telling twice changes nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import everloop.clock as clock
from everloop.connect.shopify import book, inbox
from everloop.connect.shopify.decode import Rows, Undecodable, rows_of
from everloop.connect.shopify.house import House
from everloop.connect.shopify.inbox import Delivery, Waiting
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.tell import tell
from everloop.errors import EverloopError

Does: TypeAlias = Callable[[Delivery], None]
AT_ONCE: Final = 500
IDLE: Final = 1.0
LONGEST: Final = 60.0
"""Seconds until the inbox is looked at again: where nobody says that something came, and where the house is down."""
_CLEARED_EVERY: Final = timedelta(minutes=10)
_SHRUNK_EVERY: Final = timedelta(days=1)
_log = logging.getLogger("everloop.shopify")


@dataclass(frozen=True)
class Drained:
    """What one look into the inbox came to: how many deliveries were ``taken``, how many of them ``failed`` for now or lie ``dead``."""

    taken: int = 0
    dead: int = 0
    failed: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)


def drain(
    place: Place,
    house: House,
    *,
    now: datetime,
    does: Mapping[str, Does] | None = None,
    currency: str | None = None,
    most: int = AT_ONCE,
    keep_bodies: bool = False,
) -> Drained:
    """Take the oldest deliveries whose time has come, and tell what they say.

    ``does`` says who is handed the deliveries of a topic beside that (``customers/redact``: privacy); who raises gets it again later, and
    stops nobody else. ``currency`` is the shop's, if it is known. Raises Unreachable where the house does not answer: what is for it
    waits on."""
    taken = inbox.waiting(place, now, most)
    if not taken:
        return Drained()
    telling: list[tuple[Waiting, Rows]] = []
    done: list[int] = []
    dead: list[tuple[int, str]] = []
    failed: list[tuple[Waiting, str]] = []
    for one in taken:
        try:
            said = rows_of(one.delivery, currency)
            _handed(one.delivery, does or {})
        except Undecodable as error:
            dead.append((one.seq, str(error)))
        except Exception as error:
            # Whoever was handed it may fail in any way; it is theirs again later.
            _log.warning("%s (%s) could not be done now: %s", one.delivery.topic, one.delivery.id, error)
            failed.append((one, f"{type(error).__name__}: {error}"))
        else:
            if said:
                telling.append((one, said))
            else:
                done.append(one.seq)
    if done or dead or failed:
        # Settled whether or not the house is there for the others.
        with inbox.refusing(), place.transaction() as t:
            inbox.done(t, done, keep_body=keep_bodies)
            inbox.dead(t, dead)
            for one, why in failed:
                _later(t, one, now, why)
    if not telling:
        return Drained(len(taken), len(dead), len(failed))
    rows, spoiled = _told(place, house, telling, now, keep_bodies)
    return Drained(len(taken), len(dead), len(failed) + spoiled, rows)


def _told(place: Place, house: House, some: list[tuple[Waiting, Rows]], now: datetime, keep_bodies: bool) -> tuple[Mapping[str, int], int]:
    """Tell what deliveries say: how many rows of each source, and how many of them spoil it for the others in a way nobody foresaw. Those
    are found by halves, and are theirs again later."""

    def settled(t: sqlite3.Connection) -> None:
        inbox.done(t, [one.seq for one, _ in some], keep_body=keep_bodies)

    try:
        return tell(place, house, [row for _, rows in some for row in rows], now=now, also=settled).rows, 0
    except (EverloopError, sqlite3.OperationalError):
        raise
    except Exception as error:
        if len(some) == 1:
            ((one, _),) = some
            _log.exception("%s (%s) cannot be told; it is tried again later", one.delivery.topic, one.delivery.id)
            with inbox.refusing(), place.transaction() as t:
                _later(t, one, now, f"{type(error).__name__}: {error}")
            return {}, 1
    middle = len(some) // 2
    (these, lost), (those, more) = (_told(place, house, half, now, keep_bodies) for half in (some[:middle], some[middle:]))
    return dict(Counter(these) + Counter(those)), lost + more


def _later(t: sqlite3.Connection, one: Waiting, now: datetime, why: str) -> None:
    if not inbox.later(t, one, now, why):
        _log.error("%s (%s) is given up after %s tries: everloop shopify status", one.delivery.topic, one.delivery.id, inbox.TRIES)


def _handed(delivery: Delivery, does: Mapping[str, Does]) -> None:
    for name in (delivery.topic, f"{delivery.topic.partition('/')[0]}/*"):
        if name in does:
            does[name](delivery)


class Drain:
    """The drain of a door: ``carry`` for a thread beside it; ``woken`` when something came."""

    def __init__(self, place: Place, house: House, *, does: Mapping[str, Does], currency: str | None, published: Callable[[], int] | None):
        self.place, self.house, self.does, self.currency, self.published = place, house, dict(does), currency, published
        self.woken = threading.Event()
        self.down: str | None = None
        self._wait, self._cleared, self._shrunk = IDLE, clock.wall() - _CLEARED_EVERY, clock.wall() - _SHRUNK_EVERY

    def carry(self, stop: threading.Event) -> None:
        """Drain until ``stop``; set ``woken`` with it."""
        while not stop.is_set():
            self.woken.clear()
            if self._looked():
                continue
            self.woken.wait(IDLE) if self.down is None else stop.wait(self._wait)

    def _looked(self) -> bool:
        """Look once; whether there may be more at once."""
        try:
            now = clock.wall()
            currency = self.currency or book.fact(self.place, "currency")
            drained = drain(self.place, self.house, now=now, does=self.does, currency=currency, keep_bodies=self.published is not None)
            if now - self._cleared >= _CLEARED_EVERY:
                inbox.clear(self.place, now, self.published() if self.published else None)
                self._cleared = now
            if now - self._shrunk >= _SHRUNK_EVERY:
                book.shrink(self.place, now)
                self._shrunk = now
        except EverloopError as error:
            self._missed(error)
            return False
        except Exception:
            _log.exception("The inbox could not be drained; it is tried again")
            self._missed(EverloopError("The inbox could not be drained; the log of the door says why."))
            return False
        self.down, self._wait = None, IDLE
        return drained.taken == AT_ONCE

    def _missed(self, error: EverloopError) -> None:
        if self.down is None:
            _log.warning("What the shop says waits: %s", error)
        self._wait = IDLE if self.down is None else min(LONGEST, self._wait * 2)
        self.down = str(error)
