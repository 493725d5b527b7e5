"""Online: the same readings as they are now, from state that a fold of the log keeps up to date. One definition, the second reading.

In: requests and a moment that is later than everything folded. Out: the values training would have read at that moment. What no tile
can tell is read by the offline reader over the tables: ``distinct``, ``which``, whatever is inherited or looked up, an extreme that a
correction took away, a moment in the past, and the row asked about itself. Absent: clock; disk only behind the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from everloop.features import finalize, spine
from everloop.features.compile import counted, features, from_floats, put_together, shown
from everloop.features.definition import Window, definition_hash, hashed, nature_of, source_text, window_of
from everloop.features.moments import calendar_parts
from everloop.features.reader import EVENT_COLUMNS
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, calendar, leaves
from everloop.project.source import Source

Value: TypeAlias = int | float | str
Tables: TypeAlias = Mapping[str, pa.Table]

#: The verbs tiles can tell.
TOLD: Final = frozenset({"total", "mean", "lowest", "highest", "count", "any", "none", "latest"})
EXTREMES: Final = frozenset({"lowest", "highest", "latest"})
SEPARATOR: Final = "\x1f"


@dataclass(frozen=True)
class State:
    """What is kept for all readings of one source, its ``where``, keys, column and hop: a tile for each key and hop (0: one for ever)."""

    source: Source
    keys: tuple[str, ...]
    column: str | None
    hop: int

    @cached_property
    def id(self) -> str:
        """The identity of what the tiles mean; an edited definition is a new state beside the old."""
        where = sorted(map(repr, self.source.rows))
        column = None if self.column is None else [self.column, nature_of(self.source, self.column)]
        return hashed([source_text(self.source), where, list(self.keys), column, self.hop])


@dataclass(frozen=True, slots=True)
class Parts:
    """What tiles say of the rows in them: how many, how many with a value, their exact total (decimals times 2**100), the extremes and
    the newest by event time, then id. ``sure`` is false where a correction took an extreme away: then only the log can tell it."""

    rows: int = 0
    n: int = 0
    total: int = 0
    lowest: Value | None = None
    highest: Value | None = None
    last_at: int | None = None
    last_id: str | None = None
    last: Value | None = None
    sure: bool = True


NOTHING: Final = Parts()


class Mark(NamedTuple):
    """How far a state has come: the last sequence number folded into it, and when the newest row in it was known (microseconds)."""

    seq: int
    known_at: int


@runtime_checkable
class OnlineStore(Protocol):
    """Where tiles are kept. The state of a source is the fold of its log: folding a row again changes nothing."""

    def keep(self, states: Iterable[State]) -> None:
        """From now on keep these as well; a new one has come nowhere yet."""

    def mark(self, state: State) -> Mark:
        """How far a state has come. Raises Unknown for one that is not kept."""

    def build(self, states: Sequence[State], rows: pa.Table) -> None:
        """Make states of one source anew from its whole event table."""

    def fold(self, source: str, rows: pa.Table) -> None:
        """Take in the next rows of a source's event table, in the order of ``seq``; those a state already has are skipped."""

    def read(self, state: State, keys: Sequence[str], start: int | None, stop: int | None) -> list[Parts]:
        """For each key (its columns as text, joined by the unit separator) what tiles from ``start`` up to, not including, ``stop`` say."""

    def holds(self, source: str, id: str) -> bool:
        """Whether a row of this id was folded."""

    def forget(self, states: Iterable[State]) -> None:
        """Keep these no longer."""


@dataclass(frozen=True)
class Now:
    """The columns of readings for each request, by name, as in training; which values are there; and how far each source was read."""

    columns: Mapping[str, pa.Array]
    as_of: Mapping[str, int] = field(default_factory=dict)

    def present(self, name: str) -> list[bool]:
        """Whether each request has a value of this reading."""
        return [bool(there) for there in self.columns[name].is_valid().to_pylist()]


def states_of(model: Model, readings: Sequence[AnyReading] | None = None) -> tuple[State, ...]:
    """The states to keep for a model's readings (default: what it knows), each once."""
    single = [leaf for reading in (model.knows if readings is None else readings) for leaf in leaves(reading)]
    return tuple(dict.fromkeys(state for state in (state_of(model, reading) for reading in single) if state is not None))


def state_of(model: Model, reading: Reading) -> State | None:
    """The state that tells a reading; None where no tile can."""
    source = reading.source
    if reading.verb not in TOLD or reading.next is not None or len(source.time) > 1:
        return None
    keys, column = spine.keys_of(model, reading), reading.column
    conditions = [str(getattr(c, "column", None) or getattr(c, "what", "")) for c in source.rows]
    read = [*keys, *conditions, *([] if column is None else [column])]
    if any(source.parent_of(name) is not None for name in read) or any(nature_of(source, key) == "decimal" for key in keys):
        return None
    return State(source, keys, column, window_of(reading).hop)


def now(
    model: Model,
    requests: pa.Table,
    *,
    store: OnlineStore,
    moment: int,
    tables: Callable[[], Tables],
    readings: Sequence[AnyReading] | None = None,
) -> Now:
    """What readings (default: what the model knows) say at one moment, microseconds UTC, for each request.

    ``requests`` has the unit columns, what is given, and ``row`` where the model asks about the rows of a source. ``tables`` gives the
    event tables; it is called only if some value needs them. Raises Unknown as ``features`` does.
    """
    wanted = model.knows if readings is None else tuple(readings)
    at = np.full(requests.num_rows, moment, dtype=np.int64)
    asked = requests.drop_columns([c for c in ("moment",) if c in requests.column_names]).append_column("moment", pa.array(at))
    done: dict[str, pa.Array] = {}
    as_of: dict[str, int] = {}
    left: dict[str, Reading] = {}
    for reading in (leaf for one in wanted for leaf in leaves(one)):
        name = definition_hash(reading)
        told = _told(model, reading, asked, store, moment, as_of)
        if told is None:
            left[name] = reading
        else:
            done[name] = told
    if left:
        read = features([r.named(n) for n, r in left.items()], asked, _tables_for(left.values(), asked, tables), model=model)
        done |= {n: read[n].combine_chunks() for n in left}
    columns: dict[str, pa.Array] = {}
    for one in wanted:
        if isinstance(one, calendar):
            said = calendar_parts(one.parts, at, one.zone or (model.asked.zone if model.asked is not None else None))
            columns |= {name: from_floats(said[part]) for name, part in zip(one.names, one.parts, strict=True)}
        else:
            columns[one.name] = put_together(one, done, requests.num_rows)
    return Now(columns, as_of)


def _tables_for(readings: Iterable[Reading], asked: pa.Table, tables: Callable[[], Tables]) -> Tables:
    said = all(reading.verb == "given" and reading.columns[0] in asked.column_names for reading in readings)
    return {} if said else tables()


def _told(model: Model, reading: Reading, asked: pa.Table, store: OnlineStore, moment: int, as_of: dict[str, int]) -> pa.Array | None:
    """A reading's column from tiles; None where they cannot tell it for every request."""
    state = state_of(model, reading)
    if state is None or not set(state.keys) <= set(asked.column_names):
        return None
    mark = store.mark(state)
    if moment <= mark.known_at:
        return None
    source = reading.source.name
    about_its_own = isinstance(model.per, Source) and model.per.name == source and "row" in asked.column_names
    if about_its_own and any(store.holds(source, str(row)) for row in asked["row"].to_pylist()):
        return None
    keys = keys_of(asked, state.keys)
    there = sorted({key for key in keys if key is not None})
    start, stop = edges(window_of(reading), moment)
    found = dict(zip(there, store.read(state, there, start, stop), strict=True))
    parts = [NOTHING if key is None else found[key] for key in keys]
    if reading.verb in EXTREMES and not all(part.sure for part in parts):
        return None
    as_of[source] = min(mark.seq, as_of.get(source, mark.seq))
    return finished(reading, parts, moment)


def edges(window: Window, moment: int) -> tuple[int | None, int | None]:
    """From which tile on, and up to which, a window reaches at a moment."""
    hop = max(window.hop, 1)
    start = None if window.start is None else (moment + window.start) // hop * hop
    stop = None if window.stop is None else (moment + window.stop) // hop * hop
    return start, stop


def keys_of(asked: pa.Table, columns: Sequence[str]) -> list[str | None]:
    """The key of each request as one text; None where part of it is empty."""
    if not columns:
        return [""] * asked.num_rows
    rows = zip(*(asked[column].to_pylist() for column in columns), strict=True)
    return [None if any(value is None for value in row) else SEPARATOR.join(map(as_key, row)) for row in rows]


def as_key(value: object) -> str:
    """One key value as text: 1 and "1" are one key, yes is 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def finished(reading: Reading, parts: Sequence[Parts], moment: int) -> pa.Array:
    """A reading's column from what tiles say, by the same arithmetic as in training."""
    verb = reading.verb
    if verb in ("count", "any", "none"):
        return from_floats(counted(verb, np.array([part.rows for part in parts], dtype=np.int64)))
    if verb in ("total", "mean"):
        decimal = nature_of(reading.source, reading.columns[0]) == "decimal"
        total = np.array([part.total / (1 << 100) if decimal else float(part.total) for part in parts], dtype=np.float64)
        if verb == "total":
            return from_floats(total)
        return from_floats(finalize.mean_of(total, np.array([part.n for part in parts], dtype=np.int64)))
    held = [part.lowest if verb == "lowest" else part.highest if verb == "highest" else part.last for part in parts]
    nature = nature_of(reading.source, reading.columns[0])
    kind = pa.string() if nature == "words" else pa.float64() if nature == "decimal" else pa.int64()
    return shown(reading, pa.array(held, kind), np.full(len(parts), moment, dtype=np.int64))


def catch_up(store: OnlineStore, states: Iterable[State], tables: Tables) -> None:
    """Bring states up to the event tables: a new one is built in bulk, the others take in what came since. Twice is once."""
    late: dict[str, int] = {}
    new: dict[str, list[State]] = {}
    for state in states:
        table, mark = tables[state.source.name], store.mark(state)
        if mark.seq == 0 and table.num_rows:
            new.setdefault(state.source.name, []).append(state)
        else:
            late[state.source.name] = min(mark.seq, late.get(state.source.name, mark.seq))
    for source, several in new.items():
        store.build(several, tables[source])
    for source, seq in late.items():
        rows = tables[source]
        newer = rows.filter(pa.array(np.asarray(rows["seq"].to_numpy(), dtype=np.int64) > seq))
        if newer.num_rows:
            store.fold(source, newer)


def merged(left: Parts, right: Parts) -> Parts:
    """What two tiles say together."""
    newer = right if left.last_at is None or (right.last_at is not None and newest(right) >= newest(left)) else left
    return Parts(
        rows=left.rows + right.rows,
        n=left.n + right.n,
        total=left.total + right.total,
        lowest=_least(left.lowest, right.lowest),
        highest=_most(left.highest, right.highest),
        last_at=newer.last_at,
        last_id=newer.last_id,
        last=newer.last,
        sure=left.sure and right.sure,
    )


def newest(part: Parts) -> tuple[int, str]:
    """By what the newest row of a tile is the newest."""
    return part.last_at if part.last_at is not None else -(2**63), part.last_id or ""


def one_row(value: Value | None, event_at: int, id: str) -> Parts:
    """What a tile with this one row in it would say.

    >>> one_row(0.5, 7, "a").total == 2**99, one_row(None, 7, "a").n
    (True, 0)
    """
    if value is None:
        return Parts(rows=1, last_at=event_at, last_id=id)
    if isinstance(value, str):
        return Parts(rows=1, n=1, last_at=event_at, last_id=id, last=value)
    if isinstance(value, float):
        split = finalize.split_decimal(value)
        total, n = (0, 0) if split is None else ((split[0] << 80) + split[1], 1)
    else:
        total, n = value, 1
    return Parts(rows=1, n=n, total=total, lowest=value, highest=value, last_at=event_at, last_id=id, last=value)


def exchanged(tile: Parts, old: Parts, new: Parts) -> Parts:
    """What a tile says when one row in it is taken out and another put in (``NOTHING``: none); unsure of an extreme that nobody can tell.

    >>> five, six = one_row(5, 0, "a"), one_row(6, 1, "b")
    >>> exchanged(merged(five, six), six, one_row(7, 1, "b")).sure, exchanged(merged(five, six), six, NOTHING).sure
    (True, False)
    """
    if tile.rows == old.rows:
        return new
    sure = tile.sure
    if old.lowest is not None:
        sure &= old.lowest != tile.lowest or (new.lowest is not None and _least(new.lowest, old.lowest) == new.lowest)
        sure &= old.highest != tile.highest or (new.highest is not None and _most(new.highest, old.highest) == new.highest)
    if old.rows:
        sure &= newest(old) != newest(tile) or (new.rows > 0 and newest(new) >= newest(old))
    left = replace(tile, rows=tile.rows - old.rows, n=tile.n - old.n, total=tile.total - old.total, sure=sure)
    return merged(left, new) if new.rows else left


def _least(a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else min(a, b)


def _most(a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else max(a, b)


def own_columns(states: Iterable[State]) -> tuple[str, ...]:
    """The columns of a row that these states read, in a stable order."""
    read: dict[str, None] = {}
    for state in states:
        read |= dict.fromkeys(state.keys)
        read |= dict.fromkeys(str(getattr(c, "column", None) or getattr(c, "what", "")) for c in state.source.rows)
        read |= dict.fromkeys(() if state.column is None else (state.column,))
    return tuple(sorted(column for column in read if column not in EVENT_COLUMNS))
