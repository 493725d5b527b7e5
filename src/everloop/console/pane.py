"""One pane: traffic, latency, CPU, drift, error and business measures of a model as lanes on one axis of time, with what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop import plots
from everloop.clock import from_microseconds, instant, microseconds
from everloop.console.over_time import looks_of, marks_of
from everloop.console.page import Asking, Route, Shown
from everloop.console.why import MANY
from everloop.loop.answers import answers_of
from everloop.loop.happened import happened
from everloop.loop.house import House
from everloop.plots import Lane, Line
from everloop.project.model import Model
from everloop.records import Signals
from everloop.registry.costs import loops

SPANS = {"1d": timedelta(days=1), "7d": timedelta(days=7), "28d": timedelta(days=28), "90d": timedelta(days=90)}
STEPS = {"1d": timedelta(minutes=15), "7d": timedelta(hours=2), "28d": timedelta(hours=6), "90d": timedelta(days=1)}
MOST = 1_000_000
"""Answers that are counted for one page: some 100 MB in memory."""
READ = ("id", "arm", "answered_at", "microseconds", "error")


@dataclass(frozen=True)
class Given:
    """Answers counted by step of time: ``at`` are the beginnings; of each how many were given, by candidates, without an answer, how many
    seconds models took for all of them, and how long the middle and the slowest hundredth took, in milliseconds (None where none was
    given). ``too_many``: more than a page counts."""

    at: tuple[datetime, ...] = ()
    answers: tuple[int, ...] = ()
    candidates: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    middle: tuple[float | None, ...] = ()
    slowest: tuple[float | None, ...] = ()
    too_many: bool = False


@dataclass(frozen=True)
class Pane:
    """One model between two instants: the picture, and the same in numbers."""

    model: str
    since: datetime
    until: datetime
    picture: str
    answers: int
    failed: int
    turns: int
    happened: tuple[tuple[datetime, str, str], ...]
    too_many: int | None = None
    """How many answers are counted for a page, where more than that were given."""


def pane_of(house: House, model: Model, *, until: datetime, span: str = "7d") -> Pane:
    """What a model did in the ``span`` (a key of ``SPANS``) up to an instant."""
    since, step = until - SPANS[span], STEPS[span]
    given = given_between(house, model, since, until, step)
    looks = looks_of(house, model.name, since, until)
    turned = loops(house.store, model.name, since=since, until=until)
    found = happened(house, model.name, house.versions.naming(), since=since, until=until, looks=looks)
    cpu = Lane(
        "CPU of turns", [Line("CPU seconds", [(one.at, one.cost.cpu_seconds) for one in turned])], "seconds a turn", missing="no turn"
    )
    rows = [*_served(given, step), cpu, *_watched(looks), *_business(looks)]
    said = tuple((one.at, one.what, one.words) for one in reversed(found))
    picture = plots.lanes(f"{model.name}, one pane", rows, since=since, until=until, marks=marks_of(found), id="pane")
    return Pane(
        model.name, since, until, picture, sum(given.answers), sum(given.failed), len(turned), said, MOST if given.too_many else None
    )


def given_between(house: House, model: Model, since: datetime, until: datetime, step: timedelta) -> Given:
    """The answers of a model between two instants, by step; what nobody saw (shadow) is left out. Of more than ``MOST``
    none is counted: a page does no heavy work."""
    first, last, width = microseconds(since), microseconds(until), step // timedelta(microseconds=1)
    rows = answers_of(house, model, since=since, until=until, columns=READ, most=MOST + 1)
    if len(rows) > MOST:
        return Given(too_many=True)
    rows = rows.filter(pc.field("arm") != "shadow")
    count = max(1, -(-(last - first) // width))
    place = np.minimum((rows.column("answered_at").to_numpy() - first) // width, count - 1).astype(np.int64)
    failed = rows.column("error").is_valid().to_numpy()
    theirs = pc.starts_with(rows.column("arm"), "candidate").to_numpy()
    took = rows.column("microseconds").to_numpy() / 1000
    middle, slowest = _quantiles(place[~failed], took[~failed], count)
    counts = [tuple(np.bincount(where, minlength=count).tolist()) for where in (place, place[theirs], place[failed])]
    seconds = tuple((np.bincount(place, took, minlength=count) / 1000).tolist())
    at = tuple(from_microseconds(first + n * width) for n in range(count))
    return Given(at, counts[0], counts[1], counts[2], seconds, middle, slowest)


def _quantiles(
    place: NDArray[np.int64], took: NDArray[np.float64], count: int
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    order = np.lexsort((took, place))
    place, took = place[order], took[order]
    edges = np.searchsorted(place, np.arange(count + 1))
    middle: list[float | None] = []
    slowest: list[float | None] = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        size = high - low
        middle.append(float(took[low + size // 2]) if size else None)
        slowest.append(float(took[low + min(size - 1, int(0.99 * size))]) if size else None)
    return tuple(middle), tuple(slowest)


def _served(given: Given, step: timedelta) -> Iterator[Lane]:
    hours = step / timedelta(hours=1)
    lines = [Line("answers", [(at, n / hours) for at, n in zip(given.at, given.answers, strict=True)])]
    if any(given.candidates):
        lines.append(Line("by candidates", [(at, n / hours) for at, n in zip(given.at, given.candidates, strict=True)], dashed=True))
    if any(given.failed):
        lines.append(Line("without an answer", [(at, n / hours) for at, n in zip(given.at, given.failed, strict=True)], dashed=True))
    some, none = any(given.answers), f"more than {MOST:,} answers" if given.too_many else "nobody was answered"
    yield Lane("Traffic", lines if some else [], "answers an hour", missing=none)
    times = [
        Line("median", list(zip(given.at, given.middle, strict=True))),
        Line("p99", list(zip(given.at, given.slowest, strict=True)), dashed=True),
    ]
    yield Lane("Latency", times if some else [], "ms of the model", missing=none)
    busy = [Line("time in models", [(at, n / hours) for at, n in zip(given.at, given.seconds, strict=True)])]
    yield Lane("Work of answers", busy if some else [], "seconds an hour", missing=none)


def _watched(looks: Sequence[Signals]) -> Iterator[Lane]:
    """What each look found of drift and of the error: realised, and estimated before the truth."""
    drifts: dict[str, list[tuple[datetime, float | None]]] = {}
    errors: dict[str, list[tuple[datetime, float | None]]] = {}
    guessed: list[tuple[datetime, float | None]] = []
    band: list[tuple[float | None, float | None]] = []
    for look in looks:
        for signal in look.signals:
            if signal.kind == "drift" and signal.value is not None:
                drifts.setdefault(signal.measure or "drift", []).append((look.until, signal.value))
            elif signal.kind == "slip" and signal.value is not None and signal.measure is not None:
                errors.setdefault(signal.measure, []).append((look.until, signal.value))
            elif signal.kind == "estimate" and signal.value is not None:
                guessed.append((look.until, signal.value))
                band.append((signal.low, signal.high))
    worst = [Line(f"largest {name.upper() if name == 'psi' else name}", points) for name, points in drifts.items()]
    yield Lane("Drift", worst[:1], "of what drifted most", missing="no look has compared anything yet")
    lines = [Line("on mature truth", points) for points in list(errors.values())[:1]]
    lines += [Line("before the truth", guessed, band, dashed=True)] if guessed else []
    yield Lane("Error", lines, next(iter(errors), ""), missing="no truth is mature yet")


def _business(looks: Sequence[Signals]) -> Iterator[Lane]:
    """What the model brings beside the units that keep the baseline, and the figures conditions name."""
    brought: dict[str, tuple[list[tuple[datetime, float | None]], list[tuple[datetime, float | None]]]] = {}
    figures: dict[str, list[tuple[datetime, float | None]]] = {}
    for look in looks:
        for lift in look.lifts:
            mine, theirs = brought.setdefault(lift.what, ([], []))
            mine.append((look.until, lift.model))
            theirs.append((look.until, lift.control))
        for signal in look.signals:
            if signal.kind == "figure" and signal.value is not None:
                figures.setdefault(signal.clause, []).append((look.until, signal.value))
    for what, (mine, theirs) in list(brought.items())[:2]:
        yield Lane(what, [Line("with the model", mine), Line("with the baseline", theirs, dashed=True)], "a unit")
    for clause, points in list(figures.items())[:2]:
        yield Lane("Business", [Line(clause, points)])
    if not brought and not figures:
        yield Lane("Business", [], missing="no control, and no figure is named")


def shown(asking: Asking) -> Shown:
    """The page."""
    house, query = asking.house, asking.query
    names = sorted(house.project.models)
    name = query.get("model", "").strip() or (names[0] if names else "")
    span = query.get("span", "7d") if query.get("span", "7d") in SPANS else "7d"
    until = instant(text) if (text := query.get("until", "").strip()) else asking.now
    pane = pane_of(house, house.project.model(name), until=until, span=span) if name else None
    choices = names if len(names) <= MANY else []
    values = {"pane": pane, "models": choices, "model": name, "span": span, "spans": tuple(SPANS), "until": query.get("until", "").strip()}
    return Shown("One pane", "pane.html", values)


ROUTES: tuple[Route, ...] = (Route("/pane", shown, "viewer", name="pane"),)
