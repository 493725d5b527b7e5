"""Nouns of trouble: a symptom, an incident, an alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from everloop.records.record import Record, identity
from everloop.records.signals import Cause, Severity


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """One thing an incident shows: which condition fired, about what, and which way. ``also``: it is put down to the incident's cause, and
    does not keep the incident open by itself."""

    clause: str
    kind: str  # of the signal; or contract: a condition on the data itself
    about: str | None = None
    direction: str = ""
    sentence: str
    since: datetime | None = None
    also: bool = False

    def fingerprint(self, model: str) -> str:
        """The same condition of the same model about the same thing in the same direction has the same."""
        return identity(model, self.clause, self.about, self.direction)


@dataclass(frozen=True, kw_only=True)
class Incident(Record):
    """Something wrong with a model, as it stands after one change of it; ``incident`` names it through all its changes.

    *pending*: it may be, and nobody is told; *firing*: it is; *resolved*: it is over. ``news``: people are told this change.
    """

    model: str
    incident: str
    change: int
    cause: Cause
    state: Literal["pending", "firing", "resolved"]
    severity: Severity
    symptoms: tuple[Symptom, ...]
    opened_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told_at: datetime | None = None  # when people were first told
    news: bool = False
    because: str = ""
    acknowledged_by: str | None = None
    snoozed_until: datetime | None = None
    by: str | None = None
    reason: str | None = None

    @property
    def open(self) -> bool:
        return self.state != "resolved"

    @property
    def since(self) -> datetime | None:
        """Since when it does harm, where watching can tell."""
        return min((s.since for s in self.symptoms if s.since is not None and not s.also), default=None)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A sentence for a person, kept in the outbox until delivered. ``key`` makes the same news one piece of news."""

    model: str
    severity: Severity
    sentence: str
    owner: str | None = None
    key: str = ""
