"""The noun of how far a house goes by itself: a person's word, or what a copy begins with."""

from __future__ import annotations

from dataclasses import dataclass

from everloop.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Autonomy(Record):
    """No model of the house acts above this ``level`` (observe, suggest, act), by somebody's word.

    ``backup`` is the backup a house was restored from, where that is why; such a house begins at *observe*, since another may still act.
    """

    level: str
    by: str
    reason: str
    backup: str | None = None
