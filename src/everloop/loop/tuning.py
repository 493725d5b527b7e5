"""Tuning in a turn: which settings a candidate is learnt with. Trials are tried in children and kept as facts, so that a search goes on.

A trial is kept under what it was tried on (the model as said, the rows), not under the turn: a turn that was killed, and one that is begun
anew on the same rows, go on with the same search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pyarrow as pa

from everloop.clock import EPOCH
from everloop.connect.mlflow.learner import unheard
from everloop.errors import EverloopError
from everloop.loop.house import House
from everloop.loop.spending import cost
from everloop.project.model import Model
from everloop.records import TrainingSet, identity
from everloop.stats.measures import Measure
from everloop.stats.rounded import figure
from everloop.training.rows import learnable
from everloop.training.searched import Searched
from everloop.training.trials import Attempt, Score, Trial, attempted, compared_by, folds_of
from everloop.training.tune import Search, searched
from everloop.training.usage import Usage

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class InChild:
    """An executor: all items one after another in one child process, which dies with this one."""

    house: House
    rows: int = 0

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        listed = list(items)
        mirrored = self.house.settings.mlflow is not None
        return self.house.in_child(partial(_each, fn, listed, mirrored), rows=self.rows) if listed else []


def settings_for(house: House, model: Model, training_set: TrainingSet) -> Searched | None:
    """The settings a search finds within the rows that are learnt from; None where the model has no ``tune=``.

    Where there is too little of the past to cut into folds, the learner is taken as declared, and ``why`` says so. Raises Missing without
    optuna, EverloopError for a budget in money where nothing has a price, LearnerFailed where nothing can be learnt with.
    """
    if model.tune is None:
        return None
    if model.tune.money is not None and not (cost(Usage(3600.0, 0, 0), house.settings.prices).money or 0) > 0:
        raise EverloopError(
            f"{model.name}: search(…, money={model.tune.money:g}) is a budget in money, and nothing has a price. Say one in everloop.toml: "
            "[prices] cpu_hour = 0.05"
        )
    learnt = learnable(house.table(training_set), training_set, model.shape)
    folds, by = len(folds_of(model, learnt)), compared_by(model)
    if not folds:
        return Searched(measure=by.name, why=f"{len(learnt):,} rows are too few, or of too short a time, to try settings on folds of them")
    kept_as = identity("trials", model.said, _content(learnt))
    seed = int(kept_as[:8], 16) % 2**31
    work = partial(attempted, model=model, open=house.blobs.read, training_set=training_set, seed=seed)
    given = Search(
        tune=model.tune,
        folds=folds,
        measure=by.name,
        seed=seed,
        executor=house.executor or InChild(house, training_set.learn_rows),
        attempt=partial(_unheard, work) if house.executor and house.settings.mlflow else work,
        spoken=lambda loss: -loss if by.better == "higher" else loss,
        keep=partial(_keep, house, model, kept_as),
        money=lambda seconds: cost(Usage(seconds, 0, 0), house.settings.prices).money or 0.0,
        told=lambda trials: house.told(_progress(model, by, trials)),
    )
    return searched(given, trials_of(house, model, kept_as))


def trials_of(house: House, model: Model, kept_as: str) -> list[Trial]:
    """The trials that were kept under a name, in their order."""
    lots = [fact.body for fact in house.facts.read(model.name, f"trials {kept_as}")]
    return [Trial(**(one | {"losses": tuple(one["losses"])})) for lot in lots for one in lot]


def _keep(house: House, model: Model, kept_as: str, done: Sequence[Trial]) -> None:
    house.still()
    with house.store.transaction() as t:
        at = EPOCH + timedelta(microseconds=done[0].number)  # a trial is about no instant; this is its place in the search
        house.facts.put(t, model.name, f"trials {kept_as}", at, [vars(one) | {"losses": list(one.losses)} for one in done])


def _progress(model: Model, by: Measure, trials: Sequence[Trial]) -> str:
    """How far a search is, in a line."""
    done = [t for t in trials if t.ending == "done"]
    of = "" if model.tune is None or model.tune.trials is None else f" of {model.tune.trials:,}"
    if not done:
        return f"{model.name}: {len(trials) - 1:,}{of} settings tried; none could be learnt with yet."
    best = min(done, key=lambda t: t.losses[-1])
    value = figure(-best.losses[-1] if by.better == "higher" else best.losses[-1])
    which = f"setting {best.number}" if best.places else "the learner as declared"
    return f"{model.name}: {len(trials) - 1:,}{of} settings tried; best so far {which}, {by.name} {value}."


def _content(rows: pa.Table) -> str:
    """The SHA-256 of rows, whatever turn they were put together for."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata(None).combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _unheard(work: Callable[[Attempt], Score], attempt: Attempt) -> Score:
    with unheard(True):
        return work(attempt)


def _each(fn: Callable[[Item], Result], items: Sequence[Item], mirrored: bool) -> list[Result]:
    with unheard(mirrored):
        return [fn(item) for item in items]
