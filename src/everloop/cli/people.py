"""People in the data: what is known of one, and that it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, By, Folder, Json, Project, Reason, Stage
from everloop.cli.saying import instant_of, say

Who = Annotated[str | None, typer.Argument(help="The column that says who, such as customer_id.")]
Value = Annotated[str | None, typer.Argument(help="What it says of the person.")]
Everybody = Annotated[bool, typer.Option("--everybody", help="Empty the house: everything of everybody, and what was learnt, goes.")]
To = Annotated[Path | None, typer.Option("--to", help="Write it into this file, as JSON.")]


def forget(
    column: Who = None, value: Value = None, everybody: Everybody = False, by: By = "", reason: Reason = "", project: Project = HERE,
    house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Erase what is known of one person, in every version there is; told is what had learnt from it and what cannot be reached."""
    from everloop.errors import EverloopError
    from everloop.loop.forget import empty, finish
    from everloop.loop.forget import forget as erase
    from everloop.loop.spoken import spoken_record

    if everybody == bool(column or value) or bool(column) != bool(value):
        raise EverloopError("Say whom: everloop forget customer_id 4711, or everloop forget --everybody.")
    opened = open_light(project, house, stage)
    if column and value:
        finish(opened)
        record = erase(opened, column, value, by=by, reason=reason, now=instant_of(now))
    else:
        record = empty(opened, by=by, reason=reason, now=instant_of(now))
    lines = [spoken_record(record), *(f"  ! {one}" for one in record.left)]
    if record.counted:
        lines.insert(1, f"  {', '.join(record.counted)} had counted them among others.")
    say(record, "\n".join(lines), as_json)


def known(
    column: Annotated[str, typer.Argument(help="The column that says who, such as customer_id.")],
    value: Annotated[str, typer.Argument(help="What it says of the person.")],
    to: To = None, project: Project = HERE, house: Folder = None, stage: Stage = "",
) -> None:  # fmt: skip
    """Everything that is known of one person, as JSON: rows by source, answers by model."""
    import json

    from everloop.loop.forget import known_of
    from everloop.registry.written import as_data

    text = json.dumps(as_data(known_of(open_light(project, house, stage), column, value)), ensure_ascii=False, indent=2, default=str)
    if to is None:
        typer.echo(text)
    else:
        to.write_text(text + "\n")
        typer.echo(f"Everything known of {column} {value} is in {to}.")
