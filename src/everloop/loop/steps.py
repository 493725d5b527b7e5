"""Single steps of the ring, for who wants one at a time: check, watch, train, judge. Each is kept like a turn's, and decides nothing."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from everloop.errors import Unknown
from everloop.features.as_of import as_of
from everloop.loop import wiring as do
from everloop.loop.adopt import adopt
from everloop.loop.brought import brought
from everloop.loop.house import House
from everloop.loop.tell.told import told_truths
from everloop.project.model import Model
from everloop.records import Candidate, Report, Signals, TrainingSet, Verdict, identity


def check_now(house: House, model: Model, now: datetime) -> Report:
    """Is what has happened fit to learn from, by everything that would keep a turn from it?"""
    with house.keeping(model, now, "check") as keep:
        return keep(do.check, keep(do.snapshot), as_watched=True)


def watch_now(house: House, model: Model, now: datetime) -> Signals:
    """What watching finds; kept nowhere."""
    from everloop.loop import trial

    adopt(house, model, now)
    return trial.watch(house, model, house.traffic(model), now=now, id=identity("look", model.name, now.isoformat()))


def train_now(house: House, model: Model, now: datetime) -> Candidate | Report | TrainingSet:
    """A candidate learnt from everything known now; or the report, or the empty training set, that stood in its way."""
    with house.keeping(model, now, "train") as keep:
        snapshot = keep(do.snapshot)
        report = keep(do.check, snapshot)
        if not report.passed:
            return report
        training_set = keep(do.as_of_now, snapshot)
        return keep(do.train, training_set) if training_set.learn_rows else training_set


def judge_now(house: House, model: Model, candidate: str | None, now: datetime) -> Verdict:
    """A candidate (the newest, if none is named) against the champion on the newest mature truth. Nothing takes over."""
    adopt(house, model, now)
    found = newest_candidate(house, model, candidate)
    with house.keeping(model, now, f"judge {found.id}") as keep:
        snapshot = keep(do.snapshot)
        training_set = keep(do.as_of_now, snapshot)
        contest = keep(do.rehearse, house.traffic(model), found, training_set)
        return keep(do.judge, contest)


def training_table(house: House, model: Model, now: datetime) -> pa.Table:
    """The training table as it would be learnt from now: questions, features, truths. Keeps nothing in the journal."""
    tables = house.tables(model)
    told, came = told_truths(house, model, now), brought(house, model, now)
    return house.table(as_of(model, tables, now=now, id="table", save=house.blobs.save, told=told, delivered=came))


def newest_candidate(house: House, model: Model, id: str | None) -> Candidate:
    """The candidate of this id, or the newest that was learnt. Raises Unknown."""
    if id is not None:
        return house.candidate(id)
    for entry in house.journal.read(kind="Candidate", model=model.name, newest_first=True):
        if isinstance(entry.record, Candidate) and entry.record.format not in ("baseline", "elsewhere"):
            return entry.record
    raise Unknown("candidate of", model.name, next=f"Learn one first: everloop train {model.name}")
