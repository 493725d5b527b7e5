"""Rows as delivered become rows as kept. In: dicts or an Arrow table, and their source. Out: ``Kept``, with a sentence for each refusal.

Bad rows are refused one by one, the others are kept. What a row says of itself comes along: its version, when it was known, whether it is
gone. Several small deliveries are read as one table, since a table costs as much for one row as for fifty; each is told apart again.
Nothing here knows what came before, what time it is, or where rows are stored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.errors import EverloopError
from everloop.lake.arrays import Column, column, one_by_one
from everloop.lake.digest import FEW
from everloop.lake.shape import SEPARATOR, arrow_type, own_columns
from everloop.lake.values import has_point, in_decimals, reader, said_deleted, said_id, said_version
from everloop.project.columns import Kind, money
from everloop.project.resolve import with_apart
from everloop.project.source import Source
from everloop.records import Refused

Rows: TypeAlias = Sequence[Mapping[str, object]] | Mapping[str, object] | pa.Table | pa.RecordBatch
Offered: TypeAlias = pa.Table | list[Mapping[str, object]]
_LAST = int(np.iinfo(np.int64).max)

_SAID = pa.schema(
    [
        ("id", pa.string()),
        ("event_at", pa.int64()),
        ("deleted", pa.bool_()),
        ("said_version", pa.int64()),
        ("said_known", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Brought:
    """What one delivery brought: ``rows`` that can become events, of those ``offered``; sentences for the first five refused.

    ``reasons`` counts all that are refused, by column and why, the most frequent first.
    ``columns`` are the names and Arrow types that came; ``missing`` and ``retyped`` compare them with what is declared.
    """

    rows: int
    offered: int
    refused: int
    examples: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    retyped: tuple[str, ...]
    reasons: tuple[Refused, ...] = ()

    @property
    def typed(self) -> bool:
        """Whether its columns said their types: a table's do, single events' do not."""
        return bool(self.columns) and self.columns[0][1] != ""


@dataclass(frozen=True)
class Kept:
    """Rows that can become events, in the order delivered (where they say since when they are known: in that order within a delivery),
    and the deliveries that brought them, in the same order.

    ``table`` has ``id``, ``event_at`` (null: unsaid), ``deleted``, ``said_version`` and ``said_known`` (null: unsaid), then the source's
    own columns.
    """

    table: pa.Table
    brought: tuple[Brought, ...]


def kept(source: Source, rows: Rows, *, spelled: bool = False) -> Kept:
    """Read rows as their source declares them. ``spelled``: every column is text, as in CSV.

    >>> orders = Source("orders", id="line_id", time="at", columns={"quantity": int})
    >>> made = kept(orders, [{"line_id": "l1", "at": "2026-11-02T00:00Z", "quantity": 2}, {"line_id": "l2", "quantity": 1}])
    >>> made.table.column("id").to_pylist(), made.brought[0].refused, made.brought[0].examples
    (['l1'], 1, ('row 2 (l2): at is empty',))

    Raises EverloopError where rows are neither dicts nor a table.
    """
    there = offered(rows)
    return _of_table(source, there, spelled) if isinstance(there, pa.Table) else _of_dicts(source, [there])


def kept_together(source: Source, several: Sequence[Offered]) -> Kept:
    """Several deliveries, read as if each had been read alone.

    >>> orders = Source("orders", id="line_id", columns={"quantity": int})
    >>> made = kept_together(orders, [[{"line_id": "l1"}], [{"line_id": "l2", "quantity": "x"}], [{"line_id": "l3", "quantity": 1}]])
    >>> made.table.column("id").to_pylist(), [one.examples for one in made.brought]
    (['l1', 'l3'], [(), ("row 1 (l2): quantity is 'x', no whole number",), ()])
    """
    pieces: list[Kept] = []
    dicts: list[list[Mapping[str, object]]] = []
    for there in several:
        if isinstance(there, pa.Table):
            pieces += [_of_dicts(source, dicts)] if dicts else []
            pieces.append(_of_table(source, there, spelled=False))
            dicts = []
        else:
            dicts.append(there)
    pieces += [_of_dicts(source, dicts)] if dicts or not pieces else []
    table = pieces[0].table if len(pieces) == 1 else pa.concat_tables([piece.table for piece in pieces])
    return Kept(table, tuple(one for piece in pieces for one in piece.brought))


def _of_table(source: Source, table: pa.Table, spelled: bool) -> Kept:
    came = {f.name: str(f.type) for f in table.schema}
    reading = _Reading(source, {name: table.column(name) for name in table.column_names}, [table.num_rows], spelled)
    return reading.done([came])


def _of_dicts(source: Source, several: Sequence[list[Mapping[str, object]]]) -> Kept:
    rows = several[0] if len(several) == 1 else [row for one in several for row in one]
    came = [{str(name): "" for row in one for name in row} for one in several]
    # Only what is declared is looked at: rows may carry any number of other keys.
    said = {name: [row.get(name) for row in rows] for name in declared(source) if any(name in names for names in came)}
    return _Reading(source, said, [len(one) for one in several], spelled=False).done(came)


def declared(source: Source) -> list[str]:
    """Every name a source's rows may bring."""
    return list(dict.fromkeys([*own_columns(source), *filter(None, (source.version, source.known, source.deleted))]))


def offered(rows: Rows) -> Offered:
    """Rows as a table, or as a list of dicts of its own. Raises EverloopError for what is neither."""
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        if len(set(rows.column_names)) < len(rows.column_names):
            twice = sorted({n for n in rows.column_names if rows.column_names.count(n) > 1})
            raise EverloopError(f"The column {', '.join(twice)} comes twice. Give each column its own name.")
        return rows
    several = [rows] if isinstance(rows, Mapping) else list(rows)
    for number, row in enumerate(several, 1):
        if not isinstance(row, Mapping):
            cure = 'Give dicts such as {"line_id": "l1"}, or an Arrow table.'
            raise EverloopError(f"Row {number} is {type(row).__name__} and no row. {cure}")
    return several


class _Why(NamedTuple):
    """Why a row is refused: the column and what is wrong there, which ends the sentence "price is 12.34, …" where the value is told."""

    column: str
    wrong: str
    told: bool


class _Reading:
    """Deliveries while they are read, column after column; ``counts`` of rows came in each."""

    def __init__(self, source: Source, said: Mapping[str, Any], counts: Sequence[int], spelled: bool) -> None:
        self.source, self.said, self.counts, self.rows, self.spelled = source, said, counts, sum(counts), spelled
        self.why: dict[int, _Why] = {}  # by row
        self.retyped: dict[str, str] = {}

    def done(self, came: Sequence[Mapping[str, str]]) -> Kept:
        """What the deliveries brought, with the columns ``came`` in each."""
        kinds = own_columns(self.source)
        columns = {name: self.read(name, kind) for name, kind in kinds.items()}
        deleted = self.deleted()
        self.must_be_there(columns, deleted)
        ids = self.ids(columns)
        said_version = self.version()
        said_known = self.read(self.source.known, datetime) if self.source.known else pa.nulls(self.rows, pa.int64())
        said = [ids, self.event_at(columns), pa.array(deleted), said_version, said_known, *columns.values()]
        table = pa.table(said, schema=pa.schema([*_SAID, *((name, arrow_type(kind)) for name, kind in kinds.items())]))
        if self.why:
            good = np.ones(self.rows, dtype=np.bool_)
            good[list(self.why)] = False
            table = table.filter(pa.array(good))
        if self.source.known:
            table = self.as_known(table)
        expected = declared(self.source)
        retyped = tuple(f"{name} came as {kind}" for name, kind in self.retyped.items())
        brought = []
        for (first, rows, wrong), names in zip(self.by_delivery(self.why), came, strict=True):
            missing = tuple(name for name in expected if name not in names)
            examples = self.examples(ids, wrong[:5], first)
            reasons = self.reasons(ids, wrong, first)
            brought.append(Brought(rows - len(wrong), rows, len(wrong), examples, tuple(names.items()), missing, retyped, reasons))
        return Kept(table, tuple(brought))

    def by_delivery(self, rows: Mapping[int, object]) -> Iterator[tuple[int, int, list[int]]]:
        """The first row of each delivery, how many it has, and which of these rows are its own, in order."""
        several = sorted(rows)
        for first, count in zip(accumulate(self.counts, initial=0), self.counts, strict=False):
            yield first, count, several[bisect_left(several, first) : bisect_left(several, first + count)]

    def as_known(self, table: pa.Table) -> pa.Table:
        """The rows of each delivery in the order in which they say they were known; those that do not say so come last."""
        known, of = table.column("said_known"), np.repeat(np.arange(len(self.counts)), self.counts)
        of = np.delete(of, sorted(self.why))
        at = (pc.fill_null(known, _LAST) if known.null_count else known).to_numpy()
        order = np.lexsort((at, of))
        return table if (np.diff(order) > 0).all() else table.take(pa.array(order))

    def read(self, name: str, kind: Kind) -> pa.Array:
        """A column of what was said; nulls where it did not come. What it refuses takes its row out."""
        said = self.said.get(name)
        if said is None:
            return pa.nulls(self.rows, arrow_type(kind))
        zone = self.source.zone
        made = one_by_one(said, kind, reader(kind, zone)) if isinstance(said, list) else column(said, kind, zone, spelled=self.spelled)
        if made.retyped:
            self.retyped[name] = made.retyped
        if isinstance(kind, money) and made.refused:
            made = self.believed(name, kind, made)
        self.refuse(name, made)
        return made.values

    def believed(self, name: str, kind: money, made: Column) -> Column:
        """Money as kept, without every value of a delivery in which one has a decimal point: its whole ones are euros too, not cents."""
        said, refused = self.said[name], dict(made.refused)
        filled = made.values.is_valid().to_numpy(zero_copy_only=False)
        for first, count, wrong in self.by_delivery(made.refused):
            if any(has_point(_python(said[row])) for row in wrong):
                beside = (np.flatnonzero(filled[first : first + count]) + first).tolist()
                refused |= dict.fromkeys([*wrong, *beside], in_decimals(kind))
        return Column(made.values, refused)

    def refuse(self, name: str, made: Column) -> None:
        whys: dict[str, _Why] = {}
        for row, why in made.refused.items():
            self.why.setdefault(row, whys.setdefault(why, _Why(name, why, told=True)))

    def deleted(self) -> NDArray[np.bool_]:
        said = self.said.get(self.source.deleted) if self.source.deleted else None
        if said is None:
            return np.zeros(self.rows, dtype=np.bool_)
        if not isinstance(said, list) and pa.types.is_boolean(said.type):
            return np.asarray(pc.fill_null(said, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
        values = said if isinstance(said, list) else said.to_pylist()
        return np.fromiter(map(said_deleted, values), dtype=np.bool_, count=self.rows)

    def version(self) -> pa.Array:
        name = self.source.version
        if name is None:
            return pa.nulls(self.rows, pa.int64())
        said = self.said.get(name)
        values = said if isinstance(said, list) else None
        if said is None:
            made = Column(pa.nulls(self.rows, pa.int64()))
        elif values is None and not self.spelled and pa.types.is_integer(said.type):
            made = column(said, int)
        elif values is None and not self.spelled and pa.types.is_timestamp(said.type):
            made = column(said, datetime, "UTC")
        else:
            made = one_by_one(said.to_pylist() if values is None else values, int, said_version)
        self.refuse(name, made)
        self.empty(name, made.values)
        return made.values

    def must_be_there(self, columns: Mapping[str, pa.Array], deleted: NDArray[np.bool_]) -> None:
        """An id always; when it happened too, but for a row that only says it is gone."""
        for name in with_apart(self.source, self.source.id):
            self.empty(name, columns[name])
        for name in self.source.time[:1]:
            self.empty(name, columns[name], unless=deleted)

    def empty(self, name: str, values: pa.Array, unless: NDArray[np.bool_] | None = None) -> None:
        if values.type == pa.string():
            gone = _unsaid(values)
        elif values.null_count == 0:
            return
        else:
            gone = values.is_null().to_numpy(zero_copy_only=False)
        if not gone.any():
            return
        said = f"{name} is empty"
        if name in self.retyped:
            said = f"{name} came as {self.retyped[name]}, which it cannot be"
            if name in self.source.time and self.source.zone is None:
                said += "; instants written without an offset need zone= in the Source, such as zone='Europe/Berlin'"
        for row in np.flatnonzero(gone if unless is None else gone & ~unless).tolist():
            self.why.setdefault(row, _Why(name, said, told=False))

    def ids(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        names = with_apart(self.source, self.source.id)
        parts = [_id_text(columns[name]) for name in names]
        if len(parts) == 1:
            return parts[0]
        for name, part in zip(names, parts, strict=True):
            for row in np.flatnonzero(pc.fill_null(pc.match_substring(part, SEPARATOR), False).to_numpy(zero_copy_only=False)).tolist():
                self.why.setdefault(row, _Why(name, f"{name} holds the character U+001F, which keeps the parts of an id apart", told=False))
        return pc.binary_join_element_wise(*parts, SEPARATOR)

    def event_at(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        if not self.source.time:
            return pa.nulls(self.rows, pa.int64())
        name = self.source.time[0]
        made = columns[name]
        if pa.types.is_date(made.type):
            return column(made, datetime, self.source.zone or "UTC").values
        return made if made.type == pa.int64() and own_columns(self.source)[name] is datetime else pa.nulls(self.rows, pa.int64())

    def examples(self, ids: pa.Array, wrong: Sequence[int], first: int) -> tuple[str, ...]:
        """A sentence for each of these rows, counted from the ``first`` of their delivery."""
        found = []
        for row in wrong:
            name, why = (ids[row].as_py() or "").replace(SEPARATOR, " ")[:60], self.why[row]
            what = f"{why.column} is {_shown(self.said[why.column][row])}, {why.wrong}" if why.told else why.wrong
            found.append(f"row {row - first + 1}{f' ({name})' if name else ''}: {what}")
        return tuple(found)

    def reasons(self, ids: pa.Array, wrong: Sequence[int], first: int) -> tuple[Refused, ...]:
        """How many of these rows are refused for each reason, with the first of them as an example."""
        firsts: dict[_Why, int] = {}
        for row in wrong:
            firsts.setdefault(self.why[row], row)
        return tuple(
            Refused(column=why.column, why=why.wrong, rows=rows, example=self.examples(ids, [firsts[why]], first)[0])
            for why, rows in Counter(map(self.why.__getitem__, wrong)).most_common()
        )


def _unsaid(words: pa.Array) -> NDArray[np.bool_]:
    if len(words) <= FEW:
        return np.array([not word for word in words.to_pylist()], dtype=np.bool_)
    return np.asarray(pc.fill_null(pc.equal(words, ""), True).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _id_text(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.string())
    return pa.array([None if v is None else said_id(v) for v in values.to_pylist()], pa.string())


def _python(value: Any) -> Any:
    return value.as_py() if isinstance(value, pa.Scalar) else value


def _shown(value: Any) -> str:
    try:
        shown = repr(_python(value))
    except (ValueError, OverflowError):  # an instant no Python has
        shown = str(value.value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
