"""What stands, what stood, and why; nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import open_light, open_whole
from everloop.cli.options import HERE, At, Folder, Json, Name, Project, Stage
from everloop.cli.saying import instant_of, say

if TYPE_CHECKING:
    from everloop.loop.house import House


def status(
    delivery: Annotated[
        bool, typer.Option("--delivery", help="How often and how fast models came into service, from the journal.")
    ] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Each model on one line: champion, what is rolling out, what it waits for, what is wrong."""
    if delivery:
        _delivery(open_light(project, house, stage), now, as_json)
        return
    from everloop.clock import wall
    from everloop.loop.autonomy import spoken_level
    from everloop.loop.control.queue import queue_of, streams_of
    from everloop.loop.control.working import working
    from everloop.loop.look import status as now_standing
    from everloop.loop.news.deliver import spoken_outbox

    opened = open_light(project, house, stage)
    rows = now_standing(opened)
    queue, streams = str(queue_of(opened)), map(str, streams_of(opened))
    at_it = (one.spoken(wall()) for one in working(opened))
    lines = [*map(str, rows), *at_it, *([queue] if queue else []), *streams, *spoken_level(opened), *spoken_outbox(opened, wall())]
    say([r.__dict__ for r in rows], "\n".join(lines), as_json)


def _delivery(opened: House, now: str | None, as_json: bool) -> None:
    from everloop.loop.delivery import delivery_of

    found = [delivery_of(opened, name, until=instant_of(now)) for name in opened.project.models]
    say(found, "\n".join(map(str, found)) or "No model.", as_json)


def history(
    model: Name,
    at: Annotated[str | None, typer.Option("--at", help="What was live at this instant, and why.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Who answered, since when, and why."""
    from everloop.loop.look import history as told

    opened = open_light(project, house, stage)
    lines, records = told(opened, opened.project.model(model), instant_of(at) if at else None)
    say(records, "\n".join(lines), as_json)


def why(
    id: Annotated[str, typer.Argument(help="A model; or any record's id, a version such as demand@3, or a prediction's id.")],
    replay: Annotated[bool, typer.Option("--replay", help="Work each verdict behind it out again from its record.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """The chain of records behind a decision, a version or an answer; of a model, what may be behind its drift or its slip.

    Exit code 1: --replay came to something else than a record.
    """
    from everloop.loop.look import why as because

    if is_name(id) and id in (opened := open_whole(project, house, stage)).project.models:
        from everloop.loop.causes import spoken_because, why_now

        behind = why_now(opened, opened.project.model(id), instant_of(now))
        say(vars(behind), spoken_because(behind), as_json)
        return
    opened = open_light(project, house, stage)
    lines, records = because(opened, id)
    if not replay:
        say(records, "\n".join(lines), as_json)
        return
    from everloop.loop.replayed import replayed

    found = replayed(opened, records)
    say([vars(one) for one in found], "\n".join(map(str, found)), as_json)
    raise typer.Exit(1 if any(one.differs for one in found) else 0)


def is_name(id: str) -> bool:
    """Whether what somebody asks about may be a model: it is no version, nor the hexadecimal id of a record or an answer.

    >>> is_name("demand"), is_name("demand@3"), is_name("0123456789abcdef")
    (True, False, False)
    """
    return "@" not in id and not (len(id) >= 16 and set(id) <= set("0123456789abcdef"))


def verify(project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Check the journal's chain from its first record to its head."""
    from everloop.loop.look import verify as chain

    typer.echo(chain(open_light(project, house, stage)))
