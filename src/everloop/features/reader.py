"""The reader: one engine in memory over the event tables of one call. Tables in, Arrow out; nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from everloop.errors import Unknown
from everloop.project.source import Source

#: What every event table has beside its source's own columns.
EVENT_COLUMNS = ("seq", "id", "version", "event_at", "known_at", "deleted")


def quoted(name: str) -> str:
    """A name as SQL says it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value as SQL says it: text, whole and decimal numbers, yes and no as 1 and 0.

    >>> literal("it's"), literal(True), literal(1.5)
    ("'it''s'", '1', "CAST('1.5' AS DOUBLE)")
    """
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return "'" + str(value).replace("'", "''") + "'"


def floored(expression: str, hop: int) -> str:
    """An expression floored to multiples of ``hop`` since 1970, also before 1970, where ``%`` keeps the sign.

    >>> floored("t", 1)
    't'
    """
    return expression if hop <= 1 else f"({expression} - ((({expression}) % {hop}) + {hop}) % {hop})"


class Reader:
    """Holds the engine, the tables, and what was prepared of them, for as long as one call lasts.

    >>> with Reader({}) as reader:
    ...     reader.rows("SELECT 1 + 1 AS two").to_pylist()
    [{'two': 2}]
    """

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self.tables = tables
        self.prepared: dict[object, str] = {}
        self.prepared_versions: dict[object, dict[tuple[frozenset[str], bool], str]] = {}
        self.ordered: dict[tuple[object, frozenset[str]], object] = {}
        self._made = 0
        import duckdb  # a worker that reads tiles only never needs it

        self._engine = duckdb.connect(":memory:", config={"threads": 2})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._engine.close()

    def rows(self, query: str) -> pa.Table:
        """What a query gives."""
        return self._engine.sql(query).to_arrow_table()

    def make(self, query: str) -> str:
        """Keep what a query gives as a table, and give its name."""
        name = self._name()
        self._engine.execute(f"CREATE TEMP TABLE {name} AS {query}")
        return name

    def give(self, table: pa.Table) -> str:
        """Let queries read an Arrow table, and give its name there."""
        name = self._name()
        self._engine.register(name, table)
        return name

    def drop(self, *names: str) -> None:
        """Forget tables that ``make`` kept."""
        for name in names:
            self._engine.execute(f"DROP TABLE IF EXISTS {name}")

    def events(self, source: Source) -> str:
        """The name of a source's event table in here, rows numbered by ``nr``. Raises Unknown if it was not given or lacks a column."""
        known = self.prepared.get(source.name)
        if known is not None:
            return known
        table = self.tables.get(source.name)
        if table is None:
            raise Unknown("table of source", source.name, sorted(self.tables), next="Give one event table for each source that is read.")
        require(source, table, EVENT_COLUMNS)
        numbered = table.append_column("nr", pa.array(np.arange(table.num_rows, dtype=np.int64)))
        self.prepared[source.name] = self.give(numbered)
        return self.prepared[source.name]

    def _name(self) -> str:
        self._made += 1
        return f"made_{self._made}"


def require(source: Source, table: pa.Table, columns: Sequence[str]) -> None:
    """Raise Unknown for the first of these columns that a source's table has not."""
    for column in columns:
        if column not in table.column_names:
            raise Unknown("column", column, table.column_names, where=f"the table of {source.name}")
