"""The ring: every model on one line. Who answers and since when, how wrong it is, whether the world moved, who is answered by whom, what is
under way, and what comes next. In: a house, and now. Out: what the page shows; reads only what its lines show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.console.page import Asking, Route, Shown
from everloop.console.said import about, age, error_said, naming, within
from everloop.loop.control.due import coming, step_ends
from everloop.loop.findings import overdue_now
from everloop.loop.house import House
from everloop.loop.look import waits
from everloop.loop.realised import newest_realised
from everloop.loop.remembered import champion_since
from everloop.loop.spoken import ASKED
from everloop.monitor.watched import title
from everloop.project.model import Model
from everloop.records import Incident, Report, Signal, Signals, Traffic, Version
from everloop.registry.approvals import Question
from everloop.registry.errands import Errands
from everloop.registry.sentences import Naming
from everloop.registry.turns import Turn
from everloop.stats.rounded import percent

LINES = 25
Drifts: TypeAlias = Literal["as usual", "drifted", "not told yet", "not watched"]
DataTone: TypeAlias = Literal["calm", "bad", "unknown"]
Tone: TypeAlias = Literal["calm", "busy", "asks"]


@dataclass(frozen=True)
class Wrong:
    """How wrong the champion is: a figure with its interval, and what it rests on; ``estimated`` where no truth is mature yet."""

    figure: str
    rests_on: str
    estimated: bool = False


@dataclass(frozen=True)
class Part:
    """Who answers what share of the units."""

    version: str
    share: float
    who: str

    @property
    def percent(self) -> str:
        return percent(self.share)


@dataclass(frozen=True)
class State:
    """What is under way with a model: a word for who scans, a sentence for who reads, and whether anybody should do something."""

    word: str
    sentence: str
    tone: Tone = "calm"
    until: datetime | None = None
    """When this step of a roll-out ends."""
    since: datetime | None = None
    """When the turn that is under way began."""


@dataclass(frozen=True)
class Data:
    """The worst that is known of what a model is given: a word for who scans, and a sentence."""

    word: Drifts | Literal["broken", "not fit", "overdue"]
    sentence: str

    @property
    def tone(self) -> DataTone:
        return "calm" if self.word == "as usual" else "unknown" if self.word in ("not told yet", "not watched") else "bad"


@dataclass(frozen=True)
class Line:
    """One model on one line."""

    model: str
    about: str
    champion: str | None
    baseline: bool
    since: datetime | None
    age: str
    wrong: Wrong | None
    data: Data
    parts: tuple[Part, ...]
    shadow: tuple[str, ...]
    state: State
    next_at: datetime | None
    next_why: str
    incidents: int
    asks: str | None
    """What a person is asked, where one is."""


@dataclass(frozen=True)
class Ring:
    """The lines of one page of it, those that need somebody first; ``counts`` over all models, ``found`` those that the search names."""

    lines: tuple[Line, ...]
    models: int
    found: int
    page: int
    pages: int
    counts: tuple[str, ...]
    find: str
    newest: datetime | None


def ring_of(house: House, now: datetime, *, find: str = "", page: int = 1) -> Ring:
    """The ring as it stands ``now`` (aware, business time); of many models the ``page`` of it, counted from 1."""
    models = house.project.models
    traffics, waiting = house.pointers.all(), _first_of_each(house.approvals.waiting())
    incidents: dict[str, list[Incident]] = {}
    for incident in house.incidents.open():
        incidents.setdefault(incident.model, []).append(incident)
    turning = {errand.model for errand in Errands(house.store).unfinished() if errand.state == "taken"}

    def urgency(name: str) -> tuple[int, str]:
        traffic = traffics.get(name)
        if name in waiting or name in incidents:
            return 0, name
        if traffic is not None and (traffic.rolling or traffic.held or name in turning):
            return 1, name
        return (2 if traffic is not None else 3), name

    named = sorted((name for name in models if find.lower() in name.lower()), key=urgency)
    pages = max(1, -(-len(named) // LINES))
    page = min(max(1, page), pages)
    shown = named[(page - 1) * LINES : page * LINES]
    name = naming(house)
    lines = [line_of(house, models[m], traffics.get(m), waiting.get(m), incidents.get(m, ()), name, now) for m in shown]
    return Ring(
        lines=tuple(lines),
        models=len(models),
        found=len(named),
        page=page,
        pages=pages,
        counts=_counts(models, traffics, waiting, incidents),
        find=find,
        newest=house.journal.newest(),
    )


def line_of(
    house: House, model: Model, traffic: Traffic | None, asked: Question | None, incidents: Sequence[Incident], name: Naming,
    now: datetime,
) -> Line:  # fmt: skip
    """One model on one line; ``incidents`` are those of it that are open."""
    looks = house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1)
    look = next((entry.record for entry in looks if isinstance(entry.record, Signals)), None)
    opened = house.turns.opened(model.name)
    next_at, next_why = coming(model, now, traffic=traffic)
    held = bool(traffic and traffic.held)
    return Line(
        model=model.name,
        about=about(model),
        champion=name(traffic.champion) if traffic else None,
        baseline=traffic is not None and _is_baseline(house, traffic),
        since=traffic.since if traffic else None,
        age=age(now - champion_since(house, traffic)) if traffic else "",
        wrong=wrong_of(house, model, traffic, look),
        data=data_of(house, model, look, incidents, now),
        parts=parts_of(traffic, name) if traffic else (),
        shadow=tuple(map(name, shadows_of(traffic))) if traffic else (),
        state=state_of(house, model, traffic, asked, opened, name),
        next_at=next_at,
        next_why=f"{next_why}; it is held, so nothing is learnt or rolled out" if held else next_why,
        incidents=len(incidents),
        asks=ASKED.get(asked.action, asked.action) if asked else None,
    )


def wrong_of(house: House, model: Model, traffic: Traffic | None, look: Signals | None) -> Wrong | None:
    """The champion's realised error, as last known; before any truth of it is mature, what its error is estimated to be."""
    known = newest_realised(house, model.name)
    if known is not None and traffic is not None and known.version == traffic.champion:
        # What the error came to is kept when it moves; of how many answers the truth is known moves on without it.
        shares = [s.coverage for s in look.signals if s.coverage is not None] if look and look.until >= known.at else []
        share = shares[0] if shares else known.coverage
        covered = f", the truth of {percent(share)} of its answers" if share is not None else ""
        return Wrong(error_said(known), f"on {known.rows:,} answers{covered}")
    estimate = next((s for s in look.signals if s.kind == "estimate" and s.value is not None), None) if look else None
    if estimate is None or estimate.measure is None:
        return None
    said = f"{title(estimate.measure)} {within(estimate.value, estimate.low, estimate.high)}"
    return Wrong(said, f"estimated for {estimate.rows:,} answers before their truth", estimated=True)


def data_of(house: House, model: Model, look: Signals | None, incidents: Sequence[Incident], now: datetime) -> Data:
    """The worst that is known of a model's data: what an open incident says is broken, what the newest report says is not fit, what is
    overdue at ``now`` (aware), what has drifted."""
    shown = [s for incident in incidents if incident.cause == "data" for s in incident.symptoms if not s.also]
    # Whether what was overdue has come meanwhile is asked of the deliveries, not of an incident that lives on for a while.
    if broken := [s.sentence for s in shown if not s.clause.startswith("arrives=")]:
        return Data("broken", and_more(broken))
    report = next((e.record for e in house.journal.read(kind="Report", model=model.name, newest_first=True, limit=1)), None)
    findings = report.findings if isinstance(report, Report) else ()
    if unfit := [f.sentence for f in findings if f.outcome == "failed"]:
        return Data("not fit", and_more(unfit))
    if overdue := [finding.sentence for finding in overdue_now(house, model, now)]:
        return Data("overdue", and_more(overdue))
    word, sentence = drift_of(look)
    unsure = [f.sentence for f in findings if f.outcome == "not enough evidence"]
    return Data("not told yet", and_more(unsure)) if unsure and word in ("as usual", "not watched") else Data(word, sentence)


def and_more(sentences: Sequence[str]) -> str:
    """The first of them, and how many more there are.

    >>> and_more(["Prices are cents."]), and_more(["Prices are cents.", "No row came.", "No row came."])
    ('Prices are cents', 'Prices are cents; and 1 more')
    """
    first, *rest = dict.fromkeys(sentence.removesuffix(".") for sentence in sentences)
    return f"{first}; and {len(rest)} more" if rest else first


def drift_of(look: Signals | None) -> tuple[Drifts, str]:
    """Whether what a model is given, or what it answers, has moved: a word, and the sentence of what was found; of several the worst.

    >>> drift_of(None)
    ('not told yet', 'nobody has looked yet')
    """
    if look is None:
        return "not told yet", "nobody has looked yet"
    found: Sequence[Signal] = [signal for signal in look.signals if signal.kind == "drift"]
    if not found:
        return "not watched", "no condition of the model is about drift"
    fired = [signal for signal in found if signal.fired]
    if fired:
        return "drifted", and_more([signal.sentence for signal in sorted(fired, key=lambda s: -(s.value or 0.0))])
    judged = [signal for signal in found if signal.outcome != "not enough evidence"]
    return ("as usual", judged[0].sentence) if judged else ("not told yet", found[0].sentence)


def parts_of(traffic: Traffic, name: Naming) -> tuple[Part, ...]:
    """Who answers what share of the units now, the largest first.

    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 2, tzinfo=UTC)
    >>> one = Traffic(id="t", made_at=at, since=at, model="m", generation=2, stage="canary", champion="m@1", candidate="m@2", share=0.25)
    >>> [(part.version, part.percent, part.who) for part in parts_of(one, str)]
    [('m@1', '75 %', 'champion'), ('m@2', '25 %', 'candidate')]
    """
    chances = traffic.propensities or {"champion": 1.0}
    parts = [Part(name(traffic.by_arm[arm]), share, "baseline for good" if arm == "control" else arm) for arm, share in chances.items()]
    return tuple(sorted(parts, key=lambda part: -part.share))


def shadows_of(traffic: Traffic) -> tuple[str, ...]:
    """Versions that answer beside, unseen: candidates in shadow, or in bake the version that was replaced."""
    if traffic.stage == "shadow":
        return traffic.candidates
    return (traffic.previous,) if traffic.stage == "bake" and traffic.previous else ()


def state_of(house: House, model: Model, traffic: Traffic | None, asked: Question | None, opened: Turn | None, name: Naming) -> State:
    """What is under way, the most pressing first."""
    if asked is not None:
        return State("waits for you", f"Somebody is asked whether to {ASKED.get(asked.action, asked.action)}.", "asks")
    if opened is not None:
        done = next(iter(house.journal.read(turn=opened.id, newest_first=True, limit=1)), None)
        step = STEPS.get(done.verb, "looking") if done is not None else "looking"
        return State(step, f"A turn is under way: {step}.", "busy", since=opened.started_at)
    if traffic is None:
        return State("not begun", f"It has not begun. Next: everloop turn {model.name}")
    if traffic.held:
        return State("held", f"Nothing is learnt or rolled out: held by {traffic.held}.", "asks")
    who = ", ".join(map(name, traffic.candidates))
    stands = waits(house, model, traffic) if traffic.rolling else None
    ends, but = (None, f" But {stands}.") if stands else (step_ends(model, traffic), "")
    match traffic.stage:
        case "shadow":
            return State("in shadow", f"{who} answers beside it, and nobody sees that.{but}", "busy", ends)
        case "canary":
            by_hand = f", set by {traffic.by_hand}" if traffic.by_hand else ""
            return State("in canary", f"{who} answers {percent(traffic.share)} of the units{by_hand}.{but}", "busy", ends)
        case "bake":
            return State("baking", f"{name(traffic.champion)} has taken over; it can be taken back with all evidence.{but}", "busy", ends)
        case _:
            return State("watching", "Nothing is rolled out; it answers and is watched.")


STEPS: Mapping[str, str] = {
    "watch": "deciding", "decide": "looking at the data", "snapshot": "checking the data", "check": "putting questions together",
    "as_of": "learning", "train": "rehearsing", "rehearse": "judging", "judge": "deciding",
    "permit": "letting it in", "admit": "rolling out",
}  # fmt: skip
"""What a turn does after it kept the record of a step."""


def _is_baseline(house: House, traffic: Traffic) -> bool:
    version: Version = house.versions.get(traffic.champion)
    return version.number == 0


def _first_of_each(waiting: Sequence[Question]) -> dict[str, Question]:
    found: dict[str, Question] = {}
    for question in waiting:
        found.setdefault(question.model, question)
    return found


def _counts(
    models: Mapping[str, Model], traffics: Mapping[str, Traffic], waiting: Mapping[str, Question], incidents: Mapping[str, object]
) -> tuple[str, ...]:
    """What there is to know of all of them, in a few clauses; none is said that counts nothing."""
    there = [traffics[name] for name in models if name in traffics]
    sums = (
        (sum(name in waiting for name in models), "waits for a person", "wait for a person"),
        (sum(name in incidents for name in models), "has an incident", "have an incident"),
        (sum(bool(traffic.held) for traffic in there), "is held", "are held"),
        (sum(traffic.rolling for traffic in there), "is being rolled out", "are being rolled out"),
        (len(models) - len(there), "has not begun", "have not begun"),
    )
    return tuple(f"{count:,} {one if count == 1 else many}" for count, one, many in sums if count)


def ring(asking: Asking) -> Shown:
    """The first page."""
    found = ring_of(asking.house, asking.now, find=asking.query.get("find", "").strip()[:100], page=asking.number("page", 1))
    return Shown("The ring", "ring.html", {"ring": found})


ROUTES: tuple[Route, ...] = (Route("/", ring, "viewer", name="ring"),)
