"""Words that can be declared and explained, but whose engine is not here yet: one sentence each, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from everloop.errors import NotBuilt
from everloop.project.conditions import cost, only_new
from everloop.project.learner import is_function
from everloop.project.reading import calendar
from everloop.project.resolve import all_readings

if TYPE_CHECKING:
    from everloop.project.model import Model


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
    if any(r.each is not None for r in readings):
        yield "each= waits for answers in steps"
    if any(isinstance(r, calendar) and "holiday" in r.parts for r in model.knows):
        yield 'calendar("holiday") waits for a list of holidays'
    if model.one_per is not None:
        yield "one_per= waits for the registry to keep several champions of one model"
    if model.tune is not None:
        yield "tune=search(…) waits for the tuner"
    if isinstance(model.learns_from, only_new) and not _learns_on(model.learner):
        yield f"learns_from=only_new() waits for a learner with partial_fit, which {type(model.learner).__name__} has not"
    yield from _clauses(model)


def _clauses(model: Model) -> Iterator[str]:
    for clause in (*model.promote_when, *model.roll_back_when, *model.retrain_when, *model.tell_when):
        if isinstance(getattr(clause, "on", None), cost):
            yield "cost(…) waits for metrics in money"


def _learns_on(learner: object) -> bool:
    if isinstance(learner, Mapping):
        return all(map(_learns_on, learner.values()))
    return is_function(learner) or callable(getattr(learner, "partial_fit", None))
