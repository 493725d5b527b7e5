"""The story of one year, told in eight chapters on a turned clock, offline: ``everloop demo``.

Every verdict in it is the ring's own; nothing is decided here. The house is turned by ``everloop run``, and the story only speaks to it
from outside. A second house, without any plant, is played beside it in one process.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

# Before numerical libraries are loaded: two houses share the cores, and threads that wait by spinning take them from one another.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from everloop.demo.quality import churn_quality, demand_quality
from everloop.demo.report import Chapter, Contested, Decided, Story, write_report
from everloop.demo.shop import load, starts
from everloop.demo.telling import Facts, facts_of, figures_of, plots_of
from everloop.demo.year import FIRST, LAST, Plants, Year, open_year
from everloop.loop.spoken import spoken_record
from everloop.registry.history import names
from everloop.registry.written import as_data

CENTS, RHYTHM, HARM = 32, 36, 48
PLANTS = Plants(cents=CENTS, rhythm=RHYTHM, harm=HARM)


@dataclass(frozen=True)
class Told:
    """What came of a telling: the story as the report shows it, the facts behind it, the control house's facts, and the report."""

    story: Story
    planted: Facts
    control: Facts
    report: Path


def tell(folder: Path, *, as_json: bool = False) -> Told:
    """Play the year twice, with and without plants, and tell it; writes ``report.html`` into ``folder``, where the houses are kept too.

    What was in the folder's houses before is removed. Raises Missing without the demo's data.
    """
    console = Console(stderr=as_json, highlight=False)
    began = time.perf_counter()
    for house in ("planted", "control"):
        shutil.rmtree(folder / house, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with _beside(folder / "control") as control, bars(console) as progress:
        planted, chapters = _planted(folder / "planted", progress)
        bar = progress.add_task("7. The same year without any of it", total=1)
        figures_ahead()
        without = control.result()
        progress.update(bar, completed=1)
    chapters.append(Chapter(7, "The control run", without.quiet_sentences()))
    story = _story(planted, without, chapters, folder, time.perf_counter() - began)
    report = write_report(story, folder / "report.html")
    told = Told(story, planted, without, report)
    if as_json:
        print(json.dumps(as_data({"planted": planted, "control": without, "figures": list(story.figures)}), indent=2, default=str))
    else:
        _say(console, told)
    return told


def _planted(folder: Path, progress: Progress) -> tuple[Facts, list[Chapter]]:
    shop = load()
    chapters: list[Chapter] = []
    with open_year(folder, shop, PLANTS, over_http=True) as year:

        def chapter(number: int, title: str, weeks: range) -> list[str]:
            bar = progress.add_task(f"{number}. {title}", total=max(1, len(weeks)))
            before = len(year.house.journal.read())
            if number == 1:
                year.begin()
            for week in weeks:
                year.week(week)
                progress.advance(bar)
            progress.update(bar, completed=max(1, len(weeks)))
            return _sentences(year, before)

        chapter(1, "Half a year of orders goes in", range(0))
        chapters.append(Chapter(1, "Half a year of orders goes in", (_counts(year),)))
        for number, title, weeks in (
            (2, "First candidates are judged", range(FIRST, FIRST + 1)),
            (3, "Quiet weeks", range(FIRST + 1, CENTS)),
            (4, "A delivery with prices in cents", range(CENTS, CENTS + 1)),
            (5, "Demand really changes", range(CENTS + 1, HARM)),
            (6, "A harmful model is forced past the gate", range(HARM, LAST + 1)),
        ):
            chapters.append(Chapter(number, title, tuple(chapter(number, title, weeks))))
        facts = facts_of(year)
        more = {3: facts.quiet_sentences(until=starts(CENTS)), 4: tuple(facts.refused), 6: facts.harm_sentences()}
        chapters = [Chapter(c.number, c.title, c.sentences + more.get(c.number, ()), c.plots) for c in chapters]
        return facts, chapters


def play_control(folder: Path) -> Facts:
    """The same year without plants, in a house of its own."""
    with open_year(folder, load(), Plants()) as year:
        year.begin()
        for week in range(FIRST, LAST + 1):
            year.week(week)
        return facts_of(year)


def figures_ahead() -> None:
    """Work the figures out while the control house is still turning."""
    demand_quality()
    churn_quality()


@contextmanager
def _beside(folder: Path) -> Iterator[Future[Facts]]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(play_control, folder)


def bars(console: Console) -> Progress:
    """One progress bar per chapter."""
    return Progress(TextColumn("{task.description:<44}"), BarColumn(bar_width=28), TimeElapsedColumn(), console=console)


def _counts(year: Year) -> str:
    tables = {
        s.name: len(t) for m in year.house.project.models.values() for s, t in zip(m.sources, year.house.tables(m).values(), strict=True)
    }
    said = ", ".join(f"{count:,} {name}" for name, count in tables.items())
    return f"{said} are in, known as they happened; the clock stands at {starts(FIRST):%Y-%m-%d}."


def _sentences(year: Year, before: int) -> list[str]:
    """What was decided in these weeks, in order; weeks in which nothing had to be done are not told."""
    name = names(year.house.journal)
    told = []
    for entry in year.house.journal.read()[before:]:
        record = entry.record
        # What a step of a roll-out does is told by the traffic it makes.
        idle = entry.kind == "Decision" and record.action in ("hold", "advance", "promote")  # type: ignore[attr-defined]
        if entry.kind in ("Decision", "Verdict", "Traffic", "Approval") and not idle:
            told.append(f"{record.made_at:%d %b}, {record.model}: {spoken_record(record, name)}")  # type: ignore[attr-defined]
        if entry.kind == "Report" and not record.passed:  # type: ignore[attr-defined]
            told.append(f"{record.made_at:%d %b}, {record.model}: the data is not fit to learn from; the champion stays.")  # type: ignore[attr-defined]
    return told


def _story(planted: Facts, control: Facts, chapters: list[Chapter], folder: Path, seconds: float) -> Story:
    return Story(
        title="A year of orders, kept right",
        summary=(
            "Two models of one shop on 84.51's “Complete Journey” (one-year slice): next week's units of 1,303 products, and which "
            "households will not come back. The clock is turned week by week; every verdict below is the ring's own. The learners' "
            "settings were chosen on this very year: its figures show that the story can be told, not how well they would do elsewhere."
        ),
        chapters=tuple(chapters),
        figures=figures_of(planted, control),
        decisions=tuple(Decided(d.at, d.model, d.sentence, d.id) for d in planted.decisions),
        contests=tuple(Contested(c.label, c.effect, c.low, c.high, c.asked, c.outcome, c.at) for c in planted.contests),
        plots=plots_of(planted, control),
        commands=tuple(commands(planted, folder)),
        head=planted.head,
        seconds=seconds,
    )


def commands(planted: Facts, folder: Path) -> list[str]:
    """How to look further into the house that is left behind."""
    project = Path(__file__).with_name("project.py")
    where = f"--project {project} --house {(folder / 'planted' / 'house').resolve()}"
    newest = planted.contests[-1].candidate if planted.contests else "demand@1"
    return [
        f"everloop why demand@2 {where}",
        f"everloop why {newest} {where}",
        f"everloop history demand --at {starts(44):%Y-%m-%dT%H:%MZ} {where}",
        f"everloop status {where}",
        f"everloop verify {where}",
    ]


def _say(console: Console, told: Told) -> None:
    for chapter in told.story.chapters:
        console.print(f"\n[bold]{chapter.number}. {chapter.title}[/bold]")
        for sentence in chapter.sentences:
            console.print("   " + sentence, soft_wrap=True, markup=False)
    console.print("\n[bold]Figures[/bold]")
    for figure in told.story.figures:
        floors = ", ".join(f"{name} {value:.4g}" for name, value in figure.floors)
        goal = "" if figure.goal is None else f" (goal {figure.goal:g})"
        said = f"   {figure.name}: {figure.value:.4g} {figure.unit}{goal}{'; ' + floors if floors else ''}"
        console.print(said, markup=False, soft_wrap=True)
    console.print("\n[bold]8. Look further[/bold]")
    console.print(f"   {told.report}", markup=False, soft_wrap=True)
    for command in told.story.commands:
        console.print("   " + command, markup=False, soft_wrap=True)
    console.print(f"\nTold in {told.story.seconds:.0f} s. Journal head {told.story.head[:20]}…", markup=False)
