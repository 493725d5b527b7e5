"""Training: a training set becomes a candidate. In: a model, a table, a seed. Out: a Candidate; its bytes leave through ``save``.

Reads no business clock (``now`` is an argument) and no disk. Meant to run in a child (``child.in_child``): a learner may take its process
with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from everloop.clock import from_microseconds
from everloop.errors import LearnerFailed
from everloop.project.conditions import only_new
from everloop.project.learner import learner_repr
from everloop.project.model import Model
from everloop.project.reading import is_reading
from everloop.records import Candidate, TrainingSet, identity
from everloop.stats.shapes import Answers
from everloop.training.artefact import Artefact, dump, thawed, unframed
from everloop.training.environment import Environment
from everloop.training.feed import Feed, feed_of
from everloop.training.fit import fit
from everloop.training.golden import answered_alone, differing, golden_rows, write_golden
from everloop.training.predictor import Answering, Predictor
from everloop.training.rows import learnable, rows_of, shape_of
from everloop.training.searched import Searched, learner_with, parameters_said

Save: TypeAlias = Callable[[bytes], str]


def train(
    model: Model,
    table: pa.Table,
    training_set: TrainingSet,
    *,
    seed: int,
    id: str,
    now: datetime,
    save: Save,
    environment: Environment | None = None,
    champion: Answering | None = None,
    learn_from: datetime | None = None,
    searched: Searched | None = None,
    allow_pickle: bool = False,
) -> Candidate:
    """What the model's learner makes of a training set, and everything it takes to make it again.

    ``table`` is the training table (docs/training.md); only its rows before ``training_set.learn_until`` are learnt from, and none before
    ``learn_from`` (aware). ``champion`` is gone on from with ``only_new()``, and shown to a function learner as ``rows.champion``.
    ``searched``: the settings to learn with, and how they were found. Raises LearnerFailed: nothing to learn, the learner raised, it
    answers what is no answer, or it cannot be stored.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    learnt = learnable(table, training_set, model.shape, learn_from)
    shape = shape_of(model.shape, learnt)
    goes_on = isinstance(model.learns_from, only_new)
    before = champion if isinstance(champion, Predictor) and (not goes_on or champion.columns == tuple(model.columns)) else None
    feed = before.feed if goes_on and before is not None else feed_for(model, learnt)
    settings = searched.settings if searched else None
    rows = rows_of(learnt, shape, feed, seed=seed, settings=settings, champion=None if before is None else before.fitted)
    predictor = Predictor(shape, feed, fit(model.learner, rows, shape, only_new=goes_on))
    made = _made(predictor, golden_rows(learnt, feed.columns), model, allow_pickle)
    here = environment or Environment()
    return Candidate(
        id=id,
        made_at=now,
        made_from=(training_set.id,),
        model=model.name,
        artefact=save(made.artefact.body),
        format=made.artefact.format,
        needs=made.artefact.needs,
        columns=feed.columns,
        shape=shape,
        learner=learner_with(model.learner, searched),
        parameters=parameters_said(model.learner, searched),
        golden=save(made.golden),
        seed=seed,
        learnt_from=from_microseconds(int(rows.moments.min())),
        learnt_until=from_microseconds(int(rows.moments.max())),
        rows=len(rows),
        seconds=round(time.perf_counter() - wall, 3),
        cpu_seconds=round(time.process_time() - cpu, 3),
        environment=here.versions,
        commit=here.commit,
        dirty=here.dirty,
        definition=identity(model.said),
        knows=tuple(repr(r) for r in model.knows),
    )


@dataclass(frozen=True)
class Made:
    """A predictor as stored bytes that answer as it does, with its golden rows."""

    artefact: Artefact
    golden: bytes


def feed_for(model: Model, learnt: pa.Table) -> Feed:
    """How a model's learner is fed these rows; which string columns are texts follows from the readings."""
    texts = [r.name for r in model.knows if is_reading(r) and r.kind == "text"]
    return feed_of(learnt, model.columns, model.fed_as, texts)


def _made(predictor: Predictor, golden: pa.Table, model: Model, allow_pickle: bool) -> Made:
    """What is judged is what is served: the predictor that was stored and read back has to answer as the fitted one does."""
    answers = answered_alone(predictor, golden)
    refuse_no_answers(answers, model)
    artefact = dump(predictor, allow_pickle=allow_pickle)
    header, body = unframed(artefact.body, model.name)
    again = Predictor(header.shape, header.feed, thawed(artefact.format, body, artefact.needs, model.name))
    wrong = differing(answered_alone(again, golden), answers)
    if wrong:
        raise LearnerFailed(
            f"{learner_repr(model.learner)} answers {wrong} of {len(answers)} rows otherwise once stored and read back. It keeps "
            "something outside its "
            "attributes, or draws by chance when it answers: give it a random_state, or keep what it needs in attributes."
        )
    return Made(artefact, write_golden(golden, answers))


def refuse_no_answers(answers: Answers, model: Model) -> None:
    """Raise LearnerFailed where rows it has learnt from get no answer, saying which."""
    missing = np.isnan(answers.value)
    if not missing.any():
        return
    what = {"chance": "a chance between 0 and 1", "shares": "shares that add up to 1", "ranking": "a score"}.get(
        answers.shape.kind, "a finite number"
    )
    raise LearnerFailed(
        f"{learner_repr(model.learner)} answers {int(missing.sum())} of {len(answers)} rows it has learnt from with what is not {what} "
        "(the first: row "
        f"{int(np.flatnonzero(missing)[0])}). Mend the learner, or predict something it can answer."
    )
