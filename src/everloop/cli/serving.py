"""Answering over HTTP, alone or beside a controller that turns the house."""

from __future__ import annotations

from pathlib import Path

import typer

from everloop.cli.options import HERE, Folder, Host, Json, Port, Project, Stage, TurnedClock, Workers
from everloop.errors import EverloopError


def serve(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Answer over HTTP, by workers that share one address. Nobody turns the house; see run."""
    _serve(project, house, stage, host, port, workers, turned_clock, as_json, controller=False)


def run(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Answer over HTTP, and turn the house whenever that is due."""
    _serve(project, house, stage, host, port, workers, turned_clock, as_json, controller=True)


def _serve(
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
) -> None:
    from everloop.loop.serve.supervise import Serving, supervise
    from everloop.settings import read_settings

    file = project / "project.py" if project.is_dir() else project
    if not file.is_file():
        raise EverloopError(f"There is no project file {file}. Write one with: everloop init shop")
    settings = read_settings(file.parent, stage=stage or None, house=house)
    said = settings.serving
    serving = Serving(
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
    raise typer.Exit(supervise(serving))
