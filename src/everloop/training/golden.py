"""Golden rows: a few rows of the training set with the answers a version must get, checked whenever it is loaded. No clock, no disk.

Two models are the same model where their golden bytes are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from everloop.errors import ArtefactBroken
from everloop.records import Shape
from everloop.stats.shapes import Answers
from everloop.training.predictor import Answering
from everloop.training.rows import first_rows, group_sizes

MOST = 64
BESIDE = ("question", "moment", "unit", "item", "step", "baseline")
TOLERANCE = 1e-9  # of the answer: other versions of a library may differ in the last digits, never more


def golden_rows(table: pa.Table, columns: Sequence[str], most: int = MOST) -> pa.Table:
    """Up to ``most`` questions of a training table, spread evenly over it, with what it takes to answer them.

    >>> golden_rows(pa.table({"x": range(5), "truth": range(5)}), ["x"], most=2).to_pydict()
    {'x': [0, 4]}
    """
    starts, sizes = first_rows(table), group_sizes(table)
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(most, len(starts))).round().astype(int)) if len(starts) else np.zeros(0, int)
    rows = np.concatenate([np.arange(starts[q], starts[q] + sizes[q]) for q in chosen]) if len(chosen) else np.zeros(0, int)
    names = [n for n in table.column_names if n in BESIDE or n in columns]
    return table.select(names).take(pa.array(rows, pa.int64()))


def write_golden(rows: pa.Table, answers: Answers) -> bytes:
    """Golden rows and the answers they got, as Parquet."""
    import pyarrow.parquet as pq

    answer = answers.to_arrow().take(_question_of(rows))
    said = {b"shape": msgspec.json.encode(answers.shape)}
    sink = pa.BufferOutputStream()
    pq.write_table(rows.append_column("answer", answer).replace_schema_metadata(said), sink)
    return bytes(sink.getvalue())


def read_golden(body: bytes) -> tuple[pa.Table, Answers]:
    """Golden rows and the answers they must get. Raises ArtefactBroken where the bytes are none."""
    import pyarrow.parquet as pq

    try:
        # Not read_table, which loads all of pandas where there is one.
        table = pq.ParquetFile(pa.BufferReader(body)).read()
        shape = msgspec.json.decode(table.schema.metadata[b"shape"], type=Shape)
        rows = table.drop_columns(["answer"])
        return rows, Answers.from_arrow(shape, table.column("answer").take(pa.array(first_rows(rows))))
    except (pa.ArrowException, OSError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise ArtefactBroken(f"The golden rows cannot be read: {error}. Restore them from a backup, or train again.") from error


def answered_alone(predictor: Answering, rows: pa.Table) -> Answers:
    """What a predictor answers with one thread, so that sums are taken in one order."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return predictor.answer(rows)


def check_golden(predictor: Answering, body: bytes, *, where: str = "The version") -> None:
    """Raise ArtefactBroken unless the predictor gives every golden row the answer it must get."""
    rows, due = read_golden(body)
    wrong = differing(answered_alone(predictor, rows), due)
    if wrong:
        raise ArtefactBroken(
            f"{where} answers {wrong} of {len(due)} golden rows otherwise than when it was trained. A library it needs has changed: "
            "compare the "
            "environment in its card, bring that back, or train again."
        )


def differing(given: Answers, due: Answers) -> int:
    """How many questions are answered differently, beyond rounding in the last digits.

    >>> shape = Shape(kind="number")
    >>> differing(Answers(shape, np.array([1.0, np.nan, 3.0])), Answers(shape, np.array([1.0, np.nan, 4.0])))
    1
    """
    if given.shape != due.shape or len(given) != len(due):
        return max(len(given), len(due))
    same = np.isclose(given.value, due.value, rtol=TOLERANCE, atol=1e-300, equal_nan=True)
    if given.values is not None and due.values is not None:
        same &= np.isclose(given.values, due.values, rtol=TOLERANCE, atol=1e-12, equal_nan=True).all(axis=1)
    if given.items is not None and due.items is not None:
        same &= np.array([a == b for a, b in zip(given.items, due.items, strict=True)], dtype=bool)
    if given.scores is not None and due.scores is not None:
        pairs = zip(given.scores, due.scores, strict=True)
        same &= np.array([len(a) == len(b) and np.allclose(a, b, rtol=TOLERANCE, atol=1e-12) for a, b in pairs], dtype=bool)
    return int((~same).sum())


def _question_of(rows: pa.Table) -> pa.Array:
    return pa.array(np.repeat(np.arange(len(first_rows(rows))), group_sizes(rows)), pa.int64())
