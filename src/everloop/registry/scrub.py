"""Scrubbing: a word goes from whatever a house database may forget. The journal stays as it was written; how often it has the word is told.

In: a transaction, the word. Out: how many rows were changed. No clock, no disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Column, Connection, func, or_, select

from everloop.registry import approvals, errands, incidents, letters, outbox, turns
from everloop.registry.facts import FACTS
from everloop.registry.journal import JOURNAL
from everloop.registry.store import Store
from everloop.sql.engine import rewrite_tables, translated
from everloop.sql.wal import rewritten

GONE = "(forgotten)"
_SENTENCES: tuple[Column[str], ...] = (
    outbox.ALERTS.c.sentence, letters.LETTERS.c.message, letters.LETTERS.c.why, errands.ERRANDS.c.said, turns.TURNS.c.cause,
    approvals.APPROVALS.c.reason, incidents.INCIDENTS.c.body,
)  # fmt: skip


@dataclass(frozen=True)
class Scrub:
    """What scrubbing does in one house's database."""

    store: Store

    def facts(self, t: Connection, words: Collection[str]) -> int:
        """Facts that name one of these words go: they can be worked out again. How many went."""
        says = or_(*(FACTS.c.body.contains(json.dumps(word), autoescape=True) for word in words))
        return t.execute(FACTS.delete().where(says)).rowcount

    def sentences(self, t: Connection, word: str) -> int:
        """In what was told to people, the word is replaced. How many rows were changed."""
        count = 0
        for column in _SENTENCES:
            held = column.contains(word, autoescape=True)
            count += t.execute(column.table.update().where(held).values({column.name: func.replace(column, word, GONE)})).rowcount
        return count

    def journalled(self, word: str) -> int:
        """How many records of the journal name the word, which nobody can change."""
        with self.store.reading() as t:
            found = t.execute(
                select(func.count()).select_from(JOURNAL).where(JOURNAL.c.body.contains(json.dumps(word)[1:-1], autoescape=True))
            )
            return int(found.scalar() or 0)

    def wiped(self) -> None:
        """The file is written anew, so that nothing of what went is left in its free pages or its log; on Postgres the tables that may
        forget, so that only its write-ahead log has something of it until that is used again. Raises StoreError."""
        if self.store.engine.dialect.name != "sqlite":
            rewrite_tables(self.store.engine, [FACTS.name, *dict.fromkeys(column.table.name for column in _SENTENCES)])
            return
        raw = self.store.engine.raw_connection()
        try:
            driver = raw.driver_connection
            assert driver is not None
            driver.execute("VACUUM")
            rewritten(driver)
        except sqlite3.Error as error:
            raise translated(error, str(self.store.engine.url.database)) from error
        finally:
            raw.close()
