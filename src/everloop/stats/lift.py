"""What answers bring over a control's, in an amount with a heavy tail: evidence and an interval that hold however often one looks. Arrays
in, numbers out; no clock, no disk, no chance.

Of an amount without an upper bound nothing can be proven from any number of units: one more buyer may always turn the mean (Bahadur and
Savage 1956, "The nonexistence of certain statistical procedures in nonparametric problems"). So an amount counts up to ``most``, fixed
before the first unit is counted, and what is proven is proven of the amount so capped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from everloop.stats.evalue import STAKES, bounded
from everloop.stats.shapes import Floats

LEAST = 30
"""From so many units with a past on, it is learnt what a past tells."""


@dataclass(frozen=True)
class Brought:
    """What a unit of the model has more than one of the control, in the amounts' own unit, each counted up to the cap.

    ``model`` and ``control`` are the plain means of the arms; ``effect`` takes out what was foreseen of each unit, and lies between ``low``
    and ``high`` with the confidence asked for, at all times at once. ``more`` and ``less`` are the e-values that it is above and below 0.
    """

    units: int
    kept: int
    model: float
    control: float
    effect: float
    low: float
    high: float
    more: float
    less: float
    spread: float
    """The deviation of one unit's term, of which the mean is the effect."""

    @property
    def share(self) -> tuple[float, float, float] | None:
        """Effect, low and high as shares of what a unit of the control has; None where that is nothing."""
        return None if self.control <= 0 else (self.effect / self.control, self.low / self.control, self.high / self.control)


def brought(
    values: Floats, model: Floats, share: Floats, *, most: float, before: Floats | None = None, confidence: float = 0.95
) -> Brought:
    """What units of the model have more than those of the control.

    ``values`` (n,) amounts in the order in which they were settled, one for each unit, 0 where nothing was bought; ``model`` (n,) 1 or 0;
    ``share`` (n,) the chance of 1 when the unit was assigned; ``most`` the cap; ``before`` (n,) what the same unit had in a span as long
    before it was met (NaN: no past). The interval is what the bets of ``after_each`` do not rule out, each side with half of what may go
    wrong.

    >>> rng = np.random.default_rng(4)
    >>> arm, past = (rng.random(4000) < 0.5).astype(float), rng.gamma(2.0, 10.0, 4000)
    >>> found = brought(past * 0.8 + rng.gamma(1.0, 5.0, 4000) + 2 * arm, arm, np.full(4000, 0.5), most=100.0, before=past)
    >>> found.more > 1000, found.low < 2 < found.high, round(found.high - found.low, 1) < 2
    (True, True, True)

    Raises ValueError for arms other than 0 and 1, shares that leave no choice, amounts that are no numbers, and a cap that is not above 0.
    """
    found, bound = terms(values, model, share, most=most, before=before)
    kept, capped = np.asarray(model) < 0.5, np.clip(np.asarray(values, dtype=np.float64), 0.0, most)

    def unproven(margin: float, sign: float) -> bool:
        return bounded(sign * (found - margin), bound + sign * margin).value < 2 / (1 - confidence)

    def end(sign: float) -> float:
        inside, outside = sign, -sign  # no effect is larger than the cap
        if unproven(outside, sign):
            return outside
        while abs(inside - outside) > 1e-7:
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if unproven(middle, sign) else (inside, middle)
        return inside

    return Brought(
        units=int((~kept).sum()),
        kept=int(kept.sum()),
        model=float(capped[~kept].mean()) if (~kept).any() else 0.0,
        control=float(capped[kept].mean()) if kept.any() else 0.0,
        effect=float(np.clip(found.mean(), -1.0, 1.0)) * most if len(found) else 0.0,
        low=end(1.0) * most,
        high=end(-1.0) * most,
        more=bounded(found, bound).value,
        less=bounded(-found, bound).value,
        spread=float(found.std()) * most if len(found) else 0.0,
    )


def after_each(values: Floats, model: Floats, share: Floats, *, most: float, before: Floats | None = None) -> tuple[Floats, Floats]:
    """The e-values that the model brings more, and that it brings less, after each unit (n,): what someone has seen who looked every time.

    An empirical bet on bounded values (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting"): each unit
    multiplies the wealth of stake f by 1 + f t / b, where t is its term and b the largest a term can be. Whatever was foreseen, a term's
    mean given the past is the difference of the arms (Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro 2024, "Anytime-valid off-policy
    inference for contextual bandits"), so while the model brings nothing no stake gains on average, however heavy the tail below the cap,
    however seasons, shares and rates move, and whenever one stops.

    >>> arms = np.tile([1.0, 0.0], 60)
    >>> more, less = after_each(arms * 5, arms, np.full(120, 0.5), most=10.0)
    >>> bool(more[-1] > 20 > 1 > less[-1])
    True
    """
    found, bound = terms(values, model, share, most=most, before=before)

    def course(sign: float) -> Floats:
        wealth = np.cumsum(np.log1p(STAKES[:, None] * sign * found / bound), axis=1)
        highest = wealth.max(axis=0, initial=-np.inf)
        return np.asarray(np.exp(np.minimum(highest + np.log(np.exp(wealth - highest).mean(axis=0)), 690.0)))

    return course(1.0), course(-1.0)


def terms(values: Floats, model: Floats, share: Floats, *, most: float, before: Floats | None = None) -> tuple[Floats, float]:
    """For each unit (n,) a number whose mean is what the model brings, as a share of the cap; and the largest that any can be.

    (y - m) (a / p - (1 - a) / (1 - p)), with y the capped amount over the cap, m what was foreseen of it, a the arm and p its chance.

    Raises ValueError as ``brought`` does.
    """
    values, model, share = (np.asarray(x, dtype=np.float64) for x in (values, model, share))
    if not np.isfinite(values).all():
        raise ValueError(f"Amounts hold NaN or infinity at {np.flatnonzero(~np.isfinite(values))[:3].tolist()}; who buys nothing has 0.")
    if not np.isin(model, (0.0, 1.0)).all():
        raise ValueError("model is 1 where the model answers and 0 where the control does; there is another value in it.")
    if not ((share > 0) & (share < 1)).all():
        raise ValueError("A share is not between 0 and 1. Units that could get only one arm are compared with nobody; leave them out.")
    if not most > 0:
        raise ValueError(f"most is {most!r}; a cap lies above 0, and is fixed before the first unit is counted.")
    y = np.clip(values / most, 0.0, 1.0)
    past = None if before is None else np.clip(np.asarray(before, dtype=np.float64) / most, 0.0, 1.0)
    foreseen = _foreseen(y, past)
    bound = float((1 / np.minimum(share, 1 - share)).max()) if len(share) else 1.0
    return (y - foreseen) * (model / share - (1 - model) / (1 - share)), bound


def units_needed(found: Brought, lift: float, *, needs: float = 20.0) -> int | None:
    """About how many units in all prove a lift of this share, at the mean and the spread seen so far; None where nothing was bought yet.

    A bet gains half of (effect / spread)² with each unit at best (Kelly 1956); a mixture of five stakes takes log 5 more. To two digits
    upwards.

    >>> units_needed(Brought(900, 100, 11.0, 10.0, 1.0, -1.0, 3.0, 2.0, 0.5, 50.0), 0.05)
    93000
    """
    effect = found.control * lift
    if effect <= 0 or found.spread <= 0:
        return None
    units = 2 * log(needs * len(STAKES)) * (found.spread / effect) ** 2
    scale = 10 ** max(0, len(str(int(units))) - 2)
    return int(ceil(units / scale) * scale)


def _foreseen(y: Floats, past: Floats | None) -> Floats:
    """What was expected of each unit (n,) from those before it alone: the mean of those without a past; of those with one, the line of
    least squares through what they had and what they had had. Within 0 and 1."""
    if past is None:
        return _mean_before(y, np.ones(len(y), dtype=bool))
    known = np.isfinite(past)
    expected = _mean_before(y, ~known)
    x, mine = past[known], y[known]
    n = np.arange(len(x), dtype=np.float64)
    so_far = [np.concatenate([[0.0], np.cumsum(of)[:-1]]) if len(x) else x for of in (x, mine, x * x, x * mine)]
    mean_x, mean_y, square, product = (total / np.maximum(n, 1.0) for total in so_far)
    varies = np.maximum(square - mean_x**2, 0.0)
    slope = np.where((n >= LEAST) & (varies > 1e-12), (product - mean_x * mean_y) / np.maximum(varies, 1e-12), 0.0)
    expected[known] = mean_y + slope * (x - mean_x)
    return np.asarray(np.clip(expected, 0.0, 1.0))


def _mean_before(y: Floats, counts: np.ndarray) -> Floats:
    """The mean of the counting units before each (n,); 0 before the first."""
    total, n = np.cumsum(y * counts), np.cumsum(counts)
    return np.concatenate([[0.0], (total / np.maximum(n, 1))[:-1]]) if len(y) else np.zeros(0)
