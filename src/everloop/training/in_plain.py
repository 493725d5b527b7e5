"""A fitted learner in plain numbers, where it is one of those people serve most. In: the object and its feed. Out: ``Plain``.

Read from what the object has learnt, by the name of its class; nothing is imported, nothing is fitted. What is not known here is None, and
so is whatever could not be said exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.stats.shapes import Floats
from everloop.training.boosted import Boosted
from everloop.training.feed import Feed, fed
from everloop.training.grown import grown_of
from everloop.training.grown_single import grown_single
from everloop.training.plain import (
    Beside,
    Body,
    Fill,
    Line,
    Link,
    Look,
    Match,
    Mean,
    Plain,
    PlainChances,
    Refuse,
    Said,
    Scale,
    Step,
    Sum,
    through,
)
from everloop.training.trees import Trees
from everloop.training.xgboosted import XGBoosted

Columns: TypeAlias = tuple[str | None, ...]  # for each column the category it is a code of, None for a number
Done: TypeAlias = tuple[tuple[Step, ...], Columns]

UNSAYABLE = "this is none of those that can be said in plain numbers"
LINES = frozenset(
    {
        "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso", "LassoCV", "LassoLars",
        "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR", "PassiveAggressiveRegressor", "QuantileRegressor", "Ridge",
        "RidgeCV", "SGDRegressor", "TheilSenRegressor",
    }
)  # fmt: skip
RISING_LINES = frozenset({"GammaRegressor", "PoissonRegressor"})
LINKS: dict[str, Link] = {
    "IdentityLink": "itself", "LogLink": "exp", "LogitLink": "chance", "HalfLogitLink": "half chance", "MultinomialLogit": "shares",
}  # fmt: skip


@runtime_checkable
class TimesUsual(Protocol):
    """A learner of one's own that answers with what another one says, times a column of X, empty as 0, plus a constant."""

    def times_usual(self) -> tuple[Any, int, float] | tuple[Any, int, float, float]:
        """The other one, fitted; the column; the constant; and where there is a fourth, it is added to what the other one says before it
        is multiplied, and what is then below 0 counts as 0."""
        ...


def plain_of(fitted: Any, feed: Feed) -> Said | None:
    """A fitted object that is fed like this in plain numbers; None where it is none that is known here.

    >>> from sklearn.linear_model import Ridge
    >>> made = plain_of(Ridge(alpha=0).fit([[0.0], [1.0]], [1.0, 3.0]), Feed(("x",)))
    >>> made.predict(np.array([[2.0]])).round(6)
    array([5.])
    """
    if feed.texts:
        return None
    columns = tuple(name if name in feed.vocabulary else None for name in feed.columns)
    try:
        return _plain(fitted, columns, feed)
    except (AttributeError, TypeError, ValueError, KeyError, IndexError):
        # What another release of a library calls by another name is not known here either.
        return None


def _plain(fitted: Any, columns: Columns, feed: Feed) -> Said:
    if isinstance(fitted, Boosted):
        return grown_of(fitted, feed)
    if isinstance(fitted, XGBoosted):
        return grown_single(fitted, feed)
    if isinstance(fitted, TimesUsual):
        inner, column, more, *plus = fitted.times_usual()
        said = _plain(inner, columns, feed)
        if not isinstance(said, Plain) or said.usual is not None or columns[column] is not None:
            raise ValueError(UNSAYABLE)
        return msgspec.structs.replace(said, usual=(int(column), float(more)), plus=float(plus[0]) if plus else None)
    if _name(fitted) == "Pipeline":
        steps, columns = _pipeline(fitted.steps[:-1], columns, feed)
        said = _plain(fitted.steps[-1][1], columns, feed)
        if isinstance(said, Plain) and said.usual is not None:
            raise ValueError(UNSAYABLE)
        return msgspec.structs.replace(said, steps=(*steps, *said.steps))
    return _learner(fitted, columns, feed)


def _name(part: Any) -> str:
    """The class of one of scikit-learn's own; whoever inherits from one may have changed anything."""
    kind = type(part)
    return kind.__name__ if kind.__module__.startswith("sklearn.") else ""


# -- learners --------------------------------------------------------------------------------------------------------------------------


def _learner(fitted: Any, columns: Columns, feed: Feed) -> Said:
    name = _name(fitted)
    if name.startswith("HistGradientBoosting"):
        steps, columns = _categories_of_boosting(fitted, columns, feed)
        return _as_said(fitted, steps, _boosting(fitted), LINKS[type(fitted._loss.link).__name__])
    if any(column is not None for column in columns):
        raise ValueError(UNSAYABLE)
    if name in ("GradientBoostingRegressor", "GradientBoostingClassifier"):
        return _as_said(fitted, (Refuse(False, single=True),), _stages(fitted), LINKS[type(fitted._loss.link).__name__])
    if name.startswith(("RandomForest", "ExtraTrees")):
        first = fitted.estimators_[0]
        welcome = bool(first._support_missing_values(np.zeros((1, 1))))
        return _as_said(fitted, (Refuse(welcome, single=True),), Mean(_grown(fitted.estimators_)), "itself")
    if name.startswith(("DecisionTree", "ExtraTree")):
        welcome = bool(fitted._support_missing_values(np.zeros((1, 1))))
        return _as_said(fitted, (Refuse(welcome, single=True),), Mean(_grown([fitted])), "itself")
    if name in LINES | RISING_LINES:
        return Plain((Refuse(False),), _line(fitted), "exp" if name in RISING_LINES else "itself")
    if name in ("LogisticRegression", "LogisticRegressionCV"):
        return _as_said(fitted, (Refuse(False),), _line(fitted), "chance" if len(fitted.classes_) == 2 else "shares")
    raise ValueError(UNSAYABLE)


def _as_said(fitted: Any, steps: tuple[Step, ...], body: Body, link: Link) -> Said:
    if not hasattr(fitted, "classes_"):
        return Plain(steps, body, link)
    if not hasattr(fitted, "predict_proba"):
        raise ValueError(UNSAYABLE)
    return PlainChances(steps, body, link, tuple(fitted.classes_.tolist()))


def _line(fitted: Any) -> Line:
    weights, start = np.asarray(fitted.coef_), np.atleast_1d(np.asarray(fitted.intercept_, dtype=np.float64))
    if (
        weights.dtype != np.float64
        or (weights.ndim == 1 and len(start) != 1)
        or (weights.ndim == 2 and len(start) not in (1, len(weights)))
    ):
        raise ValueError(UNSAYABLE)
    turned = not weights.flags.c_contiguous
    return Line(np.ascontiguousarray(weights.T) if turned else weights, start, turned)


def _boosting(fitted: Any) -> Sum:
    start = np.asarray(fitted._baseline_prediction)
    if start.dtype != np.float64:
        raise ValueError(UNSAYABLE)
    grown = [tree for round_ in fitted._predictors for tree in round_]
    nodes = [tree.nodes for tree in grown]
    splits = [len(tree.raw_left_cat_bitsets) for tree in grown]
    every, first = np.concatenate(nodes), np.cumsum([0, *map(len, nodes)])
    shift = np.repeat(first[:-1], np.diff(first))
    leaf, lost = every["is_leaf"] != 0, every["missing_go_to_left"]
    categorical = (every["is_categorical"] != 0) & ~leaf
    category = np.where(categorical, every["bitset_idx"] + np.repeat(np.cumsum([0, *splits])[:-1], np.diff(first)), -1)
    lefts = _bits(np.concatenate([tree.raw_left_cat_bitsets for tree in grown]))
    lefts[category[categorical], -1] = lost[categorical]
    trees = Trees(
        roots=first[:-1].astype(np.int32),
        kids=_kids(leaf, every["left"].astype(np.int64), every["right"].astype(np.int64), shift),
        column=np.where(leaf, 0, every["feature_idx"]).astype(np.int32),
        threshold=np.where(leaf | categorical, 0.0, every["num_threshold"]),
        lost=lost.astype(np.uint8),
        value=every["value"].astype(np.float64)[:, None],
        category=category.astype(np.int32),
        lefts=lefts,
        cover=every["count"].astype(np.float64),
    )
    return Sum(start.ravel(), trees)


def _bits(sets: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Sets of codes, a bit for each (splits, words of 32), as a byte for each, and a last one for missing ones."""
    if not len(sets):
        return np.zeros((0, 1), np.uint8)
    bits = np.unpackbits(np.ascontiguousarray(sets).astype("<u4").view(np.uint8).reshape(len(sets), -1), axis=1, bitorder="little")
    return np.hstack([bits, np.zeros((len(sets), 1), np.uint8)])


def _stages(fitted: Any) -> Sum:
    blank = np.zeros((1, fitted.n_features_in_))
    if fitted.init_ != "zero" and _name(fitted.init_) not in ("DummyRegressor", "DummyClassifier"):
        raise ValueError(UNSAYABLE)
    grown = _grown([tree for stage in fitted.estimators_ for tree in stage])
    return Sum(fitted._raw_predict_init(blank).ravel(), msgspec.structs.replace(grown, value=fitted.learning_rate * grown.value))


def _grown(trees: Sequence[Any]) -> Trees:
    """Trees of sklearn.tree."""
    if any(tree.n_outputs_ != 1 for tree in trees):
        raise ValueError(UNSAYABLE)
    parts = [tree.tree_ for tree in trees]
    first = np.cumsum([0, *(part.node_count for part in parts)])
    shift = np.repeat(first[:-1], np.diff(first))
    left, right = (np.concatenate([getattr(part, side) for part in parts]) for side in ("children_left", "children_right"))
    leaf = left < 0
    lost = np.concatenate([part.missing_go_to_left for part in parts]).astype(np.uint8)
    return Trees(
        roots=first[:-1].astype(np.int32),
        kids=_kids(leaf, left, right, shift),
        column=np.where(leaf, 0, np.concatenate([part.feature for part in parts])).astype(np.int32),
        threshold=np.where(leaf, 0.0, np.concatenate([part.threshold for part in parts])),
        lost=np.where(leaf, 0, lost).astype(np.uint8),
        value=np.concatenate([part.value[:, 0, :] for part in parts]).astype(np.float64),
        category=np.full(len(leaf), -1, np.int32),
        lefts=np.zeros((0, 1), np.uint8),
        cover=np.concatenate([part.weighted_n_node_samples for part in parts]).astype(np.float64),
    )


def _kids(leaf: NDArray[np.bool_], left: NDArray[np.int64], right: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int32]:
    here = np.arange(len(leaf))
    return np.column_stack([np.where(leaf, here, side + shift) for side in (left, right)]).astype(np.int32)


# -- what prepares the rows ------------------------------------------------------------------------------------------------------------


def _pipeline(steps: Sequence[tuple[str, Any]], columns: Columns, feed: Feed) -> Done:
    found: tuple[Step, ...] = ()
    for _, part in steps:
        if part is None or part == "passthrough":
            continue
        more, columns = _prepared(part, columns, feed)
        found += more
    return found, columns


def _prepared(part: Any, columns: Columns, feed: Feed) -> Done:
    name = _name(part)
    if name == "ColumnTransformer":
        return _side_by_side(part, columns, feed)
    if name == "Pipeline":
        return _pipeline(part.steps, columns, feed)
    if name in ("OneHotEncoder", "OrdinalEncoder"):
        return _encoded(part, columns, feed)
    if name == "FunctionTransformer" and part.func is None:
        return (), columns
    if any(column is not None for column in columns):
        raise ValueError(UNSAYABLE)
    steps = PREPARES[name](part)
    return steps, (None,) * through(steps, np.zeros((1, len(columns)))).shape[1]


def _side_by_side(part: Any, columns: Columns, feed: Feed) -> Done:
    chosen: list[tuple[int, ...]] = []
    steps: list[tuple[Step, ...]] = []
    found: list[str | None] = []
    for name, each, _ in part.transformers_:
        at = tuple(int(i) for i in part._transformer_to_input_indices[name])
        if not at or (isinstance(each, str) and each == "drop"):
            continue
        mine = tuple(columns[i] for i in at)
        done, after = ((), mine) if isinstance(each, str) else _prepared(each, mine, feed)
        chosen.append(at)
        steps.append(done)
        found += after
    return (Beside(tuple(chosen), tuple(steps)),), tuple(found)


def _encoded(part: Any, columns: Columns, feed: Feed) -> Done:
    """Each category's code looked up in what the encoder makes of every word of the vocabulary, so that all its options count."""
    if not columns or any(column is None for column in columns):
        raise ValueError(UNSAYABLE)
    tables = _tables(part, tuple(c for c in columns if c is not None), feed)
    looks = tuple((Look(table),) for table in tables)
    return (Beside(tuple((i,) for i in range(len(columns))), looks),), (None,) * sum(table.shape[1] for table in tables)


def _tables(part: Any, names: tuple[str, ...], feed: Feed) -> list[Floats]:
    if len(set(names)) < len(names):
        raise ValueError(UNSAYABLE)
    most = max(len(feed.vocabulary[name]) for name in names) + 1
    words = {name: [*feed.vocabulary[name], *[None] * (most - len(feed.vocabulary[name]))] for name in names}
    asked = pa.table({name: pa.array(said, pa.string()) for name, said in words.items()})
    made = part.transform(fed(asked, replace(feed, columns=names)))
    dense = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)
    widths = part._n_features_outs if _name(part) == "OneHotEncoder" else [1] * len(names)
    ends = np.cumsum([0, *widths])
    if ends[-1] != dense.shape[1]:
        raise ValueError(UNSAYABLE)
    return [dense[: len(feed.vocabulary[name]) + 1, ends[i] : ends[i + 1]] for i, name in enumerate(names)]


def _categories_of_boosting(fitted: Any, columns: Columns, feed: Feed) -> Done:
    """What HistGradientBoosting does first: categories become codes and come first."""
    if fitted._preprocessor is None:
        if any(column is not None for column in columns):
            raise ValueError(UNSAYABLE)
        return (), columns
    encoder = fitted._preprocessor.named_transformers_["encoder"]
    first, rest = np.flatnonzero(fitted.is_categorical_), np.flatnonzero(~fitted.is_categorical_)
    if any(columns[i] is not None for i in rest):
        raise ValueError(UNSAYABLE)
    named = tuple(name for i in first if (name := columns[i]) is not None)
    if named and len(named) < len(first):
        raise ValueError(UNSAYABLE)
    if named:
        steps: list[tuple[Step, ...]] = [(Look(table),) for table in _tables(encoder, named, feed)]
    else:
        steps = [(Refuse(True), Match(_known(words))) for words in encoder.categories_]
    chosen = [*((int(i),) for i in first), tuple(int(i) for i in rest)]
    return (Beside(tuple(chosen), (*steps, ())),), (None,) * len(columns)


def _known(words: NDArray[Any]) -> Floats:
    known = np.asarray(words, dtype=np.float64)
    return known[~np.isnan(known)]


def _scaled(**by: object) -> tuple[Step, ...]:
    return (Refuse(True), Scale(**{name: None if said is None else np.asarray(said, np.float64) for name, said in by.items()}))


def _min_max(part: Any) -> tuple[Step, ...]:
    if part.clip:
        raise ValueError(UNSAYABLE)
    return _scaled(times=part.scale_, plus=part.min_)


def _filled(part: Any) -> tuple[Step, ...]:
    by = np.asarray(part.statistics_)
    if by.dtype != np.float64 or np.isnan(by).any() or not (isinstance(part.missing_values, float) and np.isnan(part.missing_values)):
        raise ValueError(UNSAYABLE)
    noted = part.indicator_.features_ if part.add_indicator else np.zeros(0)
    return (Refuse(True), Fill(by, np.asarray(noted).astype(np.int32)))


PREPARES: dict[str, Callable[[Any], tuple[Step, ...]]] = {
    "StandardScaler": lambda part: _scaled(minus=part.mean_ if part.with_mean else None, over=part.scale_ if part.with_std else None),
    "RobustScaler": lambda part: _scaled(
        minus=part.center_ if part.with_centering else None, over=part.scale_ if part.with_scaling else None
    ),
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": lambda part: _scaled(over=part.scale_),
    "SimpleImputer": _filled,
}
"""What each of scikit-learn's preparing steps does to numbers; categories are ``_encoded``."""
