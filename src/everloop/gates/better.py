"""Is the candidate proven better than the champion, or at least no worse? In: paired answers. Out: an Opinion. No clock, no disk."""

from __future__ import annotations

from math import ceil, log10

from everloop.gates.enough import FINDS, SPARE, questions_needed, said_needed
from everloop.project.conditions import as_good_as_champion, beats_champion
from everloop.project.measured import measure_of
from everloop.project.metrics import name_of
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Opinion, Outcome
from everloop.stats.blocks import LEAST_BLOCKS, LEAST_ROWS
from everloop.stats.bootstrap import Effect, compare
from everloop.stats.known import SAME_TO_ALL, says_one_thing, unanswered
from everloop.stats.multiple import share_of_contest
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.shapes import Paired
from everloop.stats.unsaid import why_unsaid

MAY_LACK = 0.01  # a candidate may leave this share of questions unanswered, on top of what the champion does


def against_champion(
    condition: beats_champion | as_good_as_champion, paired: Paired, model: Model, *, seed: int, contest: int = 1
) -> Opinion:
    """What a comparison with the champion says.

    *beats_champion*: passed if the lower bound of the effect is above ``by``, failed if the upper bound is at most ``by``.
    *as_good_as_champion*: passed if the lower bound is at least ``-margin``, failed if the upper bound is below it. Otherwise, with fewer
    than 50 questions or 10 blocks, and with fewer than it takes to find what ``finds`` says, there is not enough evidence. A candidate that
    leaves more questions unanswered than the champion, by more than one in a hundred, has failed: it may be better only because it was
    silent where it is hard. The ``contest``-th against the same champion has its part of what may go wrong (``confidence_of``).
    """
    name = name_of(condition.on, model.metric)
    silent = _silent(paired)
    if silent is not None:
        return Opinion(clause=repr(condition), outcome="failed", sentence=silent, measure=name, rows=len(paired))
    confidence = confidence_of(condition.confidence, contest)
    found = compare(measure_of(condition.on, model), paired, confidence=confidence, seed=seed, span=truth_span(model))
    outcome = outcome_of(condition, found, confidence=confidence)
    needed = _needed(condition, found, confidence) if outcome == "not enough evidence" else None
    sentence = _sentence(condition, name, found, outcome, confidence, contest, paired) + _of_constant(paired, found)
    return Opinion(
        clause=repr(condition),
        outcome=outcome,
        sentence=sentence + said_needed(needed, found.rows),
        measure=name,
        champion=found.champion,
        candidate=found.candidate,
        effect=found.effect,
        low=found.low,
        high=found.high,
        rows=found.rows,
        confidence=None if found.low is None else confidence,
        needed=needed,
    )


def confidence_of(asked: float, contest: int) -> float:
    """The two-sided confidence of a contest, so that of all contests with one champion, for ever, an equal candidate wins any with a chance
    of at most ``1 - asked``. The first has what was asked, whose one side is half of that.

    >>> [round(confidence_of(0.95, k), 4) for k in (1, 2, 3, 10)]
    [0.95, 0.9833, 0.9917, 0.9991]
    """
    return 1 - 2 * (1 - asked) * share_of_contest(contest)


def outcome_of(condition: beats_champion | as_good_as_champion, found: Effect, *, confidence: float = 0.95) -> Outcome:
    """The outcome of an effect with its interval.

    >>> outcome_of(beats_champion(by=0.02), Effect(0.5, 0.4, 0.2, 0.15, 0.25, 900, 300))
    'passed'
    """
    if found.low is None or found.high is None:
        return "failed" if _worse_than_nothing(found) else "not enough evidence"
    if isinstance(condition, beats_champion) and _too_few_to_find(condition, found, confidence):
        return "not enough evidence"
    if isinstance(condition, beats_champion):
        return "passed" if found.low > condition.by else "failed" if found.high <= condition.by else "not enough evidence"
    return "passed" if found.low >= -condition.margin else "failed" if found.high < -condition.margin else "not enough evidence"


def _too_few_to_find(condition: beats_champion, found: Effect, confidence: float) -> bool:
    if condition.finds is None:
        return False
    needed = questions_needed(found.rows, found.low, found.high, condition.finds - condition.by, confidence=confidence, power=FINDS)
    return needed is None or needed > found.rows


def _needed(condition: beats_champion | as_good_as_champion, found: Effect, confidence: float) -> int | None:
    """About how many questions would settle it; where ``finds`` is said, what it takes for that, else for the effect that was seen."""
    if found.effect is None:
        return None
    if isinstance(condition, beats_champion) and condition.finds is not None and _too_few_to_find(condition, found, confidence):
        apart = condition.finds - condition.by
        least = questions_needed(found.rows, found.low, found.high, apart, confidence=confidence, power=FINDS)
        return None if least is None else int(SPARE * least)
    apart = found.effect - (condition.by if isinstance(condition, beats_champion) else -condition.margin)
    return questions_needed(found.rows, found.low, found.high, apart, confidence=confidence)


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


def _sentence(
    condition: beats_champion | as_good_as_champion,
    name: str,
    found: Effect,
    outcome: Outcome,
    confidence: float,
    contest: int,
    paired: Paired,
) -> str:
    if found.candidate is None or found.champion is None:
        side = paired.candidate if found.candidate is None else paired.champion
        return f"{_title(name)} cannot be worked out on {found.rows:,} questions: {why_unsaid(paired.truth, side)}"
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
    again = f", as it takes in contest {contest} with this champion" if contest > 1 else ""
    sentence += f" ({span_of(low, high)} with {_sure(confidence)} confidence{again}), {wanted}"
    if isinstance(condition, beats_champion) and _too_few_to_find(condition, found, confidence):
        sentence += f"; {found.rows:,} questions are too few to find {percent(condition.finds or 0)} in nine contests of ten"
    return sentence


def _of_constant(paired: Paired, found: Effect) -> str:
    """What a share better than a champion is worth that tells nobody from anybody, as a baseline of yes and no that is an average."""
    if found.effect is None or found.effect <= 0 or not says_one_thing(paired.champion):
        return ""
    return f"; {SAME_TO_ALL}"


def _sure(confidence: float) -> str:
    """A confidence with as many digits as tell it from certainty: 95 %, 98.3 %, 99.91 %."""
    missed = 100 * (1 - confidence)
    digits = max(1, ceil(-log10(missed))) if missed > 0 else 1
    return f"{100 - missed:.{digits}f}".removesuffix(".0") + " %"


def _title(name: str) -> str:
    spoken = spoken_metric(name)
    return spoken[0].upper() + spoken[1:]
