"""How the worst-off group fares beside the best-off. Arrays in, numbers out; seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everloop.stats.blocks import codes
from everloop.stats.bootstrap import ROUNDS, by_block, interval
from everloop.stats.known import answered, known
from everloop.stats.measures import Better, Measure, Truth, number, says_yes
from everloop.stats.shapes import Answers, Floats, Strings

LEAST = 50  # a group with fewer questions, or fewer than ten units, is named and left out


@dataclass(frozen=True)
class Fairness:
    """``ratio`` is what the worst-off group gets of what the best-off gets, 0 to 1; None where fewer than two groups are large enough.

    ``values`` are the groups' own figures, best-off first; ``small`` the groups left out.
    """

    ratio: float | None
    low: float | None
    high: float | None
    values: tuple[tuple[str, float], ...]
    small: tuple[str, ...]
    rows: int

    @property
    def worst(self) -> str | None:
        return self.values[-1][0] if self.values else None

    @property
    def best(self) -> str | None:
        return self.values[0][0] if self.values else None


def across(
    groups: Strings, units: Strings, truth: Truth, answers: Answers, measure: Measure | None, *, confidence: float = 0.95, seed: int = 0,
    least: int = LEAST, rounds: int = ROUNDS,
) -> Fairness:  # fmt: skip
    """What the worst-off group gets of the best-off's: of yeses (``measure`` None; the truth is not needed), or of a measure.

    Of a measure that is better when higher the ratio is worst / best, when lower best / worst, when zero the nearest to 0 / the farthest.
    Every group is compared with the best-off, units drawn anew; ``low`` and ``high`` are the least of their bounds, each widened for the
    number of pairs (Bonferroni), so that one of many groups is not called worst off by chance. A row without a group
    is left out.

    >>> from everloop.records import Shape
    >>> said = Answers(Shape(kind="chance", yes_above=0.5), np.array([0.9, 0.1] * 100 + [0.9, 0.1, 0.1, 0.1] * 50))
    >>> who = np.array(["a"] * 200 + ["b"] * 200, dtype=object)
    >>> found = across(who, np.arange(400).astype(str).astype(object), np.full(400, np.nan), said, None)
    >>> found.ratio, found.worst, found.low < 0.5 < found.high
    (0.5, 'b', True)
    """
    rows = answered(answers) & np.array([g is not None and g == g for g in groups], dtype=bool)
    rows &= np.ones(len(rows), dtype=bool) if measure is None else known(truth)
    groups, units, truth, answers = groups[rows], units[rows], truth[rows], answers.take(rows)
    large, small, figures, terms = [], [], [], []
    for name in sorted(set(groups), key=str):
        own = groups == name
        one = _terms(measure, truth[own], answers.take(own))
        value = _finish(measure, one.sum(axis=0)) if int(own.sum()) >= least and len(set(units[own])) >= 10 else None
        if value is None:
            small.append(str(name))
            continue
        large.append(str(name))
        figures.append(value)
        terms.append((one, units[own]))
    better: Better = "higher" if measure is None else measure.better
    order = sorted(range(len(large)), key=lambda i: _badness(better, figures[i]))
    values = tuple((large[i], figures[i]) for i in order)
    if len(order) < 2:
        return Fairness(None, None, None, values, tuple(small), int(rows.sum()))
    best = order[0]
    pairs = len(order) * (len(order) - 1) / 2
    each = 1 - (1 - confidence) / pairs
    found = [_against(measure, better, terms[i], terms[best], each, seed, rounds) for i in order[1:]]
    low, high = (None, None) if None in found else (min(f[0] for f in found if f), min(f[1] for f in found if f))
    return Fairness(_share(better, figures[order[-1]], figures[best]), low, high, values, tuple(small), int(rows.sum()))


def _terms(measure: Measure | None, truth: Truth, answers: Answers) -> Floats:
    if measure is None:
        return np.column_stack([says_yes(answers), np.ones(len(answers))]).astype(np.float64)
    return measure.rows(truth, answers, np.ones(len(answers)))


def _finish(measure: Measure | None, sums: Floats) -> float | None:
    return number(sums[0] / sums[1]) if measure is None else number(measure.finish(sums))


def _badness(better: Better, value: float) -> float:
    return {"higher": -value, "lower": value, "zero": abs(value)}[better]


def _share(better: Better, worst: float, best: float) -> float:
    if worst == best:
        return 1.0
    small, large = (worst, best) if better == "higher" else (abs(best), abs(worst))
    return small / large if large else 1.0


def _against(
    measure: Measure | None, better: Better, own: tuple[Floats, Strings], best: tuple[Floats, Strings], confidence: float, seed: int,
    rounds: int,
) -> tuple[float, float] | None:  # fmt: skip
    where = codes(np.concatenate([own[1], best[1]]))
    table = by_block(where[: len(own[0])], own[0], where[len(own[0]) :], best[0], seed=seed)
    half = table.shape[1] // 2

    def ratio(sums: Floats) -> Floats:
        parts = (sums[..., :half], sums[..., half:])
        worst, good = (p[..., 0] / p[..., 1] if measure is None else measure.finish(p) for p in parts)
        small, large = (worst, good) if better == "higher" else (np.abs(good), np.abs(worst))
        return np.asarray(np.where(small == large, 1.0, small / large))

    return interval(ratio, table, confidence=confidence, seed=seed, rounds=rounds)
