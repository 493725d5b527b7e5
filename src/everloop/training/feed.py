# ruff: noqa: N806 — X is what learners call it
"""How a table of features is fed to a learner: plain numbers, Arrow or pandas. In: an Arrow table. Out: X. No clock, no disk.

Categories become categories with the version's frozen vocabulary, never codes behind the user's back; what the vocabulary does not hold is
missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.errors import LearnerFailed, Unknown

FedAs: TypeAlias = Literal["numbers", "arrow", "pandas"]
Fed: TypeAlias = Any  # float64 (n, columns) in C order; a pyarrow.Table; or a pandas.DataFrame
Value: TypeAlias = float | str | None


@dataclass(frozen=True)
class Feed:
    """What a learner is fed: which columns in which order, in which form, with which categories. Frozen with the version."""

    columns: tuple[str, ...]
    fed_as: FedAs = "numbers"
    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()


def feed_of(table: pa.Table, columns: Sequence[str], fed_as: FedAs = "numbers", texts: Sequence[str] = ()) -> Feed:
    """The feed these rows call for; every category they hold goes into the vocabulary, sorted.

    ``texts`` names the string columns that are free text and not categories. Raises Unknown where a column is missing, LearnerFailed
    where a category or a text would have to be fed as a number.

    >>> rows = pa.table({"price": [1.0, None], "kind": ["tea", "coffee"]})
    >>> feed_of(rows, ["price", "kind"], "arrow").vocabulary
    {'kind': ('coffee', 'tea')}
    """
    vocabulary: dict[str, tuple[str, ...]] = {}
    for name in columns:
        column = _column(table, name)
        if not _is_string(column.type) or (name in texts and fed_as != "numbers"):
            continue
        if fed_as == "numbers":
            raise _no_number(name, "a text" if name in texts else "a category")
        vocabulary[name] = tuple(sorted(v for v in pc.unique(column).to_pylist() if v is not None))
    return Feed(tuple(columns), fed_as, vocabulary, tuple(t for t in texts if t in columns))


def fed(table: pa.Table, feed: Feed) -> Fed:
    """The rows as the learner sees them, empty as NaN, an unseen category as a missing one, an empty text as ``""``.

    >>> rows = pa.table({"price": [1.0, None], "many": [3, 4]})
    >>> fed(rows, Feed(("many", "price")))
    array([[ 3.,  1.],
           [ 4., nan]])
    """
    if feed.fed_as == "numbers":
        X = np.empty((len(table), len(feed.columns)), dtype=np.float64)
        for at, name in enumerate(feed.columns):
            X[:, at] = numbers(_column(table, name), name)
        return X
    if feed.fed_as == "arrow":
        return pa.table({name: _as_arrow(table, name, feed) for name in feed.columns})
    import pandas as pd

    return pd.DataFrame({name: _as_pandas(table, name, feed) for name in feed.columns}, index=pd.RangeIndex(len(table)))


def coded(table: pa.Table, feed: Feed) -> NDArray[np.float64]:
    """The rows as numbers alone: a category as its place in the vocabulary, one past the last where it is missing or unseen.

    >>> rows = pa.table({"price": [1.0, None], "kind": ["tea", "mate"]})
    >>> coded(rows, Feed(("price", "kind"), "arrow", {"kind": ("coffee", "tea")}))
    array([[ 1.,  1.],
           [nan,  2.]])
    """
    X = np.empty((len(table), len(feed.columns)), dtype=np.float64)
    for at, name in enumerate(feed.columns):
        column = _column(table, name)
        if name not in feed.vocabulary:
            X[:, at] = numbers(column, name)
            continue
        place = {word: float(code) for code, word in enumerate(feed.vocabulary[name])}
        X[:, at] = [place.get(word, len(place)) for word in _strings(column).to_pylist()]
    return X


def row(features: Mapping[str, Value], feed: Feed) -> pa.Table:
    """One question's features as a table of one row; what is not said is empty.

    >>> row({"price": 3.5}, Feed(("price", "stock"))).to_pylist()
    [{'price': 3.5, 'stock': None}]
    """
    strings = set(feed.vocabulary) | set(feed.texts)
    kinds = {name: pa.string() if name in strings else pa.float64() for name in feed.columns}
    extra = {name: value for name, value in features.items() if name not in kinds}
    arrays = {name: pa.array([features.get(name)], kind, from_pandas=True) for name, kind in kinds.items()}
    return pa.table(arrays | {name: pa.array([value]) for name, value in extra.items()})


def numbers(column: pa.ChunkedArray | pa.Array, name: str) -> NDArray[np.float64]:
    """A column as float64, empty as NaN. Raises LearnerFailed where it is no number.

    >>> numbers(pa.array([True, None, False]), "new")
    array([ 1., nan,  0.])
    """
    if _is_string(column.type):
        raise _no_number(name, "a category")
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type)):
        raise _no_number(name, f"of type {column.type}")
    # Unchecked: an int64 beyond 2**53 is rounded, as every learner would.
    array = column.cast(pa.float64(), safe=False)
    return np.asarray(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy(), dtype=np.float64)


def _as_arrow(table: pa.Table, name: str, feed: Feed) -> pa.Array:
    column = _column(table, name)
    if name in feed.texts:
        return pc.fill_null(_strings(column), "")
    if name in feed.vocabulary:
        # scikit-learn 1.9 reads a null in a dictionary column as its last category, so what is missing is a category of its own.
        words = feed.vocabulary[name]
        codes = pc.fill_null(_codes(column, words), pa.scalar(len(words), pa.int32()))
        return pa.DictionaryArray.from_arrays(codes, pa.array([*words, missing_among(words)], pa.string()))
    return pa.array(numbers(column, name))  # NaN, not null: not every learner reads a null as empty


def _as_pandas(table: pa.Table, name: str, feed: Feed) -> Any:
    import pandas as pd

    column = _column(table, name)
    if name in feed.texts:
        return np.array(pc.fill_null(_strings(column), "").to_pylist(), dtype=object)
    if name in feed.vocabulary:
        codes = pc.fill_null(_codes(column, feed.vocabulary[name]), -1).to_numpy(zero_copy_only=False)
        return pd.Categorical.from_codes(codes, categories=pd.Index(feed.vocabulary[name], dtype=object))
    return numbers(column, name)


def missing_among(vocabulary: Sequence[str]) -> str:
    """What a missing category is called in Arrow: ``(empty)``, longer where the data says that itself.

    >>> missing_among(["tea"]), missing_among(["(empty)"])
    ('(empty)', '((empty))')
    """
    word = "(empty)"
    while word in vocabulary:
        word = f"({word})"
    return word


def _codes(column: pa.ChunkedArray, vocabulary: Sequence[str]) -> pa.Array:
    return pc.index_in(_strings(column), value_set=pa.array(vocabulary, pa.string()))


def _strings(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(pa.string()).combine_chunks()


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise Unknown(
            "column", name, table.column_names, where="the features", next="The version was trained with it; read it for each question."
        )
    return table.column(name)


def _is_string(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _no_number(name: str, what: str) -> LearnerFailed:
    return LearnerFailed(
        f'{name} is {what}, and the learner is fed numbers. Say fed_as="arrow" or "pandas", with a learner that reads categories; '
        "none is turned into codes behind your back."
    )
