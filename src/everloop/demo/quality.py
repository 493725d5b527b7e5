"""How well the two models of the demo do on splits anybody can repeat, beside simple floors on the same rows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everloop.demo.shop import HERE, load, starts
from everloop.features.as_of import as_of, live
from everloop.features.truth import truths
from everloop.lake.place import open_lake
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source
from everloop.loop.project_file import Project, open_project
from everloop.project.model import Model
from everloop.records import TrainingSet
from everloop.registry.blobs import Blobs
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers
from everloop.training.artefact import load as load_artefact
from everloop.training.rows import holdout
from everloop.training.train import train

END = datetime(2018, 1, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Quality:
    """A figure (WAPE or AUC) with the floors on the same rows."""

    value: float
    rows: int
    floors: Mapping[str, float]


@cache
def tables() -> tuple[Project, Mapping[str, pa.Table]]:
    """The project and the event tables of the whole year, without plants."""
    project = open_project(Path(__file__).with_name("project.py"))
    shop = load()
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(Path(folder) / "lake", durability="process")
        for name, source in project.sources.items():
            receive(lake, source, getattr(shop, name), now=END, known_after=timedelta(0))
        return project, {name: read_source(lake, source) for name, source in project.sources.items()}


@cache
def demand_quality() -> Quality:
    """WAPE one step ahead over weeks 49 to 52, learnt from what was known when week 49 began; 1,303 products."""
    project, events = tables()
    model = project.model("demand").but("demand", holdout=timedelta(days=27), learns_from=timedelta(days=175))
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder))
        made = as_of(model, events, now=starts(53), id="quality", save=blobs.save)
        table = pq.read_table(pa.BufferReader(blobs.read(made.body)))
        judged = holdout(table, made)
        answers = _learnt(model, table, made, blobs, judged)
    truth = judged.column("truth").to_numpy()
    wape = measure("wape")
    floors = {"last week": judged.column("baseline").to_numpy(), "8-week mean": judged.column("usual").to_numpy() / 8}
    shape = answers.shape
    return Quality(
        float(wape.value(truth, answers) or np.nan),
        len(truth),
        {n: float(wape.value(truth, Answers(shape, f)) or np.nan) for n, f in floors.items()},
    )


@cache
def churn_quality() -> Quality:
    """AUC on 15 November, learnt from questions of the 15th of June to September; households active in the 56 days before."""
    project, events = tables()
    model = project.model("churn")
    days = [datetime(2017, month, 15, tzinfo=ZoneInfo(HERE)).astimezone(UTC) for month in (6, 7, 8, 9, 11)]
    asked = [live(model, events, moment=day) for day in days]
    table = pa.concat_tables(a.append_column("truth", truths(model.predicts, a, events, model=model, known_at=END).truth) for a in asked)
    table = table.set_column(0, "question", pa.array(np.arange(len(table))))
    split = TrainingSet(
        id="quality", made_at=END, model=model.name, body="", columns=model.columns, rows=len(table),
        learn_rows=len(table) - len(asked[-1]),
        judge_rows=len(asked[-1]), first_at=days[0], learn_until=days[-1] - timedelta(days=28), judge_from=days[-1], last_at=days[-1],
        truths_known_at=END,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        answers = _learnt(model, table, split, Blobs(Path(folder)), holdout(table, split))
    judged = holdout(table, split)
    truth, auc = judged.column("truth").to_numpy(), measure("auc")
    recency = judged.column("baskets_ordered_at_latest").to_numpy()
    floor = Answers(answers.shape, recency / recency.max())
    return Quality(float(auc.value(truth, answers) or np.nan), len(truth), {"recency alone": float(auc.value(truth, floor) or np.nan)})


def _learnt(model: Model, table: pa.Table, made: TrainingSet, blobs: Blobs, judged: pa.Table) -> Answers:
    candidate = train(model, table, made, seed=0, id="quality", now=END, save=blobs.save)
    return load_artefact(candidate, blobs.read).answer(judged)
