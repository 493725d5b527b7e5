"""Is the worst-off group served well enough beside the best-off? In: answers and groups. Out: an Opinion. No clock, no disk."""

from __future__ import annotations

from everloop.gates.enough import questions_needed, said_needed
from everloop.project.conditions import fair_across
from everloop.project.model import Model
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Opinion, Outcome
from everloop.stats.fairness import LEAST, Fairness, across
from everloop.stats.measures import measure
from everloop.stats.rounded import figure, percent, span_of
from everloop.stats.shapes import Paired


def fair(condition: fair_across, paired: Paired, model: Model, *, seed: int) -> Opinion:
    """Whether the worst-off group is proven to get ``ratio`` of what the best-off gets, of yeses or of a metric, at 95 % confidence.

    Groups with fewer than 50 questions or 10 units are named and left out; with fewer than two large groups there is not enough evidence.
    """
    name = condition.reading.name
    groups = paired.groups.get(name)
    if groups is None:
        sentence = f"The contest does not say which {name} each question belongs to"
        return Opinion(clause=repr(condition), outcome="not enough evidence", sentence=sentence)
    by = None if condition.on is None else measure(condition.on)
    found = across(groups, paired.units, paired.truth, paired.candidate, by, seed=seed)
    outcome, needed = outcome_of(condition, found), None
    if outcome == "not enough evidence" and found.ratio is not None:
        needed = questions_needed(found.rows, found.low, found.high, found.ratio - condition.ratio, confidence=0.95)
    return Opinion(
        clause=repr(condition), outcome=outcome, sentence=sentence_of(condition, found, name) + said_needed(needed, found.rows),
        candidate=found.ratio, low=found.low, high=found.high, rows=found.rows,
        confidence=None if found.low is None else 0.95, needed=needed,
    )  # fmt: skip


def outcome_of(condition: fair_across, found: Fairness) -> Outcome:
    """Passed if the lower bound of the worst group's share reaches the ratio, failed if the upper bound does not."""
    if found.low is None or found.high is None:
        return "not enough evidence"
    return "passed" if found.low >= condition.ratio else "failed" if found.high < condition.ratio else "not enough evidence"


def sentence_of(condition: fair_across, found: Fairness, name: str) -> str:
    """The finding in one sentence, with the groups that were left out by name."""
    small = f"; left out, being fewer than {LEAST} questions or 10 units: {', '.join(found.small[:10])}" if found.small else ""
    if found.ratio is None:
        return f"There are fewer than two groups by {name} large enough to compare{small}"
    what = "is told yes" if condition.on is None else f"is served by {spoken_metric(condition.on)}"
    (best, top), (worst, bottom) = found.values[0], found.values[-1]
    sentence = f"{worst} {what} {percent(found.ratio)} as {'often' if condition.on is None else 'well'} as {best}"
    sentence += f" ({figure(bottom)} against {figure(top)})"
    if found.low is not None:
        sentence += f": {span_of(found.low, found.high)} with 95 % confidence, {percent(condition.ratio)} asked"
    return sentence + small
