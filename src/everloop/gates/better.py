"""Is the candidate proven better than the champion, or at least no worse? In: paired answers. Out: an Opinion. No clock, no disk."""

from __future__ import annotations

from datetime import timedelta

from everloop.project.conditions import as_good_as_champion, beats_champion
from everloop.project.model import Model
from everloop.project.reading import leaves
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Opinion, Outcome
from everloop.stats.blocks import LEAST_BLOCKS, LEAST_ROWS
from everloop.stats.bootstrap import Effect, compare
from everloop.stats.known import unanswered
from everloop.stats.measures import measure
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.shapes import Paired

MAY_LACK = 0.01  # a candidate may leave this share of questions unanswered, on top of what the champion does


def against_champion(condition: beats_champion | as_good_as_champion, paired: Paired, model: Model, *, seed: int) -> Opinion:
    """What a comparison with the champion says.

    *beats_champion*: passed if the lower bound of the effect is above ``by``, failed if the upper bound is at most ``by``.
    *as_good_as_champion*: passed if the lower bound is at least ``-margin``, failed if the upper bound is below it. Otherwise, and with
    fewer than 50 questions or 10 blocks, there is not enough evidence. A candidate that leaves more questions unanswered than the
    champion, by more than one in a hundred, has failed: it may be better only because it was silent where it is hard.
    """
    name = condition.on if isinstance(condition.on, str) else model.metric
    silent = _silent(paired)
    if silent is not None:
        return Opinion(clause=repr(condition), outcome="failed", sentence=silent, measure=name, rows=len(paired))
    found = compare(measure(name), paired, confidence=condition.confidence, seed=seed, span=truth_span(model))
    outcome = outcome_of(condition, found)
    return Opinion(
        clause=repr(condition),
        outcome=outcome,
        sentence=_sentence(condition, name, found, outcome),
        measure=name,
        champion=found.champion,
        candidate=found.candidate,
        effect=found.effect,
        low=found.low,
        high=found.high,
        rows=found.rows,
    )


def outcome_of(condition: beats_champion | as_good_as_champion, found: Effect) -> Outcome:
    """The outcome of an effect with its interval.

    >>> outcome_of(beats_champion(by=0.02), Effect(0.5, 0.4, 0.2, 0.15, 0.25, 900, 300))
    'passed'
    """
    if found.low is None or found.high is None:
        return "failed" if _worse_than_nothing(found) else "not enough evidence"
    if isinstance(condition, beats_champion):
        return "passed" if found.low > condition.by else "failed" if found.high <= condition.by else "not enough evidence"
    return "passed" if found.low >= -condition.margin else "failed" if found.high < -condition.margin else "not enough evidence"


def truth_span(model: Model) -> timedelta:
    """How far ahead a truth looks: questions closer than that share part of their truth. A question per row shares none with others."""
    if not isinstance(model.per, tuple):
        return timedelta(days=1)
    return max((r.next or r.within or timedelta(0) for r in leaves(model.predicts)), default=timedelta(0))


def _worse_than_nothing(found: Effect) -> bool:
    """The champion has no error at all on enough questions and the candidate has: no share of 0 can be worked out, and none is needed."""
    return found.champion == 0 and found.effect is None and found.candidate is not None and found.rows >= LEAST_ROWS


def _silent(paired: Paired) -> str | None:
    of_champion, rows = unanswered(paired.truth, paired.champion)
    of_candidate, _ = unanswered(paired.truth, paired.candidate)
    if rows and (of_candidate - of_champion) / rows > MAY_LACK:
        return (
            f"The candidate leaves {of_candidate:,} of {rows:,} questions with a known truth unanswered, the champion {of_champion:,}; "
            f"at most {percent(MAY_LACK)} more may be"
        )
    return None


def _sentence(condition: beats_champion | as_good_as_champion, name: str, found: Effect, outcome: Outcome) -> str:
    if found.candidate is None or found.champion is None:
        return f"{_title(name)} cannot be worked out on {found.rows:,} questions"
    asked = condition.by if isinstance(condition, beats_champion) else condition.margin
    wanted = f"{percent(asked)} asked" if isinstance(condition, beats_champion) else f"at most {percent(asked)} worse allowed"
    sentence = f"{_title(name)} {figure(found.candidate)} against {figure(found.champion)}"
    if found.effect is None:
        return f"{sentence}: the champion makes no error at all"
    way = "better" if found.effect >= 0 else "worse"
    sentence += f": {percent(abs(found.effect))} {way}"
    if found.low is None or found.high is None:
        return f"{sentence}, on {found.rows:,} questions; nothing is proven with fewer than {LEAST_ROWS} questions or {LEAST_BLOCKS} units"
    low, high = (found.low, found.high) if found.effect >= 0 else (-found.high, -found.low)
    return f"{sentence} ({span_of(low, high)} with {percent(condition.confidence)} confidence), {wanted}"


def _title(name: str) -> str:
    spoken = spoken_metric(name)
    return spoken[0].upper() + spoken[1:]
