"""What Shopify asked about people, and what became of it."""

from __future__ import annotations

import typer

from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import say


def requests(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Privacy requests and what became of each; exit code 1 where one is overdue."""
    from everloop.clock import wall
    from everloop.connect.shopify import inbox
    from everloop.connect.shopify.about_people import requests as asked
    from everloop.connect.shopify.place import Place
    from everloop.settings import read_settings

    settings = read_settings(project if project.is_dir() else project.parent, stage=stage or None, house=house)
    file = settings.house / "shopify.db"
    found = asked(Place(file)) if file.exists() else []
    now = wall()
    lines, waiting = [one.said(now) for one in found] or ["Nobody has asked yet."], 0
    if file.exists():
        inbox.open_inbox(Place(file))
        waiting = inbox.figures(Place(file)).waiting
    if waiting:
        count = "1 delivery waits" if waiting == 1 else f"{waiting:,} deliveries wait"
        lines.append(f"{count} to be read, and may ask for more: everloop shopify status")
    say([vars(one) | {"late": one.late(now)} for one in found], "\n".join(lines), as_json)
    raise typer.Exit(1 if any(one.late(now) for one in found) else 0)
