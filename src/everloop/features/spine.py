"""The spine: the questions a reading is answered for, and what they carry. In: questions. Out: key columns as text, row for row.

A question carries its own columns; the columns of the row asked about, as first said; and, by id, every column of the sources it can look
up, as known before the moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import Unknown
from everloop.features.reader import Reader, quoted
from everloop.features.versions import every_version
from everloop.project.model import Model
from everloop.project.reading import Reading
from everloop.project.resolve import keys
from everloop.project.source import Source


@dataclass(frozen=True)
class Spine:
    """Questions of one model. ``questions`` has ``moment`` int64 microseconds and whatever a request carries; ``row`` is the id of the row
    asked about, where ``per`` is a source. Order and duplicates are kept."""

    model: Model
    questions: pa.Table

    @property
    def asked(self) -> Source | None:
        """The source whose rows are asked about."""
        return self.model.per if isinstance(self.model.per, Source) else None

    def keys(self, reading: Reading) -> tuple[str, ...]:
        """The columns of a question whose values say which rows a reading takes; () for everything together."""
        return keys_of(self.model, reading)


def keys_of(model: Model, reading: Reading) -> tuple[str, ...]:
    """As ``model.keys``, also for readings a model does not say itself: Unknown is raised where nobody can say whose rows are meant."""
    found = keys(model, reading)
    if found is None:
        cure = f"Say per= some of {', '.join(reading.source.every_column)}."
        raise Unknown("way to know whose rows are meant by", repr(reading), where=model.name, next=cure)
    return found


def checked(questions: pa.Table) -> pa.Table:
    """Questions with an int64 ``moment`` in each. Raises Unknown without the column, ValueError for anything but whole microseconds."""
    if "moment" not in questions.column_names:
        raise Unknown("column", "moment", questions.column_names, where="the questions")
    moments = questions["moment"]
    if not pa.types.is_integer(moments.type) or moments.null_count:
        raise ValueError(f"A question's moment is whole microseconds since 1970 UTC, never empty; this one is {moments.type}.")
    at = questions.column_names.index("moment")
    return questions.set_column(at, "moment", moments.cast(pa.int64()))


def first_said(reader: Reader, spine: Spine, columns: Iterable[str]) -> pa.Table:
    """The first version's own columns of the row each question is about, row for row; empty where there is no such row."""
    source, wanted = spine.asked, tuple(dict.fromkeys(columns))
    if source is None or "row" not in spine.questions.column_names:
        raise Unknown("row asked about", spine.model.name, next="Questions about the rows of a source have a column 'row' with its id.")
    asked = reader.give(pa.table({"q": _numbers(spine), "row": spine.questions["row"].cast(pa.string())}))
    shown = ", ".join(f"v.{quoted(c)}" for c in ("event_at", *wanted))
    said = every_version(reader, source, wanted)
    return reader.rows(f"SELECT {shown} FROM {asked} a LEFT JOIN (SELECT * FROM ({said}) WHERE first_said) v ON v.id = a.row ORDER BY a.q")


def carry(reader: Reader, spine: Spine, columns: Iterable[str]) -> Spine:
    """The same questions with these columns in them as well, looked up where they are not there.

    Raises Unknown for a column that no question carries.
    """
    for column in dict.fromkeys(columns):
        if column not in spine.questions.column_names:
            spine = replace(spine, questions=spine.questions.append_column(column, _looked_up(reader, spine, column)))
    return spine


def _looked_up(reader: Reader, spine: Spine, column: str, on_the_way: tuple[str, ...] = ()) -> pa.Array:
    from everloop.features.compile import read

    source = spine.asked
    if source is not None and column in source.every_column and source.parent_of(column) is None:
        return first_said(reader, spine, [column])[column].combine_chunks()
    for holder in _holders(spine, column):
        if set(holder.id) & {column, *on_the_way}:
            continue
        try:
            for link in holder.id:
                if link not in spine.questions.column_names:
                    found = _looked_up(reader, spine, link, (*on_the_way, column))
                    spine = replace(spine, questions=spine.questions.append_column(link, found))
        except Unknown:
            continue
        return read(reader, spine, Reading(source=holder, verb="latest", columns=(column,), per=holder.id), as_it_is=True)
    raise Unknown(
        "column", column, spine.questions.column_names, where="the questions", next="A question carries its unit and what it can look up."
    )


def _holders(spine: Spine, column: str) -> Iterator[Source]:
    for source in spine.model.sources:
        if column in source.every_column and source.parent_of(column) is None and column not in source.id:
            yield source


def _numbers(spine: Spine) -> pa.Array:
    return pa.array(range(spine.questions.num_rows), pa.int64())


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Key values as text, so that 1 and "1" are one key.

    >>> as_text(pa.array([1, None])).to_pylist()
    ['1', None]
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int64())  # as yes and no are held everywhere
    return pc.cast(column, pa.string()) if not pa.types.is_string(column.type) else column
