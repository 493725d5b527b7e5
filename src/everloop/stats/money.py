"""A measure in money: what misses and false alarms cost, per question, in minor units. Arrays in, numbers out.

Where no ``yes_above`` is said, an answer says yes where a false alarm is expected to be cheaper than a miss: where the chance is above
``false_alarm / (false_alarm + missed)`` (Elkan 2001, "The foundations of cost-sensitive learning", theorem 1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from everloop.records import Kind
from everloop.stats.known import as_floats
from everloop.stats.measures import Measure, Truth
from everloop.stats.shapes import Answers, Floats

CHANCE: tuple[Kind, ...] = ("chance",)
_NUMBER = r"([-+0-9.e]+)"
_SAID = re.compile(rf"cost\(missed={_NUMBER}, false_alarm={_NUMBER}\)")


@dataclass(frozen=True)
class Prices:
    """What a miss and a false alarm cost: a number of minor units, or the name of what stands beside the answers (``Answers.beside``)."""

    missed: float | str
    false_alarm: float | str

    def terms(self, truth: Truth, answers: Answers, _: Floats) -> Floats:
        """The cost of each question, and one: (n, 2)."""
        yes = as_floats(truth) > 0.5
        missed, alarm = (_each(price, answers) for price in (self.missed, self.false_alarm))
        if answers.shape.yes_above is not None:
            above: Floats | float = answers.shape.yes_above
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                above = np.where(alarm + missed > 0, alarm / (alarm + missed), 0.5)
        says = answers.value > above
        return np.column_stack([np.where(yes & ~says, missed, np.where(~yes & says, alarm, 0.0)), np.ones(len(yes))])


def in_money(name: str, missed: float | str, false_alarm: float | str) -> Measure:
    """The measure of this name: the mean cost of a question, in minor units; less is better.

    >>> from everloop.records import Shape
    >>> answers = Answers(Shape(kind="chance", yes_above=0.5), np.array([0.9, 0.9, 0.1, 0.1]))
    >>> in_money("cost", 400, 100).value(np.array([1.0, 0.0, 1.0, 0.0]), answers)
    125.0
    """
    return Measure(name, CHANCE, "lower", Prices(missed, false_alarm).terms, _mean)


def said_in_money(name: str) -> Measure | None:
    """The measure that ``cost(missed=…, false_alarm=…)`` of two numbers names; None for any other name.

    >>> said_in_money("cost(missed=25000, false_alarm=1500)").better, said_in_money("auc")
    ('lower', None)
    """
    found = _SAID.fullmatch(name)
    return None if found is None else in_money(name, float(found[1]), float(found[2]))


def _each(price: float | str, answers: Answers) -> Floats:
    if isinstance(price, str):
        return np.asarray(answers.beside[price], dtype=np.float64)
    return np.full(len(answers), float(price))


def _mean(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(sums[..., 1] != 0, sums[..., 0] / sums[..., 1], np.nan))
