"""Steps: a question about a path is one row for each step ahead. In: questions. Out: questions with ``step``, and the time each predicts.

What is known is known at the moment of the question; what a step is about begins ``step - 1`` spans later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from everloop.errors import Unknown
from everloop.features.moments import Micros, length
from everloop.features.spine import Spine
from everloop.project.model import Model
from everloop.project.reading import Reading, leaves


def stepped(model: Model, questions: pa.Table) -> pa.Table:
    """Each question once for each of its steps, ``step`` from 1, by question, then step; as they are where the model has but one.

    Raises ValueError for a model whose readings ahead are cut into different steps.
    """
    if model.steps == 1:
        return questions
    _each(model)
    rows = np.repeat(np.arange(questions.num_rows), model.steps)
    step = np.tile(np.arange(1, model.steps + 1, dtype=np.int64), questions.num_rows)
    return questions.take(pa.array(rows)).append_column("step", pa.array(step))


def counted_through(rows: pa.Table) -> pa.Table:
    """The same rows, their questions numbered anew from 0 without a gap; the steps of a question keep one number.

    >>> counted_through(pa.table({"question": [3, 3, 5], "step": [1, 2, 1]}))["question"].to_pylist()
    [0, 0, 1]
    """
    if "step" not in rows.column_names:
        numbers = np.arange(rows.num_rows)
    else:
        numbers = np.unique(rows["question"].to_numpy(), return_inverse=True)[1]
    return rows.set_column(rows.column_names.index("question"), "question", pa.array(numbers, pa.int64()))


def predicted_at(spine: Spine) -> Micros:
    """When the time predicted begins: the moment, or so many steps after it."""
    moments = np.asarray(spine.questions["moment"].to_numpy(), dtype=np.int64)
    if "step" not in spine.questions.column_names:
        return moments
    return begun_at(spine.model, moments, spine.questions["step"].to_numpy())


def by_step(spine: Spine, reading: Reading) -> bool:
    """Whether each step of a question reads a window of its own."""
    return "step" in spine.questions.column_names and (reading.verb == "planned" or reading.each is not None)


def at_its_step(spine: Spine, reading: Reading) -> Reading:
    """What a reading reads once its window begins with the time predicted: what is planned for it; and the step of a path.

    A path that looks back goes over the windows before the moment, the farthest first.
    """
    if reading.verb == "planned":
        return replace(reading, next=time_predicted(spine.model))
    if not by_step(spine, reading) or reading.each is None:
        return reading
    if reading.last is None:
        return replace(reading, next=reading.each, each=None)
    ago = reading.last - reading.each + (reading.ago or timedelta(0))
    return replace(reading, last=reading.each, ago=ago or None, each=None)


def time_predicted(model: Model) -> timedelta:
    """How long the time predicted is: that of a step, else as far as what is predicted looks ahead.

    Raises Unknown where nothing says how far that is.
    """
    spans = [reading.next or reading.within for reading in leaves(model.predicts)]
    longest = max((span for span in spans if span is not None), default=None)
    if longest is None:
        raise Unknown("time predicted by", model.name, next="What is planned is read for the time predicted: say next=, or within=.")
    return _each(model) if model.steps > 1 else longest


def _each(model: Model) -> timedelta:
    spans = _distinct(reading.each for reading in leaves(model.predicts))
    if len(spans) != 1:
        raise ValueError(f"{model.name} predicts steps of different lengths; say one each= for all that it predicts.")
    return spans[0]


def begun_at(model: Model, moments: Micros, steps: Micros) -> Micros:
    """When the time that each step of a question predicts begins; ``steps`` count from 1.

    >>> from everloop import Source, days, every
    >>> orders = Source("orders", id="order_id", time="at", columns={"product_id": str})
    >>> path = orders.count(next=days(2), each=days(1))
    >>> demand = Model("demand", predicts=path, per="product_id", asked=every(days(1)), knows=orders.count(last=days(7)), learner=print)
    >>> begun_at(demand, np.array([5, 5]), np.array([1, 2])).tolist()
    [5, 86400000005]
    """
    return moments if model.steps == 1 else moments + (steps - 1) * length(_each(model))


def _distinct(spans: Iterable[timedelta | None]) -> list[timedelta]:
    return list(dict.fromkeys(span for span in spans if span is not None))
