"""Two versions that answer the same questions live: is one proven worse, or better, than the other? Anytime valid.

In: paired answers with mature truths. Out: a finding; no clock, no disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everloop.monitor.seen import Answered
from everloop.records import Outcome
from everloop.stats.blocks import periods
from everloop.stats.bootstrap import Effect, compare
from everloop.stats.evalue import paired_difference, paired_evidence
from everloop.stats.known import comparable
from everloop.stats.losses import adds_up, cap_of
from everloop.stats.measures import Measure
from everloop.stats.multiple import share_of_look
from everloop.stats.shapes import Paired

LEAST_ALPHA = 0.005


@dataclass(frozen=True)
class Beside:
    """``outcome``: passed if it is proven, failed if the contrary is, else not enough evidence. ``effect`` of the candidate, with the
    interval at the confidence asked; ``evidence`` the e-value that decides (None where the measure does not add up: the interval does).
    ``wealth`` of its bets after each period; ``between`` what the mean difference of losses lies (candidate less champion, those of each
    unit in a period together), whenever one looks.
    """

    outcome: Outcome
    effect: Effect
    evidence: float | None
    periods: int
    wealth: tuple[tuple[float, ...], ...] = ()
    between: tuple[float, float] | None = None


def worse(
    measure: Measure, live: Paired, *, by: float, confidence: float, span: timedelta, seed: int, before: Answered | None = None
) -> Beside:
    """Is the candidate proven worse than the champion by more than ``by`` of the champion's value? ``before``: what a version answered
    before the comparison, which says what a loss counts up to (``losses.cap_of``); without a cap it has to be worse as well, as seen.

    Measures that add up over questions are decided by betting on paired differences (``stats.evalue.paired_evidence``): evidence of
    1 / (1 - confidence) or more at any time. The others by their interval, at a confidence that grows with each period looked at.
    """
    cap = None if before is None else cap_of(measure, before.alone())
    return _beside(measure, live, worse=True, by=by, confidence=confidence, span=span, seed=seed, cap=cap)


def better(measure: Measure, live: Paired, *, by: float, confidence: float, span: timedelta, seed: int) -> Beside:
    """Is the candidate proven better by more than ``by`` (below 0: no worse than that)? Decided as in ``worse``."""
    return _beside(measure, live, worse=False, by=by, confidence=confidence, span=span, seed=seed)


def _beside(
    measure: Measure, live: Paired, *, worse: bool, by: float, confidence: float, span: timedelta, seed: int, cap: float | None = None
) -> Beside:
    live = live.take(comparable(live))
    which = periods(live.moments, span)
    looks = int(which.max(initial=-1)) + 1
    found = compare(measure, live, confidence=confidence, seed=seed, span=span)
    if not looks:
        return Beside("not enough evidence", found, None, 0)
    sign = -1.0 if worse else 1.0
    gone = None if found.effect is None else sign * found.effect
    evidence = paired_evidence(measure, live, which, worse=worse, by=by, cap=cap) if adds_up(measure) else None
    if evidence is not None:
        proven = evidence.proven(confidence) and gone is not None and gone > by
    else:
        alpha = max(min(share_of_look(looks, 1 - confidence), 1 - confidence), LEAST_ALPHA)
        strict = compare(measure, live, confidence=1 - alpha, seed=seed, span=span)
        least = strict.high if worse else strict.low
        proven = least is not None and sign * least > by
    most = found.low if worse else found.high
    refuted = most is not None and sign * most <= by
    outcome: Outcome = "passed" if proven else "failed" if refuted else "not enough evidence"
    if evidence is None:
        return Beside(outcome, found, None, looks)
    between = paired_difference(measure, live, which, confidence=confidence)
    return Beside(outcome, found, evidence.evidence, looks, evidence.wealth, between)
