"""Tiles: the online state in SQLite, beside the events it is a fold of, so that rows and tiles are one transaction.

In: event tables, and single rows of them. Out: ``Parts``. One row for each state, key and hop; whole numbers only, those beyond 64 bits as
text. Beside them the row last folded of each id, so that a correction takes out exactly what it put in. Absent: clock.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Final

import numpy as np
import pyarrow as pa

from everloop.errors import Unknown
from everloop.features.definition import nature_of
from everloop.features.moments import FOREVER
from everloop.features.online import NOTHING, SEPARATOR, Mark, Parts, State, Value, as_key, exchanged, merged, one_row, own_columns
from everloop.features.reader import Reader, literal, quoted
from everloop.features.versions import every_version, versions
from everloop.features.window import HIGH_PART, LOW_PART, SUMMABLE
from everloop.project.conditions import always, at_least, at_most, one_of

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tile_states (state TEXT PRIMARY KEY, source TEXT NOT NULL, seq INTEGER NOT NULL, known_at INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tiles (state TEXT NOT NULL, key TEXT NOT NULL, hop_start INTEGER NOT NULL, n_rows INTEGER NOT NULL,
    n INTEGER NOT NULL, total, lowest, highest, last_at INTEGER, last_id TEXT, last_value, sure INTEGER NOT NULL,
    PRIMARY KEY (state, key, hop_start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tile_rows (source TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, event_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (source, id)) WITHOUT ROWID;
"""
SELECT: Final = "SELECT n_rows, n, total, lowest, highest, last_at, last_id, last_value, sure FROM tiles WHERE state = ? AND key = ?"
PUT: Final = "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PUT_ROW: Final = "INSERT OR REPLACE INTO tile_rows VALUES (?, ?, ?, ?, ?, ?)"
MARK: Final = "INSERT OR REPLACE INTO tile_states VALUES (?, ?, ?, ?)"
LONG: Final = 2**63

Row = Mapping[str, object]


class Tiles:
    """An ``OnlineStore`` over a connection of the standard driver. Where the connection is already in a transaction, it stays the caller's
    to commit; else every verb is a transaction of its own, and a kill leaves the state as it was before.

    >>> tiles = Tiles(sqlite3.connect(":memory:"))
    >>> tiles.holds("orders", "o1")
    False
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept: dict[str, State] = {}
        if not connection.in_transaction:
            connection.executescript(SCHEMA)

    def keep(self, states: Iterable[State]) -> None:
        """From now on keep these as well; a new one has come nowhere yet."""
        wanted = {state.id: state for state in states}
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO tile_states VALUES (?, ?, 0, ?)", [(name, s.source.name, -LONG) for name, s in wanted.items()]
            )
        self._kept |= wanted

    def mark(self, state: State) -> Mark:
        """How far a state has come. Raises Unknown for one that is not kept."""
        found = self._connection.execute("SELECT seq, known_at FROM tile_states WHERE state = ?", (state.id,)).fetchone()
        if found is None:
            raise Unknown("online state of", state.source.called, next="Keep it first: store.keep(states_of(model)).")
        return Mark(*found)

    def build(self, states: Sequence[State], rows: pa.Table) -> None:
        """Make states of one source anew from its whole event table: one GROUP BY for each."""
        if not states:
            return
        source = states[0].source.name
        newest = Mark(0, -LONG) if not rows.num_rows else Mark(*(int(np.max(rows[c].to_numpy())) for c in ("seq", "known_at")))
        with Reader({source: rows}) as reader, self._transaction():
            for state in states:
                self._connection.execute("DELETE FROM tiles WHERE state = ?", (state.id,))
                self._connection.executemany(PUT, grouped(reader, state))
                self._connection.execute(MARK, (state.id, source, *newest))
            self._connection.executemany(PUT_ROW, newest_rows(reader, states[0], own_columns([*self._of(source), *states])))

    def fold(self, source: str, rows: pa.Table) -> None:
        """Take in the next rows of a source's event table, in the order of ``seq``; those a state already has are skipped."""
        if not rows.num_rows:
            return
        rows = rows.sort_by("seq")
        states = [(state, self.mark(state)) for state in self._of(source)]
        columns = own_columns(state for state, _ in states)
        some = next(iter(states), None)
        held = [held_row(some[0], columns, row) for row in rows.to_pylist()] if some is not None else []
        seqs, known = rows["seq"].to_pylist(), int(np.max(rows["known_at"].to_numpy()))
        with self._transaction():
            changed: dict[tuple[str, str, int], Parts] = {}
            for seq, row in zip(seqs, held, strict=True):
                self._take_in(source, [state for state, mark in states if mark.seq < seq], row, changed)
            self._connection.executemany(PUT, (_put(*place, parts) for place, parts in changed.items()))
            for state, mark in states:
                self._connection.execute(MARK, (state.id, source, max(mark.seq, seqs[-1]), max(mark.known_at, known)))

    def read(self, state: State, keys: Sequence[str], start: int | None, stop: int | None) -> list[Parts]:
        """For each key what tiles from ``start`` up to, not including, ``stop`` say."""
        query, edges = SELECT, ()
        if start is not None:
            query, edges = query + " AND hop_start >= ?", (*edges, start)  # type: ignore[assignment]
        if stop is not None:
            query, edges = query + " AND hop_start < ?", (*edges, stop)  # type: ignore[assignment]
        name, run = state.id, self._connection.execute
        return [reduce(merged, (_got(*row) for row in run(query, (name, key, *edges))), NOTHING) for key in keys]

    def holds(self, source: str, id: str) -> bool:
        """Whether a row of this id was folded."""
        return self._connection.execute("SELECT 1 FROM tile_rows WHERE source = ? AND id = ?", (source, id)).fetchone() is not None

    def forget(self, states: Iterable[State]) -> None:
        """Keep these no longer; the last one of a source takes the source's rows with it."""
        gone = {state.id: state for state in states}
        with self._transaction():
            for name, state in gone.items():
                self._kept.pop(name, None)
                self._connection.execute("DELETE FROM tiles WHERE state = ?", (name,))
                self._connection.execute("DELETE FROM tile_states WHERE state = ?", (name,))
                left = self._connection.execute("SELECT 1 FROM tile_states WHERE source = ?", (state.source.name,)).fetchone()
                if left is None:
                    self._connection.execute("DELETE FROM tile_rows WHERE source = ?", (state.source.name,))

    def _of(self, source: str) -> list[State]:
        return [state for state in self._kept.values() if state.source.name == source]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def _take_in(self, source: str, states: Sequence[State], row: Row, changed: dict[tuple[str, str, int], Parts]) -> None:
        """Put one row into the tiles of these states, after taking out what an older version of it had put in."""
        if not states:
            return
        found = self._connection.execute(
            "SELECT version, event_at, deleted, body FROM tile_rows WHERE source = ? AND id = ?", (source, row["id"])
        ).fetchone()
        if found is not None and found[0] >= row["version"]:
            return
        before = None if found is None else {**json.loads(found[3]), "id": row["id"], "event_at": found[1], "deleted": bool(found[2])}
        for state in states:
            old, new = put_in(state, before), put_in(state, row)
            if old is not None and new is not None and old[0] == new[0]:
                self._change(state, new[0], old[1], new[1], changed)
            else:
                for there, taken, put in ((old, True, False), (new, False, True)):
                    if there is not None:
                        self._change(state, there[0], there[1] if taken else NOTHING, there[1] if put else NOTHING, changed)
        body = {name: value for name, value in row.items() if name not in ("id", "version", "event_at", "deleted")}
        self._connection.execute(PUT_ROW, (source, row["id"], row["version"], row["event_at"], row["deleted"], json.dumps(body)))

    def _change(self, state: State, place: tuple[str, int], old: Parts, new: Parts, changed: dict[tuple[str, str, int], Parts]) -> None:
        at = (state.id, *place)
        tile = changed.get(at)
        if tile is None:
            found = self._connection.execute(f"{SELECT} AND hop_start = ?", at).fetchone()
            tile = NOTHING if found is None else _got(*found)
        changed[at] = exchanged(tile, old, new) if old.rows else merged(tile, new)


def newest_rows(reader: Reader, state: State, columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """The highest version of each id of a state's source, with these columns."""
    source = state.source.base
    shown = ["id", "version", "event_at", "deleted", *columns]
    said = every_version(reader, source, columns)
    found = reader.rows(f"SELECT {', '.join(map(quoted, shown))} FROM ({said}) WHERE next_known = {FOREVER}")
    write = json.JSONEncoder().encode
    for id, version, event_at, deleted, *values in zip(*(column.to_pylist() for column in found.columns), strict=True):
        yield (source.name, id, version, event_at, int(deleted), write(dict(zip(columns, values, strict=True))))


def held_row(state: State, columns: Sequence[str], row: Row) -> dict[str, object]:
    """A row of an event table as values are held while read; what is not finite is empty, minus zero is zero."""
    held: dict[str, object] = {"id": row["id"], "version": row["version"], "event_at": row["event_at"], "deleted": bool(row["deleted"])}
    for column in columns:
        if column not in row:
            raise Unknown("column", column, tuple(row), where=f"the rows of {state.source.name}")
        held[column] = _held(nature_of(state.source, column), row[column])
    return held


def _held(nature: str, value: object) -> Value | None:
    if value is None:
        return None
    if nature == "words":
        return as_key(value) if not isinstance(value, str) else value
    if nature == "decimal":
        number = float(value)  # type: ignore[arg-type]
        return number + 0.0 if np.isfinite(number) else None
    if nature == "instant" and not isinstance(value, int):
        return int(np.datetime64(value, "us").astype(np.int64))  # type: ignore[call-overload]
    return int(value)  # type: ignore[call-overload, no-any-return]


def put_in(state: State, row: Row | None) -> tuple[tuple[str, int], Parts] | None:
    """Which tile of a state a row belongs to, and what it says there; None for one that does not count."""
    if row is None or row["deleted"] or not all(meets(condition, row) for condition in state.source.rows):
        return None
    key = [row[column] for column in state.keys]
    if any(value is None for value in key):
        return None
    at = int(row["event_at"])  # type: ignore[call-overload]
    value = None if state.column is None else row[state.column]
    start = at // state.hop * state.hop if state.hop else 0
    return (SEPARATOR.join(map(as_key, key)), start), one_row(value, at, str(row["id"]))  # type: ignore[arg-type]


def meets(condition: object, row: Row) -> bool:
    """Whether a row meets a row condition; what is empty meets none."""
    value = row[condition.column if isinstance(condition, always) else str(condition.what)]  # type: ignore[attr-defined]
    if value is None or isinstance(condition, always):
        return value is not None
    if isinstance(condition, at_least | at_most):
        return bool(value >= condition.value if isinstance(condition, at_least) else value <= condition.value)  # type: ignore[operator]
    if isinstance(condition, one_of):
        return value in (tuple(map(str, condition.values)) if isinstance(value, str) else condition.values)
    raise Unknown("row condition", repr(condition), ("always", "at_least", "at_most", "one_of"))


def grouped(reader: Reader, state: State) -> Iterator[tuple[object, ...]]:
    """Every tile of a state, from the versions nothing took the place of."""
    table = versions(reader, state.source, (*state.keys, *(() if state.column is None else (state.column,))))
    hop = f"(event_at - ((event_at % {state.hop}) + {state.hop}) % {state.hop})" if state.hop else "0"
    key = f" || {literal(SEPARATOR)} || ".join(f"CAST({quoted(k)} AS VARCHAR)" for k in state.keys) or "''"
    value = "NULL::BIGINT" if state.column is None else quoted(state.column)
    nature = "whole" if state.column is None else nature_of(state.source, state.column)
    sums = {"decimal": [SUMMABLE, HIGH_PART, LOW_PART], "words": ["{x}"]}.get(nature, ["{x}", "{x}"])
    n, *parts = [part.format(x=value) for part in sums]
    total = ", ".join(f"coalesce(CAST(sum({part}) AS VARCHAR), '0') AS s{i}" for i, part in enumerate(parts))
    extremes = "NULL AS low, NULL AS high" if nature == "words" else f"min({value}) AS low, max({value}) AS high"
    found = reader.rows(
        f"SELECT key, hop_start, n_rows, n{''.join(f', s{i}' for i in range(len(parts)))}, low, high, v.event_at, v.id, v.x FROM ("
        f"SELECT {key} AS key, {hop} AS hop_start, count(*) AS n_rows, count({n}) AS n{', ' + total if total else ''}, {extremes}, "
        f"max(o) AS o FROM {table} WHERE next_known = {FOREVER} GROUP BY ALL) t "
        f"JOIN (SELECT o, event_at, id, {value} AS x FROM {table}) v ON v.o = t.o WHERE key IS NOT NULL"
    )
    for row in zip(*(column.to_pylist() for column in found.columns), strict=True):
        name, start, rows, count, *sums_, low, high, at, id, last = row
        exact = sum(int(part) << (80 if i == 0 and len(sums_) == 2 else 0) for i, part in enumerate(sums_))
        yield _put(state.id, name, start, Parts(rows, count, exact, low, high, at, id, last))


def _put(state: str, key: str, start: int, parts: Parts) -> tuple[object, ...]:
    total = parts.total if -LONG <= parts.total < LONG else str(parts.total)
    last = (parts.last_at, parts.last_id, parts.last)
    return (state, key, start, parts.rows, parts.n, total, parts.lowest, parts.highest, *last, int(parts.sure))


def _got(
    rows: int, n: int, total: int | str, lowest: Value | None, highest: Value | None, last_at: int | None, last_id: str | None,
    last: Value | None, sure: int,
) -> Parts:  # fmt: skip
    return Parts(rows, n, int(total), lowest, highest, last_at, last_id, last, bool(sure))
