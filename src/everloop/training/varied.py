"""Diversity: a list that does not say the same thing ten times. Arrays in, arrays out.

Maximal marginal relevance (Carbonell and Goldstein 1998): the next place goes to whoever is best by ``(1 - share) relevance`` less
``share likeness`` to what is in the list already.
"""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.pairs import Codes

LOOKED_AT = 50
"""Of so many best candidates a list is put together; the others keep their places."""


def varied(scores: Floats, vectors: Floats, share: float, most: int) -> Codes:
    """The order in which candidates are listed, best first, (n,); ``vectors`` (n, k) say which are alike (their cosine).

    ``share`` of the choice is diversity, between 0 (the scores alone) and 1. Relevance is the place by score, from 1 down to 0.

    >>> same = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> varied(np.array([3.0, 2.0, 1.0]), same, 0.6, 2).tolist()
    [0, 2, 1]
    """
    order = np.argsort(-scores, kind="stable")
    looked = order[:LOOKED_AT]
    if share <= 0 or len(looked) < 3:
        return order
    length = np.linalg.norm(vectors[looked], axis=1)
    unit = vectors[looked] / np.where(length > 0, length, 1.0)[:, None]
    relevance = 1.0 - np.arange(len(looked)) / max(1, len(looked) - 1)
    nearest, left, chosen = np.zeros(len(looked)), np.ones(len(looked), dtype=bool), []
    for _ in range(min(most, len(looked))):
        worth = np.where(left, (1 - share) * relevance - share * nearest, -np.inf)
        best = int(np.argmax(worth))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, unit @ unit[best])
    places = np.concatenate([chosen, np.flatnonzero(left)]).astype(np.int64)
    return np.concatenate([looked[places], order[LOOKED_AT:]])


def spread_of(vectors: Floats) -> float:
    """How different the items of one list are: 1 less the mean cosine of any two, between 0 and 2; NaN for fewer than two.

    >>> spread_of(np.array([[1.0, 0.0], [0.0, 1.0]]))
    1.0
    """
    if len(vectors) < 2:
        return float("nan")
    length = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(length > 0, length, 1.0)[:, None]
    likeness = unit @ unit.T
    n = len(vectors)
    return float(1 - (likeness.sum() - np.trace(likeness)) / (n * (n - 1)))
