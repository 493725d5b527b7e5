"""What comes in from files: taken in, looked through, taken back, agreed to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import open_light
from everloop.cli.options import HERE, At, By, Folder, Json, Project, Reason, Source, Stage
from everloop.cli.saying import instant_of, say, span_of

if TYPE_CHECKING:
    from everloop.records import Received


def ingest(
    source: Annotated[str | None, typer.Argument(help="The source; every source with files in everloop.toml if not said.")] = None,
    files: Annotated[list[Path] | None, typer.Argument(help="CSV, Parquet or Arrow files.")] = None,
    known_after: Annotated[
        str | None,
        typer.Option("--known-after", help="History: how long after it happened a row was known (0, 10m, 1d). Default: known now."),
    ] = None,
    most_refused: Annotated[
        float, typer.Option("--most-refused", min=0, max=1, help="The share of the rows that may be refused, such as 0.01.")
    ] = 0.0,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Take files in. A file enters once; rows that come twice are harmless; rows that cannot be read are named.

    Exit code 1 where more rows of a source were refused than --most-refused says.
    """
    from everloop.loop.arrivals import columns_told, ingest_files

    opened = open_light(project, house, stage)
    received = ingest_files(opened, source, files or [], now=instant_of(now), known_after=span_of(known_after))
    lines = [
        f"{r.source}: {r.kept:,} rows kept"
        + (f", {r.duplicates:,} already known" if r.duplicates else "")
        + (f", {r.refused:,} refused:\n  " + "\n  ".join(_why(r)) if r.refused else "")
        + "."
        + (f"\n  {r.doubt}" if r.doubt else "")
        for r in received
    ]
    lines += [told for r in received if (told := columns_told(opened, r.source))]
    named = opened.settings.sources
    # What says itself when it was known, and what has no time, is no history that could be taken for news.
    dated = {name for name, one in opened.project.sources.items() if one.time and not one.known}
    unsaid = {r.source for r in received if r.kept and (files or r.source not in named or named[r.source].known_after is None)}
    if known_after is None and unsaid & dated:
        lines.append("They count as known from now on. If they are history, say how soon they were known: --known-after 0")
    say(list(received), "\n".join(lines), as_json)
    raise typer.Exit(1 if any(r.refused > most_refused * (r.kept + r.duplicates + r.refused) for r in received) else 0)


def _why(received: Received) -> list[str]:
    """How many rows each reason refused, with one of them as an example, the most frequent first."""
    return [f"{one.rows:,} like {one.example}" if one.rows > 1 else one.example for one in received.reasons] or list(received.examples)


def deliveries(source: Source, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """What came in of a source, delivery by delivery, and which were taken back."""
    import msgspec

    from everloop.loop.arrivals import delivered
    from everloop.loop.spoken import spoken_delivery

    found = delivered(open_light(project, house, stage), source)
    said = "\n".join(map(spoken_delivery, found)) or f"Nothing of {source} has come in yet. Say: everloop ingest {source} FILES…"
    say([msgspec.structs.asdict(d) for d in found], said, as_json)


def withdraw(
    source: Source,
    number: Annotated[int, typer.Argument(help="The delivery's number, as everloop deliveries tells it.")],
    by: By = "somebody at the terminal",
    reason: Reason = "withdraw",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Take a delivery back: what stood before stands again. What was trained on it can still be read."""
    from everloop.loop.arrivals import take_back

    answered = take_back(open_light(project, house, stage), source, number, by=by, reason=reason, now=instant_of(now))
    say([answered], f"{source}: delivery {number} is taken back; {answered.kept:,} rows were answered.", as_json)


def accept(source: Source, project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Say that the columns a delivery brought, and nobody declared, are as they should be."""
    from everloop.loop.arrivals import accept as agree

    names = agree(open_light(project, house, stage), source)
    typer.echo(
        f"{source}: {', '.join(names)} may come from now on." if names else f"{source}: no delivery brought a column nobody declared."
    )
