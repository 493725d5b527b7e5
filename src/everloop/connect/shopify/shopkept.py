"""What the door itself has of people goes from ``shopify.db``: bodies that wait or lie dead, rows held back, what browsers told. Knows no
house."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from everloop.connect.shopify.place import Place
from everloop.sql.wal import rewritten

LEAST = 6
"""Digits of an id that says nothing else."""
_BODIES = (
    ("inbox", "body", "update inbox set body = null where state <> 'waiting' and instr(body, cast(? as blob)) > 0"),
    ("refused", "row", "delete from refused where instr(row, ?) > 0"),
    ("heard", "row", "delete from heard where instr(row, ?) > 0"),
    ("lines", "held", "update lines set held = null where instr(held, ?) > 0"),
)
_LATE = (
    "update inbox set body = null, state = 'dead', why = 'whom it names is forgotten' "
    "where state = 'waiting' and triggered_at < ? and instr(body, cast(? as blob)) > 0"
)


def forgotten(place: Place, keys: Sequence[str], before: int) -> int:
    """Whatever names one of these ids goes from the door's own book, but what Shopify said later than ``before`` (µs UTC) and waits to be
    told; how many rows that were."""
    count, long = 0, [key for key in keys if len(key) >= LEAST]
    with place.transaction() as t:
        there = {(table, column) for table in _tables(t) for column in _columns(t, table)}
        for table, column, words in _BODIES:
            if (table, column) in there:
                count += sum(t.execute(words, (key,)).rowcount for key in long)
        if ("inbox", "triggered_at") in there:
            count += sum(t.execute(_LATE, (before, key)).rowcount for key in long)
    return count


def unheard(place: Place, answers: Sequence[str]) -> int:
    """What browsers told of these answers without saying whose they are goes; how many rows that were."""
    with place.transaction() as t:
        if "heard" not in _tables(t):
            return 0
        words = "delete from heard where json_extract(row, '$.prediction') = ?"
        return sum(t.execute(words, (id,)).rowcount for id in answers)


def emptied(place: Place, *, keeps: str) -> None:
    """Every table of the door's book is empty but the one that says why."""
    with place.transaction() as t:
        for table in _tables(t):
            if table != keeps:
                t.execute(f'delete from "{table}"')


def wiped(place: Place) -> None:
    """Nothing of what went is left in the file's free pages or its log. Raises sqlite3.OperationalError where a reader does not end."""
    with closing(place.opened()) as connection:
        connection.execute("vacuum")
        rewritten(connection)


def _tables(t: sqlite3.Connection) -> list[str]:
    return [name for (name,) in t.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")]


def _columns(t: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in t.execute(f'pragma table_info("{table}")')]
