"""What watching is shown: everything about one model that was worked out from its answers, its truths and its training. Plain values.

``loop/watching.py`` fills this in; ``watch.py`` judges it. Profiles are those of ``profile.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Answers, Paired, Strings

if TYPE_CHECKING:
    from everloop.monitor.profile import Profile


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Questions whose truth is mature, with the answers one version gave: ``units`` (n,), ``moments`` (n,) int64 µs UTC, ``truth`` (n,).

    ``groups`` maps a name (a fair_across reading, a category feature) to (n,) strings, so that where it goes wrong can be said.
    """

    version: str
    units: Strings
    moments: NDArray[np.int64]
    truth: NDArray[Any]
    answers: Answers
    groups: Mapping[str, Strings] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: NDArray[Any]) -> Answered:
        """The questions at these positions, or where a boolean mask holds."""
        groups = {name: g[rows] for name, g in self.groups.items()}
        return replace(
            self, units=self.units[rows], moments=self.moments[rows], truth=self.truth[rows], answers=self.answers.take(rows), groups=groups
        )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """``reference``: the profile of what the champion learnt from; ``windows``: one profile for each asking moment, oldest first, the
    newest last. ``answered``: the champion's matured answers since it was promoted. ``promised``: its matured answers in the contest it
    won. ``live``: two versions on the same questions; in shadow and canary the candidate beside the champion, in bake the new champion
    (as ``candidate``) beside the one it replaced (as ``champion``). ``coverage``: the share of the questions since promotion whose truth
    is mature. Counts and latencies (µs) are of the answers of the newest window. Instants are aware UTC.
    """

    reference: Profile | None = None
    windows: tuple[Profile, ...] = ()
    answered: Answered | None = None
    promised: Answered | None = None
    live: Paired | None = None
    coverage: float | None = None
    answers: int = 0
    failed: int = 0
    microseconds: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    truths_since_training: int = 0
    last_trained_at: datetime | None = None
    promoted_at: datetime | None = None
