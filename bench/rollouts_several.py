"""Tests of several candidates at once: how often one that is no better is promoted, what the part of the level costs, and how soon lost
units are noticed. Looked at after every batch of events, and for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.goal import Goal, at_least, at_most
from everloop.stats.evalue import arm_events
from everloop.stats.sizes import sizes_off

BATCH: Final = 20
BATCHES: Final = 150
PROVEN: Final = 20.0
AMONG: Final = 5
Wins = NDArray[np.bool_]


def several(runs: int = 2000) -> Iterator[Goal]:
    """Twins of the champion, candidates of which one is better, and arms of which units are lost."""
    rng = np.random.default_rng(31)
    beside = f"{runs:,} tests of {AMONG} candidates, looked at after each of {BATCHES} batches of {BATCH} events"
    told = twins(rng, runs)
    yield at_most("tests that promote a twin, each candidate held to its part of the level", told["its part"], 0.05, "share", beside)
    yield at_least("tests that promote a twin by a pairwise z-test, the rival", told["z"], 0.3, "share", beside)
    yield at_least("tests that promote a twin where each has the whole level, the mutant", told["whole"], 0.07, "share", beside)
    beside = f"{runs // 4:,} tests of {AMONG} candidates, looked at as often"
    found = better(rng, runs // 4, lift=1.6)
    yield at_least("tests that promote the one candidate that is 1.6 times as good", found["right"], 0.9, "share", beside)
    yield at_most("tests that promote another one instead", found["wrong"], 0.05, "share", beside)
    off = sizes(rng, runs // 4)
    yield at_most(
        "splits that are as they should be, and called otherwise at 1,000 : 1", off["fair"], 0.002, "share", f"{runs // 4} splits"
    )
    yield at_least("splits noticed of which one of four arms lost a tenth", off["lost"], 0.95, "share", f"{runs // 4} splits, 40,000 units")


def evidence(rng: np.random.Generator, runs: int, rates: tuple[float, ...]) -> NDArray[np.float64]:
    """By test, batch and candidate (runs, batches, n), the evidence that it has more events than the champion, who has half of the units;
    ``rates`` (n,) are the candidates' over the champion's."""
    chances = np.array([0.5, *(0.5 * rate / len(rates) for rate in rates)])
    events = rng.multinomial(BATCH, chances / chances.sum(), size=(runs, BATCHES)).cumsum(axis=1)
    pair = np.full(1, (0.5 / len(rates)) / (0.5 + 0.5 / len(rates)))
    theirs, ours = (arm_events(np.full(1, arm), pair).wealth for arm in (1.0, 0.0))
    found = np.empty((runs, BATCHES, len(rates)))
    for arm in range(len(rates)):
        wealth = events[:, :, 1 + arm, None] * theirs + events[:, :, :1] * ours
        found[:, :, arm] = np.exp(np.minimum(wealth, 300.0)).mean(axis=2)
    return found


def twins(rng: np.random.Generator, runs: int, among: int = AMONG) -> dict[str, float]:
    """In what share of tests of candidates that are the champion's twins any of them is ever promoted: with its part of the level, with the
    whole of it, and by a z-test of each against the champion at 5 %."""
    best = evidence(rng, runs, (1.0,) * among).max(axis=(1, 2))
    z = np.abs(_z(rng, runs, among)).max(axis=(1, 2)) > 1.96
    return {"its part": float((best >= PROVEN * among).mean()), "whole": float((best >= PROVEN).mean()), "z": float(z.mean())}


def _z(rng: np.random.Generator, runs: int, among: int) -> NDArray[np.float64]:
    """Of the same kind of test, the usual figure of each candidate: events beside those that its share of the pair makes."""
    events = rng.multinomial(BATCH, [0.5, *([0.5 / among] * among)], size=(runs, BATCHES)).cumsum(axis=1)
    both, pair = events[:, :, 1:] + events[:, :, :1], 1 / (1 + among)
    return np.asarray((events[:, :, 1:] - pair * both) / np.sqrt(np.maximum(pair * (1 - pair) * both, 1e-9)))


def better(rng: np.random.Generator, runs: int, lift: float) -> dict[str, float]:
    """How often the one candidate that is better is promoted, and how often another is."""
    found = evidence(rng, runs, (1.0,) * (AMONG - 1) + (lift,)) >= PROVEN * AMONG
    when = np.where(found.any(axis=1), found.argmax(axis=1), BATCHES)  # (runs, n): the batch each wins in
    first = np.where(when.min(axis=1) < BATCHES, when.argmin(axis=1), -1)
    return {"right": float((first == AMONG - 1).mean()), "wrong": float(((first >= 0) & (first < AMONG - 1)).mean())}


def sizes(rng: np.random.Generator, runs: int, units: int = 40_000, looks: int = 40) -> dict[str, float]:
    """How often the sizes of four arms are ever called wrong: of fair splits, and of those of which the last arm lost a tenth."""
    chances, told = np.array([0.5, *([0.5 / 3] * 3)]), {"fair": 0, "lost": 0}
    for _ in range(runs):
        met = rng.multinomial(units // looks, chances, size=looks)
        kept = met.copy()
        kept[:, -1] = rng.binomial(met[:, -1], 0.9)
        for name, counts in (("fair", met), ("lost", kept)):
            told[name] += any(sizes_off([(row, chances.tolist())]).value >= 1000 for row in counts.cumsum(axis=0).tolist())
    return {name: count / runs for name, count in told.items()}
