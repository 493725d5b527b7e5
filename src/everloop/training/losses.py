"""What an answer is likely to lose, learnt from answers whose truth is known (direct loss estimation). Arrays in, arrays out.

A boosted tree for each term of the measure, from what was known and what was said. It assumes that the same question, known and answered
the same, loses on average what it lost there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from everloop.stats.shapes import Floats

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

FOLDS, TREES = 3, 40


@dataclass(frozen=True)
class LossModel:
    """``columns`` it knows, ``models`` one for each term of the measure (a number where the term is always the same); ``spread`` (terms,
    terms) the covariance of what it could not foresee, on answers it did not learn from."""

    columns: tuple[str, ...]
    models: tuple[Any, ...]
    spread: Floats

    def terms(self, known: Floats, said: Floats) -> Floats:
        """The terms (n, terms) of answers ``said`` (n,) to questions of which ``known`` (n, columns) is known; NaN is empty."""
        with _one_thread():
            return _predict(self.models, np.column_stack([known, said]))


def learn_losses(columns: tuple[str, ...], known: Floats, said: Floats, terms: Floats, *, seed: int) -> LossModel:
    """Learn the terms of a measure (``Measure.rows``), n answers; a third of them in turn is kept out to see what cannot be foreseen.

    >>> rng = np.random.default_rng(1)
    >>> known = rng.uniform(0, 1, (600, 1))
    >>> terms = np.column_stack([known[:, 0] * rng.exponential(1, 600), np.ones(600)])
    >>> found = learn_losses(("x",), known, np.zeros(600), terms, seed=1)
    >>> bool(found.terms(np.array([[0.1]]), np.zeros(1))[0, 0] < 0.3 < found.terms(np.array([[0.9]]), np.zeros(1))[0, 0])
    True
    """
    inputs = np.column_stack([known, said])
    place = np.arange(len(inputs)) * FOLDS // len(inputs)
    left = np.empty_like(terms)
    with _one_thread():  # on so few rows threads wait longer for one another than they work
        for fold in range(FOLDS):
            out = place == fold
            left[out] = terms[out] - _predict(_fit(inputs[~out], terms[~out], seed), inputs[out])
        return LossModel(columns, _fit(inputs, terms, seed), np.atleast_2d(np.cov(left, rowvar=False)))


def _one_thread() -> AbstractContextManager[object]:
    limit: AbstractContextManager[object] = _pools().limit(limits=1)
    return limit


@cache
def _pools() -> ThreadpoolController:
    """The pools of threads of scikit-learn's libraries, found once: looking through all libraries takes longer than many a prediction."""
    import sklearn.ensemble  # noqa: F401 - its pools have to be there to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _fit(inputs: Floats, terms: Floats, seed: int) -> tuple[Any, ...]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    made: list[Any] = []
    for term in terms.T:
        if np.ptp(term) == 0:
            made.append(float(term[0]))
        else:
            learner = HistGradientBoostingRegressor(max_iter=TREES, max_leaf_nodes=15, early_stopping=False, random_state=seed)
            made.append(learner.fit(inputs, term))
    return tuple(made)


def _predict(models: tuple[Any, ...], inputs: Floats) -> Floats:
    return np.column_stack([np.full(len(inputs), m) if isinstance(m, float) else m.predict(inputs) for m in models])
