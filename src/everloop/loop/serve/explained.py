"""Why answers are what they are: told from what is remembered of each, by the version that gave it. In: answers. Out: reasons, or why not.

An answer remembers the features it was made from, as its version knew them; so nothing is read again, and nothing can have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from everloop.errors import EverloopError
from everloop.loop.serve.unusual import unusual
from everloop.project.model import Model
from everloop.records import Prediction
from everloop.serving.answered import private_columns
from everloop.serving.asks import Because
from everloop.training.because import because
from everloop.training.feed import Value
from everloop.training.predictor import Answering

TOP: Final = 5
"""Columns that are told; what the others add is told as one."""


def explained(model: Model, predictors: Mapping[str, Answering], given: Sequence[Prediction]) -> list[Because | str]:
    """For each answer the columns that moved it most, or in words why they cannot be told."""
    return [_one(model, predictors, answer) for answer in given]


def _one(model: Model, predictors: Mapping[str, Answering], answer: Prediction) -> Because | str:
    if model.steps > 1:
        return f"{model.name} answers in {model.steps} steps, each for its own reasons, and the reasons of one answer are told."
    predictor = predictors.get(answer.version)
    if answer.value is None or answer.error is not None or predictor is None:
        return "There is no answer to explain." if predictor is not None else "The version that answered is no longer loaded."
    private = private_columns(model) & frozenset(predictor.columns)
    if private:
        return f"{', '.join(sorted(private))} is private: of what it held only a hash is remembered, and a hash explains nothing."
    features = {name: value for name, value in answer.features if not isinstance(value, tuple)}
    try:
        return replace(reasons(predictor, features, answer.value), unusual=unusual(model, predictor, features))
    except EverloopError as error:
        return str(error)


def reasons(predictor: Answering, features: Mapping[str, Value], answered: float) -> Because:
    """The columns that moved an answer most, and what they held. Raises EverloopError, which says why, where that cannot be told."""
    told = because(predictor, features, answered)
    order = sorted(told.by_column, key=lambda name: -abs(told.by_column[name]))
    top = [name for name in order[:TOP] if told.by_column[name]]
    others = sum((told.by_column[name] for name in order if name not in top), 0.0)
    return Because(tuple((name, features.get(name), told.by_column[name]) for name in top), told.base, others, told.scale)
