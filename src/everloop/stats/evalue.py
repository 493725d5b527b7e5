"""E-values: evidence that stays valid however often one looks. Arrays in, numbers out; no clock, no disk, no chance.

An e-value is the wealth of a bettor who started with 1 against the null hypothesis. While the null holds it reaches 1/alpha at any time
with a probability of at most alpha (Ville 1939), so one may look after every event and stop when one likes. All here are uniform mixtures
of constant bets: sums of logarithms that do not depend on the order of events and add up over workers and days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from everloop.stats.blocks import codes
from everloop.stats.losses import Losses, capped, losses
from everloop.stats.measures import Measure
from everloop.stats.sequences import bounded_mean
from everloop.stats.shapes import Floats, Paired

Counts: TypeAlias = NDArray[np.int64]

STAKES = np.array([0.95, 0.5, 0.2, 0.07, 0.02])

# Most of the stake lies on effects between 1.15 and 2, where roll-outs are decided; some on smaller ones, and some on disasters.
_SMALL, _USUAL = np.geomspace(np.log(1.02), np.log(1.1), 4), np.geomspace(np.log(1.15), np.log(2.0), 14)
_WIDEST = float(np.log(1e6))  # a ratio further out than this is told as 0 or infinity


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


def arm_events(
    candidate: Floats,
    share: Floats,
    weight: Floats | float = 1.0,
    *,
    times: Counts | Floats | int = 1,
    margin: float = 1.0,
    more: bool | None = True,
    most: float = 8.0,
) -> Bets:
    """Evidence that the candidate's units have events more often (``more=False``: less often; None: not as often) than ``margin`` times
    the champion's.

    ``candidate`` (n,) 1 where the event's unit is answered by the candidate, else 0; ``share`` (n,) the chance of that when the unit was
    assigned; ``weight`` (n,) in 0…1 (1: an event; an amount: min(amount, cap) / cap with the cap fixed before the start); ``times`` (n,)
    how many such events there were. Each unit must count once. Valid with shares that change or adapt and with rates that change; no two
    distributions have to be equal. With every assigned unit as an event and ``more=None`` it is the test of the sample ratio.

    With q(d) = share e^d / (1 - share + share e^d), an event multiplies bet d by 1 - w + w q_d(arm) / q_margin(arm). The bets are
    on 1.02 to ``most`` times the margin, either way of it (Lindon and Malek 2022 mix over a Dirichlet instead).

    >>> arms, half = np.array([1.0] * 18 + [0.0] * 2), np.full(20, 0.5)
    >>> arm_events(arms, half).value > 20 > 1 > arm_events(arms, half, more=False).value
    True
    >>> arm_events(np.array([1.0, 0.0]), np.full(2, 0.5), times=np.array([5_200, 4_800]), more=None).value > 20
    True

    Raises ValueError for arms other than 0 and 1, shares that leave no choice, and weights outside 0…1.
    """
    times = np.asarray(times)
    factors = _factors(candidate, share, weight, margin, more, most)
    return Bets((factors * times).sum(axis=1), int(np.broadcast_to(times, factors.shape[1:]).sum()))


def arm_process(
    candidate: Floats,
    share: Floats,
    weight: Floats | float = 1.0,
    *,
    margin: float = 1.0,
    more: bool | None = True,
    most: float = 8.0,
) -> Floats:
    """The e-value of ``arm_events`` after each event, in order (n,): what someone has seen who looked every time.

    >>> arm_process(np.ones(20), np.full(20, 0.5)).round(1)[[0, 9, 19]].tolist()
    [1.2, 35.3, 6597.4]
    """
    factors = _factors(candidate, share, weight, margin, more, most)
    wealth = np.cumsum(factors, axis=1, out=factors)
    highest = wealth.max(axis=0, initial=0.0)
    return np.asarray(np.exp(np.minimum(highest + np.log(np.exp(wealth - highest).mean(axis=0)), 690.0)))


def ratio_between(
    candidate: Floats,
    share: Floats,
    weight: Floats | float = 1.0,
    *,
    times: Counts | Floats | int = 1,
    confidence: float = 0.95,
    close: float = 1e-9,
) -> tuple[float, float]:
    """Between what the candidate's rate of events over the champion's lies: a confidence sequence, right at all times at once.

    All ratios that are neither proven too low nor too high by ``arm_events``, each side with half of what may go wrong. Every factor of a
    bet falls as the margin rises, so this is one interval, and bisection finds its ends, as logarithms, as ``close`` as said. Without
    events, nothing is known: (0, inf).

    >>> low, high = ratio_between(np.array([1.0, 0.0]), np.array([0.5, 0.5]), times=np.array([300, 500]))
    >>> round(low, 2), round(high, 2)
    (0.47, 0.75)
    """

    def unproven(log_margin: float, more: bool) -> bool:
        bets = arm_events(candidate, share, weight, times=times, margin=float(np.exp(log_margin)), more=more)
        return bets.value < 2 / (1 - confidence)

    def end(more: bool) -> float:
        inside, outside = (_WIDEST, -_WIDEST) if more else (-_WIDEST, _WIDEST)
        if unproven(outside, more):
            return 0.0 if more else float("inf")
        while abs(inside - outside) > close:
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if unproven(middle, more) else (inside, middle)
        return float(np.exp(inside))

    return end(True), end(False)


def weighted(values: Floats, weights: Floats) -> Floats:
    """The weighted mean of e-values, which is an e-value however they depend on one another (Vovk and Wang 2021).

    ``values`` (k,) or (k, n) for n looks; ``weights`` (k,), chosen before anything is seen; they need not add up to 1. What has not been
    measured yet has the e-value 1. An array of one number, or of n.

    >>> round(float(weighted(np.array([60.0, 1.0, 0.5, 1.0]), np.array([0.3, 0.2, 0.3, 0.2]))), 2)
    18.55

    Raises ValueError for values that are no e-values, and weights that are negative or all 0.
    """
    values, weights = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if not (values >= 0).all():
        raise ValueError("An e-value is NaN or negative; what has not been measured yet has the e-value 1.")
    if not (np.isfinite(weights) & (weights >= 0)).all() or len(weights) != len(values) or weights.sum() <= 0:
        raise ValueError(f"weights are {weights.tolist()}; say one for each of {len(values)} e-values, none negative, not all 0.")
    return np.asarray(np.tensordot(weights / weights.sum(), values, axes=1))


def _factors(candidate: Floats, share: Floats, weight: Floats | float, margin: float, more: bool | None, most: float) -> Floats:
    """By what an event multiplies each bet, as logarithms (bets, n)."""
    candidate, share, weight = (np.asarray(x, dtype=np.float64) for x in np.broadcast_arrays(candidate, share, weight))
    if not np.isin(candidate, (0.0, 1.0)).all():
        raise ValueError("candidate is 1 where the candidate answers and 0 where the champion does; there is another value in it.")
    if not ((share > 0) & (share < 1)).all():
        raise ValueError("A share is not between 0 and 1. Units that could get only one version are compared with nobody; leave them out.")
    if not ((weight >= 0) & (weight <= 1)).all():
        raise ValueError("A weight is not in 0…1. An amount weighs min(amount, cap) / cap, with the cap fixed before the start.")
    up = np.concatenate([_SMALL, _USUAL, np.geomspace(np.log(2.2), np.log(most), 6)])
    effects = np.concatenate([up, -up]) if more is None else up if more else -up
    at_margin = 1 - share + share * margin
    at_bet = 1 - share + share * margin * np.exp(effects)[:, None]
    ratio = np.where(candidate > 0.5, np.exp(effects)[:, None], 1.0) * at_margin / at_bet
    return np.asarray(np.log1p(weight * (ratio - 1)))


def above_rate(bad: int, of: int, rate: float) -> Bets:
    """Evidence that more than ``rate`` of independent cases are bad; order-free, so counts are enough.

    >>> above_rate(4, 4, 0.005).value > 1000, above_rate(5, 1000, 0.005).value < 1
    (True, True)
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate!r}; a rate to exceed lies between 0 and 1.")
    if not 0 <= bad <= of:
        raise ValueError(f"{bad} bad of {of}; say two counts, the first no larger than the second.")
    # Spread over the odds, from 1.05 times to 10,000 times: twice the rate is found as surely as a hundred times the rate.
    odds = rate / (1 - rate) * np.exp(np.geomspace(np.log(1.05), np.log(1e4), 48))
    wealth = bad * np.log(odds / (1 + odds) / rate) - (of - bad) * np.log((1 + odds) * (1 - rate))
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
    wealth: tuple[tuple[float, ...], ...] = ()
    """The logarithm of each bet's wealth after each period, which is all that ``values`` rest on."""

    @property
    def evidence(self) -> float:
        return max(self.values, default=1.0)

    def proven(self, confidence: float) -> bool:
        return self.evidence >= 1 / (1 - confidence)


def paired_evidence(
    measure: Measure, paired: Paired, period: NDArray[np.int64], *, worse: bool, by: float = 0.0, cap: float | None = None
) -> Sequence | None:
    """Evidence that the candidate is worse (or better) than the champion by more than ``by`` of the champion's value, on paired answers.

    ``paired`` holds questions that can all be judged, ``period`` (n,) counts periods as long as a truth takes (``blocks.periods``).
    What one unit does within one period is one bet; all bets of a period stake the same share, so the sum tested is the measure's own.
    None where the measure does not add up (``losses.adds_up``). With a ``cap`` (``losses.cap_of``), half of the wealth is bet on losses
    that count up to it: a few huge losses, which tell little and cost every bet its stake, then cannot hide what all others show. What is
    proven is then that the candidate is worse by the one or the other.

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
    caps = (None,) if cap is None else (None, cap)
    total, after, rows = Bets(np.zeros(len(STAKES) * len(caps))), [], 0
    for p in np.unique(period):
        now = paired.take(period == p)
        found = losses(measure, now)
        if found is None:
            return None
        sign, unit = (1.0 if worse else -1.0) * (-1.0 if measure.better == "higher" else 1.0), codes(now.units)
        bets = [_of_period(found if upto is None else capped(found, upto), unit, sign, by) for upto in caps]
        total = total + Bets(np.concatenate([bet.wealth for bet in bets]), bets[0].rows)
        rows += len(now)
        after.append(total)
    wealth = tuple(tuple(bets.wealth.tolist()) for bets in after)
    return Sequence(tuple(bets.value for bets in after), rows, wealth)


def _of_period(found: Losses, unit: NDArray[np.int64], sign: float, by: float) -> Bets:
    """The bets of one period: what each unit lost more (``sign`` 1) with the candidate."""
    counted = np.minimum(found.champion, found.most)
    differences = np.bincount(unit, (found.candidate - found.champion) * sign - by * counted).astype(np.float64)
    return bounded(differences, float(np.bincount(unit, found.apart + by * found.most).max()))


def paired_difference(
    measure: Measure, paired: Paired, period: NDArray[np.int64], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Between what the mean of (candidate's loss − champion's loss) lies, whenever one looks; what one unit does in one period is added up.

    The arrays are those of ``paired_evidence``. An empirical-Bernstein confidence sequence (``sequences.bounded_mean``) over differences
    that cannot be larger than the answers of the two lie apart, which is known before any truth. Of what is better when higher, above 0 is
    worse too. None where the measure does not add up, and where nothing can be judged.

    >>> from everloop.records import Shape
    >>> from everloop.stats.measures import measure
    >>> from everloop.stats.shapes import Answers
    >>> number, truth = Shape(kind="number"), np.random.default_rng(3).poisson(9.0, 400).astype(float)
    >>> units, moments = np.array([str(i) for i in range(400)], dtype=object), np.zeros(400, dtype=np.int64)
    >>> pair = Paired(units, moments, truth, Answers(number, np.full(400, 9.0)), Answers(number, np.full(400, 14.0)))
    >>> low, high = paired_difference(measure("mae"), pair, moments)
    >>> 1.5 < low < np.abs(14 - truth).mean() - np.abs(9 - truth).mean() < high < 5
    True
    """
    found = losses(measure, paired) if len(paired) else None
    if found is None:
        return None
    lots = [np.flatnonzero(period == p) for p in np.unique(period)]
    higher = -1.0 if measure.better == "higher" else 1.0
    gone, apart = (found.candidate - found.champion) * higher, found.apart
    sums, most = [], 0.0
    for rows in lots:
        unit = codes(paired.units[rows])
        sums.append(np.bincount(unit, gone[rows]).astype(np.float64))
        most = max(most, float(np.bincount(unit, apart[rows]).max()))
    if most <= 0:
        return 0.0, 0.0
    every = np.clip(np.concatenate(sums), -most, most)
    return bounded_mean(every, lowest=-most, highest=most, confidence=confidence).now
