"""Online: the same readings as they are now, from state that a fold of the log keeps up to date. One definition, the second reading.

In: requests and a moment that is later than everything folded. Out: the values training would have read at that moment, whether each is
there, and how far each source was read. What no state can tell is read by the offline reader over the tables: what is inherited or looked
up, a moment in the past, and the row asked about itself. Absent: clock; disk only behind the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from everloop.errors import Unknown
from everloop.features import finalize
from everloop.features.build import build
from everloop.features.compile import features
from everloop.features.definition import definition_hash, nature_of
from everloop.features.fold import Fold
from everloop.features.moments import calendar_parts
from everloop.features.packed import decode
from everloop.features.plan import EXPIRED, MISSING, PRESENT, Piece, Plan, Status, Told, tell
from everloop.features.requests import Requests, shown_together
from everloop.features.states import State, states_of
from everloop.features.steady import Steady, is_steady
from everloop.features.store import Mark, OnlineStore
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar, column_names, leaves
from everloop.project.source import Source

Tables: TypeAlias = Mapping[str, pa.Table]
Ask: TypeAlias = Callable[[], Tables]
#: So many kinds of requests are remembered.
ROUTES: Final = 64
#: One value from the slots of a request, at a moment.
Make: TypeAlias = Callable[[Sequence[Told], int], Told]


@dataclass(frozen=True, slots=True)
class Answer:
    """What readings say of each request: a value for each of ``names`` and its status, and how far each source was read."""

    names: tuple[str, ...]
    values: list[list[Told]]
    statuses: list[Sequence[Status]]
    as_of: Mapping[str, Mark]


@dataclass(frozen=True)
class Now:
    """The columns of readings for each request, by name, as in training; their statuses; and how far each source was read."""

    columns: Mapping[str, pa.Array]
    as_of: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, list[Status]] = field(default_factory=dict)

    def present(self, name: str) -> list[bool]:
        """Whether each request has a value of this reading."""
        return [status == PRESENT for status in self.statuses[name]]


class _Slots(NamedTuple):
    """For each request a value of each single reading, and which slots hold one that has passed; and how far sources were read."""

    values: list[list[Told]]
    passed: list[set[int] | None]
    as_of: dict[str, Mark]


class _Route(NamedTuple):
    """Which pieces of a plan requests with some names can be told from, which not, and by which states and keys."""

    pieces: tuple[Piece, ...]
    left: tuple[Piece, ...]
    states: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]


class Online:
    """Readings of one model (default: what it knows), ready to be read at any moment; made once, safe between threads.

    ``states``: those that are kept, where several models share them (default: the states of these readings). ``names`` are the columns,
    ``definitions`` the hash of the reading of each.
    """

    def __init__(self, model: Model, readings: Sequence[AnyReading] | None = None, states: Iterable[State] | None = None) -> None:
        self.model, self.readings = model, tuple(model.knows if readings is None else readings)
        self.plan = Plan(model, self.readings, states_of(model, self.readings) if states is None else states)
        self.names = tuple(name for reading in self.readings for name in column_names(reading))
        self.definitions = tuple(definition_hash(reading) for reading in self.readings for _ in column_names(reading))
        slots = self.plan.slots
        # Where every reading is a single one and none comes twice, the slots are the values.
        self._plain = all(isinstance(r, Reading) for r in self.readings) and len(slots) == len(self.readings)
        self._makes = tuple(make for reading in self.readings for make in makes(reading, slots, _zone(model)))
        of = [{slots[definition_hash(leaf)] for leaf in leaves(reading)} for reading in self.readings for _ in column_names(reading)]
        self._slots_of = tuple(of)
        self._all_present: tuple[Status, ...] = (PRESENT,) * len(self.names)
        self._routes: dict[tuple[str, ...], _Route] = {}
        by_slot = dict(enumerate(leaf for _, leaf in self.plan.leaves))
        steady = [piece for piece in self.plan.pieces if all(is_steady(by_slot[slot]) for slot, _ in piece.empty)]
        self._steady = {piece.state.id: Steady(piece) for piece in steady}
        self._about = model.per.name if isinstance(model.per, Source) else None
        given = {self.plan.slots[name]: reading for name, reading in self.plan.others.items() if reading.verb == "given"}
        # Where a request says everything itself: what shows each slot, in order.
        self._shows = shown_together([given[slot] for slot in sorted(given)]) if len(given) == len(self.plan.leaves) else None

    def read(self, store: OnlineStore, requests: Sequence[Mapping[str, object]], moment: int, *, tables: Ask | None = None) -> Answer:
        """What the readings say of each request at a moment, microseconds UTC.

        A request has the unit columns, what is given, and ``row`` where the model asks about the rows of a source; all requests have the
        same names. ``tables`` gives the event tables; it is called only if some value needs them. Raises Unknown for a state that is not
        kept, and where tables are needed and not given.
        """
        return self._answer(store, Requests(requests), moment, tables)

    def given(self, request: Mapping[str, object], moment: int) -> list[Told] | None:
        """What the readings say of one request where it says all of them itself, as ``read`` tells it; None where it does not."""
        if self._shows is None:
            return None
        try:
            row = self._shows(request, moment)
        except KeyError:
            return None
        return row if self._plain else [make(row, moment) for make in self._makes]

    def now(self, store: OnlineStore, requests: pa.Table, moment: int, *, tables: Ask | None = None) -> Now:
        """As ``read``, of a table of requests, as the columns of a training table."""
        said = self._answer(store, Requests(requests), moment, tables)
        kinds = [kind for reading in self.readings for kind in _kinds(reading)]
        return Now(
            {name: pa.array([row[i] for row in said.values], kinds[i]) for i, name in enumerate(self.names)},
            {source: mark.seq for source, mark in said.as_of.items()},
            {name: [row[i] for row in said.statuses] for i, name in enumerate(self.names)},
        )

    def _answer(self, store: OnlineStore, asked: Requests, moment: int, tables: Ask | None) -> Answer:
        slots = self._read(store, asked, moment, tables)
        values = slots.values if self._plain else [[make(row, moment) for make in self._makes] for row in slots.values]
        statuses = [self._statuses(row, passed) for row, passed in zip(values, slots.passed, strict=True)]
        return Answer(self.names, values, statuses, slots.as_of)

    def _statuses(self, row: Sequence[Told], passed: set[int] | None) -> Sequence[Status]:
        if None not in row:
            return self._all_present
        if not passed:
            return [MISSING if value is None else PRESENT for value in row]
        told = zip(row, self._slots_of, strict=True)
        return [PRESENT if value is not None else MISSING if of.isdisjoint(passed) else EXPIRED for value, of in told]

    def _read(self, store: OnlineStore, asked: Requests, moment: int, tables: Ask | None) -> _Slots:
        width = len(self.plan.leaves)
        slots = _Slots([[None] * width for _ in range(asked.rows)], [None] * asked.rows, {})
        left = dict(self.plan.others)
        if asked.rows:
            for piece in self._told(store, asked, moment, slots):
                left |= {self.plan.leaves[slot][0]: self.plan.leaves[slot][1] for slot, _ in piece.empty}
            if left:
                self._rest(left, asked, moment, tables, slots)
        return slots

    def _told(self, store: OnlineStore, asked: Requests, moment: int, slots: _Slots) -> Sequence[Piece]:
        """Tell what states can; gives the pieces they cannot."""
        route = self._routes.get(asked.names) or self._routed(asked)
        keys = [asked.keys(columns) for columns in route.columns]
        seen = store.read(route.states, [(name, key) for name, of in zip(route.states, keys, strict=True) for key in of if key is not None])
        left, bodies, values = list(route.left), iter(seen.packed), slots.values
        for piece, mark, of in zip(route.pieces, seen.marks, keys, strict=True):
            if mark is None:
                raise Unknown("online state of", piece.state.source.called, next="Make it first: catch_up(store, states, tables).")
            source = piece.state.source.name
            if moment <= mark.known_at or (self._about == source and self._is_own(store, piece.state, asked)):
                left.append(piece)
                skipped = len(of) - of.count(None)
                next(islice(bodies, skipped, skipped), None)
                continue
            known = slots.as_of.get(source)
            slots.as_of[source] = mark if known is None or mark < known else known
            told = self._steady[piece.state.id].tell if piece.state.id in self._steady else tell
            for i, key in enumerate(of):
                passed = told(piece, None if key is None else next(bodies), moment, values[i])
                if passed:
                    slots.passed[i] = passed | (slots.passed[i] or set())
        return left

    def _routed(self, asked: Requests) -> _Route:
        """What requests with these names can be told from states; remembered, since all requests at one door have the same names."""
        pieces = tuple(piece for piece in self.plan.pieces if asked.has(piece.state.keys))
        left = tuple(piece for piece in self.plan.pieces if not asked.has(piece.state.keys))
        route = _Route(pieces, left, tuple(piece.state.id for piece in pieces), tuple(piece.state.keys for piece in pieces))
        if len(self._routes) < ROUTES:
            self._routes[asked.names] = route
        return route

    def _is_own(self, store: OnlineStore, state: State, asked: Requests) -> bool:
        """Whether a state has a row that is asked about, which must not count in what is known of it."""
        if not asked.has(("row",)):
            return False
        held = store.rows(state.id, [row for row in asked.keys(("row",)) if row is not None])
        return any(row is not None and decode(row)[3] is not None for row in held)

    def _rest(self, left: Mapping[str, Reading], asked: Requests, moment: int, tables: Ask | None, slots: _Slots) -> None:
        """What requests say themselves, and what only the tables can tell."""
        unsaid: dict[str, Reading] = {}
        for name, reading in left.items():
            if reading.verb == "given" and asked.has(reading.columns):
                for row, value in zip(slots.values, asked.given(reading, moment), strict=True):
                    row[self.plan.slots[name]] = value
            else:
                unsaid[name] = reading
        if not unsaid:
            return
        if tables is None:
            raise Unknown("online state that tells", ", ".join(r.name for r in unsaid.values()), next="Give tables= as well.")
        wanted = [reading.named(f"r{name}") for name, reading in unsaid.items()]
        read = features(wanted, asked.table(moment), tables(), model=self.model)
        for name in unsaid:
            for row, value in zip(slots.values, read[f"r{name}"].to_pylist(), strict=True):
                row[self.plan.slots[name]] = value


def catch_up(store: OnlineStore, states: Iterable[State], tables: Tables) -> None:
    """Bring states up to the event tables: a new one is built in bulk, the others take in what came since. Twice is once."""
    marks = store.marks()
    groups: dict[str, list[State]] = {}
    for state in states:
        groups.setdefault(state.source.name, []).append(state)
    for source, several in groups.items():
        kept, rows = [state for state in several if state.id in marks], tables[source]
        new = [state for state in several if state.id not in marks]
        if kept:
            after = min(marks[state.id].seq for state in kept)
            newer = rows.filter(pa.array(np.asarray(rows["seq"].to_numpy(), dtype=np.int64) > after))
            new += Fold(kept).take_in(store, newer)
        build(store, new, rows)


def has_rows(body: bytes | None) -> bool:
    """Whether a packed row tells of any row at all."""
    return body is not None and any(block[0] or block[1] for block in decode(body)[1:])


def makes(reading: AnyReading | float, slots: Mapping[str, int], zone: str | None) -> list[Make]:
    """How the columns of a reading are made from the values of single readings."""
    if isinstance(reading, Reading):
        slot = slots[definition_hash(reading)]
        return [lambda row, moment: row[slot]]
    if isinstance(reading, Arithmetic):
        sign, (left, right) = reading.operator, (makes(side, slots, zone)[0] for side in (reading.left, reading.right))
        return [lambda row, moment: finalize.one_reckoned(sign, _number(left(row, moment)), _number(right(row, moment)))]
    if isinstance(reading, calendar):
        words = (tuple(reading.parts), reading.zone or zone, reading.holidays)
        return [lambda row, moment, part=part: _calendar(*words, moment)[part] for part in reading.parts]
    value = float(reading)
    return [lambda row, moment: value]


@lru_cache(maxsize=64)
def _calendar(parts: tuple[str, ...], zone: str | None, holidays: str | None, moment: int) -> dict[str, float]:
    said = calendar_parts(parts, np.array([moment], dtype=np.int64), zone, holidays)
    return {part: float(values[0]) for part, values in said.items()}


def _number(value: Told) -> float | None:
    if value is None or isinstance(value, float):
        return value
    raise ValueError(f"Only numbers can be reckoned with, not {value!r}.")


def _kinds(reading: AnyReading) -> list[pa.DataType]:
    if not isinstance(reading, Reading):
        return [pa.float64()] * len(column_names(reading))
    if reading.verb == "which":
        return [pa.list_(pa.string())]
    shows = reading.verb in ("lowest", "highest", "latest", "given", "planned") and reading.columns
    worded = shows and nature_of(reading.source, reading.columns[0]) == "words"
    return [pa.string() if worded else pa.float64()]


def _zone(model: Model) -> str | None:
    return model.asked.zone if model.asked is not None else None
