"""When to order, and how much, from quantiles of demand. Arrays in, numbers out; no clock, no disk.

Periodic review with a reorder point and an order-up-to level, the (R, s, S) system of Silver, Pyke and Thomas, "Inventory and Production
Management in Supply Chains" (4th ed. 2017), chapters 6 and 7: whoever looks every ``review`` days and waits ``lead`` days for goods is
protected by what is there and on its way over both together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from everloop.errors import EverloopError


@dataclass(frozen=True)
class Supply:
    """How goods come: ``lead`` days from order to shelf, looked after every ``review`` days, ordered to last ``cover`` days beyond that;
    whole packs of ``pack`` units, at least ``minimum`` units an order. ``service`` (0 to 1) is the chance that nothing runs out before
    the next order can arrive."""

    lead: float
    service: float = 0.9
    review: float = 0.0
    cover: float = 0.0
    pack: float = 1.0
    minimum: float = 0.0

    def __post_init__(self) -> None:
        days = (self.lead, self.review, self.cover, self.minimum)
        if not all(isfinite(d) and d >= 0 for d in days) or not self.lead + self.review > 0:
            raise EverloopError(
                f"Goods cannot come like this: lead {self.lead:g}, review {self.review:g}, cover {self.cover:g} days, minimum "
                f"{self.minimum:g} units. None may be below 0, and lead and review together last some time."
            )
        if not 0 < self.service < 1:
            raise EverloopError(f"service {self.service:g} is no share. Say a number between 0 and 1, as 0.95.")
        if not (isfinite(self.pack) and self.pack > 0):
            raise EverloopError(f"pack {self.pack:g} is no number of units. Say how many units come in one pack, as 6.")

    @property
    def protects(self) -> float:
        """Over how many days what is there and on its way has to last: lead and review together."""
        return self.lead + self.review


@dataclass(frozen=True)
class Suggestion:
    """``reorder_point``: order once what is there and on its way is at or below it; ``up_to``: what an order fills it up to; ``quantity``:
    the units to order now, 0 where there is enough; ``safety``: how much of the reorder point is there for the bad days alone."""

    reorder_point: float
    up_to: float
    quantity: float
    safety: float


def suggested(levels: Sequence[float], demand: Sequence[float], days: float, supply: Supply, position: float = 0.0) -> Suggestion:
    """What to order, from the quantiles ``demand`` at ``levels`` (rising) of what is asked for within ``days``.

    ``position`` is what is on hand and on its way, less what is owed. Raises EverloopError where ``service`` lies beyond the levels.

    >>> weekly = suggested((0.1, 0.5, 0.9), (4.0, 10.0, 22.0), 7, Supply(lead=7, service=0.9, cover=7, pack=6), position=15)
    >>> weekly.reorder_point, round(weekly.up_to, 1), weekly.quantity, round(weekly.safety, 1)
    (22.0, 33.8, 24.0, 10.2)
    """
    usual = mean_of(levels, demand)
    point = over(usual, at_level(levels, demand, supply.service), supply.protects / days)
    up_to = point + usual * supply.cover / days
    quantity = 0.0 if position > point else in_packs(max(up_to - position, 0.0), supply.pack, supply.minimum)
    return Suggestion(point, up_to, quantity, point - usual * supply.protects / days)


def at_level(levels: Sequence[float], demand: Sequence[float], level: float) -> float:
    """The quantile at ``level``, straight lines between those that are known. Raises EverloopError beyond the first and the last.

    >>> at_level((0.1, 0.5, 0.9), (4.0, 10.0, 22.0), 0.9)
    22.0
    """
    if not len(levels) or not levels[0] - 1e-9 <= level <= levels[-1] + 1e-9:
        known = f"{levels[0]:g} to {levels[-1]:g}" if len(levels) else "none"
        raise EverloopError(
            f"Nothing is known of the {level:g} quantile: the answers hold {known}. Say a service they hold, or let the model answer with "
            f"{level:g} as well."
        )
    return float(np.interp(level, levels, demand))


def mean_of(levels: Sequence[float], demand: Sequence[float]) -> float:
    """The mean that quantiles speak for: straight lines between them, nothing beyond the first and the last. With 0.1, 0.5 and 0.9 this is
    Swanson's rule (0.3, 0.4, 0.3; Hurst, Brown and Swanson 2000); the median would say that a slow seller sells nothing.

    >>> round(mean_of((0.1, 0.5, 0.9), (0.0, 0.0, 10.0)), 9)
    3.0
    """
    shares = np.concatenate([[0.0], levels, [1.0]])
    values = np.concatenate([demand[:1], demand, demand[-1:]])
    return float(np.diff(shares) @ ((values[1:] + values[:-1]) / 2))


def over(usual: float, quantile: float, times: float) -> float:
    """A quantile over ``times`` as long: what is usual grows with time, how far a bad day lies from it with its square root (periods that
    know nothing of each other); never below 0.

    >>> over(10.0, 22.0, 1.0), over(10.0, 22.0, 4.0)
    (22.0, 64.0)
    """
    return float(max(usual * times + (quantile - usual) * np.sqrt(times), 0.0))


def lasts(levels: Sequence[float], demand: Sequence[float], days: float, position: float, level: float | None = None) -> float:
    """After how many days ``position`` is used up: as is usual, or where demand is as high as its quantile at ``level``; infinite where
    nothing is asked for. The span t at which ``over`` comes to the position: a quadratic in the square root of t.

    >>> weekly = (0.1, 0.5, 0.9), (4.0, 10.0, 22.0), 7
    >>> round(lasts(*weekly, 23.6), 9), round(lasts(*weekly, 22, level=0.9), 9)
    (14.0, 7.0)
    >>> lasts((0.5,), (0.0,), 7, 5.0), lasts((0.5,), (3.0,), 7, -1.0)
    (inf, 0.0)

    Raises EverloopError for a level beyond the levels known.
    """
    usual = mean_of(levels, demand)
    apart = 0.0 if level is None else at_level(levels, demand, level) - usual
    if position <= 0:
        return 0.0
    with np.errstate(over="ignore"):  # what next to nothing is asked of lasts for ever
        if usual <= 0:
            return float(np.square(np.float64(position) / apart) * days) if apart > 0 else float("inf")
        root = (np.sqrt(apart * apart + 4 * usual * position) - apart) / (np.float64(2) * usual)
        return float(root * root * days)


def in_packs(units: float, pack: float, minimum: float = 0.0) -> float:
    """Units as whole packs, at least ``minimum``; nothing stays nothing.

    >>> in_packs(13, 6), in_packs(1, 6, 20), in_packs(0, 6, 20)
    (18.0, 24.0, 0.0)
    """
    if units <= 0:
        return 0.0
    # 0.3 / 0.1 is a little less than 3; a pack is no reason to order another for that.
    return float(np.ceil(np.round(max(units, minimum) / pack, 9)) * pack)
