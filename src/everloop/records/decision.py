"""Nouns of deciding: what is done, and who agreed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.records.record import Record

Action: TypeAlias = Literal["hold", "retrain", "rehearse", "advance", "promote", "undo", "ask", "release", "share"]
HELD = "held"
"""The cause of a hold by a person, which lasts until it is released, and of what a turn leaves undone meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Decision(Record):
    """What is to be done about one model, and why. ``asks`` names the action that waits for a person; ``drops`` the versions that an undo
    takes back, where it leaves other candidates of the same test alone."""

    model: str
    action: Action
    because: tuple[str, ...]
    cause: str  # schedule, demand, truths, arrival, drift, slip, rollout, override, held …
    asks: Action | None = None
    learn_from: datetime | None = None  # a change point: older rows are not learnt from
    by: str | None = None
    drops: tuple[str, ...] = ()

    @property
    def undoes(self) -> bool:
        return self.action == "undo"

    @property
    def advances(self) -> bool:
        return self.action in ("advance", "promote")

    @property
    def retrains(self) -> bool:
        return self.action == "retrain"

    @property
    def by_hand(self) -> bool:
        """Whether a person puts a stop to roll-outs by it, lets them go on, or sets a share."""
        return self.by is not None and (self.action in ("release", "share") or self.cause == HELD)

    @property
    def rehearses(self) -> bool:
        """Whether a candidate is learnt for evidence alone: it is held beside the champion, and takes over only if a person says so."""
        return self.action == "rehearse"


@dataclass(frozen=True, kw_only=True)
class Approval(Record):
    """A person's word on a waiting decision."""

    model: str
    decision: str
    approved: bool
    by: str
    reason: str
