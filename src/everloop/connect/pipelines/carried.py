"""What each scheduler can be told. What it cannot is refused by name, with what to do instead, before a file is written; what it leaves to
somebody else (a clock that stands in its project, not in its file) is said at the top of what is written.

In: a pipeline. Out: the same without what somebody gave up, or SettingsError; and the lines that tell what is left to do.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from everloop.errors import SettingsError, Unknown
from everloop.project.pipeline import A_DAY, Pipeline, cron
from everloop.project.spans import every

Name = Literal["airflow", "kubeflow", "github", "gitlab", "dvc"]
PARTS: Final = ("schedule", "arrivals", "pods")
"""What can be given up: ``--without``."""


@dataclass(frozen=True)
class Scheduler:
    """Who runs a pipeline, and what can be said to it."""

    name: Name
    called: str
    clock: Literal["spans", "cron", "elsewhere", "none"] = "none"
    """Does its file say when it runs: by any span, by cron; does a cron stand elsewhere; or has it no clock?"""
    arrivals: bool = True
    apart: bool = False
    """Does each step run on a machine of its own?"""
    pods: bool = False
    joins: bool = True
    """May a step wait for several others?"""
    needs_image: bool = False
    checks_out: bool = False
    """Does it read its file in the root of a repository, and run each step in a copy of that?"""


AIRFLOW: Final = Scheduler("airflow", "Airflow", clock="spans", pods=True)
KUBEFLOW: Final = Scheduler(
    "kubeflow", "Kubeflow Pipelines", clock="elsewhere", arrivals=False, apart=True, pods=True, joins=False, needs_image=True
)
GITHUB: Final = Scheduler("github", "GitHub Actions", clock="cron", apart=True, checks_out=True)
GITLAB: Final = Scheduler("gitlab", "GitLab CI", clock="elsewhere", apart=True, checks_out=True)
DVC: Final = Scheduler("dvc", "DVC", arrivals=False)
SCHEDULERS: Final = {each.name: each for each in (AIRFLOW, KUBEFLOW, GITHUB, GITLAB, DVC)}


HOSTED: Final = ("ubuntu-", "windows-", "macos-")
"""How the labels of machines begin that GitHub makes for a job."""
ROLLS: Final = (
    "A roll-out is moved on, or taken back, by turn, once a run; while one is under way turn says no (exit code 1), and nothing is learnt."
)


def carried(pipeline: Pipeline, scheduler: Scheduler, without: Collection[str] = ()) -> Pipeline:
    """The pipeline as this scheduler is told it. ``without``: parts that are given up.

    Raises SettingsError naming all that it cannot be told, Unknown for a part there is not.
    """
    for part in without:
        if part not in PARTS:
            raise Unknown("part of a pipeline", part, PARTS)
    if "schedule" in without:
        pipeline = replace(pipeline, schedule=None)
    if "arrivals" in without:
        pipeline = replace(pipeline, arrivals=())
    if "pods" in without:
        pipeline = replace(pipeline, tasks=tuple(replace(task, pod=False) for task in pipeline.tasks))
    if wrong := list(_refused(pipeline, scheduler)):
        raise SettingsError(f"{scheduler.called} cannot be told all of this; nothing was written.\n  " + "\n  ".join(wrong))
    return pipeline


def left_over(pipeline: Pipeline, scheduler: Scheduler) -> list[str]:
    """What somebody has to do beside what is written, a sentence each."""
    left = []
    if (seldom := _seldom(pipeline)) is not None:
        left.append(seldom)
    if pipeline.schedule is not None and scheduler.clock == "none":
        left.append(f"{scheduler.called} has no clock: run it every {said(pipeline)} by whatever has one.")
    if pipeline.secrets:
        left.append(f"everloop.toml reads {', '.join(pipeline.secrets)} from the environment: {_SECRETS[scheduler.name]}.")
    if pipeline.proposes and pipeline.secrets_beside and scheduler.name in ("github", "gitlab"):
        left.append(f"Proposed changes are judged with {', '.join(pipeline.secrets_beside)} at hand: {_BESIDE[scheduler.name]}.")
    if not pipeline.proposes and scheduler.name in ("github", "gitlab"):
        left.append("Proposed changes are tested and not judged: [online] url holds what is known now, and would be written to.")
    if not pipeline.image and scheduler.name in ("github", "gitlab"):
        left.append("requirements.txt beside the project file has to pin everloop and what the learners need, or say [pipeline] image.")
    return left


_SECRETS: Final = {
    "airflow": "set them for its workers; pods read them from the Kubernetes secret that is named in the file",
    "kubeflow": "a Kubernetes secret that is named in the file holds them",
    "github": "add them as secrets of the repository",
    "gitlab": "add them as masked CI/CD variables of the project, protected ones, which merge requests are not given",
    "dvc": "set them where dvc repro runs",
}
_BESIDE: Final = {
    "github": "say who has to approve a run first, in the environment everloop-proposed of the repository",
    "gitlab": "these cannot be protected ones, so let them open nothing that matters",
}


def said(pipeline: Pipeline) -> str:
    """Its clock in words.

    >>> from everloop import days, every
    >>> said(Pipeline("shop", (), (), every(days(1), at="04:30", zone="Europe/Berlin")))
    'day at 04:30 Europe/Berlin'
    """
    return _every(pipeline.schedule) if pipeline.schedule is not None else "time somebody asks"


def _every(clock: every) -> str:
    count = clock.span / A_DAY
    span = "day" if count == 1 else f"{count:g} days" if count > 1 else f"{clock.span.total_seconds() / 3600:g} hours"
    return span + (f" at {clock.at} {clock.zone}" if clock.at else "")


def _seldom(pipeline: Pipeline) -> str | None:
    """That all steps have one clock, where the models are asked more often than it ticks; None where they are not."""
    clock, asked = pipeline.schedule, pipeline.asked
    if clock is None or asked is None or clock.span <= asked.span:
        return None
    common = shlex.join([*pipeline.file, *(("--stage", pipeline.stage) if pipeline.stage else ())])
    steps = [f"everloop {verb} {common}".strip() for verb in ("ingest", "turn --no-learning --score")]
    steps = steps if any(task.name == "ingest" for task in pipeline.tasks) else steps[1:]
    return (
        f"All steps run every {_every(clock)}, and models are asked every {_every(asked)}: in between nothing comes in, is answered or is "
        f"watched, and no roll-out moves. Give that a clock of its own: {'; '.join(steps)}"
    )


def _refused(pipeline: Pipeline, scheduler: Scheduler) -> Iterator[str]:
    who = scheduler.called
    clock = pipeline.schedule
    if clock is not None and scheduler.clock in ("cron", "elsewhere") and cron(clock) is None:
        yield (
            f"schedule: every {said(pipeline)} is nothing cron counts. Say a day, a week, or hours and minutes that divide one: "
            '[pipeline] every = "7d"; or --without schedule.'
        )
    if pipeline.arrivals and not scheduler.arrivals:
        instead = "start its runs from what hears of the object" if scheduler.name == "kubeflow" else "run dvc repro when it has come"
        yield f"arrivals: {who} waits for no object ({pipeline.arrivals[0].url}): {instead}, and say --without arrivals."
    if not scheduler.pods and (pods := [task.name for task in pipeline.tasks if task.pod]):
        yield f"pods: {who} starts none for {', '.join(pods)}: {_NO_PODS[scheduler.name]}, and say --without pods."
    if scheduler.needs_image and pipeline.image is None:
        yield f'image: each step of {who} runs in one. Say [pipeline] image = "registry.example.com/shop@sha256:…".'
    if scheduler.apart and not pipeline.apart and pipeline.shared is None:
        yield (
            f"house: {who} runs each step on a machine of its own, and this house is a folder of one. Give registry, events, lake and "
            "blobs URLs in everloop.toml, or name the folder all of them have mounted: [pipeline] shared."
        )
    if any(task.pod for task in pipeline.tasks) and not scheduler.apart and not pipeline.apart and pipeline.shared is None:
        yield "house: a pod has its own disk, and this house is a folder of one machine. Give it URLs, or say [pipeline] shared."
    if scheduler.name == "github" and pipeline.shared is not None and pipeline.runner.startswith(HOSTED):
        yield (
            f"runner: {pipeline.runner} is a machine that GitHub makes for a job, and none has {pipeline.shared} mounted. Name your own: "
            '[pipeline] runner = "self-hosted".'
        )
    if scheduler.name == "gitlab" and pipeline.shared is not None and not pipeline.tags:
        yield (
            f"tags: any runner of GitLab may take a job, and not all have {pipeline.shared} mounted. Name those that have: "
            '[pipeline] tags = ["shop"].'
        )
    for task in pipeline.tasks if not scheduler.joins else ():
        if len(task.needs) > 1 or any(pipeline.task(need).foreach and not task.foreach for need in task.needs):
            waits = ", ".join(task.needs)
            yield f"needs: {who} runs {task.name} inside what its gate lets through, so it may wait for one step alone, not {waits}."


_NO_PODS: Final = {
    "github": "let a self-hosted runner of Kubernetes (Actions Runner Controller) take the job",
    "gitlab": "let a runner with the Kubernetes executor take the job",
    "dvc": "run dvc repro in one",
}
