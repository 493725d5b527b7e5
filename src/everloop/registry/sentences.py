"""Records as clauses, for history, why and the card: short, one line each, versions by their names. No clock, no disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from everloop.clock import said
from everloop.records import (
    Approval,
    Autonomy,
    Candidate,
    Contest,
    Decision,
    Handover,
    Incident,
    Membership,
    Record,
    Redaction,
    Report,
    Signals,
    Snapshot,
    Traffic,
    TrainingSet,
    Verdict,
    Version,
    Withdrawal,
)

Naming: TypeAlias = Callable[[str], str]
"""From a version's id to what people call it, such as ``demand@3``."""


def clause(record: Record, name: Naming = str) -> str:
    """What a record says, in one line.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> clause(Decision(id="d", made_at=now, model="demand", action="retrain", because=("price drifted",), cause="drift"))
    'decided to retrain, because price drifted'
    """
    match record:
        case Traffic():
            return _traffic(record, name)
        case Decision() if record.by_hand:
            return f"{record.by} {_BY_HAND[record.action]}: {'; '.join(record.because)}"
        case Decision():
            what = f"asked a person whether to {record.asks}" if record.asks else f"decided to {record.action}"
            what += " a candidate beside the champion, as evidence" if record.rehearses else ""
            return f"{what}, because {'; '.join(record.because)}" if record.because else what
        case Verdict():
            return _verdict(record)
        case Signals():
            fired = [s.sentence for s in record.signals if s.fired]
            return "watching found: " + "; ".join(fired) if fired else "watching found nothing"
        case Approval():
            return f"{record.by} said {'yes' if record.approved else 'no'}: {record.reason}"
        case Incident():
            return _incident(record)
        case _:
            return _made(record, name)


_BY_HAND = {"hold": "put a stop to roll-outs", "release": "lets roll-outs go on", "share": "set the share"}


def _incident(incident: Incident) -> str:
    what = "; ".join(incident.shown) or "nothing any more"
    what += f" (and with it: {'; '.join(incident.also)})" if incident.also else ""
    what += f" (mended: {'; '.join(incident.mended)})" if incident.mended else ""
    if incident.reason is not None:
        snoozes = incident.snoozed_until is not None and "hear no more" in incident.because
        until = f" until {said(incident.snoozed_until)}" if snoozes and incident.snoozed_until is not None else ""
        return f"{incident.because}{until}: {incident.reason} ({what})"
    if incident.state == "resolved":
        return f"it is over, {incident.because}: {what}"
    if incident.state == "pending":
        return f"release check: {what}; {incident.because}" if incident.because else what
    return f"{incident.because}: {what}" if incident.because else what


def rows_said(rows: int, questions: int) -> str:
    """Rows of a training set, as what they are: questions, or the candidates of so many ``questions`` (0: each row is one).

    >>> rows_said(4428, 0), rows_said(587964, 12679)
    ('4,428 questions', '587,964 candidates of 12,679 questions')
    """
    return f"{rows:,} candidates of {questions:,} questions" if questions else f"{rows:,} questions"


def _made(record: Record, name: Naming) -> str:
    match record:
        case Snapshot():
            rows = sum(e.rows for e in record.extents)
            pins = [pin for e in record.extents for pin in e.pins or ()]
            tracked = f"; tracked by DVC: {', '.join(pins)}" if pins else ""
            return f"a snapshot of {', '.join(e.source for e in record.extents) or 'nothing'} ({rows:,} rows){tracked}"
        case Report():
            broken = [f"{f.source}: {f.sentence}" for f in record.findings if f.outcome != "passed"]
            so_far = f", as far as it came: {'; '.join(record.overdue)}" if record.overdue else ""
            return (
                f"the data was fit to learn from{so_far}" if record.passed else "the data was not fit to learn from: " + "; ".join(broken)
            )
        case TrainingSet():
            learn, judge = rows_said(record.learn_rows, record.learn_questions), rows_said(record.judge_rows, record.judge_questions)
            return f"{learn} to learn from, {judge if record.judge_questions else f'{record.judge_rows:,}'} held out"
        case Candidate(format="baseline"):
            return f"the baseline: {record.learner}"
        case Candidate(format="elsewhere"):
            return f"{record.learner}, which answers elsewhere"
        case Candidate():
            return f"{record.learner} learnt from {record.rows:,} rows"
        case Contest():
            same = f"champion and candidate answered the same {record.rows:,} questions"
            return same if record.rows else f"no contest: {record.why_empty}"
        case Version():
            return f"{record.name} was let in"
        case Handover():
            return _handover(record)
        case Redaction():
            return _redaction(record)
        case Autonomy():
            return f"no model acts above {record.level} here, by {record.by}: {record.reason}"
        case Withdrawal():
            return f"delivery {record.number} of {record.source} is taken back ({record.rows:,} rows), by {record.by}: {record.reason}"
        case Membership(role=None):
            return f"{record.person} is let out, by {record.by}" + (f": {record.reason}" if record.reason else "")
        case Membership(reason=what) if what:
            return f"{record.person} {what}, by {record.by}"
        case Membership():
            return f"{record.person} is let in as {record.role}, by {record.by}" + (f": {record.why}" if record.why else "")
        case _:
            return f"{type(record).__name__} {record.id}"


def _handover(handover: Handover) -> str:
    file = f"the file {handover.file[:12]}" + (f" ({handover.place})" if handover.place else "")
    signed = (
        ", signed by the key that is asked for here" if handover.signed and handover.way == "in" else ", signed" if handover.signed else ""
    )
    if handover.way == "out":
        return f"{handover.version} left as {file}{signed}"
    judged = f"; it was judged there, where its verdict was {handover.judged}" if handover.judged else "; it brought no verdict"
    return f"{handover.version} of another house came as {file}{signed}{judged}"


def _redaction(redaction: Redaction) -> str:
    whom = f"{redaction.column} {redaction.person}" if redaction.person else "everybody"
    gone = ", ".join(f"{count:,} of {place}" for place, count in redaction.rows) or "nothing was known"
    learnt = f"; {_listed(list(redaction.versions))} had learnt from them" if redaction.versions else ""
    return f"{whom} was forgotten ({gone}){learnt}; {redaction.by}: {redaction.reason}"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _traffic(traffic: Traffic, name: Naming) -> str:
    champion = name(traffic.champion)
    other = _listed([name(version) for version in traffic.candidates or (traffic.previous or "",)])
    each = f"; {len(traffic.arms)} candidates have equal parts of it" if traffic.arms else ""
    each += ", and the champion those of whoever was dropped" if None in traffic.arms else ""
    whom = "the units no control keeps" if traffic.baseline else "the units"
    what = {
        "steady": f"{champion} answers everybody",
        "shadow": f"{champion} answers everybody, {other} in shadow",
        "canary": f"{other} answer{'s' * (len(traffic.candidates) < 2)} {100 * traffic.share:.4g} % of {whom}, {champion} the others{each}",
        "bake": f"{champion} answers everybody; {other}, which it replaced, goes on in shadow",
    }[traffic.stage]
    if traffic.baseline:
        what += f"; {100 * traffic.control:.4g} % of all units keep {name(traffic.baseline)}"
    what += f"; nothing is rolled out, for it is held by {traffic.held}" if traffic.held and traffic.held != traffic.because else ""
    what += "; nothing is rolled out until it is released" if traffic.held and traffic.held == traffic.because else ""
    what += "; the share was set by hand" if traffic.by_hand else ""
    return f"{what} ({traffic.because})" if traffic.because else what


def _verdict(verdict: Verdict) -> str:
    opinions = "; ".join([o.sentence for o in verdict.opinions] + [f"beside it, {o.sentence}" for o in verdict.beside])
    if verdict.by:
        gate = f" (the gate had said: {opinions})" if opinions else ""
        return f"{verdict.by} let the candidate in past the gate: {verdict.reason}{gate}"
    return f"{verdict.outcome}: {opinions}" if opinions else verdict.outcome
