"""Build: states made at once from a whole event table, one GROUP BY for each hop; equal to folding every row of it.

In: states of one source, its event table, a store. Out: the store keeps them. Absent: clock; disk only behind the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.features import finalize
from everloop.features.definition import nature_of
from everloop.features.fold import NEVER, SEPARATOR
from everloop.features.moments import FOREVER, Micros
from everloop.features.packed import Shape, encode, kept_number, shapes
from everloop.features.reader import Reader, literal, quoted
from everloop.features.states import Part, State
from everloop.features.store import Changes, Mark, Members, OnlineStore, Packed
from everloop.features.versions import every_version, versions
from everloop.features.window import HIGH_PART, LOW_PART, SUMMABLE

#: So many keys, rows or members are given to the store at a time.
AT_A_TIME: Final = 4_000
#: The tiles of so many keys are made at a time.
KEYS: Final = 1_000


def build(store: OnlineStore, states: Sequence[State], rows: pa.Table) -> None:
    """Make states of one source anew from its whole event table. Raises Unknown for a column that is not there."""
    if not states:
        return
    mark = Mark(0, NEVER) if not rows.num_rows else Mark(*(int(np.max(rows[c].to_numpy())) for c in ("seq", "known_at")))
    with Reader({states[0].source.name: rows}) as reader:
        store.replace({state.id: mark for state in states}, (some for state in states for some in changes(reader, state, mark)))


def changes(reader: Reader, state: State, mark: Mark) -> Iterator[Changes]:
    """All that a state keeps of the event table in a reader: keys first, then members, then rows."""
    named = ", ".join(f"{_value(state, column)} AS c{i}" for i, column in enumerate(state.columns))
    key = f" || {literal(SEPARATOR)} || ".join(f"CAST({quoted(k)} AS VARCHAR)" for k in state.keys) or "''"
    table = versions(reader, state.source, (*state.keys, *state.columns))
    shown = f"nr, o, event_at, id, {key} AS key{', ' + named if named else ''}"
    live = reader.make(f"SELECT {shown} FROM {table} WHERE next_known = {FOREVER} AND key IS NOT NULL")
    name = state.id
    for bodies in _packed(reader, state, live, mark):
        yield Changes(packed={(name, key): Packed(mark.seq, body) for key, body in bodies})
    if state.has_members:
        since = "" if state.reach is None else f" WHERE event_at >= {mark.known_at - state.reach}"
        found = reader.rows(f"SELECT key, event_at, id FROM {live}{since} ORDER BY key, event_at, id")
        for part in _tables(found):
            together = groupby(zip(*(column.to_pylist() for column in part.columns), strict=True), key=lambda row: row[0])
            yield Changes(members={(name, key): Members(gained=frozenset((at, id) for _, at, id in rows)) for key, rows in together})
    for several in _rows(reader, state, live):
        yield Changes(rows={(name, id): Packed(seq, encode([seq, *(row if row[2] is not None else row[:3])])) for seq, id, *row in several})
    reader.drop(live)


def _value(state: State, column: str) -> str:
    # Words stay words, also where a source holds them as another kind.
    return f"CAST({quoted(column)} AS VARCHAR)" if nature_of(state.source, column) == "words" else quoted(column)


def _rows(reader: Reader, state: State, live: str) -> Iterator[Iterator[tuple[Any, ...]]]:
    """The newest version of each id: its seq, its id, and what else is kept of a row."""
    seq = reader.tables[state.source.name]["seq"].combine_chunks()
    values = "".join(f", l.c{i}" for i in range(len(state.columns)))
    said = every_version(reader, state.source.base, ())
    query = (
        f"SELECT e.nr, e.id, e.version, e.event_at, l.key{values} FROM ({said}) e LEFT JOIN {live} l USING (nr) "
        f"WHERE e.next_known = {FOREVER} ORDER BY e.id"
    )
    for part in _tables(reader.rows(query).combine_chunks()):
        yield zip(seq.take(part["nr"].combine_chunks()).to_pylist(), *(column.to_pylist() for column in part.columns[1:]), strict=True)


def _packed(reader: Reader, state: State, live: str, mark: Mark) -> Iterator[Iterator[tuple[str, bytes]]]:
    """The packed row of each key, in order, some keys at a time."""
    made = shapes(state)
    firsts = [shape.first(mark.known_at) for shape in made]
    edges = [None if first is None else first * shape.hop for shape, first in zip(made, firsts, strict=True)]
    befores = ", ".join("0" if edge is None else f"count(*) FILTER (WHERE event_at < {edge})" for edge in edges)
    found = reader.rows(f"SELECT key, {befores} FROM {live} GROUP BY key ORDER BY key")
    sides = [_side(reader, state, shape, live, edge, found["key"]) for shape, edge in zip(made, edges, strict=True)]
    for start in range(0, found.num_rows, KEYS):
        keys, *before = (column.to_pylist() for column in found.slice(start, KEYS).columns)
        blocks = [side.blocks(start, start + len(keys)) for side in sides]
        of_keys = zip(zip(*before, strict=True), zip(*blocks, strict=True), strict=True)
        rows = ([mark.seq, *([n, *block] for n, block in zip(counts, columns, strict=True))] for counts, columns in of_keys)
        yield zip(keys, map(encode, rows), strict=True)


@dataclass(frozen=True)
class _Side:
    """All tiles of one hop in order of key and time: where those of each key end, their columns, and for columns that say how often each
    value is there a table of tile, value and what is said, in order."""

    state: State
    shape: Shape
    tiles: pa.Table
    ends: Micros
    values: dict[int, pa.Table]

    def blocks(self, start: int, stop: int) -> Iterator[list[list[Any]]]:
        """The columns of a block for each of some keys."""
        first, last = int(self.ends[start]), int(self.ends[stop])
        tiles = self.tiles.slice(first, last - first)
        columns = [tiles["number"].to_pylist(), tiles["n"].to_pylist()]
        for i, part in enumerate(self.shape.kept.parts):
            if i in self.values:
                columns.append(_by_value(self.values[i], first, last))
            elif part.kind == "total":
                columns.append(_totals(tiles, i, decimal=nature_of(self.state.source, part.column) == "decimal"))
            else:
                columns.append(tiles[f"p{i}"].to_pylist())
        if self.shape.lasts:
            columns += [tiles["at"].to_pylist(), tiles["id"].to_pylist()]
        for begin, end in pairwise((self.ends[start : stop + 1] - first).tolist()):
            yield [column[begin:end] for column in columns]


def _side(reader: Reader, state: State, shape: Shape, live: str, edge: int | None, keys: pa.ChunkedArray) -> _Side:
    """The tiles of one hop that begin at an edge or after it."""
    number = "0" if not shape.hop else f"((event_at - ((event_at % {shape.hop}) + {shape.hop}) % {shape.hop}) // {shape.hop})"
    kept = "" if edge is None else f" WHERE event_at >= {edge}"
    parts = [_part(state, part, i) for i, part in enumerate(shape.kept.parts) if part.kind not in ("counts", "seen", "last")]
    aggregates = "".join(f", {sql}" for several in parts for sql in several)
    newest = ", max(o) AS o" if shape.lasts else ""
    tiles = reader.make(
        f"SELECT *, row_number() OVER (ORDER BY key, number) - 1 AS tile FROM (SELECT key, {number} AS number, count(*) AS n{aggregates}"
        f"{newest} FROM {live}{kept} GROUP BY ALL)"
    )
    lasts = "".join(f", l.c{shape.parts[k - 1][1]} AS p{k - 1}" for k in shape.lasts)
    joined = f", l.event_at AS at, l.id AS id{lasts} FROM {tiles} t JOIN {live} l ON l.o = t.o" if shape.lasts else f" FROM {tiles} t"
    found = reader.rows(f"SELECT t.*{joined} ORDER BY tile").combine_chunks()
    values: dict[int, pa.Table] = {}
    for i, (kind, place) in enumerate(shape.parts):
        if kind in ("counts", "seen"):
            said = f"SELECT key, {number} AS number, c{place} AS value, count(*) AS n, max(o) AS o FROM {live}{kept} GROUP BY ALL"
            newest = f" JOIN {live} l ON l.o = v.o" if kind == "seen" else ""
            shown = "tile, value, v.n" + (", l.event_at, l.id" if kind == "seen" else "")
            of = f"({said}) v JOIN {tiles} t USING (key, number){newest}"
            values[i] = reader.rows(f"SELECT {shown} FROM {of} WHERE value IS NOT NULL ORDER BY tile, value").combine_chunks()
    reader.drop(tiles)
    # Of each key, how many tiles there are; a key that has none left has them all before the edge.
    counts = pc.value_counts(found["key"].combine_chunks())
    of = pc.index_in(keys, value_set=counts.field("values")).combine_chunks()
    counted = pc.fill_null(pc.take(counts.field("counts"), of), 0).to_numpy(zero_copy_only=False)
    return _Side(state, shape, found, np.concatenate([[0], np.cumsum(counted)]).astype(np.int64), values)


def _by_value(found: pa.Table, first: int, last: int) -> list[dict[Any, Any]]:
    """For each of some tiles how often each value is there, in order of values; with the newest row of each where that is kept."""
    start, stop = (int(np.searchsorted(found["tile"].to_numpy(), tile)) for tile in (first, last))
    tiles, values, *said = (column.to_pylist() for column in found.slice(start, stop - start).columns)
    made: list[dict[Any, Any]] = [{} for _ in range(first, last)]
    for tile, value, what in zip(tiles, values, said[0] if len(said) == 1 else map(list, zip(*said, strict=True)), strict=True):
        made[tile - first][value] = what
    return made


def _part(state: State, part: Part, i: int) -> list[str]:
    """A part of a tile as SQL aggregates, named by the place of the part."""
    value = f"c{state.columns.index(part.column)}"
    decimal = nature_of(state.source, part.column) == "decimal"
    if part.kind == "n":
        return [f"count({SUMMABLE.format(x=value) if decimal else value}) AS p{i}"]
    if part.kind == "total" and decimal:
        return [f"sum({sql.format(x=value)}) AS {name}{i}" for sql, name in ((HIGH_PART, "h"), (LOW_PART, "b"))]
    if part.kind == "total":
        return [f"sum({value}) AS p{i}"]
    return [f"{'min' if part.kind == 'lowest' else 'max'}({value}) AS p{i}"]


def _totals(found: pa.Table, i: int, *, decimal: bool) -> list[int | bytes]:
    if not decimal:
        return [kept_number(value) for value in _whole(found[f"p{i}"])]
    return [kept_number((high << 80) + low) for high, low in zip(_whole(found[f"h{i}"]), _whole(found[f"b{i}"]), strict=True)]


def _whole(column: pa.ChunkedArray) -> list[int]:
    made = finalize.whole(column)
    return made.tolist() if isinstance(made, np.ndarray) else made


def _tables(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, AT_A_TIME):
        yield table.slice(start, AT_A_TIME)
