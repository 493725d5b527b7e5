"""Tiles: the online state in SQLite, where it can lie beside the events it is a fold of, so that rows and tiles are one transaction.

In and out: bytes with their sequence numbers, as ``OnlineStore`` says. Absent: what the bytes mean, clock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from everloop.features.store import Changes, Mark, Members, Packed, Seen

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS online_states (state TEXT PRIMARY KEY, seq INTEGER NOT NULL, known_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS online_packed (state TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (state, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS online_rows (state TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (state, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS online_members (state TEXT NOT NULL, key TEXT NOT NULL, event_at INTEGER NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (state, key, event_at, id)) WITHOUT ROWID;
"""
TABLES: Final = ("online_packed", "online_rows", "online_members", "online_states")
_NEWER: Final = "DO UPDATE SET seq = excluded.seq, body = excluded.body WHERE excluded.seq > seq"
PUT: Final = f"INSERT INTO online_packed VALUES (?, ?, ?, ?) ON CONFLICT (state, key) {_NEWER}"
PUT_ROW: Final = f"INSERT INTO online_rows VALUES (?, ?, ?, ?) ON CONFLICT (state, id) {_NEWER}"
PUT_MARK: Final = (
    "INSERT INTO online_states VALUES (?, ?, ?) ON CONFLICT (state) DO UPDATE SET seq = max(seq, excluded.seq), "
    "known_at = max(known_at, excluded.known_at)"
)
GAIN: Final = "INSERT OR IGNORE INTO online_members VALUES (?, ?, ?, ?)"
LOSE: Final = "DELETE FROM online_members WHERE state = ? AND key = ? AND event_at = ? AND id = ?"
FADE: Final = "DELETE FROM online_members WHERE state = ? AND key = ? AND event_at < ?"
ROW: Final = "SELECT body FROM online_rows WHERE state = ? AND id = ?"
#: So many places and states are read by one statement; and so many places where there are more.
AT_ONCE: Final = 12
MANY: Final = 96


class Tiles:
    """An ``OnlineStore`` over a connection of the standard driver. Where the connection is already in a transaction, it stays the caller's
    to commit; else every verb is a transaction of its own, and a kill leaves the state as it was before.

    >>> tiles = Tiles(sqlite3.connect(":memory:"))
    >>> tiles.read(["a state"], [("a state", "a key")])
    Seen(marks=[None], packed=[None])
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        if not connection.in_transaction:
            connection.executescript(SCHEMA)

    def read(self, states: Sequence[str], places: Sequence[tuple[str, str]]) -> Seen:
        """How far these states have come, and the packed rows of these (state, key), in the order asked for and as of one instant."""
        if len(places) <= AT_ONCE and len(states) <= AT_ONCE:
            return self._read(states, places)
        with self._transaction("BEGIN"):
            marks = [mark for at in range(0, len(states), AT_ONCE) for mark in self._read(states[at : at + AT_ONCE], ()).marks]
            return Seen(marks, [body for at in range(0, len(places), MANY) for body in self._bodies(places[at : at + MANY])])

    def _read(self, states: Sequence[str], places: Sequence[tuple[str, str]]) -> Seen:
        marks, cut = len(states), 2 * len(states)
        if not marks and not places:
            return Seen([], [])
        words = [state for state in states for _ in range(2)]
        for place in places:
            words += place
        found = self._connection.execute(_statement(marks, len(places)), words).fetchone()
        return Seen([None if found[i] is None else Mark(found[i], found[i + 1]) for i in range(0, cut, 2)], list(found[cut:]))

    def _bodies(self, places: Sequence[tuple[str, str]]) -> list[bytes | None]:
        words = [word for at, (state, key) in enumerate(places) for word in (at, state, key)]
        found: dict[int, bytes | None] = dict(self._connection.execute(_joined(len(places)), words).fetchall())
        return [found[at] for at in range(len(places))]

    def marks(self) -> dict[str, Mark]:
        """Every state that is kept, and how far it has come."""
        found = self._connection.execute("SELECT state, seq, known_at FROM online_states").fetchall()
        return {state: Mark(seq, known_at) for state, seq, known_at in found}

    def rows(self, state: str, ids: Sequence[str]) -> list[bytes | None]:
        """The row last folded of each id, deleted ones too."""
        run = self._connection.execute
        if len(ids) <= AT_ONCE:
            found = (run(ROW, (state, id)).fetchone() for id in ids)
            return [None if row is None else row[0] for row in found]
        there: dict[str, bytes] = {}
        for at in range(0, len(ids), MANY):
            some = ids[at : at + MANY]
            query = f"SELECT id, body FROM online_rows WHERE state = ? AND id IN ({_marks(len(some))})"
            there.update(run(query, (state, *some)).fetchall())
        return [there.get(id) for id in ids]

    def members(self, state: str, key: str, start: int | None, stop: int | None, newest: int | None = None) -> list[str]:
        """The ids of a key's rows from ``start`` up to, not including, ``stop`` (None: no end), in order; of those the ``newest`` last."""
        query, words = "SELECT id FROM online_members WHERE state = ? AND key = ?", [state, key]
        for sign, edge in ((">=", start), ("<", stop)):
            if edge is not None:
                query, words = f"{query} AND event_at {sign} ?", [*words, edge]  # type: ignore[list-item]
        found = self._connection.execute(f"{query} ORDER BY event_at DESC, id DESC LIMIT ?", [*words, -1 if newest is None else newest])
        return [id for (id,) in found.fetchall()][::-1]

    def put(self, changes: Changes) -> None:
        """Keep these; what is there already with a sequence number as high stays as it is. Marks never go back, and make a state kept."""
        run = self._connection.execute
        with self._transaction("BEGIN IMMEDIATE"):
            kept = {place: None for place, packed in changes.packed.items() if run(PUT, (*place, *packed)).rowcount}
            self._put_members([(p, members) for p, members in changes.members.items() if p in kept or p not in changes.packed])
            self._put_rest(changes.rows, changes.marks)

    def replace(self, states: Mapping[str, Mark], changes: Iterable[Changes]) -> None:
        """Make states anew: what they had goes, these come in its place, and at the end their marks."""
        run = self._connection.executemany
        with self._transaction("BEGIN IMMEDIATE"):
            self.forget([*states])
            for some in changes:
                run("INSERT OR REPLACE INTO online_packed VALUES (?, ?, ?, ?)", ((*p, *packed) for p, packed in some.packed.items()))
                run(GAIN, ((*place, *member) for place, members in some.members.items() for member in sorted(members.gained)))
                run("INSERT OR REPLACE INTO online_rows VALUES (?, ?, ?, ?)", ((*p, *packed) for p, packed in some.rows.items()))
            self._put_rest({}, states)

    def forget(self, states: Sequence[str]) -> None:
        """Keep these states no longer."""
        with self._transaction("BEGIN IMMEDIATE"):
            for table in TABLES:
                self._connection.executemany(f"DELETE FROM {table} WHERE state = ?", [(state,) for state in states])

    def _put_members(self, several: Sequence[tuple[tuple[str, str], Members]]) -> None:
        run = self._connection.executemany
        run(LOSE, [(*place, *member) for place, members in several for member in members.lost])
        run(GAIN, [(*place, *member) for place, members in several for member in members.gained])
        run(FADE, [(*place, members.since) for place, members in several if members.since is not None])

    def _put_rest(self, rows: Mapping[tuple[str, str], Packed], marks: Mapping[str, Mark]) -> None:
        self._connection.executemany(PUT_ROW, [(*place, *packed) for place, packed in rows.items()])
        self._connection.executemany(PUT_MARK, [(state, *mark) for state, mark in marks.items()])

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute(begin)
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()


@lru_cache(maxsize=256)
def _statement(states: int, places: int) -> str:
    mark = "(SELECT seq FROM online_states WHERE state = ?), (SELECT known_at FROM online_states WHERE state = ?)"
    body = "(SELECT body FROM online_packed WHERE state = ? AND key = ?)"
    return f"SELECT {', '.join([mark] * states + [body] * places)}"


@lru_cache(maxsize=MANY)
def _marks(many: int) -> str:
    return ", ".join("?" * many)


@lru_cache(maxsize=MANY)
def _joined(places: int) -> str:
    asked = f"WITH asked (at, state, key) AS (VALUES {', '.join(['(?, ?, ?)'] * places)})"
    return f"{asked} SELECT at, body FROM asked LEFT JOIN online_packed p ON p.state = asked.state AND p.key = asked.key"
