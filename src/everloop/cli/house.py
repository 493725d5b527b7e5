"""The house itself."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import say

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")]


def clean(dry_run: DryRun = False, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Drop bodies that no record names, compiled copies that nobody needs, and training sets half put together."""
    from everloop.loop.clean import clean as cleaned

    done = cleaned(open_light(project, house, stage), dry_run=dry_run)
    say(
        vars(done.garbage) | {"copies": done.copies, "copies_size": done.copies_size, "parts": done.parts, "dry_run": dry_run},
        str(done),
        as_json,
    )
