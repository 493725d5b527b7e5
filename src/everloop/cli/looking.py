"""What stands, what stood, and why; nothing here changes anything."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, Folder, Json, Name, Project, Stage
from everloop.cli.saying import instant_of, say


def status(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Each model on one line: champion, what is rolling out, what it waits for."""
    from everloop.clock import wall
    from everloop.loop.look import status as now_standing
    from everloop.loop.news.deliver import spoken_outbox

    opened = open_light(project, house, stage)
    rows = now_standing(opened)
    say([r.__dict__ for r in rows], "\n".join([*map(str, rows), *spoken_outbox(opened, wall())]), as_json)


def history(
    model: Name,
    at: Annotated[str | None, typer.Option("--at", help="What was live at this instant, and why.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Who answered, since when, and why."""
    from everloop.loop.look import history as told

    opened = open_light(project, house, stage)
    lines, records = told(opened, opened.project.model(model), instant_of(at) if at else None)
    say(records, "\n".join(lines), as_json)


def why(
    id: Annotated[str, typer.Argument(help="Any record's id, a version such as demand@3, or a prediction's id.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """The chain of records behind a decision, a version or an answer."""
    from everloop.loop.look import why as because

    lines, records = because(open_light(project, house, stage), id)
    say(records, "\n".join(lines), as_json)


def verify(project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Check the journal's chain from its first record to its head."""
    from everloop.loop.look import verify as chain

    typer.echo(chain(open_light(project, house, stage)))
