"""Can a classifier tell two tables apart? Arrays in, numbers out; seeded.

The domain classifier (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests"): boosted trees learn which table a row is from,
five folds, each answered by what did not learn from it. An AUC of 0.5 is chance. What single features cannot show, two that come apart, it
sees; it is weak on few rows, and asked for, never watched with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats

FOLDS, ROUNDS, LEAST_ROWS = 5, 499, 100
Labels: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class ToldApart:
    """``auc`` of telling the tables apart; ``p``: how often shuffled labels do as well; ``weights`` (columns,): the AUC that is lost when a
    column is shuffled.
    """

    auc: float
    p: float
    weights: Floats


def told_apart(reference: Floats, current: Floats, *, seed: int = 0) -> ToldApart | None:
    """How well rows (n, columns) and (m, columns) are told apart, NaN being empty; None with fewer than 100 rows on a side, or no column.

    >>> rng = np.random.default_rng(1)
    >>> same = told_apart(rng.normal(0, 1, (300, 2)), rng.normal(0, 1, (300, 2)))
    >>> other = told_apart(rng.normal(0, 1, (300, 2)), rng.normal([0, 1], 1, (300, 2)))
    >>> same.auc < 0.6 < 0.65 < other.auc, other.p < 0.01, int(other.weights.argmax())
    (True, True, 1)
    """
    if min(len(reference), len(current)) < LEAST_ROWS or not reference.shape[1]:
        return None
    rng = np.random.default_rng(seed)
    rows = np.concatenate([reference, current])
    new = np.repeat([False, True], [len(reference), len(current)])
    fold = np.empty(len(rows), dtype=np.int64)
    for side in (False, True):
        fold[new == side] = rng.permutation(int((new == side).sum())) % FOLDS
    score, weights = _out_of_fold(rows, new, fold, rng, seed)
    # Within a fold the labels could have been dealt in any way, if there is no difference: the models have not seen them.
    found = auc(score, new)
    by_chance = [auc(score, _dealt(rng, new, fold)) for _ in range(ROUNDS)]
    return ToldApart(found, float((1 + np.sum(np.array(by_chance) >= found)) / (ROUNDS + 1)), weights)


def _out_of_fold(rows: Floats, new: Labels, fold: NDArray[np.int64], rng: np.random.Generator, seed: int) -> tuple[Floats, Floats]:
    """The chance of each row to be of the second table, by a model that has not seen it; and what each column is worth."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    score, lost = np.empty(len(rows)), np.zeros((FOLDS, rows.shape[1]))
    # So few rows are learnt sooner by one thread than by many that wait for each other.
    with threadpool_limits(1):
        for k in range(FOLDS):
            held = fold == k
            model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=15, random_state=seed).fit(rows[~held], new[~held])
            score[held] = model.predict_proba(rows[held])[:, 1]
            whole = auc(score[held], new[held])
            for column in range(rows.shape[1]):
                shuffled = rows[held].copy()
                shuffled[:, column] = rng.permutation(shuffled[:, column])
                lost[k, column] = whole - auc(model.predict_proba(shuffled)[:, 1], new[held])
    return score, lost.mean(axis=0)


def auc(score: Floats, positive: Labels) -> float:
    """How often a positive scores above a negative, ties half.

    >>> auc(np.array([0.1, 0.4, 0.4]), np.array([False, True, False]))
    0.75
    """
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    n = int(positive.sum())
    return float((rank[place][positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def _dealt(rng: np.random.Generator, new: Labels, fold: NDArray[np.int64]) -> Labels:
    found = new.copy()
    for k in range(FOLDS):
        found[fold == k] = rng.permutation(found[fold == k])
    return found
