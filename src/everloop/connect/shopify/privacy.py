"""Privacy: what Shopify asks of an app about people is done. In: deliveries of four topics. Out: a house asked, and the book
(``about_people.py``).

A request is written down before Shopify's delivery is done, and carried out beside (``carry_out``), again until it is: twice is once. A
customer is known by their id; where Shopify names an e-mail address alone, which no house has, by their orders; and by the browsers they
bought with (``browsers.py``).
https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import everloop.clock as clock
from everloop.clock import microseconds
from everloop.connect.shopify import about_people
from everloop.connect.shopify.about_people import TOPICS, Request, State
from everloop.connect.shopify.browsers import Whom, answered, browsers, known
from everloop.connect.shopify.history import given_up
from everloop.connect.shopify.house import House, Refused
from everloop.connect.shopify.inbox import Delivery
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.shopkept import emptied, forgotten, unheard, wiped
from everloop.errors import EverloopError

SOON: Final = timedelta(days=7)
PATIENT: Final = timedelta(days=3)
"""How long deliveries that came before are waited for."""
EVERY: Final = 5.0
FOLDER: Final = "requests"
"""Beside ``shopify.db``: what is known of those who asked, for the merchant to hand on."""
BY: Final = "Shopify"
_log = logging.getLogger("everloop.shopify")


def carry_out(place: Place, house: House, now: datetime, *, uninstall: Callable[[], object] | None = None) -> int:
    """Do what was asked and is not done, oldest first; how many are done now. What fails is tried again next time, and stops nobody else.

    What was delivered before is told before, or it would bring the person back: while such a delivery waits, this does, for three days at
    most; what then still waits and names them is told no more. ``uninstall`` takes away what was written to the shop.
    """
    count = 0
    for request, subject in about_people.to_do(place):
        if now < request.asked_at + PATIENT and _waiting_before(place, request.asked_at):
            continue
        try:
            outcome, state = _done(place, house, request, subject, uninstall)
        except (EverloopError, OSError, sqlite3.Error) as error:
            _log.warning("%s of %s could not be done now: %s", request.topic, request.customer or "the shop", error)
            about_people.tried(place, request, str(error))
            if now > request.due_at - SOON:
                _log.error("%s", request.said(now))
            continue
        about_people.settled(place, request, state, outcome, now)
        try:
            wiped(place)
        except sqlite3.Error as error:
            _log.warning("shopify.db could not be written anew, and may keep deleted bytes until the next redaction: %s", error)
        count += 1
    return count


def does(place: Place, secret: str) -> dict[str, Callable[[Delivery], None]]:
    """Who is handed the deliveries of each of the four topics: they are written down here, under hashes keyed by the app's secret."""

    def write_down(delivery: Delivery) -> None:
        about_people.asked(place, delivery.id, delivery.topic, delivery.body, delivery.triggered_at, secret=secret)

    return dict.fromkeys(TOPICS, write_down)


def keep_carrying_out(place: Place, house: House, stop: threading.Event, *, uninstall: Callable[[], object] | None = None) -> None:
    """Carry out what is asked until ``stop`` is set, looking every five seconds: for a thread of the door, since one takes a minute."""
    while not stop.wait(EVERY):
        try:
            carry_out(place, house, clock.wall(), uninstall=uninstall)
        except Exception:  # whatever it was, the next look tries again
            _log.exception("What was asked about people could not be carried out; it is tried again")


def _waiting_before(place: Place, asked_at: datetime) -> bool:
    """Whether anything that came before is still to be told."""
    with closing(place.opened()) as t:
        if not t.execute("select 1 from sqlite_master where name = 'inbox'").fetchone():
            return False
        words = "select 1 from inbox where state = 'waiting' and triggered_at < ? and topic not in (?, ?, ?, ?) limit 1"
        return t.execute(words, (microseconds(asked_at), *TOPICS)).fetchone() is not None


def _done(
    place: Place, house: House, request: Request, subject: dict[str, Any], uninstall: Callable[[], object] | None
) -> tuple[str, State]:
    match request.topic:
        case "customers/data_request":
            return _told(place, house, request, subject)
        case "customers/redact":
            return _redacted(place, house, request, subject)
        case "shop/redact" if about_people.installed_since(place, request.asked_at):
            return "the app is in the shop again", "done"
        case "shop/redact":
            given_up(place)
            _asked(house, {"everybody": True}, f"shop/redact {request.id}")
            _without_files(place)
            emptied(place, keeps="privacy")
            return "the house is empty, and so is the door's own book", "done"
        case _ if about_people.installed(place):
            return "the app is in the shop again", "done"
        case _:
            if uninstall is not None:
                uninstall()
            return "nothing is written to the shop any more" + ("; what was, is taken away" if uninstall is not None else ""), "done"


def _redacted(place: Place, house: House, request: Request, subject: dict[str, Any]) -> tuple[str, State]:
    given_up(place)
    whom, answers = _all_of(place, house, request, subject)
    _without_files(place, _whom(subject))
    counts: dict[str, int] = {}
    versions: set[str] = set()
    unknown = 0
    for column, value in whom:
        try:
            record = _asked(house, {"column": column, "value": value}, f"customers/redact {request.id}")
        except Refused as error:
            if error.code != "unknown":
                raise
            unknown += 1  # no source of this house has such a column
            continue
        versions |= set(record.get("versions", ()))
        for name, count in record.get("rows", ()):
            counts[name] = counts.get(name, 0) + count
    forgotten(place, [value for _, value in whom], microseconds(request.asked_at))
    unheard(place, answers)
    if not whom:
        return "it named nobody by an id or an order, and no address is kept here", "nobody"
    if not counts:
        return "nothing was known of them", "nobody" if unknown == len(whom) else "done"
    learnt = f"; {', '.join(sorted(versions))} had learnt from them" if versions else ""
    return f"erased ({', '.join(f'{count:,} of {name}' for name, count in sorted(counts.items()))}){learnt}", "done"


def _told(place: Place, house: House, request: Request, subject: dict[str, Any]) -> tuple[str, State]:
    whom = _whom(subject)
    if not whom:
        return "it named nobody by an id or an order, and no address is kept here", "nobody"
    # What a shared browser was answered may be about somebody else, who did not ask.
    theirs = [by for one in browsers(house, whom) if not one.shared for by in one.whom]
    told = [said for column, value in (*whom, *theirs) if (said := known(house, column, value)) is not None]
    path = place.file.parent / FOLDER / f"{request.customer or 'orders'}-{request.id}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"asked_at": request.asked_at.isoformat(), "known": told}, file, ensure_ascii=False, indent=2)
        file.flush()
        os.fsync(file.fileno())
    return f"what is known is in {FOLDER}/{path.name}: hand it on, then take it away", "done"


def _all_of(place: Place, house: House, request: Request, subject: dict[str, Any]) -> tuple[Whom, Sequence[str]]:
    """By what a person is to be forgotten, their browsers among it, and the ids of what they were answered: written down before anything of
    it goes, since what is forgotten first is what the rest is found by."""
    before = [(str(column), str(value)) for column, value in subject.get("whom", ())]
    named = _whom(subject)
    whom = tuple(dict.fromkeys([*named, *before, *(by for one in browsers(house, named) for by in one.whom)]))
    answers = sorted({*subject.get("answers", ()), *(id for by in whom for id in answered(house, *by))})
    if answers or len(whom) > len(named):
        about_people.found(place, request, subject | {"whom": whom, "answers": answers})
    return whom, answers


def _whom(subject: dict[str, Any]) -> Whom:
    """By which columns and values a person is known: their id; where there is none, their orders.

    >>> _whom({"customer": "7", "orders": ["1"]}), _whom({"customer": "", "orders": ["1", "2"]})
    ([('customer_id', '7')], [('order_id', '1'), ('order_id', '2')])
    """
    if subject.get("customer"):
        return [("customer_id", subject["customer"])]
    return [("order_id", order) for order in subject.get("orders", ())]


def _asked(house: House, whom: dict[str, Any], reason: str) -> dict[str, Any]:
    record: dict[str, Any] = house.operate("forget", whom | {"by": BY, "reason": reason}).get("record", {})
    return record


def _without_files(place: Place, whom: Whom | None = None) -> None:
    """What was written down for whoever is known by any of these goes; where none are said, all of it."""
    for path in Path(place.file.parent, FOLDER).glob("*.json"):
        if whom is None or not _told_of(path).isdisjoint(whom):
            path.unlink(missing_ok=True)


def _told_of(path: Path) -> set[tuple[str, str]]:
    """Whom a file is about; of one that is torn nobody knows, and whoever asked for it gets it written anew."""
    try:
        return {(one["column"], one["value"]) for one in json.loads(path.read_text())["known"]}
    except ValueError:
        return set()
