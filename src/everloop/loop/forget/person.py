"""One person in a house: a column and its value, and what is theirs by it. Reads the lake; changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import Unknown
from everloop.lake.place import table_of
from everloop.lake.shape import SEPARATOR, event_schema, own_columns
from everloop.loop.house import House
from everloop.loop.tell.outcomes import OUTCOMES
from everloop.loop.tell.told import TRUTHS
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.serving.answered import hashed


@dataclass(frozen=True)
class Person:
    """Somebody: the value of a column, as text. ``seqs`` are their rows by source, ``ids`` the ids of these."""

    column: str
    value: str
    seqs: Mapping[str, Collection[int]] = field(default_factory=dict)
    ids: Mapping[str, Collection[str]] = field(default_factory=dict)

    def hashed(self, salt: str) -> str:
        """What the journal calls them: 16 hex digits, the same in one house, unlike in another."""
        return hashed(f"{self.column}\x1f{self.value}", salt) or ""

    def theirs(self, model: Model | None, units: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Which units (n,) of a model are this person, or rows of theirs. Of a model nobody declares any more: units that are, or hold, the
        value itself.

        >>> Person("customer_id", "c1").theirs(None, pa.array(["c1", "p1\\x1fc1", "c2", None])).to_pylist()
        [True, True, False, False]
        """
        units = units.combine_chunks() if isinstance(units, pa.ChunkedArray) else units
        if model is not None and isinstance(model.per, Source):
            return _among(units, self.ids.get(model.per.name, ()))
        if model is not None and self.column not in model.unit:
            return pc.and_(pc.is_null(units), pa.scalar(False))
        if model is not None and len(model.unit) == 1:
            return _among(units, (self.value,))
        place = None if model is None else model.unit.index(self.column)
        seen = {unit: _holds(unit, self.value, place) for unit in pc.unique(units).to_pylist()}
        return _among(units, [unit for unit, mine in seen.items() if mine])


def _holds(unit: str | None, value: str, place: int | None) -> bool:
    parts = unit.split(SEPARATOR) if unit is not None else []
    return value in parts if place is None else parts[place : place + 1] == [value]


def _among(words: pa.Array, wanted: Collection[str]) -> pa.Array:
    return pc.is_in(words, value_set=pa.array(sorted(wanted), pa.string()))


def find(house: House, column: str, value: str) -> Person:
    """Everything in the lake that is somebody's: rows that say the value, rows that inherit it, and what was told of them.

    What is not sealed yet is not looked at. A row of which one version says the value and another says nobody is theirs as a whole.
    Raises Unknown for a column that no source has and no model is asked by.
    """
    refuse_unknown(house, column)
    seqs, ids = dict[str, Collection[int]](), dict[str, Collection[str]]()
    for source in _parents_first(house.project.sources.values()):
        rows = _rows(house, source, column, value, ids)
        if rows is not None and rows.num_rows:
            seqs[source.name] = sorted(rows.column("seq").to_pylist())
            ids[source.name] = sorted(set(rows.column("id").to_pylist()))
    person = Person(column, value, seqs, ids)
    for own in (TRUTHS, OUTCOMES):
        told = house.lake.tables.read(table_of(own.name), schema=_only(own, "model", "unit"))
        mine = told.filter(of_models(house, person, told)) if told.num_rows else told
        if mine.num_rows:
            seqs[own.name] = sorted(mine.column("seq").to_pylist())
            ids[own.name] = sorted(set(mine.column("id").to_pylist()))
    return Person(column, value, seqs, ids)


def refuse_unknown(house: House, column: str) -> None:
    """Raises Unknown for a column that no source has and no model is asked by."""
    known = {name for source in house.project.sources.values() for name in source.every_column}
    known |= {name for model in house.project.models.values() for name in model.unit}
    if column not in known:
        raise Unknown("column that says who", column, sorted(known), where="the project file")


def of_models(house: House, person: Person, rows: pa.Table) -> pa.Array:
    """Which of these rows (``model``, ``unit``) are about the person."""
    names = rows.column("model").combine_chunks()
    found = pc.and_(pc.is_null(names), pa.scalar(False))
    for name in filter(None, pc.unique(names).to_pylist()):
        mine = person.theirs(house.project.models.get(name), rows.column("unit"))
        found = pc.or_(found, pc.and_(pc.fill_null(pc.equal(names, name), False), pc.fill_null(mine, False)))
    return found


def _rows(house: House, source: Source, column: str, value: str, ids: Mapping[str, Collection[str]]) -> pa.Table | None:
    """``seq`` and ``id`` of the rows of a source that are somebody's; None where nothing of it says whose."""
    own = own_columns(source)
    if column in own:
        rows = house.lake.tables.read(table_of(source.name), schema=_only(source, column))
        said = rows.column(column).cast(pa.string())
        theirs = rows.filter(pc.fill_null(pc.equal(said, value), False))
        return _with_silent(rows.select(["seq", "id"]), said, theirs.select(["seq", "id"]))
    parent = source.parent_of(column)
    if parent is None or not ids.get(parent.name):
        return None
    rows = house.lake.tables.read(table_of(source.name), schema=_only(source, *parent.id))
    parts = [rows.column(name).cast(pa.string()) for name in parent.id]
    key = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, SEPARATOR)
    mine = pc.fill_null(pc.is_in(key, value_set=pa.array(sorted(ids[parent.name]), pa.string())), False)
    return _with_silent(rows.select(["seq", "id"]), key, rows.filter(mine).select(["seq", "id"]))


def _with_silent(rows: pa.Table, said: pa.ChunkedArray, theirs: pa.Table) -> pa.Table:
    """Their rows, and other versions of the same ids that say nobody: a deletion often says no more than an id."""
    if not theirs.num_rows:
        return theirs
    silent = rows.filter(pc.and_(pc.is_null(said), pc.is_in(rows.column("id"), value_set=theirs.column("id").combine_chunks())))
    return pa.concat_tables([theirs, silent])


def _only(source: Source, *columns: str) -> pa.Schema:
    whole = event_schema(source)
    return pa.schema([whole.field(name) for name in dict.fromkeys(("seq", "id", *columns))])


def _parents_first(sources: Collection[Source]) -> list[Source]:
    found: dict[str, Source] = {}

    def add(source: Source) -> None:
        for parent in source.of:
            add(parent)
        found.setdefault(source.name, source)

    for source in sources:
        add(source)
    return list(found.values())
