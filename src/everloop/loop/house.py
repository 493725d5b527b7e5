"""A house: one project, its stores, and what can be asked of them. Opening it makes what is not there; nothing here decides anything."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from sqlalchemy import Connection

from everloop.clock import EPOCH, said, wall
from everloop.errors import ClockWentBack, EverloopError, LearnerFailed
from everloop.lake.place import Lake
from everloop.lake.snapshot import read, read_source
from everloop.loop import keep as keeps
from everloop.loop.belonging import mark_in, together
from everloop.loop.lakes import lake_of
from everloop.loop.learnt import Tables, as_learnt, otherwise
from everloop.loop.online import folding
from everloop.loop.project_file import Project, open_project
from everloop.loop.spending import METER
from everloop.loop.stored import blobs_of
from everloop.project.heard import hear
from everloop.project.model import Model
from everloop.project.reading import AnyReading
from everloop.records import Candidate, Contest, Record, Report, Snapshot, Traffic, TrainingSet, Verdict, Version
from everloop.registry import history
from everloop.registry.approvals import Approvals
from everloop.registry.facts import Facts
from everloop.registry.incidents import Incidents
from everloop.registry.journal import Journal
from everloop.registry.outbox import Outbox
from everloop.registry.runs import Runs
from everloop.registry.sentences import clause
from everloop.registry.store import Store, SweptStore, open_store
from everloop.registry.traffic import Pointers
from everloop.registry.turns import Turns
from everloop.registry.versions import Versions
from everloop.serving.answer import Older
from everloop.settings import LEVELS, Level, Settings, read_settings
from everloop.training.artefact import load
from everloop.training.baseline import load_baseline
from everloop.training.child import in_child
from everloop.training.executor import Executor
from everloop.training.golden import check_golden
from everloop.training.losses import LossModel
from everloop.training.predictor import Answering

T = TypeVar("T")
MANY_ROWS = 200_000
NOW = timedelta(minutes=1)
"""What is at most so far from the machine's own clock was read off it."""
AUTONOMY = "autonomy"
"""The fact that says how far a house goes by itself; the record Autonomy is what it was said by."""


def awake(_moment: str) -> None:
    """Nothing happens between two commits; a proof of what a crash leaves puts something else here."""


def unhurried() -> BaseException | None:
    """Nothing ends the work under way."""
    return None


def untold(_line: str) -> None:
    """Nobody is told how far long work is."""


@dataclass(frozen=True)
class House:
    """One project and where it lives. Stores are split by noun; each is a small frozen value over the same database."""

    project: Project
    settings: Settings
    store: Store
    lake: Lake
    pause: Callable[[str], None] = awake
    worker: str = ""
    """The name under which this process carries out an errand, which is then its alone to carry out; none: somebody does so by hand."""
    ended: Callable[[], BaseException | None] = unhurried
    """Why the work under way must end now, asked while a child works and between steps; None: go on."""
    told: Callable[[str], None] = untold
    """Told in a line how far long work is, for whoever waits for it."""
    turned: bool = False
    """Whether business time is what requests say it is, not what the machine's clock says."""
    predictors: dict[str, Answering] = field(default_factory=dict, repr=False, compare=False)
    reads: dict[str, tuple[tuple[int, int], pa.Table]] = field(default_factory=dict, repr=False, compare=False)
    losses: dict[tuple[str, str], LossModel | None] = field(default_factory=dict, repr=False, compare=False)
    """How each version's answers lose, by version and metric, learnt once."""

    # -- the stores, by noun --

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.store)

    @cached_property
    def pointers(self) -> Pointers:
        return Pointers(self.store)

    @cached_property
    def versions(self) -> Versions:
        return Versions(self.store)

    @cached_property
    def turns(self) -> Turns:
        return Turns(self.store)

    @cached_property
    def approvals(self) -> Approvals:
        return Approvals(self.store)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.store)

    @cached_property
    def incidents(self) -> Incidents:
        return Incidents(self.store)

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.store)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self.store)

    @cached_property
    def blobs(self) -> SweptStore:
        return blobs_of(self.settings)

    @cached_property
    def mark(self) -> str:
        """What all that belongs to this house carries (``loop/belonging.py``)."""
        return mark_in(self.settings.house)

    # -- a turn --

    @contextmanager
    def keeping(self, model: Model, now: datetime, cause: str) -> Iterator[keeps.Keep]:
        """One turn of a model, opened; a model that has not begun begins, once something has happened (EverloopError). Refuses words that
        cannot be turned yet. See ``keep.keeping``."""
        from everloop.loop.adopt import adopt, nothing_yet

        if self.pointers.current(model.name) is None and (why := nothing_yet(self, model)):
            raise EverloopError(f"{model.name}: {why}")
        adopt(self, model, now)
        with keeps.keeping(self, model, now, cause) as keep:
            yield keep

    def forwards(self, t: Connection, model: Model, now: datetime, turn: str) -> None:
        """Refuse a turn of business time before one that is done already. Raises ClockWentBack."""
        last = self.turns.last(model.name, within=t)
        if last is not None and now < last.now and self.turns.find(turn, within=t) is None:
            raise ClockWentBack(
                f"{model.name} was turned at {said(last.now)}, and the clock now says {said(now)}. Nothing was done. "
                "Set the machine's clock right, or give a later instant: everloop turn --now …"
            )

    def not_before(self, traffic: Traffic, now: datetime) -> None:
        """Refuse a person's word at an instant that was said and is before the traffic it is about: history would tell what never was. What
        is meant now, by the machine's own clock, is never refused, since a kill switch has to work. Raises ClockWentBack."""
        if now < traffic.made_at and abs(wall() - now) > NOW:
            raise ClockWentBack(
                f"Who answers for {traffic.model} was decided at {said(traffic.made_at)}, and this is to be at {said(now)}. Nothing was "
                "done. Give a later instant (--now …), or none."
            )

    def in_child(self, work: partial[T], *, rows: int = 0) -> T:
        """Do it in a child process that dies with this one, so that a learner that dies takes nothing with it."""
        if not self.settings.child:
            return work()
        from everloop.loop.wiring import open_in_child

        # Threads wait for one another by spinning: on few rows, or beside other work, many are slower than one.
        threads, first = None if rows >= MANY_ROWS else 1, partial(open_in_child, self.project.path, self.project.code)
        try:
            return in_child(work, first=first, threads=threads, cancelled=lambda: self.ended() is not None, spent=METER.child)
        except LearnerFailed:
            self.still()  # a child that was ended did not fail
            raise

    @cached_property
    def executor(self) -> Executor | None:
        """Where work of many pieces is done, as the settings name it; None: where it always was."""
        from everloop.loop.executors import executor_of, opened

        return executor_of(self.settings, opened(self.project.path, self.project.code), spent=METER.child, still=self.still)

    def still(self) -> None:
        """Raise why the work under way must end, if it must."""
        why = self.ended()
        if why is not None:
            raise why

    # -- who answers --

    def traffic(self, model: Model, *, within: Connection | None = None) -> Traffic:
        """The traffic in force; ``adopt`` has seen to it that there is one."""
        traffic = self.pointers.current(model.name, within=within)
        assert traffic is not None, f"{model.name} has not begun"
        return traffic

    def version(self, id: str) -> Version:
        return self.versions.get(id)

    def candidate(self, id: str, *, within: Connection | None = None) -> Candidate:
        record = self.journal.get(id, within=within)
        assert isinstance(record, Candidate)
        return record

    def learnt_from(self, candidate: Candidate) -> TrainingSet | None:
        """The training set a candidate was learnt from, or a foreign one was tried on; None where there is none."""
        return next((r for r in map(self.journal.find, candidate.made_from) if isinstance(r, TrainingSet)), None)

    def verdict(self, id: str | None, *, within: Connection | None = None) -> Verdict | None:
        record = self.journal.find(id, within=within) if id else None
        return record if isinstance(record, Verdict) else None

    def champion(self, traffic: Traffic) -> Candidate:
        """The candidate behind the champion of this traffic."""
        return self.candidate(self.version(traffic.champion).candidate)

    def champion_before(self, traffic: Traffic) -> str | None:
        """Who was champion before the one an undo would bring back."""
        return history.champion_before(self.journal, traffic.model, traffic.previous)

    def predictor(self, candidate: Candidate) -> Answering:
        """What answers for a candidate, loaded once. Raises ArtefactBroken."""
        if candidate.id not in self.predictors:
            given = self.project.model(candidate.model).baseline
            found = load_any(candidate, self.blobs.read, given=given, allow_pickle=self.settings.pickle)
            if candidate.golden is not None:
                check_golden(found, self.blobs.read(candidate.golden), where=candidate.id)
            self.predictors[candidate.id] = found
        return self.predictors[candidate.id]

    def readings(self, candidate: Candidate) -> tuple[AnyReading, ...]:
        """What a candidate knows, heard again from the journal, so that an older one reads what it learnt from."""
        return tuple(hear(text, self.project.sources) for text in candidate.knows)

    @property
    def level(self) -> Level:
        """The highest level any model acts at here, by somebody's word (``loop/autonomy.py``); *act* where nobody said one."""
        fact = self.facts.latest("", AUTONOMY)
        return "act" if fact is None else fact.body["level"]

    def held_back(self, model: Model) -> Model:
        """The model with no more autonomy than this house allows, by its settings and by somebody's word."""
        said = self.level
        levels = {about: min(self.settings.at_most(level), said, key=LEVELS.index) for about, level in model.autonomy.items()}
        if levels == dict(model.autonomy):
            return model
        lower = object.__new__(Model)
        for name, value in vars(model).items():
            object.__setattr__(lower, name, levels if name == "autonomy" else value)
        return lower

    def named(self, traffic: Traffic) -> str:
        """What a traffic says, its versions by their names."""
        return clause(traffic, history.names(self.journal)) + "."

    # -- what is known --

    @cached_property
    def salt(self) -> str:
        """What private values are hashed with, so that no other house has the same hashes; made once."""
        fact = self.facts.latest("", "salt")
        if fact is None:
            with self.store.transaction() as t:
                if self.facts.latest("", "salt", within=t) is None:
                    self.facts.put(t, "", "salt", EPOCH, {"salt": secrets.token_hex(16)})
            fact = self.facts.latest("", "salt")
        return str(fact.body["salt"]) if fact else ""

    def tables(self, model: Model) -> dict[str, pa.Table]:
        """The event tables a model reads, as they are now; read again only where something arrived."""
        found = {}
        for source in model.sources:
            reached = self.reached(source.name)
            kept = self.reads.get(source.name)
            if kept is None or kept[0] != reached:
                kept = self.reads[source.name] = (reached, read_source(self.lake, source))
            found[source.name] = kept[1]
        return found

    def reached(self, source: str) -> tuple[int, int]:
        """How far a source has come, and when something last went from it: what was read at the same two is what would be read now."""
        return self.lake.log.counters(source).last_seq, self.lake.log.went

    def older(self, model: Model, traffic: Traffic, features: pa.Table, said: pa.Table | None = None) -> dict[str, Older]:
        """What the versions in the traffic know otherwise than the project file says today, by version."""
        found = {}
        for version in traffic.versions:
            columns = otherwise(model, self.candidate(self.version(version).candidate), self.project.sources)
            if columns and len(features):
                found[version] = as_learnt(model, columns, features, self.tables, said)
        return found

    def as_fed(self, model: Model, candidate: Candidate, rows: pa.Table) -> pa.Table:
        """Rows of a model as its candidate reads them: one that another model learnt may know other things."""
        return rows if candidate.stored is None else self.with_columns_of(model, candidate, rows, self.tables)

    def with_columns_of(
        self, model: Model, candidate: Candidate, asked: pa.Table, tables: Tables, said: pa.Table | None = None
    ) -> pa.Table:
        """The same questions as a candidate knows them; what the project file says otherwise today is heard from its record."""
        columns = otherwise(model, candidate, self.project.sources)
        return as_learnt(model, columns, asked, tables, said).features if columns and len(asked) else asked

    def read(self, snapshot: Snapshot, model: Model) -> dict[str, pa.Table]:
        """The event tables of a snapshot that a model reads, by source."""
        return {s.name: read(self.lake, snapshot, s) for s in model.sources}

    def table(self, training_set: TrainingSet) -> pa.Table:
        """The body of a training set."""
        import pyarrow.parquet as pq

        return pq.ParquetFile(pa.BufferReader(self.blobs.read(training_set.body))).read()

    def last_fit(self, model: Model) -> Mapping[str, int]:
        """How far each source had come when the model's data was last found fit to learn from; what is newer is judged by itself."""
        for entry in self.journal.read(kind="Report", model=model.name, newest_first=True, limit=50):
            if isinstance(entry.record, Report) and entry.record.passed:
                snapshot = self.journal.get(entry.record.made_from[0])
                assert isinstance(snapshot, Snapshot)
                return {e.source: e.through_seq for e in snapshot.extents}
        return {}

    def contest_of(self, version: Version) -> Contest | None:
        """The contest a version won, if it had to."""
        record = self.journal.find(version.verdict) if version.verdict else None
        # An override is made from the verdict it overrides.
        while isinstance(record, Verdict):
            record = self.journal.find(record.made_from[0])
        return record if isinstance(record, Contest) else None

    def kept_in_turn(self, id: str) -> list[Record]:
        """The records of the turn a record belongs to, in the order they were kept."""
        turn = self.journal.turn_of(id)
        return [e.record for e in self.journal.read(turn=turn)] if turn else []


def load_any(candidate: Candidate, open: Callable[[str], bytes], *, given: object = None, allow_pickle: bool = False) -> Answering:
    """What answers for a candidate, whatever its format. Raises ArtefactBroken."""
    if candidate.format == "elsewhere":
        from everloop.loop.tell.answerable import answered_elsewhere

        raise answered_elsewhere(candidate)
    if candidate.format == "baseline":
        return load_baseline(candidate, open, given, allow_pickle=allow_pickle)
    return load(candidate, open, allow_pickle=allow_pickle)


def open_house(
    project: Path | str | Project = "project.py",
    *,
    folder: Path | str | None = None,
    stage: str | None = None,
    settings: Settings | None = None,
    ingest: datetime | None = None,
    turned: bool = False,
    as_is: bool = False,
) -> House:
    """The house of a project: where its settings say, by default ``.everloop`` beside the project file.

    ``ingest`` takes in the files that everloop.toml names, at that instant. ``turned``: business time is what requests say. ``as_is``: for
    who puts a house together, whatever belongs to it. Raises ProjectError, SettingsError; StoreError, also where its places belong to
    several houses.
    """
    # Numerical libraries let threads wait by spinning unless told otherwise before they are loaded; beside other work that costs minutes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    opened = project if isinstance(project, Project) else open_project(project)
    beside = opened.path.parent if opened.path else Path.cwd()
    settings = settings or read_settings(beside, stage=stage, house=folder)
    lake = folding(lake_of(settings), opened.models.values(), settings)
    house = House(opened, settings, open_store(settings.registry, keep=settings.house), lake, turned=turned)
    if not as_is:
        try:
            together(house)
        except BaseException:
            house.store.close()
            house.lake.log.close()
            raise
    if ingest is not None:
        from everloop.loop.arrivals import ingest_files

        ingest_files(house, None, [], now=ingest)
    return house


def fenced(house: House, fence: Callable[[Connection], None], worker: str = "", **words: Any) -> House:
    """The same house for a process that may write only as long as ``fence`` lets it: that is asked first in every transaction."""
    return replace(house, store=replace(house.store, fence=fence), worker=worker, **words)


def with_pause(house: House, pause: Callable[[str], None]) -> House:
    """The same house, told between commits where it is."""
    return replace(house, pause=pause, lake=replace(house.lake, pause=pause))
