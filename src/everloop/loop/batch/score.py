"""Score: a model's answers for many units at once, as one file. In: keys, or nobody: then everybody known. Out: Parquet or CSV.

The features are those known strictly before each row's moment, the answers those a request would get. Killed in the middle, the same batch
goes on where it was, at the same moment and with the same events. Reads no clock but the one that measures how long it took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa

from everloop.clock import microseconds, monotonic, said
from everloop.errors import EverloopError
from everloop.features.questions import questions_in
from everloop.features.reader import Reader
from everloop.features.served import definition_of, reach, up_to
from everloop.loop.adopt import adopt
from everloop.loop.answers import PATIENCE, predictors_of, seal_answers
from everloop.loop.batch.columns import Columns, unit_kinds
from everloop.loop.batch.keys import Keys, Part, open_keys
from everloop.loop.batch.parts import ENDINGS, Count, Parts, Plan, free, parts_of
from everloop.loop.batch.scoring import Scoring, as_given, seen_in
from everloop.loop.house import House
from everloop.loop.learnt import otherwise
from everloop.loop.lineage import version_named
from everloop.loop.tell.answerable import answered_elsewhere, answers_here
from everloop.project.model import Model
from everloop.project.reading import AnyReading
from everloop.project.source import Source
from everloop.records import Traffic, identity
from everloop.serving.fits import Fit, fit_of
from everloop.serving.log import AnswersLog
from everloop.training.executor import Executor, Serial
from everloop.training.predictor import Answering

ROWS = 20_000
"""Rows of one part."""


@dataclass(frozen=True)
class Batch:
    """What is wanted: the answers of ``model`` in the file ``to``, for the rows of ``keys`` (None: everybody known).

    ``version`` such as ``demand@3`` answers all (None: the champion); ``as_served``: who answers whom is the traffic's to say, and with
    ``remember`` the answers go into the log as given ones do. ``at_said``: somebody named the instant it is asked at.
    """

    model: Model
    to: Path
    keys: Path | None = None
    version: str | None = None
    as_served: bool = False
    remember: bool = False
    overwrite: bool = False
    at_said: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a batch is: rows of the file done, about how many there are (None: nobody can tell), what there is to say about it, and
    how many of the rows were there from before."""

    rows: int
    of: int | None
    note: str = ""
    before: int = 0


@dataclass(frozen=True)
class Scored:
    """What came of a batch: where it is, at which instant it was asked, the count of its rows, how many were there from before, and how
    long the others took (seconds)."""

    model: str
    to: str
    at: datetime
    count: Count
    before: int
    seconds: float

    def data(self) -> dict[str, object]:
        """The same for machines."""
        took = {"before": self.before, "seconds": round(self.seconds, 3)}
        return {"model": self.model, "to": self.to, "at": self.at.isoformat(), **msgspec.structs.asdict(self.count), **took}


def unheard(_: Progress) -> None:
    """Nobody looks."""


def score(
    house: House,
    batch: Batch,
    now: datetime,
    *,
    told: Callable[[Progress], None] = unheard,
    executor: Executor | None = None,
    size: int = ROWS,
) -> Scored:
    """Write the answers of a batch, a row for each key in the same order; see ``columns``.

    ``executor`` (the house's own) answers parts of ``size`` rows.

    Raises EverloopError for what cannot be meant or read, a file that is there already, or nobody here to answer; HouseBusy where another
    process writes the same file; HouseFull where the disk is full. Then the file is as it was, and what was answered is kept beside it.
    """
    began = monotonic()
    model, fit = batch.model, fit_of(batch.model)
    _meant(batch)
    adopt(house, model, now)
    keys = None if batch.keys is None else open_keys(batch.keys, fit)
    traffic, arms = _who(house, batch)
    predictors = predictors_of(house, traffic)
    newest = house.tables(model)
    plan = Plan(_asked(batch, keys, traffic, fit, size, now), now, reach(newest))
    with ExitStack() as stack:
        parts = stack.enter_context(parts_of(batch.to, plan, plan.reach))
        tables = up_to(newest, parts.plan.reach)
        if batch.remember and keys is not None:
            # What cannot be remembered is found before the first answer is.
            for part in keys.parts(fit, size):
                as_given(model, part, microseconds(parts.plan.now))
        log = (
            stack.enter_context(AnswersLog(house.settings.answers, patience=PATIENCE, house=lambda: house.mark)) if batch.remember else None
        )
        scoring = Scoring(
            model=model,
            traffic=traffic,
            predictors=predictors,
            otherwise=_otherwise(house, model, predictors),
            tables=tables,
            reach=parts.plan.reach,
            seen=pa.array([], pa.string()) if isinstance(model.per, Source) else seen_in(model, tables),
            now=parts.plan.now,
            salt=house.salt,
            columns=_columns(house, batch, fit, predictors, arms),
            folder=parts.folder,
            log=log,
        )
        asked = _everybody(model, tables, parts.plan.now, size) if keys is None else _read(keys, fit, size)
        # The log belongs to one process: what is remembered is answered in this one.
        where = Serial() if batch.remember else executor or house.executor or Serial()
        counts, before = _carried_out(parts, scoring, asked, told, where)
        parts.join(scoring.columns.schema(), len(counts), overwrite=batch.overwrite)
    if log is not None:
        seal_answers(house)
    return Scored(model.name, str(batch.to), parts.plan.now, sum(counts, Count()), before, monotonic() - began)


def spoken_scored(done: Scored) -> str:
    """What came of a batch, in a sentence or two."""
    count = done.count
    who = " and ".join(f"{name} {n:,}" if len(count.versions) > 1 else name for name, n in count.versions.items())
    line = f"{done.model}: {count.answered:,} of {count.rows:,} rows answered" + (f" by {who}" if who else "") + f", as of {said(done.at)}"
    line += f"; {done.to}, {done.seconds:.1f} s" + (f", {done.before:,} rows were there from before." if done.before else ".")
    if count.nothing:
        line += f"\n{count.nothing:,} have no candidate to rank."
    kinds = {"ask about nobody known": count.unknown, "are no request": count.refused, "nobody could answer": count.failed}
    why = ", ".join(f"{number:,} {what}" for what, number in kinds.items() if number)
    return line + (f"\n{count.without:,} have an error instead: {why}.\n  " + "\n  ".join(count.examples) if count.without else "")


def _carried_out(
    parts: Parts, scoring: Scoring, asked: tuple[Iterator[Part], int | None], told: Callable[[Progress], None], executor: Executor
) -> tuple[list[Count], int]:
    """Every part answered that is not there yet; the counts of all, and how many rows were there from before."""
    there: dict[int, Count] = {}
    todo: list[int] = []
    rows, before, (each, of) = 0, 0, asked

    def left() -> Iterator[Part]:
        nonlocal rows, before
        for part in each:
            told(Progress(rows, of, before=before))
            rows += len(part)
            count = parts.there(part.number, len(part))
            if count is not None:
                there[part.number], before = count, before + count.rows
                continue
            if not todo:
                told(Progress(rows - len(part), of, note(parts, before), before))
            todo.append(part.number)
            yield part

    made = executor.map(scoring, left())
    told(Progress(rows, rows, before=before))
    counts = there | dict(zip(todo, made, strict=True))
    return [counts[number] for number in sorted(counts)], before


def note(parts: Parts, rows: int) -> str:
    """What is to be said before the first part is answered, ``rows`` of which are there; nothing, most of the time."""
    if parts.goes_on and rows:
        return f"It goes on with the batch begun at {said(parts.plan.now)}; {rows:,} rows are there."
    return parts.other


def _meant(batch: Batch) -> None:
    """Raises EverloopError for what cannot be meant, before anything is done."""
    if not batch.to.name.lower().endswith(ENDINGS):
        raise EverloopError(f"{batch.to} is neither Parquet nor CSV by its name. The file ends in {', '.join(ENDINGS)}.")
    if batch.as_served and batch.version:
        raise EverloopError("Either --version answers everybody, or --as-served whoever the traffic says. Say one of them.")
    if batch.remember and not batch.as_served:
        raise EverloopError("What is remembered counts as served, and truth will be held against it. Say --as-served with --remember.")
    if batch.keys is not None and batch.keys.exists() and batch.to.exists() and batch.keys.samefile(batch.to):
        raise EverloopError(f"{batch.to} is the file of the keys itself. Name another one.")
    if batch.to.is_dir() or not batch.overwrite:
        free(batch.to)


def _who(house: House, batch: Batch) -> tuple[Traffic, dict[str, str | None] | None]:
    """The traffic of the batch; and by version the arm to show, where that is not the one served."""
    model = batch.model
    traffic = house.traffic(model)
    arms: dict[str, str | None] = {traffic.champion: "champion"}
    for arm, version in traffic.by_arm.items():
        arms.setdefault(version, arm)
    alone = replace(traffic, candidate=None, arms=(), previous=None, stage="steady", share=0.0, control=0.0, baseline=None)
    if batch.version is not None:
        return replace(alone, champion=version_named(house, model, batch.version).id), arms
    if house.champion(traffic).format == "elsewhere":
        raise answered_elsewhere(house.champion(traffic))
    return (answers_here(house, traffic), None) if batch.as_served else (alone, None)


def _asked(batch: Batch, keys: Keys | None, traffic: Traffic, fit: Fit, size: int, now: datetime) -> dict[str, str]:
    """What makes a batch the same batch; what differs is told by these words."""
    model = batch.model
    who = (*traffic.versions, traffic.stage, traffic.share, traffic.salt, traffic.control, *map(str, traffic.arms))
    declared = (definition_of(model), model.shape, model.among, sorted((name, str(kind)) for name, kind in fit.columns.items()))
    return {
        "model": model.name,
        "file of keys": "everybody" if keys is None else keys.sha,
        "version or traffic": identity(*who, batch.as_served),
        "moment": now.isoformat() if batch.at_said else "",
        "project file": identity(*declared),
        "way to remember": str(batch.remember),
        "size of parts": str(size),
    }


def _otherwise(house: House, model: Model, predictors: Mapping[str, Answering]) -> dict[str, dict[str, AnyReading]]:
    found = {v: otherwise(model, house.candidate(house.version(v).candidate), house.project.sources) for v in predictors}
    return {version: columns for version, columns in found.items() if columns}


def _columns(house: House, batch: Batch, fit: Fit, predictors: Mapping[str, Answering], arms: Mapping[str, str | None] | None) -> Columns:
    shapes = {version: predictor.shape for version, predictor in predictors.items()}
    first = next(iter(shapes.values()))
    if any((shape.kind, shape.levels, shape.steps) != (first.kind, first.levels, first.steps) for shape in shapes.values()):
        raise EverloopError(f"The versions of {batch.model.name} in force answer with other columns each. Say one of them: --version")
    labels = {version: shape.labels for version, shape in shapes.items()}
    names = {version: house.version(version).name for version in shapes}
    return Columns(unit_kinds(batch.model, fit.columns), first, labels, names, arms, batch.remember)


def _read(keys: Keys, fit: Fit, size: int) -> tuple[Iterator[Part], int | None]:
    return keys.parts(fit, size), keys.rows


def _everybody(model: Model, tables: Mapping[str, pa.Table], now: datetime, size: int) -> tuple[Iterator[Part], int]:
    """Everybody who would be asked about now; of the rows of a source each at its own moment."""
    moments = None if isinstance(model.per, Source) else [microseconds(now)]
    with Reader(tables) as reader:
        first = None if isinstance(model.per, Source) else now
        asked = questions_in(reader, model, first=first, last=now, moments=moments).select(["moment", *model.unit])

    def parts() -> Iterator[Part]:
        for number, start in enumerate(range(0, asked.num_rows, size)):
            some = asked.slice(start, size)
            yield Part(number, start, some.select(list(model.unit)).to_pylist(), some["moment"].to_pylist())

    return parts(), asked.num_rows
