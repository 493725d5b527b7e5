"""What a version is made of, and whether it can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.opening import open_whole
from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import say

VersionName = Annotated[str, typer.Argument(help="A version, such as demand@3.")]


def reproduce(version: VersionName, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Make a version again from its record, and say equal or where it differs.

    Exit code 1: it answers otherwise, or its rows are others.
    """
    from everloop.loop.reproduce import reproduce as made_again

    opened = open_whole(project, house, stage)
    again = made_again(opened, opened.project.model(version.partition("@")[0]), version)
    say(again.__dict__ | {"same": again.same}, str(again), as_json)
    raise typer.Exit(0 if again.same else 1)


def card(
    version: VersionName,
    to: Annotated[Path | None, typer.Option("--to", help="A file to write: .md for the Hugging Face Hub, .html, or .json.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """The card of a version: what it predicts, what it learnt from, what it had to show, what moves its answers."""
    from everloop.loop.carded import card_of, write_card
    from everloop.registry.card import markdown

    opened = open_whole(project, house, stage)
    model = opened.project.model(version.partition("@")[0])
    if to is not None:
        say({"file": write_card(opened, model, version, to)}, f"The card of {version} is in {to}.", as_json)
        return
    found = card_of(opened, model, version)
    say(found, markdown(found), as_json)
