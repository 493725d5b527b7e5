"""Freshness: did something arrive lately? In: when the newest row was known. Out: a finding. ``now`` is an argument."""

from __future__ import annotations

from datetime import datetime, timedelta

from everloop.checks.clauses import Counted
from everloop.clock import from_microseconds
from everloop.project.conditions import fresh
from everloop.project.source import Source
from everloop.project.spoken_values import spoken_span
from everloop.records import Finding, Outcome


def fresh_finding(condition: fresh, source: Source, counted: Counted, arrived: datetime | None, now: datetime) -> Finding:
    """Whether the newest row was known within the span; rows of an undated source, always known, count from when they were delivered.

    Raises nothing: where neither is known it is not enough evidence.
    """
    known = None if counted.last_known is None else from_microseconds(counted.last_known)
    if known is None or not source.time:
        known = max(filter(None, (known, arrived)), default=None)
    outcome: Outcome = "not enough evidence" if known is None else "passed" if now - known <= condition.span else "failed"
    if known is None:
        sentence = f"In {source.name}, nothing says when the newest row arrived."
    else:
        ago = spoken_span(_roughly(max(now - known, timedelta(0))))
        sentence = f"In {source.name}, the newest row was known {ago} ago; within {spoken_span(condition.span)} is needed."
    return Finding(
        source=source.name, clause=repr(condition), outcome=outcome, rows=counted.all_rows,
        broken=counted.all_rows if outcome == "failed" else 0, met=None, share=1.0, sentence=sentence,
    )  # fmt: skip


def _roughly(span: timedelta) -> timedelta:
    """A span as one says it: to the minute, from a day on to the hour; a short one to the second."""
    unit = (
        timedelta(hours=1) if span >= timedelta(days=1) else timedelta(minutes=1) if span >= timedelta(minutes=1) else timedelta(seconds=1)
    )
    return span // unit * unit
