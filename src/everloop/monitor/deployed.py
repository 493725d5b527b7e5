"""A version that fails, or is slow, since it took over: what a canary too small to tell lets through. In: what was seen. Out: signals.

The newest window is held against the last week of the version that was replaced, for two days after a takeover and as long as the new
one bakes. Nobody has to ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from everloop.monitor.watched import Watched
from everloop.project.conditions import answers_within
from everloop.records import Signal
from everloop.stats.intervals import wilson
from everloop.stats.rounded import percent

GUARDRAIL = "guardrails"
SOON = timedelta(hours=48)
FAILS, TIMES = 0.01, 3.0  # a share of failures anybody notices, and so many times that of the version before


def deployed(w: Watched) -> Iterator[Signal]:
    """Signals of the clause ``guardrails``, where it is proven (Wilson's interval, 95 %) that more answers fail than 1 % and than three
    times the share before; or that three times as many are slower than ``answers_within`` allows, and than were before.
    """
    seen, before = w.seen, w.seen.before
    if before is None or seen.promoted_at is None or not before.answers or not seen.answers:
        return
    if w.traffic.stage not in ("bake", "steady") or (w.traffic.stage == "steady" and w.now - seen.promoted_at > SOON):
        return
    since = f"since {seen.promoted_at:%Y-%m-%d %H:%M} UTC, when it took over"
    was, (low, high) = before.failed / before.answers, wilson(seen.failed, seen.answers)
    if low > max(FAILS, TIMES * was):
        sentence = f"{percent(seen.failed / seen.answers)} of answers fail {since}; of the version before it {percent(was)} did"
        yield _signal(w, "errors", "errors", sentence, seen.failed / seen.answers, low, high)
    # Without a word on it nobody minds that what was learnt takes longer than an average did.
    said = [(c.ms, 1 - c.share) for c in w.model.promote_when if isinstance(c, answers_within)]
    if not said or not len(seen.microseconds):
        return
    limit, allowed = min(said)
    slow = int((np.asarray(seen.microseconds) / 1000 > limit).sum())
    low, high = wilson(slow, len(seen.microseconds))
    share, share_before = slow / len(seen.microseconds), float((np.asarray(before.microseconds) / 1000 > limit).mean())
    if low > max(TIMES * allowed, TIMES * share_before):
        sentence = f"{percent(share)} of answers take longer than {limit:g} ms {since}; of those before it {percent(share_before)}"
        yield _signal(w, "latency", "p99_ms", sentence, share, low, high)


def _signal(w: Watched, kind: str, measure: str, sentence: str, value: float, low: float, high: float) -> Signal:
    return Signal(
        clause=GUARDRAIL, kind="errors" if kind == "errors" else "latency", fired=True, outcome="passed", sentence=sentence,
        measure=measure, about=w.traffic.champion, value=value, low=low, high=high, rows=w.seen.answers, since=w.seen.promoted_at,
    )  # fmt: skip
