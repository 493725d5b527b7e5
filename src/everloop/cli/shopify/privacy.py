"""What Shopify asked about people, and what became of it."""

from __future__ import annotations

import typer

from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import say


def requests(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Privacy requests and what became of each; exit code 1 where one is overdue."""
    from everloop.clock import wall
    from everloop.connect.shopify.place import Place
    from everloop.connect.shopify.privacy import requests as asked
    from everloop.settings import read_settings

    settings = read_settings(project if project.is_dir() else project.parent, stage=stage or None, house=house)
    file = settings.house / "shopify.db"
    found = asked(Place(file)) if file.exists() else []
    now = wall()
    lines = [one.said(now) for one in found] or ["Nobody has asked yet."]
    say([vars(one) | {"late": one.late(now)} for one in found], "\n".join(lines), as_json)
    raise typer.Exit(1 if any(one.late(now) for one in found) else 0)
