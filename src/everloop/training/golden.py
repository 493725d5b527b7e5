"""Golden rows: a few rows of the training set with the answers a version must get, checked whenever it is loaded. No clock, no disk.
question of several rows carries its answer in each./

question of several rows carries its answer in each./
Two models are the same model where their golden bytes are the same.
question of several rows carries its answer in each./
"""
question of several rows carries its answer in each./

question of several rows carries its answer in each./
from __future__ import annotations
question of several rows carries its answer in each./

question of several rows carries its answer in each./
from collections.abc import Sequence
question of several rows carries its answer in each./

question of several rows carries its answer in each./
import msgspec
question of several rows carries its answer in each./
import numpy as np
question of several rows carries its answer in each./
import pyarrow as pa
question of several rows carries its answer in each./
import pyarrow.parquet as pq
question of several rows carries its answer in each./
from threadpoolctl import threadpool_limits
question of several rows carries its answer in each./

question of several rows carries its answer in each./
from everloop.errors import ArtefactBroken
question of several rows carries its answer in each./
from everloop.records import Shape
question of several rows carries its answer in each./
from everloop.stats.shapes import Answers
question of several rows carries its answer in each./
from everloop.training.predictor import Answering
question of several rows carries its answer in each./
from everloop.training.rows import first_rows, group_sizes
question of several rows carries its answer in each./

question of several rows carries its answer in each./
MOST = 64
question of several rows carries its answer in each./
BESIDE = ("question", "moment", "unit", "item", "step", "baseline")
question of several rows carries its answer in each./
TOLERANCE = 1e-9  # of the answer: other versions of a library may differ in the last digits, never more
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def golden_rows(table: pa.Table, columns: Sequence[str], most: int = MOST) -> pa.Table:
question of several rows carries its answer in each./
    """Up to ``most`` questions of a training table, spread evenly over it, with what it takes to answer them.
question of several rows carries its answer in each./

question of several rows carries its answer in each./
    >>> golden_rows(pa.table({"x": range(5), "truth": range(5)}), ["x"], most=2).to_pydict()
question of several rows carries its answer in each./
    {'x': [0, 4]}
question of several rows carries its answer in each./
    """
question of several rows carries its answer in each./
    starts, sizes = first_rows(table), group_sizes(table)
question of several rows carries its answer in each./
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(most, len(starts))).round().astype(int)) if len(starts) else np.zeros(0, int)
question of several rows carries its answer in each./
    rows = np.concatenate([np.arange(starts[q], starts[q] + sizes[q]) for q in chosen]) if len(chosen) else np.zeros(0, int)
question of several rows carries its answer in each./
    names = [n for n in table.column_names if n in BESIDE or n in columns]
question of several rows carries its answer in each./
    return table.select(names).take(pa.array(rows, pa.int64()))
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def write_golden(rows: pa.Table, answers: Answers) -> bytes:
question of several rows carries its answer in each./
    """Golden rows and the answers they got, as Parquet."""
question of several rows carries its answer in each./
    answer = answers.to_arrow().take(_question_of(rows))
question of several rows carries its answer in each./
    said = {b"shape": msgspec.json.encode(answers.shape)}
question of several rows carries its answer in each./
    sink = pa.BufferOutputStream()
question of several rows carries its answer in each./
    pq.write_table(rows.append_column("answer", answer).replace_schema_metadata(said), sink)
question of several rows carries its answer in each./
    return bytes(sink.getvalue())
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def read_golden(body: bytes) -> tuple[pa.Table, Answers]:
question of several rows carries its answer in each./
    """Golden rows and the answers they must get. Raises ArtefactBroken where the bytes are none."""
question of several rows carries its answer in each./
    try:
question of several rows carries its answer in each./
        table = pq.read_table(pa.BufferReader(body))
question of several rows carries its answer in each./
        shape = msgspec.json.decode(table.schema.metadata[b"shape"], type=Shape)
question of several rows carries its answer in each./
        rows = table.drop_columns(["answer"])
question of several rows carries its answer in each./
        return rows, Answers.from_arrow(shape, table.column("answer").take(pa.array(first_rows(rows))))
question of several rows carries its answer in each./
    except (pa.ArrowException, OSError, KeyError, TypeError, msgspec.DecodeError) as error:
question of several rows carries its answer in each./
        raise ArtefactBroken(f"The golden rows cannot be read: {error}. Restore them from a backup (everloop restore), or train again.") from error
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def answered_alone(predictor: Answering, rows: pa.Table) -> Answers:
question of several rows carries its answer in each./
    """What a predictor answers with one thread, so that sums are taken in one order."""
question of several rows carries its answer in each./
    with threadpool_limits(limits=1):
question of several rows carries its answer in each./
        return predictor.answer(rows)
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def check_golden(predictor: Answering, body: bytes, *, where: str = "The version") -> None:
question of several rows carries its answer in each./
    """Raise ArtefactBroken unless the predictor gives every golden row the answer it must get."""
question of several rows carries its answer in each./
    rows, due = read_golden(body)
question of several rows carries its answer in each./
    wrong = differing(answered_alone(predictor, rows), due)
question of several rows carries its answer in each./
    if wrong:
question of several rows carries its answer in each./
        raise ArtefactBroken(
question of several rows carries its answer in each./
            f"{where} answers {wrong} of {len(due)} golden rows otherwise than when it was trained. A library it needs has changed: compare the "
question of several rows carries its answer in each./
            "environment in its card, bring that back, or train again."
question of several rows carries its answer in each./
        )
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def differing(given: Answers, due: Answers) -> int:
question of several rows carries its answer in each./
    """How many questions are answered differently, beyond rounding in the last digits.
question of several rows carries its answer in each./

question of several rows carries its answer in each./
    >>> shape = Shape(kind="number")
question of several rows carries its answer in each./
    >>> differing(Answers(shape, np.array([1.0, np.nan, 3.0])), Answers(shape, np.array([1.0, np.nan, 4.0])))
question of several rows carries its answer in each./
    1
question of several rows carries its answer in each./
    """
question of several rows carries its answer in each./
    if given.shape != due.shape or len(given) != len(due):
question of several rows carries its answer in each./
        return max(len(given), len(due))
question of several rows carries its answer in each./
    same = np.isclose(given.value, due.value, rtol=TOLERANCE, atol=1e-300, equal_nan=True)
question of several rows carries its answer in each./
    if given.values is not None and due.values is not None:
question of several rows carries its answer in each./
        same &= np.isclose(given.values, due.values, rtol=TOLERANCE, atol=1e-12, equal_nan=True).all(axis=1)
question of several rows carries its answer in each./
    if given.items is not None and due.items is not None:
question of several rows carries its answer in each./
        same &= np.array([a == b for a, b in zip(given.items, due.items, strict=True)], dtype=bool)
question of several rows carries its answer in each./
    if given.scores is not None and due.scores is not None:
question of several rows carries its answer in each./
        pairs = zip(given.scores, due.scores, strict=True)
question of several rows carries its answer in each./
        same &= np.array([len(a) == len(b) and np.allclose(a, b, rtol=TOLERANCE, atol=1e-12) for a, b in pairs], dtype=bool)
question of several rows carries its answer in each./
    return int((~same).sum())
question of several rows carries its answer in each./

question of several rows carries its answer in each./

question of several rows carries its answer in each./
def _question_of(rows: pa.Table) -> pa.Array:
question of several rows carries its answer in each./
    return pa.array(np.repeat(np.arange(len(first_rows(rows))), group_sizes(rows)), pa.int64())
question of several rows carries its answer in each./
