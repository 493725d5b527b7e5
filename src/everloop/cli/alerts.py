"""Who is told what goes wrong, and whether they are."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import say

alerts = typer.Typer(help="Who is told what goes wrong, and whether they are.", no_args_is_help=True, rich_markup_mode=None)


@alerts.command("test")
def alert_test(
    name: Annotated[str, typer.Argument(help="Somebody in [people] of everloop.toml.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
) -> None:
    """Write to somebody now, and say what came of it."""
    from everloop.loop.news.deliver import try_out

    typer.echo(try_out(open_light(project, house, stage), name))


@alerts.command("list")
def alert_list(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """The newest alerts, whether they were delivered, and what is wrong with the addresses."""
    from everloop.clock import wall
    from everloop.loop.news.deliver import spoken_outbox
    from everloop.loop.news.recipients import check_people

    opened = open_light(project, house, stage)
    newest = opened.outbox.all()
    lines = [*check_people(opened.settings), *spoken_outbox(opened, wall())]
    lines += [
        f"{kept.raised_at:%Y-%m-%d %H:%M} {kept.alert.severity}: {kept.alert.sentence}" + (" (delivered)" if kept.delivered_at else "")
        for kept in newest
    ]
    rows = [vars(kept.alert) | {"raised_at": kept.raised_at, "delivered_at": kept.delivered_at} for kept in newest]
    say(rows, "\n".join(lines) or "No news.", as_json)
