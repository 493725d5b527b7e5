"""Shortlists: the candidates of a list as they are now, and what is known of each, from state that a fold of the log keeps up to date.

In: requests, a moment, the lists that belong to nobody. Out: the table ``as_of.featured`` would give. What is everybody's (``per=()``) is
not kept in tiles, since every row would change all of it: whoever asks brings it (``shared_lists`` reads it from the tables). Absent:
clock; disk only behind the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from everloop.clock import from_microseconds
from everloop.features.as_of import featured
from everloop.features.candidates import EVERYTHING, candidate_readings
from everloop.features.compile import features
from everloop.features.definition import nature_of
from everloop.features.holds import all_hold
from everloop.features.online import Online, Tables
from everloop.features.plan import Told
from everloop.features.questions import about_candidates, of_units, unit_text
from everloop.features.reader import Reader
from everloop.features.spine import Spine
from everloop.features.states import State
from everloop.features.store import Mark, OnlineStore
from everloop.project.conditions import at_least, at_most, one_of
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading, column_names, leaves
from everloop.project.resolve import candidate_column

Lists = Sequence[Sequence[str]]


def online_readings(model: Model) -> tuple[AnyReading, ...]:
    """Every reading whose state must be kept so that a model's lists can be told: candidates, what is known of them, their conditions."""
    past = model.baseline_reading
    mine = [reading for reading in candidate_readings(model) if not _is_shared(reading)]
    made = (*mine, *model.knows, *_lookups(model).values(), *chain.from_iterable(map(_readings, _conditions(model))))
    return (*made, past) if isinstance(past, Reading | Arithmetic) and not _is_shared(past) else made


def shared_lists(model: Model, tables: Tables, moment: int) -> list[list[str]]:
    """The candidates that belong to nobody at a moment, microseconds UTC: a list for each ``per=()`` among them."""
    shared = [r.named(f"c{i}") for i, r in enumerate(candidate_readings(model)) if _is_shared(r)]
    if not shared:
        return []
    asked = pa.table({"moment": pa.array([moment], pa.int64()), **{name: pa.array([None], pa.string()) for name in model.unit}})
    return [column.to_pylist()[0] for column in features(shared, asked, tables, model=model).columns]


class Shortlists:
    """The lists of one model, ready to be read at any moment; made once, safe between threads. ``states``: those that are kept."""

    def __init__(self, model: Model, states: Sequence[State]) -> None:
        self.model, self.column = model, str(candidate_column(model))
        past = model.baseline_reading
        mine = [reading for reading in candidate_readings(model) if not _is_shared(reading)]
        self._words = _conditions(model)
        asked = dict.fromkeys([*model.knows, *chain.from_iterable(map(_readings, self._words))])
        of_unit = [reading for reading in asked if self.column not in _keys(model, reading)]
        of_item = [reading for reading in asked if self.column in _keys(model, reading)]
        self._past = past if isinstance(past, Reading) else None
        # Rules first, then the first so many of it.
        whole = [replace(self._past, most=EVERYTHING)] if self._past is not None else []
        self._lists = Online(model, [r.named(f"c{i}") for i, r in enumerate([*mine, *whole])], states)
        self._mine = len(mine)
        self._lookups = _lookups(model)
        self._looked = Online(model, list(self._lookups.values()), states) if self._lookups else None
        self._unit = Online(model, of_unit, states) if of_unit else None
        self._item = Online(model, of_item, states) if of_item else None
        self.online = [online for online in (self._lists, self._looked, self._unit, self._item) if online is not None]
        #: What no state tells would have to be read from the tables, request by request.
        self.able = all(not online.plan.others for online in self.online)

    @property
    def pieces(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """The states in use: their ids, their sources' names and their keys."""
        found = {p.state.id: (p.state.id, p.state.source.name, p.state.keys) for online in self.online for p in online.plan.pieces}
        return list(found.values())

    @property
    def has_rules(self) -> bool:
        """Whether anything is asked of a candidate."""
        return bool(self._words)

    def now(
        self, store: OnlineStore, requests: pa.Table, moment: int, shared: Lists, carts: Sequence[Sequence[str]] = ()
    ) -> tuple[pa.Table, dict[str, Mark]]:
        """A row for each request and candidate, by request, then item, and how far each source was read. What lies in a request's cart is
        no candidate of it. ``moment`` in microseconds UTC."""
        asked, as_of = of_units(self.model, requests, from_microseconds(moment)), dict[str, Mark]()
        parts: list[pa.Table] = []
        units = asked.select(list(self.model.unit)).to_pylist()
        listed = self._lists.read(store, units, moment)
        as_of |= listed.as_of
        for at, unit in enumerate(units):
            own = listed.values[at]
            cart = set(carts[at]) if carts else set()
            items = sorted({str(item) for some in (*own[: self._mine], *shared) for item in some or ()} - cart)  # type: ignore[union-attr]
            past = own[self._mine] if self._past is not None else None
            parts.append(self._rows(store, asked.slice(at, 1), unit, items, past, moment, as_of))
        return pa.concat_tables(parts), as_of

    def among(self, store: OnlineStore, items: Sequence[str], moment: int) -> list[str]:
        """Those items of which the conditions on a candidate hold, in their order. Conditions that need a customer hold for nobody."""
        if not self._words or not items:
            return list(items)
        rows: list[dict[str, object]] = [{**dict.fromkeys(self.model.unit), self.column: item} for item in items]
        values, _ = self._known(store, rows, moment, {})
        return [item for item, row in zip(items, values, strict=True) if all(_holds(word, row) for word in self._words)]

    def _rows(
        self, store: OnlineStore, asked: pa.Table, unit: Mapping[str, object], items: list[str], past: Told, moment: int,
        as_of: dict[str, Mark],
    ) -> pa.Table:  # fmt: skip
        rows: list[dict[str, object]] = [{**unit, self.column: item} for item in items]
        values, read = self._known(store, rows, moment, unit)
        for source, mark in read.items():
            as_of[source] = max(as_of.get(source, mark), mark)
        kept = [at for at, row in enumerate(values) if all(_holds(word, row) for word in self._words)]
        count = len(kept)
        table = pa.table({"question": pa.array([asked["question"][0].as_py()] * count, pa.int64())})
        table = table.append_column("moment", pa.array([moment] * count, pa.int64()))
        text = unit_text(asked, self.model.unit)[0].as_py()
        table = table.append_column("unit", pa.array([text] * count, pa.string()))
        for name in self.model.unit:
            table = table.append_column(name, pa.array([asked[name][0].as_py()] * count, asked.schema.field(name).type))
        table = table.append_column("item", pa.array([items[at] for at in kept], pa.string()))
        for reading in self.model.knows:
            for name, kind in zip(column_names(reading), _types(reading), strict=True):
                table = table.append_column(name, pa.array([values[at][name] for at in kept], kind))
        if self._past is not None:
            left = {items[at] for at in kept}
            best = [item for item in past or () if item in left][: self._past.most]  # type: ignore[union-attr]
            table = table.append_column("baseline", pa.array([best] * count, pa.list_(pa.string())))
        return table

    def _known(
        self, store: OnlineStore, rows: list[dict[str, object]], moment: int, unit: Mapping[str, object]
    ) -> tuple[list[dict[str, Told]], dict[str, Mark]]:
        """By column what is known of each candidate; what is the unit's alone is read once."""
        if not rows:
            return [], {}
        read: dict[str, Mark] = {}
        if self._looked is not None:
            found = self._looked.read(store, rows, moment)
            read |= found.as_of
            for row, said in zip(rows, found.values, strict=True):
                row |= dict(zip(self._lookups, said, strict=True))
        mine: dict[str, Told] = {}
        if self._unit is not None:
            once = self._unit.read(store, [dict(unit) if unit else rows[0]], moment)
            read |= once.as_of
            mine = dict(zip(once.names, once.values[0], strict=True))
        if self._item is None:
            return [mine for _ in rows], read
        each = self._item.read(store, rows, moment)
        read |= each.as_of
        return [{**mine, **dict(zip(each.names, values, strict=True))} for values in each.values], read


def from_tables(model: Model, tables: Tables, requests: pa.Table, moment: int, carts: Sequence[Sequence[str]] = ()) -> pa.Table:
    """As ``Shortlists.now``, from event tables alone."""
    with Reader(tables) as reader:
        return featured(reader, Spine(model, of_units(model, requests, from_microseconds(moment))), carts)[0]


def allowed_by_tables(model: Model, tables: Tables, items: Sequence[str], moment: int) -> list[str]:
    """As ``Shortlists.among``, from event tables alone."""
    column = str(candidate_column(model))
    asked = {"question": pa.array(range(len(items)), pa.int64()), "moment": pa.array([moment] * len(items), pa.int64())}
    asked |= {name: pa.nulls(len(items), pa.string()) for name in model.unit} | {column: pa.array(items, pa.string())}
    with Reader(tables) as reader:
        held = all_hold(reader, Spine(model, pa.table(asked)), _conditions(model))
    return [item for item, holds in zip(items, held.tolist(), strict=True) if holds]


def _is_shared(reading: AnyReading) -> bool:
    return isinstance(reading, Reading) and reading.per == ()


def _conditions(model: Model) -> list[object]:
    return [word for word in model.among if about_candidates(model, word)]


def _readings(word: object) -> list[AnyReading]:
    what = word if isinstance(word, Reading | Arithmetic) else getattr(word, "what", None)
    known = isinstance(word, Reading | Arithmetic | at_least | at_most | one_of)
    return [what] if known and isinstance(what, Reading | Arithmetic) else []


def _holds(word: object, values: Mapping[str, Told]) -> bool:
    """As ``holds.holds``, of one candidate."""
    [reading] = _readings(word)
    value = values[column_names(reading)[0]]
    if value is None or isinstance(value, list):
        return False
    if isinstance(word, at_least):
        return float(value) >= float(word.value)
    if isinstance(word, at_most):
        return float(value) <= float(word.value)
    if isinstance(word, one_of):
        return value in ([str(v) for v in word.values] if isinstance(value, str) else [float(v) for v in word.values])  # type: ignore[arg-type]
    return value != 0


def _keys(model: Model, reading: AnyReading) -> set[str]:
    return {key for leaf in leaves(reading) for key in (*model.keys(leaf), *_lookups_behind(model, leaf))}


def _lookups_behind(model: Model, leaf: Reading) -> tuple[str, ...]:
    """The candidate's column where a reading's keys are looked up by it."""
    column = str(candidate_column(model))
    return (column,) if set(model.keys(leaf)) - {*model.unit, column} else ()


def _lookups(model: Model) -> dict[str, Reading]:
    """By column, the reading that looks up a key no request carries, by the candidate or the unit."""
    column = str(candidate_column(model))
    words = [*model.knows, *chain.from_iterable(map(_readings, _conditions(model)))]
    wanted = dict.fromkeys(key for word in words for leaf in leaves(word) for key in model.keys(leaf) if key not in (*model.unit, column))
    found = {}
    for key in wanted:
        for source in model.sources:
            if key in source.every_column and source.parent_of(key) is None and set(source.id) <= {*model.unit, column}:
                found[key] = Reading(source=source, verb="latest", columns=(key,), per=source.id)
                break
    return found


def _types(reading: AnyReading) -> list[pa.DataType]:
    if not isinstance(reading, Reading):
        return [pa.float64()] * len(column_names(reading))
    shows = reading.verb in ("lowest", "highest", "latest", "given", "planned") and reading.columns
    return [pa.string() if shows and nature_of(reading.source, reading.columns[0]) == "words" else pa.float64()]
