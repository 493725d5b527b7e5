"""What a verdict's figures say, in sentences. In: guards and trials whose numbers are worked out. Out: text; nothing is judged here."""

from __future__ import annotations

from everloop.records import Guard, Trial
from everloop.stats.rounded import figure, percent

LEAST_EFFECT = 0.05
"""The difference that people are told the length of a test for."""


def sentence(guard: Guard) -> str:
    """What a guard has seen, in figures; with between what the ratio of the two lies, for a bare one means little when one stops at will.

    >>> from everloop.records import Epoch
    >>> from everloop.rollout.verdict import within
    >>> counts = Epoch(generation=3, chance=0.5, candidate=50, champion=48, candidate_events=20, champion_events=1)
    >>> failing = within(Guard(name="errors", what="failures", role="harm", margin=1.5, epochs=(counts,), evidence=120.3))
    >>> sentence(failing).partition(" (evidence ")[0]
    'failures: 20 of 50 with the candidate, 1 of 48 with the champion: at least 1.87 times as many'
    """
    if guard.why_silent:
        return f"{guard.what}: {guard.why_silent}"
    if guard.proven is not None:
        return f"{guard.what}: {'proven' if guard.proven else 'not proven'} on the questions both answered"
    if guard.paired:
        if guard.effect is None:
            return f"{guard.what}: no truth of the questions both answered is mature yet"
        seen = f"{percent(abs(guard.effect or 0.0))} {'better' if (guard.effect or 0.0) >= 0 else 'worse'} on the questions both answered"
        return f"{guard.what}: {seen}{_always(guard)} (evidence {_odds(guard.evidence)}{_of_asked(guard)} for {_bet_paired(guard)})"
    n1, n0 = sum(e.candidate for e in guard.epochs), sum(e.champion for e in guard.epochs)
    waits = f"; {guard.waiting:,} units are waited for" if guard.waiting else ""
    waits += f"; {guard.late:,} came too late to count" if guard.late else ""
    if not n1 or not n0:
        return f"{guard.what}: nobody to compare yet{waits}"
    x1, x0 = sum(e.candidate_events for e in guard.epochs), sum(e.champion_events for e in guard.epochs)
    if guard.wealth:
        scale = guard.bound or 1.0
        seen = f"{figure(scale * x1 / n1)} a unit with the candidate ({n1:,} units), {figure(scale * x0 / n0)} with the champion ({n0:,})"
    else:
        seen = f"{x1:,.0f} of {n1:,} with the candidate, {x0:,.0f} of {n0:,} with the champion"
    told = f"(evidence {_odds(guard.evidence)}{_of_asked(guard)} for {_bet(guard)})"
    return f"{guard.what}: {seen}{_ratio(guard)} {told}{waits}{_longer(guard)}"


def mismatched(trial: Trial) -> str:
    """How the sizes of the arms are not what the split makes; of several candidates, of all of them.

    >>> from datetime import UTC, datetime
    >>> from everloop.records import Part
    >>> at, met = datetime(2026, 11, 2, tzinfo=UTC), Part(chances=(0.5, 0.25, 0.25), units=(500, 250, 100))
    >>> mismatched(Trial(candidate="b", champion="a", salt="s", began_at=at, until=at, parts=(met,), mismatch=1e9)).partition(" (")[0]
    'the arms met 500, 250, 100 units, the champion first, where the split makes about 425, 212, 212'
    """
    if trial.parts:
        arms = range(len(trial.parts[0].units))
        met = ", ".join(f"{sum(part.units[arm] for part in trial.parts):,}" for arm in arms)
        made = ", ".join(f"{sum(part.chances[arm] * sum(part.units) for part in trial.parts):,.0f}" for arm in arms)
        return (
            f"the arms met {met} units, the champion first, where the split makes about {made} "
            f"({_odds(trial.mismatch)} that units are lost): they cannot be held against each other until it is known why"
        )
    found = sum(e.candidate for e in trial.epochs)
    all_of_them = found + sum(e.champion for e in trial.epochs)
    due = sum(e.chance * (e.candidate + e.champion) for e in trial.epochs)
    return (
        f"{found:,} of {all_of_them:,} units compared are the candidate's, where the split makes about {due:,.0f} "
        f"({_odds(trial.mismatch)} that units are lost): the arms cannot be held against each other until it is known why"
    )


def which_test(trial: Trial) -> str:
    among = f"; it is one of {trial.among} candidates of the test" if trial.among > 1 else ""
    if not trial.test:
        return among
    before = trial.test - 1
    if not before:
        return f"{among}; it is the model's first test"
    return f"{among}; it is test {trial.test} of the model, and {trial.found} of the {before} before promoted"


def allows_less(guard: Guard) -> bool:
    """Whether a margin lets the candidate be worse by so much, so that being as good is enough to prove it."""
    return guard.margin < 1 if guard.more else guard.margin > 1


def _longer(guard: Guard) -> str:
    """How much longer it will take, at least."""
    if not guard.needed:
        return ""
    what = "that it is as good" if allows_less(guard) else f"a difference of {percent(LEAST_EFFECT)}"
    return f"; to tell {what} at this rate takes about {guard.needed:,} more units at least"


def _ratio(guard: Guard) -> str:
    """Between what the candidate's rate lies, in words."""
    if guard.low is None and guard.high is None:
        return ""
    as_many = "times as much" if guard.wealth else "times as many"
    if not guard.low and guard.high is None:
        return ": nothing can be said of the ratio yet"
    if guard.high is None:
        return f": at least {figure(guard.low)} {as_many}"
    return f": {figure(guard.low)} … {figure(guard.high)} {as_many}" if guard.low else f": at most {figure(guard.high)} {as_many}"


def _always(guard: Guard) -> str:
    """Between what the mean difference of losses lies, in words."""
    if guard.low is None or guard.high is None:
        return ""
    return f" (at every look, losses differ by {figure(guard.low)} … {figure(guard.high)} a unit and period)"


def _of_asked(guard: Guard) -> str:
    return f" of the {figure(1 / guard.level)} : 1 it takes" if guard.level is not None else ""


def _bet(guard: Guard) -> str:
    """What is bet on, as words."""
    times = "" if abs(guard.margin - 1) < 1e-9 else f" than {guard.margin:g} times as {'much' if guard.wealth else 'many'}"
    return f"{'more' if guard.more else 'less' if guard.wealth else 'fewer'}{times}"


def _bet_paired(guard: Guard) -> str:
    by = guard.margin - 1 if guard.more else 1 - guard.margin
    return f"at most {percent(-by)} worse" if by < 0 else f"more than {percent(by)} better" if by else "better"


def _odds(evidence: float) -> str:
    return f"{'over 1,000,000' if evidence > 1e6 else figure(evidence)} : 1"
