"""Questions: who is asked about, and when. In: a model and event tables. Out: the spine, ordered by moment, then unit.

With a clock (``asked``), every unit seen so far at every tick since anything of what is predicted was known; with ``per`` a source, each
of its rows at its time. Rows of an undated source are all asked about at ``last``: what is always true has no moment of its
own. Absent: clock, disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import Unknown
from everloop.features.definition import nature_of
from everloop.features.holds import all_hold
from everloop.features.moments import ALWAYS, instant, micros, ticks
from everloop.features.reader import Reader, quoted
from everloop.features.spine import Spine, keys_of
from everloop.features.versions import every_version
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.project.resolve import candidate_column, readings_in, with_apart
from everloop.project.source import Source

WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


def questions(
    model: Model,
    tables: Mapping[str, pa.Table],
    *,
    first: datetime | None = None,
    last: datetime,
    at_most: int | None = None,
    seed: int = 0,
) -> pa.Table:
    """Every question a model would have been asked from ``first`` to ``last`` (aware; both included), where its ``among`` held.

    Columns: ``question`` int64 0…, ``moment`` int64 microseconds UTC, the model's unit columns, and ``row``, the id of the row asked about,
    where ``per`` is a source. Without ``first``, since anything was known. ``at_most``: a seeded choice of about so many, the same for the
    same seed, taken before ``among`` is looked at. Raises Unknown for a table or column that is not there.
    """
    with Reader(tables) as reader:
        return questions_in(reader, model, first=first, last=last, at_most=at_most, seed=seed)


def questions_in(
    reader: Reader, model: Model, *, first: datetime | None, last: datetime, moments: Sequence[int] | None = None,
    at_most: int | None = None, seed: int = 0, among: Among | None = None,
) -> pa.Table:  # fmt: skip
    """As ``questions``, in a reader that is open already; ``moments`` (microseconds) instead of the clock's ticks, and ``among`` where the
    reader holds a part of the units."""
    asked = asked_in(reader, model, first=first, last=last, moments=moments, among=among)
    made = _ordered(reader, asked, model.unit, at_most, seed, None if among is None else among.count)
    return numbered(made.filter(pa.array(all_hold(reader, Spine(model, made), among_units(model)))))


@dataclass(frozen=True)
class Among:
    """Where a reader holds a part of the units: which are asked about in it, as SQL about the unit's columns, and how many questions there
    are in all parts together (None: nobody has counted)."""

    where: str
    count: int | None = None


def asked_in(
    reader: Reader,
    model: Model,
    *,
    first: datetime | None,
    last: datetime,
    moments: Sequence[int] | None = None,
    among: Among | None = None,
) -> str:
    """A query of all questions, in no order and before ``at_most`` and the model's ``among``: ``moment``, the unit, and ``row``."""
    begin, end = None if first is None else micros(first), micros(last)
    if isinstance(model.per, Source):
        asked = _of_rows(reader, model.per, begin, end)
    else:
        asked = _of_ticks(reader, model, begin, end, moments)
    return asked if among is None else f"SELECT * FROM ({asked}) WHERE {among.where}"


def among_units(model: Model) -> tuple[object, ...]:
    """What must hold for a question, without what must hold for a candidate."""
    return tuple(word for word in model.among if not about_candidates(model, word))


def about_candidates(model: Model, word: object) -> bool:
    """Whether a condition reads rows of the candidate, so that it cannot hold for a question as a whole."""
    column = candidate_column(model)
    return column is not None and column not in model.unit and any(column in keys_of(model, reading) for reading in readings_in(word))


def numbered(asked: pa.Table) -> pa.Table:
    """Questions numbered anew from 0, the number first."""
    kept = asked.drop_columns([name for name in ("question",) if name in asked.column_names])
    return kept.add_column(0, "question", pa.array(np.arange(kept.num_rows, dtype=np.int64)))


def unit_text(asked: pa.Table, unit: tuple[str, ...]) -> pa.ChunkedArray:
    """The unit of each question as one text: its columns joined by the unit separator."""
    return pc.binary_join_element_wise(*(pc.cast(asked[column], pa.string()) for column in unit), "\x1f")


def _of_rows(reader: Reader, source: Source, begin: int | None, end: int) -> str:
    """One question for each row, when its first version says it happened; the first version must not be a deletion."""
    moment = "event_at" if source.time else str(end)
    shown = ", ".join(quoted(column) for column in source.id)
    said = every_version(reader, source, source.id)
    since = "" if begin is None or not source.time else f" AND event_at >= {begin}"
    return (
        f"SELECT {moment} AS moment, {shown}, id AS row FROM ({said}) WHERE first_said AND NOT deleted AND known_at < {end} "
        f"AND event_at <= {end}{since}"
    )


def _of_ticks(reader: Reader, model: Model, begin: int | None, end: int, moments: Sequence[int] | None) -> str:
    """Every unit at every tick after any row about it was first known, deleted rows aside; empty units are nobody."""
    unit, shown = model.unit, ", ".join(quoted(column) for column in model.unit)
    seen = _seen(reader, model)
    filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in unit)
    units = reader.make(f"SELECT {shown}, min(known_at) AS since FROM ({seen}) WHERE {filled} GROUP BY {shown}")
    if moments is None:
        moments = clock_of(model, known_since(reader, model, begin is None), begin, end)
    clock = reader.give(pa.table({"moment": pa.array(moments, pa.int64())}))
    return f"SELECT c.moment, {', '.join(f'u.{quoted(c)}' for c in unit)} FROM {clock} c JOIN {units} u ON u.since < c.moment"


def clock_of(model: Model, since: Since, begin: int | None, end: int) -> list[int]:
    """The moments (µs) at which a model with a clock asks, from ``begin`` (None: since anything was known) to ``end``."""
    begin = max((at for at in (since.known if begin is None else begin, since.heard) if at is not None), default=None)
    asked = model.asked if begin is not None and begin <= end else None
    return [] if asked is None or begin is None else [micros(tick) for tick in ticks(asked, instant(begin), instant(end))]


@dataclass(frozen=True)
class Since:
    """Since when anything about a unit was known (µs), and the first row of what is predicted; None: nothing is.

    Before the latter nobody knows whether nothing happened or nobody said so. Those of several parts add up.

    >>> Since(3, None) + Since(1, 2)
    Since(known=1, heard=2)
    """

    known: int | None = None
    heard: int | None = None

    def __add__(self, other: Since) -> Since:
        known, heard = ((self.known, other.known), (self.heard, other.heard))
        return Since(*(min((at for at in pair if at is not None), default=None) for pair in (known, heard)))


def known_since(reader: Reader, model: Model, any_unit: bool = True) -> Since:
    """Since when a model with a clock can ask; ``any_unit``: also since when any unit was known."""
    known: int | None = None
    if any_unit:
        known = reader.rows(f"SELECT min(known_at) AS t FROM ({_seen(reader, model)}) WHERE known_at > {ALWAYS}")["t"][0].as_py()
    return Since(known, _heard_of(reader, model))


def _seen(reader: Reader, model: Model) -> str:
    """A query of every row about a unit that is not deleted: the unit's columns, and when it was known."""
    unit = model.unit
    holders = [s for s in model.sources if all(c in s.every_column and s.parent_of(c) is None for c in unit)]
    if not holders:
        raise Unknown("source with the columns", " and ".join(unit), [s.name for s in model.sources], where=model.name)
    whole = {c for c in unit if all(nature_of(s, c) == "whole" for s in holders)}
    held = ", ".join(f"CAST({quoted(c)} AS {'BIGINT' if c in whole else 'VARCHAR'}) AS {quoted(c)}" for c in unit)
    return " UNION ALL ".join(f"SELECT {held}, known_at FROM ({every_version(reader, s, unit)}) WHERE NOT deleted" for s in holders)


def _heard_of(reader: Reader, model: Model) -> int | None:
    """When the first row of what is predicted was known."""
    predicted = {reading.source.name: reading.source.base for reading in leaves(model.predicts)}
    known = " UNION ALL ".join(f"SELECT known_at FROM ({every_version(reader, source, ())})" for source in predicted.values())
    first: int | None = reader.rows(f"SELECT min(known_at) AS t FROM ({known}) WHERE known_at > {ALWAYS}")["t"][0].as_py()
    return first


def _ordered(reader: Reader, asked: str, unit: tuple[str, ...], at_most: int | None, seed: int, count: int | None = None) -> pa.Table:
    columns = ", ".join(quoted(column) for column in unit)
    chosen = ""
    if at_most is not None:
        if count is None:
            count = reader.rows(f"SELECT count(*) AS n FROM ({asked})")["n"][0].as_py()
        if count > at_most:
            words = ", '\x1f', ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in (*unit, "moment"))
            chosen = f" WHERE md5_number_lower(concat('{int(seed)}', '\x1f', {words})) % 1000000007 < {at_most * 1_000_000_007 // count}"
    return reader.rows(f"SELECT * FROM ({asked}){chosen} ORDER BY moment, {columns}")


def with_told_questions(
    asked: pa.Table, model: Model, told: pa.Table, *, first: datetime | None, last: datetime, at_most: int | None = None
) -> pa.Table:
    """The same questions and those of ``told`` (``moment``, ``unit``) that are not among them, from ``first`` to ``last``, in order.

    Of more than ``at_most`` the newest are added. Where ``per`` is a source every row is asked about already: nothing is added.
    """
    if isinstance(model.per, Source):
        return asked
    within = (pc.field("moment") <= micros(last)) & (pc.field("moment") >= (ALWAYS if first is None else micros(first)))
    some = told.select(["moment", "unit"]).filter(within).sort_by([("moment", "descending"), ("unit", "ascending")])
    known = set(zip(asked["moment"].to_pylist(), unit_text(asked, model.unit).to_pylist(), strict=True))
    new = [key for key in zip(some["moment"].to_pylist(), some["unit"].to_pylist(), strict=True) if key not in known][:at_most]
    kinds = [asked.schema.field(name).type for name in model.unit]
    parts = [[moment, *unit.split("\x1f")] for moment, unit in new]
    parts = [p for p in parts if all(pa.types.is_string(kind) or WHOLE.fullmatch(part) for kind, part in zip(kinds, p[1:], strict=True))]
    if not parts:
        return asked
    columns = {"moment": pa.array([p[0] for p in parts], pa.int64())}
    columns |= {name: pa.array([p[1 + i] for p in parts]).cast(kinds[i]) for i, name in enumerate(model.unit)}
    made = pa.concat_tables([asked.select(list(columns)), pa.table(columns)])
    return numbered(made.sort_by([(name, "ascending") for name in columns]))


def of_units(model: Model, units: pa.Table, moment: datetime) -> pa.Table:
    """Questions about these units at one moment, in their order, whether they were ever seen or not; ``among`` is not looked at.

    ``units`` has the unit columns, and whatever else a request carries; ``row`` is added where ``per`` is a source. Raises Unknown for a
    unit column that is not there.
    """
    for column in model.unit:
        if column not in units.column_names:
            raise Unknown("column", column, units.column_names, where="the units asked about")
    made = units.set_column(units.column_names.index("moment"), "moment", _at(units, moment)) if "moment" in units.column_names else units
    if "moment" not in made.column_names:
        made = made.add_column(0, "moment", _at(units, moment))
    if isinstance(model.per, Source) and "row" not in made.column_names:
        made = made.append_column("row", unit_text(made, with_apart(model.per, model.per.id)))
    return numbered(made)


def _at(units: pa.Table, moment: datetime) -> pa.Array:
    return pa.array(np.full(units.num_rows, micros(moment), dtype=np.int64))


def shifted(asked: pa.Table, by: int, where: pa.Array) -> pa.Table:
    """The same questions, those ``where`` so many microseconds later."""
    moments = pc.if_else(where, pc.add(asked["moment"], by), asked["moment"])
    return asked.set_column(asked.column_names.index("moment"), "moment", moments)
