"""Before there is a house: write a project, and read it aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.options import HERE, Models, Project
from everloop.errors import EverloopError


def init(
    kind: Annotated[str, typer.Argument(help="shop, churn, fraud, price or recommend.")] = "shop",
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = HERE,
) -> None:
    """Write a project that runs at once: the project file, settings, made-up data and a test."""
    from everloop.clock import wall
    from everloop.loop.start import start_project

    written = start_project(kind, folder, end=wall())
    here = folder.resolve() == Path.cwd()
    names = ", ".join(str(path.relative_to(folder)) for path in written)
    typer.echo(f"Wrote {names}{'' if here else f' in {folder}'}.")
    where = "" if here else f"cd {folder} && "
    typer.echo(f"Next: {where}everloop explain && everloop ingest && everloop turn")


def explain(model: Models = None, project: Project = HERE) -> None:
    """Read a model aloud, as the house understands it. Mistakes are told all at once."""
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.routes import held_as_told
    from everloop.project.spoken import explain as read_aloud
    from everloop.settings import read_settings

    opened = open_project(project)
    models = [opened.model(model)] if model else list(opened.models.values())
    if not models:
        raise EverloopError(f"{project} declares no Model. Bind one to a name in it; everloop init shop writes one that runs.")
    house = read_settings(opened.path.parent if opened.path else Path.cwd()).house
    held = {m.name: held_as_told(house, m.name) for m in models}
    stops = {name: f" Now it is held by {who}: nothing is rolled out before: everloop release {name}" for name, who in held.items() if who}
    typer.echo("\n\n".join(read_aloud(m, pending=True) + stops.get(m.name, "") for m in models))
