"""What a house knows, for teams that keep features in Feast or data in DVC, and for programs that tell a unit's arm themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, Folder, Json, Name, Project, Stage
from everloop.cli.saying import instant_of, say

To = Annotated[Path, typer.Option("--to", help="The folder to write into; made where there is none.")]

exports = typer.Typer(help="Write what the house knows for other tools.", no_args_is_help=True, rich_markup_mode=None)


@exports.command()
def feast(
    model: Name,
    to: To,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """A feature repository for Feast: definitions, and finalized rows as Parquet."""
    from everloop.loop.export import spoken_feast, to_feast

    opened = open_light(project, house, stage)
    done = to_feast(opened, opened.project.model(model), to, instant_of(now))
    say(vars(done), spoken_feast(done, to), as_json)


@exports.command()
def dvc(
    model: Name,
    to: To,
    version: Annotated[str | None, typer.Option("--version", help="The version that learnt from it, such as demand@3.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Read again what the folder's MODEL.pins.toml names.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """A training set and the snapshot under it, as a folder that Git and DVC pin. Exit code 1: --again found other bytes than pinned."""
    from everloop.loop.export import spoken_dvc, to_dvc

    opened = open_light(project, house, stage)
    done = to_dvc(opened, opened.project.model(model), to, version=version, again=again)
    say(vars(done), spoken_dvc(done, to), as_json)
    raise typer.Exit(1 if again and done.same is False else 0)


@exports.command()
def assignment(to: To, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """The arm of a unit for JavaScript and Shopify's Liquid, with the roll-outs in force."""
    from everloop.loop.export import spoken_assignment, to_assignment

    opened = open_light(project, house, stage)
    done = to_assignment(opened, to)
    say(vars(done), spoken_assignment(done, to), as_json)
