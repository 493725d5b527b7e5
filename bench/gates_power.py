"""Candidates that are better by the smallest effect that was declared: found where there are as many questions as it takes, and not
decided about where there are fewer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.special import ndtri

from bench.gates_world import Shop, World, judged
from bench.goal import Goal, at_least
from everloop import beats_champion
from everloop.gates.enough import FINDS, SPARE

SMALLEST: Final = 0.1
RUNS, PILOT = 600, 300
SHOP: Final = World(customers=100, held_out=56, weather=0.1, lasting=0.3)
CONDITION: Final = beats_champion("wape", finds=SMALLEST)


def power() -> Iterator[Goal]:
    """How many customers it takes is worked out from how much the effect varies among contests of the same shop, which no gate can see."""
    rng = np.random.default_rng(63)
    spread = float(np.std([_effect(Shop(SHOP, rng)) for _ in range(PILOT)]))
    times = (float(ndtri(0.975) + ndtri(FINDS)) * spread / SMALLEST) ** 2
    needed = int(np.ceil(SHOP.customers * times)), int(np.ceil(SHOP.held_out * times))
    told = [int(np.ceil(SPARE * n)) for n in needed]
    outcomes = [_outcome(rng, *told, SMALLEST) for _ in range(RUNS)]
    beside = f"{told[0]} customers, {told[1]} days, {RUNS:,} contests; undecided {1 - np.mean([o == 'passed' for o in outcomes]):.1%}"
    yield at_least("found at the declared smallest effect", float(np.mean([o == "passed" for o in outcomes])), 0.8, "share", beside)
    few = []
    for run in range(RUNS):
        part = rng.uniform(0.1, 0.5)
        sizes = (max(5, int(n * part)) for n in needed)
        few.append(_outcome(rng, *sizes, (0.0, SMALLEST)[run % 2]))
    beside = f"a tenth to half of the {needed[0]} customers and {needed[1]} days it takes; every other candidate is better"
    share = float(np.mean([o == "not enough evidence" for o in few]))
    yield at_least("below the needed size: not enough evidence", share, 0.99, "share", beside)


def _effect(shop: Shop) -> float:
    return judged(shop.contest(shop.weather(shop.world.held_out), 0), beats_champion("wape")).effect or 0.0


def _outcome(rng: np.random.Generator, customers: int, held_out: int, effect: float) -> str:
    shop = Shop(World(customers=customers, held_out=held_out, own=SHOP.own, weather=SHOP.weather, lasting=SHOP.lasting), rng)
    return judged(shop.contest(shop.weather(held_out), 0, effect), CONDITION).outcome
