"""Slips: a metric on mature truth that is worse than in the contest the champion won. In: what was seen. Out: signals."""

from __future__ import annotations

from dataclasses import replace

from everloop.clock import from_microseconds
from everloop.monitor.error import LEAST_PERIODS, Slip, slip, where_worst
from everloop.monitor.seen import Answered
from everloop.monitor.watched import NOTHING, Watched, day, odds, title
from everloop.project.conditions import slipped
from everloop.project.resolve import truth_span
from everloop.project.spoken_conditions import SEEN_BY, spoken_metric
from everloop.records import Outcome, Signal
from everloop.stats.measures import measure
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.unsaid import why_unsaid


def slipped_since(w: Watched, condition: slipped) -> Signal:
    """Proven worse on mature truth than when promoted (``error.slip``), since when, and where most."""
    if condition.detector is not None:
        return _detected(w, condition)
    name = w.metric(condition.on)
    blank = Signal(clause=repr(condition), kind="slip", fired=False, outcome=NOTHING, sentence="", measure=name, coverage=w.seen.coverage)
    seen = w.seen
    if seen.answered is None or not len(seen.answered):
        return replace(blank, sentence="no answer since the promotion has a mature truth yet")
    if seen.promised is None or not len(seen.promised):
        return replace(
            blank, sentence=f"there is no {spoken_metric(name)} of when it was promoted to compare with", rows=len(seen.answered)
        )
    one, span = measure(name), truth_span(w.model)
    zone = None if w.model.asked is None else w.model.asked.zone
    found = slip(one, seen.promised, seen.answered, by=condition.by, span=span, zone=zone, seed=w.seed)
    if found.change is None:
        sentence = f"{found.of} of the {LEAST_PERIODS} periods with mature truth that it takes"
        return replace(blank, sentence=sentence, rows=len(seen.answered))
    change, since = found.change, found.since
    silent = _unsaid(name, found, seen.promised, seen.answered)
    sentence = silent or _slip_sentence(name, found, condition.by)
    if found.outcome == "passed" and since is not None:
        place = where_worst(one, seen.promised, seen.answered.take(seen.answered.moments >= since), seed=w.seed)
        if place is not None:
            sentence += (
                f"; most of it where {place.name.replace('_', ' ')} is {place.value} ({figure(place.before)} to {figure(place.now)})"
            )
            blank = replace(blank, about=f"{place.name}={place.value}")
    return replace(
        blank,
        fired=found.outcome == "passed",
        outcome=found.outcome,
        sentence=sentence,
        value=change.candidate,
        low=change.low,
        high=change.high,
        rows=change.rows,
        since=from_microseconds(since) if since is not None else None,
    )


def _detected(w: Watched, condition: slipped) -> Signal:
    """Whether a detector that looks at every matured truth says that losses went up, and since when."""
    name, clause = w.metric(condition.on), repr(condition)
    blank = Signal(clause=clause, kind="slip", fired=False, outcome=NOTHING, sentence="", measure=name, coverage=w.seen.coverage)
    state, alarm = w.followed.get(clause), w.seen.alarms.get(clause)
    if state is not None:
        fired, rows, value, since = state.alarm is not None, state.rows, state.evidence, state.changed_at
        evidence = f"evidence {odds(value)} of the {state.target:,.0f} that it takes"
        no_more = f"losses of {rows:,} matured truths are not proven to exceed {figure(state.mean)} of at most 1 ({evidence})"
    elif alarm is not None and alarm.why_silent is None:
        since = None if alarm.since is None else from_microseconds(alarm.since)
        fired, rows, value = since is not None, alarm.rows, None
        no_more = f"{SEEN_BY[condition.detector or 'adwin']} sees no change in the losses of {rows:,} matured truths"
    else:
        silent = "there is too little of when it was promoted to compare with" if alarm is None else alarm.why_silent
        return replace(blank, sentence=silent or "")
    sentence = f"{title(name)}: {no_more}"
    if fired:
        who = "is proven, by bets on" if state is not None else f"is seen by {SEEN_BY[condition.detector or 'adwin']}, on"
        begun = f", since {since:%Y-%m-%d}" if since else ""
        sentence = f"{title(name)} {who} {rows:,} matured truths, to be worse than when promoted{begun}"
    outcome: Outcome = "passed" if fired else "failed"
    return replace(blank, fired=fired, outcome=outcome, sentence=sentence, value=value, rows=rows, since=since)


def _unsaid(name: str, found: Slip, promised: Answered, since: Answered) -> str | None:
    """Which of the two figures is none, and why; None where both are there."""
    assert found.change is not None
    if found.change.candidate is None:
        why = why_unsaid(since.truth, since.answers)
        return f"{title(name)} cannot be worked out on the {len(since):,} answers with mature truth since the promotion: {why}"
    if found.change.champion is None:
        return f"{title(name)} of when it was promoted cannot be worked out: {why_unsaid(promised.truth, promised.answers)}"
    return None


def _slip_sentence(name: str, found: Slip, by: float) -> str:
    change = found.change
    assert change is not None
    begun = f" since {day(found.since)}" if found.since is not None else f" in {found.periods} periods"
    sentence = f"{title(name)} {figure(change.candidate)}{begun}, against {figure(change.champion)} when promoted"
    sentence += ", like days with like" if found.seasonal else ""
    if change.effect is None:
        return sentence
    sentence += f": {percent(abs(change.effect))} {'worse' if change.effect < 0 else 'better'}"
    if change.low is not None and change.high is not None:
        low, high = (-change.high, -change.low) if change.effect < 0 else (change.low, change.high)
        sentence += f" ({span_of(low, high)})"
    return sentence + (
        f", more than {percent(by)} is proven" if found.outcome == "passed" else f", not proven to be more than {percent(by)}"
    )
