"""Incidents: what watching finds becomes one incident for each cause, which opens, fires, goes on and ends. No clock, no disk.

In: what stands, what was found now, and the looks before. Out: the changes, each a record; nothing changed is no record. The rules, in
order:

1. Bad data explains what it does to a model: while a *data* incident is open, drift and slips are listed in it and open nothing.
2. A condition that is listed in an open incident belongs to that one.
3. What is found less than ``YOUNG`` windows after a new version took over is put down to the *release*. Drift alone is then *pending*, a
   release check, and fires when the release is older than that and the drift still there. So are answers that fail, are slow or look like
   none before while a version is being rolled out.
4. The rest opens one incident for each cause, or reopens one that was over for less than ``CALM`` windows.
5. An incident is over after ``CALM`` windows that were judged and in which none of its conditions fired; windows that could not be judged
   count neither way. A pending one is over with the first of them.

``CALM`` takes the place of a second, lower threshold: signals are verdicts on evidence, which come with no scale that all of them share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from everloop.monitor.deployed import GUARDRAIL
from everloop.monitor.profile import ANSWERS
from everloop.project.spoken_values import spoken_list
from everloop.records import Cause, Finding, Incident, Record, Report, Severity, Signal, Signals, Symptom, Traffic, identity

CALM = 3
YOUNG = 2
LISTED = 20
"""Symptoms an incident lists; more of the same are not written down."""
CONTRACT = "contract"
"""The kind of a symptom that a report of the data shows, not a signal."""
SPLIT = "split"
STILL = "it is still so"

CAUSE_OF: dict[str, Cause] = {
    "data": "data", "volume": "data", CONTRACT: "data", "drift": "change", "slip": "change", "figure": "change", "errors": "service",
    "latency": "service", "outage": "truth", "worse": "release", SPLIT: "release",
}  # fmt: skip
"""What a kind of signal is put down to; wishes (truths, schedule) and good news (better) are put down to nothing."""
TOLD = ("data", "volume", CONTRACT, "outage", SPLIT)
"""Kinds that people are told of though no condition asks for it."""
SEVERITY_OF: dict[Cause, Severity] = {
    "data": "critical", "release": "critical", "service": "critical", "change": "warning", "truth": "warning",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stands:
    """What is known of a model when a look has come in: its incidents that are open or were over not long ago, newest change first; when a
    version last took over, and whether one is being rolled out; how long a window is; which clauses people want to be told of."""

    model: str
    incidents: tuple[Incident, ...] = ()
    released_at: datetime | None = None
    rolling: bool = False
    window: timedelta
    tells: frozenset[str] = frozenset()

    def young(self, now: datetime) -> bool:
        """Whether the newest release is so young that what is found may be its doing."""
        return self.released_at is not None and now - self.released_at < YOUNG * self.window


def after_look(stands: Stands, signals: Signals, before: Sequence[Signals]) -> list[Incident]:
    """The changes that a look brings. ``before``: the looks before it, newest first, as far back as ``CALM`` windows and more."""
    opened = {incident.cause: incident for incident in stands.incidents if incident.open}
    changed: list[Incident | None] = []
    grouped = _by_cause(stands, opened, symptoms_of(signals), signals.made_at)
    for cause, shown in grouped.items():
        if cause not in opened:
            changed.append(_opened(stands, cause, shown, signals))
    for cause, there in opened.items():
        over = None if any(not s.also for s in grouped.get(cause, ())) else _over(stands, there, [signals, *before], signals)
        on = _gone_on(stands, there, grouped[cause], signals) if cause in grouped else _awake(there, signals)
        changed.append(over or on)
    return [incident for incident in changed if incident is not None]


def after_report(stands: Stands, report: Report) -> list[Incident]:
    """The changes that a report of the data brings: what is broken is an incident, and over with the first report that finds nothing."""
    broken = [f for f in report.findings if f.outcome != "passed"]
    found = _each_once(Symptom(clause=f.clause, kind=CONTRACT, about=f.source, direction="broken", sentence=_of_source(f)) for f in broken)
    there = next((i for i in stands.incidents if i.open and i.cause == "data"), None)
    if there is None:
        made = _opened(stands, "data", found, report) if found else None
        return [made] if made is not None else []
    still, fit = set(map(_place, found)), {(f.source, f.clause) for f in report.findings if f.outcome == "passed"}

    def is_mended(one: Symptom) -> bool:
        return one.mended_at is None and _place(one) not in still and (one.kind == CONTRACT or _place(one) in fit)

    kept = tuple(replace(one, mended_at=report.made_at) if is_mended(one) else one for one in there.symptoms)
    if not found and all(one.also or one.mended_at is not None for one in kept):
        return [_change(there, report, state="resolved", because="the data is fit to learn from again")]
    mended = replace(there, symptoms=_mended_last(kept))
    made = _gone_on(stands, mended, found, report)
    over, of = sum(one.mended_at is not None for one in kept), len(kept)
    if kept != there.symptoms and (made is None or made.because == STILL):
        because = f"{over} of {of} {'is' if over == 1 else 'are'} mended"
        made = _change(mended, report, because=because, news=False) if made is None else replace(made, because=because)
    return [made] if made is not None else []


def after_release(stands: Stands, traffic: Traffic, *, undone: bool, champion: str | None) -> list[Incident]:
    """The changes that come with another traffic: what was the fault of a version that answers nobody any more is over, and what was
    measured against the reference of a champion that was replaced. ``champion``: the name of a new one, None where it is the same."""
    changed = []
    for incident in stands.incidents:
        beside = all(_beside(s) for s in incident.symptoms if not s.also)
        if incident.open and incident.cause == "release" and (undone or (beside and not traffic.rolling)):
            because = "it was taken back" if undone else "the roll-out is over"
            changed.append(_change(incident, traffic, state="resolved", because=because))
        elif incident.open and incident.cause == "change" and champion and not undone:
            because = f"{champion} answers now, and is held against what it has learnt from"
            changed.append(_change(incident, traffic, state="resolved", because=because))
    return changed


def said_by(
    incident: Incident,
    what: Literal["acknowledge", "snooze"],
    *,
    by: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> Incident:
    """What a person says about an incident; nobody else is told of it. ``until``: of a snooze."""
    id = identity(incident.incident, incident.change + 1, what)
    made = _next(incident, id, now, (incident.id,))
    if what == "acknowledge":
        before = incident.acknowledged_by
        because = f"{by} has seen it" + (f", as {before} had before" if before not in (None, by) else "")
        return replace(made, acknowledged_by=by, by=by, reason=reason, because=because)
    return replace(made, snoozed_until=until, by=by, reason=reason, because=f"{by} wants to hear no more of it for now")


def said_already(
    incident: Incident, what: Literal["acknowledge", "snooze"], *, by: str, reason: str, until: datetime | None = None
) -> bool:  # fmt: skip
    """Whether the last change of an incident is this very word of this person, so that saying it once more changes nothing."""
    last = incident.acknowledged_by == by if what == "acknowledge" else incident.snoozed_until == until
    return (incident.by, incident.reason) == (by, reason) and incident.id == identity(incident.incident, incident.change, what) and last


def symptoms_of(signals: Signals) -> tuple[Symptom, ...]:
    """What of a look is a symptom: every signal that fired and says that something is wrong, and a split that splits otherwise.

    What a season that comes every year moves is none.
    """
    no_symptoms = ("truths", "schedule", "better", "season", *(("drift", "slip", "volume") if signals.fired("season") else ()))
    found = [*_each_once(_symptom(s) for s in signals.signals if s.fired and s.kind not in no_symptoms)]
    trial = next((trial for trial in signals.trials if trial.frozen), None)
    if trial is not None:
        found.append(Symptom(clause="split", kind=SPLIT, about=trial.candidate, sentence=trial.because))
    return tuple(found)


# -- how it comes about --------------------------------------------------------------------------------------------------------------


def _by_cause(
    stands: Stands, opened: Mapping[Cause, Incident], found: Sequence[Symptom], now: datetime
) -> dict[Cause, tuple[Symptom, ...]]:
    """What was found, by what it is put down to; there is at most one open incident for each cause."""
    bad = "data" in opened or any(_cause(s) == "data" for s in found)
    groups: dict[Cause, tuple[Symptom, ...]] = {}
    for symptom in found:
        cause = _cause(symptom)
        listed = next((c for c, i in opened.items() if any(s.clause == symptom.clause and not s.also for s in i.symptoms)), None)
        if cause == "change" and bad:
            cause, symptom = "data", replace(symptom, also=True)
        elif listed is not None:
            cause = listed
        elif _of_release(stands, cause, symptom, now):
            cause = "release"
        groups[cause] = (*groups.get(cause, ()), symptom)
    return groups


def _of_release(stands: Stands, cause: Cause, symptom: Symptom, now: datetime) -> bool:
    if stands.young(now):
        return cause in ("change", "service")
    return stands.rolling and (cause == "service" or symptom.about == ANSWERS)


def _opened(stands: Stands, cause: Cause, shown: tuple[Symptom, ...], by: Record) -> Incident:
    """A new incident, or one of the same cause that was over only a moment ago and shows the same again."""
    now, prints = by.made_at, {s.fingerprint(stands.model) for s in shown}
    for past in stands.incidents:
        recent = past.resolved_at is not None and now - past.resolved_at < CALM * stands.window
        if past.cause == cause and recent and prints & {s.fingerprint(stands.model) for s in past.symptoms}:
            back = replace(past, resolved_at=None, acknowledged_by=None, snoozed_until=None, symptoms=shown[:LISTED])
            return _fires(stands, back, by, "it is back")
    check = cause == "release" and not stands.rolling and all(_cause(s) == "change" for s in shown)
    id = identity(by.id, "incident", cause)
    made = Incident(
        id=id, made_at=now, made_from=(by.id,), model=stands.model, incident=id, change=1, cause=cause, state="pending",
        severity=SEVERITY_OF[cause], symptoms=shown[:LISTED], opened_at=now,
        because="a new version has just taken over; is it the release, or the world?" if check else "",
    )  # fmt: skip
    return made if check else replace(_told(stands, made, now), state="firing", fired_at=now)


def _gone_on(stands: Stands, there: Incident, shown: tuple[Symptom, ...], by: Record) -> Incident | None:
    """An incident that shows itself again: with what is new about it, as firing where it was pending long enough, else None."""
    now, known = {_place(s): s for s in shown}, {_place(s) for s in there.symptoms if s.mended_at is None}
    new = tuple(s for s in shown if _place(s) not in known)
    before = tuple(_said_now(s, now[_place(s)]) if _place(s) in now else s for s in _each_once(there.symptoms))
    listed = {_place(s) for s in before}
    more = replace(there, symptoms=_mended_last((*before, *(s for s in new if _place(s) not in listed)))[:LISTED])
    because = f"new is {spoken_list(list(dict.fromkeys(s.about or s.clause for s in new)))}" if new else STILL
    because = because if there.state == "firing" else there.because
    if there.state == "pending":
        sure = not stands.young(by.made_at) or any(_cause(s) != "change" for s in shown)
        if sure:
            return _fires(stands, more, by, "it is still so with the release grown old")
    if not _awake_at(there, by.made_at):
        return _change(more, by, because=because, news=False) if more.symptoms != there.symptoms else None
    if there.snoozed_until is not None:
        return _awake(more, by)
    if more.symptoms == there.symptoms:
        return None
    first = there.told_at is None and there.state == "firing"
    told = _told(stands, more, by.made_at)
    return _change(told, by, because=because, news=first and told.told_at is not None)


def _place(symptom: Symptom) -> tuple[str, ...]:
    """What makes two sentences one symptom: of what a source is held to the source and the clause, whoever found it; else what it is of,
    about and which way."""
    if CAUSE_OF.get(symptom.kind) == "data" and symptom.clause != "data" and symptom.about:
        return (symptom.about.partition(".")[0], symptom.clause)
    return (symptom.clause, symptom.about or "", symptom.direction)


def _each_once(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    """Of each symptom the first."""
    once: dict[tuple[str, ...], Symptom] = {}
    for symptom in symptoms:
        once.setdefault(_place(symptom), symptom)
    return tuple(once.values())


def _said_now(there: Symptom, now: Symptom) -> Symptom:
    """A symptom as it is said now. What a report found stays so, for a report has to end it."""
    if there.sentence == now.sentence and there.mended_at is None:
        return there
    return replace(there, sentence=now.sentence, kind=CONTRACT if now.kind == CONTRACT else there.kind, mended_at=None)


def _mended_last(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    return tuple(sorted(symptoms, key=lambda one: one.mended_at is not None))


def _of_source(finding: Finding) -> str:
    sentence = finding.sentence.removesuffix(".")
    return sentence if finding.source in sentence else f"{finding.source}: {sentence}"


def _fires(stands: Stands, incident: Incident, by: Record, because: str) -> Incident:
    told = _told(stands, incident, by.made_at)
    return _change(told, by, state="firing", because=because, news=told.told_at is not None, fired_at=by.made_at)


def _told(stands: Stands, incident: Incident, now: datetime) -> Incident:
    """The incident, with people told of it from now on where they want to be."""
    wanted = any(s.clause in stands.tells or (s.kind in TOLD and s.about != ANSWERS) for s in incident.symptoms)
    if not wanted or incident.told_at is not None:
        return incident
    return replace(incident, told_at=now, news=True)


def _over(stands: Stands, incident: Incident, looks: Sequence[Signals], by: Signals) -> Incident | None:
    """The incident resolved, where it has been calm for long enough."""
    mine = {s.clause for s in incident.symptoms if not s.also and s.mended_at is None}
    if any(s.kind == CONTRACT and not s.also and s.mended_at is None for s in incident.symptoms):
        return None  # a report tells, not a look
    since = incident.fired_at or incident.opened_at
    calm = calm_windows(mine, [look for look in looks if look.until > since], stands.window)
    if calm < (1 if incident.state == "pending" else CALM):
        return None
    because = "it went by before it was sure" if incident.state == "pending" else f"it has been calm for {CALM} windows"
    return _change(incident, by, state="resolved", because=because)


def calm_windows(clauses: Collection[str], looks: Iterable[Signals], window: timedelta) -> int:
    """How many windows in a row, from the newest look back, were judged and calm: none of the clauses fired in any look of them.

    A window in which a clause could not be judged is passed over; a clause that is not asked any more is calm.
    """
    calm, counted = 0, None
    for look in looks:
        mine = [s for s in look.signals if s.clause in clauses]
        frozen = "split" in clauses and any(trial.frozen for trial in look.trials)
        if frozen or any(s.fired for s in mine):
            return calm
        if any(s.outcome == "not enough evidence" for s in mine):
            continue
        if counted is None or counted - look.until >= window:
            calm, counted = calm + 1, look.until
    return calm


def _awake_at(incident: Incident, now: datetime) -> bool:
    return incident.snoozed_until is None or now >= incident.snoozed_until


def _awake(incident: Incident, by: Record) -> Incident | None:
    """An incident whose snooze is over and which is not: people are told again."""
    if incident.snoozed_until is None or not _awake_at(incident, by.made_at):
        return None
    because = "it is still so, and the snooze is over"
    return _change(replace(incident, snoozed_until=None), by, because=because, news=incident.told_at is not None)


def _change(incident: Incident, by: Record, **words: object) -> Incident:
    """The next change of an incident. Of the end of what people were told of they are told as well, unless they wanted to hear no more."""
    made = _next(incident, identity(by.id, "incident", incident.incident), by.made_at, (by.id, incident.id))
    if words.get("state") == "resolved":
        words["resolved_at"] = by.made_at
        words.setdefault("news", incident.told_at is not None and _awake_at(incident, by.made_at))
    return replace(made, **words)  # type: ignore[arg-type]


def _next(incident: Incident, id: str, now: datetime, made_from: tuple[str, ...]) -> Incident:
    return replace(
        incident, id=id, made_at=now, made_from=made_from, change=incident.change + 1, news=False, by=None, reason=None, cost=None
    )  # fmt: skip


def _cause(symptom: Symptom) -> Cause:
    """What a symptom is put down to by itself. Answers that look like none before are no bad data: the model gave them."""
    if symptom.clause == GUARDRAIL:
        return "release"
    return "change" if symptom.about == ANSWERS else CAUSE_OF.get(symptom.kind, "change")


def _symptom(signal: Signal) -> Symptom:
    return Symptom(
        clause=signal.clause, kind=signal.kind, about=signal.about, direction=_direction(signal), sentence=signal.sentence,
        since=signal.since,
    )  # fmt: skip


def _direction(signal: Signal) -> str:
    """Which way it went wrong; a distance such as drift has none."""
    if signal.clause.startswith("at_least("):
        return "above"
    if signal.clause.startswith("at_most("):
        return "below"
    return {"slip": "worse", "worse": "worse", "errors": "above", "latency": "above", "data": "above", "outage": "below"}.get(
        signal.kind, ""
    )


def _beside(symptom: Symptom) -> bool:
    """Whether it can only be seen while two versions answer beside each other."""
    return symptom.kind in ("worse", SPLIT) or symptom.clause == GUARDRAIL
