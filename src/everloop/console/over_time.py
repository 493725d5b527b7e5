"""A model over time, drawn: its realised error with what happened to it, what was estimated before the truth, and what it brings. In: what
was kept look by look. Out: plots and the sentences beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from everloop import plots
from everloop.loop.happened import Happened
from everloop.loop.house import House
from everloop.loop.realised import realised_since
from everloop.loop.spoken import spoken_lift
from everloop.monitor.watched import title
from everloop.project.metrics import METRICS
from everloop.project.model import Model
from everloop.records import Signals, Traffic
from everloop.registry.searched import sampled
from everloop.registry.sentences import Naming

MOST_LOOKS, MOST_POINTS = 200, 300
MOST_MARKS = 40
MOST_VERSIONS = 5
GOOD = {"low": "lower is better", "high": "higher is better", "zero": "nearer to zero is better"}


@dataclass(frozen=True)
class Drawn:
    """A plot, and a sentence under it; ``empty`` where there is nothing to draw yet."""

    title: str
    svg: str
    says: str
    empty: bool = False


def looks_of(house: House, model: str, since: datetime, until: datetime) -> tuple[Signals, ...]:
    """What watching found between two instants, oldest first: of more than 200 looks so many, evenly spread, the newest among them, for
    they are large."""
    entries = sampled(house.journal, "Signals", model, since=since, until=until, most=MOST_LOOKS)
    return tuple(entry.record for entry in entries if isinstance(entry.record, Signals))


def marks_of(found: Sequence[Happened], *, most: int = MOST_MARKS) -> tuple[plots.Mark, ...]:
    """What happened as marks of a plot; of more than it can hold the most urgent, then the newest."""
    urgency = {"incident": 0, "deploy": 1, "drift": 2, "decision": 3}
    chosen = sorted(sorted(found, key=lambda one: one.at, reverse=True), key=lambda one: urgency[one.what])[:most]
    return tuple(plots.Mark(one.at, one.words, one.what) for one in sorted(chosen, key=lambda one: one.at))


def error_over_time(
    house: House, model: Model, traffic: Traffic, looks: Sequence[Signals], found: Sequence[Happened], since: datetime, until: datetime,
    called: Naming,
) -> Drawn:  # fmt: skip
    """The realised error on mature truth with its interval, a line for each of the newest five champions, beside what was estimated before
    the truth, with everything that happened. What is estimated is drawn apart and dashed: never mixed with what is known."""
    known = realised_since(house, model.name, since, until, most=MOST_POINTS)
    name = title(model.metric)
    lines = []
    for version in list(dict.fromkeys(one.version for one in known))[-MOST_VERSIONS:]:
        mine = [one for one in known if one.version == version]
        points, band = [(one.at, one.value) for one in mine], [(one.low, one.high) for one in mine]
        lines.append(plots.Line(f"{called(version)} on mature truth", points, band))
    guessed = [
        (look.until, signal) for look in looks for signal in look.signals if signal.kind == "estimate" and signal.measure == model.metric
    ]
    if guessed:
        band = [(signal.low, signal.high) for _, signal in guessed]
        lines.append(plots.Line("estimated before the truth", [(at, signal.value) for at, signal in guessed], band, dashed=True))
    promised = _promised(house, traffic, model)
    levels = [plots.Level("in the contest it won", promised)] if promised is not None else []
    empty = not known and not guessed
    good = GOOD[METRICS[model.metric].good] if model.metric in METRICS else ""
    svg = plots.lines(f"{name} of {model.name} over time", lines, marks=marks_of(found), levels=levels, unit=f"{name}, {good}".rstrip(", "))
    says = "The band is the 95 % interval over the newest four periods whose truth is mature." if known else "No truth is mature yet."
    if guessed:
        said = next((s.sentence for s in reversed(looks[-1].signals) if s.kind == "estimate"), "")
        says += f" {said[:1].upper()}{said[1:]}." if said else ""
    better = model.metric in METRICS and METRICS[model.metric].good == "high"
    return Drawn(f"{'How well it does' if better else 'How wrong it is'}: {name}", svg, says, empty)


def worth_over_time(looks: Sequence[Signals]) -> tuple[Drawn, ...]:
    """What the model brings over the baseline that some units keep, and the business figures its conditions name, each over time with its
    interval."""
    found = []
    for what in dict.fromkeys(lift.what for look in looks for lift in look.lifts):
        series = [(look.until, lift) for look in looks for lift in look.lifts if lift.what == what]
        points, band = [(at, lift.model - lift.control) for at, lift in series], [(lift.low, lift.high) for _, lift in series]
        line = plots.Line("with the model, less without", points, band)
        svg = plots.lines(f"What the model brings: {what}", [line], levels=[plots.Level("nothing", 0.0)], unit=f"{what}, a unit")
        found.append(Drawn(what, svg, f"{spoken_lift(series[-1][1])}."))
    figures = [(look.until, signal) for look in looks for signal in look.signals if signal.kind == "figure" and signal.about]
    for about in dict.fromkeys(signal.about for _, signal in figures):
        mine = [(at, signal) for at, signal in figures if signal.about == about]
        band = [(signal.low, signal.high) for _, signal in mine]
        svg = plots.lines(
            f"{about} over time", [plots.Line(str(about), [(at, signal.value) for at, signal in mine], band)], unit=str(about)
        )
        found.append(Drawn(str(about), svg, f"{mine[-1][1].sentence}."))
    return tuple(found)


def traffic_over_time(traffics: Sequence[tuple[datetime, dict[str, float]]], until: datetime, model: str) -> str:
    """Who answered what share of the units, as steps."""
    return plots.shares(f"Who answered {model}", traffics, until=until)


def _promised(house: House, traffic: Traffic, model: Model) -> float | None:
    """What the champion's error was in the contest it won."""
    verdict = house.verdict(house.version(traffic.champion).verdict)
    opinions = verdict.opinions if verdict is not None else ()
    return next((o.candidate for o in opinions if o.measure == model.metric and o.candidate is not None), None)
