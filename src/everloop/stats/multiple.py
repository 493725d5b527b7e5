"""Many tests at once, and many looks at one test. Numbers in, numbers out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats


def benjamini_hochberg(p: Floats, q: float = 0.01) -> NDArray[np.bool_]:
    """Which of the tests are found, so that at most a share ``q`` of what is found is false (Benjamini and Hochberg 1995).

    A p-value that is NaN is a test that could not be made: it is not found and does not count.

    >>> benjamini_hochberg(np.array([0.001, 0.02, 0.3, 0.5, np.nan]), q=0.05)
    array([ True,  True, False, False, False])
    """
    found = np.zeros(len(p), dtype=bool)
    made = np.flatnonzero(~np.isnan(p))
    if not len(made):
        return found
    order = made[np.argsort(p[made], kind="stable")]
    below = np.flatnonzero(p[order] <= q * np.arange(1, len(order) + 1) / len(order))
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found


def share_of_look(look: int, alpha: float = 0.05) -> float:
    """How much of ``alpha`` the ``look``-th look (1, 2, …) may spend, so that all looks for ever spend no more: alpha * 6 / (pi look)^2.

    >>> round(share_of_look(1), 4), sum(share_of_look(k) for k in range(1, 10_000)) < 0.05
    (0.0304, True)
    """
    return alpha * 6 / (np.pi * look) ** 2


def share_of_contest(contest: int) -> float:
    """How much of alpha the ``contest``-th contest (1, 2, …) against one champion may spend, so that all of them, however many, spend no
    more: 1 / (k (k + 1)), the first half of it.

    Spending a level that was fixed beforehand needs nothing of how the contests depend on one another (Lan and DeMets 1983, "Discrete
    sequential boundaries for clinical trials"): weeks that two of them are judged by may be the same.

    >>> [round(1 / share_of_contest(k)) for k in (1, 2, 3, 10)], sum(share_of_contest(k) for k in range(1, 100_000)) < 1
    ([2, 6, 12, 110], True)

    Raises ValueError for a contest before the first.
    """
    if contest < 1:
        raise ValueError(f"There is no contest {contest}; they are counted from 1.")
    return 1 / (contest * (contest + 1))
