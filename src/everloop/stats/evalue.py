"""E-values: evidence that stays valid however often one looks. Arrays in, numbers out; no clock, no disk, no chance.

An e-value is the wealth of a bettor who started with 1 against the null hypothesis. While the null holds it reaches 1/alpha at any time
with a probability of at most alpha (Ville 1939), so one may look after every event and stop when one likes. All here are uniform mixtures
of constant bets: sums of logarithms that do not depend on the order of events and add up over workers and days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from everloop.stats.blocks import codes
from everloop.stats.losses import losses
from everloop.stats.measures import Measure
from everloop.stats.shapes import Floats, Paired

RATIOS = np.exp(np.geomspace(np.log(1.02), np.log(8.0), 24))
STAKES = np.array([0.95, 0.5, 0.2, 0.07, 0.02])


@dataclass(frozen=True)
class Bets:
    """The logarithm of the wealth of each bet of a mixture. Two lots of evidence on one hypothesis are added.

    >>> both = Bets(np.log([2.0, 4.0])) + Bets(np.log([2.0, 1.0]))
    >>> round(both.value, 9), both.rows
    (4.0, 0)
    """

    wealth: Floats
    rows: int = 0

    @property
    def value(self) -> float:
        """The e-value: the mean wealth; at most 1e300, for infinity is no number."""
        return float(np.exp(min(logsumexp(self.wealth) - np.log(len(self.wealth)), 690.0)))

    def __add__(self, other: Bets) -> Bets:
        return Bets(self.wealth + other.wealth, self.rows + other.rows)


def arm_events(candidate: Floats, share: Floats, weight: Floats | float = 1.0, *, margin: float = 1.0, more: bool = True) -> Bets:
    """Evidence that the candidate's units have events more often (``more=False``: less often) than ``margin`` times the champion's.

    ``candidate`` (n,) 1 where the event's unit is answered by the candidate, else 0; ``share`` (n,) the chance of that when the unit was
    assigned; ``weight`` (n,) in 0…1 (1: an event; an amount: min(amount, cap) / cap with the cap fixed before the start). Each unit must
    count once. Valid with shares that change or adapt and with rates that change; no two distributions have to be equal.

    With q(d) = share e^d / (1 - share + share e^d), an event multiplies bet d by 1 - w + w q_d(arm) / q_margin(arm).

    >>> arms, half = np.array([1.0] * 18 + [0.0] * 2), np.full(20, 0.5)
    >>> arm_events(arms, half).value > 20 > 1 > arm_events(arms, half, more=False).value
    True
    """
    candidate, share, weight = (np.asarray(x, dtype=np.float64) for x in np.broadcast_arrays(candidate, share, weight))
    ratios = margin * (RATIOS if more else 1 / RATIOS)

    def chance(ratio: Floats | float) -> Floats:
        of_candidate = share * ratio / (1 - share + share * ratio)
        return np.where(candidate > 0.5, of_candidate, 1 - of_candidate)

    under_null = chance(margin)
    wealth = [float(np.log1p(weight * (chance(r) / under_null - 1)).sum()) for r in ratios]
    return Bets(np.array(wealth), len(candidate))


def above_rate(bad: int, of: int, rate: float) -> Bets:
    """Evidence that more than ``rate`` of independent cases are bad; order-free, so counts are enough.

    >>> above_rate(4, 4, 0.005).value > 1000, above_rate(5, 1000, 0.005).value < 1
    (True, True)
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate!r}; a rate to exceed lies between 0 and 1.")
    rates = 1 - (1 - rate) * np.geomspace(0.999, 0.01, 48)
    wealth = bad * np.log(rates / rate) + (of - bad) * np.log((1 - rates) / (1 - rate))
    return Bets(np.asarray(wealth), of)


def bounded(differences: Floats, lowest: float) -> Bets:
    """Evidence that differences, each at least ``-lowest`` for sure, add up to more than 0 on average (Waudby-Smith and Ramdas 2024).

    Each bet stakes a constant share f of its wealth: wealth = Π (1 + f d / lowest). Valid if the differences are independent given the
    past, with means that may differ as long as their sum is not above 0.

    >>> bounded(np.full(40, 0.3), 1.0).value > 1000, bounded(np.array([0.5, -0.5] * 20), 1.0).value < 1
    (True, True)
    """
    if lowest <= 0 or not len(differences):
        return Bets(np.zeros(len(STAKES)), 0)
    scaled = np.maximum(np.asarray(differences, dtype=np.float64) / lowest, -1.0)
    return Bets(np.log1p(STAKES[:, None] * scaled).sum(axis=1), len(differences))


@dataclass(frozen=True)
class Sequence:
    """An e-process: its value after each period, in order; ``evidence`` is the largest so far, which is what Ville's inequality bounds."""

    values: tuple[float, ...]
    rows: int

    @property
    def evidence(self) -> float:
        return max(self.values, default=1.0)

    def proven(self, confidence: float) -> bool:
        return self.evidence >= 1 / (1 - confidence)


def paired_evidence(measure: Measure, paired: Paired, period: NDArray[np.int64], *, worse: bool, by: float = 0.0) -> Sequence | None:
    """Evidence that the candidate is worse (or better) than the champion by more than ``by`` of the champion's value, on paired answers.

    ``paired`` holds questions that can all be judged, ``period`` (n,) counts periods as long as a truth takes (``blocks.periods``).
    What one unit does within one period is one bet; all bets of a period stake the same share, so the sum tested is the measure's own.
    None where the measure does not add up (``losses.adds_up``).

    Assumes: given the past, units are independent within a period. What befalls all units at once in one period counts as a true
    difference of that period. With ``by`` above 0, absolute losses of the champion count up to twice the largest answer of the period.

    >>> from everloop.records import Shape
    >>> from everloop.stats.measures import measure
    >>> from everloop.stats.shapes import Answers
    >>> rng, number = np.random.default_rng(3), Shape(kind="number")
    >>> truth, guess = rng.poisson(9.0, 300).astype(float), np.full(300, 9.0)
    >>> units, moments = np.array([str(i) for i in range(300)], dtype=object), np.zeros(300, dtype=np.int64)
    >>> pair = Paired(units, moments, truth, Answers(number, guess), Answers(number, guess * 1.5))
    >>> paired_evidence(measure("wape"), pair, moments, worse=True, by=0.1).proven(0.95)
    True
    """
    total, values, rows = Bets(np.zeros(len(STAKES))), [], 0
    for p in np.unique(period):
        now = paired.take(period == p)
        found = losses(measure, now)
        if found is None:
            return None
        counted = np.minimum(found.champion, found.most)
        gone = (found.candidate - found.champion) * (1.0 if worse else -1.0) * (-1.0 if measure.better == "higher" else 1.0)
        unit = codes(now.units)
        differences = np.bincount(unit, gone - by * counted).astype(np.float64)
        total = total + bounded(differences, float(np.bincount(unit, found.apart + by * found.most).max()))
        rows += len(now)
        values.append(total.value)
    return Sequence(tuple(values), rows)
