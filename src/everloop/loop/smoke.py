"""Once round on made-up rows: does a project still read, learn and judge? In a house of its own that goes again; nothing of the real one is
opened, so it runs where nobody has a key. What it finds says nothing about the world."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from everloop.connect.needed import Names
from everloop.lake.receive import receive
from everloop.loop import wiring as do
from everloop.loop.house import House, open_house
from everloop.loop.project_file import Project
from everloop.project.made_up import made_up
from everloop.project.model import Model
from everloop.records import Candidate, Report, Verdict
from everloop.settings import Executor, Settings, Signing, read_settings


@dataclass(frozen=True)
class Smoke:
    """How far it came: rows by source, what the check found, what was learnt, and the verdict; None for what was not reached."""

    model: str
    rows: Mapping[str, int]
    report: Report
    questions: int
    candidate: Candidate | None
    verdict: Verdict | None

    @property
    def passed(self) -> bool:
        """Whether it came all the way round; what the verdict is does not matter."""
        return self.verdict is not None

    def __str__(self) -> str:
        came = ", ".join(f"{count:,} {name}" for name, count in self.rows.items())
        if self.candidate is None or self.verdict is None:
            return (
                f"{self.model}: {came} were made up, and no question has a truth to learn from. Truths that are told, or rows that only "
                "come together in life, cannot be made up: leave --smoke out for this model."
            )
        unmet = [f.sentence for f in self.report.findings if f.outcome != "passed"]
        told = "".join(f"\n  not kept by what is made up: {sentence}" for sentence in unmet)
        learnt = f"{self.questions:,} questions to learn from, {self.candidate.learner} learnt and was judged: {self.verdict.outcome}"
        return f"{self.model}: {came} made up; {learnt}. Made-up rows prove nothing but that it goes round.{told}"


def smoke(project: Project, model: Model, now: datetime, seed: int = 0) -> Smoke:
    """Make up rows that end at ``now`` (aware), take them in, check them, learn from them and judge what was learnt.

    Raises what a turn would raise: a learner that fails fails here too.
    """
    rows = made_up(model, now, seed)
    with tempfile.TemporaryDirectory(prefix="everloop-smoke-") as folder:
        house = open_house(project, settings=_settings(project, Path(folder)))
        try:
            for source in model.sources:
                receive(house.lake, source, rows[source.name], now=now, known_after=timedelta(0))
            return _round(house, model, now, {name: len(made) for name, made in rows.items()})
        finally:
            house.store.close()


def _round(house: House, model: Model, now: datetime, rows: Mapping[str, int]) -> Smoke:
    with house.keeping(model, now, "smoke") as keep:
        snapshot = keep(do.snapshot)
        report = keep(do.check, snapshot)
        training_set = keep(do.as_of_now, snapshot)
        if not training_set.learn_rows:
            return Smoke(model.name, rows, report, 0, None, None)
        candidate = keep(do.train, training_set)
        verdict = keep(do.judge, keep(do.rehearse, house.traffic(model), candidate, training_set))
    return Smoke(model.name, rows, report, training_set.learn_questions or training_set.learn_rows, candidate, verdict)


def _settings(project: Project, folder: Path) -> Settings:
    """Everything in one folder, whatever everloop.toml says of where things are; what it reads from the environment need not be set."""
    root = project.path.parent if project.path is not None else folder
    places = {"lake": f"{folder}/lake", "blobs": f"{folder}/blobs"}
    databases = {"registry": f"sqlite:///{folder}/house.db", "events": f"sqlite:///{folder}/events.db"}
    found = read_settings(root, house=folder, **places, **databases, autonomy="observe", environ=Names())
    return replace(found, online=None, mlflow=None, signing=Signing(), executor=Executor(), shopify=None, streams={}, sources={}, people={})
