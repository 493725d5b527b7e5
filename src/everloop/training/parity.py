"""Parity: whether a compiled form gives the very same answers as the version it was made from, to the last bit. No clock, no disk.

It is asked golden rows, made-up ones that look for a difference, and rows that were really asked, from the answers log: what is sent to a
model is often nothing like what it learnt from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from everloop.errors import EverloopError
from everloop.records import Shape
from everloop.stats.shapes import Answers, Floats
from everloop.training.compiled import Compiled
from everloop.training.feed import Feed
from everloop.training.plain import Mean, Sum
from everloop.training.predictor import Predictor

TRIED = 192  # made-up rows a compiled form must answer as the original does
LOGGED = 1_000  # rows that were really asked, where there are as many


def agrees(made: Compiled, predictor: Predictor, golden: pa.Table | None = None, logged: pa.Table | None = None, *, seed: int = 0) -> bool:
    """Whether both give the same answers: see ``differs``."""
    return not differs(made, predictor, golden, logged, seed=seed)


def differs(made: Compiled, predictor: Predictor, golden: pa.Table | None = None, logged: pa.Table | None = None, *, seed: int = 0) -> str:
    """Which rows the two answer differently, in words; nothing where every answer is the same, bit for bit.

    Asked are made-up rows, golden rows and ``logged`` ones, many at once and one at a time. Made-up rows take values around those of the
    golden rows and the thresholds, empty, infinite, huge and tiny ones, and categories nobody has seen. Where the original refuses a row,
    the compiled form must refuse it too.
    """
    if made.shape != predictor.shape or made.feed != predictor.feed:
        return "what it reads, and in which shape it answers"
    tried = made_up(made, golden, seed=seed)
    asked = [tried, *(tried.slice(at, 1) for at in range(0, len(tried), 8))]
    # A row that is refused would hide all others.
    asked += [part for part in (_whole(tried, made.feed),) if len(part)]
    if not all(_same(made, predictor, rows) for rows in asked) or not alone_agrees(made, tried):
        return "made-up rows"
    if golden is not None and len(golden) and not _golden_agree(made, predictor, golden):
        return "golden rows"
    return "" if logged is None or logged_agrees(made, predictor, logged) else "rows that were really asked"


def _golden_agree(made: Compiled, predictor: Predictor, golden: pa.Table) -> bool:
    last = golden.slice(len(golden) - 1, 1)
    return _same(made, predictor, golden) and _same(made, predictor, last) and alone_agrees(made, golden)


def logged_agrees(made: Compiled, predictor: Predictor, logged: pa.Table) -> bool:
    """Whether both give the same answers to rows that were really asked: many at once, and one at a time."""
    return not len(logged) or (_same_each(made, predictor, logged) and alone_agrees(made, logged))


def _same_each(made: Compiled, predictor: Predictor, rows: pa.Table) -> bool:
    """As ``_same``; where both refuse, it is looked for which rows, so that one of them hides no other."""
    theirs = _given(predictor.answer, rows)
    if not _equal(theirs, _given(made.answer, rows)):
        return False
    questions = rows.column("question").to_numpy()
    if not isinstance(theirs, type) or questions[0] == questions[-1]:
        return True
    middle = int(np.searchsorted(questions, questions[len(rows) // 2]))
    middle = middle or int(np.searchsorted(questions, questions[0], side="right"))
    return _same_each(made, predictor, rows.slice(0, middle)) and _same_each(made, predictor, rows.slice(middle))


def alone_agrees(made: Compiled, rows: pa.Table) -> bool:
    """Whether ``one`` gives each of these rows the answer that ``answer`` gives it, bit for bit; so does what has no ``one``."""
    if not hasattr(made, "one"):
        return True
    return all(_equal(_given(_alone, made, row), _given(made.answer, row)) for row in (rows.slice(at, 1) for at in range(len(rows))))


def _alone(made: Compiled, row: pa.Table) -> Answers:
    value, values = made.one([row.column(name)[0].as_py() for name in made.columns])
    return Answers(made.shape, np.array([value]), values=np.array([values]) if values else None)


def asked_again(logged: Sequence[str], feed: Feed, shape: Shape, most: int = LOGGED) -> pa.Table:
    """Features as the answers log has them, JSON objects by column, as rows to be asked: up to ``most`` questions.

    Those that do not hold every column, or hold one as something it is not fed as, are left out: other versions were asked them. A list
    has a row for each of its candidates, an answer of several steps one for each.

    >>> told = ['{"x":1.5}', '{"y":2}', '{"x":"red"}', '{"x":null}']
    >>> asked_again(told, Feed(("x",)), Shape(kind="number")).select(["question", "x"]).to_pydict()
    {'question': [0, 1], 'x': [1.5, None]}
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("question", "item", *feed.columns)}
    count = 0
    for text in logged:
        rows = _rows_in(text, feed, shape)
        if rows is None:
            continue
        many = len(next(iter(rows.values())))
        columns["question"] += [count] * many
        columns["item"] += [f"item {n}" for n in range(many)]
        for name, values in rows.items():
            columns[name] += values
        count += 1
        if count >= most:
            break
    kinds = {"question": pa.int64(), "item": pa.string()} | {name: _arrow(name, feed) for name in feed.columns}
    return pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})


def questions(asked: pa.Table) -> int:
    """How many questions there are in rows to be asked."""
    return 0 if not len(asked) else int(asked.column("question")[-1].as_py()) + 1


def _rows_in(text: str, feed: Feed, shape: Shape) -> dict[str, list[Any]] | None:
    said = msgspec.json.decode(text)
    if not feed.columns or not all(name in said for name in feed.columns):
        return None
    several = shape.kind == "ranking" or shape.steps > 1
    rows = {name: said[name] if several else [said[name]] for name in feed.columns}
    if not all(isinstance(values, list) for values in rows.values()):
        return None
    (length, *others) = {len(values) for values in rows.values()}
    if others or not length or (shape.steps > 1 and length != shape.steps):
        return None
    if not all(value is None or isinstance(value, _KINDS[name in feed.vocabulary]) for name, values in rows.items() for value in values):
        return None
    return {name: values if name in feed.vocabulary else [None if v is None else float(v) for v in values] for name, values in rows.items()}


_KINDS: dict[bool, Any] = {True: str, False: bool | int | float}
"""What a category is logged as, and a number."""


def _arrow(name: str, feed: Feed) -> pa.DataType:
    return pa.string() if name in feed.vocabulary else pa.float64()


def made_up(made: Compiled, golden: pa.Table | None, *, seed: int = 0) -> pa.Table:
    """Rows made to find a difference: at thresholds, just beside them, and where nothing sensible is.

    Beside the features there is what lists and steps are told apart by.
    """
    rng = np.random.default_rng(seed)
    count = TRIED
    columns: dict[str, pa.Array] = {
        "question": pa.array(np.arange(count) // (4 if made.shape.kind == "ranking" else 1)),
        "item": pa.array([f"item {n}" for n in range(count)]),
    }
    edges = _thresholds(made)
    for name in made.feed.columns:
        words = made.feed.vocabulary.get(name)
        if words is not None:
            pool: list[str | None] = [*words[:50], *words[-50:], None, "", "nobody has seen this"]
            columns[name] = pa.array([pool[i] for i in rng.integers(0, len(pool), count)], pa.string())
            continue
        near = edges
        if golden is not None and name in golden.column_names and len(golden):
            near = np.concatenate([near, np.asarray(golden.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)])
        columns[name] = pa.array(_numbers(near, count, rng))
    return pa.table(columns)


def _numbers(near: Floats, count: int, rng: np.random.Generator) -> Floats:
    near = near[np.isfinite(near)] if np.isfinite(near).any() else np.zeros(1)
    at = near[rng.integers(0, len(near), count)]
    how = rng.integers(0, 8, count)
    odd = np.array([np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 3.5e38])[rng.integers(0, 10, count)]
    with np.errstate(all="ignore"):
        spread = rng.normal(size=count) * (np.abs(at) + 1.0)
        below, above = np.nextafter(at, -np.inf), np.nextafter(at, np.inf)
        return np.choose(how, [at, at, below, above, at + spread, at + spread, spread, odd])


def _thresholds(made: Compiled) -> Floats:
    parts = made.fitted.values() if isinstance(made.fitted, Mapping) else [made.fitted]
    grown = [part.body.trees for part in parts if isinstance(part.body, Sum | Mean)]
    return np.concatenate([np.zeros(1), np.ones(1), *(trees.threshold[~trees.leaf] for trees in grown)])


def _whole(rows: pa.Table, feed: Feed) -> pa.Table:
    """The rows in which every number is one, and none is too large for single precision."""
    keep = np.ones(len(rows), dtype=bool)
    for name in feed.columns:
        if name not in feed.vocabulary:
            keep &= np.abs(np.nan_to_num(rows.column(name).to_numpy(), nan=np.inf)) < 1e38
    return rows.filter(pa.array(keep))


def _same(made: Compiled, predictor: Predictor, rows: pa.Table) -> bool:
    return _equal(_given(predictor.answer, rows), _given(made.answer, rows))


def _given(ask: Callable[..., Answers], *what: object) -> Answers | type[EverloopError]:
    try:
        with np.errstate(all="ignore"):
            return ask(*what)
    except EverloopError as error:
        return type(error)


def _equal(first: Answers | type[EverloopError], second: Answers | type[EverloopError]) -> bool:
    if isinstance(first, type) or isinstance(second, type):
        return first is second
    if (first.items, first.scores) != (second.items, second.scores) or not np.array_equal(first.value, second.value, equal_nan=True):
        return False
    if first.values is None or second.values is None:
        return first.values is second.values
    return np.array_equal(first.values, second.values, equal_nan=True)
