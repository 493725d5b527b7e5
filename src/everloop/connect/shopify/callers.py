"""Who asks at the storefront, and how often. Anybody can make tokens and send rows, and each that is answered is remembered for good: so
few new ones are let in a minute, and none asks without an end. Kept in memory; a door that is opened again knows nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from everloop.clock import monotonic

EACH: Final = 120.0
"""How much one caller may ask or tell in a minute."""
KNOWN: Final = 50_000
"""How many callers are remembered; who was not heard of for longest is new again."""


class Allowance:
    """So much a minute, and no more than that at once.

    >>> few = Allowance(60, clock=iter([0.0, 0.0, 0.0, 1.0]).__next__)
    >>> few.taken(60), few.taken(), few.taken()
    (True, False, True)
    """

    __slots__ = ("_at", "_clock", "_left", "most")

    def __init__(self, a_minute: float, clock: Callable[[], float] = monotonic) -> None:
        self.most, self._left, self._clock, self._at = a_minute, a_minute, clock, clock()

    def taken(self, count: int = 1) -> bool:
        """Whether there was so much left; then it is taken."""
        now = self._clock()
        self._left, self._at = min(self.most, self._left + (now - self._at) * self.most / 60), now
        if self._left < count:
            return False
        self._left -= count
        return True


class Callers:
    """Those who ask one door, from one thread: ``newcomers`` that nobody vouches for are let in a minute.

    >>> callers = Callers(1, clock=lambda: 0.0)
    >>> callers.let("b7c1d2e3-0000"), callers.let("c1d2e3f4-0000"), callers.let("b7c1d2e3-0000"), callers.let("42", vouched=True)
    (True, False, True, True)
    """

    def __init__(self, newcomers: float, clock: Callable[[], float] = monotonic) -> None:
        self._new, self._clock = Allowance(newcomers, clock), clock
        self._known: OrderedDict[str, Allowance] = OrderedDict()

    def let(self, who: str, count: int = 1, *, vouched: bool = False) -> bool:
        """Whether somebody may ask or tell so much now. ``vouched``: Shopify says who it is."""
        mine = self._known.get(who)
        if mine is None:
            if not vouched and not self._new.taken():
                return False
            mine = self._known[who] = Allowance(EACH, self._clock)
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(who)
        return mine.taken(count)
