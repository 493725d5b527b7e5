"""Contests: a candidate against the champion, what the gate said of it, what it would take to know more, and the word of a person. In: a
house, a model, a verdict. Out: what the pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everloop import plots
from everloop.console.page import Asking, Route, Shown
from everloop.console.said import called
from everloop.errors import Unknown
from everloop.gates.enough import about_so_many
from everloop.loop.house import House
from everloop.loop.people import why_settled
from everloop.loop.sliced import Slice, slices_of
from everloop.loop.spoken import ASKED, spoken_lists
from everloop.project.model import Model
from everloop.project.spoken import spoken_condition
from everloop.records import Candidate, Contest, Decision, Opinion, Outcome, Verdict
from everloop.registry.card import interval
from everloop.registry.sentences import Naming
from everloop.stats.rounded import figure, percent

MOST = 50


@dataclass(frozen=True)
class Listed:
    """One contest on a line."""

    id: str
    at: datetime
    candidate: str
    champion: str
    outcome: Outcome
    by: str | None
    says: str


@dataclass(frozen=True)
class Asked:
    """What a person is asked: the decision their word is about, what a yes does, and why."""

    decision: str
    what: str
    because: str
    at: datetime


@dataclass(frozen=True)
class Weighed:
    """One condition of the gate: what it asks, what came out, in a sentence and in figures, and how much more it would take."""

    asks: str
    outcome: Outcome
    sentence: str
    champion: str
    candidate: str
    better_by: str
    rows: int
    needed: int | None
    confidence: str | None


@dataclass(frozen=True)
class ContestView:
    """Everything the page of one contest shows."""

    id: str
    model: str
    at: datetime
    candidate: str
    champion: str
    outcome: Outcome
    verdict: str
    by: str | None
    reason: str | None
    questions: str
    learnt: str
    learner: str
    weighed: tuple[Weighed, ...]
    beside: tuple[str, ...]
    lists: tuple[str, ...]
    svg: str
    slices: tuple[Slice, ...]
    slices_svg: str | None
    question: Asked | None
    overridable: str | None
    """Why it cannot be let in past the gate; None: it can be, by a person with a reason."""


def contests_of(house: House, model: Model, name: Naming, *, most: int = MOST) -> tuple[Listed, ...]:
    """The newest contests of a model; of one that was overridden also the word that did so, as an entry of its own."""
    entries = house.journal.read(kind="Verdict", model=model.name, newest_first=True, limit=most)
    found = [entry.record for entry in entries if isinstance(entry.record, Verdict)]
    return tuple(Listed(v.id, v.made_at, name(v.candidate), name(v.champion), v.outcome, v.by, _in_short(v)) for v in found)


def _in_short(verdict: Verdict) -> str:
    if verdict.by:
        return f"let in past the gate by {verdict.by}: {verdict.reason}"
    wrong = [opinion for opinion in verdict.opinions if opinion.outcome != "passed"]
    return (wrong or list(verdict.opinions))[0].sentence if verdict.opinions else "nothing was asked of it"


def contest_view(house: House, model: Model, id: str) -> ContestView:
    """The contest behind a verdict. Raises Unknown for what is no verdict of the model."""
    verdict = house.verdict(id)
    if verdict is None or verdict.model != model.name:
        raise Unknown("contest", id, where=model.name, next="Choose one of the list.")
    name = called(house, model.name)
    contest, found = _behind(house, verdict), house.journal.find(verdict.candidate)
    candidate = found if isinstance(found, Candidate) else None
    slices = slices_of(house, contest) if contest is not None else ()
    title = f"{name(verdict.candidate)} against {name(verdict.champion)}"
    asked = {repr(condition): condition for condition in model.promote_when}
    effects = [
        plots.Effect(
            _asks(model, asked.get(o.clause), o.clause), o.effect, o.low, o.high, getattr(asked.get(o.clause), "by", None), o.outcome
        )
        for o in verdict.opinions
        if o.effect is not None
    ]
    return ContestView(
        id=verdict.id,
        model=model.name,
        at=verdict.made_at,
        candidate=name(verdict.candidate),
        champion=name(verdict.champion),
        outcome=verdict.outcome,
        verdict=SAID[verdict.outcome],
        by=verdict.by,
        reason=verdict.reason,
        questions=_questions(contest),
        learnt=_learnt(candidate) if candidate is not None else "",
        learner=candidate.learner if candidate is not None and "(" in candidate.learner else "",
        weighed=tuple(_weighed(model, o, asked.get(o.clause)) for o in verdict.opinions),
        beside=tuple(f"{o.sentence[:1].upper()}{o.sentence[1:]}." for o in verdict.beside),
        lists=spoken_lists(contest) if contest is not None and contest.lists else (),
        svg=plots.intervals(title, effects, unit="better than the champion by") if effects else "",
        slices=slices,
        slices_svg=_slices_svg(title, slices),
        question=asked_of(house, model, verdict.id),
        overridable=_why_not_overridden(house, model, verdict),
    )


SAID: dict[Outcome, str] = {
    "passed": "The candidate may take the champion’s place.",
    "failed": "The candidate may not take the champion’s place.",
    "not enough evidence": "It cannot be told yet whether the candidate may take the champion’s place, so the champion stays.",
}


def asked_of(house: House, model: Model, verdict: str | None = None) -> Asked | None:
    """What a person is asked about a model, or about this verdict of it; None where nobody is."""
    for question in house.approvals.waiting(model.name):
        decision = house.journal.get(question.decision)
        if isinstance(decision, Decision) and (verdict is None or verdict in decision.made_from):
            what = ASKED.get(question.action, question.action)
            return Asked(decision.id, what, "; ".join(decision.because), question.asked_at)
    return None


def _behind(house: House, verdict: Verdict) -> Contest | None:
    """The contest a verdict is about; an override is made from the verdict it overrides."""
    record = house.journal.find(verdict.made_from[0]) if verdict.made_from else None
    while isinstance(record, Verdict):
        record = house.journal.find(record.made_from[0])
    return record if isinstance(record, Contest) else None


def _questions(contest: Contest | None) -> str:
    if contest is None or not contest.rows or contest.first_at is None or contest.last_at is None:
        why = contest.why_empty if contest is not None else None
        return f"Nothing could be compared{f': {why}' if why else ''}."
    dates = f"{contest.first_at:%Y-%m-%d} to {contest.last_at:%Y-%m-%d}"
    which = f" It is contest {contest.number} against this champion, which its interval allows for." if contest.number > 1 else ""
    return f"Both answered the same {contest.rows:,} questions of {dates}, none of which the candidate had learnt from.{which}"


def _learnt(candidate: Candidate) -> str:
    if candidate.format == "baseline":
        return f"The baseline: {candidate.learner}."
    if not candidate.rows:
        return f"It was not learnt here: {candidate.learner}."
    until = f" up to {candidate.learnt_until:%Y-%m-%d}" if candidate.learnt_until is not None else ""
    return f"{candidate.learner.partition('(')[0]} learnt from {candidate.rows:,} rows{until}, in {candidate.seconds:.0f} s."


def _weighed(model: Model, opinion: Opinion, condition: object) -> Weighed:
    return Weighed(
        asks=_asks(model, condition, opinion.clause),
        outcome=opinion.outcome,
        sentence=f"{opinion.sentence[:1].upper()}{opinion.sentence[1:]}",
        champion=figure(opinion.champion) if opinion.champion is not None else "",
        candidate=figure(opinion.candidate) if opinion.candidate is not None else "",
        better_by=interval(opinion) if opinion.effect is not None else "",
        rows=opinion.rows,
        needed=about_so_many(opinion.needed) if opinion.needed is not None else None,
        confidence=percent(opinion.confidence) if opinion.confidence is not None else None,
    )


def _asks(model: Model, condition: object, clause: str) -> str:
    """What a condition asks, read aloud; one the project file no longer says as it was written."""
    if condition is None:
        return clause
    return spoken_condition(condition, model)  # type: ignore[arg-type]


def _slices_svg(title: str, slices: tuple[Slice, ...]) -> str | None:
    known = [one for one in slices if one.effect is not None]
    if not known:
        return None
    effects = [plots.Effect(f"{s.name.replace('_', ' ')}: {s.of}", s.effect, s.low, s.high, None, slice_outcome(s)) for s in known]
    return plots.intervals(f"{title}, group by group", effects, unit="better than the champion by")


def slice_outcome(one: Slice) -> Outcome:
    """Whether the candidate is proven better or worse in a group, each looked at by itself.

    >>> slice_outcome(Slice("region", "north", "mae", 2.0, 1.0, 0.5, 0.4, 0.6, 100))
    'passed'
    """
    if one.low is None or one.high is None:
        return "not enough evidence"
    return "passed" if one.low > 0 else "failed" if one.high < 0 else "not enough evidence"


def _why_not_overridden(house: House, model: Model, verdict: Verdict) -> str | None:
    if (why := why_settled(house, verdict)) is not None:
        return f"{why[0].upper()}{why[1:]}."
    traffic = house.pointers.current(model.name)
    if traffic is None:
        return f"{model.name} has not begun."
    if house.version(traffic.champion).candidate != verdict.champion:
        return "It was judged against another champion than answers now: judge it again first."
    if traffic.held:
        return f"The model is held by {traffic.held}."
    if traffic.rolling:
        return "Another roll-out is under way."
    return None


def contests(asking: Asking) -> Shown:
    """The list of them."""
    model = asking.house.project.model(asking.path["model"])
    found = contests_of(asking.house, model, called(asking.house, model.name))
    values = {"model": model.name, "contests": found, "question": asked_of(asking.house, model)}
    return Shown(f"Contests of {model.name}", "contests.html", values)


def contest(asking: Asking) -> Shown:
    """One of them."""
    model = asking.house.project.model(asking.path["model"])
    view = contest_view(asking.house, model, asking.path["id"])
    return Shown(f"{model.name}: {view.candidate} against {view.champion}", "contest.html", {"view": view, "model": model.name})


ROUTES: tuple[Route, ...] = (
    Route("/models/{model}/contests", contests, "viewer", name="contests"),
    Route("/models/{model}/contests/{id}", contest, "viewer", name="contest"),
)
