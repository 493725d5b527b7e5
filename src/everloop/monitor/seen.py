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

from everloop.monitor.hints import Hints
from everloop.records import Confidence, Finding, Followed
from everloop.stats.known import comparable
from everloop.stats.shapes import Answers, Floats, Paired, Strings

if TYPE_CHECKING:
    from everloop.monitor.estimated import Foresee
    from everloop.monitor.maturity import Maturity
    from everloop.monitor.profile import Profile
    from everloop.monitor.rhythm import Season


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Questions whose truth is mature, with the answers one version gave: ``units`` (n,), ``moments`` (n,) int64 µs UTC, ``truth`` (n,).

    ``groups`` maps a name (a fair_across reading, a category feature) to (n,) strings, so that where it goes wrong can be said.
    ``known`` (n, columns) is what was known of them, as numbers, where losses are estimated from it.
    """

    version: str
    units: Strings
    moments: NDArray[np.int64]
    truth: NDArray[Any]
    answers: Answers
    groups: Mapping[str, Strings] = field(default_factory=dict)
    known: Floats | None = None

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: NDArray[Any]) -> Answered:
        """The questions at these positions, or where a boolean mask holds."""
        groups = {name: g[rows] for name, g in self.groups.items()}
        return replace(
            self,
            units=self.units[rows],
            moments=self.moments[rows],
            truth=self.truth[rows],
            answers=self.answers.take(rows),
            groups=groups,
            known=None if self.known is None else self.known[rows],
        )

    def alone(self) -> Paired:
        """The questions that can be judged, as a pair of one version with itself."""
        pair = Paired(self.units, self.moments, self.truth, self.answers, self.answers)
        return pair.take(comparable(pair))


@dataclass(frozen=True)
class Alarm:
    """What a detector of another's library says of ``rows`` losses: ``since`` (µs) when the answer was asked at which it alarmed, or
    None; ``why_silent`` where it could not be asked."""

    rows: int
    since: int | None = None
    why_silent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A reading of the questions that were answered: ``units`` (n,), ``values`` (n,), NaN where there is none."""

    units: Strings
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Served:
    """How many answers were given, how many failed, and how long each took (µs)."""

    answers: int
    failed: int
    microseconds: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """``reference``: the profile of what the champion learnt from; ``windows``: one profile for each window (from tick to tick of the
    model's clock, or a UTC day), oldest first; ``seasons``: what it learnt from, by season. ``answered``: the champion's matured
    answers since it was promoted. ``promised``: its matured answers in the contest it won. ``live``: two versions on the same
    questions; in shadow and canary the candidate beside the champion, in bake the new champion (as ``candidate``) beside the one it
    replaced (as ``champion``). ``coverage``: the share of the questions since promotion of which it is known what came, be it void;
    ``maturity`` says it window by window, and ``answered`` has nothing of a window that is immature. ``open``: the champion's answers
    in those windows, their truth left out, and ``foresee`` what a metric will come to on them. ``followed``: how far detectors of concept
    drift had come in the last turn, ``alarms`` what those of another library say, by clause. Counts and latencies (µs) are of the answers
    within a window's length up to the newest. ``hints``: what may explain a change. Instants are aware UTC.

    ``findings`` say what is wrong with the events, as they are now. ``year_ago`` is the newest window's profile as it was 364 days
    before. ``figures`` holds the readings that conditions name. ``before`` is how the version that was replaced served in its last week,
    while that is still to be compared with. ``fresh`` counts the mature truths nobody has learnt from; None where nothing was answered.
    ``overdue``: what sources that the truth is read from were due to bring and have not, as clauses.
    """

    reference: Profile | None = None
    windows: tuple[Profile, ...] = ()
    seasons: tuple[Season, ...] = ()
    answered: Answered | None = None
    promised: Answered | None = None
    live: Paired | None = None
    coverage: float | None = None
    maturity: Maturity | None = None
    open: Answered | None = None
    foresee: Mapping[str, Foresee] = field(default_factory=dict)
    followed: Mapping[str, Followed] = field(default_factory=dict)
    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    answers: int = 0
    failed: int = 0
    microseconds: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    truths_since_training: int = 0
    last_trained_at: datetime | None = None
    promoted_at: datetime | None = None
    hints: Hints = field(default_factory=Hints)
    findings: tuple[Finding, ...] = ()
    year_ago: Profile | None = None
    figures: Mapping[str, Figures] = field(default_factory=dict)
    before: Served | None = None
    fresh: int | None = None
    confidence: tuple[Confidence, ...] = ()
    overdue: tuple[str, ...] = ()
