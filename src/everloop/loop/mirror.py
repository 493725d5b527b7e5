"""The mirror: what the journal says, told to a tracking server of MLflow, record by record, from where it was left.

In: a house. Out: runs, versions and aliases over there. The ring never waits for it: the mirror reads the journal beside it, notes how far
it has come, and a server that is down is told later. Each telling can be repeated without doubling anything.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.metadata import version as release_of
from typing import Any

from everloop.clock import EPOCH
from everloop.connect.mlflow import models, runs
from everloop.connect.mlflow.folder import FOLDER, model_folder
from everloop.connect.mlflow.learner import Said, said_in
from everloop.connect.mlflow.rest import Refused, Tracking
from everloop.connect.mlflow.runs import Run
from everloop.errors import ArtefactBroken, EverloopError, HouseBusy, LearnerFailed, Unknown
from everloop.lake.alone import alone
from everloop.loop.carded import card_of
from everloop.loop.handover import file_of
from everloop.loop.house import House
from everloop.loop.lineage import snapshot_of
from everloop.loop.spoken import spoken_report
from everloop.project.model import Model
from everloop.project.spoken import explain
from everloop.records import Candidate, Report, Traffic, Verdict, Version, identity
from everloop.registry.card import markdown
from everloop.registry.runs import by_name, params_of
from everloop.registry.sentences import clause
from everloop.registry.written import as_data
from everloop.training.golden import read_golden

FACT = "mlflow"
KINDS = ("Candidate", "Verdict", "Version", "Traffic")


@dataclass(frozen=True)
class Mirrored:
    """How far MLflow has been told: so many records ``told`` now, through number ``through`` of the journal."""

    host: str
    told: int
    through: int
    refused: tuple[str, ...] = ()
    """What the server would not have, in sentences; it is not told again."""

    def __str__(self) -> str:
        records = "1 record" if self.told == 1 else f"{self.told:,} records"
        line = f"MLflow at {self.host} was told {records}; it knows the journal through number {self.through:,}."
        return "\n".join([line, *(f"  ! {one}" for one in self.refused)])


@dataclass
class Mirror:
    """One house and one server, with what was found out about either meanwhile."""

    house: House
    server: Tracking
    runs: dict[str, Run] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)

    def go(self) -> Mirrored:
        """Tell what the server does not know yet. Raises Unreachable; what was told until then is noted."""
        through, last, told = self._through(), self.house.journal.head().seq, 0
        refused: list[str] = []
        for entry in self.house.journal.read(kind=KINDS, after=through) if last > through else ():
            try:
                self._tell(entry.record)
            except (
                Refused,
                LearnerFailed,
                ArtefactBroken,
                Unknown,
            ) as no:  # it would be so the next time too, and holds up all that comes after
                refused.append(f"{entry.kind} {entry.record.id}: {no}")
            self._note(entry.seq)
            through, told = entry.seq, told + 1
        if last > through:
            self._note(last)
        return Mirrored(self.server.host, told, max(last, through), tuple(refused))

    # -- how far --

    def _through(self) -> int:
        fact = self.house.facts.latest("", FACT)
        # Another server has heard nothing of what this one was told.
        return int(fact.body["through"]) if fact is not None and fact.body["server"] == identity(self.server.url) else 0

    def _note(self, seq: int) -> None:
        with self.house.store.transaction() as t:
            self.house.facts.put(t, "", FACT, EPOCH, {"server": identity(self.server.url), "through": seq})

    # -- one record --

    def _tell(self, record: object) -> None:
        model = self.house.project.models.get(getattr(record, "model", ""))
        if model is None:
            return  # the project file says it no more
        if isinstance(record, Candidate):
            self._candidate(model, record)
        elif isinstance(record, Verdict):
            self._verdict(model, record)
        elif isinstance(record, Version):
            self._version(model, record)
        elif isinstance(record, Traffic):
            self._traffic(model, record)

    def _run(self, model: Model, candidate: Candidate) -> Run:
        if candidate.id not in self.runs:
            if model.name not in self.experiments:
                self.experiments[model.name] = runs.experiment(self.server, model.name)
            tags = {
                "everloop_model": model.name,
                "everloop_learner": candidate.learner,
                "everloop_definition": candidate.definition,
                "mlflow.source.name": "everloop",
                **({"mlflow.source.git.commit": candidate.commit} if candidate.commit else {}),
            }
            name = f"{model.name} {candidate.made_at:%Y-%m-%d %H:%M}"
            experiment = self.experiments[model.name]
            self.runs[candidate.id] = runs.begin(self.server, experiment, candidate.id, name=name, at=candidate.made_at, tags=tags)
        return self.runs[candidate.id]

    def _candidate(self, model: Model, candidate: Candidate) -> None:
        run, server = self._run(model, candidate), self.server
        noted = dict(candidate.notes or ())
        waits = self.house.settings.told_to_mlflow(candidate.id)
        learner = said_in(waits)
        runs.say(
            server,
            run,
            at=candidate.made_at,
            params=params_of(candidate) | {k: v for k, v in noted.items() if isinstance(v, str)} | dict(learner.params),
            metrics={
                "rows": float(candidate.rows),
                "seconds": candidate.seconds,
                "cpu_seconds": candidate.cost.cpu_seconds if candidate.cost else candidate.cpu_seconds,
                **{k: v for k, v in noted.items() if isinstance(v, float)},
            },
            tags=learner.tags,
        )
        runs.measured(server, run, learner.metrics)
        self._files(model, candidate, run, learner)
        self._data(candidate, run)
        runs.end(server, run, at=candidate.made_at)
        shutil.rmtree(waits, ignore_errors=True)

    def late(self, candidate: Candidate) -> None:
        """Say in the run of a candidate, which was told without it, what its learner said on this machine."""
        model, waits = self.house.project.models.get(candidate.model), self.house.settings.told_to_mlflow(candidate.id)
        with suppress(Refused):  # it would be so the next time too
            if model is not None:
                run, learner = self._run(model, candidate), said_in(waits)
                told = {*params_of(candidate), *dict(candidate.notes or ())}  # which MLflow lets nobody change
                params = {name: value for name, value in learner.params.items() if name not in told}
                runs.say(self.server, run, at=candidate.made_at, params=params, tags=learner.tags)
                runs.measured(self.server, run, learner.metrics)
                self._said(run, learner)
        shutil.rmtree(waits, ignore_errors=True)

    def told_of(self, candidate: Candidate) -> bool:
        """Whether the server was told of a candidate of the journal, by whatever machine."""
        return all(entry.record.id != candidate.id for entry in self.house.journal.read(kind="Candidate", after=self._through()))

    def _files(self, model: Model, candidate: Candidate, run: Run, learner: Said) -> None:
        files = {"candidate.json": _json(candidate), "explained.txt": explain(model).encode()}
        for record in self.house.kept_in_turn(candidate.id):
            if isinstance(record, Report):
                files |= {"report.json": _json(record), "report.txt": spoken_report(record).encode()}
        runs.keep(self.server, run, files)
        self._said(run, learner)

    def _said(self, run: Run, learner: Said) -> None:
        for name, path in learner.files.items():
            runs.keep(self.server, run, {name: path.read_bytes()})

    def _data(self, candidate: Candidate, run: Run) -> None:
        training_set = self.house.learnt_from(candidate)
        if training_set is None:
            return
        snapshot = snapshot_of(self.house, training_set)
        source: dict[str, Any] = {"training_set": training_set.id, "body": training_set.body}
        if snapshot is not None:
            extents = {e.source: {"delta_version": e.version, "through_seq": e.through_seq, "rows": e.rows} for e in snapshot.extents}
            source |= {"snapshot": snapshot.id, "sources": extents}
        runs.learnt_from(
            self.server, run, name=f"{candidate.model} training set", digest=training_set.body, source=source, rows=training_set.learn_rows
        )

    def _verdict(self, model: Model, verdict: Verdict) -> None:
        candidate = self.house.candidate(verdict.candidate)
        metrics: dict[str, float | None] = {}
        for name, opinion in by_name(verdict.opinions):
            metrics |= {name: opinion.candidate, f"{name} of the champion": opinion.champion}
            metrics |= {f"{name} gain": opinion.effect, f"{name} gain at least": opinion.low, f"{name} gain at most": opinion.high}
        tags = {"everloop_verdict": verdict.outcome, "everloop_because": clause(verdict)}
        if verdict.by:
            tags |= {"everloop_overridden_by": verdict.by}
        run = self._run(model, candidate)
        runs.say(self.server, run, at=verdict.made_at, metrics=metrics, tags=tags)
        runs.keep(self.server, run, {"verdict.json": _json(verdict)})

    def _version(self, model: Model, version: Version) -> None:
        candidate = self.house.candidate(version.candidate)
        if candidate.format == "elsewhere":
            return  # it has no artefact, neither here nor there
        run = self._run(model, candidate)
        data, _ = file_of(self.house, model, version.name, baseline=True)
        golden = read_golden(self.house.blobs.read(candidate.golden))[0] if candidate.golden else None
        folder = model_folder(candidate, data, golden, run=run.id, release=release_of("everloop"))
        card = markdown(card_of(self.house, model, version.name)).encode()
        runs.keep(self.server, run, {f"{FOLDER}/{path}": body for path, body in folder.items()} | {"card.md": card})
        runs.say(self.server, run, at=version.made_at, tags={models.OURS: version.name})
        models.registered(self.server, model.name, description=explain(model))
        tags = {"everloop_artefact": candidate.artefact, "everloop_candidate": candidate.id}
        models.made(
            self.server, model.name, run, folder=FOLDER, id=version.id, called=version.name, tags=tags, description=f"{version.name} here."
        )

    def _traffic(self, model: Model, traffic: Traffic) -> None:
        if self.house.traffic(model).generation > traffic.generation:
            return  # it has moved on, and what it moved to is told next
        numbers = {there.tags.get(models.OURS_ID): there.number for there in models.versions(self.server, model.name)}
        places = self.house.settings.aliases
        wanted = {alias: traffic.at(place) for alias, place in places.items()}
        candidate = next((alias for alias, place in places.items() if place == "candidate"), None)
        for number, version in enumerate(traffic.candidates[1:] if candidate else (), 2):
            wanted[f"{candidate}-{number}"] = version
        for alias in models.aliases(self.server, model.name):
            if candidate and re.fullmatch(rf"{candidate}-\d+", alias):
                wanted.setdefault(alias, None)
        # Who answers here and could not be told there has no number: what stands there is then left as it is.
        told = {alias: None if version is None else numbers.get(version) for alias, version in wanted.items()}
        models.point(self.server, model.name, {alias: at for alias, at in told.items() if at is not None or wanted[alias] is None})


def mirror(house: House) -> Mirrored:
    """Tell MLflow what it does not know yet of this house, one process at a time. Raises EverloopError where everloop.toml names no server,
    Unreachable, HouseBusy where another process does not end telling."""
    server = tracking_of(house)
    with alone(house.settings.house / "mirror.lock", "telling MLflow"):
        return Mirror(house, server).go()


def say_late(house: House) -> int:
    """Send what learners said on this machine where another one, which does not have it, told of their candidates already; of how many.

    Nothing while another process of this machine tells MLflow. Raises EverloopError where everloop.toml names no server, Unreachable.
    """
    waiting = house.settings.told_to_mlflow("").glob("*")
    found = [record for path in waiting if isinstance(record := house.journal.find(path.name), Candidate)]
    if not found:
        return 0
    with ExitStack() as mine:
        try:
            mine.enter_context(alone(house.settings.house / "mirror.lock", "telling MLflow", patience=0))
        except HouseBusy:
            return 0
        telling = Mirror(house, tracking_of(house))
        late = [candidate for candidate in found if telling.told_of(candidate)]
        for candidate in late:
            telling.late(candidate)
    return len(late)


def tracking_of(house: House) -> Tracking:
    """The tracking server of a house. Raises EverloopError where everloop.toml names none."""
    if house.settings.mlflow is None:
        raise EverloopError('This house is mirrored nowhere. Say url = "http://…:5000" in [mlflow] of everloop.toml.')
    return Tracking(house.settings.mlflow)


def contests_asked(house: House, server: Tracking) -> Iterator[tuple[Model, models.There]]:
    """Where somebody set the alias ``challenger`` on another version than it was last seen on, one after the other, and only while nothing
    is rolled out of the model. Each is noted when the next is asked for: one whose contest was broken off is told again. A version that is
    not there holds up no other model. None at all while another process goes through them: what it holds is held once."""
    with ExitStack() as mine:
        try:
            mine.enter_context(alone(house.settings.house / "contests.lock", "holding the contests that MLflow asks for", patience=0))
        except HouseBusy:
            return
        for model in house.project.models.values():
            yield from _asked_of(house, model, server)


def _asked_of(house: House, model: Model, server: Tracking) -> Iterator[tuple[Model, models.There]]:
    traffic = house.pointers.current(model.name)
    if traffic is not None and traffic.rolling:
        return  # asked for again once that is over
    number = models.aliases(server, model.name).get(models.CONTEST)
    seen = house.facts.latest(model.name, "mlflow challenger")
    if number is None or (seen is not None and seen.body == {"number": number, "server": identity(server.url)}):
        return
    try:
        there = models.version_at(server, f"models:/{model.name}@{models.CONTEST}")
    except Unknown:
        return  # it was taken away meanwhile, or is none: looked for again the next time
    yield model, there
    with house.store.transaction() as t:
        house.facts.put(t, model.name, "mlflow challenger", EPOCH, {"number": number, "server": identity(server.url)})


def _json(record: object) -> bytes:
    return json.dumps(as_data(record), indent=1, ensure_ascii=False).encode()
