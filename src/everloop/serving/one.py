"""One question, answered without a table: what ``answer`` says of a single row, at a tenth of its cost. In: a question. Out: rows.

The rows are those of ``answer``, field by field, for answers of one row each: numbers, chances, class shares, quantiles of one step. Loads
nothing; ``answered_at`` is an argument, latency is read from the monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import msgspec

from everloop.project.model import Model
from everloop.records import Shape, Traffic
from everloop.serving.answer import asked_in_turn, others, spoken_shape, why_none
from everloop.serving.answered import Row, answer_id, hashed, says
from everloop.spans import span

One: TypeAlias = Callable[[Sequence[Any]], tuple[float, Sequence[float]]]
"""What a version says of one row, its values in the order of the version's columns: a value, and the values where there are several."""
_encode = msgspec.json.Encoder().encode


class Question(NamedTuple):
    """A unit at a moment (µs UTC), its features by column (numbers, words or None), and how they were read: see ``answer.Read``."""

    unit: str
    moment: int
    features: Mapping[str, Any]
    as_of: str | None = None
    definition: str | None = None
    request: str | None = None


@dataclass(frozen=True)
class Able:
    """A version that can be asked about one row."""

    shape: Shape
    row: Callable[[Mapping[str, Any]], Sequence[Any]]
    one: One


def able(model: Model, shape: Shape, columns: Sequence[str], one: One) -> Able:
    """A version of a model that answers in this shape, reads these columns, and says ``one``.

    >>> from operator import attrgetter
    >>> Able(Shape(kind="number"), row_of(["b", "a"]), lambda row: (sum(row), ())).row({"a": 1, "b": 2})
    (2, 1)
    """
    return Able(spoken_shape(shape, model), row_of(columns), one)


def row_of(columns: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """What picks the values of these columns, in this order, out of features by name."""
    if len(columns) == 1:
        return lambda features: (features[columns[0]],)
    return itemgetter(*columns) if columns else lambda features: ()


def single(shape: Shape) -> bool:
    """Whether an answer of this shape is made from one row."""
    return shape.kind != "ranking" and shape.steps <= 1


def answer_one(
    model: Model,
    traffic: Traffic,
    versions: Mapping[str, Able],
    question: Question,
    *,
    arm: str,
    answered_at: int,
    private: Collection[str] = (),
    salt: str = "",
) -> list[Row]:
    """What was said to a question: first the answer that is given, then who failed to give one. As ``answer`` does it, row for row.

    ``versions``: every version of the traffic that is loaded; ``arm`` is the unit's; ``private`` columns are kept as hashes.
    """
    made, rows = _Rows(model.name, question, answered_at, private, salt), list[Row]()
    turn, chance = asked_in_turn(traffic, arm, versions), traffic.propensities.get(arm)
    for version in turn:
        row = made.row(version, arm if version == turn[0] else "champion", versions.get(version), chance)
        if row.error is None or version == turn[-1]:
            return [row, *rows]
        rows.append(row)
    raise AssertionError("a traffic has a champion")


def shadow_one(
    model: Model,
    traffic: Traffic,
    versions: Mapping[str, Able],
    question: Question,
    said: Sequence[Row],
    *,
    answered_at: int,
    private: Collection[str] = (),
    salt: str = "",
) -> list[Row]:
    """What the other versions of a roll-out say to a question that was answered, seen by nobody."""
    done = {row.version for row in said}
    left = [version for version in others(traffic) if version not in done]
    made = _Rows(model.name, question, answered_at, private, salt, said[0].features if said else None)
    return [made.row(version, "shadow", versions.get(version)) for version in left]


def _features_said(features: Mapping[str, Any], private: Collection[str], salt: str) -> str:
    if private:
        features = {name: hashed(value, salt) if name in private else value for name, value in features.items()}
    return _encode(features).decode()


class _Rows:
    """The rows of one question; what they have in common is said once. ``features``: as they were logged with it before."""

    def __init__(
        self, model: str, question: Question, answered_at: int, private: Collection[str], salt: str, features: str | None = None
    ) -> None:
        self.model, self.question, self.answered_at = model, question, answered_at
        self.features = _features_said(question.features, private, salt) if features is None else features

    def row(self, version: str, arm: str, able: Able | None, propensity: float | None = None) -> Row:
        asked = self.question
        value, values, items, spoken, error, took = None, None, None, None, None, 0
        if able is None:
            error = "its predictor is not loaded"
        else:
            began = time.perf_counter()
            try:
                with span("ask version", model=self.model, version=version, arm=arm):
                    value, values = able.one(able.row(asked.features))
                error = why_none(able.shape, value)
            except Exception as raised:
                error = f"{type(raised).__name__}: {raised}"[:500]
            took = int((time.perf_counter() - began) * 1e6)
            if error is None:
                spoken, items = says(able.shape, value, values), ()  # type: ignore[arg-type]
            else:
                value, values = None, None
        return Row(
            answer_id(self.model, asked.moment, asked.unit, version),
            self.model,
            version,
            arm,
            asked.unit,
            asked.moment,
            self.answered_at,
            value,
            values,
            items,
            spoken,
            self.features,
            took,
            error,
            asked.as_of,
            asked.definition,
            asked.request,
            propensity,
        )
