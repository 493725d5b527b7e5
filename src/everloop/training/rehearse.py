"""The rehearsal: champion and candidate answer the same questions, each with its own features. In: the holdout. Out: a Contest and its
body.

Loads no model by itself and judges nothing. ``now`` is an argument; latencies are read from the monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.clock import from_microseconds
from everloop.errors import ArtefactBroken, LearnerFailed
from everloop.project.model import Model
from everloop.records import Contest, Listed, Shape
from everloop.stats.shapes import Answers, Paired
from everloop.training.by_row import by_row
from everloop.training.feed import Value, numbers
from everloop.training.lists import listed
from everloop.training.predictor import Answering
from everloop.training.rows import first_of_questions, first_rows

WARM = 20  # answers given before the clock is looked at
STEP = "step"  # the group that the steps of paths are


@dataclass(frozen=True)
class Side:
    """One side of a contest: who it is (a candidate's id) and who answers."""

    id: str
    predictor: Answering


def rehearse(
    champion: Side,
    candidate: Side,
    holdout: pa.Table,
    *,
    model: str,
    id: str,
    now: datetime,
    save: Callable[[bytes], str],
    made_from: tuple[str, ...] = (),
    champions_holdout: pa.Table | None = None,
    milliseconds: Sequence[float] = (),
    beside: Sequence[str] = (),
    rivals: Mapping[str, Answers] | None = None,
    scale: NDArray[np.float64] | None = None,
    lists: Model | None = None,
) -> tuple[Contest, bytes]:
    """Both sides' answers to the questions of a holdout (a training table, see docs/training.md), paired with their truths.

    ``champions_holdout``: the same questions with the champion's own features, where they differ. ``milliseconds``: what
    ``time_answers`` measured. ``beside``: features that a measure asks for (``pair``). ``rivals``: what simple rules would have answered;
    ``scale``: what MASE counts in (``rivals.py``). ``lists``: the model, where it ranks: how well each side lists is told too. An empty
    holdout is a contest with ``why_empty``, and no body. Raises LearnerFailed where a side raises, or the two are asked different things.
    """
    empty = Contest(
        id=id,
        made_at=now,
        made_from=made_from,
        model=model,
        champion=champion.id,
        candidate=candidate.id,
        body=None,
        rows=0,
        first_at=None,
        last_at=None,
        milliseconds=tuple(milliseconds),
        why_empty="no question after the gap has a mature truth yet",
    )
    if not len(holdout):
        return empty, b""
    shown = holdout if champions_holdout is None else champions_holdout
    _refuse_different_questions(shown, holdout)
    paired = pair(champion.predictor.answer(shown), candidate.predictor.answer(holdout), holdout, beside)
    paired = scaled(replace(paired, rivals=dict(rivals or {})), scale)
    body = write_paired(paired)
    said: tuple[Listed, ...] = ()
    if lists is not None:
        mine = listed("candidate", candidate.predictor, holdout, lists)
        said = (*listed("champion", champion.predictor, shown, lists), *mine)
    first, last = (from_microseconds(int(at)) for at in (paired.moments.min(), paired.moments.max()))
    return replace(empty, body=save(body), rows=len(paired), first_at=first, last_at=last, why_empty=None, lists=said), body


def pair(champion: Answers, candidate: Answers, holdout: pa.Table, beside: Sequence[str] = ()) -> Paired:
    """Two sides' answers with the truths of a holdout; class shares are brought to the labels either side knows.

    Features named ``beside``, and the columns ``beside:…`` of the holdout, go with both sides' answers.
    """
    asked = holdout.take(pa.array(first_rows(holdout)))
    if not len(champion) == len(candidate) == len(asked):
        raise LearnerFailed(f"{len(asked)} questions got {len(champion)} answers of the champion and {len(candidate)} of the candidate.")
    labels = tuple(sorted(set(champion.shape.labels) | set(candidate.shape.labels)))
    if champion.shape.kind == "shares" and champion.shape.labels != candidate.shape.labels:
        champion, candidate = relabelled(champion, labels), relabelled(candidate, labels)
    groups = {n.removeprefix("group:"): _strings(asked, n) for n in asked.column_names if n.startswith("group:") or n == STEP}
    moments = asked.column("moment").to_numpy().astype(np.int64)
    known = known_beside(asked, beside)
    champion, candidate = (replace(answers, beside=known) for answers in (champion, candidate))
    return Paired(_strings(asked, "unit"), moments, truths(asked, candidate.shape), champion, candidate, groups)


def known_beside(asked: pa.Table, features: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """What was known of each question (n,), by name: these features, and what ``cost(…)`` asks for; numbers as float64, all else as text.

    >>> known_beside(pa.table({"price": [1, None], "beside:fee": [2.0, 3.0]}), ["price"])
    {'price': array([ 1., nan]), 'fee': array([2., 3.])}
    """
    names = {name: name for name in features} | {n.removeprefix("beside:"): n for n in asked.column_names if n.startswith("beside:")}
    return {name: _numbers_or_texts(asked, column) for name, column in names.items()}


def relabelled(answers: Answers, labels: tuple[str, ...]) -> Answers:
    """Class shares by other labels: a label never seen in training has the share 0.

    >>> shares = Answers(Shape(kind="shares", labels=("b",)), np.array([1.0]), values=np.array([[1.0]]))
    >>> relabelled(shares, ("a", "b")).values
    array([[0., 1.]])
    """
    values = np.zeros((len(answers), len(labels)))
    given = np.zeros((len(answers), 0)) if answers.values is None else answers.values
    values[:, [labels.index(label) for label in answers.shape.labels]] = given
    values[np.isnan(answers.value)] = np.nan
    return replace(answers, shape=replace(answers.shape, labels=labels), values=values)


def truths(asked: pa.Table, shape: Shape) -> NDArray[Any]:
    """The truth of each question: numbers, labels, or the tuple of items that came up."""
    if shape.kind == "ranking":
        found = np.empty(len(asked), dtype=object)
        found[:] = [tuple(one or ()) for one in asked.column("truth").to_pylist()]
        return found
    return _strings(asked, "truth") if shape.kind == "shares" else numbers(asked.column("truth"), "truth")


def write_paired(paired: Paired) -> bytes:
    """A contest's body: Parquet with a row for each question; the sides' shapes stand in its metadata."""
    truth = paired.truth.tolist()
    kinds = {"ranking": pa.list_(pa.string()), "shares": pa.string()}
    columns: dict[str, pa.Array] = {
        "unit": pa.array(paired.units.tolist(), pa.string()),
        "moment": pa.array(paired.moments, pa.int64()),
        "truth": pa.array(truth, kinds.get(paired.candidate.shape.kind, pa.float64()), from_pandas=True),
        "champion": paired.champion.to_arrow(),
        "candidate": paired.candidate.to_arrow(),
    }
    columns |= {f"group:{name}": pa.array(group.tolist(), pa.string()) for name, group in paired.groups.items()}
    columns |= {f"beside:{name}": pa.array(values.tolist(), from_pandas=True) for name, values in paired.candidate.beside.items()}
    columns |= {f"rival:{name}": said.to_arrow() for name, said in paired.rivals.items()}
    if paired.candidate.scale is not None:
        columns["scale"] = pa.array(paired.candidate.scale, pa.float64(), from_pandas=True)
    shapes = {
        side: msgspec.json.encode(answers.shape) for side, answers in (("champion", paired.champion), ("candidate", paired.candidate))
    }
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns).replace_schema_metadata(shapes), sink, compression="zstd")
    return bytes(sink.getvalue())


def read_paired(body: bytes) -> Paired:
    """What a contest's body holds. Raises ArtefactBroken where the bytes are none."""
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(body)).read()
        sides = {s: msgspec.json.decode(table.schema.metadata[s.encode()], type=Shape) for s in ("champion", "candidate")}
        champion, candidate = (Answers.from_arrow(shape, table.column(side)) for side, shape in sides.items())
        known = known_beside(table)
        champion, candidate = (replace(answers, beside=known) for answers in (champion, candidate))
        groups = {n.removeprefix("group:"): _strings(table, n) for n in table.column_names if n.startswith("group:")}
        moments = table.column("moment").to_numpy().astype(np.int64)
        named = [n for n in table.column_names if n.startswith("rival:")]
        rivals = {n.removeprefix("rival:"): replace(Answers.from_arrow(candidate.shape, table.column(n)), beside=known) for n in named}
        paired = Paired(_strings(table, "unit"), moments, truths(table, candidate.shape), champion, candidate, groups, rivals)
        return scaled(paired, numbers(table.column("scale"), "scale") if "scale" in table.column_names else None)
    except (pa.ArrowException, OSError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise ArtefactBroken(f"The body of a contest cannot be read: {error}. Restore it from a backup.") from error


def scaled(paired: Paired, scale: NDArray[np.float64] | None) -> Paired:
    """The same, every side's answers with what MASE counts in."""
    if scale is None:
        return paired
    rivals = {name: replace(said, scale=scale) for name, said in paired.rivals.items()}
    return replace(paired, champion=replace(paired.champion, scale=scale), candidate=replace(paired.candidate, scale=scale), rivals=rivals)


def time_answers(
    predictor: Answering, asked: pa.Table, count: int = 200, *, read: Callable[[int], Mapping[str, Value]] | None = None
) -> tuple[float, ...]:
    """How long single answers take, in milliseconds each: features in, one answer out, after 20 that do not count.

    The questions of ``asked`` are asked in turn, one at a time, the way they are in service: row by row where one row is all an answer
    takes, else by a table. ``read(n)`` reads the features of the n-th question where they come from in service, and is timed too. Give the
    predictor that will serve, and measure in a fresh child: ``in_child(time_answers, …, threads=1)``.
    """
    from threadpoolctl import threadpool_limits

    starts = np.append(first_of_questions(asked), len(asked))
    if len(starts) < 2:
        return ()
    found: list[float] = []
    with threadpool_limits(limits=1):
        ask = _asked_alone(predictor, asked)
        for turn in range(count + WARM):
            n = turn % (len(starts) - 1)
            many = asked.slice(starts[n], starts[n + 1] - starts[n])
            known = many.select(predictor.columns).to_pylist()[0] if ask is not None and read is None else None
            began = time.perf_counter()
            features = known if read is None else read(n)
            if ask is None or features is None:
                predictor.answer(many)
            else:
                ask(features)
            found.append((time.perf_counter() - began) * 1e3)
    return tuple(round(f, 4) for f in found[WARM:])


def _asked_alone(predictor: Answering, asked: pa.Table) -> Callable[[Mapping[str, Value]], object] | None:
    """What answers one question from its features; None where it takes a table of several rows."""
    if predictor.shape.kind == "ranking" or predictor.shape.steps > 1 or not set(predictor.columns) <= set(asked.column_names):
        return None
    alone = by_row(predictor, asked)
    if alone is None:
        return None
    columns, one = alone.columns, alone.one
    return lambda features: one([features.get(name) for name in columns])


def _refuse_different_questions(one: pa.Table, other: pa.Table) -> None:
    for name in ("moment", "unit"):
        left, right = (t.column(name).take(pa.array(first_rows(t))) for t in (one, other))
        if left != right:
            raise LearnerFailed(f"Champion and candidate are asked different questions ({name} differs). Give both the same holdout.")


def _strings(table: pa.Table, name: str) -> NDArray[np.object_]:
    return np.array([None if v is None else str(v) for v in table.column(name).to_pylist()] + [None], dtype=object)[:-1]


def _numbers_or_texts(table: pa.Table, name: str) -> NDArray[Any]:
    column = table.column(name)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_dictionary(column.type):
        return _strings(table, name)
    return numbers(column, name)
