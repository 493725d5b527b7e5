"""The journal: every record of the ring, newest first, by kind, model, time, person and word; and proof that the chain holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from everloop.clock import instant
from everloop.console.page import Asking, Done, Route, Shown
from everloop.console.shown import MOUNT
from everloop.loop.house import House
from everloop.loop.verified import Verified, begin, last_verified
from everloop.registry.journal import Entry
from everloop.registry.searched import MOST, Asked, search
from everloop.registry.sentences import clause
from everloop.registry.written import KINDS

SCREEN = 50
WORDS = ("kind", "model", "turn", "by", "text", "since", "until")


@dataclass(frozen=True)
class Kept:
    """One record on a line; ``by`` is the person whose word it is."""

    seq: int
    at: datetime
    kind: str
    verb: str
    model: str | None
    sentence: str
    id: str
    turn: str | None
    by: str | None


@dataclass(frozen=True)
class Looked:
    """What the page shows. ``before``: below which number it goes on; ``looked``: how far words were looked for, if not to the end."""

    kept: tuple[Kept, ...]
    before: int | None
    looked: str
    head: str
    records: int
    verified: Verified | None


def journal_of(house: House, asked: Asked, *, before: int | None = None) -> Looked:
    """A screenful of the journal, below number ``before``."""
    found, head, name = search(house.journal, asked, before=before, limit=SCREEN), house.journal.head(), house.versions.naming()
    looked = ""
    if (asked.by or asked.text) and found.before is not None and len(found.entries) < SCREEN:
        looked = f"{MOST:,} records were looked at, down to number {found.before:,}."
    kept = tuple(_kept(entry, name) for entry in found.entries)
    return Looked(kept, found.before, looked, str(head), head.seq, last_verified(house))


def asked_in(query: Mapping[str, str]) -> Asked:
    """What the filters say. Raises EverloopError for an instant that is none."""
    words = {word: query.get(word, "").strip() for word in WORDS}
    since, until = (instant(words[word]) if words[word] else None for word in ("since", "until"))
    return Asked(words["kind"], words["model"], words["turn"], words["by"], words["text"], since, until)


def _kept(entry: Entry, name: Callable[[str], str]) -> Kept:
    record = entry.record
    by, sentence = getattr(record, "by", None), clause(record, name)
    model = getattr(record, "model", None)
    return Kept(entry.seq, entry.at, entry.kind, entry.verb, model, sentence, record.id, entry.turn, by)


def shown(asking: Asking) -> Shown:
    """The page."""
    query = asking.query
    before = asking.number("before", 0, most=10**18) or None
    asked = asked_in(query)
    words = {word: query.get(word, "").strip() for word in WORDS}
    values = {
        "looked": journal_of(asking.house, asked, before=before),
        "words": words,
        "older": {word: text for word, text in words.items() if text},
        "kinds": sorted(KINDS),
        "filtered": any(words.values()),
    }
    return Shown("Journal", "journal.html", values)


def verify(asking: Asking, _form: Mapping[str, str]) -> Done:
    """Walk the chain, in a thread of its own."""
    begin(asking.house, by=asking.person.name, now=asking.now)
    return Done(f"{MOUNT}/journal", "The chain is being walked from its first record; what comes of it will stand here.")


ROUTES: tuple[Route, ...] = (
    Route("/journal", shown, "viewer", name="journal"),
    Route("/journal/verify", verify, "operator", "POST", name="verify"),
)
