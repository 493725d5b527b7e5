"""What a played year comes to: errors week by week, contests, decisions, figures and plots, read from the house's own records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from everloop import plots
from everloop.clock import from_microseconds
from everloop.console.over_time import marks_of
from everloop.demo.quality import churn_quality, demand_quality
from everloop.demo.report import Figure
from everloop.demo.shop import starts
from everloop.demo.year import FIRST, Year
from everloop.loop.answers import answers_of
from everloop.loop.happened import Happened, happenings
from everloop.loop.spoken import spoken_record
from everloop.loop.truths import told_of
from everloop.project.model import Model
from everloop.records import Decision, Outcome, Traffic, Verdict
from everloop.registry.history import names
from everloop.serving.answered import features_of


@dataclass(frozen=True)
class Contest:
    """One contest as the journal has it: who was judged, by how much better (a share), with its interval."""

    model: str
    candidate: str
    label: str
    effect: float | None
    low: float | None
    high: float | None
    asked: float
    outcome: Outcome
    at: datetime
    overridden: bool


@dataclass(frozen=True)
class Made:
    """One decision that was more than to hold."""

    at: datetime
    model: str
    action: str
    cause: str
    sentence: str
    id: str


@dataclass(frozen=True)
class Week:
    """How wrong the answers of one week were (WAPE), beside the last week's value and the eight-week mean on the same products."""

    at: datetime
    champion: float
    last_week: float
    eight_weeks: float


@dataclass(frozen=True)
class Facts:
    """What came of a year."""

    decisions: tuple[Made, ...]
    contests: tuple[Contest, ...]
    weeks: tuple[Week, ...]
    steps: tuple[tuple[datetime, tuple[tuple[str, float], ...]], ...]  # who answered demand, with shares
    alarms: int
    alarms_before_change: int
    refused: tuple[str, ...]
    harm_answers: int
    harm_shadow: int
    harm_undone_after: timedelta | None
    promoted: tuple[str, ...]  # versions that took over after the first
    undone: int
    happened: tuple[Happened, ...]  # to demand
    head: str

    def quiet_sentences(self, until: datetime | None = None) -> tuple[str, ...]:
        """What did not happen."""
        if until is not None:
            return (f"Alarms in the quiet weeks: {self.alarms_before_change}.",)
        later = ", ".join(self.promoted) or "none"
        return (
            f"The same year without plants: {self.alarms} alarms, versions promoted after the first: {later}, taken back: {self.undone}.",
            *(f"{c.label}: {c.outcome} ({_share(c.effect)}, {_share(c.low)} … {_share(c.high)})" for c in self.contests),
        )

    def harm_sentences(self) -> tuple[str, ...]:
        """What the harmful model did before it was stopped."""
        if self.harm_undone_after is None:
            return ("The harmful model was not stopped.",)
        told = f"The harmful model was taken back by itself after {self.harm_undone_after.days} days: "
        return (told + f"{self.harm_answers:,} answers to anybody, {self.harm_shadow:,} in shadow.",)


def facts_of(year: Year) -> Facts:
    """Read a played year from its house."""
    house, demand = year.house, year.house.project.model("demand")
    entries = house.journal.read()
    name = names(house.journal)
    decisions = tuple(
        Made(r.made_at, r.model, r.action, r.cause, spoken_record(r, name), r.id)
        for r in (e.record for e in entries)
        if isinstance(r, Decision) and r.action != "hold"
    )
    traffics = [r for r in (e.record for e in entries) if isinstance(r, Traffic)]
    alarms = [d for d in decisions if d.cause in ("drift", "slip", "worse", "errors", "outage")]
    harm, shadow, after = _harm(year, demand)
    return Facts(
        decisions=decisions,
        contests=tuple(_contest(r, name(r.candidate)) for r in (e.record for e in entries) if isinstance(r, Verdict)),
        weeks=_weeks(year, demand),
        steps=tuple((t.since, _shares(t, name)) for t in traffics if t.model == "demand"),
        alarms=len(alarms),
        alarms_before_change=len([d for d in alarms if d.at < starts(year.plants.cents or FIRST)]),
        refused=tuple(year.refused),
        harm_answers=harm,
        harm_shadow=shadow,
        harm_undone_after=after,
        promoted=_promoted(traffics, name),
        undone=len([d for d in decisions if d.action == "undo"]),
        happened=tuple(happenings([e.record for e in entries if getattr(e.record, "model", None) == "demand"], name)),
        head=str(house.journal.verify()),
    )


def _contest(verdict: Verdict, candidate: str) -> Contest:
    opinion = verdict.opinions[0]
    asked = 0.01 if verdict.model == "demand" else 0.02
    label = f"{verdict.model}, {verdict.made_at:%d %b}" + (" (forced)" if verdict.by else "")
    return Contest(
        verdict.model,
        verdict.candidate,
        label,
        opinion.effect,
        opinion.low,
        opinion.high,
        asked,
        verdict.outcome,
        verdict.made_at,
        bool(verdict.by),
    )


def _weeks(year: Year, demand: Model) -> tuple[Week, ...]:
    """The error of what was served, week by week, on truths mature by the end."""
    house = year.house
    told = told_of(house, demand, answers_of(house, demand), starts(53))
    served = (np.array(told.table.column("arm").to_pylist()) != "shadow") & told.mature
    table, truth = told.table.take(pa.array(np.flatnonzero(served))), told.truth[served].astype(float)
    moments = table.column("moment").to_numpy()
    answer = table.column("answer").combine_chunks().field("value").to_numpy(zero_copy_only=False)
    knew = features_of(table, ["usual", "baseline"])
    eight, last = knew.column("usual").to_numpy() / 8, knew.column("baseline").to_numpy()
    found = []
    for moment in np.unique(moments):
        rows = moments == moment
        total = truth[rows].sum()
        wape = [float(np.abs(truth[rows] - side[rows]).sum() / total) for side in (answer, last, eight)]
        found.append(Week(from_microseconds(int(moment)), *wape))
    return tuple(found)


def _harm(year: Year, demand: Model) -> tuple[int, int, timedelta | None]:
    """Answers the forced model gave to somebody, in shadow, and how long until it was taken back."""
    if year.forced is None:
        return 0, 0, None
    versions = [v.id for v in year.house.versions.all("demand") if v.verdict == year.forced.id]
    given = answers_of(year.house, demand)
    theirs = np.array([v in versions for v in given.column("version").to_pylist()])
    shadow = np.array(given.column("arm").to_pylist()) == "shadow"
    undone = [d.made_at for d in year.decisions if d.action == "undo" and d.made_at > year.forced.made_at]
    after = min(undone) - year.forced.made_at if undone else None
    return int((theirs & ~shadow).sum()), int((theirs & shadow).sum()), after


def _shares(traffic: Traffic, name: object) -> tuple[tuple[str, float], ...]:
    called = name if callable(name) else str
    share = traffic.share if traffic.stage == "canary" else 0.0
    shares = [(called(traffic.champion), 1.0 - share)]
    if share:
        shares += [(called(version), share / len(traffic.candidates)) for version in traffic.candidates]
    return tuple(shares)


def _promoted(traffics: list[Traffic], name: object) -> tuple[str, ...]:
    called = name if callable(name) else str
    found = [called(t.champion) for t in traffics if t.stage == "bake"]
    return tuple(dict.fromkeys(v for v in found if not v.endswith(("@0", "@1"))))


def figures_of(planted: Facts, control: Facts) -> tuple[Figure, ...]:
    """The year's figures beside their goals and floors."""
    demand, churn = demand_quality(), churn_quality()
    return (
        Figure("demand, one step ahead, weeks 49–52", demand.value, 0.447, "WAPE", tuple(demand.floors.items())),
        Figure("churn, 15 November", churn.value, 0.851, "AUC", tuple(churn.floors.items()), "higher"),
        Figure("answers a harmful model gave before it was stopped", planted.harm_answers, None, "answers"),
        Figure("alarms in the quiet weeks", planted.alarms_before_change, None, "alarms"),
        Figure("alarms in the control year", control.alarms, None, "alarms"),
        Figure("promotions after the first in the control year", len(control.promoted), 0, "promotions"),
        Figure("taken back in the control year", control.undone, 0, "times"),
    )


def plots_of(planted: Facts, control: Facts) -> tuple[tuple[str, str], ...]:
    """Error over time with everything that happened, marked as the console marks it; who answered; and the control year."""
    marks = marks_of(planted.happened)
    return (
        ("Error of demand, week by week: what was served, beside last week's value and the eight-week mean", _errors(planted, marks)),
        (
            "Who answered demand",
            plots.shares("who answered demand", [(at, dict(shares)) for at, shares in planted.steps], until=starts(53)),
        ),
        ("The same year without plants", _errors(control, ())),
    )


def _errors(facts: Facts, marks: tuple[plots.Mark, ...]) -> str:
    lines = [
        plots.Line("served", [(w.at, w.champion) for w in facts.weeks]),
        plots.Line("last week's value", [(w.at, w.last_week) for w in facts.weeks], dashed=True),
        plots.Line("eight-week mean", [(w.at, w.eight_weeks) for w in facts.weeks], dashed=True),
    ]
    return plots.lines("WAPE of demand by week", lines, marks=marks, unit="WAPE")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f} %"
