"""Copies of a house: taken while it runs, made a house again, tried; and how far a house goes by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from everloop.cli.opening import open_light, open_whole
from everloop.cli.options import HERE, At, By, Folder, Json, Project, Reason, Stage
from everloop.cli.saying import instant_of, say

To = Annotated[str, typer.Argument(help="A folder, or a URL of object storage such as s3://bucket/shop; for this house alone.")]
From = Annotated[str, typer.Argument(metavar="FROM", help="Where backups were put.")]
Keep = Annotated[int | None, typer.Option("--keep", min=1, help="So many of the newest backups stay there; older ones go.")]
Drill = Annotated[bool, typer.Option("--drill", help="Restore it into a folder that goes again, and ask what was answered.")]
Listed = Annotated[bool, typer.Option("--list", help="Only tell which backups there are.")]
Which = Annotated[str | None, typer.Option("--backup", help="A backup by its id, or the beginning of it (default: the newest).")]
Level = Annotated[str, typer.Option("--level", help="The highest level models act at afterwards: observe, suggest or act.")]


def backup(
    to: To, drill: Drill = False, keep: Keep = None, listed: Listed = False, project: Project = HERE, house: Folder = None,
    stage: Stage = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Copy a house while it runs, as it is at one instant, and prove the copy; what is there already is not copied again.

    Exit code 1: the drill found an answer that differs.
    """
    from everloop.clock import wall

    if listed:
        from everloop.loop.backup.manifest import Place
        from everloop.loop.backup.shelf import open_shelf
        from everloop.settings import read_settings

        settings = read_settings(project.parent if project.suffix else project, stage=stage or None, house=house)
        found = list(Place(open_shelf(to, settings.storage)).all())
        lines = [f"{id}: {m.size / 1e6:,.1f} MB in {len(m.parts):,} files, journal to {m.head[:20]}…" for id, m in found]
        say([{"id": id, "taken_at": m.taken_at, "bytes": m.size, "head": m.head} for id, m in found], "\n".join(lines) or "None.", as_json)
        return
    from everloop.loop.backup.take import take

    opened = (open_whole if drill else open_light)(project, house, stage)
    taken = take(opened, to, keep=keep)
    data = {"id": taken.id, "to": taken.to, "bytes": taken.manifest.size, "new": taken.new, "head": taken.manifest.head, "went": taken.went}
    if not drill:
        say(data, str(taken), as_json)
        return
    from everloop.loop.backup.drill import drill as drilled

    done = drilled(opened, to, backup=taken.id, now=wall())
    asked = [vars(one) for one in done.models]
    say({**data, "passed": done.passed, "seconds": done.seconds, "answers": asked}, f"{taken}\n{done}", as_json)
    raise typer.Exit(0 if done.passed else 1)


def restore(
    frm: From, which: Which = None, level: Level = "observe", by: By = "", project: Project = HERE, house: Folder = None,
    stage: Stage = "", now: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Make a house of a backup where there is none; it begins by observing, and tells nothing that was told already."""
    from functools import partial

    from everloop.errors import EverloopError
    from everloop.loop.backup.restore import restore as restored
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.settings import LEVELS, read_settings
    from everloop.training.stand_in import opened

    if level not in LEVELS:
        raise EverloopError(f"{level} is no level. Say observe, suggest or act.")
    without_pandas()
    there = opened(partial(open_project, project))
    settings = read_settings(there.path.parent if there.path else Path.cwd(), stage=stage or None, house=house)
    done = restored(there, settings, frm, backup=which, level=level, by=by, now=instant_of(now))
    data = {"id": done.id, "house": str(done.house), "head": str(done.head), "level": done.level, "withdrawn": done.withdrawn}
    say(data | {"forgotten_again": [one.id for one in done.again], "project_changed": done.changed}, str(done), as_json)


def autonomy(
    level: Annotated[str, typer.Argument(help="observe, suggest or act: no model of this house acts above it.")],
    by: By = "", reason: Reason = "", project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say how far this house goes by itself, whatever settings and project file allow; they still hold."""
    from everloop.loop.autonomy import set_level
    from everloop.loop.spoken import spoken_record

    record = set_level(open_light(project, house, stage), level, by=by, reason=reason, now=instant_of(now))  # type: ignore[arg-type]
    say(record, spoken_record(record), as_json)
