# ruff: noqa: N803 — X is what learners call it
"""A fitted learner that answers, in the four shapes. In: a table of features. Out: Answers. No clock, no disk.

What is no answer (NaN, infinite, outside 0 to 1 for a chance, too few, too many) is NaN in ``value``, never silently a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.errors import LearnerFailed
from everloop.records import Shape
from everloop.stats.shapes import Answers, Floats, middle_of, of_a_step
from everloop.training.feed import Fed, FedAs, Feed, fed
from everloop.training.rows import first_rows, group_sizes, parameters

Fitted: TypeAlias = Any  # anything with predict or predict_proba; for quantiles also a dict {level: fitted}

SLACK = 1e-9  # a chance this far outside 0..1 is rounding, not a mistake
CART = "cart"  # the column of a list's features that says what its customer has chosen already
NEWCOMER = "newcomer"  # said with a request for a list: answered also where nothing is known of who is asked about


class Answering(Protocol):
    """Whatever can answer: a fitted learner, a baseline."""

    @property
    def shape(self) -> Shape: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def answer(self, features: pa.Table) -> Answers:
        """One answer for each question, in order."""
        ...


@dataclass(frozen=True)
class Predictor:
    """A fitted learner with what it is fed and what its answers look like; what one version is, in memory."""

    shape: Shape
    feed: Feed
    fitted: Fitted

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the features, in the order the learner sees them."""
        return self.feed.columns

    @property
    def fed_as(self) -> FedAs:
        """``numbers``, ``arrow`` or ``pandas``."""
        return self.feed.fed_as

    @property
    def vocabulary(self) -> Mapping[str, tuple[str, ...]]:
        """The categories each column may hold; another one counts as missing."""
        return self.feed.vocabulary

    def answer(self, features: pa.Table) -> Answers:
        """One answer for each question: for each row, or for a list for each run of rows with one ``question``. Of an answer in several
        steps one for each step, which is a row (``stats.shapes.paths`` puts them together).

        Raises LearnerFailed where the fitted object raises, Unknown where a column is missing.

        >>> class Double:
        ...     def predict(self, X):
        ...         return 2 * X[:, 0]
        >>> Predictor(Shape(kind="number"), Feed(("price",)), Double()).answer(pa.table({"price": [1.0, 2.5, None]})).value
        array([ 2.,  5., nan])
        """
        if not len(features):
            return nothing(self.shape, 0)
        return answers_of(self.shape, self.fitted, fed(features, self.feed), features)


def answers_of(shape: Shape, fitted: Fitted, X: Fed, features: pa.Table) -> Answers:
    """What a fitted object says of X, one row for each of ``features``, as answers of this shape, step by step."""
    count, shape = len(features), of_a_step(shape)
    if shape.kind == "number":
        return Answers(shape, _column(_said_by(fitted, "predict", X), count))
    if shape.kind == "chance":
        return Answers(shape, _chances(fitted, X, count))
    if shape.kind == "shares":
        return answers_in_shares(shape, _shares(fitted, X, count, shape))
    if shape.kind == "quantiles":
        return answers_in_quantiles(shape, _levels(fitted, X, count, shape))
    return answers_in_order(shape, _scores(fitted, X, features), features)


def nothing(shape: Shape, count: int) -> Answers:
    """``count`` times no answer.

    >>> nothing(Shape(kind="ranking", most=3), 2).items
    ((), ())
    """
    value, shape = np.full(count, np.nan), of_a_step(shape)
    if shape.kind == "ranking":
        return Answers(shape, value, items=((),) * count, scores=((),) * count)
    if shape.kind in ("shares", "quantiles"):
        width = len(shape.labels or shape.levels)
        return Answers(shape, value, values=np.full((count, width), np.nan))
    return Answers(shape, value)


def answers_in_shares(shape: Shape, shares: Floats) -> Answers:
    """Class shares (n, labels) as answers; a row that is negative or does not add up to 1 is no answer.

    >>> answers_in_shares(Shape(kind="shares", labels=("a", "b")), np.array([[0.2, 0.8], [0.9, 0.9]])).value
    array([0.8, nan])
    """
    with np.errstate(invalid="ignore"):
        good = np.isfinite(shares).all(axis=1) & (shares >= -SLACK).all(axis=1) & (np.abs(shares.sum(axis=1) - 1) <= 1e-6)
    shares = np.where(good[:, None], np.clip(shares, 0, 1), np.nan)
    value = np.full(len(shares), np.nan)
    value[good] = shares[good].max(axis=1)
    return Answers(shape, value, values=shares)


def answers_in_quantiles(shape: Shape, levels: Floats) -> Answers:
    """Quantiles (n, levels) as answers; levels that cross are sorted.

    >>> answers_in_quantiles(Shape(kind="quantiles", levels=(0.1, 0.5, 0.9)), np.array([[3.0, 2.0, 4.0]])).values
    array([[2., 3., 4.]])
    """
    shape = of_a_step(shape)
    values = np.sort(levels, axis=1)
    values[~np.isfinite(values).all(axis=1)] = np.nan
    return Answers(shape, values[:, middle_of(shape)], values=values)


def answers_in_order(shape: Shape, scores: Floats, candidates: pa.Table) -> Answers:
    """The ``most`` best items of each question, best first; ties keep the candidates' order, an item without a score is left out.

    >>> rows = pa.table({"question": [0, 0, 0, 1], "item": ["a", "b", "c", "a"]})
    >>> answers_in_order(Shape(kind="ranking", most=2), np.array([1.0, 3.0, 2.0, np.nan]), rows).items
    (('b', 'c'), ())
    """
    names = candidates.column("item").to_pylist()
    items, best = [], []
    for start, size in zip(first_rows(candidates).tolist(), group_sizes(candidates).tolist(), strict=True):
        part = scores[start : start + size]
        order = [start + int(i) for i in np.argsort(-part, kind="stable") if np.isfinite(part[i]) and names[start + int(i)] is not None]
        order = order[: shape.most or None]
        items.append(tuple(names[i] for i in order))
        best.append(tuple(float(scores[i]) for i in order))
    value = np.array([float(len(i)) if i else np.nan for i in items])
    return Answers(shape, value, items=tuple(items), scores=tuple(best))


def _said_by(fitted: Fitted, verb: str, X: Fed, **more: Any) -> Any:
    try:
        return getattr(fitted, verb)(X, **more)
    except Exception as error:
        raise LearnerFailed(f"{type(fitted).__name__}.{verb} raised {type(error).__name__}: {error}") from error


def _column(said: Any, count: int) -> Floats:
    """What was said as ``count`` finite numbers; whatever is none, and everything if there are too many or too few, is NaN."""
    try:
        value = np.asarray(said, dtype=np.float64)
    except (TypeError, ValueError):
        return np.full(count, np.nan)
    if value.shape == (count, 1):
        value = value[:, 0]
    if value.shape != (count,):
        return np.full(count, np.nan)
    return np.where(np.isfinite(value), value, np.nan)


def _matrix(said: Any, count: int, width: int) -> Floats:
    try:
        value = np.asarray(said, dtype=np.float64)
    except (TypeError, ValueError):
        return np.full((count, width), np.nan)
    return value if value.shape == (count, width) else np.full((count, width), np.nan)


def _chances(fitted: Fitted, X: Fed, count: int) -> Floats:
    if hasattr(fitted, "predict_proba"):
        value = _matrix(_said_by(fitted, "predict_proba", X), count, 2)[:, 1]
    else:
        value = _column(_said_by(fitted, "predict", X), count)
    with np.errstate(invalid="ignore"):
        within = (value >= -SLACK) & (value <= 1 + SLACK)
    return np.where(within, np.clip(value, 0, 1), np.nan)


def _shares(fitted: Fitted, X: Fed, count: int, shape: Shape) -> Floats:
    at = {label: i for i, label in enumerate(shape.labels)}
    shares = np.zeros((count, len(at)))
    if not hasattr(fitted, "predict_proba"):
        said = np.asarray(_said_by(fitted, "predict", X), dtype=object)
        for i, label in enumerate(said if said.shape == (count,) else [None] * count):
            shares[i, at.get(label, slice(None))] = 1.0 if label in at else np.nan
        return shares
    classes = [str(c) for c in getattr(fitted, "classes_", shape.labels)]
    given = _matrix(_said_by(fitted, "predict_proba", X), count, len(classes))
    if not set(classes) <= set(at):
        return np.full_like(shares, np.nan)
    shares[:, [at[c] for c in classes]] = given
    return shares


def _levels(fitted: Fitted, X: Fed, count: int, shape: Shape) -> Floats:
    if isinstance(fitted, Mapping):
        return np.column_stack([_column(_said_by(fitted[level], "predict", X), count) for level in shape.levels])
    return _matrix(_said_by(fitted, "predict", X), count, len(shape.levels))


def _scores(fitted: Fitted, X: Fed, features: pa.Table) -> NDArray[np.float64]:
    # A classifier's predict says only relevant or not, which orders nothing.
    if hasattr(fitted, "predict_proba"):
        return _chances(fitted, X, len(features))
    return _column(_said_by(fitted, "predict", X, **_beside(fitted, features)), len(features))


def _beside(fitted: Fitted, features: pa.Table) -> dict[str, Any]:
    """What a list's learner is told beside X, where its predict asks for it: the candidates, the sizes of questions, what lies in carts."""
    asked = parameters(getattr(fitted, "predict", None))
    more: dict[str, Any] = {}
    if "items" in asked:
        more["items"] = features.column("item").to_pylist()
    if "group" in asked:
        more["group"] = group_sizes(features)
    if "carts" in asked and CART in features.column_names:
        more["carts"] = features.column(CART).take(pa.array(first_rows(features))).to_pylist()
    return more
