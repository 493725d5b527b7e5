"""Whatever ``on=`` may say, as the arithmetic that measures it; loaded by those who work it out, never by who declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from everloop.errors import EverloopError
from everloop.project.conditions import as_good_as_champion, beats_champion, cost
from everloop.project.metrics import name_of
from everloop.project.reading import is_reading
from everloop.stats.measures import Measure, Truth, measure
from everloop.stats.money import in_money
from everloop.stats.shapes import Answers
from everloop.stats.whole import Whole

if TYPE_CHECKING:
    from everloop.project.model import Model


def measure_of(on: object, model: Model) -> Measure:
    """The measure a condition speaks of: a name, money, a function of the user's; where nothing is said the model's own."""
    name = name_of(on, model.metric)
    if isinstance(on, cost):
        return in_money(name, _price(on.missed), _price(on.false_alarm))
    if callable(on):
        return Whole.of(name, (model.kind,), partial(_worth, on))
    return measure(name)


def measure_of_contest(conditions: Iterable[object], model: Model) -> Measure:
    """The measure a candidate has to beat the champion by, or be as good by; where none is said, the model's own."""
    wanted = [c.on for c in conditions if isinstance(c, beats_champion | as_good_as_champion)]
    return measure_of(next((on for on in wanted if on is not None), None), model)


def _price(side: object) -> float | str:
    return str(side.name) if is_reading(side) else float(side)  # type: ignore[attr-defined,arg-type]


def _worth(value_of: Callable[..., Any], truth: Truth, answers: Answers) -> float:
    """What the user's function says of truths, answers and rows. Raises EverloopError where it raises, or says what is no number."""
    said = answers.items if answers.items is not None else answers.values if answers.values is not None else answers.value
    called = getattr(value_of, "__name__", "the function")
    try:
        worth = value_of(truth, said, dict(answers.beside))
        return float(np.asarray(worth, dtype=np.float64).reshape(()))
    except Exception as error:
        raise EverloopError(
            f"{called}(truth, answers, rows) raised {type(error).__name__} on {len(truth):,} questions: {error}. It is given arrays of "
            "that length, and returns one number; more is better."
        ) from error


def beside_of(model: Model) -> tuple[str, ...]:
    """The features that have to stand beside answers so that they can be measured: all, where a function of the user's measures."""
    return model.columns if model.functions else ()
