"""Quiet: what the alarm rule costs where nothing happens, told from its own past. Distances in, a figure out; no clock, no disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from everloop.monitor.habit import HABIT, Past, judge
from everloop.stats.intervals import poisson_bound

ROUNDS, LEAST = 20, 20
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class QuietYear:
    """False alarms a year, as incidents: ``expected``, and at most ``most`` at 95 %. ``windows`` past ones told it."""

    expected: float
    most: float
    windows: int

    def __str__(self) -> str:
        return (
            f"A quiet year costs {self.expected:.1f} false alarm{'' if self.expected == 1 else 's'} (at most {self.most:.1f}), "
            f"as its {self.windows} past windows tell"
        )


def quiet_year(past: Past, span: timedelta, *, seed: int = 0) -> QuietYear | None:
    """The rule played over its own past windows, in 20 other orders, and how often an alarm then begins: in whatever order they came, the
    same days are no drift. Windows that were an alarm are left out. None of fewer than 20 windows: of so few nothing can be told.

    The upper end is as if all orders together had said no more than the windows once: Poisson's 95 % bound on as many looks as there
    are windows beyond the first fourteen.
    """
    alarm = judge(past).alarm.any(axis=1)
    quiet = past.take(np.flatnonzero(~alarm))
    count = len(quiet.rows)
    if count < LEAST:
        return None
    rng, began, looks = np.random.default_rng(seed), 0, 0
    for _ in range(ROUNDS):
        some = quiet.take(rng.permutation(count))
        # The first fourteen are what the habit begins with; the rest are judged.
        some = Past(some.d, some.psi_raw, some.psi, some.side, some.rows, np.arange(count) < HABIT)
        alarmed: NDArray[np.bool_] = np.any(judge(some).alarm[HABIT:], axis=1)
        began += int((alarmed & ~np.append(False, alarmed[:-1])).sum())
        looks += len(alarmed)
    a_year = YEAR / span
    once = looks / ROUNDS
    return QuietYear(began / looks * a_year, poisson_bound(began / ROUNDS) / once * a_year, count)
