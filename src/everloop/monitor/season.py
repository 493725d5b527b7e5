"""Is it only the season? A window held against the same time a year ago. In: profiles. Out: yes or no. No clock, no disk."""

from __future__ import annotations

from everloop.monitor.drift import moved
from everloop.monitor.lots import LEAST_ROWS
from everloop.monitor.profile import Profile
from everloop.stats.distances import Moved

ALIKE = 0.5


def as_a_year_ago(reference: Profile, window: Profile, year_ago: Profile | None, feature: str) -> bool:
    """Whether a feature that left its reference is where it was a year ago: it had left it then too, at least half as far, and is now less
    than half as far from then as from the reference (D of ``drift.moved``).
    """
    if year_ago is None or year_ago.rows < LEAST_ROWS or feature not in year_ago.counts:
        return False
    now, then, between = (_distance(a, b, feature) for a, b in ((reference, window), (reference, year_ago), (year_ago, window)))
    if now is None or then is None or between is None:
        return False
    return then.d >= ALIKE * now.d and between.d <= ALIKE * now.d


def _distance(one: Profile, other: Profile, feature: str) -> Moved | None:
    return moved(one, other).get(feature)
