"""As of: features as they were known at each moment, with the truths that are mature now, as one training set. And live: without truths.

In: a model and the event tables of a snapshot. Out: a ``TrainingSet`` whose body was given to ``save``. Absent: clock, disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.features import candidates, split
from everloop.features.compile import columns
from everloop.features.delivered import Delivered
from everloop.features.moments import Micros, instant, length, micros
from everloop.features.questions import Among, numbered, of_units, questions_in, shifted, unit_text, with_told_questions
from everloop.features.reader import Reader
from everloop.features.served import reach, with_as_of
from everloop.features.spine import Spine
from everloop.features.steps import counted_through, stepped
from everloop.features.truth import truths_in, with_told
from everloop.project.conditions import cost, fair_across
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar
from everloop.project.source import Source
from everloop.records import TrainingSet

#: How much of a cut there was is written into the Parquet file's own metadata under this name.
METADATA = b"everloop"
A_WEEK = timedelta(days=7)


def as_of(
    model: Model,
    tables: Mapping[str, pa.Table],
    *,
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
    """Every question asked so far whose truth is mature ``now`` (aware), with its features as known strictly before its moment.

    The body is a Parquet file, one row for each question (for rankings, and candidate) by moment, then unit: ``question, moment, unit``,
    the unit columns, (``item``), the model's columns, ``baseline``, ``truth``, (``relevant``, ``before``) and a
    ``group:…`` for each ``fair_across``.
    A truth that is void, or mature and still empty, is left out and counted as void. ``learn_from``: a change point. At most half of what
    was asked since judges; and older questions are left out once that leaves a week to learn from, for what learnt from fewer days knows no
    Sunday. ``judge_after``: the last moment the champion learnt from. ``max_questions``: a seeded choice of about so many, told in the
    file's metadata. ``told``: truths that are no event (as for ``truth.with_told``); the questions they are about are learnt from even
    where nobody would have asked them by the model's own clock. ``delivered``: as for ``truth.truths``. Nothing to learn from is a
    TrainingSet without rows. Raises Unknown for a table or column that is not there.
    """
    first = first_of(model, learn_from, now)
    with Reader(tables) as reader:
        found = answered_in(reader, model, now, first, max_questions, seed, told, delivered=delivered)
        kept, cut = chosen(model, found, now, judge_after, learn_from)
        mature = counted_through(found.asked.filter(pa.array(kept)))
        table = training_table(reader, Spine(model, mature), found.truth.filter(pa.array(kept)), None if cut is None else cut.judge_from)
    body = {"asked": found.asked.num_rows, "kept": mature.num_rows, "at_most": max_questions, "seed": seed}
    return training_set_of(model, table, cut, found, now=now, id=id, made_from=made_from, body=save(parquet(table, body)))


class Answered(NamedTuple):
    """Questions (their steps one after another), the truth of each as far as it is there, and which are mature."""

    asked: pa.Table
    truth: pa.Array
    mature: NDArray[np.bool_]

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which have a truth."""
        return np.asarray(self.truth.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def first_of(model: Model, learn_from: datetime | None, now: datetime) -> datetime | None:
    """Since when is learnt from, where a change says so and leaves enough."""
    return learn_from if learn_from is not None and _leaves_a_week(model, learn_from, now) else None


def answered_in(
    reader: Reader,
    model: Model,
    now: datetime,
    first: datetime | None,
    max_questions: int | None,
    seed: int,
    told: pa.Table | None,
    *,
    moments: Sequence[int] | None = None,
    among: Among | None = None,
    delivered: Mapping[str, Delivered] | None = None,
) -> Answered:
    """Every question to learn from that a reader knows of, with what came of it as known ``now``; the rest as for ``as_of``."""
    asked = _asked(reader, model, now, first, max_questions, seed, moments, among)
    if told is not None and told.num_rows:
        asked = with_told_questions(asked, model, told, first=first, last=now, at_most=max_questions)
    asked = stepped(model, asked)
    found = truths_in(reader, Spine(model, asked), model.predicts, micros(now), delivered)
    if told is not None and told.num_rows and model.steps == 1:  # what somebody tells does not say of which step of a path
        units = unit_text(asked, model.unit).to_pylist()
        found = with_told(found, _moments(asked), units, told, by_unit=isinstance(model.per, Source))
    return Answered(asked, found.truth, found.mature)


def chosen(
    model: Model, found: Answered, now: datetime, judge_after: datetime | None, learn_from: datetime | None
) -> tuple[NDArray[np.bool_], split.Split | None]:
    """Which questions go into the training set, and where it is cut."""
    kept = found.there & _recent(model, found.asked, found.mature)
    return kept, _cut(model, found.asked, kept, now, judge_after, learn_from)


def training_set_of(
    model: Model,
    table: pa.Table,
    cut: split.Split | None,
    found: Answered,
    *,
    now: datetime,
    id: str,
    made_from: tuple[str, ...],
    body: str,
) -> TrainingSet:
    """The record of a training table that lies under ``body``."""
    moments = np.asarray(table["moment"].to_numpy(), dtype=np.int64)
    empty = not len(moments) or cut is None
    nobody = np.zeros(len(moments), dtype=np.bool_)
    learn, judge = (nobody, nobody) if cut is None else (moments < cut.learn_until, moments >= cut.judge_from)
    lists = table["question"].to_numpy() if "item" in table.column_names else moments[:0]
    return TrainingSet(
        id=id,
        made_at=now,
        made_from=made_from,
        model=model.name,
        body=body,
        columns=model.columns,
        rows=table.num_rows,
        learn_rows=int(learn.sum()),
        judge_rows=int(judge.sum()),
        first_at=None if empty else instant(moments.min()),
        learn_until=None if cut is None else instant(cut.learn_until),
        judge_from=None if cut is None else instant(cut.judge_from),
        last_at=None if empty else instant(moments.max()),
        truths_known_at=now,
        immature=int((~found.mature).sum()),
        void=int((found.mature & ~found.there).sum()),
        learn_questions=len(np.unique(lists[learn])) if len(lists) else 0,
        judge_questions=len(np.unique(lists[judge])) if len(lists) else 0,
    )


def training_table(reader: Reader, spine: Spine, truth: pa.Array, judge_from: int | None = None) -> pa.Table:
    """The training table of questions whose truths are known. Lists from ``judge_from`` on also say what their units had before."""
    table, made = featured(reader, spine)
    if "item" in made.column_names:
        table = table.append_column("truth", candidates.on_first_rows(made, truth)).append_column(
            "relevant", candidates.relevant(made, truth)
        )
        table = table.append_column("before", candidates.on_first_rows(made, _before(reader, spine, judge_from)))
    else:
        table = table.append_column("truth", truth)
    asked = Spine(spine.model, made)
    for clause in spine.model.promote_when:
        if isinstance(clause, fair_across):
            group = columns(reader, asked, [clause.reading]).column(0).combine_chunks()
            table = table.append_column(f"group:{clause.reading.name}", as_group(group))
    for reading in _money(spine.model):
        table = table.append_column(f"beside:{reading.name}", columns(reader, asked, [reading]).column(0))
    return table


def _money(model: Model) -> list[AnyReading]:
    """The readings that say what a miss or a false alarm costs, at the gate."""
    prices = [side for c in model.promote_when if isinstance(on := getattr(c, "on", None), cost) for side in (on.missed, on.false_alarm)]
    readings = [side for side in prices if isinstance(side, Reading | Arithmetic | calendar)]
    return list({reading.name: reading for reading in readings}.values())


def _before(reader: Reader, spine: Spine, judge_from: int | None) -> pa.Array:
    """What the units of those questions that judge had before; nothing of the others."""
    judges = _moments(spine.questions) >= (np.iinfo(np.int64).max if judge_from is None else judge_from)
    lists = candidates.had_before(reader, replace(spine, questions=spine.questions.filter(pa.array(judges))))
    places = np.where(judges, np.cumsum(judges) - 1, len(lists))
    return pa.concat_arrays([lists, pa.array([[]], lists.type)]).take(pa.array(places))


def featured(reader: Reader, spine: Spine, carts: Sequence[Sequence[str]] = ()) -> tuple[pa.Table, pa.Table]:
    """Questions (with their candidates) and all that is known of them; beside it the expanded questions themselves. ``carts``: as for
    ``candidates.expanded``."""
    model = spine.model
    made = candidates.expanded(reader, spine, carts)
    table = made.select(["question", "moment"]).append_column("unit", unit_text(made, model.unit))
    for column in (*model.unit, *(c for c in ("item", "step") if c in made.column_names)):
        table = table.append_column(column, made[column]) if column not in table.column_names else table
    for name, column in _named(columns(reader, Spine(model, made), model.knows)):
        table = table.append_column(name, column)
    past = model.baseline_reading
    if isinstance(past, Reading) and past.verb == "which" and "item" in made.column_names:
        said = candidates.past_of(reader, spine, made, past)
        table = table.append_column("baseline", said.take(made["question"].combine_chunks()))
    elif isinstance(past, Reading | Arithmetic):
        said = columns(reader, spine, [past]).column(0).combine_chunks()
        table = table.append_column("baseline", said if "step" in made.column_names else said.take(made["question"].combine_chunks()))
    return table, made


def live(
    model: Model, tables: Mapping[str, pa.Table], *, moment: datetime, units: Sequence[Mapping[str, object]] | pa.Table | None = None
) -> pa.Table:
    """Questions and features at one moment (aware), as in a training table but without truths, for answers worked out beforehand.

    ``units``: requests with the model's unit columns and whatever else they carry, answered in their order (a ranking: each with its
    candidates), whether ever seen or not; without them, everyone who would be asked at this moment. The table says how far each source was
    read (``served.as_of_in``). Raises Unknown as ``features`` does.
    """
    with Reader(tables) as reader:
        if units is not None:
            told = units if isinstance(units, pa.Table) else pa.Table.from_pylist([dict(unit) for unit in units])
            asked = of_units(model, told, moment) if told.num_rows else _nobody(model)
        elif isinstance(model.per, Source):
            asked = questions_in(reader, model, first=None, last=moment)
            asked = asked.set_column(1, "moment", pa.array(np.full(asked.num_rows, micros(moment), dtype=np.int64)))
        else:
            asked = questions_in(reader, model, first=moment, last=moment, moments=[micros(moment)])
        return with_as_of(featured(reader, Spine(model, stepped(model, asked)))[0], reach(tables))


def parquet(table: pa.Table, about: Mapping[str, object]) -> bytes:
    """A table as the bytes of a Parquet file; the same table gives the same bytes."""
    import pyarrow.parquet as pq

    table = table.replace_schema_metadata({METADATA: json.dumps(dict(about), sort_keys=True).encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def as_group(values: pa.Array) -> pa.Array:
    """A reading's values as the names of groups; whole numbers without a point.

    >>> as_group(pa.array([1.0, None, 2.5])).to_pylist()
    ['1', None, '2.5']
    """
    if pa.types.is_string(values.type):
        return values
    return pa.array([None if value is None else f"{value:g}" for value in values.to_pylist()], pa.string())


def _asked(
    reader: Reader,
    model: Model,
    now: datetime,
    learn_from: datetime | None,
    max_questions: int | None,
    seed: int,
    moments: Sequence[int] | None = None,
    among: Among | None = None,
) -> pa.Table:
    """The questions to learn from; of an undated source those that judge come last, a microsecond after the others."""
    if is_undated(model):
        asked = questions_in(reader, model, first=None, last=now, at_most=max_questions, seed=seed)
        share = model.holdout if isinstance(model.holdout, float) else None
        judges = split.picked_by_id(unit_text(asked, model.unit).to_pylist(), share)
        asked = shifted(asked, -1, pa.array(~judges))
        return numbered(asked.sort_by([("moment", "ascending"), ("question", "ascending")]))
    first = asked_since(model, learn_from, now)
    return questions_in(reader, model, first=first, last=now, moments=moments, at_most=max_questions, seed=seed, among=among)


def asked_since(model: Model, learn_from: datetime | None, now: datetime) -> datetime | None:
    """Since when questions can be learnt from; None: since there are any."""
    if not isinstance(model.learns_from, timedelta) or model.asked is None:
        return learn_from
    # Nothing asked before this can be within the span that ends with the newest mature question.
    wait = model.learns_from + model.matures_after + model.asked.span
    if wait >= now - datetime.min.replace(tzinfo=UTC):
        return learn_from
    return now - wait if learn_from is None else max(learn_from, now - wait)


def _leaves_a_week(model: Model, learn_from: datetime, now: datetime) -> bool:
    """Whether what was asked since a change leaves a week to learn from beside what judges, and the gap between them. Questions that are
    a week apart know of no Sundays anyhow: of them any number will do."""
    if model.asked is not None and model.asked.span >= A_WEEK:
        return True
    since = now - model.matures_after - learn_from
    share = split.FIFTH if model.holdout is None else model.holdout
    judges = min(since * share if isinstance(share, float) else share, since / 2)
    tick = timedelta(microseconds=1) if model.asked is None else model.asked.span
    return since - max(math.ceil(judges / tick) - 1, 0) * tick - model.matures_after >= A_WEEK


def is_undated(model: Model) -> bool:
    """Whether a model asks about the rows of a source without a time, so that nothing is older than anything else."""
    return isinstance(model.per, Source) and not model.per.time


def _recent(model: Model, asked: pa.Table, mature: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which questions are not too old: ``learns_from`` reaches back from the newest mature one."""
    moments = _moments(asked)
    if isinstance(model.learns_from, timedelta) and mature.any() and not is_undated(model):
        made: NDArray[np.bool_] = moments > moments[mature].max() - length(model.learns_from)
        return made
    return np.ones(len(moments), dtype=np.bool_)


def _cut(
    model: Model,
    asked: pa.Table,
    kept: NDArray[np.bool_],
    now: datetime,
    judge_after: datetime | None,
    learn_from: datetime | None,
) -> split.Split | None:
    moments = _moments(asked)[kept]
    if is_undated(model):
        return split.Split(micros(now), micros(now)) if len(moments) else None
    holdout = model.holdout
    since = 0 if learn_from is None or not len(moments) else int(moments.max()) - micros(learn_from)
    if since > 0:
        # Or a change would have to be as old as the holdout is long before anything is learnt of it.
        usual = split.split_by_time(moments, holdout, 0, None)
        if usual is not None and usual.judge_from < int(moments.max()) - since // 2:
            holdout = timedelta(microseconds=since // 2)
    return split.split_by_time(moments, holdout, length(model.matures_after), None if judge_after is None else micros(judge_after))


def _moments(asked: pa.Table) -> Micros:
    return np.asarray(asked["moment"].to_numpy(), dtype=np.int64)


def _named(table: pa.Table) -> list[tuple[str, pa.ChunkedArray]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _nobody(model: Model) -> pa.Table:
    row = {"row": pa.array([], pa.string())} if isinstance(model.per, Source) else {}
    unit = {column: pa.array([], pa.string()) for column in model.unit}
    return pa.table({"question": pa.array([], pa.int64()), "moment": pa.array([], pa.int64()), **unit, **row})
