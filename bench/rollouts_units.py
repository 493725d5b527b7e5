"""How units are split: evenly, independently, for good; and whether exposures that get lost are noticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import numpy as np

from bench.goal import Goal, at_least, at_most
from bench.rollouts_world import Floats
from everloop.records import Traffic
from everloop.rollout import arm_of, compared
from everloop.rollout.assign import places
from everloop.stats.evalue import arm_process

UNITS: Final = 1_000_000
SHARES: Final = (0.01, 0.05, 0.25, 0.5)
ALARM: Final = 1_000.0  # the sample ratio is wrong at 1 in 1,000


def units() -> Iterator[Goal]:
    yield from evenly()
    yield sticky()
    yield from lost()


def evenly() -> Iterator[Goal]:
    """Coverage and variation of a million units, under two salts."""
    names = [f"customer-{i}" for i in range(UNITS)]
    one, two = (np.array([places(name, salt) for name in names]) for salt in ("one", "two"))
    cells = [np.bincount((one[:, k] * 1000).astype(int), minlength=1000) for k in (0, 1)]
    cells.append(np.bincount((one[:, 0] * 30).astype(int) * 30 + (one[:, 1] * 30).astype(int), minlength=900))
    p = [even(c) for c in cells]
    yield at_least(
        "a million units, chi-square of their places", min(p), 0.001, "p", "coverage {:.3f}, variation {:.3f}, both {:.3f}".format(*p)
    )
    apart = np.abs(np.corrcoef(np.column_stack([one, two]), rowvar=False) - np.eye(4)).max()
    yield at_most("largest correlation of places, two salts", float(apart), 0.005, "|r|")


def even(counts: Floats) -> float:
    """The p-value of Pearson's test against equal counts."""
    from scipy.stats import chisquare

    return float(chisquare(counts).pvalue)


def sticky() -> Goal:
    """Which of a million units, once compared, is given another version when the share rises."""
    now = datetime(2026, 11, 2, tzinfo=UTC)
    moved = 0
    steps = [
        Traffic(id="t", made_at=now, since=now, model="m", generation=2, stage="canary", champion="a", candidate="b", share=s, salt="s")
        for s in SHARES
    ]
    for i in range(UNITS):
        unit, before = f"customer-{i}", None
        for traffic in steps:
            if not compared(unit, traffic):
                continue
            arm = arm_of(unit, traffic)
            moved += before is not None and arm != before
            before = arm
    return at_most("units given another version as the share rises", moved, 0, "units", "a million units, from 1 % to half")


def lost() -> Iterator[Goal]:
    """The sample ratio, looked at after every unit: with a tenth of the candidate's exposures lost, and with none."""
    rng, found = np.random.default_rng(31), []
    for _ in range(400):
        arm = rng.random(25_000) < 0.5
        there = ~(arm & (rng.random(len(arm)) < 0.1))
        alarm = arm_process(arm[there].astype(np.float64), np.full(int(there.sum()), 0.5), more=None) >= ALARM
        found.append(float(np.flatnonzero(there)[alarm.argmax()] + 1) if alarm.any() else np.inf)
    by_then = float(np.mean(np.array(found) <= 10_000))
    yield at_most(
        "a tenth of the candidate's exposures lost: found", float(np.median(found)), 10_000, "units", f"{by_then:.0%} of 400 within 10,000"
    )
    alarms = 0
    for run in range(2_000):
        share = np.repeat([0.05, 0.25, 0.5, 0.5], 2_500) if run % 2 else np.full(10_000, 0.5)
        arm = (rng.random(len(share)) < share).astype(np.float64)
        alarms += bool((arm_process(arm, share, more=None) >= ALARM).any())
    yield at_most("none lost: alarms", alarms / 2_000, 0.001, "share", f"{alarms} of 2,000, looked at after every unit")
