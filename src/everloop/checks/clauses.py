"""Clauses counted: one statement for each source says how many rows each of its clauses judges and how many break it.

In: event tables. Out: counts. SQL in memory; no clock, no disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from everloop.checks.in_force import in_force, quoted
from everloop.project.columns import Kind, is_numeric, text
from everloop.project.conditions import RowCondition, always, at_least, at_most, fresh, meets, one_of, usual_volume
from everloop.project.source import Source

#: Broken rows that are shown, the newest first.
EXAMPLES = 5
_ALWAYS = -62_135_596_800_000_000


@dataclass(frozen=True)
class Count:
    """Rows that one clause judges (they say its column), how many break it, the same of the newest; (seq, id, value) of some that do."""

    rows: int
    broken: int
    new_rows: int
    new_broken: int
    examples: tuple[tuple[int, str, Any], ...]


@dataclass(frozen=True)
class Counted:
    """One source: its rows in force, when the newest was known (µs; None: nothing says), and each clause about rows, in order."""

    all_rows: int
    last_known: int | None
    clauses: tuple[Count, ...]


@dataclass(frozen=True)
class RowTest:
    """One test of every row, as SQL: which rows it judges, and which of those break it. ``apart``: columns that no two rows may have the
    same values in; then ``broken`` is made of them."""

    column: str
    judged: str = "true"
    broken: str = "false"
    apart: tuple[str, ...] = ()


def test_of(condition: RowCondition, source: Source) -> RowTest:
    """A clause of ``must=`` as a test.

    >>> test_of(at_most("price", 5), Source("orders", id="line_id", columns={"price": int}))
    RowTest(column='price', judged='"price" IS NOT NULL', broken='NOT ("price" <= 5) AND "price" IS NOT NULL', apart=())
    """
    name = column_of(condition)
    judged = "true" if isinstance(condition, always) else f"{quoted(name)} IS NOT NULL"
    return RowTest(name, judged, f"NOT ({met(condition, source.every_column[name])}) AND {judged}")


def count(
    engine: duckdb.DuckDBPyConnection, source: Source, tables: Mapping[str, pa.Table], *, since: int | None, until: int,
    tests: Sequence[RowTest] | None = None,
) -> Counted:  # fmt: skip
    """Count every test of a source (by default its own clauses); the newest rows are those beyond ``since`` (None: none are)."""
    if tests is None:
        tests = [test_of(condition, source) for condition in source.must if not isinstance(condition, fresh | usual_volume | meets)]
    rows = in_force(source, tables, [name for test in tests for name in (test.column, *test.apart)])
    new = "false" if since is None else f"seq > {since}"
    shown = ["count(*)", f"(SELECT max(known_at) FROM events_{source.name} WHERE known_at > {_ALWAYS} AND known_at <= {until})"]
    again = []
    for place, test in enumerate(tests):
        column, judged, broken = quoted(test.column), test.judged, test.broken
        if test.apart:
            judged = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in test.apart)
            again.append(f"count(*) OVER (PARTITION BY {', '.join(map(quoted, test.apart))}) AS again_{place}")
            broken = f"again_{place} > 1 AND {judged}"
        shown += [
            f"count(*) FILTER (WHERE {judged})",
            f"count(*) FILTER (WHERE {broken})",
            f"count(*) FILTER (WHERE {judged} AND {new})",
            f"count(*) FILTER (WHERE {broken} AND {new})",
            f"arg_max({{'seq': seq, 'id': id, 'value': {column}}}, seq, {EXAMPLES}) FILTER (WHERE {broken})",
        ]
    if again:
        rows = f"SELECT *, {', '.join(again)} FROM ({rows})"
    found = engine.execute(f"SELECT {', '.join(shown)} FROM ({rows})").fetchone() or ()
    clauses = []
    for at in range(2, len(found), 5):
        judged_rows, broken_rows, new_rows, new_broken, examples = found[at : at + 5]
        clauses.append(
            Count(judged_rows, broken_rows, new_rows, new_broken, tuple((e["seq"], e["id"], e["value"]) for e in examples or ()))
        )
    return Counted(found[0], found[1], tuple(clauses))


def column_of(condition: RowCondition) -> str:
    """The column a clause is about.

    >>> column_of(at_least("quantity", 1))
    'quantity'
    """
    return condition.column if isinstance(condition, always) else str(getattr(condition, "what", ""))


def met(condition: RowCondition, kind: Kind) -> str:
    """When a row that says the column meets a clause, as SQL.

    >>> met(at_most("price", 500), int), met(one_of("paid", True), bool), met(always("shop"), str)
    ('"price" <= 500', 'CAST("paid" AS INTEGER) IN (1)', '"shop" IS NOT NULL')
    """
    column = quoted(column_of(condition))
    if isinstance(condition, at_least | at_most):
        return f"{column} {'>=' if isinstance(condition, at_least) else '<='} {_number(condition.value)}"
    if isinstance(condition, one_of):
        if kind in (str, text, date):
            return f"CAST({column} AS VARCHAR) IN ({', '.join(_text(str(value)) for value in condition.values)})"
        if kind is bool:
            column = f"CAST({column} AS INTEGER)"
        numbers = (
            [value for value in condition.values if isinstance(value, int | float)] if is_numeric(kind) or kind in (bool, datetime) else []
        )
        return f"{column} IN ({', '.join(map(_number, numbers))})" if numbers else "false"
    return f"{column} IS NOT NULL"


def _number(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)" if isinstance(value, float) else str(int(value))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
