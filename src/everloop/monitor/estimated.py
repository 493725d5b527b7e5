"""Before the truth: what the metric will come to for answers whose truth is not known yet, and how far such estimates were off before.

In: answers with their truth, answers still without. Out: ``Estimated``; no clock, no disk. Chances and class shares are estimated from what
they mean (``stats.cbpe``), numbers from a model of their loss that was learnt elsewhere and comes in as ``Foresee``. Estimates stand beside
what mature truth says; they are never mixed with it and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everloop.monitor.error import judged
from everloop.monitor.seen import Answered
from everloop.stats.blocks import periods
from everloop.stats.cbpe import Calibration, Foreseen, calibration, expected, expected_of_shares
from everloop.stats.known import answered as has_answer
from everloop.stats.known import as_floats
from everloop.stats.label_shift import label_shift
from everloop.stats.measures import Measure, says_yes
from everloop.stats.shapes import Answers, Floats

Whole: TypeAlias = NDArray[np.int64]
Foresee: TypeAlias = Callable[[Sequence[Answered]], list[Foreseen | None]]
"""What the measure will come to on each of these lots of answers, whose truth it does not look at; all at once costs as one."""

LEAST, LEAST_REFERENCE, TESTED = 50, 300, 12
BEYOND = 3.3  # standard deviations: one honest estimate in a thousand is as far off


@dataclass(frozen=True)
class Tested:
    """The back-test: in how many mature ``windows`` the estimate was held against the truth, how far it was ``off`` on average and how far
    the figure of the promotion would have been (``promised_off``); ``broke`` (said, was) where the newest window refutes it, else None.
    """

    windows: int
    off: float
    promised_off: float
    broke: tuple[float, float] | None

    @property
    def trust(self) -> float:
        """How much of what the promotion's figure misses the estimate sees, 0 to 1; 0 where the newest window refutes it.

        >>> Tested(4, 0.01, 0.04, None).trust, Tested(4, 0.01, 0.04, (0.9, 0.7)).trust
        (0.75, 0.0)
        """
        if self.broke is not None:
            return 0.0
        return max(0.0, 1 - self.off / self.promised_off) if self.promised_off > 0 else float(self.off == 0)


@dataclass(frozen=True)
class Estimated:
    """What the measure will come to on ``rows`` answers without a mature truth, within two standard deviations of chance; ``now``: how
    often each label is true by the answers alone, against ``before``, None where that cannot be told (``stats.label_shift``).
    """

    value: float
    low: float
    high: float
    rows: int
    tested: Tested | None
    before: tuple[tuple[str, float], ...] = ()
    now: tuple[tuple[str, float], ...] | None = None


def by_chances(measure: Measure, promised: Answered) -> Foresee | None:
    """Estimates of a measure of chances or class shares, their meaning learnt from the contest the champion won; None where that is not
    enough (``LEAST_REFERENCE`` answers), or the answers are of another kind."""
    promised = judged(promised)
    if len(promised) < LEAST_REFERENCE:
        return None
    shape = promised.answers.shape
    if shape.kind == "chance":
        curve = calibration(promised.answers.value, as_floats(promised.truth))
        return lambda lots: [_of_chance(measure, curve, of.answers) for of in lots]
    if shape.kind == "shares" and promised.answers.values is not None:
        truth = promised.truth.astype(str)
        curves = [calibration(promised.answers.values[:, i], (truth == label).astype(float)) for i, label in enumerate(shape.labels)]
        return lambda lots: [_of_shares(measure, shape.labels, curves, of.answers) for of in lots]
    return None


class Losses(Protocol):
    """What learnt how answers lose (``training.losses``): ``terms`` of the measure by what was known and said, and their ``spread``."""

    @property
    def spread(self) -> Floats: ...

    def terms(self, known: Floats, said: Floats) -> Floats: ...


def by_losses(measure: Measure, losses: Losses) -> Foresee:
    """Estimates of a measure of numbers from the losses to be expected."""

    def foresee(lots: Sequence[Answered]) -> list[Foreseen | None]:
        told = [(of.known, of.answers.value) for of in lots if of.known is not None and len(of)]
        if not told:
            return [None] * len(lots)
        terms = losses.terms(np.concatenate([known for known, _ in told]), np.concatenate([said for _, said in told]))
        own = iter(np.split(terms, np.cumsum([len(said) for _, said in told])[:-1]))
        return [_of_losses(measure, next(own), losses.spread) if of.known is not None and len(of) else None for of in lots]

    return foresee


def _of_losses(measure: Measure, terms: Floats, spread: Floats) -> Foreseen | None:
    sums = terms.sum(axis=0)
    value = float(measure.finish(sums))
    steps = np.diag(np.maximum(np.abs(sums), 1.0) * 1e-6)
    slope = np.array([(float(measure.finish(sums + step)) - value) / step.sum() for step in steps])
    sd = float(np.sqrt(max(len(terms) * (slope @ spread @ slope), 0.0)))
    return Foreseen(value, sd) if np.isfinite(value) and np.isfinite(sd) else None


def estimated(
    measure: Measure, foresee: Foresee, promised: Answered, mature: Answered | None, open_: Answered, *, span: timedelta
) -> Estimated | None:
    """The estimate for the answers in ``open_`` and its back-test on the mature ones since the promotion; None where there is too little.

    ``span`` is how long a window of truths is (``maturity.window_span``). Windows too small to be judged are joined with the next.
    """
    open_ = open_.take(has_answer(open_.answers))
    if len(open_) < LEAST:
        return None
    (found,) = foresee([open_])
    if found is None:
        return None
    tested = None if mature is None else backtest(measure, foresee, promised, judged(mature), span=span)
    before, now = _shares(promised, open_)
    return Estimated(found.value, found.value - 2 * found.sd, found.value + 2 * found.sd, len(open_), tested, before, now)


def backtest(measure: Measure, foresee: Foresee, promised: Answered, mature: Answered, *, span: timedelta) -> Tested | None:
    """What would have been said of the newest mature windows, before their truth was known, held against what came of them.

    It is refuted where the newest window lies ``BEYOND`` standard deviations from what was said: of what chance makes of that window, and
    of what it made of the promotion, by which chances were calibrated.
    """
    promised = judged(promised)
    level, windows = measure.value(promised.truth, promised.answers), _windows(mature, span)
    known, *each = foresee([promised, *windows])
    if level is None or known is None:
        return None
    said, was, far = [], [], 0.0
    for window, foreseen in zip(windows, each, strict=True):
        real = measure.value(window.truth, window.answers)
        if foreseen is not None and real is not None:
            said.append(foreseen.value)
            was.append(real)
            far = abs(real - foreseen.value) / max(float(np.hypot(foreseen.sd, known.sd)), 1e-12)
    if not said:
        return None
    off, promised_off = np.abs(np.array(was) - np.array(said)).mean(), np.abs(np.array(was) - level).mean()
    return Tested(len(said), float(off), float(promised_off), (said[-1], was[-1]) if far > BEYOND else None)


def _windows(mature: Answered, span: timedelta) -> list[Answered]:
    """The newest windows, each of at least ``LEAST`` answers, oldest first."""
    which, lots, lot = periods(mature.moments, span), [], np.zeros(len(mature), dtype=bool)
    for p in range(int(which.max(initial=-1)), -1, -1):
        lot |= which == p
        if lot.sum() >= LEAST:
            lots.append(mature.take(lot))
            lot = np.zeros(len(mature), dtype=bool)
        if len(lots) == TESTED:
            break
    return lots[::-1]


def _of_chance(measure: Measure, curve: Calibration, answers: Answers) -> Foreseen | None:
    return expected(measure.name, np.clip(curve.of(answers.value), 0.0, 1.0), answers.value, says_yes(answers))


def _of_shares(measure: Measure, labels: tuple[str, ...], curves: list[Calibration], answers: Answers) -> Foreseen | None:
    shares = answers.values
    if shares is None or answers.shape.labels != labels:
        return None
    chances = np.column_stack([curve.of(shares[:, i]) for i, curve in enumerate(curves)])
    total = chances.sum(axis=1, keepdims=True)
    return expected_of_shares(measure.name, np.where(total > 0, chances / np.where(total > 0, total, 1.0), shares), shares)


def _shares(promised: Answered, open_: Answered) -> tuple[tuple[tuple[str, float], ...], tuple[tuple[str, float], ...] | None]:
    """How often each label was true, and how often it is by now if only that has changed."""
    promised, shape = judged(promised), promised.answers.shape
    labels = ("no", "yes") if shape.kind == "chance" else shape.labels
    true = _label_of(promised, labels)
    if len(labels) < 2 or true is None:
        return (), None
    said, saying = _said(promised.answers), _said(open_.answers)
    confusion = np.zeros((len(labels), len(labels)))
    np.add.at(confusion, (said, true), 1.0)
    found = label_shift(confusion, np.bincount(saying, minlength=len(labels)).astype(float)).weights
    shares = confusion.sum(axis=0) / confusion.sum()
    before = tuple(zip(labels, shares.tolist(), strict=True))
    return before, None if found is None else tuple(zip(labels, (shares * found).tolist(), strict=True))


def _label_of(table: Answered, labels: tuple[str, ...]) -> Whole | None:
    kind = table.answers.shape.kind
    if kind == "chance":
        return as_floats(table.truth).astype(np.int64)
    if kind != "shares" or not set(table.truth.tolist()) <= set(labels):
        return None
    place = {label: i for i, label in enumerate(labels)}
    return np.array([place[label] for label in table.truth.tolist()], dtype=np.int64)


def _said(answers: Answers) -> Whole:
    if answers.values is not None:
        return np.asarray(answers.values.argmax(axis=1))
    return says_yes(answers).astype(np.int64)
