"""Measures that are worked out of all questions at once: no sum over questions, so their interval comes of drawing the questions anew.

Blocks (``blocks.blocks``) are drawn with replacement, every question of a block with it, and the measure is worked out of what was drawn;
the interval is that of ``bootstrap``: the percentiles, expanded for few blocks. Arrays in, numbers out; seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from everloop.records import Kind
from everloop.stats.blocks import Codes, blocks
from everloop.stats.intervals import expanded
from everloop.stats.known import answered, known
from everloop.stats.measures import Better, Measure, Truth, number
from everloop.stats.shapes import Answers, Floats, Strings

ROUNDS = 400
AtOnce = Callable[[Truth, Answers], float]


@dataclass(frozen=True)
class Whole(Measure):
    """A measure of all questions at once, ``at_once(truth, answers)``; it has no terms of single rows.

    >>> from everloop.records import Shape
    >>> largest = Whole.of("largest", ("number",), lambda truth, answers: float(np.abs(truth - answers.value).max()), better="lower")
    >>> largest.value(np.array([1.0, 5.0, np.nan]), Answers(Shape(kind="number"), np.array([1.5, 2.0, 9.0])))
    3.0
    """

    at_once: AtOnce = field(kw_only=True)

    @staticmethod
    def of(name: str, kinds: tuple[Kind, ...], at_once: AtOnce, *, better: Better = "higher") -> Whole:
        """The measure of this name."""
        return Whole(name, kinds, better, _no_rows, _no_rows_to_finish, at_once=at_once)

    def value(self, truth: Truth, answers: Answers, weights: Floats | None = None) -> float | None:
        """The measure over the questions that can be judged; a whole ``weights`` (n,) says how often a question is taken."""
        judged = known(truth) & answered(answers)
        rows = np.flatnonzero(judged)
        if weights is not None:
            rows = np.repeat(rows, weights[rows].astype(np.int64))
        return number(self.at_once(truth[rows], answers.take(rows))) if len(rows) else None


Drawn = Callable[[NDArray[np.int64]], float | None]
"""Something worked out of the questions at these places."""


def drawn_interval(
    drawn: Drawn, units: Strings, moments: NDArray[np.int64], *, confidence: float, seed: int, span: timedelta, rounds: int = ROUNDS
) -> tuple[float, float, int] | None:
    """The widest interval of ``drawn`` over the ways to cut these questions into blocks, and how many blocks; None where there are too
    few, or one draw in ten cannot be worked out."""
    widest: tuple[float, float, int] | None = None
    for _, where in blocks(units, moments, span):
        count = int(where.max()) + 1
        found = [value for rows in draws(where, count, rounds, seed) if (value := drawn(rows)) is not None]
        if len(found) < 0.9 * rounds:
            continue
        low, high = expanded(np.array(found), count, confidence)
        if widest is None or high - low > widest[1] - widest[0]:
            widest = (low, high, count)
    return widest


def draws(where: Codes, count: int, rounds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The places of the questions of ``count`` blocks drawn with replacement, so many rounds.

    >>> [sorted(rows.tolist()) for rows in draws(np.array([0, 0, 1]), 2, 2, seed=3)]
    [[0, 1, 2], [0, 0, 1, 1]]
    """
    order, sizes = np.argsort(where, kind="stable"), np.bincount(where, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        chosen = rng.integers(count, size=count)
        each = sizes[chosen]
        first = np.repeat(starts[chosen] - np.concatenate([[0], np.cumsum(each)[:-1]]), each)
        yield order[first + np.arange(each.sum())]


def _no_rows(truth: Truth, answers: Answers, weights: Floats) -> Floats:
    raise TypeError("A measure of the whole has no terms of single rows.")


def _no_rows_to_finish(sums: Floats) -> Floats:
    raise TypeError("A measure of the whole is finished of no sums.")
