"""One trial of a search: a learner with some settings, tried on folds of what may be learnt from. In: a training set's body. Out: a score.

The folds lie within the rows that are learnt from (``rows.learnable``), in the order of time, with a gap as long as a truth takes. The rows
that judge the candidate later are never looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from everloop.errors import LearnerFailed
from everloop.project.conditions import search
from everloop.project.measured import beside_of, measure_of_contest
from everloop.project.model import Model
from everloop.records import Shape, TrainingSet
from everloop.stats.folds import Fold, folds_by_unit, folds_in_time
from everloop.stats.measures import Measure
from everloop.training.fit import fit
from everloop.training.predictor import Predictor
from everloop.training.rehearse import known_beside, truths
from everloop.training.rivals import naive_error
from everloop.training.rows import first_rows, learnable, rows_of, shape_of
from everloop.training.train import feed_for

Ending: TypeAlias = Literal["done", "given up", "failed"]
Open: TypeAlias = Callable[[str], bytes]


@dataclass(frozen=True)
class Trial:
    """Settings that were tried. ``places`` are positions in a choice and numbers in a range; none at all is the learner as declared.

    ``losses`` are the means over the first fold, the first two and so on; lower is better. ``given up``: after a fold it was worse than the
    median of the trials before. ``failed``: the learner would not learn so, and ``why`` says what it said.
    """

    number: int
    places: Mapping[str, float]
    losses: tuple[float, ...]
    ending: Ending
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    why: str | None = None


@dataclass(frozen=True)
class Score:
    """What one fold said: ``loss`` (lower is better), or ``why`` there is none."""

    loss: float | None
    seconds: float
    cpu_seconds: float
    why: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One setting on one fold; small, so that it can be sent to wherever the work is done."""

    places: Mapping[str, float]
    fold: int


def settings_at(tune: search, places: Mapping[str, float]) -> dict[str, object]:
    """The settings at these places of a search.

    >>> settings_at(search(3, depth=(1, 9), loss=["a", "b"]), {"depth": 4, "loss": 1})
    {'depth': 4, 'loss': 'b'}
    """
    found: dict[str, object] = {}
    for name, place in places.items():
        values = tune.ranges[name]
        found[name] = values[int(place)] if isinstance(values, list) else place
    return found


def folds_of(model: Model, learnt: pa.Table) -> list[Fold]:
    """The folds of the rows that may be learnt from: by time; of a model whose questions have no time, by unit."""
    moments = learnt.column("moment").to_numpy().astype(np.int64)
    if len(moments) and moments.min() == moments.max():
        return folds_by_unit(learnt.column("unit").to_pylist())
    return folds_in_time(moments, int(model.matures_after.total_seconds() * 1_000_000))


def attempted(attempt: Attempt, *, model: Model, open: Open, training_set: TrainingSet, seed: int) -> Score:
    """Learn on one fold with these settings, and be judged on the rest of it. Never raises what the learner raised.

    ``open`` gives the bytes of a SHA-256; the training set is read once in each process.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    why, loss, measure = None, None, compared_by(model)
    try:
        loss = _loss(attempt, model, _read(open, training_set, model.shape), measure, seed)
        why = None if loss is not None else f"{measure.name} cannot be worked out on what it answers"
    except LearnerFailed as error:
        why = str(error)
    return Score(loss, round(time.perf_counter() - wall, 4), round(time.process_time() - cpu, 4), why)


def compared_by(model: Model) -> Measure:
    """What settings are compared by: what a candidate has to beat the champion on, else the model's own measure."""
    return measure_of_contest(model.promote_when, model)


def lost(measure: Measure, value: float) -> float:
    """A measure's value as something of which less is better."""
    return {"lower": value, "higher": -value, "zero": abs(value)}[measure.better]


def _loss(attempt: Attempt, model: Model, learnt: pa.Table, measure: Measure, seed: int) -> float | None:
    assert model.tune is not None
    fold = folds_of(model, learnt)[attempt.fold]
    past, future = learnt.filter(pa.array(fold.learn)), learnt.filter(pa.array(fold.judge))
    shape = shape_of(model.shape, learnt)
    feed = feed_for(model, past)
    rows = rows_of(past, shape, feed, seed=seed, settings=settings_at(model.tune, attempt.places))
    answers = Predictor(shape, feed, fit(model.learner, rows, shape)).answer(future)
    asked = future.take(pa.array(first_rows(future)))
    known = known_beside(asked, beside_of(model))
    scale = naive_error(asked, past, model.matures_after) if measure.name == "mase" else None
    value = measure.value(truths(asked, shape), replace(answers, beside=known, scale=scale))
    return None if value is None else lost(measure, value)


@lru_cache(maxsize=1)
def _read(open: Open, training_set: TrainingSet, shape: Shape) -> pa.Table:
    import pyarrow.parquet as pq

    return learnable(pq.read_table(pa.BufferReader(open(training_set.body))), training_set, shape)
