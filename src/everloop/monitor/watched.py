"""What a clause is held against: the model, what was seen, and now; and how a signal is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from everloop.clock import from_microseconds
from everloop.monitor.seen import Seen
from everloop.project.metrics import name_of
from everloop.project.model import Model
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Followed, Outcome, Traffic
from everloop.stats.rounded import figure

NOTHING: Outcome = "not enough evidence"


@dataclass(frozen=True)
class Watched:
    """Everything a condition is judged by."""

    model: Model
    traffic: Traffic
    seen: Seen
    now: datetime
    seed: int
    followed: Mapping[str, Followed] = field(default_factory=dict)

    def metric(self, on: object) -> str:
        return name_of(on, self.model.metric)


def odds(value: float) -> str:
    """Evidence as so many to one.

    >>> odds(20.0), odds(3e9)
    ('20.0', 'over 1,000,000')
    """
    return "over 1,000,000" if value > 1e6 else figure(value)


def title(name: str) -> str:
    """A metric at the head of a sentence.

    >>> title("wape"), title("logloss")
    ('WAPE', 'Log loss')
    """
    spoken = spoken_metric(name)
    return spoken[0].upper() + spoken[1:]


def day(moment: int) -> str:
    """An instant in µs as a date (UTC)."""
    return f"{from_microseconds(moment):%Y-%m-%d}"
