"""Signals become one decision. Pure: no clock, no disk; what must be remembered comes in as ``Memory``.

The order is the law of the house: harm first, then a person's hold, then a roll-out in progress, then wishes to retrain; and a person's
absence of a yes always wins over a wish.

| evidence | what is done |
|---|---|
| events or features that are broken, or stopped coming | their owner is told; nothing is learnt from them, whatever is wished |
| answers that fail or are slow since a takeover, or a drop that began with it | back to the version before |
| proven worse, on data that is sound | retrain, from the change point on |
| drift that ``retrain_when`` lists | retrain: the user's words win |
| drift that is only told | a ticket, with what the truth says of it; a week of truths later a candidate is held beside, as evidence |
| drift of what hardly matters, or that the season explains | it is noted in the signal, which does not fire |
| truths that stopped coming | their owner is told; nothing that rests on truth is decided |
| a source that truth is read from, and that is overdue | no step of a roll-out, nothing learnt by itself; the way back stays open |
| newest rows that break what the project says they must be | the same |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from everloop.loop.govern import STANDS, WATCH, Memory, forbidden
from everloop.monitor.deployed import GUARDRAIL, SOON
from everloop.project.conditions import slipped, usual_volume
from everloop.project.model import Model
from everloop.records import HELD, Action, Decision, Signal, Signals, Traffic, Verdict

BY_TRUTH = ("slip", "truths")
"""Wishes that rest on truth, and mean nothing while truths do not come."""
BY_ANSWERS = ("drift", "slip")
"""Wishes that rest on answers given lately, and mean nothing where a season, or data that was broken then, explains them."""
A_WEEK = timedelta(days=7)
"""Of truths after a drift was told: so much of them a rehearsal waits for."""
BY_ITS_STEPS = "whoever runs its steps one by one says when it learns"


def decide(model: Model, traffic: Traffic, signals: Signals, memory: Memory, *, now: datetime, id: str) -> Decision:
    """The one thing to do about a model now, with its reasons, ready to be read aloud.

    Harm that is proven takes the way back; a roll-out that is due goes on; otherwise the first wish to retrain that neither bad data nor
    the governor (``govern.forbidden``) forbids.
    """
    made_from = (traffic.id, signals.id)
    harm = _harm(model, traffic, signals, memory)
    if harm and (traffic.rolling or traffic.previous):
        undo = _with_leave(model, "roll_back", "undo", harm, memory, now=now, id=id, made_from=made_from)
        return replace(undo, drops=_harming(traffic, harm))
    if traffic.held:
        stopped = (f"it is held ({traffic.held}), and nothing is learnt or rolled out before: everloop release {model.name}",)
        return _decision(model, "hold", stopped, HELD, now, id, made_from)
    late = (*_sentences(signals.fired("outage")), *(signals.overdue or ()))
    frozen = (*late, *(s for s in _sentences(unfit_rows(model, signals)) if s not in late))
    if traffic.rolling and memory.plan and not frozen:
        action: Action = "promote" if memory.plan == "promote" else "advance"
        because: tuple[str, ...] = ("units move to whichever version does better",)
        because = because if memory.plan == "divide" else ("the roll-out's next step is due",)
        return _decision(model, action, because, "rollout", now, id, made_from)
    if traffic.rolling:
        because = (f"a roll-out is in progress ({traffic.stage})",)
        because += tuple(dict.fromkeys(trial.because for trial in signals.trials if trial.says == "not enough evidence"))
        because += tuple(f"{STANDS}{one}" for one in frozen)
        because += (f"it stays at {100 * traffic.share:.4g} %, as was set by hand ({traffic.by_hand})",) if traffic.by_hand else ()
        return _decision(model, "hold", because, "outage" if late else "data" if frozen else memory.cause, now, id, made_from)
    return _retrain_or_hold(model, signals, memory, now=now, id=id, made_from=made_from)


def _harm(model: Model, traffic: Traffic, signals: Signals, memory: Memory) -> tuple[Signal, ...]:
    """What takes the way back: what the user fears, the guardrails, and a drop that began when this version took over."""
    testing = traffic.stage in ("shadow", "canary")
    # While a candidate is tested, a slip is the champion's own, and taking the candidate back would not help it.
    feared = _said(tuple(c for c in model.roll_back_when if not (testing and isinstance(c, slipped)))) | {GUARDRAIL}
    harm = tuple(s for s in signals.signals if s.fired and s.clause in feared)
    if harm or testing or memory.promoted_at is None or traffic.previous is None or _unsound(signals, memory):
        return harm
    # The version before goes on answering in shadow: if it is no better on the same questions, it is the world that changed.
    exculpated = any(s.kind == "worse" and s.outcome == "failed" for s in signals.signals)
    at = memory.promoted_at
    drops = (
        s for s in signals.fired("slip") if s.since is not None and abs(s.since - at) <= SOON and s.clause in _said(model.retrain_when)
    )
    return () if exculpated or signals.until - at > model.matures_after * 2 + SOON else tuple(drops)


def _harming(traffic: Traffic, harm: tuple[Signal, ...]) -> tuple[str, ...]:
    """Which of several candidates do harm; none where all do, or only one is there, or it cannot be told whose it is: then all go back."""
    about = {signal.about for signal in harm}
    some = traffic.arms and about < set(traffic.candidates)
    return tuple(version for version in traffic.candidates if version in about) if some else ()


def unfit_rows(model: Model, signals: Signals) -> tuple[Signal, ...]:
    """What the newest rows break of what their sources say they must be; not how many came, which can only be guessed at."""
    must = _said(tuple(c for source in model.sources for c in source.must if not isinstance(c, usual_volume)))
    return tuple(s for s in signals.fired("data") if s.clause in must)


def _retrain_or_hold(model: Model, signals: Signals, memory: Memory, *, now: datetime, id: str, made_from: tuple[str, ...]) -> Decision:
    said, frozen, broken = _said(model.retrain_when), _sentences(signals.fired("outage")), _sentences(signals.fired("data"))
    wishes = tuple(s for s in signals.signals if s.fired and s.clause in said and not (frozen and s.kind in BY_TRUTH))
    if memory.nothing is not None:
        return _decision(model, "hold", (memory.nothing,), memory.cause, now, id, made_from)
    if memory.cause == WATCH:
        seen = (*_sentences(wishes), *frozen, *broken) or ("nothing fired",)
        return _decision(model, "hold", (*seen, BY_ITS_STEPS), memory.cause, now, id, made_from)
    if memory.cause in ("demand", "approved"):
        asked = _sentences(wishes) or ("somebody asked for it",)
        return _decision(model, "retrain", asked, memory.cause, now, id, made_from, learn_from=_since(wishes))
    if not memory.ever_learnt and not wishes and not memory.truths:
        none = ("no truth is mature yet, so there is nothing to learn from",)
        return _decision(model, "hold", none, memory.cause, now, id, made_from)
    if signals.overdue:
        until = "nothing is learnt by itself before they have come"
        return _decision(model, "hold", (*_sentences(wishes), *broken, *(signals.overdue or ()), until), "outage", now, id, made_from)
    if broken:
        return _decision(model, "hold", (*_sentences(wishes), *broken, "nothing is learnt from such data"), "data", now, id, made_from)
    if (excuse := _excuse(signals, memory)) and wishes:
        sound = tuple(s for s in wishes if s.kind not in BY_ANSWERS)
        if not sound:
            return _decision(model, "hold", (*_sentences(wishes), excuse[1]), excuse[0], now, id, made_from)
        wishes = sound
    because: tuple[str, ...]
    cause: str
    if wishes:
        because, cause = _sentences(wishes), wishes[0].kind
    elif not memory.ever_learnt:
        because, cause = ("no candidate has passed yet" if memory.last_trained_at else "nothing has been learnt yet",), "first"
    else:
        return _only_told(model, signals, memory, frozen, now=now, id=id, made_from=made_from)
    if why := forbidden(model, memory, signals.fresh, now=now):
        return _decision(model, "hold", (*because, why), cause, now, id, made_from)
    if memory.ever_learnt:
        return _with_leave(model, "retrain", "retrain", wishes, memory, now=now, id=id, made_from=made_from)
    # The first training changes nothing for anybody; only taking over needs leave.
    return _decision(model, "retrain", because, cause, now, id, made_from, learn_from=_since(wishes))


def _only_told(
    model: Model, signals: Signals, memory: Memory, frozen: tuple[str, ...], *, now: datetime, id: str, made_from: tuple[str, ...]
) -> Decision:
    """Nothing is wished for: what a person is told, and why nothing is done about it."""
    if frozen:
        because = (*frozen, "until truths come again nothing that rests on them is decided")
        return _decision(model, "hold", because, "outage", now, id, made_from)
    if seasons := signals.fired("season"):
        return _decision(model, "hold", (*_sentences(seasons), "it is noted"), "season", now, id, made_from)
    drift = tuple(s for s in signals.fired("drift") if s.clause in _said(model.tell_when))
    if drift:
        kept = next((s.sentence for s in signals.signals if s.kind == "slip" and s.outcome == "failed"), None)
        flat = f"the truth shows no loss ({kept})" if kept else "whether it costs anything, truths have yet to tell"
        because = (*_sentences(drift), f"a person is told; nothing is learnt to take over, for {flat}")
        return _with_evidence(model, signals, memory, because, now=now, id=id, made_from=made_from)
    if told := signals.fired("volume"):
        return _decision(model, "hold", (*_sentences(told), "a person is told"), "volume", now, id, made_from)
    if memory.drift_told_at is not None and now >= rehearsal_at(model, memory.drift_told_at):
        # What was out of the ordinary for a fortnight is a habit, and drifts no more; what it costs is still to be found out.
        because = (f"drift was told since {memory.drift_told_at:%Y-%m-%d %H:%M} UTC",)
        return _with_evidence(model, signals, memory, because, now=now, id=id, made_from=made_from)
    return _decision(model, "hold", ("nothing fired",), memory.cause, now, id, made_from)


def rehearsal_at(model: Model, told_at: datetime) -> datetime:
    """When there is a week of mature truths after drift was told, so that a candidate that knows of it can be learnt and compared."""
    return told_at + model.matures_after + A_WEEK


def _with_evidence(
    model: Model, signals: Signals, memory: Memory, because: tuple[str, ...], *, now: datetime, id: str, made_from: tuple[str, ...]
) -> Decision:
    """Drift that was told: a rehearsal where it is due and has not been, when one is due otherwise."""
    told_at = memory.drift_told_at or now
    if memory.rehearsed_at is not None and memory.rehearsed_at >= told_at:
        said = f"a candidate learnt on {memory.rehearsed_at:%Y-%m-%d} was held beside the champion since: {memory.evidence or 'no verdict'}"
    elif now < (at := rehearsal_at(model, told_at)):
        said = f"a candidate is held beside the champion as evidence from {at:%Y-%m-%d %H:%M} UTC on"
    elif why := forbidden(model, memory, signals.fresh, now=now):
        said = f"a candidate would be held beside the champion as evidence, but {why}"
    else:
        said = "a candidate is learnt and held beside the champion, as evidence; it takes over only if a person says so"
        return _decision(model, "rehearse", (*because, said), "drift", now, id, made_from)
    return _decision(model, "hold", (*because, said), "drift", now, id, made_from)


def _unsound(signals: Signals, memory: Memory) -> bool:
    """Whether the data is broken, or was so lately."""
    return bool(signals.fired("data")) or memory.broken_at is not None


def _excuse(signals: Signals, memory: Memory) -> tuple[str, str] | None:
    """What explains a slip or a drift of answers given lately, as a cause and a sentence: broken data, or a season, even one just over."""
    if memory.broken_at is not None:
        at = f"{memory.broken_at:%Y-%m-%d %H:%M} UTC"
        return "data", f"the data was broken until {at}, and truths of answers given then are not over"
    if seasons := signals.fired("season"):
        return "season", f"{seasons[0].sentence}; nothing is learnt from a season that passes"
    if memory.season_at is not None:
        return "season", f"the season was out of the ordinary until {memory.season_at:%Y-%m-%d}, as a year ago, and passes"
    return None


def permit(model: Model, verdict: Verdict, *, now: datetime, id: str, rehearsed: bool = False, held: str | None = None) -> Decision:
    """May a candidate with this verdict take over: promote, ask a person, or hold with the reason. One that was only rehearsed never does
    without a person's yes, and none while a person has ``held`` the model, whoever lets it in.
    """
    made_from, cause = (verdict.id,), "verdict"
    if not verdict.passed:
        return _decision(model, "hold", (f"the verdict is: {verdict.outcome}",), cause, now, id, made_from)
    if held:
        return _decision(model, "hold", (f"the verdict is: {verdict.outcome}", f"it is held ({held})"), HELD, now, id, made_from)
    because = (f"{verdict.by} let it in: {verdict.reason}" if verdict.by else "it passed the gate",)
    level = model.autonomy["promote"]
    if rehearsed and level == "act":
        level, because = "suggest", (f"{because[0]}; it was learnt as evidence of what drift costs",)
    if level == "act" or verdict.by:
        return _decision(model, "promote", because, cause, now, id, made_from)
    if level == "observe":
        return _decision(model, "hold", (*because, "it only observes"), cause, now, id, made_from)
    return _decision(model, "ask", because, cause, now, id, made_from, asks="promote")


def _with_leave(
    model: Model,
    about: str,
    action: Action,
    signals: tuple[Signal, ...],
    memory: Memory,
    *,
    now: datetime,
    id: str,
    made_from: tuple[str, ...],
) -> Decision:
    """The action itself where the model may act, a question where a person approves, hold where it only observes."""
    reasons, cause = _sentences(signals), signals[0].kind
    level = model.autonomy[about]
    if level == "act":
        return _decision(model, action, reasons, cause, now, id, made_from, learn_from=_since(signals))
    if level == "observe":
        return _decision(model, "hold", (*reasons, "it only observes"), cause, now, id, made_from)
    if action in memory.waiting:
        return _decision(model, "hold", (*reasons, "the question about it is still open"), cause, now, id, made_from)
    return _decision(model, "ask", reasons, cause, now, id, made_from, learn_from=_since(signals), asks=action)


def _decision(
    model: Model,
    action: Action,
    because: tuple[str, ...],
    cause: str,
    now: datetime,
    id: str,
    made_from: tuple[str, ...],
    learn_from: datetime | None = None,
    asks: Action | None = None,
) -> Decision:
    return Decision(
        id=id,
        made_at=now,
        made_from=made_from,
        model=model.name,
        action=action,
        because=because,
        cause=cause,
        asks=asks,
        learn_from=learn_from,
    )


def _since(signals: tuple[Signal, ...]) -> datetime | None:
    """The newest change point any of the signals can name: what lies before it is another world."""
    return max((s.since for s in signals if s.since is not None and s.kind in ("drift", "slip")), default=None)


def _said(conditions: tuple[object, ...]) -> frozenset[str]:
    return frozenset(repr(c) for c in conditions)


def _sentences(signals: tuple[Signal, ...]) -> tuple[str, ...]:
    return tuple(s.sentence for s in signals)
