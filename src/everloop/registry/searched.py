"""Looking for records in a long journal: a screenful at a time, newest first, and never more of it than a page may take. Reads no clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from everloop.clock import microseconds
from everloop.registry.journal import JOURNAL, Entry, Journal, entry_in
from everloop.registry.store import evenly

MOST = 20_000
"""Records that are looked at for words in one go; where there are more, whoever looks says so, and goes on."""


@dataclass(frozen=True)
class Asked:
    """What is looked for; every word narrows. ``by`` is who said it, ``text`` stands anywhere in what was written."""

    kind: str = ""
    model: str = ""
    turn: str = ""
    by: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Found:
    """Records, newest first; below number ``before`` there may be more (None: the first one was reached)."""

    entries: tuple[Entry, ...]
    before: int | None


def search(journal: Journal, asked: Asked, *, before: int | None = None, limit: int = 50, most: int = MOST) -> Found:
    """The records that fit, below number ``before``. Of those that have to be read for their words, ``most`` are.

    >>> from everloop.registry.store import open_store
    >>> search(Journal(open_store("sqlite:///:memory:")), Asked(kind="Decision"))
    Found(entries=(), before=None)
    """
    with journal.store.reading() as connection:
        plain = _plain(connection, asked, before)
        if plain is None:
            return Found((), None)
        query = select(JOURNAL).where(*plain).order_by(JOURNAL.c.seq.desc())
        words = _words(asked)
        if not words:
            rows = connection.execute(query.limit(limit + 1)).all()
            more = len(rows) > limit
            return Found(tuple(map(entry_in, rows[:limit])), int(rows[limit - 1].seq) if more else None)
        looked = select(JOURNAL.c.seq).where(*plain).order_by(JOURNAL.c.seq.desc()).limit(most).subquery()
        lowest, count = connection.execute(select(func.min(looked.c.seq), func.count()).select_from(looked)).one()
        if not count:
            return Found((), None)
        rows = connection.execute(query.where(JOURNAL.c.seq >= lowest, *words).limit(limit + 1)).all()
    found = tuple(map(entry_in, rows[:limit]))
    if len(rows) > limit:
        return Found(found, found[-1].seq)
    return Found(found, int(lowest) if count == most else None)


def _plain(connection: Connection, asked: Asked, before: int | None) -> list[ColumnElement[bool]] | None:
    """What an index finds; None where nothing can fit."""
    terms: list[ColumnElement[bool]] = []
    if asked.kind:
        terms.append(JOURNAL.c.kind == asked.kind)
    if asked.model:
        terms.append(JOURNAL.c.model == asked.model)
    if asked.turn:
        terms.append(JOURNAL.c.turn == asked.turn)
    # Numbers run nearly as instants do: the bounds by number keep whoever asks for a day from walking through a year.
    if asked.until is not None:
        at = JOURNAL.c.at <= microseconds(asked.until)
        newest = connection.execute(select(func.max(JOURNAL.c.seq)).where(at)).scalar()
        if newest is None:
            return None
        terms += [at, JOURNAL.c.seq <= newest]
    if asked.since is not None:
        at = JOURNAL.c.at >= microseconds(asked.since)
        oldest = connection.execute(select(func.min(JOURNAL.c.seq)).where(at)).scalar()
        if oldest is None:
            return None
        terms += [at, JOURNAL.c.seq >= oldest]
    if before is not None:
        terms.append(JOURNAL.c.seq < before)
    return terms


def _words(asked: Asked) -> list[ColumnElement[bool]]:
    """What only the text of a record tells. It is written as JSON, everything outside ASCII escaped."""
    terms = []
    if asked.by:
        terms.append(JOURNAL.c.body.contains(f'"by":{json.dumps(asked.by)}', autoescape=True))
    if asked.text:
        terms.append(JOURNAL.c.body.icontains(json.dumps(asked.text)[1:-1], autoescape=True))
    return terms


def sampled(journal: Journal, kind: str, model: str, *, since: datetime, until: datetime, most: int = 200) -> list[Entry]:
    """Records of one kind between two instants, oldest first; of more than ``most`` so many, evenly spread, the newest among them."""
    own = (JOURNAL.c.kind == kind, JOURNAL.c.model == model, JOURNAL.c.at >= microseconds(since), JOURNAL.c.at <= microseconds(until))
    with journal.store.reading() as connection:
        there = list(connection.execute(select(JOURNAL.c.seq).where(*own).order_by(JOURNAL.c.seq)).scalars())
        query = select(JOURNAL).where(JOURNAL.c.seq.in_(evenly(there, most))).order_by(JOURNAL.c.seq)
        return [entry_in(row) for row in connection.execute(query)] if there else []
