"""Does the candidate reach a floor, or stay below a ceiling, by itself? In: its answers. Out: an Opinion. No clock, no disk."""

from __future__ import annotations

from math import inf

from everloop.gates.enough import questions_needed, said_needed
from everloop.gates.fast import quantile_within
from everloop.project.conditions import at_least, at_most
from everloop.project.model import Model
from everloop.project.resolve import truth_span
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Opinion, Outcome
from everloop.stats.blocks import LEAST_BLOCKS, LEAST_ROWS
from everloop.stats.bootstrap import Estimate, estimate
from everloop.stats.intervals import wilson
from everloop.stats.known import unanswered
from everloop.stats.measures import measure
from everloop.stats.rounded import figure
from everloop.stats.shapes import Paired
from everloop.stats.unsaid import why_unsaid

CONFIDENCE = 0.95


def bound(condition: at_least | at_most, paired: Paired, milliseconds: tuple[float, ...], model: Model, *, seed: int) -> Opinion:
    """Whether a metric of the candidate is proven on the right side of a bound, at 95 % confidence.

    ``errors`` is the share of questions with a known truth it left unanswered (Wilson's interval), ``p99_ms`` is measured in the
    rehearsal (exact order statistics); every other metric has a block bootstrap.
    """
    name = str(condition.what)
    if name == "errors":
        silent, rows = unanswered(paired.truth, paired.candidate)
        low, high = wilson(silent, rows, CONFIDENCE)
        found = Estimate(silent / rows, low, high, rows) if rows else Estimate(None, None, None, 0)
    elif name == "p99_ms":
        value, least, most = quantile_within(milliseconds, 0.99)
        found = Estimate(value, least, most, len(milliseconds))
    else:
        found = estimate(
            measure(name), paired.truth, paired.candidate, paired.units, paired.moments, confidence=CONFIDENCE, seed=seed,
            span=truth_span(model),
        )  # fmt: skip
    outcome = side_of(condition, found)
    needed = None
    if outcome == "not enough evidence" and found.value is not None and name != "p99_ms":
        needed = questions_needed(found.rows, found.low, found.high, found.value - condition.value, confidence=CONFIDENCE)
    return Opinion(
        clause=repr(condition),
        outcome=outcome,
        sentence=_sentence(condition, name, found, paired) + said_needed(needed, found.rows),
        measure=name,
        candidate=found.value,
        low=found.low,
        high=found.high,
        rows=found.rows,
        confidence=None if found.low is None else CONFIDENCE,
        needed=needed,
    )


def side_of(condition: at_least | at_most, found: Estimate) -> Outcome:
    """On which side of the bound the whole interval lies.

    >>> side_of(at_least("auc", 0.8), Estimate(0.85, 0.82, 0.88, 1000)), side_of(at_most("wape", 0.4), Estimate(0.39, 0.37, 0.41, 1000))
    ('passed', 'not enough evidence')
    """
    low, high = (-inf if found.low is None else found.low), (inf if found.high is None else found.high)
    if isinstance(condition, at_least):
        return "passed" if low >= condition.value else "failed" if high < condition.value else "not enough evidence"
    return "passed" if high <= condition.value else "failed" if low > condition.value else "not enough evidence"


def _sentence(condition: at_least | at_most, name: str, found: Estimate, paired: Paired) -> str:
    spoken = spoken_metric(name)
    title = spoken[0].upper() + spoken[1:]
    if found.value is None:
        why = "" if name == "p99_ms" else f": {why_unsaid(paired.truth, paired.candidate)}"
        return f"{title} cannot be worked out on {found.rows:,} questions{why}"
    word = "at least" if isinstance(condition, at_least) else "at most"
    wanted = f"{word} {figure(condition.value)} asked"
    if found.low is None or found.high is None:
        few = f"nothing is proven with {found.rows:,} timings" if name == "p99_ms" else _few(found.rows)
        return f"{title} {figure(found.value)}, {wanted}; {few}"
    return f"{title} {figure(found.value)} ({figure(found.low)} … {figure(found.high)} with 95 % confidence), {wanted}"


def _few(rows: int) -> str:
    return f"{rows:,} questions are too few: nothing is proven with fewer than {LEAST_ROWS} questions or {LEAST_BLOCKS} units"
