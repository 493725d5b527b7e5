"""The noun of taking a delivery back: whose word it was, and why."""

from __future__ import annotations

from dataclasses import dataclass

from everloop.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Withdrawal(Record):
    """A delivery of a source was taken back by somebody's word; ``rows`` of it were answered by what stood before."""

    source: str
    number: int
    rows: int
    by: str
    reason: str
