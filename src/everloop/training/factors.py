"""Matrix factorisation: customers and items as short vectors whose product says how likely one takes the other. Arrays in, arrays out.

Alternating least squares on who had what (Hu, Koren and Volinsky 2008: collaborative filtering for implicit feedback): a thing had ``w``
times counts as yes with confidence 1 + ``trust`` w, a thing not had as no with confidence 1. Customers are never kept: whoever asks is
folded in from what they had, so that a customer nobody has learnt of is answered like any other.
"""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Floats
from everloop.training.pairs import Pairs

TRUST = 2.0
RIDGE = 5.0


def factors(had: Pairs, *, width: int = 24, rounds: int = 8, trust: float = TRUST, ridge: float = RIDGE, seed: int = 0) -> Floats:
    """The vector of each item (columns of ``had``; a row for each customer), (items, width).

    >>> had = Pairs.of([([0, 1], [1, 1]), ([0, 1], [1, 1]), ([2, 3], [1, 1]), ([2, 3], [1, 1])], 4)
    >>> items = factors(had, width=2, ridge=0.1)
    >>> one = folded_in(items, had.take(np.array([0])), ridge=0.1)
    >>> [round(float(x)) for x in (one @ items.T)[0]]
    [1, 1, 0, 0]
    """
    drawn = np.random.default_rng(seed).normal(0, 1 / np.sqrt(width), (had.width, width))
    by_item = Pairs.of_sparse(had.sparse().T)
    items = np.asarray(drawn, dtype=np.float64)
    for _ in range(rounds):
        customers = folded_in(items, had, trust=trust, ridge=ridge)
        items = folded_in(customers, by_item, trust=trust, ridge=ridge)
    return items


def folded_in(
    others: Floats, rows: Pairs, *, trust: float = TRUST, ridge: float = RIDGE, usual: Floats | None = None
) -> Floats:  # fmt: skip
    """The vector of each row that fits the vectors of what it has best, (rows, width); 0 for a row that has nothing.

    ``usual`` is ``usual_of(others, ridge)``, where it is at hand. Each is solved alone, so that one row gives the same
    bits among many as by itself.
    """
    width = others.shape[1]
    usual = usual_of(others, ridge) if usual is None else usual
    made = np.zeros((len(rows), width))
    for at in range(len(rows)):
        columns, values = rows.row(at)
        if len(columns):
            mine = others[columns]
            more = trust * values
            made[at] = np.linalg.solve(usual + (mine * more[:, None]).T @ mine, mine.T @ (1.0 + more))
    return made


def usual_of(others: Floats, ridge: float = RIDGE) -> Floats:
    """What every row is solved against before anything is known of it, (width, width)."""
    return np.asarray(others.T @ others + ridge * np.eye(others.shape[1]))
