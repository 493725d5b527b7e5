"""Runs: what is under way and what failed; every training with its parameters and measures, filtered, ordered, and held beside others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from everloop.console.page import Asking, Done, Route, Shown
from everloop.console.shown import MOUNT
from everloop.console.why import features_aloud
from everloop.errors import EverloopError, Unknown
from everloop.loop.control.again import ask_again
from everloop.loop.control.cancel import cancel
from everloop.loop.house import House
from everloop.loop.lineage import snapshot_of
from everloop.project.refuse import did_you_mean
from everloop.records import Candidate, Verdict
from everloop.registry.errands import Errand, Errands
from everloop.registry.runs import OWN, Run, terms_of
from everloop.registry.sentences import rows_said
from everloop.stats.rounded import figure

SCREEN, FEW = 50, 10
MOST_BESIDE = 6
SHOWN_PARAMETERS, SHOWN_MEASURES = 4, 4
SHORT = 40
"""Letters of a parameter that stands in a column; longer ones are told where runs stand beside one another."""
HEAD = 28
"""Letters of a name that stand above a column; all of them when it is pointed at."""
USUAL = ("rows", "columns", "seconds", "cpu_seconds", "money")


@dataclass(frozen=True)
class Table:
    """A screenful of runs, and which of their parameters and measures stand in columns: those in which they differ first."""

    runs: tuple[Run, ...]
    parameters: tuple[str, ...]
    measures: tuple[str, ...]
    more: bool


@dataclass(frozen=True)
class Doing:
    """An errand: under way, waiting, or failed with what it said."""

    id: str
    verb: str
    model: str
    now: datetime
    asked_at: datetime
    state: str
    holder: str | None
    message: str


def table_of(house: House, text: str = "", *, by: str = "", falling: bool = False, page: int = 1) -> Table:
    """The runs that meet what was written, ``SCREEN`` at a time, page 1 first. Raises EverloopError for what filters nothing."""
    words = {"by": by, "falling": falling, "limit": SCREEN + 1, "offset": (page - 1) * SCREEN}
    found = house.runs.page(terms_of(text), **words)  # type: ignore[arg-type]
    runs = found[:SCREEN]
    return Table(tuple(runs), _parameters(runs), _measures(runs, by), len(found) > SCREEN)


def unknown(house: House, text: str, by: str, names: Sequence[str]) -> Iterator[str]:
    """Of a filter that no run meets: what in it no run has at all, in sentences. ``names`` are those the newest runs have."""
    for term in terms_of(text):
        if term.name and term.name not in names:
            yield f"{term.name!r} is the name of no parameter and no measure of the newest runs.{did_you_mean(term.name, names)}"
        elif not term.name and not house.runs.page((term,), limit=1):
            yield f"{term.value!r} stands in no learner and in no model."
        elif term.name in OWN and not house.runs.page((term,), limit=1):
            yield f"No run has {term.name}{term.sign}{term.value}."
    if by and (by not in names or not text):
        yield f"No run has a number that is called {by!r} to be ordered by.{did_you_mean(by, names) if by not in names else ''}"


def _parameters(runs: Sequence[Run]) -> tuple[str, ...]:
    names = dict.fromkeys(name for run in runs for name in run.parameters if name != "seed")
    values = {name: {str(run.parameters.get(name)) for run in runs} for name in names}
    short = [name for name in names if len(values[name]) > 1 and all(len(value) <= SHORT for value in values[name])]
    return tuple(short[:SHOWN_PARAMETERS])


def short(name: str) -> str:
    """A parameter or a measure as the head of a column: its first letters, where it is a whole clause.

    >>> short("wape gain"), short("fair_across(orders.latest('region'), 'wape', 0.1) of the champion")
    ('wape gain', "fair_across(orders.latest('… of the champion")
    """
    for what in (" of the champion", " gain"):
        if name.endswith(what):
            return short(name.removesuffix(what)) + what
    return name if len(name) <= HEAD else f"{name[: HEAD - 1]}…"


def _measures(runs: Sequence[Run], by: str) -> tuple[str, ...]:
    told: dict[str, int] = {}
    for run in runs:
        for name in run.measures:
            if name not in USUAL and not name.endswith((" of the champion", " gain")):
                told[name] = told.get(name, 0) + 1
    most = sorted(told, key=lambda name: -told[name])[: SHOWN_MEASURES - 1]
    gains = [f"{name} gain" for name in most[:1] if any(f"{name} gain" in run.measures for run in runs)]
    asked = [by] if by and any(by in run.measures for run in runs) else []
    return tuple(dict.fromkeys([*asked, *most, *gains, "rows", "cpu_seconds"]))


def doing(house: House) -> tuple[tuple[Doing, ...], tuple[Doing, ...], int]:
    """What is under way or waits (the newest few), what failed last, and how many are under way or wait in all."""
    errands = Errands(house.store)
    with house.store.reading() as t:
        left = errands.unfinished(within=t)
        failed = errands.recent("failed", limit=FEW, within=t)
    return tuple(map(_doing, left[:FEW])), tuple(map(_doing, failed)), len(left)


def _doing(errand: Errand) -> Doing:
    try:
        message = str(json.loads(errand.said or "{}").get("message", ""))
    except ValueError:
        message = ""
    what = {"taken": "under way", "waiting": "waits", "failed": "failed"}.get(errand.state, errand.state)
    return Doing(errand.id, errand.verb, errand.model, errand.now, errand.asked_at, what, errand.holder, message)


def shown(asking: Asking) -> Shown:
    """The table."""
    house, query = asking.house, asking.query
    text, by, falling = query.get("q", "").strip(), query.get("by", "").strip(), query.get("order") == "falling"
    page = max(1, asking.number("page", 1))
    wrong, table = "", Table((), (), (), False)
    names: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    try:
        table = table_of(house, text, by=by, falling=falling, page=page)
    except EverloopError as error:
        wrong = str(error)
    if (text or by) and not table.runs:
        names = (*OWN, *house.runs.names())
        unread = () if wrong else tuple(unknown(house, text, by, names))
    under_way, failed, count = doing(house)
    values = {
        "table": table, "text": text, "by": by, "falling": falling, "page": page, "wrong": wrong,
        "under_way": under_way, "failed": failed, "waiting": count, "turns": house.turns.under_way(limit=FEW), "figure": figure,
        "unread": unread, "names": names, "short": short,
        "words": {"q": text or None, "by": by or None, "order": "falling" if falling else None},
    }  # fmt: skip
    return Shown("Runs", "runs.html", values)


# -- one run -------------------------------------------------------------------------------------------------------------------------


def one(asking: Asking) -> Shown:
    """One run, whole."""
    house, id = asking.house, asking.path["run"]
    run, candidate = _run(house, id), house.candidate(id)
    training_set = house.learnt_from(candidate)
    verdicts = [e.record for e in house.journal.read(kind="Verdict", model=run.model, since=candidate.made_at, limit=200)]
    mine = [v for v in verdicts if isinstance(v, Verdict) and v.candidate == id]
    values = {
        "run": run, "candidate": candidate, "training_set": training_set,
        "snapshot": snapshot_of(house, training_set) if training_set is not None else None,
        "verdicts": mine, "features": features_aloud(house, candidate), "figure": figure,
        "rows_said": rows_said,
    }  # fmt: skip
    return Shown(f"A run of {run.model}", "run.html", values)


def _run(house: House, id: str) -> Run:
    found = house.runs.some([id])
    if not found:
        raise Unknown("run", id, where="this house", next="See what there is: Runs")
    return found[0]


# -- beside one another --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One line of a comparison: a name, what each run has, whether they differ, and of two numbers by how much."""

    name: str
    values: tuple[str, ...]
    differs: bool
    by: str = ""


@dataclass(frozen=True)
class Beside:
    """Runs beside one another, what they were given first. Of two, ``more`` and ``fewer``: what the second knows that the first does not,
    and the other way round."""

    runs: tuple[Run, ...]
    parts: tuple[tuple[str, tuple[Compared, ...]], ...]
    more: tuple[str, ...] = ()
    fewer: tuple[str, ...] = ()


def beside(house: House, ids: Sequence[str]) -> Beside:
    """These runs (two to six) beside one another. Raises Unknown, and EverloopError for one alone or too many."""
    ids = list(dict.fromkeys(ids))
    if not 2 <= len(ids) <= MOST_BESIDE:
        raise EverloopError(f"Choose two to {MOST_BESIDE} runs to hold beside one another; {len(ids)} were chosen. Go back to Runs.")
    runs = [_run(house, id) for id in ids]
    candidates = [house.candidate(id) for id in ids]
    parts = (
        ("Parameters", _lines([{"learner": run.learner, **run.parameters} for run in runs])),
        ("Measures", _lines([run.measures for run in runs], numbers=True)),
        ("What it was learnt from", _lines([_data(house, one) for one in candidates])),
        ("Code and surroundings", _lines([_code(one) for one in candidates])),
    )
    sides = [features_aloud(house, one, each=True) for one in candidates] if len(ids) == 2 else []
    more = tuple(name for name in sides[1] if name not in sides[0]) if sides else ()
    fewer = tuple(name for name in sides[0] if name not in sides[1]) if sides else ()
    return Beside(tuple(runs), tuple((title, lines) for title, lines in parts if lines), more, fewer)


def _data(house: House, candidate: Candidate) -> dict[str, object]:
    training_set = house.learnt_from(candidate)
    snapshot = snapshot_of(house, training_set) if training_set is not None else None
    rows = {f"rows of {e.source}": e.rows for e in snapshot.extents} if snapshot is not None else {}
    ends = {"from": candidate.learnt_from, "until": candidate.learnt_until}
    said = {name: f"{at:%Y-%m-%d %H:%M} UTC" for name, at in ends.items() if at is not None}
    return {**said, "training set": training_set.body[:12] if training_set is not None else None, **rows}


def _code(candidate: Candidate) -> dict[str, object]:
    own = {"commit": candidate.commit, "uncommitted": candidate.dirty, "definition": candidate.definition}
    return {**own, **dict(candidate.environment)}


def _lines(sides: Sequence[Mapping[str, object]], *, numbers: bool = False) -> tuple[Compared, ...]:
    lines = []
    for name in dict.fromkeys(name for side in sides for name in side):
        values = [side.get(name) for side in sides]
        said = tuple(_value(value) for value in values)
        by = ""
        if numbers and len(values) == 2 and all(isinstance(v, int | float) for v in values):
            before, after = (float(str(v)) for v in values)
            by = _change(before, after)
        lines.append(Compared(name, said, len(set(said)) > 1, by))
    return tuple(sorted(lines, key=lambda line: not line.differs))


def _change(before: float, after: float) -> str:
    """By how much the second is more, and by what share of the first.

    >>> _change(0.5, 0.4), _change(0.0, 2.0), _change(3.0, 3.0)
    ('−0.100 (−20 %)', '+2', '')
    """
    if before == after:
        return ""
    difference = after - before
    sign = "+" if difference > 0 else "−"
    share = f" ({sign}{abs(difference / before) * 100:.3g} %)" if before else ""
    size = f"{abs(difference):,.0f}" if before.is_integer() and after.is_integer() else figure(abs(difference))
    return f"{sign}{size}{share}"


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return figure(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def compared(asking: Asking) -> Shown:
    """Those that were ticked, beside one another."""
    ids = [word.removeprefix("run.") for word in asking.query if word.startswith("run.")]
    found = beside(asking.house, ids)
    title = "Difference of two runs" if len(found.runs) == 2 else f"{len(found.runs)} runs beside one another"
    return Shown(title, "compare.html", {"beside": found, "two": len(found.runs) == 2})


# -- what people do ------------------------------------------------------------------------------------------------------------------


def retry(asking: Asking, form: Mapping[str, str]) -> Done:
    """What failed waits again."""
    waits = ask_again(asking.house, asking.path["errand"], by=asking.person.name, reason=form.get("reason", ""), now=asking.now)
    return Done(f"{MOUNT}/runs", f"The {waits.verb} of {waits.model} waits to be carried out again.")


def stop(asking: Asking, form: Mapping[str, str]) -> Done:
    """The turn under way ends."""
    model = asking.house.project.model(asking.path["model"])
    return Done(f"{MOUNT}/runs", cancel(asking.house, model, asking.person.name, form.get("reason", "")))


ROUTES: tuple[Route, ...] = (
    Route("/runs", shown, "viewer", name="runs"),
    Route("/runs/beside", compared, "viewer", name="compare"),
    Route("/runs/errands/{errand}/again", retry, "operator", "POST", name="again"),
    Route("/runs/turns/{model}/cancel", stop, "operator", "POST", name="cancel"),
    Route("/runs/{run}", one, "viewer", name="run"),
)
