"""A model: its error over time with everything that happened to it, what it brings, what it knows, how groups fare, its contests, and the
way back. In: a house, a model, now. Out: what the page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.console.contests import Listed, contests_of
from everloop.console.known import Known, known_of
from everloop.console.over_time import Drawn, error_over_time, looks_of, traffic_over_time, worth_over_time
from everloop.console.page import Asking, Route, Shown
from everloop.console.ring import Line, line_of, parts_of
from everloop.console.rollout import undoes
from everloop.console.said import called, naming, within
from everloop.loop.happened import Happened, happened
from everloop.loop.house import House
from everloop.loop.realised import Group, groups_of, newest_realised
from everloop.monitor.watched import title
from everloop.project.model import Model
from everloop.project.spoken import explain
from everloop.records import Signals, Traffic
from everloop.registry.sentences import Naming

SPANS = {"7": "a week", "28": "four weeks", "91": "three months", "365": "a year"}
USUAL = "91"


@dataclass(frozen=True)
class GroupSaid:
    """One group of the questions: its error with its interval, and how that compares with all questions together."""

    name: str
    of: str
    figure: str
    rows: int
    beside: str


@dataclass(frozen=True)
class ModelView:
    """Everything the page of one model shows."""

    line: Line
    explained: str
    span: str
    spans: tuple[tuple[str, str], ...]
    error: Drawn | None
    traffic_svg: str | None
    worth: tuple[Drawn, ...]
    known: Known
    groups: tuple[GroupSaid, ...]
    fair: tuple[str, ...]
    contests: tuple[Listed, ...]
    happened: tuple[Happened, ...]
    generation: int
    undoes: str
    """What an undo would do; empty where there is nothing to take back."""


def model_view(house: House, model: Model, now: datetime, *, span: str = USUAL) -> ModelView:
    """What there is to see of a model ``now`` (aware, business time), over the last so many days before its newest turn."""
    span = span if span in SPANS else USUAL
    name = naming(house)
    traffic = house.pointers.current(model.name)
    waiting = next(iter(house.approvals.waiting(model.name)), None)
    line = line_of(house, model, traffic, waiting, house.incidents.open(model.name), name, now)
    spans = tuple(SPANS.items())
    if traffic is None:
        nothing = Known((), why="It has learnt nothing yet.")
        return ModelView(line, explain(model), span, spans, None, None, (), nothing, (), (), (), (), 0, "")
    until = max(now, traffic.made_at)
    last = house.turns.last(model.name)
    since = (last.now if last is not None else until) - timedelta(days=int(span))
    looks = looks_of(house, model.name, since, until)
    found = happened(house, model.name, name, since=since, until=until, looks=looks)
    return ModelView(
        line=line,
        explained=explain(model),
        span=span,
        spans=spans,
        error=error_over_time(house, model, traffic, looks, found, since, until, name),
        traffic_svg=_traffic(house, model, since, until, name),
        worth=worth_over_time(looks),
        known=known_of(house, model, house.champion(traffic)),
        groups=groups_said(house, model, traffic),
        fair=_fair(looks[-1] if looks else None),
        contests=contests_of(house, model, called(house, model.name), most=12),
        happened=found[:-21:-1],
        generation=traffic.generation,
        undoes=undoes(traffic, name),
    )


def groups_said(house: House, model: Model, traffic: Traffic) -> tuple[GroupSaid, ...]:
    """The groups of the champion's questions, each beside all of them together."""
    groups = groups_of(house, model.name, traffic.champion)
    every = newest_realised(house, model.name)
    whole = every.value if every is not None and every.version == traffic.champion else None
    measure = title(model.metric)
    return tuple(
        GroupSaid(g.name.replace("_", " "), g.of, f"{measure} {within(g.value, g.low, g.high, g.why)}", g.rows, beside_all(g, whole))
        for g in groups
    )


def beside_all(group: Group, whole: float | None) -> str:
    """How a group compares with all together, as far as its interval lets one say so.

    >>> group = Group("region", "north", 0.5, 0.4, 0.6, 200)
    >>> beside_all(group, 0.3), beside_all(group, 0.45), beside_all(group, None)
    ('higher than all together', 'as all together, as far as can be told', 'cannot be compared')
    """
    if whole is None or group.low is None or group.high is None:
        return "cannot be compared"
    if group.low > whole:
        return "higher than all together"
    return "lower than all together" if group.high < whole else "as all together, as far as can be told"


def _traffic(house: House, model: Model, since: datetime, until: datetime, name: Naming) -> str | None:
    entries = house.journal.read(kind="Traffic", model=model.name, until=until, newest_first=True, limit=200)
    lived = [entry.record for entry in reversed(entries) if isinstance(entry.record, Traffic)]
    steps = [(max(t.made_at, since), {part.version: part.share for part in parts_of(t, name)}) for t in lived]
    within_span = [step for n, step in enumerate(steps) if n + 1 == len(steps) or steps[n + 1][0] > since]
    return traffic_over_time(within_span, until, model.name) if len(within_span) > 1 else None


def _fair(look: Signals | None) -> tuple[str, ...]:
    """What the newest look says of conditions on fairness."""
    found = look.signals if look is not None else ()
    return tuple(f"{signal.sentence[:1].upper()}{signal.sentence[1:]}." for signal in found if signal.clause.startswith("fair_across("))


def model(asking: Asking) -> Shown:
    """The page of one model."""
    declared = asking.house.project.model(asking.path["model"])
    view = model_view(asking.house, declared, asking.now, span=asking.query.get("days", USUAL))
    return Shown(declared.name, "model.html", {"view": view, "model": declared.name})


ROUTES: tuple[Route, ...] = (Route("/models/{model}", model, "viewer", name="model"),)
