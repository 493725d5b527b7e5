"""How sure a measure, or the difference between two versions, is: a block bootstrap over sums. Arrays in, numbers out; seeded.

The terms of a measure are summed by block (``blocks.blocks``); a resample is a row of multinomial weights, so 2,000 of them are one matrix
product. The interval is the percentile interval, expanded for few blocks (Hesterberg 2015, "What teachers should know about the bootstrap",
section 4.3: the quantiles of Student's t stand in for the normal ones). On shops where few products sell most it covers better than the
plain percentile, BCa and the bootstrap-t (docs/statistics.md has the figures). Where both units and periods are drawn anew, what either
leaves open is put together (Cameron, Gelbach and Miller 2011, "Robust inference with multiway clustering"), and periods that go on in the
next count for fewer (``lasting``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from everloop.stats.blocks import LEAST_BLOCKS, LEAST_ROWS, Codes, blocks, codes
from everloop.stats.intervals import expanded
from everloop.stats.known import comparable
from everloop.stats.lasting import worth
from everloop.stats.measures import Better, Measure, Truth, number
from everloop.stats.shapes import Answers, Floats, Paired, Strings
from everloop.stats.whole import Whole, drawn_interval

ROUNDS = 2000
MOST_BLOCKS = 500
Function: TypeAlias = Callable[[Floats], Floats]
Ways: TypeAlias = tuple[tuple[str, Codes], ...]


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; ``low`` and ``high`` are None where there are too few rows or blocks to say."""

    value: float | None
    low: float | None
    high: float | None
    rows: int
    blocks: int = 0


@dataclass(frozen=True)
class Effect:
    """Candidate against champion. ``effect`` is a share of the champion's value in the good direction: 0.1 is 10 % better."""

    champion: float | None
    candidate: float | None
    effect: float | None
    low: float | None
    high: float | None
    rows: int
    blocks: int = 0


def effect(better: Better, champion: float, candidate: float) -> float | None:
    """By what share of the champion's value the candidate is better; None where the champion's value is 0 and the candidate's is not.

    >>> effect("lower", 0.5, 0.4), effect("higher", 0.5, 0.4), effect("zero", -0.2, 0.1), effect("lower", 0.0, 0.0)
    (0.19999999999999996, -0.19999999999999996, 0.5, 0.0)
    """
    gain = {"lower": champion - candidate, "higher": candidate - champion, "zero": abs(champion) - abs(candidate)}[better]
    return 0.0 if gain == 0 else number(gain / abs(champion)) if champion else None


def compare(
    measure: Measure, paired: Paired, *, confidence: float = 0.95, seed: int = 0, span: timedelta = timedelta(0), rounds: int = ROUNDS
) -> Effect:
    """The effect of the candidate over the questions both answered, with its interval at ``confidence`` (two-sided).

    ``span`` is how long a truth takes: closer moments share one block of time. With too few rows or blocks low and high are None.

    >>> from everloop.records import Shape
    >>> from everloop.stats.measures import measure
    >>> rng = np.random.default_rng(7)
    >>> truth = rng.gamma(2.0, 5.0, 400)
    >>> champion, candidate = (Answers(Shape(kind="number"), truth + rng.normal(0, s, 400)) for s in (3.0, 1.5))
    >>> units = np.array([str(i) for i in range(400)], dtype=object)
    >>> found = compare(measure("wape"), Paired(units, np.zeros(400, dtype=np.int64), truth, champion, candidate))
    >>> round(found.effect, 2), found.low > 0.2, found.rows
    (0.43, True, 400)
    """
    paired = paired.take(comparable(paired))
    if not len(paired):
        return Effect(None, None, None, None, None, 0)
    if isinstance(measure, Whole):
        return _effect_as_a_whole(measure, paired, confidence=confidence, seed=seed, span=span)
    ones = np.ones(len(paired))
    first = measure.rows(paired.truth, paired.champion, ones)
    second = measure.rows(paired.truth, paired.candidate, ones)
    return effect_of_terms(
        measure, (first, paired.units, paired.moments), (second, paired.units, paired.moments),
        confidence=confidence, seed=seed, span=span, rounds=rounds,
    )  # fmt: skip


Terms: TypeAlias = tuple[Floats, Strings, NDArray[np.int64]]


def effect_of_terms(
    measure: Measure, before: Terms, after: Terms, *, confidence: float, seed: int, span: timedelta, rounds: int = ROUNDS,
    same_moments: bool = True,
) -> Effect:  # fmt: skip
    """The effect between two lots of rows, each (terms, units, moments). Blocks with the same unit are drawn together in both.

    With ``same_moments=False`` (before and after) only units can be blocks, for no moment is in both.
    """
    sums = [measure.finish(terms.sum(axis=0)) for terms, _, _ in (before, after)]
    old, new = number(sums[0]), number(sums[1])
    rows = len(after[0])
    if old is None or new is None:
        return Effect(old, new, None, None, None, rows)
    point = effect(measure.better, old, new)
    units = np.concatenate([before[1], after[1]])
    moments = np.concatenate([before[2], after[2]]) if same_moments else np.zeros(len(units), dtype=np.int64)
    enough = min(len(before[0]), rows) >= LEAST_ROWS and (same_moments or min(_distinct(before), _distinct(after)) >= LEAST_BLOCKS)
    if point is None or not enough:
        return Effect(old, new, point, None, None, rows)

    def table(where: Codes) -> Floats:
        return by_block(where[: len(before[0])], before[0], where[len(before[0]) :], after[0], seed=seed)

    share = _share_of(measure, before[0].shape[1])
    low, high, count = between(share, table, blocks(units, moments, span), point, confidence=confidence, seed=seed, rounds=rounds)
    return Effect(old, new, point, low, high, rows, count)


def _distinct(lot: Terms) -> int:
    return len(set(lot[1].tolist()))


def estimate(
    measure: Measure, truth: Truth, answers: Answers, units: Strings, moments: NDArray[np.int64], *,
    confidence: float = 0.95, seed: int = 0, span: timedelta = timedelta(0), rounds: int = ROUNDS,
) -> Estimate:  # fmt: skip
    """A measure with its two-sided interval, over the questions that can be judged; blocks as in ``compare``. Of a distance what
    chance alone adds to it is taken off, rather too little than too much.
    """
    judged = comparable(Paired(units, moments, truth, answers, answers))
    if not judged.any():
        return Estimate(None, None, None, 0)
    if isinstance(measure, Whole):
        return _estimate_as_a_whole(measure, truth[judged], answers.take(judged), units[judged], moments[judged], confidence, seed, span)
    terms = measure.rows(truth[judged], answers.take(judged), np.ones(int(judged.sum())))
    point = number(measure.finish(terms.sum(axis=0)))
    if point is None:
        return Estimate(None, None, None, len(terms))

    def table(where: Codes) -> Floats:
        return by_block(where, terms, where[:0], terms[:0], seed=seed)[:, : terms.shape[1]]

    ways = blocks(units[judged], moments[judged], span)
    low, high, count = between(measure.finish, table, ways, point, confidence=confidence, seed=seed, rounds=rounds)
    if measure.folded and low is not None and high is not None:
        # Drawing anew adds as much chance again as there is in the sums: what it adds on average is taken off, of the value and its ends.
        added = (low + high) / 2 - point
        low, point, high = (max(0.0, one) for one in (2 * point - high, point - added, 2 * point - low))
    return Estimate(point, low, high, len(terms), count)


# -- the machinery -------------------------------------------------------------------------------------------------------------------


def between(
    function: Function, table: Callable[[Codes], Floats], ways: Ways, point: float, *, confidence: float, seed: int, rounds: int = ROUNDS
) -> tuple[float | None, float | None, int]:
    """The interval of ``function`` around ``point``, and of how many blocks; (None, None, 0) where no way of cutting gives one.

    ``table`` sums terms by the codes it is given. Where units and periods both repeat, what either leaves open is added, less what a unit
    within one period leaves open, which is in both; the interval is never narrower than the wider of the two.
    """
    pairs = (("pair", codes(ways[0][1] * (int(ways[1][1].max()) + 1) + ways[1][1])),) if len(ways) == 2 else ()
    off: dict[str, tuple[float, float]] = {}
    widest, count = 0.0, 0
    for name, where in (*ways, *pairs):
        sums = table(where)
        found = interval(function, sums, confidence=confidence, seed=seed, rounds=rounds)
        if found is None:
            continue
        wider = _wider(function, sums, confidence) if name == "period" else 1.0
        off[name] = ((found[0] - point) * wider, (found[1] - point) * wider)
        if name != "pair" and found[1] - found[0] >= widest:
            widest, count = found[1] - found[0], int(where.max()) + 1
    alone = [off[name] for name, _ in ways if name in off]
    if not alone:
        return None, None, 0
    if len(alone) < 2 or "pair" not in off:
        return point + min(low for low, _ in alone), point + max(high for _, high in alone), count
    unit, period, pair = (off[name] for name in ("unit", "period", "pair"))
    below, above = _together(-unit[0], -period[0], -pair[0]), _together(unit[1], period[1], pair[1])
    return point - below, point + above, count


def _together(unit: float, period: float, pair: float) -> float:
    unit, period, pair = (max(one, 0.0) for one in (unit, period, pair))
    return float(max(unit, period, np.sqrt(max(unit**2 + period**2 - pair**2, 0.0))))


def _wider(function: Function, table: Floats, confidence: float) -> float:
    """How many times as wide the interval of ``table`` (periods in order, k) has to be, as periods go on in the next."""
    with np.errstate(all="ignore"):
        without = function(table.sum(axis=0) - table)
    if len(table) < 3 or not np.isfinite(without).all():
        return 1.0
    n, alike = len(table), worth(without)
    level = (1 + confidence) / 2
    return float(np.sqrt(n / alike) * stdtrit(max(alike - 1, 2.0), level) / stdtrit(n - 1, level)) if alike < n else 1.0


def by_block(first: Codes, first_terms: Floats, second: Codes, second_terms: Floats, *, seed: int) -> Floats:
    """Sums by block, the first lot's columns beside the second's: (blocks, k + k). Above 500 blocks they are pooled at random."""
    count = int(max(first.max(initial=-1), second.max(initial=-1))) + 1
    if count > MOST_BLOCKS:
        pooled = np.random.default_rng([seed, count]).permutation(count) % MOST_BLOCKS
        first, second, count = pooled[first], pooled[second], MOST_BLOCKS
    halves = [
        np.stack([np.bincount(where, column, count) for column in terms.T], axis=1)
        for where, terms in ((first, first_terms), (second, second_terms))
    ]
    return np.concatenate(halves, axis=1)


def interval(function: Function, table: Floats, *, confidence: float, seed: int, rounds: int = ROUNDS) -> tuple[float, float] | None:
    """The interval of ``function`` of the column sums of ``table`` (blocks, k); None if one resample in ten cannot be worked out.

    >>> table = np.column_stack([np.arange(40.0), np.ones(40)])
    >>> low, high = interval(lambda sums: sums[..., 0] / sums[..., 1], table, confidence=0.95, seed=1)
    >>> 15 < low < 19.5 < high < 24
    True
    """
    count = len(table)
    if count < 2:
        return None
    weights = _weights(count, rounds, seed)
    with np.errstate(all="ignore"):
        drawn = function(weights @ table)
    usable = drawn[np.isfinite(drawn)]
    if len(usable) < 0.9 * rounds:
        return None
    return expanded(usable, count, confidence)


@lru_cache(maxsize=4)
def _weights(count: int, rounds: int, seed: int) -> Floats:
    """How often each block is drawn in each round (rounds, count); drawing them anew for every interval would be most of the work."""
    drawn = np.random.default_rng(seed).integers(count, size=(rounds, count))
    flat = (drawn + count * np.arange(rounds)[:, None]).reshape(-1)
    weights = np.bincount(flat, minlength=rounds * count).reshape(rounds, count).astype(np.float64)
    weights.flags.writeable = False
    return weights


def _share_of(measure: Measure, half: int) -> Function:
    """The effect as a share of the champion's value, of sums (..., 2 half)."""

    def share(sums: Floats) -> Floats:
        old, new = measure.finish(sums[..., :half]), measure.finish(sums[..., half:])
        gain = {"lower": old - new, "higher": new - old, "zero": np.abs(old) - np.abs(new)}[measure.better]
        # Two versions without any error are equal, not unknown.
        return np.asarray(np.where(gain == 0, 0.0, gain / np.abs(old)))

    return share


def _effect_as_a_whole(measure: Whole, paired: Paired, *, confidence: float, seed: int, span: timedelta) -> Effect:
    def share(rows: NDArray[np.int64]) -> float | None:
        truth = paired.truth[rows]
        old, new = (measure.value(truth, answers.take(rows)) for answers in (paired.champion, paired.candidate))
        return None if old is None or new is None else effect(measure.better, old, new)

    old, new = (measure.value(paired.truth, answers) for answers in (paired.champion, paired.candidate))
    point = None if old is None or new is None else effect(measure.better, old, new)
    found = None if point is None else drawn_interval(share, paired.units, paired.moments, confidence=confidence, seed=seed, span=span)
    low, high, count = found or (None, None, 0)
    return Effect(old, new, point, low, high, len(paired), count)


def _estimate_as_a_whole(
    measure: Whole,
    truth: Truth,
    answers: Answers,
    units: Strings,
    moments: NDArray[np.int64],
    confidence: float,
    seed: int,
    span: timedelta,
) -> Estimate:
    def value(rows: NDArray[np.int64]) -> float | None:
        return measure.value(truth[rows], answers.take(rows))

    point = measure.value(truth, answers)
    found = None if point is None else drawn_interval(value, units, moments, confidence=confidence, seed=seed, span=span)
    low, high, count = found or (None, None, 0)
    return Estimate(point, low, high, len(truth), count)
