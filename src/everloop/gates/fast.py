"""Does the candidate answer fast enough? In: measured milliseconds. Out: an Opinion. No clock, no disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everloop.project.conditions import answers_within, at_least, at_most
from everloop.records import Opinion, Outcome
from everloop.stats.intervals import least_to_prove, share_bounds
from everloop.stats.rounded import figure, percent

CONFIDENCE = 0.95
OF_A_QUANTILE = 1000  # timings from which p99 has an upper end: 368 are the least, ten slow ones among a thousand place it


def within(condition: answers_within, milliseconds: Sequence[float], *, read: bool = True) -> Opinion:
    """Whether the asked share of answers is proven to take at most ``ms``: the exact one-sided bound of the share, at 95 % confidence.

    A time that is NaN, infinite or negative counts as too slow. ``read`` says whether features were read within those times; the sentence
    says where they were not.

    >>> within(answers_within(ms=30), [5.0] * 299).outcome, within(answers_within(ms=30), [5.0] * 200).outcome
    ('passed', 'not enough evidence')
    """
    times = np.asarray(milliseconds, dtype=np.float64)
    fast = int(((times >= 0) & (times <= condition.ms)).sum())
    low, high = share_bounds(fast, len(times), CONFIDENCE) if len(times) else (0.0, 1.0)
    needed = least_to_prove(condition.share, CONFIDENCE)
    outcome: Outcome
    if condition.share >= 1:
        # That every answer for ever is fast can be refuted but never proven; all that were measured must do.
        outcome = "failed" if fast < len(times) else "passed" if len(times) >= 100 else "not enough evidence"
    else:
        outcome = "passed" if low >= condition.share else "failed" if high < condition.share else "not enough evidence"
    if not len(times):
        sentence = "No answer was timed"
    else:
        sentence = f"{percent(fast / len(times))} of {len(times):,} answers took at most {figure(condition.ms)} ms"
        if fast and np.isfinite(times).any():
            sentence += f" (half of them {figure(float(np.median(times[np.isfinite(times)])))} ms)"
        sentence += f", at least {percent(low)} with 95 % confidence, {percent(condition.share)} asked"
        if not read:
            sentence += "; their features were given, not read, so reading them comes on top"
        if outcome == "not enough evidence" and len(times) < needed:
            sentence += f"; that takes {needed:,} timings"
    return Opinion(
        clause=repr(condition), outcome=outcome, sentence=sentence, measure="answers_within",
        candidate=fast / len(times) if len(times) else None, low=low if len(times) else None, high=high if len(times) else None,
        rows=len(times),
        confidence=CONFIDENCE, needed=needed if outcome == "not enough evidence" and len(times) < needed else None,
    )  # fmt: skip


def timings_needed(conditions: Sequence[object]) -> int:
    """How many answers have to be timed so that the conditions can be proven with a few slow ones among them; 0 if none asks for it.

    >>> timings_needed([answers_within(ms=30)]), timings_needed([at_most("p99_ms", 30)])
    (632, 1000)
    """
    quantile = [OF_A_QUANTILE for c in conditions if isinstance(c, at_least | at_most) and c.what == "p99_ms"]
    shares = [c.share for c in conditions if isinstance(c, answers_within)]
    return max([*quantile, *map(_with_slow_ones, shares)], default=0)


def _with_slow_ones(share: float, slow: int = 2) -> int:
    if not 0 < share < 1:
        return 100
    count = least_to_prove(share, CONFIDENCE)
    while share_bounds(count - slow, count, CONFIDENCE)[0] < share:
        count = int(count * 1.01) + 1
    return count


def quantile_within(milliseconds: Sequence[float], level: float) -> tuple[float | None, float | None, float | None]:
    """A quantile of the times with its exact two-sided 95 % interval from order statistics; None where there are too few to bound it.

    >>> value, low, high = quantile_within(list(range(1, 1001)), 0.99)
    >>> low < value < high
    True
    """
    times = np.sort(np.asarray(milliseconds, dtype=np.float64))
    times = times[np.isfinite(times)]
    n = len(times)
    if not n:
        return None, None, None
    from scipy.stats import binom  # half a second of importing for one line

    below, above = int(binom.ppf(0.025, n, level)) - 1, int(binom.ppf(0.975, n, level))
    value = float(np.quantile(times, level))
    return value, float(times[below]) if below >= 0 else None, float(times[above]) if above < n else None
