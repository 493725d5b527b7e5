"""How far what is asked and answered has moved from what was learnt from; nothing here changes anything."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, Folder, Json, Project, Stage
from everloop.cli.saying import instant_of, say


def drift(
    model: Annotated[str | None, typer.Argument(help="A model; all of them if not said.")] = None,
    classify: Annotated[bool, typer.Option("--classify", help="Let a classifier try to tell the newest window apart, too.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """How far each feature of the newest window lies from what was learnt from, and what a quiet year costs in false alarms.

    As of an instant where one is said: the champion of then, and the answers given by then.
    """
    from everloop.loop.drifting import measure

    opened = open_light(project, house, stage)
    models = [opened.project.model(model)] if model else list(opened.project.models.values())
    begun = [m for m in models if model or opened.pointers.current(m.name)]
    until = instant_of(now) if now else None
    found = [measure(opened, m, classify=classify, until=until) for m in begun]
    waiting = [f"{m.name}: has not begun. Next: everloop turn {m.name}" for m in models if m not in begun]
    say([each.as_plain() for each in found], "\n".join([*map(str, found), *waiting]), as_json)
    raise typer.Exit(1 if any(each.drifted for each in found) else 0)
