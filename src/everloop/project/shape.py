"""What an answer looks like, when its truth is mature, and who answers until something better is proven. From the words alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from everloop.project.conditions import outcome, quantiles, worse_than_champion, yes_above
from everloop.project.reading import AnyReading, Arithmetic, Reading, leaves
from everloop.project.resolve import readings_in
from everloop.project.source import Source
from everloop.project.steps import ab
from everloop.records import Kind, Shape

if TYPE_CHECKING:
    from everloop.project.model import Model

MOST = 10  # how long a list is where most= is not said


def kind_of(model: Model) -> Kind:
    """Which of the four shapes an answer has; class shares and chances are told apart by the truth's column."""
    if isinstance(model.learner, Mapping) or isinstance(model.answers, quantiles):
        return "quantiles"
    predicted = model.predicts
    if isinstance(predicted, Reading):
        if predicted.kind == "list":
            return "ranking"
        if predicted.kind == "yes or no":
            return "chance"
        if predicted.kind == "category":
            return "shares"
    return "number"


def shape_of(model: Model) -> Shape:
    """The shape of every answer. Labels of class shares are known once trained."""
    kind = kind_of(model)
    steps = steps_of(model.predicts)
    if kind == "quantiles":
        levels = model.answers.levels if isinstance(model.answers, quantiles) else tuple(sorted(model.learner))  # type: ignore[call-overload]
        return Shape(kind=kind, levels=tuple(levels), steps=steps)
    if kind == "ranking":
        most = model.predicts.most if isinstance(model.predicts, Reading) else None
        return Shape(kind=kind, most=MOST if most is None else most)
    if kind == "chance":
        above = model.answers.chance if isinstance(model.answers, yes_above) else None
        return Shape(kind=kind, labels=("no", "yes"), yes_above=above, steps=steps)
    return Shape(kind=kind, steps=steps)


def steps_of(predicted: AnyReading) -> int:
    """How many steps ahead one answer has: 1, or ``next`` divided by ``each``."""
    for reading in leaves(predicted):
        if reading.each is not None and reading.next is not None:
            return reading.next // reading.each
    return 1


def each_of(predicted: AnyReading) -> timedelta | None:
    """How long one step of an answer is; None where an answer has no steps."""
    if steps_of(predicted) == 1:
        return None
    return next(reading.each for reading in leaves(predicted) if reading.each is not None)


def ahead_of(reading: Reading) -> timedelta:
    """How long a reading takes to be known for good, late rows included."""
    return (reading.next or reading.within or timedelta(0)) + reading.source.late


def figure_known_after(on: outcome | AnyReading) -> timedelta:
    """How long after a unit was first answered a figure of what it then did is known for good."""
    return on.known_after if isinstance(on, outcome) else max(map(ahead_of, leaves(on)), default=timedelta(0))


def figures_known_after(model: Model) -> timedelta:
    """How long after the last unit of a split the last figure is known that can take a version back; no time where none can."""
    feared = [word.on for word in model.roll_back_when if isinstance(word, worse_than_champion)]
    hoped = [win.on for step in model.roll_out if isinstance(step, ab) for win in step.wins_when]
    return max((figure_known_after(on) for on in feared + hoped if isinstance(on, outcome | Reading | Arithmetic)), default=timedelta(0))


def bakes_for(model: Model) -> timedelta:
    """How long the way back stays open after the last step: until the first truth has matured, and what the last units of the split did."""
    return max(model.matures_after, figures_known_after(model))


def matures_after(model: Model) -> timedelta:
    """How long after the question its truth is mature: ``next`` (or ``within``) plus the largest ``late`` of the sources it reads.

    What can void a truth has to be known as well.
    """
    truth = leaves(model.predicts)
    ahead = max((r.next or r.within or timedelta(0) for r in truth), default=timedelta(0))
    late = max((r.source.late for r in truth), default=timedelta(0))
    voids = max((ahead_of(r) for r in readings_in(model.void_when) if r.looks_ahead), default=timedelta(0))
    return max(ahead + late, voids)


def baseline_reading(model: Model) -> object | None:
    """Who answers first: the reading "the past repeats itself"; None for the average truth; or the object the user gave."""
    if model.baseline is not None:
        return model.baseline
    if isinstance(model.per, Source):
        return None
    return turned_back(model.predicts)


def turned_back(reading: AnyReading) -> AnyReading | None:
    """What looks ahead, turned to look back as far; a list: what was had most so far. None where it cannot be turned."""
    if isinstance(reading, Reading):
        if reading.verb == "which":
            return replace(reading, next=None, last=None, most=reading.most or MOST)
        if reading.verb in ("outcome", "given", "planned"):
            return None
        return replace(reading, last=reading.next, next=None, label=None)
    if isinstance(reading, Arithmetic):
        left = reading.left if isinstance(reading.left, int | float) else turned_back(reading.left)
        right = reading.right if isinstance(reading.right, int | float) else turned_back(reading.right)
        return None if left is None or right is None else replace(reading, left=left, right=right, label=None)
    return None
