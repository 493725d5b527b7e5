"""Shops in which a roll-out goes on: who was answered by whom, and what became of it. In: a seed. Out: arrays; nothing is judged here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.stats.thompson import shares as thompson

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

UNITS: Final = 20_000
#: How the candidate's share goes: by steps, as it was decided once, or as what was seen so far makes it.
WAYS: Final = ("ramp", "half", "tenth", "by results", "Thompson")
SIGMAS: Final = (0.9, 1.5, 2.5)
CONVERSION, ERRORS, SLOW, BROKEN = 0.03, 0.001, 0.01, 0.005


@dataclass(frozen=True)
class Truth:
    """What the candidate does to each rate: the ratio to the champion's; 1 throughout is an A/A roll-out."""

    conversion: float = 1.0
    order: float = 1.0
    slow: float = 1.0


@dataclass(frozen=True)
class Rollout:
    """``n`` units in the order of their assignment. A flag says that something happened to the unit at least once, whatever the number of
    its requests; ``weight`` is its order over the cap, 0 without an order; ``failed`` counts requests."""

    share: Floats
    candidate: Floats
    requests: NDArray[np.int64]
    converted: Flags
    weight: Floats
    erred: Flags
    failed: NDArray[np.int64]
    slow: Flags
    broken: Flags


def rollout(rng: np.random.Generator, way: str, sigma: float, truth: Truth = Truth(), units: int = UNITS) -> Rollout:
    """A roll-out in changing weather: every rate swings by 75 % once a day, errors come in bursts, a few users ask a thousand times."""
    at = np.arange(units)
    season = 1 + 0.75 * np.sin(2 * np.pi * (at / 4000 + rng.random()))
    requests = np.minimum(np.ceil(rng.pareto(1.3, units)).astype(np.int64), 1000)
    eager = np.minimum(0.6 + 0.2 * np.log2(1 + requests), 2.0)  # who asks often buys more often
    rate = np.minimum(CONVERSION * season * eager, 0.5)
    luck, split = rng.random(units), rng.random(units)
    share, arm = assigned(rng, way, split, luck, rate, truth.conversion)
    converted = luck < rate * np.where(arm, truth.conversion, 1.0)
    burst = np.where(rng.random(units // 500 + 1) < 0.1, 2.5, 1.0)[at // 500]
    failed = rng.binomial(requests, ERRORS * season * burst)
    slow = rng.random(units) < 1 - (1 - SLOW * season * np.where(arm, truth.slow, 1.0)) ** requests
    broken = rng.random(units) < 1 - (1 - BROKEN) ** requests
    weight = np.zeros(units)
    value = np.exp(rng.normal(0, sigma, int(converted.sum()))) * np.where(arm[converted], truth.order, 1.0)
    weight[converted] = np.minimum(value / np.exp(2.576 * sigma), 1.0)  # the cap: the champion's 99.5 % quantile
    return Rollout(share, arm.astype(np.float64), requests, converted, weight, failed > 0, failed, slow, broken)


def assigned(rng: np.random.Generator, way: str, split: Floats, luck: Floats, rate: Floats, ratio: float) -> tuple[Floats, Flags]:
    """The candidate's share at each unit, and which units it got."""
    units = len(split)
    fixed = {"ramp": np.repeat([0.01, 0.05, 0.25, 0.5], -(-units // 4))[:units], "half": np.full(units, 0.5), "tenth": np.full(units, 0.1)}
    if way in fixed:
        return fixed[way], split < fixed[way]
    share, arm = np.full(units, 0.1), np.zeros(units, dtype=bool)
    won, lost, now = np.zeros(2), np.zeros(2), 0.1
    for start in range(0, units, 1000):
        batch = slice(start, start + 1000)
        share[batch] = now
        arm[batch] = split[batch] < now
        happened = luck[batch] < rate[batch] * np.where(arm[batch], ratio, 1.0)
        won += np.bincount(arm[batch], happened, 2)
        lost += np.bincount(arm[batch], ~happened, 2)
        if way == "Thompson":
            now = float(thompson(won, lost, seed=int(rng.integers(2**31)), draws=500)[1])
        else:
            better = won[1] * (won[0] + lost[0]) > won[0] * (won[1] + lost[1])
            now = float(np.clip(now * (1.5 if better else 1 / 1.5), 0.02, 0.8))
    return share, arm
