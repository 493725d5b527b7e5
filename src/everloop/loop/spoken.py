"""Records in sentences, as the terminal, the report and the alerts say them. No disk except where a story needs the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everloop.records import (
    Approval,
    Candidate,
    Contest,
    Decision,
    Prediction,
    Record,
    Report,
    Signals,
    Snapshot,
    Traffic,
    TrainingSet,
    Verdict,
    Version,
)

if TYPE_CHECKING:
    from everloop.loop.house import House

DAY = "%Y-%m-%d"
MINUTE = "%Y-%m-%d %H:%M UTC"
ACTIONS = {
    "hold": "Nothing to do",
    "retrain": "Retrain",
    "advance": "The roll-out goes a step on",
    "promote": "The roll-out is over; the candidate takes over",
    "undo": "Take it back",
    "ask": "A person is asked",
}


def story(house: House, decision: Decision) -> str:
    """What one turn did, told from the records it kept, in order."""
    told = [spoken_record(decision)]
    told += [spoken_record(r) for r in house.kept_in_turn(decision.id) if not isinstance(r, Decision | Signals | Snapshot | Contest)]
    return f"{decision.model}: " + "\n  ".join(told)


def spoken_record(record: Record) -> str:
    """One record in a sentence or two.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> spoken_record(Decision(id="d", made_at=now, model="demand", action="hold", because=("nothing fired",), cause="schedule"))
    'Nothing to do: nothing fired.'
    """
    speak = SENTENCES.get(type(record).__name__)
    return speak(record) if speak else f"{type(record).__name__} {record.id}."  # type: ignore[operator]


def spoken_decision(decision: Decision) -> str:
    what = ACTIONS[decision.action]
    if decision.asks:
        what = f"A person is asked whether to {ASKED[decision.asks]} (everloop approve {decision.model})"
    since = f" What lies before {decision.learn_from:{DAY}} is another world." if decision.learn_from and decision.retrains else ""
    return f"{what}: {'; '.join(decision.because)}.{since}"


ASKED = {"retrain": "retrain", "promote": "let the candidate take over", "undo": "take it back", "advance": "go on", "hold": "wait", "ask": "ask"}


def spoken_report(report: Report) -> str:
    """Whether the data is fit to learn from, with what broke and at most five examples of each."""
    wrong = [f for f in report.findings if f.outcome != "passed"]
    if not wrong:
        return f"{report.model}: fit to learn from ({len(report.findings)} conditions hold)."
    lines = [f"{report.model}: not fit to learn from."]
    for finding in wrong:
        lines.append(f"  {finding.source}: {finding.sentence}")
        lines += [f"    {example}" for example in finding.examples]
    return "\n".join(lines)


def spoken_training_set(set_: TrainingSet) -> str:
    if not set_.rows:
        return "There is no mature truth to learn from."
    return (
        f"{set_.learn_rows:,} questions to learn from ({set_.first_at:{DAY}} … {set_.learn_until:{DAY}}), "
        f"{set_.judge_rows:,} held out from {set_.judge_from:{DAY}}; {set_.immature:,} are not mature yet."
        if set_.first_at and set_.learn_until and set_.judge_from
        else f"{set_.learn_rows:,} questions to learn from, {set_.judge_rows:,} held out."
    )


def spoken_candidate(candidate: Candidate) -> str:
    if candidate.format == "baseline":
        return f"The baseline answers: {candidate.learner}."
    return f"Learnt {candidate.learner} from {candidate.rows:,} rows in {candidate.seconds:.1f} s."


def spoken_verdict(verdict: Verdict) -> str:
    if verdict.by:
        return f"Let in by {verdict.by}, past the gate: {verdict.reason}. The gate had said: {_opinions(verdict)}"
    head = {"passed": "The candidate passes", "failed": "The candidate does not pass", "not enough evidence": "Not enough evidence"}
    return f"{head[verdict.outcome]}. {_opinions(verdict)}"


def _opinions(verdict: Verdict) -> str:
    return " ".join(o.sentence if o.sentence.endswith(".") else o.sentence + "." for o in verdict.opinions)


def spoken_traffic(traffic: Traffic) -> str:
    what = {
        "steady": f"{traffic.champion} answers everybody",
        "shadow": f"{traffic.candidate} answers in shadow, {traffic.champion} answers everybody",
        "canary": f"{traffic.candidate} answers {traffic.share:.0%} of units",
        "bake": f"{traffic.champion} answers everybody; {traffic.previous} goes on answering in shadow",
    }[traffic.stage]
    return what + (f" ({traffic.because})." if traffic.because else ".")


def spoken_signals(signals: Signals) -> str:
    """Every condition with what was found, those that fired first."""
    ordered = sorted(signals.signals, key=lambda s: not s.fired)
    lines = [f"{'!' if s.fired else ' '} {s.clause}: {s.sentence}" for s in ordered]
    return "\n".join([f"{signals.model}, as of {signals.until:{MINUTE}}:", *lines])


def spoken_answer(house: House, prediction: Prediction) -> str:
    """One answer in a line."""
    if prediction.error:
        return f"{prediction.unit}: no answer ({prediction.error})."
    if prediction.items:
        what = ", ".join(prediction.items)
    elif prediction.values:
        what = ", ".join(f"{v:g}" for v in prediction.values)
    else:
        what = f"{prediction.value:g}" if prediction.value is not None else "no answer"
    says = f" ({prediction.says})" if prediction.says else ""
    return f"{prediction.unit}: {what}{says}, by {prediction.version} in {prediction.microseconds / 1000:.1f} ms (id {prediction.id})."


def spoken_approval(approval: Approval) -> str:
    return f"{approval.by} says {'yes' if approval.approved else 'no'}: {approval.reason}."


def spoken_version(version: Version) -> str:
    return f"{version.name} is let in."


SENTENCES = {
    "Decision": spoken_decision,
    "Report": spoken_report,
    "TrainingSet": spoken_training_set,
    "Candidate": spoken_candidate,
    "Verdict": spoken_verdict,
    "Version": spoken_version,
    "Traffic": spoken_traffic,
    "Signals": spoken_signals,
    "Approval": spoken_approval,
}
