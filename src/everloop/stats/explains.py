"""How much of the truth one column, or one model's answers, tells by itself. Arrays in, numbers out; no clock, no disk.

Of a yes or no it is the AUC, whichever way round; of a number the lesser of R² and the R² of ranks, both of a straight line: on numbers of
very different size a column that knows the size alone has an R² near 1, while among ranks it is far from it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from everloop.stats.shapes import Floats, Strings

LEAST, LEAST_OF_EACH = 50, 20


def of_yes(values: Floats, truth: Floats) -> float | None:
    """AUC of values (n,) for truths (n,) of 0 and 1, at least 0.5; empty values count as below all others, or above. None with fewer than
    20 of either truth.

    >>> truth = np.repeat([0.0, 1.0], 50)
    >>> of_yes(-truth, truth), of_yes(np.where(truth > 0, np.nan, 3.0), truth), of_yes(np.ones(100), truth)
    (1.0, 1.0, 0.5)
    """
    known = np.isfinite(truth)
    values, yes = values[known], truth[known] > 0.5
    positives, negatives = int(yes.sum()), int((~yes).sum())
    if min(positives, negatives) < LEAST_OF_EACH:
        return None
    best = 0.5
    for empty in (-np.inf, np.inf) if np.isnan(values).any() else (0.0,):
        ranks = _ranks(np.where(np.isnan(values), empty, values))
        auc = float((ranks[yes].sum() - positives * (positives + 1) / 2) / (positives * negatives))
        best = max(best, auc, 1 - auc)
    return best


def of_number(values: Floats, truth: Floats) -> float | None:
    """The lesser of R² and the R² of ranks of values (n,) for truths (n,), where both are known. None with fewer than 50, or where either
    is the same everywhere.

    >>> size = np.exp(np.random.default_rng(1).normal(0, 2, 400))
    >>> sold = np.random.default_rng(2).poisson(size).astype(float)
    >>> of_number(sold * 2 + 1, sold) > 0.999, of_number(size, sold) < 0.9
    (True, True)
    """
    both = np.isfinite(values) & np.isfinite(truth)
    x, y = values[both], truth[both]
    if len(x) < LEAST or x.min() == x.max() or y.min() == y.max():
        return None
    found = (_correlation(x, y) ** 2, _correlation(_ranks(x), _ranks(y)) ** 2)
    return None if not np.isfinite(found).all() else float(min(found))


def of_words(values: Strings, truth: Floats, measure: Literal["auc", "r2"]) -> float | None:
    """As above, of words (n,): each stands for the mean truth it has in every other row, and is held to the rows between.

    >>> words = np.array(["paid", "open"] * 100, dtype=object)
    >>> of_words(np.repeat(words, 2), np.repeat((words == "open").astype(float), 2), "auc")
    1.0
    """
    known = np.isfinite(truth)
    values, truth = values[known], truth[known]
    there, code = np.unique([str(v) for v in values], return_inverse=True)
    learnt = np.arange(len(truth)) % 2 == 0
    count = np.bincount(code[learnt], minlength=len(there))
    total = np.bincount(code[learnt], truth[learnt], minlength=len(there))
    usual = truth[learnt].mean() if learnt.any() else 0.0
    # A word seen once or twice says little of itself.
    means = (total + usual) / (count + 1)
    told = means[code[~learnt]].astype(np.float64)
    return of_yes(told, truth[~learnt]) if measure == "auc" else of_number(told, truth[~learnt])


def _correlation(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    with np.errstate(all="ignore"):
        return float((x @ y) / np.sqrt((x @ x) * (y @ y)))


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata  # a worker judges nothing, and does without

    found: Floats = rankdata(values)
    return found
