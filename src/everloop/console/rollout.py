"""A roll-out: which step it is in and which are to come, what the arms of its split prove so far (e-values and confidence sequences, valid
however often one looks), and the hand on it. In: a house, a model, now. Out: what the page shows; nothing is judged here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from everloop import plots
from everloop.console.contests import Asked, asked_of
from everloop.console.over_time import looks_of
from everloop.console.page import Asking, Route, Shown
from everloop.console.ring import Part, State, parts_of, shadows_of, state_of
from everloop.console.said import naming
from everloop.loop.control.due import step_ends
from everloop.loop.house import House
from everloop.loop.remembered import began
from everloop.project.model import Model
from everloop.project.shape import bakes_for
from everloop.project.spoken import spoken_condition
from everloop.project.spoken_values import spoken_span
from everloop.records import Guard, Signals, Traffic, Trial
from everloop.registry import history
from everloop.registry.sentences import Naming, clause
from everloop.rollout.plan import steps
from everloop.rollout.sentences import sentence
from everloop.rollout.verdict import is_proven
from everloop.stats.rounded import figure, percent

ROLES = {"harm": "would take it back", "gain": "has to be proven", "news": "is only told"}


@dataclass(frozen=True)
class StepSaid:
    """One step of the plan: what it is, how long it lasts, and whether it is done, under way or to come; ``ends`` as far as is known."""

    says: str
    lasts: str
    state: str
    ends: datetime | None = None
    test: str = ""


@dataclass(frozen=True)
class Guarded:
    """One figure by which the arms are held against each other: what is seen, and how far it is from proving its point."""

    what: str
    role: str
    says: str
    evidence: str
    asks: str
    proven: bool
    svg: str | None


@dataclass(frozen=True)
class Tried:
    """What the trial of one candidate says now, with everything it rests on."""

    candidate: str
    says: str
    because: str
    guards: tuple[Guarded, ...]
    svg: str
    units: str
    one_in: str
    """Of how many roll-outs that do no more harm than their margins at most one is taken back."""


@dataclass(frozen=True)
class RolloutView:
    """Everything the page of a roll-out shows."""

    model: str
    champion: str
    stage: str
    rolling: bool
    sentence: str
    state: State
    generation: int
    parts: tuple[Part, ...]
    shadow: tuple[str, ...]
    steps: tuple[StepSaid, ...]
    over: bool
    """Whether these are the steps of a roll-out that is over."""
    trials: tuple[Tried, ...]
    paired: tuple[str, ...]
    question: Asked | None
    held: str | None
    by_hand: str | None
    share: float
    undoes: str
    """What an undo would do; empty where there is nothing to take back."""
    can_go_on: bool
    next_step: str
    can_share: bool
    before: tuple[tuple[datetime, str], ...]


def rollout_view(house: House, model: Model, now: datetime) -> RolloutView | None:
    """What there is to see of a model's roll-out ``now`` (aware, business time); None for a model that has not begun."""
    traffic = house.pointers.current(model.name)
    if traffic is None:
        return None
    name = naming(house)
    looks = _looks(house, model, traffic, now)
    trials = looks[-1].trials if looks else ()
    row = steps(model.roll_out)
    in_test = traffic.step < len(row) and row[traffic.step].test
    tested = traffic.stage in ("shadow", "canary")
    waiting = next(iter(house.approvals.waiting(model.name)), None)
    over = None if traffic.rolling else last_of(house, traffic)
    return RolloutView(
        model=model.name,
        champion=name(traffic.champion),
        stage=traffic.stage,
        rolling=traffic.rolling,
        sentence=_sentence(traffic, name),
        state=state_of(house, model, traffic, waiting, house.turns.opened(model.name), name),
        generation=traffic.generation,
        parts=parts_of(traffic, name),
        shadow=tuple(map(name, shadows_of(traffic))),
        steps=steps_said(model, traffic, over),
        over=over is not None,
        trials=tuple(_tried(trial, looks, name) for trial in trials),
        paired=_paired(looks[-1] if looks else None),
        question=asked_of(house, model),
        held=traffic.held,
        by_hand=traffic.by_hand,
        share=traffic.share,
        undoes=undoes(traffic, name),
        can_go_on=tested and not traffic.held and not traffic.by_hand and not in_test,
        next_step=_next_step(model, traffic, name),
        can_share=traffic.stage == "canary",
        before=_before(house, model, name),
    )


@dataclass(frozen=True)
class Over:
    """A roll-out that is over: its last traffic, and whether it came to its end."""

    traffic: Traffic
    whole: bool


def last_of(house: House, traffic: Traffic) -> Over | None:
    """The last roll-out of a model that rolls nothing out; None where none ever was."""
    after = traffic
    for entry in history.backwards(house.journal, "Traffic", traffic.model):
        if isinstance(entry.record, Traffic) and entry.record.rolling:
            return Over(entry.record, entry.record.stage == "bake" and after.champion == entry.record.champion)
        after = entry.record if isinstance(entry.record, Traffic) else after
    return None


def steps_said(model: Model, traffic: Traffic, over: Over | None = None) -> tuple[StepSaid, ...]:
    """The plan of a model step by step, with where its traffic stands, or how far the last roll-out came that is ``over``; the bake is its
    last."""
    row = steps(model.roll_out)
    bake = bakes_for(model)
    at = over.traffic if over is not None else traffic
    here = None if at.stage == "steady" else len(row) if at.stage == "bake" else min(at.step, len(row) - 1)
    ends = step_ends(model, traffic)
    said = []
    for number, step in enumerate(row):
        what = "in shadow: it answers beside, and nobody sees that" if step.stage == "shadow" else f"{percent(step.share)} of the units"
        test = " and ".join(spoken_condition(win, model) for win in step.wins_when)
        ends = ends + step.lasts if ends is not None and here is not None and number > here else ends
        lasts = f"at most {spoken_span(step.lasts)}" if step.test else spoken_span(step.lasts)
        said.append(StepSaid(what, lasts, _where(number, here, over), ends if here is not None and number >= here else None, test))
    ends = ends + bake if ends is not None and here is not None and here < len(row) else ends
    last = "bake: it answers everybody, and the version before goes on in shadow"
    said.append(StepSaid(last, spoken_span(bake), _where(len(row), here, over), ends if here is not None else None))
    return tuple(said)


def _where(number: int, here: int | None, over: Over | None) -> str:
    if here is None:
        return "not begun"
    if over is not None:
        return "done" if number < here or over.whole else "ended here" if number == here else "not reached"
    return "now" if number == here else "done" if number < here else "to come"


def _looks(house: House, model: Model, traffic: Traffic, now: datetime) -> tuple[Signals, ...]:
    """The looks at this roll-out, oldest first: those whose trial has its salt; of very many some, evenly spread."""
    if not traffic.rolling:
        return ()
    looks = looks_of(house, model.name, began(house, traffic), max(now, traffic.made_at))
    return tuple(look for look in looks if any(trial.salt == traffic.salt for trial in look.trials))


def _tried(trial: Trial, looks: Sequence[Signals], name: Naming) -> Tried:
    mine = [(look.until, one) for look in looks for one in look.trials if one.candidate == trial.candidate]
    told = [guard for guard in trial.guards if guard.why_silent is None]
    lines = [plots.Line("harm, all together", [(at, one.evidence) for at, one in mine])]
    lines += [
        plots.Line(guard.what, [(at, then.evidence) for at, one in mine if (then := _same(one, guard))], dashed=True) for guard in told
    ]
    levels = [plots.Level("it is taken back from", trial.rolls_back)]
    levels += [plots.Level("proven from", _asks(guard)) for guard in told if guard.role == "gain"][:1]
    title = f"Evidence about {name(trial.candidate)}, look by look"
    units = sum(epoch.candidate + epoch.champion for epoch in trial.epochs)
    return Tried(
        candidate=name(trial.candidate),
        says=SAYS[trial.says],
        because=f"{trial.because[:1].upper()}{trial.because[1:]}.",
        guards=tuple(_guarded(guard, trial, mine) for guard in trial.guards),
        svg=plots.lines(title, lines, levels=levels, odds=True, unit="evidence, so many to one"),
        units=f"{units:,} units were compared; {trial.answers:,} answers of the candidate, {trial.failed:,} failed.",
        one_in=f"{trial.rolls_back:.4g}",
    )


SAYS = {
    "roll back": "Take it back",
    "go on": "Go on",
    "promote": "Let it take over",
    "not enough evidence": "Not enough evidence",
}


def _same(trial: Trial, guard: Guard) -> Guard | None:
    return next((other for other in trial.guards if other.name == guard.name and other.role == guard.role), None)


def _asks(guard: Guard) -> float:
    return 1 / guard.level if guard.level else guard.needs


def _guarded(guard: Guard, trial: Trial, mine: Sequence[tuple[datetime, Trial]]) -> Guarded:
    series = [(at, then) for at, one in mine if (then := _same(one, guard)) is not None]
    between = [(at, then) for at, then in series if not then.paired and then.low is not None and then.high is not None]
    svg = None
    if between:
        points, band = [(at, _ratio(then)) for at, then in between], [(then.low, then.high) for _, then in between]
        line = plots.Line("the candidate’s, as so many times the champion’s", points, band)
        svg = plots.lines(guard.what, [line], levels=[plots.Level("as the champion", 1.0)], unit="times")
    return Guarded(
        what=guard.what,
        role=ROLES[guard.role],
        says=sentence(guard),
        evidence="" if guard.why_silent or guard.proven is not None else f"{_odds(guard.evidence)} : 1",
        asks=f"{_odds(_asks(guard))} : 1" if guard.role == "gain" else "",
        proven=guard.why_silent is None and is_proven(guard, trial),
        svg=svg,
    )


def _ratio(guard: Guard) -> float | None:
    """How many times as often as the champion's units the candidate's had it."""
    mine, theirs = sum(e.candidate for e in guard.epochs), sum(e.champion for e in guard.epochs)
    had, they_had = sum(e.candidate_events for e in guard.epochs), sum(e.champion_events for e in guard.epochs)
    return (had / mine) / (they_had / theirs) if mine and theirs and they_had else None


def _odds(value: float) -> str:
    return "over 1,000,000" if value > 1e6 else figure(value)


def _paired(look: Signals | None) -> tuple[str, ...]:
    """What is judged on the same questions instead, while a candidate answers beside the champion."""
    found = look.signals if look is not None else ()
    said = [f"{s.sentence[:1].upper()}{s.sentence[1:]}." for s in found if s.kind in ("worse", "better") and s.measure is not None]
    return tuple(dict.fromkeys(said))


def _sentence(traffic: Traffic, name: Naming) -> str:
    said = clause(traffic, name)
    return said if said.endswith(".") else f"{said}."


def undoes(traffic: Traffic, name: Naming) -> str:
    """What the button does; nothing where there is nothing to take back."""
    if traffic.stage in ("shadow", "canary"):
        return f"{', '.join(map(name, traffic.candidates))} answers nobody any more; {name(traffic.champion)} answers everybody."
    return f"{name(traffic.previous)} answers again, instead of {name(traffic.champion)}." if traffic.previous else ""


def _next_step(model: Model, traffic: Traffic, name: Naming) -> str:
    row = steps(model.roll_out)
    who = ", ".join(map(name, traffic.candidates))
    if traffic.step + 1 < len(row):
        return f"{who} answers {percent(row[traffic.step + 1].share)} of the units"
    return f"{who} takes over and answers everybody"


def _before(house: House, model: Model, name: Naming) -> tuple[tuple[datetime, str], ...]:
    entries = house.journal.read(kind="Traffic", model=model.name, newest_first=True, limit=12)
    return tuple((entry.at, _sentence(entry.record, name)) for entry in entries if isinstance(entry.record, Traffic))


def rollout(asking: Asking) -> Shown:
    """The page of one roll-out."""
    model = asking.house.project.model(asking.path["model"])
    view = rollout_view(asking.house, model, asking.now)
    return Shown(f"Roll-out of {model.name}", "rollout.html", {"view": view, "model": model.name})


ROUTES: tuple[Route, ...] = (Route("/models/{model}/rollout", rollout, "viewer", name="rollout"),)
