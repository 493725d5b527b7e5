"""Compiled predictors: what a version answers, from plain numbers, without the library it was trained with. No clock, no disk.

A worker that serves trees has no use for what grew them: without scikit-learn it starts in a second less and takes 120 MiB less. A compiled
form is only ever used where it gives the very same answers, to the last bit (see ``parity.py``); what cannot be compiled is loaded as it
always was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from everloop.errors import ArtefactBroken
from everloop.records import Shape
from everloop.stats.shapes import Answers
from everloop.training.feed import Feed, coded
from everloop.training.in_plain import plain_of
from everloop.training.packed import packed, unpacked
from everloop.training.plain import Mean, Plain, PlainChances, Said, Sum, through
from everloop.training.predictor import Answering, Predictor, answers_of, nothing
from everloop.training.single import One, one_of

FORMAT = 4
"""Part of a compiled file's name: a release that compiles otherwise finds none of the old ones, and makes its own."""


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

    What comes back has not been compared with the original yet: see ``parity.agrees``.

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
