"""Thompson's shares: the more likely an arm is the best, the more of the traffic it gets. Arrays in, shares out; chance comes by seed."""

from __future__ import annotations

import numpy as np

from everloop.stats.shapes import Floats


def shares(successes: Floats, failures: Floats, *, seed: int, floor: float = 0.05, draws: int = 20_000) -> Floats:
    """The share of the next batch each arm gets (arms,): how likely it is the best one, and never less than ``floor``; they add up to 1.

    How likely is counted over ``draws`` of every arm's Beta(1 + successes, 1 + failures) (Thompson 1933), so the same counts and seed give
    the same shares; these are the propensities to log. The floor keeps what an arm earns measurable and its estimates off-policy finite:
    share = floor + (1 - arms × floor) × chance of being best. An arm whose counts are NaN is one of which nothing is known yet (0, 0).
    No arms: no shares.

    >>> shares(np.array([30.0, 60.0]), np.array([970.0, 940.0]), seed=1).round(2).tolist()
    [0.05, 0.95]
    >>> shares(np.array([np.nan]), np.array([3.0]), seed=1).tolist()
    [1.0]

    Raises ValueError for counts below 0 or infinite, for sides of two lengths, and for more arms than the floor leaves room for.
    """
    won, lost = np.asarray(successes, dtype=np.float64), np.asarray(failures, dtype=np.float64)
    if won.ndim != 1 or won.shape != lost.shape:
        raise ValueError(f"successes and failures are {won.shape} and {lost.shape}; say one of each for every arm.")
    unknown = np.isnan(won) | np.isnan(lost)
    won, lost = np.where(unknown, 0.0, won), np.where(unknown, 0.0, lost)
    if not (np.isfinite(won + lost) & (won >= 0) & (lost >= 0)).all():
        raise ValueError(f"successes {won.tolist()}, failures {lost.tolist()}: counts are finite and from 0 on.")
    arms = len(won)
    if not 0 <= floor * arms <= 1:
        raise ValueError(f"{arms} arms cannot each have at least {floor:g} of the traffic. Say a floor from 0 to {1 / arms:g}.")
    if not arms:
        return np.zeros(0)
    drawn = np.random.default_rng(seed).beta(1 + won, 1 + lost, (draws, arms))
    best = np.bincount(drawn.argmax(axis=1), minlength=arms) / draws
    found = floor + (1 - arms * floor) * best
    return np.asarray(found / found.sum())
