"""Delivery: how often, how fast and how well a house brings models into service, and how fast it finds and undoes harm.

In: the journal. Out: the figures the field promises, each with how many times it was seen. Reads no clock, decides nothing. A figure nobody
has seen yet is None. The four of *Accelerate* (Forsgren, Humble, Kim 2018), for models: lead time begins with the newest data a version has
learnt from, since it is data that wants to be in production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from everloop.clock import said
from everloop.loop.house import House
from everloop.records import Candidate, Decision, Incident, Record, Signals, Traffic, Verdict

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Spans:
    """How often a span was seen, the median of them, and the longest; None where it was never seen. In JSON they are spans of ISO 8601."""

    count: int = 0
    median: timedelta | None = None
    longest: timedelta | None = None

    @staticmethod
    def of(spans: Iterable[timedelta]) -> Spans:
        """Of these; what is below zero was dated by two clocks and counts as nothing.

        >>> Spans.of([timedelta(1), timedelta(2), timedelta(9)]).median
        datetime.timedelta(days=2)
        """
        found = [max(span, timedelta(0)) for span in spans]
        return Spans(len(found), timedelta(seconds=median(s.total_seconds() for s in found)), max(found)) if found else Spans()


@dataclass(frozen=True)
class Delivery:
    """One model's delivery between two instants.

    A *deployment*: a version came into full service. *failed*: a roll-out was taken back before. *undone*: it was taken back afterwards.
    """

    model: str
    since: datetime | None
    until: datetime | None
    deployments: int = 0
    failed: int = 0
    undone: int = 0
    refused: int = 0
    """Candidates that no gate let pass."""
    per_week: float | None = None
    lead: Spans = Spans()
    detect: Spans = Spans()
    recover: Spans = Spans()

    def __str__(self) -> str:
        return spoken(self)


def delivery_of(house: House, model: str, *, until: datetime) -> Delivery:
    """A model's delivery from its first record to ``until`` (aware, business time)."""
    entries = house.journal.read(kind=("Traffic", "Decision", "Incident", "Verdict"), model=model, until=until)
    if any(isinstance(e.record, Decision) and e.record.undoes for e in entries):
        # Only what was taken back is held against what was seen before; what was seen is most of a journal.
        entries = sorted([*entries, *house.journal.read(kind="Signals", model=model, until=until)], key=lambda entry: entry.seq)
    return delivery([e.record for e in entries], model, until=until, candidate=_candidates(house))


def delivery(records: Sequence[Record], model: str, *, until: datetime, candidate: Callable[[str], Candidate | None]) -> Delivery:
    """A model's delivery, from its records in the order they were kept; ``candidate``: what is behind a version's id."""
    lived = [r for r in records if isinstance(r, Traffic)]
    if not lived:
        return Delivery(model, None, None)
    decisions = {r.id: r for r in records if isinstance(r, Decision)}
    served = [new for old, new in pairwise(lived) if new.champion != old.champion and not _undo_of(new, decisions)]
    back = [(old, new) for old, new in pairwise(lived) if _undo_of(new, decisions)]
    undone = sum(new.champion != old.champion for old, new in back)
    weeks = (until - lived[0].made_at) / WEEK
    return Delivery(
        model,
        lived[0].made_at,
        until,
        deployments=len(served),
        failed=len(back) - undone,
        undone=undone,
        refused=sum(not r.passed for r in records if isinstance(r, Verdict)),
        per_week=len(served) / weeks if weeks >= 1 else None,
        lead=Spans.of(span for t in served if (span := _lead(t, candidate(t.champion))) is not None),
        detect=Spans.of(_detections(records)),
        recover=Spans.of(span for _, new in back if (span := _recovery(new, records, decisions)) is not None),
    )


def _undo_of(traffic: Traffic, decisions: dict[str, Decision]) -> Decision | None:
    causes = (decisions.get(id) for id in traffic.made_from)
    return next((cause for cause in causes if cause is not None and cause.undoes), None)


def _lead(traffic: Traffic, learnt: Candidate | None) -> timedelta | None:
    """From the newest data the version learnt from to full service."""
    return None if learnt is None or learnt.learnt_until is None else traffic.made_at - learnt.learnt_until


def _detections(records: Sequence[Record]) -> Iterable[timedelta]:
    """Of each incident whose beginning watching could tell: from there until it first fired."""
    seen = set()
    for record in records:
        if isinstance(record, Incident) and record.fired_at is not None and record.incident not in seen:
            seen.add(record.incident)
            if record.since is not None:
                yield record.fired_at - record.since


def _recovery(traffic: Traffic, records: Sequence[Record], decisions: dict[str, Decision]) -> timedelta | None:
    """From the first look in which what was feared fired, without a calm one since, until it was taken back.

    A person who undoes without anything having fired recovers from what no look has seen: that is not counted.
    """
    decision = _undo_of(traffic, decisions)
    looks = [r for r in records if isinstance(r, Signals) and r.made_at <= traffic.made_at]
    cause = next((look for look in looks if decision is not None and look.id in decision.made_from), None)
    if cause is None or decision is None:
        return None
    feared = {s.clause for s in cause.fired() if any(s.sentence in why for why in decision.because)} or {s.clause for s in cause.fired()}
    first = cause.made_at
    for look in reversed(looks):
        if not any(s.clause in feared for s in look.fired()):
            break
        first = look.made_at
    return traffic.made_at - first


def _candidates(house: House) -> Callable[[str], Candidate | None]:
    def behind(version: str) -> Candidate | None:
        record = house.journal.find(house.version(version).candidate)
        return record if isinstance(record, Candidate) else None

    return behind


# -- aloud ---------------------------------------------------------------------------------------------------------------------------


def spoken(delivery: Delivery) -> str:
    """The figures in a few lines; what was never seen is said to be so.

    >>> print(spoken(Delivery("demand", None, None)))
    demand: has not begun. Next: everloop turn demand
    """
    d = delivery
    if d.since is None or d.until is None:
        return f"{d.model}: has not begun. Next: everloop turn {d.model}"
    often = f", {d.per_week:.2g} a week" if d.per_week is not None and d.deployments else ""
    came = f"{d.deployments:,} deployment{'s' * (d.deployments != 1)}{often}" if d.deployments else "no deployment yet"
    return "\n".join(
        [
            f"{d.model}: {came}, since {said(d.since)}.",
            f"  roll-outs taken back {d.failed:,}, deployments undone {d.undone:,}, candidates no gate let pass {d.refused:,}",
            f"  from data to production: {_spoken(d.lead, 'no version that has learnt is in full service yet')}",
            f"  from harm to its detection: {_spoken(d.detect, 'no incident yet whose beginning is known')}",
            f"  from detection to undo: {_spoken(d.recover, 'nothing that watching found was taken back yet')}",
        ]
    )


def _spoken(spans: Spans, never: str) -> str:
    if spans.median is None or spans.longest is None:
        return never
    if spans.count == 1:
        return f"{_span(spans.median)} (once)"
    return f"{_span(spans.median)} (median of {spans.count:,}; at most {_span(spans.longest)})"


def _span(span: timedelta) -> str:
    """
    >>> [_span(timedelta(seconds=s)) for s in (0, 90, 7200, 200_000)]
    ['0 min', '2 min', '2 h', '2.31 days']
    """
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.2g} h" if minutes < 2880 else f"{minutes / 1440:.3g} days"
