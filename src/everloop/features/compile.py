"""Compile: readings become columns, one value for each question, as known before its moment.

In: readings, questions (Arrow), event tables. Out: Arrow columns in the same order, row for row, duplicates kept: float64 with nulls for
what is empty, strings for categories and text, lists of strings for ``which``. Absent: clock, disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import Unknown
from everloop.features import finalize
from everloop.features.definition import definition_hash, nature_of
from everloop.features.in_place import Part, read_in_place
from everloop.features.moments import FOREVER, Micros, calendar_parts, length
from everloop.features.reader import Reader, quoted
from everloop.features.spine import Spine, as_text, carry, checked, first_said
from everloop.features.steps import at_its_step, by_step, predicted_at
from everloop.features.versions import versions
from everloop.features.window import Points, listed
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar, column_names, leaves


def features(readings: Sequence[AnyReading], questions: pa.Table, tables: Mapping[str, pa.Table], *, model: Model) -> pa.Table:
    """The columns of these readings for each question, as known strictly before its ``moment``; nothing but the columns, in their order.

    ``questions``: ``moment`` int64 microseconds UTC, the model's unit columns, ``row`` where it asks about the rows of a source, and
    whatever else a request carries (it is taken as said). ``tables``: an event table for each source. Rows in, rows out: same number,
    same order.

    Raises Unknown for a table or a column that is not there.
    """
    with Reader(tables) as reader:
        spine = Spine(model, checked(questions))
        return columns(reader, spine, readings)


def columns(reader: Reader, spine: Spine, readings: Sequence[AnyReading], known_at: int | None = None) -> pa.Table:
    """As ``features``, in a reader that is open already; ``known_at``: with the knowledge of then, not of each moment."""
    done = read_all(reader, spine, [leaf for reading in readings for leaf in leaves(reading)], known_at)
    made: dict[str, pa.Array] = {}
    for reading in readings:
        if isinstance(reading, calendar):
            said = calendar_parts(reading.parts, predicted_at(spine), _zone(spine.model, reading), reading.holidays)
            made |= {name: pa.array(said[part], pa.float64()) for name, part in zip(reading.names, reading.parts, strict=True)}
        else:
            made[column_names(reading)[0]] = put_together(reading, done, spine.questions.num_rows)
    if not made:
        return pa.table({}).select([])
    return pa.table(made)


def put_together(reading: AnyReading | float, done: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """A reading's column from those of the single readings inside it."""
    if isinstance(reading, Arithmetic):
        left, right = (as_floats(put_together(side, done, rows)) for side in (reading.left, reading.right))
        return from_floats(finalize.reckoned(reading.operator, left, right))
    if isinstance(reading, Reading):
        return done[definition_hash(reading)]
    if isinstance(reading, calendar):
        raise Unknown("single number in", repr(reading), next="A calendar has a column for each part and cannot be reckoned with.")
    return from_floats(np.full(rows, float(reading)))


def read_all(reader: Reader, spine: Spine, readings: Iterable[Reading], known_at: int | None = None) -> dict[str, pa.Array]:
    """The columns of single readings by their definition's hash; those that read the same rows of the same keys are read together."""
    groups: dict[object, dict[str, Reading]] = {}
    for reading in readings:
        told, path = (reading.source.name, reading.source.rows), (reading.verb == "planned", by_step(spine, reading))
        # Only what looks ahead is read with later knowledge: the past is what was known of it at the moment.
        ahead = reading.next is not None
        who = reading.verb if reading.verb in ("given", "outcome") else (*told, spine.keys(reading), *path, ahead)
        groups.setdefault(who, {})[definition_hash(reading)] = reading
    done: dict[str, pa.Array] = {}
    for group in groups.values():
        verb = next(iter(group.values())).verb
        if verb == "given":
            done |= {name: _given(reader, spine, reading) for name, reading in group.items()}
        elif verb == "outcome":
            if known_at is None:
                raise Unknown("moment at which to know", repr(verb), next="How a row ends up is a truth; read it with truths(…).")
            done |= {name: _outcome(reader, spine, reading, known_at) for name, reading in group.items()}
        else:
            ahead = next(iter(group.values())).next is not None
            done |= _read_group(reader, spine, group, known_at if ahead else None)
    return done


def read(reader: Reader, spine: Spine, reading: Reading, *, as_it_is: bool = False) -> pa.Array:
    """The column of one reading; ``as_it_is``: the value as held, instants as microseconds, to be used as a key."""
    return _read_group(reader, spine, {"only": reading}, None, as_it_is=as_it_is)["only"]


def _read_group(
    reader: Reader, spine: Spine, group: Mapping[str, Reading], known_at: int | None, *, as_it_is: bool = False
) -> dict[str, pa.Array]:
    """The columns of readings of the same rows and keys: worked out once for each point, then given to every question at it."""
    some = next(iter(group.values()))
    points, matched = _points(reader, spine, some, spine.keys(some), known_at)
    group = {name: at_its_step(spine, reading) for name, reading in group.items()}
    at = reader.rows(f"SELECT m.point FROM {matched} m ORDER BY m.q")["point"].combine_chunks()
    nobody = reader.rows(f"SELECT count(*) AS n FROM {points.name}")["n"][0].as_py()
    at = pc.subtract(pc.fill_null(at, nobody + 1), 1)
    if len(at) != spine.questions.num_rows:
        raise RuntimeError(f"{spine.questions.num_rows} questions became {len(at)}.")
    listing = {name: reading for name, reading in group.items() if reading.verb == "which"}
    others = {name: reading for name, reading in group.items() if reading.verb != "which"}
    made = {name: _listed(reader, points, reading, nobody).take(at) for name, reading in listing.items()}
    if others:
        moments = _moments(spine)
        for name, part in read_in_place(reader, points, others).items():
            made[name] = _finished(others[name], part, at, moments, as_it_is)
    reader.drop(points.name, matched)
    return made


def _points(reader: Reader, spine: Spine, reading: Reading, keys: tuple[str, ...], known_at: int | None) -> tuple[Points, str]:
    """The distinct keys and moments of the questions, and which question is at which point; a question with an empty key is at none."""
    spine = carry(reader, spine, keys)
    asked = spine.asked
    without = asked is not None and asked.name == reading.source.name and "row" in spine.questions.column_names
    shown = {"q": pa.array(np.arange(spine.questions.num_rows)), "moment": spine.questions["moment"]}
    ahead = by_step(spine, reading)
    if ahead:
        shown |= {"moment": pa.array(predicted_at(spine)), "asked_at": spine.questions["moment"]}
    shown |= {f"k{i}": as_text(spine.questions[key]) for i, key in enumerate(keys)}
    if without:
        shown["asked_row"] = as_text(spine.questions["row"])
    given = reader.give(pa.table(shown))
    names = [name for name in shown if name != "q"]
    filled = " AND ".join([f"k{i} IS NOT NULL" for i in range(len(keys))]) or "true"
    name = reader.make(f"SELECT row_number() OVER () AS point, * FROM (SELECT DISTINCT {', '.join(names)} FROM {given} WHERE {filled})")
    same = " AND ".join(f"g.{n} = p.{n}" if n != "asked_row" else "g.asked_row IS NOT DISTINCT FROM p.asked_row" for n in names)
    matched = reader.make(f"SELECT g.q, p.point FROM {given} g LEFT JOIN {name} p ON {same}")
    return Points(name, keys, known_at, without, ahead), matched


def _listed(reader: Reader, points: Points, reading: Reading, nobody: int) -> pa.Array:
    """The list of every point, and an empty one for nobody."""
    table = versions(reader, reading.source, (*points.keys, *reading.columns))
    found = reader.rows(f"SELECT point, items FROM {listed(reader, points, table, reading)} ORDER BY point")
    where = np.full(nobody + 1, -1, dtype=np.int64)
    where[found["point"].to_numpy() - 1] = np.arange(found.num_rows)
    items = found["items"].combine_chunks().cast(pa.list_(pa.string())).take(pa.array(where, mask=where < 0))
    return pc.if_else(items.is_valid(), items, pa.scalar([], pa.list_(pa.string())))


def _finished(reading: Reading, part: Part, at: pa.Array, moments: Micros, as_it_is: bool) -> pa.Array:
    """A reading's column from its exact parts."""
    if part.value is not None:
        values = part.value.take(at)
        return values if as_it_is else shown(reading, values, moments)
    counts = np.asarray(part.n, dtype=np.int64)
    if reading.verb == "planned" and reading.next is not None:
        return from_floats(finalize.divided(counts.astype(np.float64), np.full(len(counts), float(length(reading.next))))).take(at)
    if not part.sums:
        return from_floats(counted(reading.verb, counts)).take(at)
    total = finalize.decimal_total_of(*map(list, part.sums)) if len(part.sums) > 1 else finalize.total_of(part.sums[0])
    return from_floats(total if reading.verb == "total" else finalize.mean_of(total, counts)).take(at)


def counted(verb: str, counts: Micros) -> finalize.Floats:
    """How many rows, or whether there is one, or not one, as float64."""
    made: finalize.Floats = (counts > 0 if verb == "any" else counts == 0 if verb == "none" else counts).astype(np.float64)
    return made


def shown(reading: Reading, values: pa.Array, moments: Micros) -> pa.Array:
    """Values as a learner sees them: words as they are, instants as days before the moment, everything else as float64."""
    nature = nature_of(reading.source, reading.columns[0])
    if nature == "words":
        return values.cast(pa.string())
    present = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    if nature == "instant":
        instants = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return from_floats(finalize.days_before(moments, instants, present))
    held = values.fill_null(0).to_numpy(zero_copy_only=False)
    return from_floats(np.where(present, np.asarray(held, dtype=np.float64), np.nan))


def _outcome(reader: Reader, spine: Spine, reading: Reading, until: int) -> pa.Array:
    """How the row asked about ends up: its column in the version in force at the end."""
    if "row" not in spine.questions.column_names:
        raise Unknown("row asked about", spine.model.name, next="Questions about the rows of a source have a column 'row' with its id.")
    moments = _moments(spine)
    wait = FOREVER if reading.within is None else length(reading.within) + length(reading.source.late)
    cut = np.full(len(moments), until) if reading.within is None else np.minimum(moments + wait, until)
    asked = reader.give(pa.table({"q": np.arange(len(moments)), "cut": cut, "row": as_text(spine.questions["row"])}))
    table, column = versions(reader, reading.source, reading.columns), quoted(reading.columns[0])
    found = reader.rows(
        f"SELECT v.{column} AS x FROM {asked} a LEFT JOIN {table} v ON v.id = a.row AND v.known_at < a.cut AND a.cut <= v.next_known "
        "ORDER BY a.q"
    )
    return shown(reading, found["x"].combine_chunks(), moments)


def _given(reader: Reader, spine: Spine, reading: Reading) -> pa.Array:
    """A column of the row asked about, as first said: from the question itself, else from the row, else looked up."""
    column, source = reading.columns[0], reading.source
    if column in spine.questions.column_names:
        said = spine.questions[column].combine_chunks()
    elif source.parent_of(column) is None:
        said = first_said(reader, spine, [column])[column].combine_chunks()
    else:
        said = carry(reader, spine, [column]).questions[column].combine_chunks()
    if nature_of(source, column) != "words":
        said = as_number(said, source.name, column)
    return shown(reading, said, _moments(spine))


def as_number(said: pa.Array, source: str, column: str) -> pa.Array:
    """What a question says of a numeric column, as such values are held. Raises ValueError for words and lists."""
    if pa.types.is_timestamp(said.type) or pa.types.is_date(said.type):
        # What is finer than a microsecond is cut off, never refused.
        return pc.cast(said, options=pc.CastOptions(pa.timestamp("us"), allow_time_truncate=True)).cast(pa.int64())
    if pa.types.is_boolean(said.type):
        return said.cast(pa.int64())
    if pa.types.is_string(said.type) or pa.types.is_list(said.type):
        raise ValueError(f"{source}.{column} is a number, but the questions say it as {said.type}.")
    if pa.types.is_floating(said.type):
        said = said.cast(pa.float64())
        return pc.if_else(pc.is_finite(said), pc.add(said, 0.0), pa.scalar(None, pa.float64()))
    return said.cast(pa.int64())


def as_floats(column: pa.Array) -> finalize.Floats:
    """A column as float64, NaN for empty. Raises ValueError for words."""
    if not (pa.types.is_floating(column.type) or pa.types.is_null(column.type)):
        raise ValueError(f"Only numbers can be reckoned with, not {column.type}.")
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def from_floats(values: finalize.Floats) -> pa.Array:
    """A column of float64, null where the value is NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)


def _moments(spine: Spine) -> Micros:
    return np.asarray(spine.questions["moment"].to_numpy(), dtype=np.int64)


def _zone(model: Model, reading: calendar) -> str | None:
    return reading.zone or (model.asked.zone if model.asked is not None else None)
