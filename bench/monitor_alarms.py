"""The alarm rule on worlds where nothing happens, and on worlds where one feature of fifty moves by a quarter of a standard deviation.

Fifty normal features, binned by 128 bins of equal mass: of independent rows the counts in fixed bins are exactly multinomial, so counts are
drawn rather than rows. Each world has eight weeks that were learnt from, then the windows that count. Fixed seeds, none of which the rule
was tuned on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import kolmogorov, ndtr, ndtri

from bench.goal import Goal, at_least, at_most
from everloop.monitor.habit import Judged, Past, judge
from everloop.stats.distances import series
from everloop.stats.shapes import Floats

FEATURES, BINS, WEEKS = 50, 128, 8
LEARNT: Final = 7 * WEEKS
EDGES: Final = ndtri(np.arange(1, BINS) / BINS)
TEN: Final = np.arange(BINS) * 10 // BINS
#: What a false alarm and a window of a shift unseen cost, for the comparison with rules that always or never alarm.
FALSE_ALARM, UNSEEN = 5.0, 1.0
SIZES, NULLS, RUNS, AHEAD = (1_000, 10_000, 100_000), 1_000, 200, 20


@dataclass(frozen=True)
class World:
    """How days differ: by how much their means wobble (in standard deviations), whether ten features share most of it, whether ten of them
    are higher at weekends."""

    name: str
    wobble: float
    shared: bool = False
    weekends: float = 0.0


WORLDS: Final = (
    World("still", 0.0),
    World("wobbling", 0.05),
    World("in blocks of ten", 0.05, shared=True),
    World("weekly", 0.03, weekends=0.4),
)


def alarms() -> Iterator[Goal]:
    """False alarms a hundred windows, in every world and size of window; what a plain test says of the same windows."""
    found, tested = {}, []
    for size in SIZES:
        for i, world in enumerate(WORLDS):
            counts = windows(np.random.default_rng([41, size, i]), world, size, LEARNT + NULLS)
            found[f"{size // 1000}k {world.name}"] = incidents(judge(past(counts, world))) / NULLS * 100
            tested.append(ks_alarms(counts))
    worst = max(found, key=lambda name: found[name])
    beside = ", ".join(f"{name} {value:.2g}" for name, value in found.items())
    yield at_most("incidents in a hundred windows without a drift, worst", found[worst], 1.0, "incidents", beside)
    small = max(value for name, value in found.items() if name.startswith("1k"))
    yield at_most("the same, windows of 1,000 rows alone", small, 1.0, "incidents", f"{NULLS:,} windows of each world")
    usual = ", ".join(f"{name} {value:.0%}" for name, value in zip(found, tested, strict=True))
    yield at_least("the same windows, alarms of KS p < 0.01", min(tested), 0.20, "share", usual)


def delay() -> Iterator[Goal]:
    """Windows until a shift of a quarter of a standard deviation on one of fifty features is an alarm, of that feature."""
    for size, world in ((10_000, WORLDS[1]), (5_000, WORLDS[3])):
        took, cost = [], []
        for run in range(RUNS):
            counts = windows(np.random.default_rng([42, size, run]), world, size, LEARNT + AHEAD, shift=0.25)
            judged = judge(past(counts, world)).alarm[LEARNT:]
            took.append(float(judged[:, 0].argmax()) + 1 if judged[:, 0].any() else np.inf)
            cost.append(UNSEEN * min(took[-1] - 1, AHEAD) + FALSE_ALARM * began(judged[:, 1:].any(axis=1)))
        missed = float(np.mean(~np.isfinite(took)))
        beside = f"nine in ten within {np.quantile(took, 0.9, method='higher'):.0f}, {world.name} days, {RUNS} runs"
        if size == 10_000:
            yield at_most("windows until a shift of 0.25 sd on one of 50 is told", float(np.median(took)), 3, "windows", beside)
            yield at_most("the same shift, missed in twenty windows", missed, 0.05, "share")
            yield from _cost(world, size, float(np.mean(cost)))
        else:
            yield at_most("the same shift on a feature with weekends, median", float(np.median(took)), 3, "windows", beside)


def _cost(world: World, size: int, shifted: float) -> Iterator[Goal]:
    """A month of twenty windows as often without a shift as with one: what the rule costs, and what always and never alarming does."""
    still = []
    for run in range(RUNS):
        counts = windows(np.random.default_rng([43, size, run]), world, size, LEARNT + AHEAD)
        still.append(FALSE_ALARM * incidents(judge(past(counts, world))))
    ours, always, never = (shifted + float(np.mean(still))) / 2, FALSE_ALARM * AHEAD / 2, UNSEEN * AHEAD / 2
    beside = f"always alarming {always:.1f}, never {never:.1f}; a window unseen costs {UNSEEN:.0f}, a false alarm {FALSE_ALARM:.0f}"
    yield at_most("cost of alarms over the better of always and never", ours / min(always, never), 0.5, "ratio", beside)


def windows(rng: np.random.Generator, world: World, rows: int, count: int, *, shift: float = 0.0) -> Floats:
    """Counts (windows, features, bins); with a ``shift`` of the first feature from the first window on that was not learnt from."""
    off = rng.normal(0, 1, (count, FEATURES))
    if world.shared:
        off = np.sqrt(0.3) * off + np.sqrt(0.7) * np.repeat(rng.normal(0, 1, (count, FEATURES // 10)), 10, axis=1)
    off *= world.wobble
    off[:, :10] += world.weekends * (np.arange(count) % 7 >= 5)[:, None]
    off[LEARNT:, 0] += shift
    below = ndtr(EDGES - off[:, :, None])
    ends = np.zeros((*off.shape, 1))
    return rng.multinomial(np.full(off.shape, rows), np.diff(np.concatenate([ends, below, ends + 1], axis=2), axis=2)).astype(np.float64)


def past(counts: Floats, world: World) -> Past:
    """Distances as the rule takes them: from what was learnt on the same weekday, a window that was learnt from taken out."""
    count = len(counts)
    season = np.arange(count) % 7
    reference = np.stack([counts[:LEARNT][season[:LEARNT] == s].sum(axis=0) for s in range(7)])[season]
    reference[:LEARNT] -= counts[:LEARNT]
    found = [series(reference[:, f], counts[:, f], TEN, ordered=True) for f in range(FEATURES)]
    return Past.of(found, counts[:, 0].sum(axis=1), np.arange(count) < LEARNT)


def incidents(judged: Judged) -> int:
    """How often an alarm of any feature began after what was learnt from."""
    return began(judged.alarm[LEARNT:].any(axis=1))


def began(alarm: Floats) -> int:
    """How many runs of alarms there are."""
    return int((alarm & ~np.append(False, alarm[:-1])).sum())


def ks_alarms(counts: Floats) -> float:
    """In what share of the windows any feature has KS p < 0.01 against all that was learnt from (over the same bins, which only makes D
    smaller)."""
    whole, new = counts[:LEARNT].sum(axis=0), counts[LEARNT:]
    n, m = whole.sum(axis=1), new.sum(axis=2)
    d = np.abs(np.cumsum(whole, axis=1) / n[:, None] - np.cumsum(new, axis=2) / m[:, :, None]).max(axis=2)
    root = np.sqrt(n * m / (n + m))
    return float((kolmogorov((root + 0.12 + 0.11 / root) * d) < 0.01).any(axis=1).mean())
