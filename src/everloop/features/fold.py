"""Fold: rows of an event table become changes of states, one after the other. In: rows and a store to read from. Out: ``Changes``.

Folding is idempotent: what a state, a key or a row has already is skipped, so that rows may be told again after a kill. A correction or a
deletion takes out exactly what the version before put in; where that was an extreme or the newest row, the tile is made anew from its
other rows at once. Absent: clock; disk only behind the store.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from everloop.errors import Unknown
from everloop.features.definition import condition_column, nature_of
from everloop.features.packed import BEFORE, NUMBERS, ROWS, Block, Shape, Tile, Value, decode, decoder, encode, read, shapes
from everloop.features.states import State
from everloop.features.store import Changes, Mark, Member, Members, OnlineStore, Packed
from everloop.project.conditions import RowCondition, always, at_least, at_most, one_of
from everloop.project.source import Source

SEPARATOR: Final = "\x1f"
#: Earlier than whatever is known: how far a state has come that has taken in nothing.
NEVER: Final = -(2**63)
TOLD: Final = ("seq", "id", "version", "event_at", "known_at", "deleted")
#: A row as it is kept: seq, version, event_at, its key, and the values of its state's columns; None and no values where it does not count.
Held: TypeAlias = list[Any]
SEQ, VERSION, EVENT_AT, KEY, VALUES = range(5)
_seq: Final = itemgetter(0)


class Rows(Protocol):
    """A few rows of an event table, each a tuple in the order of its schema."""

    @property
    def schema(self) -> pa.Schema:
        """What stands in them."""

    @property
    def rows(self) -> Sequence[tuple[Any, ...]]:
        """The rows."""


#: Rows of an event table, in whichever form they are there.
Told: TypeAlias = pa.Table | Rows | Sequence[Mapping[str, object]]


def fold(store: OnlineStore, states: Sequence[State], rows: Told) -> tuple[State, ...]:
    """Take the next rows of one source into states of it; gives those states that lack rows before these and were left as they are.

    To fold again and again, make ``Fold(states)`` once.
    """
    return Fold(states).take_in(store, rows)


class Fold:
    """How rows of one source change its states; made once.

    Raises Unknown for states whose conditions cannot be told.
    """

    def __init__(self, states: Sequence[State]) -> None:
        if len({state.source.name for state in states}) != 1:
            raise ValueError("The states that are folded together are those of one source.")
        self.states = tuple(states)
        source = states[0].source
        read = [*(k for s in states for k in s.keys), *(c for s in states for c in s.columns)]
        read += [condition_column(c) for s in states for c in s.source.rows]
        own = tuple(dict.fromkeys(read))
        self._source, self._columns = source.name, tuple(dict.fromkeys((*TOLD, *own)))
        self._there: tuple[tuple[str, ...], tuple[int, ...]] = (), ()
        self._of_record: Callable[[Mapping[str, object]], tuple[Any, ...]] = itemgetter(*self._columns)
        self._own = [(self._columns.index(column), held_as(source, column)) for column in own]
        self._of_states = [_OfState(state, own) for state in states]

    def take_in(self, store: OnlineStore, rows: Told) -> tuple[State, ...]:
        """Fold the next rows, in the order of ``seq``, and put what changes. Gives the states that were left as they are: those that are
        not kept, or lack rows before these. Raises Unknown for a column that is not there."""
        events = self._events(rows)
        if not events:
            return ()
        values = [[as_held(event[at]) for at, as_held in self._own] for event in events]
        mark = Mark(events[-1][0], max(event[4] for event in events))
        made = [(one, one.changes(store, events, values, mark)) for one in self._of_states]
        whole = [changes for _, changes in made if changes is not None]
        if whole:
            store.put(joined(whole))
        return tuple(one.state for one, changes in made if changes is None)

    def _events(self, rows: Told) -> list[tuple[Any, ...]]:
        if isinstance(rows, pa.Table):
            places = self._places(tuple(rows.schema.names))
            found = list(zip(*(rows.column(at).to_pylist() for at in places), strict=True))
        elif not isinstance(rows, Sequence):
            found = list(map(itemgetter(*self._places(tuple(rows.schema.names))), rows.rows))
        else:
            try:
                found = list(map(self._of_record, rows))
            except KeyError as error:
                raise Unknown("column", error.args[0], tuple(rows[0]), where=f"the rows of {self._source}") from None
        return sorted(found, key=_seq) if len(found) > 1 else found

    def _places(self, names: tuple[str, ...]) -> tuple[int, ...]:
        if names != self._there[0]:
            if missing := [column for column in self._columns if column not in names]:
                raise Unknown("column", missing[0], names, where=f"the rows of {self._source}")
            self._there = names, tuple(names.index(column) for column in self._columns)
        return self._there[1]


def joined(several: Sequence[Changes]) -> Changes:
    """Changes of different states as one."""
    if len(several) == 1:
        return several[0]
    made = Changes({}, {}, {}, {})
    for changes in several:
        for mine, more in zip(vars(made).values(), vars(changes).values(), strict=True):
            mine.update(more)
    return made


class _OfState:
    """One state of a fold: where it finds its own among the values of a row, and how its tiles are laid out."""

    def __init__(self, state: State, columns: tuple[str, ...]) -> None:
        self.state, self.shapes = state, shapes(state)
        parts = [shape.kept.parts for shape in self.shapes]
        self.different = [shape for i, shape in enumerate(self.shapes) if parts.index(parts[i]) == i]
        self.alike = [next(i for i, one in enumerate(self.different) if one.kept.parts == shape) for shape in parts]
        self.decode = decoder(state)
        self._keys = [columns.index(key) for key in state.keys]
        self._values = [columns.index(column) for column in state.columns]
        self._meets = [(columns.index(condition_column(c)), meets(state.source, c)) for c in state.source.rows]

    def key(self, deleted: bool, values: Sequence[Any]) -> str | None:
        """The key a row counts for; None for one that does not count."""
        if deleted or not all(met(values[at]) for at, met in self._meets):
            return None
        found = [values[at] for at in self._keys]
        if None in found:
            return None
        return SEPARATOR.join([value if value.__class__ is str else as_key(value) for value in found])

    def ones(self, id: str, row: Held) -> list[Tile]:
        """What a tile with only this row in it would say, for each block; blocks of the same parts share it."""
        at, values = row[EVENT_AT], row[VALUES:]
        return [shape.one(at, id, values) for shape in self.different]

    def changes(self, store: OnlineStore, events: Sequence[tuple[Any, ...]], values: Sequence[Sequence[Any]], to: Mark) -> Changes | None:
        """What these rows change; None where the state lacks rows before them."""
        name = self.state.id
        ids = list({event[1]: None for event in events})
        had = {id: None if body is None else decode(body) for id, body in zip(ids, store.rows(name, ids), strict=True)}
        held, steps = had.copy(), []
        keys: dict[str, None] = {}
        for event, row in zip(events, values, strict=True):
            seq, id, version, event_at = event[:4]
            before = held[id]
            if before is not None:
                if before[SEQ] >= seq or before[VERSION] > version:
                    continue
                if before[KEY] is not None:
                    keys[before[KEY]] = None
            key = self.key(event[5], row)
            if key is not None:
                keys[key] = None
            after = held[id] = [seq, version, event_at, key, *[row[at] for at in self._values if key is not None]]
            steps.append((seq, id, before, after))
        seen = store.read([name], [(name, key) for key in keys])
        mark = seen.marks[0]
        if mark is None or mark.seq + 1 < events[0][0]:
            return None
        to = Mark(max(to.seq, mark.seq), max(to.known_at, mark.known_at))
        firsts = [shape.first(to.known_at) for shape in self.shapes]
        touched = {key: _Key(self, store, key, body, firsts) for key, body in zip(keys, seen.packed, strict=True)}
        for step in steps:
            if step[0] > mark.seq:
                _step(touched, *step)
        changed = {(name, key): one for key, one in touched.items() if one.changed}
        since = None if self.state.reach is None else to.known_at - self.state.reach
        # One that does not count must be known too: a version lower than it may come later.
        rows = {(name, id): Packed(row[SEQ], encode(row)) for id, row in held.items() if row is not None and row is not had[id]}
        return Changes(
            packed={place: Packed(one.row[0], encode(one.row)) for place, one in changed.items()},
            members={place: one.members(since) for place, one in changed.items()} if self.state.has_members else {},
            rows=rows,
            marks={name: to},
        )


def _step(touched: Mapping[str, _Key], seq: int, id: str, before: Held | None, after: Held) -> None:
    was, now = None if before is None else before[KEY], after[KEY]
    if was is not None and was != now:
        touched[was].change(seq, id, before, None)
    if now is not None:
        touched[now].change(seq, id, before if was == now else None, after)


class _Key:
    """A key's packed row while rows are folded into it."""

    def __init__(self, of: _OfState, store: OnlineStore, key: str, body: bytes | None, firsts: Sequence[int | None]) -> None:
        self._of, self._store, self._key = of, store, key
        self.row: list[Any] = [-1, *(shape.empty() for shape in of.shapes)] if body is None else of.decode(body)
        self._blocks = tuple(zip(of.shapes, of.alike, self.row[1:], firsts, strict=True))
        self.changed = self._trimmed = False
        self._lost: set[Member] = set()
        self._gained: set[Member] = set()
        # Rows as they are at this step, where a step has touched them.
        self._now: dict[str, Held | None] = {}

    def change(self, seq: int, id: str, old: Held | None, new: Held | None) -> None:
        """Take a row's older version out and put the newer one in, unless that was done before."""
        self._now[id] = new
        if self.row[0] >= seq:
            return
        if not self.changed:
            for shape, _, block, first in self._blocks:
                self._trimmed |= shape.trim(block, first)
        self.row[0], self.changed = seq, True
        if self._of.state.has_members:
            self._note(id, old, new)
        olds = None if old is None else self._of.ones(id, old)
        news = None if new is None else self._of.ones(id, new)
        for shape, alike, block, first in self._blocks:
            was = None if old is None else shape.number(old[EVENT_AT])
            now = None if new is None else shape.number(new[EVENT_AT])
            if was is not None and was != now:
                self._at(shape, block, first, was, olds[alike], None)  # type: ignore[index]
            if now is not None:
                self._at(shape, block, first, now, olds[alike] if olds and was == now else None, news[alike])  # type: ignore[index]

    def members(self, since: int | None) -> Members:
        """Which rows the key has lost and gained."""
        gained = self._gained if since is None else {member for member in self._gained if member[0] >= since}
        return Members(frozenset(self._lost - self._gained), frozenset(gained), since if self._trimmed else None)

    def _note(self, id: str, old: Held | None, new: Held | None) -> None:
        if old is not None:
            self._gained.discard((old[EVENT_AT], id))
            self._lost.add((old[EVENT_AT], id))
        if new is not None:
            self._gained.add((new[EVENT_AT], id))

    def _at(self, shape: Shape, block: Block, first: int | None, number: int, old: Tile | None, new: Tile | None) -> None:
        """Change one tile of a block."""
        if first is not None and number < first:
            block[BEFORE] += (new is not None) - (old is not None)
            return
        numbers = block[NUMBERS]
        at = len(numbers) if not numbers or numbers[-1] < number else bisect_left(numbers, number)
        if at == len(numbers) or numbers[at] != number:
            for column, said in zip(block[NUMBERS:], (number, *(new or ())), strict=True):
                column.insert(at, said)
            return
        columns = block[ROWS:]
        if old is not None and columns[0][at] == 1:
            if new is None:
                for column in block[NUMBERS:]:
                    del column[at]
                return
            tile = new
        else:
            tile = [read(column[at]) for column in columns]
            sure = old is None or shape.take_out(tile, old, new)
            if new is not None:
                shape.put_in(tile, new)
            if not sure:
                tile = self._anew(shape, number)
        for column, said in zip(columns, tile, strict=True):
            column[at] = said

    def _anew(self, shape: Shape, number: int) -> Tile:
        """What a tile says, from the rows in it."""
        start, stop = (number * shape.hop, (number + 1) * shape.hop) if shape.hop else (None, None)
        name = self._of.state.id
        ids = dict.fromkeys(self._store.members(name, self._key, start, stop)) | dict.fromkeys(id for _, id in self._gained)
        unread = [id for id in ids if id not in self._now]
        rows = {id: None if body is None else decode(body) for id, body in zip(unread, self._store.rows(name, unread), strict=True)}
        rows |= {id: self._now[id] for id in ids if id in self._now}
        made: Tile | None = None
        for id, row in rows.items():
            if row is None or row[KEY] != self._key or shape.number(row[EVENT_AT]) != number:
                continue
            one = shape.one(row[EVENT_AT], id, row[VALUES:])
            if made is None:
                made = one
            else:
                shape.put_in(made, one)
        if made is None:
            raise ValueError(f"The rows of {self._key!r} in the state of {self._of.state.source.called} are gone; make the state anew.")
        return made


def as_key(value: object) -> str:
    """One key value as text: 1 and "1" are one key, yes is 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def held_as(source: Source, column: str) -> Callable[[Any], Value | None]:
    """How a column's values are held while read: what is not finite is empty, minus zero is zero, instants are microseconds."""
    return _HELD[nature_of(source, column)]


def _words(value: Any) -> str | None:
    return value if value is None or value.__class__ is str else as_key(value)


def _decimal(value: Any) -> float | None:
    # Infinities and NaN alone are not equal to themselves when taken from themselves.
    return None if value is None or value - value != 0 else float(value) + 0.0


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _instant(value: Any) -> int | None:
    return value if value is None or value.__class__ is int else int(np.datetime64(value, "us").astype(np.int64))


_HELD: Final[dict[str, Callable[[Any], Value | None]]] = {
    "words": _words, "decimal": _decimal, "whole": _whole, "flag": _whole, "instant": _instant,
}  # fmt: skip


def meets(source: Source, condition: RowCondition) -> Callable[[Any], bool]:
    """Whether a held value meets a row condition; what is empty meets none."""
    if isinstance(condition, always):
        return lambda value: value is not None
    if isinstance(condition, at_least | at_most):
        held = _compared(source, condition, (condition.value,))
        bound = held(condition.value)
        if isinstance(condition, at_least):
            return lambda value: value is not None and held(value) >= bound
        return lambda value: value is not None and held(value) <= bound
    if isinstance(condition, one_of):
        words = nature_of(source, condition_column(condition)) == "words"
        if words:
            return lambda value, wanted=frozenset(map(str, condition.values)): value in wanted
        one = _compared(source, condition, condition.values)
        return lambda value, wanted=tuple(map(one, condition.values)): value is not None and one(value) in wanted
    raise Unknown("row condition", repr(condition), ("always", "at_least", "at_most", "one_of"))


def _compared(source: Source, condition: RowCondition, bounds: Iterable[Any]) -> Callable[[Any], Any]:
    """As what the engine compares numbers: where either side is a decimal, both are."""
    decimal = nature_of(source, condition_column(condition)) == "decimal" or any(isinstance(bound, float) for bound in bounds)
    return float if decimal else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
