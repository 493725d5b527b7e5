"""Answering over HTTP, alone or beside a controller that turns the house; and working for a house without answering anybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.options import HERE, Folder, Host, Json, Port, Project, Stage, TurnedClock, Workers
from everloop.errors import EverloopError

if TYPE_CHECKING:
    from everloop.loop.serve.serving import Serving

NoConsole = Annotated[bool, typer.Option("--no-console", help="No console at /console: its process is never started here.")]


def serve(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    without_console: NoConsole = False,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Answer over HTTP, by workers that share one address. Nobody turns the house here; see run, and worker."""
    from everloop.loop.serve.supervise import supervise

    raise typer.Exit(
        supervise(_serving(project, house, stage, host, port, workers, turned_clock, as_json, controller=False, shown=not without_console))
    )


def run(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    without_console: NoConsole = False,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Answer over HTTP, and turn the house whenever that is due."""
    from everloop.loop.serve.supervise import supervise

    raise typer.Exit(
        supervise(_serving(project, house, stage, host, port, workers, turned_clock, as_json, controller=True, shown=not without_console))
    )


def worker(
    processes: Annotated[int, typer.Option("--processes", min=1, max=256, help="How many processes work.")] = 1,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="[HOST:]PORT", help="Tell Prometheus there what they use, and how the house stands.")
    ] = None,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Work for a house that others may work for too, on this machine or another: carry out what is asked of it, and answer nobody."""
    from everloop.loop.serve.scraped import address
    from everloop.loop.serve.supervise import attend

    serving = _serving(project, house, stage, None, None, None, turned_clock, as_json, controller=True)
    raise typer.Exit(attend(serving, processes, metrics=None if metrics is None else address(metrics)))


def _serving(
    project: Path,
    house: Path | None,
    stage: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    turned: bool,
    as_json: bool,
    *,
    controller: bool,
    shown: bool = True,
) -> Serving:
    from dataclasses import replace

    from everloop.loop.serve.serving import Serving
    from everloop.settings import read_settings

    file = project / "project.py" if project.is_dir() else project
    if not file.is_file():
        raise EverloopError(f"There is no project file {file}. Write one with: everloop init shop")
    settings = read_settings(file.parent, stage=stage or None, house=house)
    settings = settings if shown else replace(settings, console=replace(settings.console, on=False))
    said = settings.serving
    return Serving(
        project=file,
        settings=settings,
        house=house,
        stage=stage or None,
        host=said.host if host is None else host,
        port=said.port if port is None else port,
        workers=said.workers if workers is None else workers,
        turned=turned,
        controller=controller,
        as_json=as_json,
    )
