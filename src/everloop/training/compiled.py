"""Compiled predictors: what a version answers, from plain numbers, without the library it was trained with. No clock, no disk.

A worker that serves trees has no use for what grew them: without scikit-learn it starts in a second less and takes 120 MiB less. A compiled
form is only ever used where it gives the very same answers, to the last bit, to golden rows and to hostile ones; what cannot be compiled
is loaded as it always was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from everloop.errors import ArtefactBroken, EverloopError
from everloop.records import Shape
from everloop.stats.shapes import Answers, Floats
from everloop.training.feed import Feed, coded
from everloop.training.in_plain import plain_of
from everloop.training.packed import packed, unpacked
from everloop.training.plain import Mean, Plain, PlainChances, Sum, through
from everloop.training.predictor import Answering, Predictor, answers_of, nothing
from everloop.training.single import One, one_of

FORMAT = 2
"""Part of a compiled file's name: a release that compiles otherwise finds none of the old ones, and makes its own."""
TRIED = 192  # made-up rows a compiled form must answer as the original does
Said: TypeAlias = Plain | PlainChances


class Record(msgspec.Struct, frozen=True):
    """What is kept: whose it is, what it is fed and answers, and its parts, one for each of ``levels`` (none: one part)."""

    artefact: str
    shape: Shape
    feed: Feed
    levels: tuple[float, ...]
    parts: tuple[Said, ...]


@dataclass(frozen=True)
class Compiled:
    """A predictor of plain numbers; answers like the ``Predictor`` it was made from. ``artefact`` is the SHA-256 of that one's bytes."""

    shape: Shape
    feed: Feed
    fitted: Said | Mapping[float, Said]
    artefact: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the features, in the order they are read."""
        return self.feed.columns

    @property
    def vocabulary(self) -> Mapping[str, tuple[str, ...]]:
        """The categories each column may hold; another one counts as missing."""
        return self.feed.vocabulary

    def answer(self, features: pa.Table) -> Answers:
        """One answer for each question, in order. Raises LearnerFailed where the original would, Unknown where a column is missing."""
        if not len(features):
            return nothing(self.shape, 0)
        return answers_of(self.shape, self.fitted, coded(features, self.feed), features)

    @cached_property
    def one(self) -> One:
        """The answer to one row, from its features in the order of ``columns`` to ``value`` and ``values``: what ``answer`` says, to the
        last bit, in a tenth of the time. An empty feature is None or NaN.

        There is no such attribute where a question is more than one row (lists, several steps). Raises LearnerFailed where ``answer``
        does, and for a feature that is neither number nor category.

        >>> from sklearn.linear_model import Ridge
        >>> ridge = Predictor(Shape(kind="number"), Feed(("x",)), Ridge().fit([[0.0], [1.0]], [0.0, 1.0]))
        >>> load_compiled(compiled(ridge)).one([0.5])
        (0.5, ())
        """
        made = one_of(self.shape, self.feed, self.fitted)
        if made is None:
            raise AttributeError("one")
        return made

    def __getstate__(self) -> dict[str, Any]:
        # Functions made of it are no part of it.
        return {field.name: getattr(self, field.name) for field in fields(self)}


def compiled(predictor: Answering, *, artefact: str = "") -> bytes | None:
    """A predictor as the bytes of plain numbers; None where it cannot be said so.

    What comes back has not been compared with the original yet: see ``agrees``.

    >>> from sklearn.linear_model import Ridge
    >>> ridge = Predictor(Shape(kind="number"), Feed(("x",)), Ridge().fit([[0.0], [1.0]], [0.0, 1.0]))
    >>> body = compiled(ridge)
    >>> load_compiled(body).answer(pa.table({"x": [0.5]})).value
    array([0.5])
    >>> compiled(Predictor(ridge.shape, ridge.feed, object())) is None
    True
    """
    if not isinstance(predictor, Predictor) or predictor.feed.texts:
        return None
    fitted = predictor.fitted
    parts = fitted if isinstance(fitted, Mapping) else {None: fitted}
    found = {level: plain_of(part, predictor.feed) for level, part in parts.items()}
    said = [part for part in found.values() if part is not None]
    if len(said) < len(found) or not all(_answers(part, predictor.shape) for part in said):
        return None
    levels = tuple(float(level) for level in found if level is not None)
    return packed(Record(artefact, predictor.shape, predictor.feed, levels, tuple(said)))


def load_compiled(data: bytes, *, artefact: str | None = None) -> Compiled:
    """The predictor in these bytes. ``artefact``: it must be the compiled form of this one.

    Raises ArtefactBroken for bytes that are none, were changed, or describe something that could not answer.
    """
    try:
        record = unpacked(data, Record)
        if artefact is not None and record.artefact != artefact:
            raise ValueError("it is the compiled form of another artefact")
        if len(record.parts) != (len(record.levels) or 1) or (not record.levels and record.shape.kind == "quantiles"):
            raise ValueError("it has not one part for each level")
        for part in record.parts:
            _check(part, len(record.feed.columns), record.shape)
    except (ValueError, IndexError, TypeError) as error:
        raise ArtefactBroken(f"A compiled version is broken: {error}. It is only a copy: delete it, and it is made again.") from error
    fitted = dict(zip(record.levels, record.parts, strict=True)) if record.levels else record.parts[0]
    return Compiled(record.shape, record.feed, fitted, record.artefact)


def agrees(made: Compiled, predictor: Predictor, golden: pa.Table | None = None, *, seed: int = 0) -> bool:
    """Whether both give the same answers, bit for bit, to golden rows and to made-up ones, many at once and one at a time.

    Made-up rows take values around those of the golden rows and the thresholds, empty, infinite, huge and tiny ones, and categories
    nobody has seen. Where the original refuses a row, the compiled form must refuse it too.
    """
    if made.shape != predictor.shape or made.feed != predictor.feed:
        return False
    tried = made_up(made, golden, seed=seed)
    asked = [tried, *(tried.slice(at, 1) for at in range(0, len(tried), 8))]
    if golden is not None and len(golden):
        asked += [golden, golden.slice(len(golden) - 1, 1)]
    # A row that is refused would hide all others.
    asked += [part for part in (_whole(tried, made.feed),) if len(part)]
    return (
        all(_same(made, predictor, rows) for rows in asked) and alone_agrees(made, tried) and (golden is None or alone_agrees(made, golden))
    )


def alone_agrees(made: Compiled, rows: pa.Table) -> bool:
    """Whether ``one`` gives each of these rows the answer that ``answer`` gives it, bit for bit; so does what has no ``one``."""
    if not hasattr(made, "one"):
        return True
    return all(_equal(_given(_alone, made, row), _given(made.answer, row)) for row in (rows.slice(at, 1) for at in range(len(rows))))


def _alone(made: Compiled, row: pa.Table) -> Answers:
    value, values = made.one([row.column(name)[0].as_py() for name in made.columns])
    return Answers(made.shape, np.array([value]), values=np.array([values]) if values else None)


def made_up(made: Compiled, golden: pa.Table | None, *, seed: int = 0) -> pa.Table:
    """Rows made to find a difference: at thresholds, just beside them, and where nothing sensible is.

    Beside the features there is what lists and steps are told apart by.
    """
    rng = np.random.default_rng(seed)
    count = TRIED - TRIED % max(1, made.shape.steps)
    columns: dict[str, pa.Array] = {
        "question": pa.array(np.arange(count) // (4 if made.shape.kind == "ranking" else made.shape.steps)),
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


def _answers(part: Said, shape: Shape) -> bool:
    """Whether the part has the verb that answers of this shape come from."""
    if shape.kind in ("number", "quantiles"):
        return isinstance(part, Plain)
    return isinstance(part, PlainChances) or shape.kind != "shares"


def _check(part: Said, width: int, shape: Shape) -> None:
    """Raise ValueError unless the part can answer a row of this many numbers."""
    if not _answers(part, shape):
        raise ValueError("a part has not the verb its answers come from")
    with np.errstate(all="ignore"):
        prepared = through(part.steps, np.zeros((1, width)))
        if isinstance(part.body, Sum | Mean):
            part.body.trees.check(prepared.shape[1])
        if isinstance(part.body, Sum) and (part.body.start.ndim != 1 or not len(part.body.start) or part.body.trees.value.shape[1] != 1):
            raise ValueError("its trees do not say what they add up to")
        if isinstance(part, Plain):
            if part.usual is not None and not 0 <= part.usual[0] < width:
                raise ValueError("there is no such usual column")
            fits = part.predict(np.zeros((1, width))).shape == (1,)
        else:
            fits = part.predict_proba(np.zeros((1, width))).shape == (1, len(part.classes_))
    if not fits:
        raise ValueError("it does not give one answer to one row")
