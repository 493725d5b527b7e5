"""Bounds: a metric, a reading, errors or a latency beyond what a condition allows. In: what was seen. Out: signals."""

from __future__ import annotations

import numpy as np

from everloop.monitor.error import newest_of, realised
from everloop.monitor.seen import Answered
from everloop.monitor.watched import NOTHING, Watched, title
from everloop.project.conditions import (
    at_least,
    at_most,
)
from everloop.project.reading import is_reading
from everloop.project.resolve import truth_span
from everloop.records import Outcome, Signal
from everloop.stats.bootstrap import Estimate
from everloop.stats.intervals import mean, wilson
from everloop.stats.measures import measure
from everloop.stats.rounded import figure, percent
from everloop.stats.unsaid import why_unsaid


def bound(w: Watched, condition: at_least | at_most) -> Signal:
    """A measure or a reading proven beyond a bound: of serving from the newest window, of truth from the newest four periods, of a reading
    the mean over the units answered.
    """
    seen, why = w.seen, ""
    if is_reading(condition.what):
        found = _mean_of(w, condition)
    elif condition.what == "errors":
        low, high = wilson(seen.failed, seen.answers)
        found = Estimate(seen.failed / seen.answers, low, high, seen.answers) if seen.answers else Estimate(None, None, None, 0)
    elif condition.what == "p99_ms":
        return _latency(w, condition)
    else:
        table = judged_by(w, condition)
        found, why = Estimate(None, None, None, 0), "no truth of these answers is mature yet"
        if table is not None and len(table):
            found, newest = (
                realised(measure(str(condition.what)), table, truth_span(w.model), seed=w.seed),
                newest_of(table, truth_span(w.model)),
            )
            why = why_unsaid(newest.truth, newest.answers) if found.value is None else ""
    beyond, short = _sides(condition, found.low, found.high)
    return _bound_signal(w, condition, found, "passed" if beyond else "failed" if short else NOTHING, why)


def judged_by(w: Watched, condition: object) -> Answered | None:
    """Whose answers a condition is about: the champion's; in shadow and canary, what takes the candidate back is about the candidate's."""
    live = w.seen.live
    if w.traffic.stage not in ("shadow", "canary") or condition not in w.model.roll_back_when:
        return w.seen.answered
    if live is None or w.traffic.candidate is None:
        return None
    return Answered(
        version=w.traffic.candidate, units=live.units, moments=live.moments, truth=live.truth, answers=live.candidate, groups=live.groups
    )


def _mean_of(w: Watched, condition: at_least | at_most) -> Estimate:
    """The mean of a reading, each unit counted once (Student's t over units, 95 %)."""
    figures = w.seen.figures.get(repr(condition.what))
    there = np.isfinite(figures.values) if figures is not None else np.zeros(0, dtype=bool)
    if figures is None or not there.any():
        return Estimate(None, None, None, 0)
    _, unit = np.unique(figures.units[there].astype(str), return_inverse=True)
    means = np.bincount(unit, weights=figures.values[there]) / np.bincount(unit)
    found = mean(means)
    return Estimate(float(means.mean()), None, None, len(means)) if found is None else Estimate(*found, len(means))


def _latency(w: Watched, condition: at_least | at_most) -> Signal:
    """p99 is at least x where at least one answer in a hundred is proven to take x; judged on that share, by Wilson's interval."""
    times = np.asarray(w.seen.microseconds, dtype=np.float64) / 1000
    n = len(times)
    value = float(np.quantile(times, 0.99)) if n else None
    low, high = wilson(int((times >= condition.value).sum()), n)
    slow, fast = n > 0 and low >= 0.01, n > 0 and high < 0.01
    beyond, short = (slow, fast) if isinstance(condition, at_least) else (fast, slow)
    return _bound_signal(w, condition, Estimate(value, None, None, n), "passed" if beyond else "failed" if short else NOTHING)


def _sides(condition: at_least | at_most, low: float | None, high: float | None) -> tuple[bool, bool]:
    if low is None or high is None:
        return False, False
    if isinstance(condition, at_least):
        return low >= condition.value, high < condition.value
    return high <= condition.value, low > condition.value


def _bound_signal(w: Watched, condition: at_least | at_most, found: Estimate, outcome: Outcome, why: str = "") -> Signal:
    reads = is_reading(condition.what)
    name = condition.what.name if reads else str(condition.what)  # type: ignore[union-attr]
    head = name if reads else title(name)
    say = percent if name == "errors" else figure
    word = "at least" if isinstance(condition, at_least) else "at most"
    if found.value is None:
        sentence = f"{head}: nothing to work it out from yet" + (f", for {why}" if why else "")
    else:
        within = f" ({say(found.low)} … {say(found.high)})" if found.low is not None else ""
        proven = "is proven" if outcome == "passed" else "does not hold" if outcome == "failed" else "is not proven"
        of = "units" if reads else "answers"
        sentence = f"{head} {say(found.value)}{within} on {found.rows:,} {of}: {word} {say(condition.value)} {proven}"
    return Signal(
        clause=repr(condition),
        kind="figure" if reads else "errors" if name == "errors" else "latency" if name == "p99_ms" else "slip",
        fired=outcome == "passed",
        outcome=outcome,
        sentence=sentence,
        measure=None if reads else name,
        about=name if reads else None,
        value=found.value,
        low=found.low,
        high=found.high,
        rows=found.rows,
        coverage=w.seen.coverage if not reads and name not in ("errors", "p99_ms") else None,
    )
