"""The first event that differs: which one row of the log explains that a feature was served as it was. Found by replaying: the value is
read again as though that row had been left out, had happened at another hour, or had never gone out of its window.

In: the answers a feature was served in, both sides of it, and the event tables. Out: one clause for people, or None. Absent: clock, disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.clock import from_microseconds, said
from everloop.features.compile import features
from everloop.features.definition import window_of
from everloop.features.moments import ALWAYS
from everloop.features.served import ITEM, up_to
from everloop.features.spine import as_text
from everloop.loop.reread import ROW, Served, questions_of
from everloop.monitor.skew import differing, is_rounding
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, leaves

MOST = 24
"""So many rows are tried, the likeliest first."""
ASKED = 4
"""So many values that differ are asked how."""
LARGE = 200_000
"""Beyond so many rows beside the unit's own nothing is tried: each trial reads them all."""
HOUR = 3_600_000_000
SHIFTS = {HOUR: "an hour later", -HOUR: "an hour earlier", 2 * HOUR: "two hours later", -2 * HOUR: "two hours earlier"}


@dataclass(frozen=True)
class Event:
    """One row of a source, by its place in the log."""

    source: str
    seq: int
    id: str
    event_at: int

    def __str__(self) -> str:
        when = f" of {said(from_microseconds(self.event_at))}" if self.event_at > ALWAYS else ""
        shown = self.id.replace("\x1f", ", ")
        return f"{self.source} row {shown} (number {self.seq}{when})"


def first_event(
    model: Model,
    name: str,
    reading: AnyReading | None,
    rows: Sequence[Served],
    served: pa.Array,
    offline: pa.Array,
    tables: Mapping[str, pa.Table],
) -> str | None:
    """The row that explains the first difference; failing that, the first row since the feature was last served right.

    ``rows`` in order of time, ``served`` and ``offline`` beside them. None for what is no reading, or reads nothing.
    """
    unlike = np.flatnonzero(differing(served, offline))
    if reading is None or not len(unlike):
        return None
    first = int(unlike[0])
    cases = [_case(model, name, reading, rows, at, unlike, tables) for at in unlike[:ASKED].tolist()]
    events = cases[0].events
    if not events:
        return None
    if is_rounding(served[first].as_py(), offline[first].as_py()):
        return f"only the last digits differ, as in a sum in another order; the first row in it is {min(events, key=lambda e: e.seq)}"
    told = cases[0].explanations()
    if not told:
        return f"the first row since it was right is {events[0]}"
    # One value may be explained in several ways; the others tell which of them it was.
    others = [case.explanations(frozenset(told)) for case in cases[1:]] if len(told) > 1 else []
    words = max(told, key=lambda words: sum(words in other for other in others))
    return f"{told[words]} {words}"


def _case(
    model: Model,
    name: str,
    reading: AnyReading,
    rows: Sequence[Served],
    at: int,
    unlike: NDArray[np.int64],
    tables: Mapping[str, pa.Table],
) -> _Case:
    """One value that differs, with the newest answer before it about the same unit that was served right."""
    wrong = set(unlike.tolist())
    right = next((rows[n] for n in range(at - 1, -1, -1) if rows[n].unit == rows[at].unit and n not in wrong), None)
    return _Case(model, name, reading, rows[at], right, _narrowed(model, reading, rows[at], tables))


@dataclass(frozen=True)
class _Case:
    """One value that differs, and the rows it may have been read from."""

    model: Model
    name: str
    reading: AnyReading
    row: Served
    right: Served | None
    tables: Mapping[str, pa.Table]

    @property
    def small(self) -> bool:
        """Whether the rows are few enough to be read again and again."""
        return sum(len(table) for table in self.tables.values()) <= LARGE

    @cached_property
    def events(self) -> list[Event]:
        """The rows it may have been read from, the likeliest first: those since it was right in order, then the newest."""
        since: list[Event] = []
        before: list[Event] = []
        for source in dict.fromkeys(leaf.source.name for leaf in leaves(self.reading) if leaf.verb != "given"):
            table, reached = self.tables[source], self.right.as_of.get(source, 0) if self.right is not None else 0
            for seq, id, event_at in zip(*(table[c].to_pylist() for c in ("seq", "id", "event_at")), strict=True):
                (since if self.right is not None and seq > reached else before).append(Event(source, seq, id, event_at))
        newest = sorted(before, key=lambda e: (e.event_at, e.seq), reverse=True)
        return [*sorted(since, key=lambda e: e.seq), *newest][:MOST]

    def explanations(self, only: Collection[str] | None = None) -> dict[str, Event]:
        """In which ways (of ``only`` these) one event explains the value, the least odd first, each with the first event that does."""
        found: dict[str, Event] = {}
        if ITEM in self.row.features or not self.small:
            return found
        ways: dict[str, Callable[[Event], Mapping[str, pa.Table] | None]] = {"was left out": self._without}
        ways |= {f"counted as though it had happened {words}": partial(self._later, by) for by, words in SHIFTS.items()}
        ways["counted, though its time was over"] = self._still
        for words, changed in ways.items():
            if only is None or words in only:
                explained = (event for event in self.events if (tables := changed(event)) is not None and self._explains(tables))
                first = next(explained, None)
                found |= {} if first is None else {words: first}
        return found

    def _explains(self, tables: Mapping[str, pa.Table]) -> bool:
        value = features([self.reading], questions_of(self.model, [self.row]), tables, model=self.model)[self.name][0].as_py()
        served = self.row.features[self.name]
        if served is None or value is None:
            return served is None and value is None
        return bool(served == value)

    def _without(self, event: Event) -> Mapping[str, pa.Table]:
        table = self.tables[event.source]
        return {**self.tables, event.source: table.filter(pc.not_equal(table["seq"], event.seq))}

    def _later(self, by: int, event: Event) -> Mapping[str, pa.Table] | None:
        """As though it had happened so much later; None where that can change nothing."""
        crosses = any(
            min(event.event_at, event.event_at + by) < edge <= max(event.event_at, event.event_at + by) for edge in self._starts(event)
        )
        newest = any(leaf.verb == "latest" for leaf in leaves(self.reading)) and event in self.events[:3]
        return self._at(event, event.event_at + by) if crosses or newest else None

    def _still(self, event: Event) -> Mapping[str, pa.Table] | None:
        """As though it had happened just within its window; None where it did, or there is no window."""
        starts = self._starts(event)
        return self._at(event, min(starts)) if starts and event.event_at < min(starts) else None

    def _starts(self, event: Event) -> list[int]:
        """When the windows begin that read the event's source."""
        windows = [window_of(leaf) for leaf in leaves(self.reading) if leaf.source.name == event.source]
        return [(self.row.moment + w.start) // max(w.hop, 1) * max(w.hop, 1) for w in windows if w.start is not None]

    def _at(self, event: Event, event_at: int) -> Mapping[str, pa.Table] | None:
        if event.event_at <= ALWAYS:
            return None
        table = self.tables[event.source]
        mine = pc.equal(table["seq"], event.seq)
        moved = {"event_at"} | {
            c for leaf in leaves(self.reading) if leaf.source.name == event.source for c in leaf.source.time if c in table.column_names
        }
        for column in sorted(moved):
            at = table.schema.get_field_index(column)
            table = table.set_column(at, column, pc.if_else(mine, pa.scalar(event_at, table.schema.field(at).type), table[column]))
        return {**self.tables, event.source: table}


def _narrowed(model: Model, reading: AnyReading, row: Served, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables as they had been read, of the sources a feature takes rows from only the rows with its keys."""
    cut, question = up_to(tables, row.as_of), questions_of(model, [row])
    taken = [leaf for leaf in leaves(reading) if leaf.verb != "given"]
    for name in {leaf.source.name for leaf in taken}:
        table = cut[name]
        mine = [_with_keys(table, model.keys(leaf), leaf, question) for leaf in taken if leaf.source.name == name]
        if ROW in question.column_names:
            mine.append(pc.equal(table["id"], question[ROW][0]))
        cut[name] = table.filter(pc.and_(pc.less(table["known_at"], question["moment"][0]), reduce(pc.or_, mine)))
    return cut


def _with_keys(table: pa.Table, keys: Sequence[str], leaf: Reading, question: pa.Table) -> pa.ChunkedArray | pa.Array:
    kept = pa.array(np.ones(table.num_rows, dtype=np.bool_))
    for key in keys:
        if key in table.column_names and key in question.column_names and leaf.source.parent_of(key) is None:
            kept = pc.and_(kept, pc.fill_null(pc.equal(as_text(table[key]), as_text(question[key])[0]), False))
    return kept
