"""How often somebody may try a password: after a few that were wrong, each more has to wait twice as long. Seconds are arguments.

Kept in memory by the one process that lets people in; who is slowed down is a name from one place, a place, and a name from everywhere,
each with its own patience, so that a stranger cannot lock somebody out from their own place quickly.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

FREE = {"both": 4, "place": 15, "name": 50}
"""Tries that were wrong before the first wait: of one name from one place, from one place, of one name."""
LONGEST = 900.0
FORGET = 3_600.0
MOST = 20_000


@dataclass
class Throttle:
    """Tries that were wrong, by who tried. Safe between threads."""

    wrong: OrderedDict[tuple[str, ...], tuple[int, float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str, place: str, now: float) -> float:
        """How many seconds this name from this place has to wait before another try; 0: none.

        >>> throttle = Throttle()
        >>> for _ in range(6):
        ...     throttle.failed("kim", "203.0.113.9", 100.0)
        >>> [throttle.wait("kim", place, at) for place, at in (("203.0.113.9", 100.0), ("198.51.100.7", 100.0), ("203.0.113.9", 102.0))]
        [2.0, 0.0, 0.0]
        """
        with self.lock:
            return max(self._wait(key, free, now) for key, free in _keys(name, place))

    def failed(self, name: str, place: str, now: float) -> None:
        """One more try was wrong."""
        with self.lock:
            for key, _ in _keys(name, place):
                count, last = self.wrong.pop(key, (0, now))
                self.wrong[key] = (1 if now - last > FORGET else count + 1, now)
            while len(self.wrong) > MOST:
                self.wrong.popitem(last=False)

    def succeeded(self, name: str, place: str) -> None:
        """This name from this place was right: its tries are forgotten, others' are not, and the try that was counted before it was known
        to be right counts for nobody."""
        with self.lock:
            both, *shared = (key for key, _ in _keys(name, place))
            self.wrong.pop(both, None)
            for key in shared:
                count, last = self.wrong.get(key, (0, 0.0))
                if count > 1:
                    self.wrong[key] = (count - 1, last)
                else:
                    self.wrong.pop(key, None)

    def _wait(self, key: tuple[str, ...], free: int, now: float) -> float:
        count, last = self.wrong.get(key, (0, now))
        if count <= free or now - last > FORGET:
            return 0.0
        return max(0.0, last + min(LONGEST, 2.0 ** min(count - free - 1, 20)) - now)


def _keys(name: str, place: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    return ((("both", name, place), FREE["both"]), (("place", place), FREE["place"]), (("name", name), FREE["name"]))
