"""Portable: the offline reading as one SQL text that runs unchanged on DuckDB and on Spark.

In: readings, a model, and what the questions carry. Out: a text, the tables it reads, and how its exact parts become the same columns as
those of ``features``. Absent: clock, disk, engine.

The text says only ``UNION ALL``, ``GROUP BY``, joins, ``MIN`` and ``SUM … OVER (PARTITION BY … ORDER BY ts, kind ROWS UNBOUNDED
PRECEDING)``, and counts in whole numbers: floats are made by ``finalize``, in Python, wherever the rows are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import EverloopError, Unknown
from everloop.features import finalize
from everloop.features.compile import counted, from_floats, put_together, shown
from everloop.features.definition import Nature, definition_hash, nature_of
from everloop.features.moments import Micros, calendar_parts
from everloop.features.portable_rows import Steps, versions
from everloop.features.portable_windows import Group, added, in_parts, is_lifelong, joined, lifelong, listed, newest_values, runs_of
from everloop.features.reader import EVENT_COLUMNS, require
from everloop.features.spine import keys_of
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, calendar, column_names, leaves
from everloop.project.source import Source

#: The table of questions, among those a text reads.
ASKED: Final = "asked"
#: What the questions carry, and how each is held.
Carries: TypeAlias = Mapping[str, Nature]


@dataclass(frozen=True)
class Portable:
    """A query for the columns of readings. It can be pickled, to be finished where the rows are.

    ``text``: the SQL. It reads ``asked`` (``question`` and ``moment`` whole, then its columns) and for each source ``events_<source>``
    (``seq, id, version, event_at, known_at, deleted``, then its columns); ``columns`` says, by table, under which name each column has to
    be given. Each is held by its nature: words as text, decimals as double, everything else as a 64-bit whole number (yes and no 1 and 0,
    instants and dates microseconds since 1970 UTC). It gives one row for each question, in any order: ``question``, ``moment`` and the
    parts that ``finished`` understands.
    """

    steps: tuple[tuple[str, str], ...]  # the names and queries of the text's common table expressions, each after those it names
    last: str
    columns: Mapping[str, Mapping[str, str]]
    readings: tuple[AnyReading, ...]
    parts: Mapping[str, tuple[str, Reading]]  # definition's hash -> what its parts are named by, and one reading of that meaning
    zone: str | None

    @property
    def text(self) -> str:
        """All of it as one statement."""
        steps = ",\n".join(f"{name} AS (\n{query}\n)" for name, query in self.steps)
        return f"WITH {steps}\n{self.last}" if steps else self.last

    def finished(self, parts: pa.Table) -> pa.Table:
        """The columns of the readings from rows of the text's result, row for row; any number of rows, in any order."""
        moments = np.asarray(parts["moment"].to_numpy(), dtype=np.int64)
        done = {meaning: _finished(reading, name, parts, moments) for meaning, (name, reading) in self.parts.items()}
        made: dict[str, pa.Array] = {}
        for reading in self.readings:
            if isinstance(reading, calendar):
                said = calendar_parts(reading.parts, moments, reading.zone or self.zone, reading.holidays)
                made |= {name: pa.array(said[part], pa.float64()) for name, part in zip(reading.names, reading.parts, strict=True)}
            else:
                made[column_names(reading)[0]] = put_together(reading, done, parts.num_rows)
        return pa.table(made) if made else pa.table({}).select([])

    @property
    def schema(self) -> pa.Schema:
        """The columns ``finished`` gives."""
        kinds = {"list": pa.list_(pa.string()), "category": pa.string(), "text": pa.string()}
        return pa.schema([(name, kinds.get(reading.kind, pa.float64())) for reading in self.readings for name in column_names(reading)])


def portable(readings: Sequence[AnyReading], *, model: Model, carries: Carries, known_at: int | None = None) -> Portable:
    """The query for these readings about questions that carry such columns.

    ``known_at``: None reads with each moment's own knowledge, and only backwards or what is given; an instant in microseconds with the
    knowledge of then, also ahead (but how a row ends up, ``outcome``, is not said in here). Raises Unknown for a column nobody has and
    for a verb this text cannot say; EverloopError for a key that is a decimal.

    >>> from everloop import Model, Source, days, every
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str, "amount": int})
    >>> class Mean:
    ...     def fit(self, rows, truth): return self
    ...     def predict(self, rows): return rows[:, 0]
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.total("amount", last=days(7)), learner=Mean())
    >>> portable(churn.knows, model=churn, carries={"customer_id": "words"}).columns
    {'asked': {'customer_id': 'asked_0'}, 'events_orders': {'customer_id': 'orders_0', 'amount': 'orders_1'}}
    """
    if model.steps > 1 and "step" in carries:
        what = f"{model.name} asks about {model.steps} steps (each=), which a portable query does not say."
        raise EverloopError(f"{what} Leave the column 'step' out of the questions, or read them with features(…).")
    plan = _Plan(model, carries, known_at)
    spine = _Spine(ASKED, {})
    groups: dict[object, dict[str, Reading]] = {}
    for reading in (leaf for whole in readings for leaf in leaves(whole)):
        _can_say(reading, known_at)
        whose = (reading.source.name, reading.source.rows, keys_of(model, reading), reading.next is not None)
        who: object = "given" if reading.verb == "given" else whose
        groups.setdefault(who, {})[definition_hash(reading)] = reading
    for told, group in groups.items():
        for reading in group.values():
            for column in reading.columns if told == "given" else keys_of(model, reading):
                spine = plan.given(spine, reading) if told == "given" else plan.carry(spine, column)
    parts: dict[str, tuple[str, Reading]] = {}
    shown, joins = ["s.question", "s.moment"], list[str]()
    for told, group in groups.items():
        named = {f"r{len(parts) + i}": reading for i, reading in enumerate(group.values())}
        parts |= {meaning: (name, group[meaning]) for meaning, name in zip(group, named, strict=True)}
        if told == "given":
            shown += [f"s.{spine.columns[reading.columns[0]].name} AS {name}_x" for name, reading in named.items()]
            continue
        step, columns = plan.read(spine, named)
        shown += [f"g{len(joins)}.{column}" for column in columns]
        joins.append(f"LEFT JOIN {step} g{len(joins)} ON g{len(joins)}.question = s.question")
    last = "\n".join([f"SELECT {', '.join(shown)}\nFROM {spine.step} s", *joins])
    return Portable(
        plan.steps.all(), last, plan.steps.columns, tuple(readings), parts, model.asked.zone if model.asked is not None else None
    )


def _can_say(reading: Reading, known_at: int | None) -> None:
    there = ("total", "mean", "lowest", "highest", "count", "distinct", "any", "none", "latest", "which", "given")
    if reading.verb not in there:
        raise Unknown("verb in a portable query", reading.verb, there, where=repr(reading), next="Read it with features(…) or truths(…).")
    if known_at is None and reading.looks_ahead:
        raise Unknown("moment at which to know", repr(reading), next="What looks ahead is a truth: say known_at=.")
    lasts = len(reading.source.time) == 2
    if lasts or reading.each is not None:
        what = f"lasts (time={list(reading.source.time)})" if lasts else "is cut into steps (each=)"
        raise EverloopError(f"{reading!r} {what}, which a portable query does not say. Read it with features(…) or truths(…).")


class _Held(NamedTuple):
    """A column a question carries: its name in the query, and how it is held."""

    name: str
    nature: Nature


@dataclass(frozen=True)
class _Spine:
    """The step that holds the questions, and the columns looked at so far."""

    step: str
    columns: Mapping[str, _Held]

    def grown(self, step: str, column: str, held: _Held) -> _Spine:
        """The same questions in another step, with one more column."""
        return _Spine(step, {**self.columns, column: held})


class _Plan:
    """Steps of one query, from questions to the parts of each group of readings."""

    def __init__(self, model: Model, carries: Carries, known_at: int | None) -> None:
        self.model, self.carries, self.known_at = model, carries, known_at
        self.asked = model.per if isinstance(model.per, Source) else None
        self.steps = Steps()
        self.steps.columns[ASKED] = {}
        self._looked_up = 0

    def given(self, spine: _Spine, reading: Reading) -> _Spine:
        """The questions with a column of the row asked about: from the question itself, else from the row, else looked up."""
        column, source = reading.columns[0], reading.source
        if column in self.carries or source.parent_of(column) is not None:
            spine = self.carry(spine, column)
        elif column not in spine.columns:
            spine = self._first_said(spine, column)
        if nature_of(source, column) != "words" and spine.columns[column].nature == "words":
            raise ValueError(f"{source.name}.{column} is a number, but the questions say it as text.")
        return spine

    def carry(self, spine: _Spine, column: str, on_the_way: tuple[str, ...] = ()) -> _Spine:
        """The same questions with this column in them as well, looked up where it is not there. Raises Unknown."""
        if column in spine.columns:
            return spine
        if column in self.carries:
            return spine.grown(spine.step, column, _Held(self._own(column), self.carries[column]))
        if self.asked is not None and column in self.asked.every_column and self.asked.parent_of(column) is None:
            return self._first_said(spine, column)
        for holder in self.model.sources:
            if column not in holder.every_column or holder.parent_of(column) is not None or {column, *on_the_way} & set(holder.id):
                continue
            try:
                there = spine
                for link in holder.id:
                    there = self.carry(there, link, (*on_the_way, column))
            except Unknown:
                continue
            found = self._lookup(there, holder, column)
            return _Spine(found.step, {**spine.columns, column: found.columns[column]})
        cure = "A question carries its unit and what it can look up."
        raise Unknown("column", column, tuple(self.carries), where="the questions", next=cure)

    def _own(self, column: str) -> str:
        named = self.steps.columns[ASKED]
        return named.setdefault(column, f"{ASKED}_{len(named)}")

    def _row(self) -> str:
        if self.asked is None or "row" not in self.carries:
            cure = "Questions about the rows of a source have a column 'row' with its id."
            raise Unknown("row asked about", self.model.name, next=cure)
        return self._own("row")

    def _first_said(self, spine: _Spine, column: str) -> _Spine:
        row, source = self._row(), self.asked
        assert source is not None
        held = self._new(nature_of(source, column))
        said = f"SELECT id, {self.steps.column(source, column)} AS {held.name} FROM {self.steps.said(source)} WHERE nth_said = 1"
        step = self.steps.step(f"SELECT s.*, f.{held.name}\nFROM {spine.step} s LEFT JOIN ({said}) f ON f.id = s.{row}")
        return spine.grown(step, column, held)

    def _lookup(self, spine: _Spine, holder: Source, column: str) -> _Spine:
        reading = Reading(source=holder, verb="latest", columns=(column,), per=holder.id)
        _can_say(reading, None)
        for key in keys_of(self.model, reading):
            spine = self.carry(spine, key)
        found, (part,) = self.read(spine, {"r": reading})
        held = self._new(nature_of(holder, column))
        step = self.steps.step(f"SELECT s.*, l.{part} AS {held.name}\nFROM {spine.step} s LEFT JOIN {found} l ON l.question = s.question")
        return spine.grown(step, column, held)

    def _new(self, nature: Nature) -> _Held:
        self._looked_up += 1
        return _Held(f"carried_{self._looked_up}", nature)

    def read(self, spine: _Spine, readings: Mapping[str, Reading]) -> tuple[str, list[str]]:
        """A step with the parts of readings of one group by ``question``, and the names of those parts."""
        some = next(iter(readings.values()))
        columns = keys_of(self.model, some)
        without = self.asked is not None and self.asked.name == some.source.name and "row" in self.carries
        known_at = self.known_at if some.next is not None else None
        keys = tuple(f"k{i}" for i in range(len(columns)))
        matched = self._matched(spine, columns, without)
        points = self.steps.step(f"SELECT * FROM {matched} WHERE question = point")
        group = Group(self.steps, self._table(some.source, columns, readings.values(), known_at), points, keys, known_at, without)
        found = _found(group, readings)
        shown = [f"t{i}.{part}" for i, (_, parts) in enumerate(found) for part in parts]
        joins = [f"LEFT JOIN {step} t{i} ON t{i}.point = m.point" for i, (step, _) in enumerate(found)]
        step = self.steps.step("\n".join([f"SELECT m.question, {', '.join(shown)}", f"FROM {matched} m", *joins]))
        return step, [part for _, parts in found for part in parts]

    def _matched(self, spine: _Spine, columns: Sequence[str], without: bool) -> str:
        """The questions none of whose keys is empty; ``point`` is the first question of the same moment and keys."""
        held = [spine.columns[column] for column in columns]
        for column, one in zip(columns, held, strict=True):
            if one.nature == "decimal":
                what = f"{self.model.name}: {column!r} is a decimal, and a key has to be the same text everywhere."
                raise EverloopError(f"{what} Declare it as int or str, at the source and in the questions.")
        keys = [f"CAST(s.{one.name} AS STRING) AS k{i}" for i, one in enumerate(held)]
        row = f"s.{self._row()}" if without else "CAST(NULL AS STRING)"
        same = ", ".join(["moment", *(f"k{i}" for i in range(len(keys))), "asked_row"])
        filled = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(keys))) or "1 = 1"
        asked = f"SELECT {', '.join(['s.question', 's.moment', *keys, f'{row} AS asked_row'])} FROM {spine.step} s"
        return self.steps.step(f"SELECT *, MIN(question) OVER (PARTITION BY {same}) AS point\nFROM (\n{asked}\n) s WHERE {filled}")

    def _table(self, source: Source, keys: Sequence[str], readings: Iterable[Reading], known_at: int | None) -> str:
        """The versions of a source with their keys, their order among those of the same keys, and decimals to be summed in three parts."""
        readings = tuple(readings)
        table = versions(self.steps, source, (*keys, *(column for reading in readings for column in reading.columns)))
        shown = ["v.*", *(f"CAST(v.{self.steps.column(source, key)} AS STRING) AS k{i}" for i, key in enumerate(keys))]
        filled = [f"v.{self.steps.column(source, key)} IS NOT NULL" for key in keys]
        filled += [] if known_at is None else [f"v.known_at < {known_at}", f"{known_at} <= v.next_known"]
        step = self.steps.step(f"SELECT {', '.join(shown)}\nFROM {table} v WHERE {' AND '.join(filled) or '1 = 1'}")
        if any(reading.verb in ("latest", "which") for reading in readings):
            names = ", ".join(f"k{i}" for i in range(len(keys)))
            frame = f"{f'PARTITION BY {names} ' if keys else ''}ORDER BY event_at, id, known_at"
            step = self.steps.step(f"SELECT v.*, ROW_NUMBER() OVER ({frame}) AS o FROM {step} v")
        summed = {r.columns[0] for r in readings if r.verb in ("total", "mean")}
        return in_parts(self.steps, step, [self.steps.column(source, c) for c in sorted(summed) if nature_of(source, c) == "decimal"])


def _found(group: Group, readings: Mapping[str, Reading]) -> list[tuple[str, list[str]]]:
    """The steps by point that tell these readings, each with the names of the parts in it."""
    found: list[tuple[str, list[str]]] = []
    newest: dict[str, str] = {}  # where the order of the newest version of a reading is told

    def tell(step: str, told: Mapping[str, Reading]) -> None:
        newest.update({name: step for name, reading in told.items() if reading.verb == "latest"})
        parts = [f"{name}_{part}" for name, reading in told.items() for part in parts_of(group, reading)]
        found.extend([(step, parts)] if parts else [])

    summed = {name: reading for name, reading in readings.items() if group.adds_up(reading)}
    if summed:
        step = added(group, summed)
        ends = {name: reading for name, reading in summed.items() if reading.verb in ("latest", "lowest", "highest")}
        tell(step, {name: reading for name, reading in summed.items() if name not in ends})
        if ends:
            tell(lifelong(group, ends, step), ends)
    rest = {name: reading for name, reading in readings.items() if name not in summed and reading.verb != "which"}
    for always in (False, True):
        some = {name: reading for name, reading in rest.items() if is_lifelong(reading) is always}
        if some:
            tell(joined(group, some), some)
    if newest:
        found.append((newest_values(group, newest, readings), [f"{name}_x" for name in newest]))
    found += [(listed(group, name, reading), [f"{name}_items"]) for name, reading in readings.items() if reading.verb == "which"]
    return found


def parts_of(group: Group, reading: Reading) -> Sequence[str]:
    """What is told of a reading by point, beside the newest version's order."""
    if reading.verb == "latest":
        return ()
    if reading.verb in ("lowest", "highest"):
        return ("x",)
    return tuple(runs_of(group.steps, reading)) if reading.verb in ("total", "mean") else ("n",)


def _finished(reading: Reading, name: str, parts: pa.Table, moments: Micros) -> pa.Array:
    """A reading's column from its exact parts."""
    verb = reading.verb
    if verb == "which":
        placed = parts[f"{name}_items"].to_pylist()
        return pa.array([[item[10:] for item in sorted(items or ())] for items in placed], pa.list_(pa.string()))
    if verb in ("lowest", "highest", "latest", "given"):
        values = parts[f"{name}_x"].combine_chunks()
        if verb == "given" and pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_finite(values), pc.add(values, 0.0), pa.scalar(None, pa.float64()))
        return shown(reading, values, moments)
    count = np.asarray(finalize.whole(parts[f"{name}_n"]), dtype=np.int64)
    if verb not in ("total", "mean"):
        return from_floats(counted(verb, count))
    if f"{name}_s" in parts.column_names:
        total = finalize.total_of(finalize.whole(parts[f"{name}_s"]))
    else:
        a, b, c = (list(map(int, finalize.whole(parts[f"{name}_{part}"]))) for part in "abc")
        total = finalize.decimal_total_of([x << 36 for x in a], [(y << 56) + z for y, z in zip(b, c, strict=True)])
    return from_floats(total if verb == "total" else finalize.mean_of(total, count))


# -- tables as a text reads them ------------------------------------------------------------------------------------------------------


def tables_for(said: Portable, questions: pa.Table, tables: Mapping[str, pa.Table], *, model: Model) -> Iterator[tuple[str, pa.Table]]:
    """Questions and event tables (Arrow) under the names by which the text reads them; questions are numbered by their place.

    Raises Unknown for a table or a column that is not there.
    """
    asked = {"question": pa.array(np.arange(questions.num_rows, dtype=np.int64)), "moment": questions["moment"].cast(pa.int64())}
    natures = carries(questions.schema)
    asked |= {name: as_held(questions[column], natures[column]) for column, name in said.columns[ASKED].items()}
    yield ASKED, pa.table(asked)
    for source in model.sources:
        named = said.columns.get(f"events_{source.name}")
        if named is not None:
            table = tables.get(source.name)
            if table is None:
                cure = "Give one event table for each source that is read."
                raise Unknown("table of source", source.name, sorted(tables), next=cure)
            require(source, table, [*EVENT_COLUMNS, *named])
            held = {name: table[name] for name in EVENT_COLUMNS}
            held |= {name: as_held(table[c], nature_of(source, c)) for c, name in named.items()}
            yield f"events_{source.name}", pa.table(held)


def carries(schema: pa.Schema) -> dict[str, Nature]:
    """How the columns of a table of questions are held.

    >>> carries(pa.schema([("moment", pa.int64()), ("customer_id", pa.string()), ("amount", pa.float64())]))
    {'moment': 'whole', 'customer_id': 'words', 'amount': 'decimal'}
    """
    return {field.name: _nature(field.type) for field in schema}


def _nature(kind: pa.DataType) -> Nature:
    if pa.types.is_boolean(kind):
        return "flag"
    if pa.types.is_temporal(kind):
        return "instant"
    if pa.types.is_integer(kind):
        return "whole"
    return "decimal" if pa.types.is_floating(kind) else "words"


def as_held(column: pa.ChunkedArray, nature: Nature) -> pa.ChunkedArray:
    """A column as a text reads it.

    >>> as_held(pa.chunked_array([[True, None]]), "flag").to_pylist()
    [1, None]
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if nature == "instant" and pa.types.is_temporal(column.type):
        column = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)))
    return column.cast({"words": pa.string(), "decimal": pa.float64()}.get(nature, pa.int64()))
