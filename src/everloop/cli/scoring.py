"""Answers for many units: every question that has come due, or a file of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import models_of, open_whole
from everloop.cli.options import HERE, At, Folder, Json, Models, Project, Stage
from everloop.cli.saying import instant_of, say
from everloop.errors import EverloopError

if TYPE_CHECKING:
    from everloop.loop.batch.score import Batch, Progress
    from everloop.loop.house import House

PAUSE = 5.0
"""Seconds between two lines where nobody looks at a terminal."""


def score(
    model: Models = None,
    to: Annotated[Path | None, typer.Option("--to", help="The file to write, Parquet or CSV: a row for each key.")] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Whom to ask about: CSV, Parquet or NDJSON (default: everybody known).")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Who answers, such as demand@3 (default: the champion).")] = None,
    as_served: Annotated[bool, typer.Option("--as-served", help="Who answers whom is the traffic's to say.")] = False,
    remember: Annotated[bool, typer.Option("--remember", help="With --as-served: the answers count as given.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="The file may be there already.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Answer every question that has come due since the last time; with --to, write the answers of many units into a file."""
    at = instant_of(now)
    if to is None:
        if keys or version or as_served or remember or overwrite:
            raise EverloopError("Say where the answers go: --to answers.parquet")
        _score_due(open_whole(project, house, stage), model, at, as_json)
        return
    if model is None:
        raise EverloopError("Say which model answers: everloop score MODEL --to answers.parquet")
    opened = open_whole(project, house, stage)
    from everloop.loop.batch.score import Batch

    batch = Batch(opened.project.model(model), to, keys, version, as_served, remember, overwrite, at_said=now is not None)
    _score_file(opened, batch, at, as_json)


def _score_due(opened: House, model: str | None, at: datetime, as_json: bool) -> None:
    from everloop.loop.ahead import known_ahead
    from everloop.loop.answers import answer_due

    counts = {m.name: answer_due(opened, m, at) for m in models_of(opened, model)}
    ahead = dict.fromkeys(line for m in models_of(opened, model) for line in known_ahead(opened, m, at))
    say(counts, "\n".join([*(f"{name}: {count:,} answers." for name, count in counts.items()), *ahead]), as_json)


def _score_file(opened: House, batch: Batch, at: datetime, as_json: bool) -> None:
    from everloop.loop.batch.score import score as score_file
    from everloop.loop.batch.score import spoken_scored

    try:
        with _telling(batch.model.name) as told:
            done = score_file(opened, batch, at, told=told)
    except KeyboardInterrupt:
        raise EverloopError(f"Stopped; {batch.to} is as it was. What was answered is kept: the same command goes on with it.") from None
    say(done.data(), spoken_scored(done), as_json)
    raise typer.Exit(1 if done.count.without else 0)


@contextmanager
def _telling(name: str) -> Iterator[Callable[[Progress], None]]:
    """A bar with rate and remaining time on a terminal, a line now and then elsewhere; on stderr."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _lines(name)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    rate = TextColumn("{task.fields[rate]}")
    with Bar(TextColumn(name), BarColumn(), MofNCompleteColumn(), rate, TimeElapsedColumn(), console=console) as bar:
        task, pace = bar.add_task(name, total=None, rate=""), _Pace()

        def told(progress: Progress) -> None:
            if progress.note:
                console.print(progress.note)
            said = "".join(pace.of(progress))
            bar.update(task, completed=progress.rows, total=progress.of, rate=said)

        yield told


def _lines(name: str) -> Callable[[Progress], None]:
    from everloop.clock import monotonic

    pace, last = _Pace(), monotonic()

    def told(progress: Progress) -> None:
        nonlocal last
        if progress.note:
            typer.echo(progress.note, err=True)
        rate, left = pace.of(progress)
        if rate and monotonic() - last >= PAUSE:
            last = monotonic()
            of = f" of {progress.of:,}" if progress.of else ""
            typer.echo(f"{name}: {progress.rows:,}{of} rows, {rate}{left}.", err=True)

    return told


class _Pace:
    """How fast rows are answered; what is there from before counts for nothing."""

    def __init__(self) -> None:
        self.began: float | None = None

    def of(self, progress: Progress) -> tuple[str, str]:
        """The rate, and about how long the rest takes; empty where that cannot be told yet."""
        from everloop.clock import monotonic

        if self.began is None or progress.note:
            self.began = monotonic()
        rows, seconds = progress.rows - progress.before, monotonic() - self.began
        if rows <= 0 or seconds <= 0:
            return "", ""
        left = f", about {max(0, progress.of - progress.rows) / rows * seconds:,.0f} s left" if progress.of else ""
        return f"{rows / seconds:,.0f} rows/s", left
