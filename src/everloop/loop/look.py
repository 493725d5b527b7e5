"""Looking: what stands, what was, and why. Reads the journal and the pointers; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from everloop.clock import said
from everloop.errors import Unknown
from everloop.loop.govern import STANDS
from everloop.loop.house import House
from everloop.loop.lineage import by_number
from everloop.loop.month import Month, month_of, spoken_month
from everloop.loop.spending import spent, spoken_cost
from everloop.loop.spoken import spoken_causes, spoken_lift, spoken_values
from everloop.project.model import Model
from everloop.project.spoken_values import spoken_span
from everloop.records import Candidate, Cost, Decision, Handover, Record, Signals, Traffic, Version
from everloop.registry import history as past
from everloop.registry.errands import Errands
from everloop.registry.one_file import records_in
from everloop.registry.sentences import Naming, clause
from everloop.stats.rounded import percent

LEAST_ANSWERS = 20
"""Fewer say nothing of how sure a version is."""


@dataclass(frozen=True)
class Standing:
    """One model on one line."""

    model: str
    champion: str | None
    since: datetime | None
    stage: str
    candidate: str | None
    waiting: str | None
    last_turn: datetime | None
    turning: datetime | None = None
    """Since when a turn of it has been under way, wall time."""
    worker: str | None = None
    """Which process carries out what was asked of it now: host, process id, and a word of its own."""
    confidence: str | None = None
    """How sure each version was of its newest answers, where answers are chances or shares."""
    trained: str | None = None
    """How long the trainings of the last seven days took, of what the budget allows; None where there is no budget."""
    waits: str | None = None
    """Why its last turn did nothing about what was wished for or found."""
    skewed: str | None = None
    """The features that were served otherwise than the event log tells, when that was last looked at."""
    brought: tuple[str, ...] = ()
    """What the model brings over the baseline some units keep, figure by figure, when it was last turned."""
    drift: tuple[str, ...] = ()
    """What of its drift the last turn could not judge, and what watching for it costs in a quiet year."""
    truth: tuple[str, ...] = ()
    """What the last turn said of mature truth, of truths that stopped coming, and of what is estimated before the truth; apart."""
    incidents: int = 0
    """How many there are that are not over."""
    spent: Cost | None = None
    """What its turns have taken in the seven days up to its last one; None where nothing was measured."""
    month: Month | None = None
    """What its turns have cost this month, and will have cost by its end; None where nothing has a price."""
    assignment: Mapping[str, Any] | None = None
    """What a program needs to tell which arm a unit gets now, as ``everloop export assignment`` writes it."""
    measured: tuple[str, ...] = ()
    """What a roll-out under way found, and what people did, each in a sentence."""
    baseline: bool = False
    """Whether who answers is the baseline: nothing better is proven yet."""
    share: float = 0.0
    """The share of the units that candidates answer."""
    held: str | None = None
    """Who put a stop to roll-outs, and why."""
    by_hand: str | None = None
    """Who set the share, and why."""
    question: str | None = None
    """The decision that waits for a person, by its id: an answer may name it."""

    def __str__(self) -> str:
        if self.champion is None or self.since is None:
            return f"{self.model}: has not begun. Next: everloop turn {self.model}"
        who = f"{self.champion}, the baseline," if self.baseline else self.champion
        line = f"{self.model}: {who} answers since {said(self.since)}"
        if self.stage != "steady":
            line += f"; {self.stage}" + (f" of {self.candidate}" if self.candidate else "")
        if self.held:
            line += f"; held by {self.held} (everloop release {self.model})"
        if self.by_hand:
            line += f"; {100 * self.share:.4g} % of the units, set by {self.by_hand} (everloop share {self.model} plan)"
        if self.waiting:
            line += f"; waits for a person to say yes to: {self.waiting} (everloop approve {self.model})"
        if self.turning:
            line += f"; being turned since {said(self.turning)} (everloop cancel {self.model})"
        if self.confidence:
            line += f"; {self.confidence}"
        if self.trained:
            line += f"; {self.trained}"
        if self.skewed:
            line += f"; served otherwise than the log tells: {self.skewed} (everloop skew {self.model})"
        if self.incidents:
            line += f"; {self.incidents} incident{'s' * (self.incidents > 1)} (everloop incidents {self.model})"
        if self.spent:
            line += f"; turns of the last 7 days took {spoken_cost(self.spent)}"
        line += f"; last turned {said(self.last_turn)}." if self.last_turn else "."
        waits = [f"{self.waits}."] if self.waits else []
        money = [f"{spoken_month(self.month)}."] if self.month else []
        sentences = [f"{sentence}." for sentence in (*self.drift, *self.truth)]
        return "\n  ".join([line, *waits, *money, *self.brought, *sentences, *self.measured])


def status(house: House) -> list[Standing]:
    """Each model of the project on one line, with what was last measured of it below."""
    from everloop.connect.arms.folder import assignment
    from everloop.loop.measured import measured
    from everloop.loop.remembered import champion_since
    from everloop.loop.skewed import standing_skew

    name = past.names(house.journal)
    rows = []
    carried = {errand.model: errand.holder for errand in Errands(house.store).unfinished() if errand.state == "taken"}
    for model in house.project.models.values():
        traffic = house.pointers.current(model.name)
        waiting = house.approvals.waiting(model.name)
        last, opened = house.turns.last(model.name), house.turns.opened(model.name)
        rows.append(
            Standing(
                model=model.name,
                champion=name(traffic.champion) if traffic else None,
                since=champion_since(house, traffic) if traffic else None,
                stage=traffic.stage if traffic else "steady",
                candidate=", ".join(map(name, traffic.candidates)) or None if traffic else None,
                waiting=waiting[0].action if waiting else None,
                last_turn=last.now if last else None,
                turning=opened.started_at if opened else None,
                worker=carried.get(model.name),
                confidence=_confidence(house, model, name),
                trained=_trained(house, model, last.now if last else None),
                waits=waits(house, model, traffic) if traffic is not None else None,
                skewed=standing_skew(house, model),
                brought=_brought(house, model) if traffic and traffic.control else (),
                drift=_said_of_drift(house, model, traffic) if traffic else (),
                truth=_said_of_truth(house, model, traffic),
                incidents=len(house.incidents.open(model.name)),
                spent=spent_until(house, model.name, last.now) if last else None,
                month=month_of(house, model.name, last.now) if last else None,
                assignment=assignment(traffic) if traffic else None,
                measured=measured(house, model, last.now) if last and traffic else (),
                baseline=traffic is not None and house.champion(traffic).format == "baseline",
                share=traffic.share if traffic else 0.0,
                held=traffic.held if traffic else None,
                by_hand=traffic.by_hand if traffic else None,
                question=waiting[0].decision if waiting else None,
            )
        )
    return rows


def _brought(house: House, model: Model) -> tuple[str, ...]:
    """What the newest turn found of it, in sentences."""
    for entry in house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1):
        if isinstance(entry.record, Signals) and entry.record.lifts:
            return tuple(map(spoken_lift, entry.record.lifts))
    return ()


def _said_of_drift(house: House, model: Model, traffic: Traffic) -> tuple[str, ...]:
    """The sentences of drift that could not be judged in the newest turn, and what a quiet year costs, as was last worked out."""
    from everloop.loop.quiet import quiet_kept

    kept = next(iter(house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1)), None)
    signals = kept.record.signals if kept is not None and isinstance(kept.record, Signals) else ()
    unjudged = [s.sentence for s in signals if s.kind == "drift" and "low information" in s.sentence]
    quiet = quiet_kept(house, model, traffic)
    return (*dict.fromkeys(unjudged), *([str(quiet)] if quiet is not None else []))


def _said_of_truth(house: House, model: Model, traffic: Traffic | None) -> tuple[str, ...]:
    """The sentences of the newest signals that rest on truth or stand in for it, of who answers now; each once."""
    kept = next(iter(house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1)), None)
    if kept is None or traffic is None or not isinstance(kept.record, Signals) or kept.record.made_at < traffic.since:
        return ()
    sayings = [s.sentence for s in kept.record.signals if s.kind in ("slip", "outage", "estimate", "calibration") and s.as_of is not None]
    return tuple(dict.fromkeys(sayings))


def spent_until(house: House, model: str, until: datetime, *, over: timedelta = timedelta(days=7)) -> Cost | None:
    """What a model's turns took in the span up to an instant of business time."""
    return spent(e.record for e in house.journal.read(model=model, since=until - over, until=until))


def _confidence(house: House, model: Model, name: Naming) -> str | None:
    """How sure the versions were, when that was last looked at; of a few answers nothing is said."""
    newest = house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1)
    said = [c for e in newest if isinstance(e.record, Signals) for c in e.record.confidence if c.rows >= LEAST_ANSWERS]
    return ", ".join(f"{name(c.version)} was on average {percent(c.mean)} sure of its {c.rows:,} newest answers" for c in said) or None


def _trained(house: House, model: Model, now: datetime | None) -> str | None:
    """Training in the seven days before the last turn, where there is a budget for it. What it cost in money is in what turns took."""
    if now is None or model.budget is None:
        return None
    kept = house.journal.read(kind="Candidate", model=model.name, since=now - timedelta(days=7))
    runs = [e.record for e in kept if isinstance(e.record, Candidate)]
    took = timedelta(seconds=round(sum(c.seconds for c in runs)))
    return f"trained for {spoken_span(took)} of {spoken_span(model.budget)} in 7 days"


def waits(house: House, model: Model, traffic: Traffic) -> str | None:
    """What stood against it, which is the last of the reasons; the others are told as what was found. Of a roll-out, why it stands."""
    newest = next(iter(house.journal.read(kind="Decision", model=model.name, newest_first=True, limit=1)), None)
    decision = newest.record if newest is not None else None
    if not isinstance(decision, Decision) or decision.action != "hold" or len(decision.because) < 2:
        return None
    if traffic.rolling:
        stands = [one for one in decision.because if one.startswith(STANDS)] if decision.made_at >= traffic.since else []
        return f"the roll-out waits: {'; '.join(stands)}" if stands else None
    return f"it waits: {decision.because[-1]}"


def history(house: House, model: Model, instant: datetime | None = None) -> tuple[list[str], list[Record]]:
    """Who answered, since when, and why; with an instant, what was live then and the chain behind it."""
    name = past.names(house.journal)
    if instant is None:
        lived = past.history(house.journal, model.name)
        if not lived:
            raise Unknown("history of", model.name, next=f"It has not begun. Begin with: everloop turn {model.name}")
        took = _took(house, model.name)
        return [f"{said(t.made_at)}  {clause(t, name)}  [{t.id}]{took.get(t.id, '')}" for t in lived], list(lived)
    live = past.at(house.journal, model.name, instant)
    lines, records = why(house, live.id)
    return [f"At {said(instant)}: {clause(live, name)}.", *lines], records


def _took(house: House, model: str) -> dict[str, str]:
    """What the turns took that put traffics in force, in words, by the traffic's id."""
    turns: dict[str | None, list[Record]] = {}
    for entry in house.journal.read(model=model):
        turns.setdefault(entry.turn, []).append(entry.record)
    sums = [(records, total) for records in turns.values() if (total := spent(records)) is not None]
    return {r.id: f"  ({spoken_cost(total)})" for records, total in sums for r in records if isinstance(r, Traffic)}


def why(house: House, id: str) -> tuple[list[str], list[Record]]:
    """The chain of records behind any record, version (``demand@3``) or prediction, oldest below.

    Raises Unknown.
    """
    from everloop.loop.answers import find_answer

    given = None if "@" in id or house.journal.find(id) else find_answer(house, id)
    if given is not None:
        lines, records = why(house, given.version)
        shape = house.candidate(house.version(given.version).candidate).shape
        what = spoken_values(given.values, shape) if shape.steps > 1 and given.values else given.value
        head = f"{given.unit} at {said(given.moment)} was answered {what if not given.items else ', '.join(given.items)} by:"
        knew = ", ".join(f"{name} {value}" for name, value in given.features)
        return [head, *lines, *([f"It knew {knew}."] if knew else [])], records
    tree = past.why(house.journal, by_number(house, id))
    behind, records = spoken_causes(tree.record) if isinstance(tree.record, Signals) else [], _records(tree)
    lines = past.told(tree, name=past.names(house.journal))
    return [*behind, *lines, *_elsewhere(house, records), *_as_compiled(house, records[:1])], records


def _elsewhere(house: House, records: list[Record]) -> list[str]:
    """What the journals of other houses said of the versions that came from there, oldest below; a line above each house."""
    lines: list[str] = []
    for came in records:
        if isinstance(came, Handover) and came.lineage is not None:
            there = records_in(house.blobs.read(came.lineage))
            lines += _of_house(came, there, set())
    return lines


def _of_house(came: Handover, there: list[Record], told: set[str]) -> list[str]:
    """One version where it came from, and where that came from in turn: ``there`` holds what every house on its way said."""
    known = {record.id: record for record in reversed(there)}  # of two houses, the nearer one
    names = {one.id: one.name for one in there if isinstance(one, Version)}
    for record in there:
        if isinstance(record, Version) and record.name == came.version and record.id not in told:
            tree = past.behind(known.get, record.id)
            found = _records(tree)
            told.update(one.id for one in found)
            head = f"In the house it came from{f' ({came.place})' if came.place else ''}:"
            lines = [head, *past.told(tree, name=lambda id: names.get(id, id), depth=1)]
            for one in found:
                lines += _of_house(one, there, told) if isinstance(one, Handover) and one.way == "in" else []
            return lines
    return []


def _as_compiled(house: House, asked: list[Record]) -> list[str]:
    """In which form a version is answered, where that is known."""
    from everloop.training.light import parity_of

    for record in asked:
        if isinstance(record, Version):
            parity = parity_of(house.candidate(record.candidate), house.settings.compiled)
            return [str(parity)] if parity is not None else []
    return []


def _records(tree: past.Reason) -> list[Record]:
    mine = [] if tree.record is None or tree.again else [tree.record]
    return mine + [r for parent in tree.parents for r in _records(parent)]


def verify(house: House) -> str:
    """Walk the journal's chain; the head is what to note elsewhere. Raises JournalBroken."""
    head = house.journal.verify()
    return f"The journal holds: {head.seq:,} records, head {head}."
