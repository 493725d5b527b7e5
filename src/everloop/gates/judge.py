"""Judging: may the candidate take the champion's place? In: a contest, its paired answers, the conditions. Out: a Verdict.

Reads no clock, touches no disk, loads no model; the same contest, conditions and seed always give the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from everloop.errors import EverloopError
from everloop.gates.beside import beside
from everloop.gates.better import against_champion
from everloop.gates.fair import fair
from everloop.gates.fast import within
from everloop.gates.floors import bound
from everloop.gates.suspicious import suspicions
from everloop.project.conditions import (
    PromoteCondition,
    answers_within,
    as_good_as_champion,
    at_least,
    at_most,
    beats_champion,
    fair_across,
)
from everloop.project.model import Model
from everloop.records import Contest, Opinion, Outcome, Verdict
from everloop.stats.shapes import Paired


def judge(
    contest: Contest, paired: Paired | None, conditions: Sequence[PromoteCondition], model: Model, *, now: datetime, id: str, seed: int = 0
) -> Verdict:
    """One opinion for each condition, in the order in which they were said, and the verdict they add up to.

    *failed* if any failed, else *not enough evidence* if any lacks it, else *passed*; without a condition a candidate passes, for nothing
    was asked. Where something was, what makes a candidate suspect (``suspicious``) is a failed opinion more. A contest without
    questions (``paired`` None or empty) is not enough evidence for whatever is worked out from answers, with the contest's own reason;
    timings are judged all the same. ``paired`` are the answers of ``contest.body``.
    """
    opinions = tuple(_opinion(c, contest, paired, model, seed) for c in conditions)
    opinions += tuple(suspicions(contest, paired, model)) if opinions else ()
    return Verdict(
        id=id,
        made_at=now,
        made_from=(contest.id,),
        model=contest.model,
        candidate=contest.candidate,
        champion=contest.champion,
        opinions=opinions,
        outcome=together(opinions),
        beside=() if paired is None or not len(paired) else beside(paired, conditions, model, seed=seed),
    )


def together(opinions: Sequence[Opinion]) -> Outcome:
    """What several opinions add up to.

    >>> lacking = Opinion(clause="a", outcome="not enough evidence", sentence="")
    >>> together([lacking, Opinion(clause="b", outcome="passed", sentence="")]), together([])
    ('not enough evidence', 'passed')
    """
    said = {opinion.outcome for opinion in opinions}
    return "failed" if "failed" in said else "not enough evidence" if "not enough evidence" in said else "passed"


def override(verdict: Verdict, *, by: str, reason: str, now: datetime, id: str) -> Verdict:
    """The same verdict, passed on a person's word; the opinions stay what they were, and its parent is the verdict overridden.

    Raises EverloopError without a name or without a reason.
    """
    if not by.strip() or not reason.strip():
        lacks = "a name (by=)" if not by.strip() else "a reason"
        raise EverloopError(f"The verdict on {verdict.candidate} cannot be overridden without {lacks}; both go into the journal.")
    return replace(
        verdict, id=id, made_at=now, made_from=(verdict.id,), outcome="passed", by=by.strip(), reason=reason.strip()
    )  # fmt: skip


def _opinion(condition: PromoteCondition, contest: Contest, paired: Paired | None, model: Model, seed: int) -> Opinion:
    if isinstance(condition, answers_within):
        return within(condition, contest.milliseconds, read=contest.features_read)
    on = condition.what if isinstance(condition, at_least | at_most) else condition.on
    if paired is None or not len(paired):
        why = contest.why_empty or "the contest has no questions"
        return Opinion(
            clause=repr(condition), outcome="not enough evidence", sentence=f"Nothing could be compared: {why}",
            measure=on if isinstance(on, str) else None,
        )  # fmt: skip
    match condition:
        case beats_champion() | as_good_as_champion():
            return against_champion(condition, paired, model, seed=seed, contest=contest.number)
        case at_least() | at_most():
            return bound(condition, paired, contest.milliseconds, model, seed=seed)
        case fair_across():
            return fair(condition, paired, model, seed=seed)
    raise EverloopError(f"{model.name}: {condition!r} cannot be judged before traffic. Move it out of promote_when.")
