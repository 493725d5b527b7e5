"""Data: every source read aloud, how fresh it is, the conditions on it, and what last failed, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.clock import EPOCH, from_microseconds, microseconds
from everloop.console.page import Asking, Route, Shown
from everloop.loop.arriving import due_of
from everloop.loop.expected import overdue_sentence
from everloop.loop.house import House
from everloop.loop.spoken import spoken_delivery
from everloop.project.said import said as written
from everloop.project.source import Source
from everloop.project.spoken import spoken_source, spoken_span
from everloop.project.spoken_rows import spoken_rows
from everloop.project.spoken_values import spoken_column
from everloop.records import Finding, Report

SCREEN, DELIVERIES, REPORTS, STANDING = 25, 20, 12, 8
APART = timedelta(minutes=1)
"""What came and counts as known within this of it is of one time."""
FAR = "fit to learn from, as far as it came"


@dataclass(frozen=True)
class Held:
    """One condition on a source: how it is written and read aloud, and what the newest check found (None: nobody has checked yet)."""

    written: str
    aloud: str
    finding: Finding | None


@dataclass(frozen=True)
class Fresh:
    """One source on a line. ``ago``: how long since a row last arrived; ``apart``: the newest of them count as known at times of their
    own. ``state``: fit, fit as far as it came (``FAR``), not fit, not
    enough evidence, or unchecked."""

    name: str
    rows: int
    arrived: datetime | None
    ago: str
    overdue: str
    state: str
    checked: datetime | None
    models: tuple[str, ...]
    apart: bool = False


@dataclass(frozen=True)
class Whole:
    """One source, whole."""

    line: Fresh
    aloud: str
    columns: tuple[tuple[str, str, str], ...]
    conditions: tuple[Held, ...]
    beside: tuple[Finding, ...]
    """What else the newest check found of it: columns that differ, volume, contracts."""
    failures: tuple[tuple[datetime, str, Finding], ...]
    deliveries: tuple[str, ...]
    more: bool
    """Whether there are older deliveries."""


def sources_of(house: House, names: Sequence[str], now: datetime) -> tuple[Fresh, ...]:
    """These sources, a line each."""
    return tuple(_line(house, house.project.sources[name], now, _reports(house, name)[:1]) for name in names)


def source_of(house: House, name: str, now: datetime) -> Whole:
    """One source with its conditions, its last failures and its last deliveries. Raises Unknown."""
    source = house.project.source(name)
    reports = _reports(house, name)
    line = _line(house, source, now, reports)
    newest = [f for f in reports[0].findings if f.source == name] if reports else []
    held = tuple(Held(repr(c), spoken_rows((c,), source), next((f for f in newest if f.clause == repr(c)), None)) for c in source.must)
    clauses = {one.written for one in held}
    failed = [(r.made_at, r.model, f) for r in reports for f in r.findings if f.source == name and f.outcome == "failed"]
    kept = house.lake.log.deliveries(name, newest=DELIVERIES + 1)
    columns = tuple((spoken_column(c), c, written(kind)) for c, kind in source.every_column.items())
    return Whole(
        line,
        spoken_source(source),
        columns,
        held,
        tuple(f for f in newest if f.clause not in clauses),
        tuple(failed[:DELIVERIES]),
        tuple(spoken_delivery(one) for one in kept[::-1][:DELIVERIES]),
        len(kept) > DELIVERIES,
    )


def _line(house: House, source: Source, now: datetime, reports: Sequence[Report]) -> Fresh:
    counters, arrived = house.lake.log.counters(source.name), last_arrived(house, source.name)
    ago = f"{_roughly(now - arrived)} ago" if arrived is not None and now >= arrived else "never" if arrived is None else "just now"
    found = due_of(house, source, now)
    late = overdue_sentence(found, source) if found is not None and found.came_at is None else ""
    models = tuple(m.name for m in house.project.models.values() if any(s.name == source.name for s in m.sources))
    newest = next(iter(reports), None)
    state = _state([f for f in newest.findings if f.source == source.name]) if newest is not None else "unchecked"
    state = FAR if state == "fit" and late else state
    # The counter moves with rows that are known as they arrive, and with no others.
    apart = bool(source.time) and arrived is not None and counters.last_known < microseconds(arrived - APART)
    return Fresh(source.name, counters.last_seq, arrived, ago, late, state, newest.made_at if newest is not None else None, models, apart)


def last_arrived(house: House, source: str) -> datetime | None:
    """When the newest delivery with a row of this source came, whenever its rows count as known. None: none ever did."""
    counters = house.lake.log.counters(source)
    if not counters.last_seq:
        return None
    known = from_microseconds(counters.last_known) if counters.last_known > microseconds(EPOCH) else None
    kept = house.lake.log.deliveries(source, newest=STANDING)
    newest = next((one for one in reversed(kept) if one.withdrawn_at is None and one.last_seq >= one.first_seq), None)
    if newest is None:
        return known
    # Single rows of a day are one delivery, which is of the first of them.
    return max(newest.at, known) if newest.singles and known is not None else newest.at


def _state(findings: Sequence[Finding]) -> str:
    if any(f.outcome == "failed" for f in findings):
        return "not fit"
    return "not enough evidence" if any(f.outcome != "passed" for f in findings) else "fit"


def _roughly(span: timedelta) -> str:
    """A span to its largest unit that says something.

    >>> _roughly(timedelta(hours=30)), _roughly(timedelta(seconds=50)), _roughly(timedelta(days=9, hours=3))
    ('1 day and 6 hours', '1 minute', '9 days')
    """
    unit = 86_400 if span >= timedelta(days=7) else 3600 if span >= timedelta(days=1) else 60
    return spoken_span(timedelta(seconds=max(unit, round(span.total_seconds() / unit) * unit)))


def _reports(house: House, source: str) -> list[Report]:
    """The newest checks of the data of models that read this source, newest first."""
    users = [m.name for m in house.project.models.values() if any(s.name == source for s in m.sources)][:REPORTS]
    found = []
    for name in users:
        kept = house.journal.read(kind="Report", model=name, newest_first=True, limit=max(1, REPORTS // len(users)))
        found += [e.record for e in kept if isinstance(e.record, Report)]
    return sorted(found, key=lambda report: report.made_at, reverse=True)


def shown(asking: Asking) -> Shown:
    """All sources."""
    names = sorted(asking.house.project.sources)
    pages = max(1, -(-len(names) // SCREEN))
    page = asking.number("page", 1)
    page = min(max(1, page), pages)
    here = names[(page - 1) * SCREEN : page * SCREEN]
    values = {"sources": sources_of(asking.house, here, asking.now), "page": page, "pages": pages, "count": len(names)}
    return Shown("Data", "data.html", values)


def one(asking: Asking) -> Shown:
    """One source."""
    whole = source_of(asking.house, asking.path["source"], asking.now)
    return Shown(f"{whole.line.name}, a source", "source.html", {"whole": whole})


ROUTES: tuple[Route, ...] = (
    Route("/data", shown, "viewer", name="data"),
    Route("/data/{source}", one, "viewer", name="source"),
)
