"""The bucket of points a shop gives an app, and what is to go wrong next: what a person who runs a sandbox turns."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from everloop.clock import monotonic


@dataclass
class Points:
    """The bucket of one app: ``most`` points, ``rate`` of them back each second."""

    most: float = 2000.0
    rate: float = 100.0
    refused: int = 0
    asked: int = 0
    _left: float = field(default=-1.0)
    _at: float = field(default_factory=monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, points: float) -> bool:
        """Whether there were so many; then they are gone."""
        with self._lock:
            self._now()
            self.asked += 1
            if points > self._left:
                self.refused += 1
                return False
            self._left -= points
            return True

    def give_back(self, points: float) -> None:
        with self._lock:
            self._now()
            self._left = min(self.most, self._left + points)

    def status(self) -> dict[str, float]:
        with self._lock:
            self._now()
            return {"maximumAvailable": self.most, "currentlyAvailable": int(self._left), "restoreRate": self.rate}

    def _now(self) -> None:
        now = monotonic()
        self._left = self.most if self._left < 0 else min(self.most, self._left + (now - self._at) * self.rate)
        self._at = now


@dataclass
class Faults:
    """What goes wrong next, each once: statuses instead of an answer (0: the answer is lost on its way), and results cut after bytes."""

    statuses: list[int] = field(default_factory=list)
    grants: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    ignores_filters: bool = False
    ignores_ranges: bool = False
