"""Export: what a house knows, for teams that keep features in Feast or data in DVC, and for programs that tell a unit's arm themselves.

In: a house, a model. Out: files in a folder. What is written is read again from where the house itself reads it: the lake's snapshots,
the training sets' bodies, the event tables, the traffic in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import from_microseconds, microseconds, said
from everloop.connect import dvc
from everloop.connect.arms import folder as arms
from everloop.connect.feast import repository
from everloop.connect.feast.online import features_of
from everloop.connect.whole import parquet
from everloop.errors import EverloopError, Unknown
from everloop.features.as_of import live
from everloop.features.compile import features
from everloop.features.questions import questions
from everloop.lake.snapshot import read
from everloop.loop.house import House
from everloop.loop.lineage import snapshot_of, training_set_of, version_named
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Snapshot, TrainingSet


@dataclass(frozen=True)
class ToFeast:
    """What was written for Feast: the files, how many rows, and the instants of the first and last (none without rows)."""

    model: str
    files: tuple[Path, ...]
    rows: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True)
class ToDvc:
    """What was written for DVC, and what it pins; ``same``: the folder's hash is the one that was pinned before (None: nothing was)."""

    model: str
    training_set: str
    snapshot: str | None
    md5: str
    files: tuple[str, ...]
    changed: tuple[str, ...]
    same: bool | None


@dataclass(frozen=True)
class ToAssignment:
    """What was written for programs that tell a unit's arm themselves: the files, and each model's roll-out as they read it."""

    files: tuple[Path, ...]
    rollouts: Mapping[str, Mapping[str, Any]]


def to_feast(house: House, model: Model, folder: Path, now: datetime) -> ToFeast:
    """A feature repository of a model in a folder: its rows as known at each moment it was asked, and of everybody as known now.

    Raises EverloopError for a model that answers with a list.
    """
    if model.kind == "ranking":
        raise EverloopError(
            f"{model.name} answers with a list: what it knows belongs to each candidate of a unit, for which Feast has no row."
        )
    rows = known_rows(house, model, now)
    files = repository.write(folder, model, rows, features_of(model), made_at=now)
    moments = rows["moment"]
    ends = [from_microseconds(moments[place].as_py()) for place in (0, -1)] if rows.num_rows else [None, None]
    return ToFeast(model.name, tuple(files), rows.num_rows, *ends)


def known_rows(house: House, model: Model, now: datetime) -> pa.Table:
    """What a model knew at each question it was asked until now, by moment, as in training; then what it knows of everybody now.

    As many questions and as far back as training would take: ``learns_from`` and ``[training] max_questions``. The rows of a source are
    asked about once each, at their own moment.
    """
    tables, names = house.tables(model), features_of(model)
    first = now - model.learns_from if isinstance(model.learns_from, timedelta) else None
    asked = questions(model, tables, first=first, last=now, at_most=house.settings.max_questions)
    if not isinstance(model.per, Source):
        asked = asked.filter(pc.less(asked["moment"], microseconds(now)))  # those of this instant come below, whole
    then = features(model.knows, asked, tables, model=model)
    columns = ["moment", *model.unit]
    rows = pa.table({**{name: asked[name] for name in columns}, **{name: then[name] for name in names}})
    if isinstance(model.per, Source):
        return rows
    # A request may be about anybody: whom ``among`` leaves out must not be served what was known when they were last asked about.
    anybody = model.but(model.name, among=()) if model.among else model
    return pa.concat_tables([rows, live(anybody, tables, moment=now).select([*columns, *names])], promote_options="permissive")


def to_dvc(house: House, model: Model, folder: Path, *, version: str | None = None, again: bool = False) -> ToDvc:
    """The training set a version learnt from and the snapshot under it, in a folder that DVC tracks.

    ``version``: such as ``demand@3``; by default the newest training set there is. ``again``: what ``MODEL.pins.toml`` in the folder names
    is read from the house again; ``same`` says whether it is still what ``MODEL.dvc`` pins. Raises Unknown, EverloopError.
    """
    pinned = dvc.said_by(folder, model.name)
    training_set = _pinned_set(house, model, folder) if again else _training_set(house, model, version)
    snapshot = snapshot_of(house, training_set)
    bodies = {"training.parquet": house.blobs.read(training_set.body)}
    for source in model.sources if snapshot is not None else ():
        if snapshot is not None and snapshot.extent(source.name) is not None:
            bodies[f"sources/{source.name}.parquet"] = parquet(read(house.lake, snapshot, source))
    done = dvc.write(folder, model.name, bodies, _pins(model, training_set, snapshot, bodies))
    same = None if pinned is None else pinned == done.md5
    return ToDvc(model.name, training_set.id, snapshot.id if snapshot else None, done.md5, done.files, done.changed, same)


def to_assignment(house: House, folder: Path) -> ToAssignment:
    """The arm of a unit for JavaScript and Liquid, with the roll-out in force of every model that has begun.

    Raises EverloopError where a file of somebody else is in the way or the folder cannot be written; then nothing was.
    """
    with house.store.reading() as t:
        rolled = {}
        for name, traffic in house.pointers.all(within=t).items():
            champion = house.versions.get(traffic.champion, within=t).name
            candidate = ", ".join(house.versions.get(version, within=t).name for version in traffic.candidates) or None
            rolled[name] = arms.Rolled(traffic, champion, candidate, _split_on(house.project.models.get(name)))
    return ToAssignment(tuple(arms.write(folder, rolled)), {name: arms.said(one) for name, one in rolled.items()})


def spoken_feast(done: ToFeast, folder: Path) -> str:
    """What was written for Feast, and what to do with it."""
    if done.first_at is None or done.last_at is None:
        return f"Wrote {_listed(done.files, folder)} in {folder}: no row yet, since nobody has been asked about."
    span = f"{done.first_at:%Y-%m-%dT%H:%M:%S} {done.last_at + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    return (
        f"Wrote {_listed(done.files, folder)} in {folder}: {done.rows:,} rows of {done.model}, from {said(done.first_at)} to "
        f"{said(done.last_at)}.\nNext: cd {folder} && feast apply && feast materialize {span}"
    )


def spoken_dvc(done: ToDvc, folder: Path) -> str:
    """What was written for DVC, whether it is what was pinned, and what to do with it."""
    made = f"snapshot {done.snapshot}" if done.snapshot else "no snapshot"
    line = f"{done.model}/ in {folder} holds training set {done.training_set} and {made}: {', '.join(done.files)} ({done.md5})."
    if done.same:
        return f"{line}\nIt is byte for byte what {done.model}.dvc pinned."
    if done.same is False:
        other = f" These differ: {', '.join(done.changed)}." if done.changed else ""
        return f"{line}\nIt is not what {done.model}.dvc pinned before.{other} Next: git diff {done.model}.pins.toml"
    return f"{line}\nNext: cd {folder} && dvc add {done.model} && git add {done.model}.dvc {done.model}.pins.toml .gitignore"


def spoken_assignment(done: ToAssignment, folder: Path) -> str:
    """What was written for JavaScript and Liquid, and who is answered by whom."""
    lines = [f"Wrote {_listed(done.files, folder)} in {folder}."]
    for name, rollout in done.rollouts.items():
        if rollout["stage"] == "canary":
            whom, says = " and ".join(rollout["unit"]) or "unit", "answer" if len(rollout["candidates"]) > 1 else "answers"
            lines.append(f"{name}: {rollout['candidate']} {says} {100 * rollout['share']:.4g} % by {whom}.")
        else:
            lines.append(f"{name}: {rollout['champion']} answers everybody ({rollout['stage']}).")
    if not done.rollouts:
        lines.append("No model has begun, so nobody is rolled out. Next: everloop turn")
    return "\n".join(lines)


def spoken_views(files: Sequence[Path], folder: Path, next: str) -> str:
    """What was written to look at a house with, and what to do with it."""
    return f"Wrote {_listed(files, folder)} in {folder}.\nNext: {next}"


def _listed(files: Sequence[Path], folder: Path) -> str:
    return ", ".join(path.relative_to(folder).as_posix() for path in files)


def _split_on(model: Model | None) -> tuple[str, ...]:
    """The columns whose text decides the arm; none of a model the project no longer has."""
    if model is None:
        return ()
    return (model.split_by,) if model.split_by is not None else model.unit


def _training_set(house: House, model: Model, version: str | None) -> TrainingSet:
    """The training set a version learnt from, or the newest there is. Raises Unknown where there is none."""
    if version is not None:
        return training_set_of(house, house.candidate(version_named(house, model, version).candidate), version)
    for entry in house.journal.read(kind="TrainingSet", model=model.name, newest_first=True, limit=1):
        if isinstance(entry.record, TrainingSet):
            return entry.record
    raise Unknown("training set of", model.name, next=f"Make one first: everloop train {model.name}")


def _pinned_set(house: House, model: Model, folder: Path) -> TrainingSet:
    """The training set the folder's pins name. Raises Unknown where this house has none of that id, or another."""
    pins = dvc.pinned(folder, model.name)
    record = house.journal.find(str(pins.get("training_set", "")))
    if not isinstance(record, TrainingSet) or (record.model, record.body) != (model.name, pins.get("body")):
        raise Unknown("training set", str(pins.get("training_set")), where="this house", next="The pins are of another house.")
    return record


def _pins(model: Model, training_set: TrainingSet, snapshot: Snapshot | None, bodies: Mapping[str, bytes]) -> dvc.Pins:
    """What is pinned; nothing of when it was exported, so that the same data has the same pins."""
    pins: dict[str, dvc.Pin] = {"model": model.name, "training_set": training_set.id, "rows": training_set.rows, "body": training_set.body}
    pins |= {"truths_known_at": training_set.truths_known_at.isoformat(), "pyarrow": str(pa.__version__)}
    if snapshot is not None:
        pins |= {"snapshot": snapshot.id, "taken_at": snapshot.made_at.isoformat()}
        pins["sources"] = {e.source: {"delta_version": e.version, "through_seq": e.through_seq, "rows": e.rows} for e in snapshot.extents}
    pins["files"] = {relative: {"md5": dvc.md5(body), "bytes": len(body)} for relative, body in sorted(bodies.items())}
    return pins
