"""What is wrong with which model, and what people say about it."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, By, Folder, Json, Project, Reason, Stage
from everloop.cli.saying import instant_of, say

Id = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, or the first four letters of it or more.")]


def incidents(
    model: Annotated[str | None, typer.Argument(help="The model's name (default: all).")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """What is wrong now, with which model, since when, and who is at it."""
    from everloop.loop.incidents import incidents_of, spoken_incidents

    found = incidents_of(open_light(project, house, stage), model, every=every, at=instant_of(now) if now else None)
    say(found, spoken_incidents(found), as_json)


def acknowledge(
    incident: Id,
    by: By,
    reason: Reason,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Say that somebody is at an incident."""
    from everloop.loop import incidents as there

    word = there.acknowledge(open_light(project, house, stage), incident, by=by, reason=reason, now=instant_of(now))
    say(word, there.spoken_incident(word), as_json)


def snooze(
    incident: Id,
    until: Annotated[str, typer.Option("--until", help="A span from now such as 6h or 2d, or an instant.")],
    by: By,
    reason: Reason,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Tell nobody of an incident before a moment; if it is not over by then, people are told again."""
    from everloop.loop import incidents as there

    word = there.snooze(open_light(project, house, stage), incident, until, by=by, reason=reason, now=instant_of(now))
    say(word, there.spoken_incident(word), as_json)
