"""What happened before, as far as it bears on what to do now. Reads the journal; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from everloop import rollout
from everloop.loop.adopt import nothing_yet
from everloop.loop.decide import rehearsal_at
from everloop.loop.govern import Memory
from everloop.loop.house import House
from everloop.loop.spending import money_of
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.project.shape import bakes_for
from everloop.records import Approval, Candidate, Contest, Decision, Signals, Traffic, Verdict
from everloop.registry import history
from everloop.registry.sentences import clause
from everloop.stats.blocks import LEAST_ROWS

UNTRAINED = ("baseline", "elsewhere")
LOOKS = "judge "  # how the cause of a turn begins after which nothing takes over
TRAFFICS = 100  # read at once
VERDICTS = 200  # among which the newest that are no rehearsals' are looked for


def memory(house: House, model: Model, traffic: Traffic, signals: Signals, *, now: datetime, cause: str) -> Memory:
    """What happened before, as far as it bears on what to do now."""
    runs = trained(house, model)
    week = [c for c in runs if c.made_at > now - timedelta(days=7)]
    day = [c for c in week if c.made_at > now - timedelta(days=1)]
    to_serve, since = newest_to_serve(house, runs), champion_since(house, traffic)
    return Memory(
        cause=cause,
        last_trained_at=to_serve.made_at if to_serve else None,
        rehearsed_at=runs[0].made_at if runs else None,
        evidence=_verdict_on(house, runs[0]) if runs else None,
        drift_told_at=_drift_told_at(house, model, max(since, now - 2 * (rehearsal_at(model, now) - now))),
        ever_learnt=_ever_learnt(house, model, traffic),
        truths=max((c.rows for c in _candidates(house, model)), default=0),
        waiting=_waiting(house, model),
        spent=timedelta(seconds=sum(c.seconds for c in week)),
        plan=rollout.due(traffic, model.roll_out, now, bake=bakes_for(model), signals=signals),
        runs_today=len(day),
        runs_this_week=len(week),
        money_today=money_of(day),
        money_this_week=money_of(week),
        failures=failures(house, model),
        learnt_rows=runs[0].rows if runs else 0,
        promoted_at=since,
        broken_at=_fired_at(house, model, "data", now - max(model.matures_after, timedelta(days=1))),
        season_at=_fired_at(house, model, "season", now - min(8 * max(truth_span(model), timedelta(days=1)), timedelta(days=28))),
        limits=house.settings.governor,
        nothing=nothing_yet(house, model),
    )


def contests(house: House, model: Model, champion: str) -> int:
    """How many contests against this champion (a candidate's id) there were that somebody could have won: with questions enough for any
    proof, and not only to look, as ``everloop judge`` does."""
    entries = house.journal.read(kind="Contest", model=model.name)
    there = [e for e in entries if isinstance(e.record, Contest) and e.record.champion == champion and e.record.rows >= LEAST_ROWS]
    turns = [house.turns.find(e.turn) if e.turn else None for e in there]
    return sum(turn is None or not turn.cause.startswith(LOOKS) for turn in turns)


def failures(house: House, model: Model) -> int:
    """How many candidates in a row came to nothing, not let in or taken back, since one stayed, or since a person last had a word in it;
    one more than the governor bears is all that is counted."""
    verdicts = _last_verdicts(house, model, house.settings.governor.failures + 1)
    if not verdicts:
        return 0
    count, taken_back, judged = 0, False, {verdict.id for verdict in verdicts}
    # Every turn keeps a decision: how many there are since is a matter of how often the house turns.
    kinds, since = ("Verdict", "Approval", "Decision"), verdicts[-1].made_at
    for entry in house.journal.read(kind=kinds, model=model.name, newest_first=True, since=since):
        record = entry.record
        if isinstance(record, Decision) and record.undoes and record.by is None and not record.drops:
            taken_back = True
        asked = isinstance(record, Decision) and (record.by is not None or (record.retrains and record.cause in ("demand", "approved")))
        if asked or isinstance(record, Approval):
            return count + taken_back
        if isinstance(record, Verdict) and record.id in judged:
            if record.passed and not taken_back:
                return count
            count, taken_back = count + 1, False
    return count


def _last_verdicts(house: House, model: Model, most: int) -> list[Verdict]:
    """The newest so many verdicts about candidates that were to take over, newest first."""
    kept = (e.record for e in house.journal.read(kind="Verdict", model=model.name, newest_first=True, limit=VERDICTS))
    verdicts = (r for r in kept if isinstance(r, Verdict) and not is_rehearsal(house, house.candidate(r.candidate)))
    return list(islice(verdicts, most))


def _fired_at(house: House, model: Model, kind: str, since: datetime) -> datetime | None:
    """When a kind of signal last fired after an instant: truths since may still be made of what it is about."""
    for entry in house.journal.read(kind="Signals", model=model.name, since=since, newest_first=True):
        if isinstance(entry.record, Signals) and entry.record.fired(kind) and entry.record.made_at > since:
            return entry.record.made_at
    return None


def champion_since(house: House, traffic: Traffic) -> datetime:
    """Since when the champion of this traffic has answered without a break: a step of a roll-out is none, nor one that was taken back."""
    return _since_as(house, traffic, lambda before: before.champion == traffic.champion)


def began(house: House, traffic: Traffic) -> datetime:
    """When the roll-out under way began; the traffic's own beginning where there is none."""
    return _since_as(house, traffic, lambda before: before.rolling)


def _since_as(house: House, traffic: Traffic, same: Callable[[Traffic], bool]) -> datetime:
    """Since when every traffic was the ``same`` in something; it is read as far back as that goes, and no further."""
    since = traffic.since
    for entry in history.backwards(house.journal, "Traffic", traffic.model, page=TRAFFICS):
        if not isinstance(entry.record, Traffic) or not same(entry.record):
            break
        since = entry.record.since
    return since


def trained(house: House, model: Model) -> list[Candidate]:
    """Every candidate that learnt something, the newest first."""
    return [c for c in _candidates(house, model) if c.format not in UNTRAINED]


def _candidates(house: House, model: Model) -> list[Candidate]:
    found = [e.record for e in house.journal.read(kind="Candidate", model=model.name, newest_first=True)]
    return [c for c in found if isinstance(c, Candidate)]


def last_trained(house: House, model: Model) -> datetime | None:
    newest = newest_to_serve(house, trained(house, model))
    return newest.made_at if newest is not None else None


def is_rehearsal(house: House, candidate: Candidate) -> bool:
    """Whether a candidate was learnt for evidence alone (``decide``: drift that is told); no schedule, no governor goes by it."""
    learnt = house.learnt_from(candidate)
    return learnt is not None and any(isinstance(r, Decision) and r.rehearses for r in map(house.journal.find, learnt.made_from))


def newest_to_serve(house: House, runs: list[Candidate]) -> Candidate | None:
    return next((c for c in runs if not is_rehearsal(house, c)), None)


def _verdict_on(house: House, candidate: Candidate) -> str | None:
    """What the gate said of a candidate."""
    for entry in house.journal.read(kind="Verdict", model=candidate.model, newest_first=True, since=candidate.made_at):
        if isinstance(entry.record, Verdict) and entry.record.candidate == candidate.id:
            return clause(entry.record)
    return None


def _drift_told_at(house: House, model: Model, since: datetime) -> datetime | None:
    """Since when, after an instant, people have been told of a drift that nothing was done about."""
    told = (e.record for e in house.journal.read(kind="Decision", model=model.name, since=since))
    return next((r.made_at for r in told if isinstance(r, Decision) and r.cause == "drift" and r.action == "hold"), None)


def _waiting(house: House, model: Model) -> tuple[str, ...]:
    """What a person was asked and has not answered; what is asked about a rehearsal keeps a model from nothing that it may do by itself."""
    waiting = house.approvals.waiting(model.name)
    return tuple(q.action for q in waiting if not (model.autonomy["retrain"] == "act" and _of_rehearsal(house, q.decision)))


def _of_rehearsal(house: House, decision: str) -> bool:
    verdicts = (r for r in map(house.journal.find, house.journal.get(decision).made_from) if isinstance(r, Verdict))
    return any(is_rehearsal(house, house.candidate(v.candidate)) for v in verdicts)


def _ever_learnt(house: House, model: Model, traffic: Traffic) -> bool:
    """Whether something learnt has ever been let in. What was let in and taken back was learnt all the same."""
    return any(isinstance(house.verdict(v.verdict), Verdict) for v in house.versions.all(model.name))
