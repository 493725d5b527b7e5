"""Signals become one decision. Pure: no clock, no disk; what must be remembered comes in as ``Memory``.

The order is the law of the house: harm first, then a roll-out in progress, then wishes to retrain; and a person's absence of a yes
always wins over a wish.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from everloop.project.model import Model
from everloop.records import Action, Decision, Signal, Signals, Traffic, Verdict

GUARDRAIL = "guardrails"  # the clause of a candidate that fails, is slow or odd beside the champion; nobody has to ask for it
WISHES = ("drift", "slip", "truths", "schedule", "outage")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What happened before, as far as it bears on this decision."""

    cause: str = "schedule"
    last_trained_at: datetime | None = None
    ever_learnt: bool = False  # a learned version has been champion
    truths: int = 0  # mature truths there are to learn from
    waiting: str | None = None  # id of a decision a person has not answered yet
    spent: timedelta = timedelta(0)  # hours of training in the last 7 days
    plan: Literal["advance", "promote", "finish"] | None = None  # what the roll-out plan says is due


def decide(model: Model, traffic: Traffic, signals: Signals, memory: Memory, *, now: datetime, id: str) -> Decision:
    """The one thing to do about a model now, with its reasons, ready to be read aloud.

    Harm that is proven takes the way back; a roll-out that is due goes on; otherwise the first wish to retrain that neither the
    budget, nor the cooldown (as long as a truth takes to mature), nor an unanswered question forbids.
    """
    feared = (*_said(model.roll_back_when), GUARDRAIL)
    harm = tuple(s for s in signals.signals if s.fired and s.clause in feared)
    if harm and (traffic.rolling or traffic.previous):
        return _with_leave(model, "roll_back", "undo", harm, memory, now=now, id=id, made_from=(traffic.id, signals.id))
    if traffic.rolling and memory.plan:
        action: Action = "promote" if memory.plan == "promote" else "advance"
        return _decision(model, action, ("the roll-out's next step is due",), "rollout", now, id, (traffic.id, signals.id))
    if traffic.rolling:
        trial = signals.trial
        because: tuple[str, ...] = (f"a roll-out is in progress ({traffic.stage})",)
        because += (trial.because,) if trial is not None and trial.says == "not enough evidence" else ()
        return _decision(model, "hold", because, memory.cause, now, id, (traffic.id, signals.id))
    return _retrain_or_hold(model, signals, memory, now=now, id=id, made_from=(traffic.id, signals.id))


def _retrain_or_hold(model: Model, signals: Signals, memory: Memory, *, now: datetime, id: str, made_from: tuple[str, ...]) -> Decision:
    said = _said(model.retrain_when)
    wishes = tuple(s for s in signals.signals if s.fired and s.kind in WISHES and s.clause in said)
    if memory.cause in ("demand", "approved"):
        asked = tuple(s.sentence for s in wishes) or ("somebody asked for it",)
        return _decision(model, "retrain", asked, memory.cause, now, id, made_from, learn_from=_since(wishes))
    because: tuple[str, ...]
    if not memory.ever_learnt and not wishes:
        if not memory.truths:
            return _decision(
                model, "hold", ("no truth is mature yet, so there is nothing to learn from",), memory.cause, now, id, made_from
            )
        because, cause = ("no candidate has passed yet" if memory.last_trained_at else "nothing has been learnt yet",), "first"
    elif wishes:
        because, cause = tuple(s.sentence for s in wishes), wishes[0].kind
    else:
        return _decision(model, "hold", ("nothing fired",), memory.cause, now, id, made_from)
    if forbidden := _forbidden(model, memory, now):
        return _decision(model, "hold", (*because, forbidden), cause, now, id, made_from)
    if memory.ever_learnt:
        return _with_leave(model, "retrain", "retrain", wishes, memory, now=now, id=id, made_from=made_from)
    # The first training changes nothing for anybody; only taking over needs leave.
    return _decision(model, "retrain", because, cause, now, id, made_from, learn_from=_since(wishes))


def permit(model: Model, verdict: Verdict, *, now: datetime, id: str) -> Decision:
    """May a candidate with this verdict take over: promote, ask a person, or hold with the reason."""
    made_from, cause = (verdict.id,), "verdict"
    if not verdict.passed:
        return _decision(model, "hold", (f"the verdict is: {verdict.outcome}",), cause, now, id, made_from)
    because = (f"{verdict.by} let it in: {verdict.reason}" if verdict.by else "it passed the gate",)
    level = model.autonomy["promote"]
    if level == "act" or verdict.by:
        return _decision(model, "promote", because, cause, now, id, made_from)
    if level == "observe":
        return _decision(model, "hold", (*because, "it only observes"), cause, now, id, made_from)
    return _decision(model, "ask", because, cause, now, id, made_from, asks="promote")


def _forbidden(model: Model, memory: Memory, now: datetime) -> str | None:
    """Why a wish to retrain has to wait, as a clause; None if it need not."""
    if model.autonomy["retrain"] == "observe":
        return "it only observes"
    if memory.waiting:
        return f"a question is waiting for an answer (everloop approve {model.name})"
    cooldown = max(model.matures_after, timedelta(hours=1))
    if memory.last_trained_at is not None and now - memory.last_trained_at < cooldown:
        return f"it was trained at {memory.last_trained_at:%Y-%m-%d %H:%M} UTC, and a truth takes longer than that"
    if model.budget is not None and memory.spent >= model.budget:
        return "the training budget of 7 days is spent"
    return None


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
    reasons, cause = tuple(s.sentence for s in signals), signals[0].kind
    level = model.autonomy[about]
    if level == "act":
        return _decision(model, action, reasons, cause, now, id, made_from, learn_from=_since(signals))
    if level == "observe":
        return _decision(model, "hold", (*reasons, "it only observes"), cause, now, id, made_from)
    if memory.waiting:
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
