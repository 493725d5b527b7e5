# ruff: noqa: N803 — X is what learners call it
"""The candidates of some questions as a recommender reads them: which item each row is, how often it was had, what else is known of it.

A question's own past is among its candidates: those rows of which something was had. No clock, no disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.columns import Column, column_at, names_of, place_of
from everloop.training.feed import Fed
from everloop.training.pairs import Codes, Pairs

NOWHERE = -1
"""The code of an item nobody has learnt of."""


@dataclass(frozen=True)
class Choices:
    """Rows by question: ``starts[q]`` to ``starts[q + 1]``.

    ``numbers`` (n, k) are the features that are numbers; ``codes`` (n,) the items; ``had`` (n,) how often the item was had; ``shelves``
    (n,) the item's category as a number; ``popular`` (n,) how popular it is, by what the feature core says. ``carts`` holds for each
    question the codes of what lies in the cart already.
    """

    numbers: Floats
    codes: Codes
    had: Floats
    shelves: Codes
    popular: Floats
    starts: Codes
    carts: tuple[Codes, ...] = ()

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def questions(self) -> Codes:
        """Whose candidate each row is, (n,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def past(self, known: int) -> Pairs:
        """A row for each question: what it had of ``known`` items, each weighted by the logarithm of how often; the cart counts as had."""
        rows: list[tuple[Codes, Floats]] = []
        for q in range(len(self)):
            part = slice(self.starts[q], self.starts[q + 1])
            mine = (self.had[part] > 0) & (self.codes[part] != NOWHERE)
            codes, weights = self.codes[part][mine], np.log1p(self.had[part][mine])
            if self.carts:
                cart = np.setdiff1d(self.carts[q], codes)
                codes, weights = np.concatenate([codes, cart]), np.concatenate([weights, np.ones(len(cart))])
            rows.append((codes, weights))
        return Pairs.of(rows, known)

    def take(self, questions: Codes) -> Choices:
        """These questions, in this order."""
        sizes = np.diff(self.starts)[questions]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.arange(starts[-1]) + np.repeat(self.starts[questions] - starts[:-1], sizes)
        carts = tuple(self.carts[q] for q in questions.tolist()) if self.carts else ()
        return Choices(
            self.numbers[rows], self.codes[rows], self.had[rows], self.shelves[rows], self.popular[rows], starts, carts
        )  # fmt: skip


def numbers_of(X: Fed) -> Floats:
    """Every column that holds numbers, (n, k) float64; categories and texts are left out."""
    if isinstance(X, np.ndarray):
        return np.asarray(X, dtype=np.float64)
    named = [name for name in names_of(X) if not _is_words(X, name)]
    made = np.empty((len(X), len(named)), dtype=np.float64)
    for at, name in enumerate(named):
        made[:, at] = X[name].to_numpy()
    return made


def words_of(X: Fed, column: Column) -> list[str]:
    """A column of categories, what is missing as ``""``; numbers as they are written. Raises LearnerFailed where there is none."""
    at = place_of(X, column)
    if isinstance(X, np.ndarray):
        return [f"{value:g}" for value in column_at(X, at).tolist()]
    name = names_of(X)[at]
    said = X[name].to_pylist() if hasattr(X[name], "to_pylist") else X[name].tolist()
    return ["" if value is None or value != value else str(value) for value in said]


def coded(words: Sequence[str | None], vocabulary: Mapping[str, int], otherwise: int = NOWHERE) -> Codes:
    """Words as their numbers.

    >>> coded(["b", "c", None], {"a": 0, "b": 1}).tolist()
    [1, -1, -1]
    """
    return np.array([vocabulary.get(word, otherwise) if word is not None else otherwise for word in words], dtype=np.int64)


def _is_words(X: Fed, name: str) -> bool:
    if hasattr(X, "schema"):
        kind = str(X.schema.field(name).type)
        return kind.startswith(("dictionary", "string", "large_string"))
    return str(X[name].dtype) in ("category", "object", "str", "string")
