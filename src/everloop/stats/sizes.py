"""Whether the arms of a split are of the sizes it makes, looked at whenever one likes. Counts in, a bet out.

Bets that the units of the arms were drawn by other chances than those that were in force: a Dirichlet mixture over all such chances,
centred on the true ones (Lindon & Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS). While the chances hold it is
the wealth of a fair game, and ever reaches 1/alpha in at most a share alpha of splits, whenever and however often one looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log

import numpy as np

from everloop.stats.evalue import Bets

CLOSE = 100.0
"""How close to the true chances the mixture bets: as if so many units had been seen."""


def sizes_off(met: Sequence[tuple[Sequence[int], Sequence[float]]]) -> Bets:
    """The bet on units counted by arm (k,) while chances (k,) were in force, each with those chances; one pair for each time they changed.

    An arm that nobody can get has no part. With one arm, or no units, it is worth 1.

    >>> fair, lost = [(500, 250, 250)], [(500, 250, 120)]
    >>> sizes_off([(fair[0], (0.5, 0.25, 0.25))]).value < 1, sizes_off([(lost[0], (0.5, 0.25, 0.25))]).value > 1000
    (True, True)

    Raises ValueError for counts below 0, and for units of an arm that nobody can get.
    """
    return Bets(np.array([sum(_wealth(counts, chances) for counts, chances in met)]))


def _wealth(counts: Sequence[int], chances: Sequence[float]) -> float:
    if any(n < 0 or (n > 0 and p <= 0) for n, p in zip(counts, chances, strict=True)):
        raise ValueError(f"{list(counts)} units cannot come of chances of {list(chances)}")
    there = [(n, p) for n, p in zip(counts, chances, strict=True) if p > 0]
    found = lgamma(CLOSE) - lgamma(CLOSE + sum(n for n, _ in there))
    return found + sum(lgamma(CLOSE * p + n) - lgamma(CLOSE * p) - n * log(p) for n, p in there)
