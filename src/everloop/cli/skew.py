"""Whether answers were made from what the event log tells; nothing here changes anything."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, Folder, Json, Models, Project, Stage
from everloop.cli.saying import instant_of, say


def skew(
    model: Models = None,
    since: Annotated[str | None, typer.Option("--since", help="Answers from this instant on (default: a day before now).")] = None,
    share: Annotated[
        float | None, typer.Option("--share", min=0, max=1, help="The share of units looked at (default: what everloop.toml says, 0.01).")
    ] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Read again what answers were made from, and compare it value by value with what was served."""
    from everloop.loop.skew import as_plain, measure

    opened, at = open_light(project, house, stage), instant_of(now)
    models = [opened.project.model(model)] if model else list(opened.project.models.values())
    found = [measure(opened, m, now=at, since=instant_of(since) if since else None, share=share) for m in models]
    say([as_plain(each) for each in found], "\n".join(map(str, found)), as_json)
    raise typer.Exit(0 if all(each.clean for each in found) else 1)
