"""How much evidence the next automatic roll-out needs, so that few of all promotions for ever are false. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def level(earlier: Sequence[bool], alpha: float = 0.05) -> float:
    """The level of the next test: it finds something if its e-value reaches 1 / level. ``earlier`` says of each test before it, in order,
    whether it found something. A pure function of the history; say it once, when the test begins.

    e-LOND (Xu and Ramdas 2024): α_t = α γ_t (1 + number found before t). The share of false findings among all is expected to stay within
    α, however the tests depend on one another: a false finding at t counts 1/R with R at least 1 + number found before t, so it adds at
    most α γ_t E[e_t] ≤ α γ_t. As α_t is fixed when test t begins, it may be looked at all the time and stopped when it reaches 1/α_t.
    γ_t = 1/log2(t + 1) - 1/log2(t + 2) adds up to 1 and falls little faster than 1/t.

    >>> [round(1 / level(earlier)) for earlier in ([], [False], [True], [True] * 9, [False] * 9)]
    [54, 153, 76, 198, 1976]

    Raises ValueError for an alpha that is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha!r}; the share of findings that may be false lies between 0 and 1.")
    t = len(earlier) + 1
    return float(alpha * (1 / np.log2(t + 1) - 1 / np.log2(t + 2)) * (1 + sum(map(bool, earlier))))
