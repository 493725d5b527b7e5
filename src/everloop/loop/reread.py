"""Reading again: the features of answers, as the event log tells them of the same question, as far as each source was read then.

In: logged answers that were read by the same definitions, and the event tables as they are now. Out: ``Again``, value by value. Absent:
clock, disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.features.candidates import expanded
from everloop.features.compile import columns
from everloop.features.reader import Reader
from everloop.features.served import BASELINE, ITEM, STEP, up_to
from everloop.features.spine import Spine
from everloop.features.steps import stepped
from everloop.lake.shape import arrow_type
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading
from everloop.project.source import Source
from everloop.serving.answered import hashed, private_in

ROW = "row"
CART = "cart"
NOWHERE: Final = object()
"""What is in no row of the log."""


@dataclass(frozen=True)
class Served:
    """One answer as it was logged: what it was made from, and how that was read."""

    id: str
    version: str
    unit: str
    moment: int
    features: Mapping[str, object]
    as_of: Mapping[str, int]
    definition: str
    request: Mapping[str, object]


@dataclass(frozen=True)
class Again:
    """The features of answers read once more: for each a value by column, or for lists one by candidate, for paths one by step."""

    found: dict[str, Mapping[str, object]] = field(default_factory=dict)  # by the answer's id
    asked: dict[str, Served] = field(default_factory=dict)  # the answers, private words of their requests in clear

    def __contains__(self, row: Served) -> bool:
        return row.id in self.found

    def values(self, row: Served, name: str) -> Iterator[tuple[object, object]]:
        """What was served and what is read now, one pair, of a path one for each step; for a list one for each candidate on both sides, and
        one for its items."""
        served, offline = row.features[name], self.found[row.id].get(name)
        if STEP in row.features:
            yield from zip(_listed(served), _listed(offline), strict=True)
            return
        if ITEM not in row.features:
            yield served, offline
            return
        if name == ITEM:
            cart = _listed(row.request.get(CART) or [])
            yield _listed(served), [item for item in _listed(offline) if item not in cart]
            return
        now = dict(zip(_listed(self.found[row.id][ITEM]), _listed(offline), strict=True))
        for item, value in zip(_listed(row.features[ITEM]), _listed(served), strict=True):
            if item in now:
                yield value, now[item]


def _listed(said: object) -> list[object]:
    """One value for each candidate; of a single candidate it is logged by itself."""
    return list(said) if isinstance(said, list) else [said]


def reread(
    model: Model, known: Mapping[str, AnyReading | None], served: Sequence[Served], tables: Mapping[str, pa.Table], salt: str = ""
) -> Again:
    """The columns of ``known`` for each answer, as the log tells them now; ``None``: the list's items, or the baseline's past.

    An answer is left out whose request said something private that no row of the log says too. Raises Unknown for a table or
    column that is not there.
    """
    again = Again()
    rows = with_private(model, served, tables, salt)
    if not rows:
        return again
    for part, cut in cuts(model, rows, tables):
        with Reader(cut) as reader:
            again.found.update(_read(reader, model, known, part))
        again.asked.update({row.id: row for row in part})
    return again


def questions_of(model: Model, rows: Sequence[Served]) -> pa.Table:
    """The questions of answers, as they were asked: moment, unit, and what the request said."""
    kinds = dict(model.per.every_column) if isinstance(model.per, Source) else {}
    made: dict[str, pa.Array] = {
        "question": pa.array(range(len(rows)), pa.int64()),
        "moment": pa.array([row.moment for row in rows], pa.int64()),
    }
    parts = [row.unit.split("\x1f") for row in rows]
    for at, name in enumerate(model.unit):
        made[name] = _typed([part[at] for part in parts], kinds.get(name, str))
    for name in (name for name in rows[0].request if name != CART):
        made[name] = _typed([row.request[name] for row in rows], str if name == ROW else kinds.get(name, str))
    if isinstance(model.per, Source) and ROW not in made:
        made[ROW] = pa.array([row.unit for row in rows], pa.string())
    return pa.table(made)


def _read(reader: Reader, model: Model, known: Mapping[str, AnyReading | None], rows: Sequence[Served]) -> dict[str, Mapping[str, object]]:
    spine = Spine(model, questions_of(model, rows))
    asked = Spine(model, expanded(reader, spine) if model.kind == "ranking" else stepped(model, spine.questions))
    readings = tuple({id(reading): reading for reading in known.values() if reading is not None}.values())
    found = columns(reader, asked, readings)
    past = model.baseline_reading
    if BASELINE in known and isinstance(past, Reading | Arithmetic):
        found = found.append_column(BASELINE, columns(reader, asked if model.steps > 1 else spine, [past]).column(0))
    values = {name: found.column(name).to_pylist() for name in found.column_names if name in known}
    if model.steps > 1:
        values[STEP] = asked.questions[STEP].to_pylist()
        parts = {row.id: slice(at * model.steps, (at + 1) * model.steps) for at, row in enumerate(rows)}
        return {id: {name: held[part] for name, held in values.items()} for id, part in parts.items()}
    if model.kind != "ranking":
        return {row.id: {name: held[at] for name, held in values.items()} for at, row in enumerate(rows)}
    values[ITEM] = asked.questions["item"].to_pylist()
    number = asked.questions["question"].to_numpy()
    starts, ends = (np.searchsorted(number, np.arange(len(rows)), side=side) for side in ("left", "right"))
    return {row.id: {name: held[starts[at] : ends[at]] for name, held in values.items()} for at, row in enumerate(rows)}


def _typed(values: Sequence[object], kind: object) -> pa.Array:
    if kind is date:
        return pa.array([None if v is None else date.fromisoformat(str(v)) for v in values], pa.date32())
    wanted = arrow_type(kind)  # type: ignore[arg-type]
    if pa.types.is_string(wanted):
        return pa.array([None if v is None else str(v) for v in values], wanted)
    return pa.array([int(v) if isinstance(v, str) and pa.types.is_integer(wanted) else v for v in values], wanted)


# -- what each answer had read ---------------------------------------------------------------------------------------------------------


def cuts(model: Model, rows: Sequence[Served], tables: Mapping[str, pa.Table]) -> Iterator[tuple[list[Served], Mapping[str, pa.Table]]]:
    """Answers with the event tables as they had been read. Most see nothing of what came later and are read from the whole tables at once.

    A row beyond what was read matters only if it says it was known before the moment (bulk history, sources without a time), or is about
    the very row that was asked about.
    """
    last = {name: _Later(table) for name, table in tables.items()}
    groups: dict[tuple[tuple[str, int], ...], list[Served]] = {}
    for row in rows:
        about = str(row.request.get(ROW, row.unit)) if isinstance(model.per, Source) else None
        cut = []
        for name, later in last.items():
            asked = about if isinstance(model.per, Source) and name == model.per.name else None
            seq = later.first_that_matters(row.as_of.get(name), row.moment, asked)
            if seq is not None:
                cut.append((name, seq))
        groups.setdefault(tuple(cut), []).append(row)
    for key, several in groups.items():
        yield several, up_to(tables, dict(key))


class _Later:
    """The rows of one event table beyond a sequence number."""

    def __init__(self, table: pa.Table) -> None:
        self.seq: NDArray[np.int64] = np.asarray(table["seq"].to_numpy(), dtype=np.int64)
        self.known_at: NDArray[np.int64] = np.asarray(table["known_at"].to_numpy(), dtype=np.int64)
        self.least = np.minimum.accumulate(self.known_at[::-1])[::-1]
        self.ids = table["id"]

    def first_that_matters(self, as_of: int | None, moment: int, about: str | None) -> int | None:
        """Through which row a table is read so that no later one is seen; None: none would be."""
        if as_of is None:
            return None
        begin = int(np.searchsorted(self.seq, as_of, side="right"))
        if begin == len(self.seq):
            return None
        if about is not None and about in self.ids.slice(begin).to_pylist():
            return as_of
        if self.least[begin] >= moment:
            return None
        return int(self.seq[begin + int(np.argmax(self.known_at[begin:] < moment))]) - 1


# -- what requests said that is private ------------------------------------------------------------------------------------------------


def with_private(model: Model, served: Sequence[Served], tables: Mapping[str, pa.Table], salt: str) -> list[Served]:
    """Answers with the private words of their requests, which were logged as hashes: each is the word in the log that has this hash."""
    hidden = sorted(private_in(model.per) & set(served[0].request)) if served and isinstance(model.per, Source) else []
    if not hidden or not isinstance(model.per, Source):
        return list(served)
    events = tables[model.per.name]
    if not set(hidden) <= set(events.column_names):
        return []
    words = {name: {hashed(word, salt): word for word in pc.unique(events[name]).to_pylist()} for name in hidden}
    true = [{name: words[name].get(str(row.request[name]), NOWHERE) for name in hidden} for row in served]
    return [replace(row, request={**row.request, **t}) for row, t in zip(served, true, strict=True) if NOWHERE not in t.values()]
