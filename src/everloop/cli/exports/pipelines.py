"""A project's pipeline for schedulers of others: Airflow, Kubeflow Pipelines, GitHub Actions, GitLab CI, DVC. One grammar for all five."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.options import HERE, At, Json, Project, Stage
from everloop.cli.saying import instant_of, say

if TYPE_CHECKING:
    from everloop.connect.pipelines.carried import Scheduler
    from everloop.project.pipeline import Pipeline

Some = Annotated[list[str] | None, typer.Argument(help="The models to fan out over; all of them if not said.")]
To = Annotated[Path, typer.Option("--to", help="The folder to write into; made where there is none.")]
Without = Annotated[
    list[str] | None, typer.Option("--without", help="Give up a part that cannot be carried over: schedule, arrivals or pods.")
]
Image = Annotated[str, typer.Option("--image", help="Where an image of the project is pushed to; none: none is built.")]


def airflow(
    models: Some = None, to: To = HERE, without: Without = None, project: Project = HERE, stage: Stage = "", as_json: Json = False
) -> None:  # fmt: skip
    """A DAG for Airflow 3: clock, object-store sensors, retries, and gates that skip; steps in pods where that is said."""
    from everloop.connect.pipelines import airflow as target
    from everloop.connect.pipelines.carried import AIRFLOW

    pipeline = _pipeline(project, stage, models, AIRFLOW, without)
    _write(pipeline, AIRFLOW, to, target.files(pipeline), target.MARK, "put it into the dags folder; airflow dags test tries it", as_json)


def kubeflow(
    models: Some = None, to: To = HERE, without: Without = None, project: Project = HERE, stage: Stage = "", as_json: Json = False
) -> None:  # fmt: skip
    """A pipeline for Kubeflow Pipelines 2, as Python that compiles itself: each step a pod, gates by dsl.If, a clock at its upload."""
    from everloop.connect.pipelines import kubeflow as target
    from everloop.connect.pipelines.carried import KUBEFLOW

    pipeline = _pipeline(project, stage, models, KUBEFLOW, without)
    files = target.files(pipeline)
    _write(pipeline, KUBEFLOW, to, files, target.MARK, f"python {next(iter(files))}, where kfp is installed", as_json)


def github(
    models: Some = None, to: To = HERE, without: Without = None, image: Image = "", project: Project = HERE, stage: Stage = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """A workflow for GitHub Actions: tests and a verdict as a comment on pull requests; learning, gates and images on main."""
    from everloop.connect.pipelines import github as target
    from everloop.connect.pipelines.carried import GITHUB

    pipeline = _pipeline(project, stage, models, GITHUB, without, to)
    _write(pipeline, GITHUB, to, target.files(pipeline, image), target.MARK, "commit it", as_json)


def gitlab(
    models: Some = None, to: To = HERE, without: Without = None, image: Image = "", project: Project = HERE, stage: Stage = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """The same for GitLab CI: one job for each step of each model, gates that fail, a note on merge requests."""
    from everloop.connect.pipelines import gitlab as target
    from everloop.connect.pipelines.carried import GITLAB

    pipeline = _pipeline(project, stage, models, GITLAB, without, to)
    _write(
        pipeline, GITLAB, to, target.files(pipeline, image), target.MARK, "commit it; its first lines say what the project is told", as_json
    )


def dvc_pipeline(
    models: Some = None, to: To = HERE, without: Without = None, project: Project = HERE, stage: Stage = "", now: At = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """A dvc.yaml with its parameters and metrics: dvc repro runs what a new instant, or a changed file, asks for."""
    from everloop.connect.pipelines import dvc_pipeline as target
    from everloop.connect.pipelines.carried import DVC

    pipeline = _pipeline(project, stage, models, DVC, without, to)
    files = target.files(pipeline, instant_of(now).isoformat(timespec="seconds"), _beside(project, stage, to))
    _write(pipeline, DVC, to, files, target.MARK, "dvc repro", as_json)


def _pipeline(
    project: Path, stage: str, models: list[str] | None, scheduler: Scheduler, without: list[str] | None, to: Path | None = None
) -> Pipeline:
    """The pipeline of the project, as this scheduler is told it; nothing of the house is opened.

    ``to``: where its file goes, and for one that reads it there its steps are run.
    """
    from dataclasses import replace
    from functools import partial

    from everloop.connect.needed import asked_settings
    from everloop.connect.pipelines.carried import carried
    from everloop.loop.pipelines import checked_out_below, pipeline_of
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.training.stand_in import opened

    without_pandas()
    there = opened(partial(open_project, project))
    folder = there.path.parent if there.path else Path.cwd()
    settings = asked_settings(folder, stage)[0]
    if to is None or scheduler.checks_out:
        below = checked_out_below(folder, to) if to is not None else ""
        return carried(replace(pipeline_of(there, settings, models or ()), below=below), scheduler, without or ())
    return carried(pipeline_of(there, settings, models or (), run_in=to), scheduler, without or ())


def _beside(project: Path, stage: str, to: Path) -> tuple[str, ...]:
    """The files whose change makes a new run: the project's own, and the rows that lie beside it, as seen from where dvc.yaml is."""
    import os

    from everloop.connect.needed import asked_settings
    from everloop.settings import FILE

    file = project / "project.py" if project.is_dir() else project
    settings, _ = asked_settings(file.parent, stage)
    rows = [path for source in settings.sources.values() for path in source.files if "://" not in path and not set("*?[") & set(path)]
    found = [file, file.parent / FILE, *map(Path, rows)]
    return tuple(Path(os.path.relpath(path, to)).as_posix() for path in found if path.exists())


def _write(
    pipeline: Pipeline, scheduler: Scheduler, to: Path, files: Mapping[str, str], mark: str, next_: str, as_json: bool
) -> None:  # fmt: skip
    from everloop.connect.pipelines.carried import left_over
    from everloop.connect.whole import put_own

    written = put_own(to, files, mark)
    left = left_over(pipeline, scheduler)
    names = ", ".join(path.relative_to(to).as_posix() for path in written)
    steps = f"{len(pipeline.tasks)} steps, {len(pipeline.models)} model{'s' * (len(pipeline.models) != 1)}"
    told = "".join(f"\n  {line}" for line in left)
    data = {"files": [str(path) for path in written], "models": pipeline.models, "steps": [t.name for t in pipeline.tasks], "left": left}
    say(data, f"Wrote {names} in {to} for {scheduler.called}: {steps}.{told}\nNext: {next_}", as_json)
