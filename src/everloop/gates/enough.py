"""How many questions it takes to settle a comparison. In: an interval, what it has to clear. Out: a number of questions. No clock, no disk.

As in the planning of any test: the standard error shrinks with the root of the number of questions, if further ones are as those there are,
of as many more units, or periods, whichever leaves more open. An effect that lies ``apart`` from what is asked is told from it, at a
two-sided ``confidence``, with a chance ``power`` where apart = (z_confidence + z_power) standard errors (Cohen 1988, "Statistical power
analysis", chapter 2).
"""

from __future__ import annotations

from math import ceil, isfinite

from scipy.special import ndtri

POWER, FINDS = 0.8, 0.9  # of telling an effect that was seen; of finding one that was declared, below which nothing is decided
SPARE = 1.5  # so many times what that takes are told to be gathered: how much questions vary is a guess too
MOST = 10**9  # beyond it nobody waits


def questions_needed(
    rows: int, low: float | None, high: float | None, apart: float, *, confidence: float, power: float = POWER
) -> int | None:
    """About how many questions settle it, where ``rows`` gave the interval ``low`` … ``high``; None where no number of them would, or no
    interval is known.

    >>> questions_needed(1000, 0.0, 0.08, 0.02, confidence=0.95), questions_needed(1000, 0.0, 0.08, 0.0, confidence=0.95)
    (8173, None)
    """
    if low is None or high is None or not isfinite(high - low) or not apart:
        return None
    error = (high - low) / 2 / ndtri((1 + confidence) / 2)
    needed = rows * ((ndtri((1 + confidence) / 2) + ndtri(power)) * error / apart) ** 2
    return max(1, ceil(needed)) if needed <= MOST else None


def said_needed(needed: int | None, rows: int) -> str:
    """The same as the end of a sentence; nothing where the number is not known, or there are as many.

    >>> said_needed(8173, 1000), said_needed(900, 1000), said_needed(None, 1000)
    ('; about 8,200 questions like these would settle it', '', '')
    """
    if needed is None or needed <= rows:
        return ""
    return f"; about {about_so_many(needed):,} questions like these would settle it"


def about_so_many(needed: int) -> int:
    """So many, in two digits, and not fewer.

    >>> about_so_many(37_594), about_so_many(8173), about_so_many(7)
    (38000, 8200, 7)
    """
    unit = int(10 ** max(0, len(str(needed)) - 2))
    return -(-needed // unit) * unit
