"""The points a shop lets an app spend, counted on our side: so that nobody asks for what is not there, and nothing is left lying."""

from __future__ import annotations

import threading
from collections.abc import Callable

from everloop.clock import monotonic
from everloop.connect.shopify.house import Row


class Bucket:
    """The points a shop gives, as far as its answers tell. Shared by threads; what others of the same app spend is seen late.

    >>> bucket = Bucket(most=100, rate=50, clock=lambda: 0.0)
    >>> bucket.taken(80), bucket.taken(80)
    (0.0, 1.2)
    """

    def __init__(self, most: float = 1000, rate: float = 100, clock: Callable[[], float] = monotonic) -> None:
        self.most, self.rate = most, rate
        self._left, self._at, self._under_way = most, clock(), 0.0
        self._clock, self._lock = clock, threading.Lock()

    def taken(self, points: float) -> float:
        """These points are as good as spent; how many seconds to wait until they are there."""
        with self._lock:
            self._now()
            self._under_way += points
            self._left -= points
            return max(0.0, -self._left / self.rate)

    def told(self, points: float, status: Row | None) -> None:
        """A call that took so many points has its answer; ``status`` is the throttleStatus it brought, if any."""
        with self._lock:
            self._now()
            self._under_way = max(0.0, self._under_way - points)
            if status is not None:
                self.most, self.rate = float(status["maximumAvailable"]), max(1.0, float(status["restoreRate"]))
                self._left = float(status["currentlyAvailable"]) - self._under_way

    def _now(self) -> None:
        now = self._clock()
        self._left, self._at = min(self.most, self._left + (now - self._at) * self.rate), now
