"""Tests whose shares move by what units did: how often twins are told apart, and how many units the better version gets. Units change
versions when shares move, each has two batches of time to have its event, and rates swing by 75 %."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.goal import Goal, at_least, at_most
from bench.rollouts_world import Flags, Floats
from everloop.stats.evalue import arm_events
from everloop.stats.thompson import shares

BATCHES: Final = 30
UNITS: Final = 80
WINDOW: Final = 2
PROVEN: Final = 20.0


def bandits(runs: int = 400) -> Iterator[Goal]:
    """Twins, and a candidate that is twice as good."""
    told = twins(np.random.default_rng(5), runs)
    beside = f"{runs:,} tests, looked at after each of {BATCHES} batches"
    yield at_most("twins a bandit tells apart, by the chance in force then", told["then"] / runs, 0.05, "share", beside)
    yield at_least("twins told apart by the chance in force now, the mutant", told["now"] / runs, 0.05, "share", beside)
    yield at_least("twins the pooled z-test tells apart under a bandit", told["pooled z"] / runs, 0.15, "share", beside)
    rng, ends = np.random.default_rng(6), []
    for _ in range(runs // 10):
        *_, (_, last) = one_test(rng, lift=2.0)
        ends.append(last)
    yield at_least("of the units a candidate twice as good has in the end", float(np.mean(ends)), 0.8, "share", f"{runs // 10} tests")


def twins(rng: np.random.Generator, runs: int) -> dict[str, int]:
    """In how many tests of two versions that are the same they are ever told apart: by the chance a unit was drawn with, and by rivals."""
    told = dict.fromkeys(("then", "now", "pooled z"), 0)
    for _ in range(runs):
        fooled = dict.fromkeys(told, False)
        for table, now in one_test(rng):
            fooled["then"] |= evidence(table, table[:, 0]) >= PROVEN
            fooled["now"] |= evidence(table, np.full(len(table), now)) >= PROVEN
            fooled["pooled z"] |= pooled_z(table) > 1.645
        told = {name: told[name] + fooled[name] for name in told}
    return told


def one_test(rng: np.random.Generator, *, lift: float = 1.0) -> Iterator[tuple[Floats, float]]:
    """After each batch whose window is closed the counts by batch, (n, 5): the chance, units and events of the candidate, of the champion;
    and the chance from now on. The candidate's units have an event ``lift`` times as often."""
    share, met, counts = 0.5, [], []
    for batch in range(BATCHES):
        rate = 0.12 * (1 + 0.75 * np.sin(2 * np.pi * batch / 10))
        met.append((share, rng.random(UNITS), rng.random(UNITS), np.zeros(UNITS, dtype=bool)))
        for _, coverage, variation, did in met[-WINDOW:]:
            now = _theirs(coverage, variation, share)[0]
            did |= rng.random(UNITS) < rate * np.where(now, lift, 1.0)
        if batch + 1 < WINDOW:
            continue
        then, coverage, variation, did = met[batch + 1 - WINDOW]
        sides = _theirs(coverage, variation, then)
        counts.append((max(0.5, then), *(float(n) for side in sides for n in (side.sum(), did[side].sum()))))
        table = np.array(counts)
        won, of = table[:, [2, 4]].sum(axis=0), table[:, [1, 3]].sum(axis=0)
        share = float(shares(won, of - won, seed=batch, floor=0.05, draws=400)[0])
        yield table, max(0.5, share)


def _theirs(coverage: Floats, variation: Floats, share: float) -> tuple[Flags, Flags]:
    """Which units are the candidate's under a share, and which the champion's that they are held against."""
    covered, given = coverage < min(1, 2 * share), variation < max(0.5, share)
    return covered & given, covered & ~given


def evidence(table: Floats, chance: Floats) -> float:
    """That the candidate's units have more events; ``chance`` (n,) of being the candidate's, batch by batch."""
    arms, events = np.repeat([1.0, 0.0], len(table)), np.concatenate([table[:, 2], table[:, 4]])
    return arm_events(arms, np.tile(chance, 2), times=events, more=True).value


def pooled_z(table: Floats) -> float:
    """The usual test of two shares, over everything there is."""
    n1, x1, n0, x0 = table[:, 1:].sum(axis=0)
    if min(n1, n0) < 1 or x1 + x0 == 0:
        return 0.0
    p = (x1 + x0) / (n1 + n0)
    return float((x1 / n1 - x0 / n0) / np.sqrt(max(p * (1 - p), 1e-12) * (1 / n1 + 1 / n0)))
