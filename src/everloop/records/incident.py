"""Nouns of trouble: a symptom, an incident, an alert."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from everloop.records.record import Record, identity
from everloop.records.signals import Cause, Severity


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """One thing an incident shows: which condition fired, about what, and which way. ``also``: it is put down to the incident's cause, and
    does not keep the incident open by itself. ``mended_at``: since when it is over, while the incident is not."""

    clause: str
    kind: str  # of the signal; or contract: a condition on the data itself
    about: str | None = None
    direction: str = ""
    sentence: str
    since: datetime | None = None
    also: bool = False
    mended_at: datetime | None = field(default=None, metadata={"empty": "left out"})

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
    def shown(self) -> tuple[str, ...]:
        """The sentences of what it shows, each once; of one that is over what it showed."""
        return _said(s for s in self.symptoms if not s.also and (s.mended_at is None or not self.open))

    @property
    def also(self) -> tuple[str, ...]:
        """The sentences of what is put down to the same cause."""
        return _said(s for s in self.symptoms if s.also and (s.mended_at is None or not self.open))

    @property
    def mended(self) -> tuple[str, ...]:
        """The sentences of what is over, while the incident is not."""
        return _said(s for s in self.symptoms if s.mended_at is not None and self.open)

    @property
    def since(self) -> datetime | None:
        """Since when it does harm, where watching can tell."""
        return min((s.since for s in self.symptoms if s.since is not None and not s.also and s.mended_at is None), default=None)


def _said(symptoms: Iterable[Symptom]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.sentence for s in symptoms))


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A sentence for a person, kept in the outbox until delivered. ``key`` makes the same news one piece of news."""

    model: str
    severity: Severity
    sentence: str
    owner: str | None = None
    key: str = ""
