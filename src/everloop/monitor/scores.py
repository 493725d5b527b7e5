"""Scores: how often each chance was said, and how often it came true, in 256 bins. Arrays in, whole counts out; no clock, no disk.

The table of a window is the sum of those of its parts, in any order, and takes the same room for a thousand answers as for a billion; a
truth that comes late, or is corrected, moves one count. AUC, log loss, Brier score, calibration and the confusion at any threshold are read
from it in 256 steps, and are to the last digit those of answers whose chances are the middles of their bins. What that costs:

- bins are of equal width in asin(sqrt(p)), on which the standard error of a share is the same everywhere: near a half they are 0.006 wide,
  near 0 and 1 they end at 0.00004, so that rare events have as much to say as common ones;
- no chance is farther than 0.0031 from its middle: that is the most the mean of what was said can be off, and twice that the Brier score;
- AUC is off by at most half the share of pairs (one yes, one no) of which both lie in one bin;
- log loss counts a chance below 0.00004 as 0.000009, and one as near to 1 likewise: what was surer and wrong costs 11.6, not more;
- a threshold is taken as the end of a bin: one inside a bin leaves all of it on the side of its middle.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.monitor.spec import Counts
from everloop.stats.intervals import wilson
from everloop.stats.shapes import Floats

BINS, TENTHS = 256, 10
WAITS, NO, YES = 0, 1, 2  # the columns: no truth yet, it did not happen, it did
ENDS: Floats = np.sin(np.pi / 2 * np.arange(1, BINS) / BINS) ** 2
MIDDLES: Floats = np.sin(np.pi / 2 * (np.arange(BINS) + 0.5) / BINS) ** 2
WIDTHS = ("uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Group:
    """Some answers of like chances: what was ``said`` on average, what share ``came`` true (within ``low`` … ``high``, Wilson's 95 %), and
    of how many ``rows``."""

    said: float
    came: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Confusion:
    """How often yes and no were said, and rightly."""

    true_yes: int
    false_yes: int
    false_no: int
    true_no: int


@dataclass(frozen=True, eq=False)
class Scores:
    """``counts`` (256, 3): answers by the bin of their chance, and by what came of them: nothing known yet, no, yes.

    >>> rows = Scores.of(np.array([0.2, 0.2, 0.9, np.nan]), np.array([0.0, np.nan, 1.0, 1.0]))
    >>> rows.rows, rows.judged, rows.auc
    (3, 2, 1.0)
    >>> rows.told(np.array([0.2]), np.array([np.nan]), np.array([1.0])).judged  # a truth that came late
    3
    """

    counts: Counts

    @staticmethod
    def of(chances: Floats, truth: Floats) -> Scores:
        """The table of answers (n,) and their truths (n,): 1 and 0, NaN where nothing is known yet. An answer that is NaN is none; a
        chance beyond 0 or 1 counts as 0 or 1."""
        there = ~np.isnan(chances)
        column = np.where(np.isnan(truth[there]), WAITS, np.where(truth[there] > 0.5, YES, NO))
        place = np.searchsorted(ENDS, chances[there], side="right") * 3 + column
        return Scores(np.bincount(place, minlength=BINS * 3).reshape(BINS, 3).astype(np.int64))

    @staticmethod
    def none() -> Scores:
        """The table of nothing."""
        return Scores(np.zeros((BINS, 3), dtype=np.int64))

    def __add__(self, other: Scores) -> Scores:
        return Scores(self.counts + other.counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scores) and bool((self.counts == other.counts).all())

    __hash__ = None  # type: ignore[assignment]

    def told(self, chances: Floats, was: Floats, now: Floats) -> Scores:
        """The table after the truths of some answers in it became known or were corrected, from ``was`` to ``now`` (n,), NaN being unknown.
        Raises ValueError where such answers are not in it."""
        counts = self.counts - Scores.of(chances, was).counts + Scores.of(chances, now).counts
        if (counts < 0).any():
            raise ValueError("A truth cannot move of an answer that was never counted; count the window again.")
        return Scores(counts)

    @property
    def rows(self) -> int:
        """How many answers there are."""
        return int(self.counts.sum())

    @property
    def judged(self) -> int:
        """Of how many the truth is known."""
        return int(self.counts[:, NO:].sum())

    @property
    def said(self) -> float | None:
        """The mean chance of those whose truth is known."""
        known = self.counts[:, NO:].sum(axis=1)
        return float(known @ MIDDLES) / self.judged if self.judged else None

    @property
    def came(self) -> float | None:
        """The share of them that came true."""
        return int(self.counts[:, YES].sum()) / self.judged if self.judged else None

    @property
    def auc(self) -> float | None:
        """How often a yes has a greater chance than a no, ties half; None without one of each."""
        yes, no = self.counts[:, YES].astype(np.float64), self.counts[:, NO].astype(np.float64)
        pairs = float(yes.sum() * no.sum())
        return float(yes @ (np.cumsum(no) - no / 2)) / pairs if pairs else None

    @property
    def brier(self) -> float | None:
        """The mean squared distance of chance and truth."""
        return self._mean(MIDDLES**2, (1 - MIDDLES) ** 2)

    @property
    def logloss(self) -> float | None:
        """The mean negative logarithm of the chance that was given to what happened."""
        return self._mean(-np.log1p(-MIDDLES), -np.log(MIDDLES))

    def _mean(self, of_no: Floats, of_yes: Floats) -> float | None:
        return float(self.counts[:, NO] @ of_no + self.counts[:, YES] @ of_yes) / self.judged if self.judged else None

    def confusion(self, above: float) -> Confusion:
        """What saying yes above a chance would have come to.

        >>> Scores.of(np.array([0.2, 0.7, 0.9]), np.array([1.0, 0.0, 1.0])).confusion(0.5)
        Confusion(true_yes=1, false_yes=1, false_no=1, true_no=0)
        """
        yes = above < MIDDLES
        (fn, tp), (tn, fp) = ((int(self.counts[~yes, c].sum()), int(self.counts[yes, c].sum())) for c in (YES, NO))
        return Confusion(tp, fp, fn, tn)

    def calibration(self, groups: int = TENTHS) -> list[Group]:
        """What was said and what came of it, in up to ten groups of nearly as many answers each, from the least chance to the greatest; a
        bin is never torn apart."""
        known = self.counts[:, NO:].sum(axis=1)
        middle = np.cumsum(known) - known / 2
        which = np.minimum((middle / max(1, self.judged) * groups).astype(np.int64), groups - 1)
        found = []
        for group in range(groups):
            rows, yes = int(known[which == group].sum()), int(self.counts[which == group, YES].sum())
            if rows:
                said = float(known[which == group] @ MIDDLES[which == group]) / rows
                found.append(Group(said, yes / rows, *wilson(yes, rows), rows))
        return found

    def to_plain(self) -> str:
        """As text: 1.3 kB for a million answers, 2.5 kB for a billion."""
        width = next(w for w in WIDTHS if int(self.counts.max(initial=0)) <= np.iinfo(w).max)
        whole: NDArray[np.uint8] = np.ascontiguousarray(self.counts.T.astype(np.dtype(width).newbyteorder("<"))).view(np.uint8)
        # Byte by byte: those that are always nought then lie together.
        planes = whole.reshape(-1, int(width[4:]) // 8).T.tobytes()
        return width[4:] + ":" + base64.b64encode(zlib.compress(planes, 9)).decode()

    @staticmethod
    def from_plain(text: str) -> Scores:
        """The table that ``to_plain`` wrote."""
        width, _, packed = text.partition(":")
        planes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8).reshape(int(width) // 8, -1)
        whole = np.ascontiguousarray(planes.T).view(np.dtype(f"uint{width}").newbyteorder("<"))
        return Scores(whole.reshape(3, BINS).T.astype(np.int64))
