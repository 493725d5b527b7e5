"""What Shopify asked about people, and what became of it."""

from __future__ import annotations

import typer

from everloop.cli.options import HERE, Folder, Json, Project, Stage
from everloop.cli.saying import say


def requests(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Privacy requests and what became of each; exit code 1 where one is overdue, or lies aside unread."""
    from everloop.clock import wall
    from everloop.connect.shopify import inbox
    from everloop.connect.shopify.about_people import TOPICS
    from everloop.connect.shopify.about_people import requests as asked
    from everloop.connect.shopify.place import Place
    from everloop.settings import read_settings

    settings = read_settings(project if project.is_dir() else project.parent, stage=stage or None, house=house)
    place = Place(settings.house / "shopify.db")
    found, waiting, aside = [], 0, 0
    if place.file.exists():
        inbox.open_inbox(place)
        box = inbox.figures(place)
        found, waiting, aside = asked(place), box.waiting, sum(box.dead_topics.get(topic, 0) for topic in TOPICS)
    now = wall()
    lines = [one.said(now) for one in found] or ["Nobody has asked yet."]
    if waiting:
        lines.append(f"{_many(waiting, 'waits', 'wait')} to be read, and may ask for more: everloop shopify status")
    if aside:
        lines.append(f"{_many(aside, 'asks', 'ask')} about people and could not be read: everloop shopify status, everloop shopify again")
    say([vars(one) | {"late": one.late(now)} for one in found], "\n".join(lines), as_json)
    raise typer.Exit(1 if aside or any(one.late(now) for one in found) else 0)


def _many(count: int, does: str, do: str) -> str:
    return f"1 delivery {does}" if count == 1 else f"{count:,} deliveries {do}"
