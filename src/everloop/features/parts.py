"""Parts: a training set put together by parts of the units, anywhere and in any order; to the last byte what it is in one piece.

In: event tables cut by whom they are about (``cut.py``), and whatever maps a function over parts. Out: a ``TrainingSet`` whose body was
given to ``save``. What is held here at once are the questions and the training table, never the events. Absent: clock, disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial, reduce
from operator import add
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.features.as_of import Answered, answered_in, asked_since, chosen, first_of, parquet, training_set_of, training_table
from everloop.features.cut import Cut, Part
from everloop.features.delivered import Delivered
from everloop.features.moments import micros
from everloop.features.questions import Among, Since, asked_in, clock_of, known_since
from everloop.features.reader import Reader
from everloop.features.spine import Spine
from everloop.features.steps import counted_through
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import TrainingSet


class Mapped(Protocol):
    """``map`` of an executor: the results in the items' order, wherever they were worked out."""

    def __call__(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]: ...


def as_of_parts(
    model: Model,
    cut: Cut,
    parts: Sequence[Part],
    *,
    mapped: Mapped,
    now: datetime,
    id: str,
    save: Callable[[bytes], str],
    made_from: tuple[str, ...] = (),
    learn_from: datetime | None = None,
    judge_after: datetime | None = None,
    max_questions: int | None = None,
    seed: int = 0,
    told: pa.Table | None = None,
    delivered: Mapping[str, Delivered] | None = None,
) -> TrainingSet:
    """As ``as_of.as_of``, the events in ``parts``, all those of ``cut``; every other word as there."""
    first = first_of(model, learn_from, now)
    asking = Asking(model, cut, now, first, max_questions, seed, delivered=delivered or {})
    if not isinstance(model.per, Source):
        since = reduce(add, mapped(asking.since, parts), Since())
        begin = asked_since(model, first, now)
        asking = asking.at(clock_of(model, since, None if begin is None else micros(begin), micros(now)))
    if max_questions is not None:
        asking = asking.of(sum(mapped(asking.counted, parts)))
    each: list[Answered] = mapped(asking, [(part, _told_of(told, cut, part.number)) for part in parts])
    found = _together(each)
    kept, split = chosen(model, found, now, judge_after, learn_from)
    work = [
        (part, counted_through(answered.asked.filter(pa.array(mine))), answered.truth.filter(pa.array(mine)))
        for part, answered, mine in zip(parts, each, np.split(kept, np.cumsum([len(a.mature) for a in each])[:-1]), strict=True)
        if mine.any() or part is parts[0]
    ]
    tables = mapped(partial(_featured, model, None if split is None else split.judge_from), work)
    table = _in_order(model, tables)
    body = {"asked": found.asked.num_rows, "kept": int(kept.sum()), "at_most": max_questions, "seed": seed}
    return training_set_of(model, table, split, found, now=now, id=id, made_from=made_from, body=save(parquet(table, body)))


@dataclass(frozen=True)
class Asking:
    """Whom a model asks about, and when, in any part: small enough to be sent to wherever the part is."""

    model: Model
    cut: Cut
    now: datetime
    first: datetime | None
    max_questions: int | None
    seed: int
    moments: tuple[int, ...] | None = None
    count: int | None = None
    delivered: Mapping[str, Delivered] = field(default_factory=dict)

    def at(self, moments: Iterable[int]) -> Asking:
        """The same at these moments, which those of all parts together are."""
        return replace(self, moments=tuple(moments))

    def of(self, count: int) -> Asking:
        """The same where all parts together have so many questions."""
        return replace(self, count=count)

    def since(self, part: Part) -> Since:
        """Since when it is asked, by what a part knows."""
        with Reader(part.tables()) as reader:
            return known_since(reader, self.model)

    def counted(self, part: Part) -> int:
        """How many questions a part has."""
        with Reader(part.tables()) as reader:
            first = asked_since(self.model, self.first, self.now)
            asked = asked_in(reader, self.model, first=first, last=self.now, moments=self.moments, among=self._among(part))
            return int(reader.rows(f"SELECT count(*) AS n FROM ({asked})")["n"][0].as_py())

    def __call__(self, given: tuple[Part, pa.Table | None]) -> Answered:
        """The questions of a part, and what came of them."""
        part, told = given
        with Reader(part.tables()) as reader:
            return answered_in(
                reader, self.model, self.now, self.first, self.max_questions, self.seed, told,
                moments=self.moments, among=self._among(part), delivered=self.delivered,
            )  # fmt: skip

    def _among(self, part: Part) -> Among:
        return Among(f"{self.cut.place(self.model.unit)} = {part.number}", self.count)


def _featured(model: Model, judge_from: int | None, given: tuple[Part, pa.Table, pa.Array]) -> pa.Table:
    """The training table of some questions of a part, whose truths are known."""
    part, mature, truth = given
    with Reader(part.tables()) as reader:
        return training_table(reader, Spine(model, mature), truth, judge_from)


def _told_of(told: pa.Table | None, cut: Cut, number: int) -> pa.Table | None:
    """What was told about the units of a part."""
    if told is None or not told.num_rows:
        return None
    with Reader({}) as reader:
        given = reader.give(told.append_column("place", pa.array(np.arange(told.num_rows))))
        mine = reader.rows(f"SELECT place FROM {given} WHERE {cut.place(['unit'])} = {number} ORDER BY place")
    return told.take(mine["place"])


def _together(each: Sequence[Answered]) -> Answered:
    """Those of all parts, one part after another."""
    filled = [one for one in each if len(one.mature)] or list(each[:1])
    truth = pa.chunked_array([one.truth for one in filled]).combine_chunks()
    asked = pa.concat_tables([one.asked.select(["moment"]) for one in filled])
    return Answered(asked, truth, np.concatenate([one.mature for one in filled]))


def _in_order(model: Model, tables: Sequence[pa.Table]) -> pa.Table:
    """One training table, by moment, then unit, its questions numbered through."""
    filled = [table for table in tables if table.num_rows] or list(tables[:1])
    part = np.repeat(np.arange(len(filled)), [table.num_rows for table in filled])
    whole = pa.concat_tables(filled).combine_chunks()
    by = ["moment", *dict.fromkeys(model.unit), "row"]
    keys = whole.select([name for name in by if name != "row"]).append_column("row", pa.array(np.arange(whole.num_rows)))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in by])
    whole, part = whole.take(order).combine_chunks(), part[order.to_numpy()]
    local = whole["question"].to_numpy()
    new = np.ones(len(local), dtype=np.bool_)
    new[1:] = (local[1:] != local[:-1]) | (part[1:] != part[:-1])
    number = pa.array(np.cumsum(new) - 1, pa.int64())
    return whole.set_column(whole.schema.get_field_index("question"), "question", number)
