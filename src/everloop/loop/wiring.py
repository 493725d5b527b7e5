"""The only place where the stages meet: each verb of the ring, given what it needs from the house. A verb is called at most once a step.

Every verb takes the ``Step`` first and returns the one record it makes. Nothing here decides or judges;
it fetches and hands over.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from everloop import checks, gates, lake, rollout, training
from everloop.connect.mlflow.learner import caught
from everloop.errors import CodeChanged, Overtaken
from everloop.loop import decide as deciding
from everloop.loop import met, remembered, trial, tuning
from everloop.loop.beside import why_not_beside
from everloop.loop.executors import executor_of, opened
from everloop.loop.findings import overdue_now, stopped
from everloop.loop.house import load_any
from everloop.loop.keep import Step
from everloop.loop.learnt import changed_at, new_reference, new_since
from everloop.loop.project_file import open_project
from everloop.loop.signing import sign_artefact
from everloop.loop.sliced import keep_slices
from everloop.loop.tell import logged, told
from everloop.loop.tell.answerable import way_back
from everloop.loop.timed import timed
from everloop.loop.training_sets import of_snapshot
from everloop.project.measured import beside_of
from everloop.project.model import Model
from everloop.project.noted import noted
from everloop.project.resolve import awaited
from everloop.records import (
    Candidate,
    Contest,
    Decision,
    Report,
    Signals,
    Snapshot,
    Traffic,
    TrainingSet,
    Verdict,
    Version,
)
from everloop.registry.store import BlobStore
from everloop.settings import Settings
from everloop.training.environment import environment
from everloop.training.executor import Serial, doing
from everloop.training.light import compile_version
from everloop.training.train import Save
from everloop.training.usage import also


def watch(step: Step, traffic: Traffic) -> Signals:
    """What watching finds about every condition of the model."""
    return trial.watch(step.house, step.model, traffic, now=step.now, id=step.id)


def decide(step: Step, traffic: Traffic, signals: Signals) -> Decision:
    """The one thing to do now."""
    memory = remembered.memory(step.house, step.model, traffic, signals, now=step.now, cause=step.cause)
    return deciding.decide(step.house.held_back(step.model), traffic, signals, memory, now=step.now, id=step.id)


def undo(step: Step, traffic: Traffic, decision: Decision) -> Traffic:
    """The way back, of the candidates alone that do harm where others do none. Raises Overtaken where somebody moved the traffic since it
    was decided."""
    _still(traffic, decision.made_from)
    if decision.drops:
        return dropped(traffic, decision, step.now, step.id)
    traffic = way_back(step.house, traffic)
    before = step.house.champion_before(traffic)
    because = "; ".join(decision.because)
    return rollout.undo(traffic, now=step.now, id=step.id, because=because, before=before, made_from=(decision.id,))


def advance(step: Step, traffic: Traffic, decision: Decision) -> Traffic:
    """The roll-out's next step. Raises Overtaken where somebody moved the traffic since it was decided."""
    _still(traffic, decision.made_from)
    signals = next((r for r in map(step.house.journal.find, decision.made_from) if isinstance(r, Signals)), None)
    moved = rollout.step(traffic, step.model.roll_out, signals, now=step.now, id=step.id, made_from=(decision.id,))
    return replace(moved, because=moved.because or "; ".join(decision.because))


def snapshot(step: Step) -> Snapshot:
    """What had happened, as the lake knows it now."""
    return lake.snapshot(step.house.lake, (*step.model.sources, *told.own_sources(step.house)), now=step.now, id=step.id)


def check(step: Step, snapshot: Snapshot, *, as_watched: bool = False) -> Report:
    """Is it fit to learn from? ``as_watched``: also by what a turn has seen before it decides to learn, for who asks without a turn."""
    house, model = step.house, step.model
    deliveries = [d for s in model.sources for d in lake.deliveries(house.lake, s, through_seq=_through(snapshot, s.name))]
    tables = house.read(snapshot, model)
    report = checks.check(
        snapshot,
        tables,
        model,
        deliveries=deliveries,
        since_seq=house.last_fit(model),
        awaited=awaited(house.project.models.values()),
        now=step.now,
        id=step.id,
    )
    report = replace(report, findings=(*report.findings, *stopped(model, tables, step.now))) if as_watched else report
    overdue = tuple(finding.sentence for finding in overdue_now(house, model, step.now))
    return met.with_files(house, model, replace(report, overdue=overdue or None), tables, step.now)


def as_of(step: Step, snapshot: Snapshot, decision: Decision) -> TrainingSet:
    """Questions with their features as they were known, and their mature truths, from the decision's change point on."""
    return _as_of(step, snapshot, decision.learn_from or changed_at(step.house, step.model), (snapshot.id, decision.id))


def as_of_now(step: Step, snapshot: Snapshot) -> TrainingSet:
    """The same, where no decision asked for it."""
    return _as_of(step, snapshot, changed_at(step.house, step.model), (snapshot.id,))


def as_of_after(step: Step, snapshot: Snapshot, learnt_until: datetime | None) -> TrainingSet:
    """The same, for a candidate that has learnt until that instant already: nothing it has seen may judge it."""
    return _as_of(step, snapshot, None, (snapshot.id,), seen_until=learnt_until)


def _as_of(
    step: Step, snapshot: Snapshot, learn_from: datetime | None, made_from: tuple[str, ...], *, seen_until: datetime | None = None
) -> TrainingSet:
    house, model = step.house, step.model
    seen = [at for at in (house.champion(house.traffic(model)).learnt_until, seen_until) if at is not None]
    return of_snapshot(
        house,
        model,
        snapshot,
        now=step.now,
        id=step.id,
        save=house.blobs.save,
        made_from=made_from,
        learn_from=learn_from,
        judge_after=max(seen, default=None),
        max_questions=house.settings.max_questions,
        seed=step.seed,
        told=told.told_by(house, snapshot, model, step.now),
    )


def train(step: Step, training_set: TrainingSet) -> Candidate:
    """A candidate, learnt in a child process that dies with this one; with the settings a search finds, where the model has one."""
    house, model = step.house, step.model
    found = tuning.settings_for(house, model, training_set)
    work = partial(
        _train,
        model,
        house.blobs,
        training_set,
        champion=house.champion(house.traffic(model)),
        seed=step.seed,
        id=step.id,
        now=step.now,
        environment=environment(house.settings.folder, house.settings.ran_by),
        searched=found,
        allow_pickle=house.settings.pickle,
        compiled=house.settings.compiled,
        mlflow=house.settings.told_to_mlflow(step.id) if house.settings.mlflow else None,
        settings=house.settings,
        path=house.project.path,
        code=house.project.code,
    )
    return house.in_child(work, rows=training_set.learn_rows)


def rehearse(step: Step, traffic: Traffic, candidate: Candidate, training_set: TrainingSet) -> Contest:
    """Champion and candidate on the same moments, each with its own features."""
    house, model = step.house, step.model
    whole = house.table(training_set)
    table = training.holdout(whole, training_set)
    champion = house.champion(traffic)
    side, asked = logged.side(house, model, traffic, table)
    predictor = house.predictor(candidate)
    times, read = timed(house, model, candidate, table, gates.timings_needed(model.promote_when), step.now)
    contest, body = training.rehearse(
        side,
        training.Side(candidate.id, predictor),
        asked,
        model=model.name,
        id=step.id,
        now=step.now,
        save=house.blobs.save,
        made_from=(candidate.id, champion.id, training_set.id),
        champions_holdout=house.with_columns_of(model, champion, asked, lambda m: house.read(_snapshot(step, training_set), m)),
        milliseconds=times,
        beside=beside_of(model),
        **(training.beside(asked, whole, training_set, candidate.shape, model.matures_after) if model.asked is not None else {}),
        lists=model if model.kind == "ranking" else None,
    )
    contest = replace(
        contest,
        number=remembered.contests(house, model, champion.id) + 1,
        features_read=read,
        shaken=training.shaken(predictor, asked, seed=step.seed) if len(asked) else None,
        alone=training.alone(asked, candidate.columns, candidate.shape.kind) if len(asked) else (),
    )
    keep_slices(house, model, contest, body, asked)
    return replace(contest, why_empty=logged.NONE_LOGGED) if len(table) and not len(asked) else contest


def judge(step: Step, contest: Contest) -> Verdict:
    """Is the candidate better, fair and fast enough?"""
    paired = training.read_paired(step.house.blobs.read(contest.body)) if contest.body else None
    return gates.judge(contest, paired, step.model.promote_when, step.model, now=step.now, id=step.id, seed=step.seed)


def permit(step: Step, verdict: Verdict) -> Decision:
    """May the candidate take over? It asks a person where the model does not act by itself."""
    rehearsed = remembered.is_rehearsal(step.house, step.house.candidate(verdict.candidate))
    held = step.house.traffic(step.model).held
    return deciding.permit(step.house.held_back(step.model), verdict, now=step.now, id=step.id, rehearsed=rehearsed, held=held)


def admit(step: Step, candidate: Candidate, verdict: Verdict) -> Version:
    """The candidate as a version; its number is given where it is kept."""
    sign_artefact(step.house, candidate)
    made_from = (candidate.id, verdict.id)
    return Version(
        id=step.id, made_at=step.now, made_from=made_from, model=step.model.name, number=0, candidate=candidate.id, verdict=verdict.id
    )


def begin(step: Step, traffic: Traffic, version: Version) -> Traffic:
    """The first step of its roll-out, or of several candidates the place beside the others in it. Raises Overtaken where its contest was
    against another champion than today's, or it cannot be tested beside the others."""
    contest = step.house.contest_of(version)
    champion = step.house.champion(traffic)
    if contest is not None and contest.champion != champion.id:
        raise Overtaken(
            f"{version.name} was judged against another champion than {champion.id}, who answers now. Nothing was changed. "
            f"Judge it again: everloop judge {step.model.name} {version.candidate}"
        )
    because = f"{version.name} passed the gate"
    verdict = step.house.verdict(version.verdict)
    if verdict is not None and verdict.by:
        because = f"{verdict.by} let {version.name} in past the gate: {verdict.reason}"
    because += _new_reference(step, version)
    if traffic.rolling and (why := why_not_beside(step.house, step.model, traffic)):
        raise Overtaken(why)
    return rollout.begin(traffic, version.id, step.model.roll_out, now=step.now, id=step.id, because=because)


def dropped(traffic: Traffic, decision: Decision, now: datetime, id: str) -> Traffic:
    """The test of several candidates goes on without those that a decision drops."""
    because = "; ".join(decision.because)
    return rollout.drop(traffic, decision.drops, now=now, id=id, because=because, made_from=(decision.id,))


# -- what runs in a child --------------------------------------------------------------------------------------------------------------


def open_in_child(path: Path | None, code: str = "") -> None:
    """Open the project file, so that the functions and classes of the user are found by their names. Raises CodeChanged where it is not
    the ``code`` any more that the parent opened."""
    if path is None:
        return
    opened = open_project(path)
    if code and opened.code != code:
        raise CodeChanged(f"{path.name}, or what it imports, was changed since this process opened it. Start the process again.")


def learnt(
    model: Model,
    blobs: BlobStore,
    training_set: TrainingSet,
    *,
    champion: Candidate | None,
    save: Save,
    allow_pickle: bool,
    since: datetime | None = None,
    **words: object,
) -> Candidate:
    """A candidate learnt from a training set whose body is among the blobs; what it takes goes where ``save`` puts it. ``since``: no older
    rows; where a champion is gone on from, none that it knows."""
    table = pq.read_table(pa.BufferReader(blobs.read(training_set.body)))
    goes_on = champion if champion is not None and champion.artefact and champion.stored is None else None
    before = load_any(goes_on, blobs.read, given=model.baseline, allow_pickle=allow_pickle) if goes_on is not None else None
    since = new_since(model, champion, before) or since
    return training.train(model, table, training_set, save=save, champion=before, learn_from=since, allow_pickle=allow_pickle, **words)  # type: ignore[arg-type]


def _train(
    model: Model,
    blobs: BlobStore,
    training_set: TrainingSet,
    *,
    allow_pickle: bool,
    compiled: Path,
    mlflow: Path | None,
    settings: Settings,
    path: Path | None,
    code: str,
    **words: Any,
) -> Candidate:
    # A learner of many models spreads them from here: the child that learns dies with its parent, and those it asks with it.
    spread = executor_of(settings, opened(path, code), spent=also) or Serial()
    with noted() as notes, doing(spread), caught(mlflow) if mlflow else nullcontext():
        made = learnt(model, blobs, training_set, save=blobs.save, allow_pickle=allow_pickle, **words)
    made = replace(made, notes=tuple(notes.items()) or None)
    with suppress(Exception):  # a copy for lean workers: whoever finds none loads the artefact
        compile_version(made, blobs.read, compiled, allow_pickle=allow_pickle)
    return made


# -- small things ----------------------------------------------------------------------------------------------------------------------


def _still(traffic: Traffic, made_from: tuple[str, ...]) -> None:
    """A turn that was resumed must not act on a traffic it has not decided about."""
    if traffic.id not in made_from:
        raise Overtaken(
            f"{traffic.model}: somebody moved the traffic since this was decided; nothing was changed. "
            f"See: everloop history {traffic.model}"
        )


def _new_reference(step: Step, version: Version) -> str:
    """From what on drift is measured once a version answers that was learnt because of drift; nothing for any other."""
    said = new_reference(step.house, step.house.candidate(version.candidate))
    return f"; once it answers, {said}" if said else ""


def _snapshot(step: Step, training_set: TrainingSet) -> Snapshot:
    record = step.house.journal.get(training_set.made_from[0])
    assert isinstance(record, Snapshot)
    return record


def _through(snapshot: Snapshot, source: str) -> int:
    extent = snapshot.extent(source)
    return extent.through_seq if extent else 0
