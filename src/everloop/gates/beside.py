"""How a candidate stands beside simple rules on the same questions. In: paired answers. Out: Opinions, which decide nothing.

A champion may have grown worse with its world, and then whoever beats it has proven little: these rules never grow worse. No clock, no
disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from everloop.project.conditions import PromoteCondition
from everloop.project.measured import measure_of_contest
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Opinion, Outcome
from everloop.stats.bootstrap import Effect, compare
from everloop.stats.measures import Measure
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.shapes import Paired
from everloop.stats.unsaid import why_unsaid

CONFIDENCE = 0.95


def beside(paired: Paired, conditions: Sequence[PromoteCondition], model: Model, *, seed: int) -> tuple[Opinion, ...]:
    """An opinion for each rule there is: *passed* where the candidate is proven better, *failed* where it is proven no better.

    On the measure that the champion is to be beaten on, at 95 % confidence, over the questions both answered.
    """
    by = measure_of_contest(conditions, model)
    return tuple(_opinion(rule, replace(paired, champion=said, rivals={}), by, model, seed) for rule, said in paired.rivals.items())


def outcome_of(found: Effect) -> Outcome:
    """What an effect with its interval says of better or not.

    >>> outcome_of(Effect(0.5, 0.4, 0.2, 0.15, 0.25, 900, 300)), outcome_of(Effect(0.5, 0.5, 0.0, -0.1, 0.1, 900, 300))
    ('passed', 'not enough evidence')
    """
    if found.low is None or found.high is None:
        return "not enough evidence"
    return "passed" if found.low > 0 else "failed" if found.high <= 0 else "not enough evidence"


def _opinion(rule: str, paired: Paired, by: Measure, model: Model, seed: int) -> Opinion:
    found = compare(by, paired, confidence=CONFIDENCE, seed=seed, span=truth_span(model))
    return Opinion(
        clause=f"beside {rule}", outcome=outcome_of(found), sentence=_sentence(rule, by.name, found, paired), measure=by.name,
        champion=found.champion, candidate=found.candidate, effect=found.effect, low=found.low, high=found.high, rows=found.rows,
    )  # fmt: skip


def _sentence(rule: str, name: str, found: Effect, paired: Paired) -> str:
    if found.champion is None or found.candidate is None or found.effect is None:
        sides = (paired.candidate, found.candidate), (paired.champion, found.champion)
        why = next((f": {why_unsaid(paired.truth, side)}" for side, value in sides if value is None), "")
        return f"{spoken_metric(name)} cannot be compared with {rule} on {found.rows:,} questions{why}"
    way = "better" if found.effect >= 0 else "worse"
    sentence = f"{percent(abs(found.effect))} {way} than {rule} ({spoken_metric(name)} {figure(found.champion)})"
    if found.low is None or found.high is None:
        return f"{sentence}, which proves nothing on {found.rows:,} questions"
    low, high = (found.low, found.high) if found.effect >= 0 else (-found.high, -found.low)
    return f"{sentence}, {span_of(low, high)}"
