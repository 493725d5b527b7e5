"""Churn: which households will not come for four weeks, of those that came in the last eight. 84.51's Complete Journey, one-year slice.

What is known is read by the feature core: recency, frequency and money over six spans, how the fortnights before compare, what a visit
costs. Learnt from questions of every Thursday from June to September; asked on 15 November. The learner's settings were chosen by questions
of 18 October; what else was tried is told in docs/bench.md. Needs the extra ``everloop[demo]``; about two CPU minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from bench.goal import Goal, at_least
from everloop import days
from everloop.demo.quality import END, HERE, tables
from everloop.features.as_of import live
from everloop.features.truth import truths
from everloop.records import TrainingSet
from everloop.registry.blobs import Blobs
from everloop.stats.bootstrap import estimate
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers
from everloop.training.artefact import load
from everloop.training.rows import holdout
from everloop.training.train import train

SPANS: Final = [days(n) for n in (7, 14, 28, 56, 84, 168)]
FIRST, LAST, ASKED = (datetime(2017, *day, tzinfo=ZoneInfo(HERE)) for day in ((6, 1), (9, 30), (11, 15)))
LEARNER: Final = HistGradientBoostingClassifier(
    learning_rate=0.03, max_iter=250, max_leaf_nodes=8, min_samples_leaf=200, l2_regularization=10.0, max_features=0.3, early_stopping=False
)


def churn() -> Iterator[Goal]:
    """How well it ranks households on 15 November."""
    project, events = tables()
    baskets = project.source("baskets")
    fortnights = [baskets.count(last=days(14), ago=days(n)) for n in (14, 28, 42, 56, 70)]
    months = [baskets.count(last=days(28), ago=days(n)) for n in (28, 56, 84, 112, 140)]
    weeks = [baskets.any(last=days(7), ago=days(n)) for n in (7, 14, 21, 28, 35, 42, 49)]
    knows = [
        baskets.latest("ordered_at"), *baskets.count(last=SPANS), *baskets.total("amount", last=SPANS),
        *baskets.total("items", last=[days(28), days(84), days(168)]), *baskets.mean("amount", last=[days(28), days(84)]),
        baskets.highest("amount", last=days(84)), baskets.lowest("amount", last=days(84)), *fortnights, *months, *weeks, baskets.count(),
    ]  # fmt: skip
    model = project.model("churn").but("churn_rich", knows=knows, learner=LEARNER)
    moments = [FIRST + timedelta(days=7 * week) for week in range(18) if FIRST + timedelta(days=7 * week) <= LAST]
    asked = [live(model, events, moment=moment.astimezone(UTC)) for moment in (*moments, ASKED)]
    table = pa.concat_tables(a.append_column("truth", truths(model.predicts, a, events, model=model, known_at=END).truth) for a in asked)
    table = table.set_column(0, "question", pa.array(np.arange(len(table))))
    asked_at, learnt_until = ASKED.astimezone(UTC), (ASKED - timedelta(days=28)).astimezone(UTC)
    split = TrainingSet(
        id="bench", made_at=END, model=model.name, body="", columns=model.columns, rows=len(table), learn_rows=len(table) - len(asked[-1]),
        judge_rows=len(asked[-1]), first_at=FIRST.astimezone(UTC), learn_until=learnt_until, judge_from=asked_at, last_at=asked_at,
        truths_known_at=END,
    )  # fmt: skip
    judged = holdout(table, split)
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder))
        learnt = train(model, table, split, seed=0, id="bench", now=END, save=blobs.save)
        answers = load(learnt, blobs.read).answer(judged)
    truth, auc = judged.column("truth").to_numpy(), measure("auc")
    units = np.array(judged.column("unit").to_pylist(), dtype=object)
    found = estimate(auc, truth, answers, units, np.zeros(len(truth), dtype=np.int64))
    recency = judged.column("baskets_ordered_at_latest").to_numpy()
    alone = auc.value(truth, Answers(answers.shape, recency / recency.max()))
    beside = f"{found.low:.3f} … {found.high:.3f} with 95 % confidence, {len(truth):,} households, {len(model.columns)} columns"
    yield at_least("churn, what is known read richly, 15 November", float(found.value or 0), 0.86, "AUC", f"{beside}; recency {alone:.3f}")
