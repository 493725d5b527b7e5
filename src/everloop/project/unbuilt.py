"""Words that can be declared and explained, but whose engine is not here yet: one sentence each, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from everloop.errors import NotBuilt
from everloop.project.conditions import cost, only_new
from everloop.project.learner import grows, is_function
from everloop.project.reading import is_reading
from everloop.project.resolve import all_readings

if TYPE_CHECKING:
    from everloop.project.model import Model
    from everloop.project.reading import Reading


def not_yet(model: Model) -> tuple[str, ...]:
    """A sentence for each word whose engine is missing; none: the model can turn."""
    return tuple(dict.fromkeys(_sentences(model)))


def require_built(model: Model) -> None:
    """Raise NotBuilt if the model says a word whose engine is missing."""
    missing = not_yet(model)
    if missing:
        raise NotBuilt(model.name, missing)


def _sentences(model: Model) -> Iterator[str]:
    readings = list(all_readings(model))
    if any(r.each is not None and not _in_step(model, r) for r in readings):
        yield "each= waits for readings in other steps than those that are predicted"
    if model.one_per is not None:
        yield "one_per= waits for the registry to keep several champions of one model"
    if is_function(model.baseline):
        yield "baseline= of a function waits for who would call it; an object with predict answers at once"
    if isinstance(model.learns_from, only_new):
        kind = type(model.learner).__name__
        # XGBoost wants a row of every class each time, and what is new seldom has one.
        of_classes = model.kind == "shares" and kind == "XGBClassifier"
        if of_classes or not _learns_on(model.learner):
            kind += " with classes" if of_classes else ""
            yield f"learns_from=only_new() waits for a learner that can go on (partial_fit, or boosted trees), as {kind} cannot"
    yield from _clauses(model)


def _in_step(model: Model, reading: Reading) -> bool:
    """Whether a reading is cut as what is predicted is: into the same steps, or, where an answer has one, into one."""
    if model.steps > 1:
        return reading.each == model.each
    return reading.each in (reading.next, reading.last)


def _clauses(model: Model) -> Iterator[str]:
    wins = [win for step in model.roll_out for win in getattr(step, "wins_when", ())]
    for clause in (*model.roll_back_when, *model.retrain_when, *model.tell_when, *wins):
        on = getattr(clause, "on", None)
        if isinstance(on, cost) and (is_reading(on.missed) or is_reading(on.false_alarm)):
            yield "cost(…) of a reading waits for what stood beside answers that were given; promote_when knows it"


def _learns_on(learner: object) -> bool:
    if isinstance(learner, Mapping):
        return all(map(_learns_on, learner.values()))
    return is_function(learner) or callable(getattr(learner, "partial_fit", None)) or grows(learner)
