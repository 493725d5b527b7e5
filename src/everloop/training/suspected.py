"""What makes a candidate suspect, measured where it can be loaded: answers that jump, a column that knows the truth. In: a candidate and
its holdout. Out: what the contest keeps of it. Judges nothing; reads no clock, draws by a seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pyarrow as pa

from everloop.records import Alone, Kind, Shaken
from everloop.stats.explains import of_number, of_words, of_yes
from everloop.stats.shapes import Answers, Floats
from everloop.training.predictor import Answering
from everloop.training.rows import first_rows

NOISE, JUMP, MOST = 0.01, 0.1, 10.0
FEW, MANY = 500, 20_000
TOLD = 5
MEASURED: dict[Kind, Literal["auc", "r2"]] = {"chance": "auc", "number": "r2", "quantiles": "r2"}


def shaken(predictor: Answering, asked: pa.Table, *, seed: int = 0) -> Shaken | None:
    """How far answers move where every number they are made from moves by one step of floating point, up and down, and by 1 % of normal
    noise: 500 questions of ``asked``, a training table. None of rankings, and where all answers are the same.

    >>> from everloop.records import Shape
    >>> from everloop.training.feed import Feed
    >>> from everloop.training.predictor import Predictor
    >>> class Rounds:
    ...     def predict(self, X):
    ...         return np.floor(X[:, 0])
    >>> table = pa.table({"question": np.arange(100), "price": np.arange(100.0) % 5})
    >>> shaken(Predictor(Shape(kind="number"), Feed(("price",)), Rounds()), table).jumped
    1.0
    """
    if predictor.shape.kind == "ranking":
        return None
    some = _questions(asked, FEW)
    plain = _numbers(predictor.answer(some))
    there = np.isfinite(plain).all(axis=1)
    apart = float(np.abs(plain[there] - np.median(plain[there], axis=0)).mean()) if there.any() else 0.0
    names = [name for name in predictor.columns if name in some.column_names and pa.types.is_floating(some.schema.field(name).type)]
    if apart <= 0 or not names:
        return None
    rng = np.random.default_rng(seed)
    up, down, noisy = some, some, some
    for name in names:
        values = some.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
        if np.isnan(values).all():
            continue  # nobody has said it yet
        up, down = _with(up, name, np.nextafter(values, np.inf)), _with(down, name, np.nextafter(values, -np.inf))
        # A part of how far a column's values lie apart: where its zero lies is nobody's doing.
        noisy = _with(noisy, name, values + NOISE * np.nan_to_num(np.nanstd(values)) * rng.normal(0, 1, len(values)))
    least = np.maximum(*(_moved(plain, apart, predictor, one) for one in (up, down)))
    noise = _moved(plain, apart, predictor, noisy)
    return Shaken(
        rows=int(there.sum()),
        least=float(least[there].mean()),
        noise=float(noise[there].mean()),
        jumped=float((least[there] > JUMP).mean()),
    )


def alone(asked: pa.Table, columns: Iterable[str], kind: Kind) -> tuple[Alone, ...]:
    """What the columns of a training table that tell most of its truth tell of it by themselves, best first, five at most. Nothing of class
    shares, rankings, and several steps.

    >>> table = pa.table({"truth": [0.0, 1.0] * 50, "cancelled": [0.0, 1.0] * 50, "price": np.arange(100.0)})
    >>> [(one.column, round(one.value, 2)) for one in alone(table, ["price", "cancelled"], "chance")]
    [('cancelled', 1.0), ('price', 0.51)]
    """
    measure = MEASURED.get(kind)
    if measure is None or "truth" not in asked.column_names or pa.types.is_nested(asked.schema.field("truth").type):
        return ()
    some = asked.take(np.linspace(0, len(asked) - 1, MANY).astype(np.int64)) if len(asked) > MANY else asked
    truth = some.column("truth").cast(pa.float64()).to_numpy(zero_copy_only=False)
    found = []
    for name in columns:
        value = _told(some.column(name), truth, measure) if name in some.column_names else None
        if value is not None:
            found.append(Alone(column=name, measure=measure, value=value, rows=len(some)))
    return tuple(sorted(found, key=lambda one: -one.value)[:TOLD])


def _told(column: pa.ChunkedArray, truth: Floats, measure: Literal["auc", "r2"]) -> float | None:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return of_yes(values, truth) if measure == "auc" else of_number(values, truth)
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind):
        return of_words(np.array(column.to_pylist(), dtype=object), truth, measure)
    return None


def _questions(asked: pa.Table, most: int) -> pa.Table:
    """Some whole questions, evenly chosen."""
    first = np.append(first_rows(asked), len(asked))
    count = len(first) - 1
    if count <= most:
        return asked
    chosen = np.linspace(0, count - 1, most).astype(np.int64)
    return asked.take(np.concatenate([np.arange(first[i], first[i + 1]) for i in chosen]))


def _numbers(answers: Answers) -> Floats:
    return answers.value[:, None] if answers.values is None else answers.values


def _moved(plain: Floats, apart: float, predictor: Answering, asked: pa.Table) -> Floats:
    """By how much each answer moved (n,), as a share of how far answers lie apart; one that came, or went, by the most that is counted."""
    moved = np.abs(_numbers(predictor.answer(asked)) - plain).mean(axis=1) / apart
    return np.asarray(np.where(np.isfinite(moved), np.minimum(moved, MOST), MOST))


def _with(table: pa.Table, name: str, values: Floats) -> pa.Table:
    kind = table.schema.field(name).type
    return table.set_column(table.column_names.index(name), name, pa.array(values, kind, from_pandas=True))
