"""Events by arm, as a few integers: what has to be kept to judge two versions by what happened to their units. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everloop.stats.evalue import Bets, Counts, arm_events, ratio_between
from everloop.stats.shapes import Floats


@dataclass(frozen=True)
class ArmCounts:
    """For each share the candidate has had: (share, events of its units, events of the champion's). Counts of several workers and days
    are added; as they are integers, in any order and exactly.

    >>> monday, tuesday = ArmCounts(((0.05, 3, 61),)), ArmCounts(((0.05, 2, 40), (0.5, 30, 33)))
    >>> monday + tuesday
    ArmCounts(by_share=((0.05, 5, 101), (0.5, 30, 33)))
    """

    by_share: tuple[tuple[float, int, int], ...] = ()

    def __post_init__(self) -> None:
        for share, candidate, champion in self.by_share:
            if not 0 < share < 1 or candidate < 0 or champion < 0:
                raise ValueError(
                    f"{(share, candidate, champion)} is no count of events: a share between 0 and 1, and two counts from 0 on."
                )

    def __add__(self, other: ArmCounts) -> ArmCounts:
        total: dict[float, tuple[int, int]] = {}
        for share, candidate, champion in self.by_share + other.by_share:
            before = total.get(share, (0, 0))
            total[share] = before[0] + candidate, before[1] + champion
        return ArmCounts(tuple((share, *total[share]) for share in sorted(total)))

    @property
    def events(self) -> int:
        return sum(candidate + champion for _, candidate, champion in self.by_share)

    def evidence(self, *, margin: float = 1.0, more: bool | None = True, most: float = 8.0) -> Bets:
        """``evalue.arm_events`` of these counts.

        >>> ArmCounts(((0.5, 50, 90),)).evidence(more=False).value > 20
        True
        """
        arm, share, times = self._rows()
        return arm_events(arm, share, times=times, margin=margin, more=more, most=most)

    def ratio(self, confidence: float = 0.95) -> tuple[float, float]:
        """``evalue.ratio_between`` of these counts: between what the candidate's rate over the champion's lies, at all times at once.

        >>> ArmCounts().ratio()
        (0.0, inf)
        """
        arm, share, times = self._rows()
        return ratio_between(arm, share, times=times, confidence=confidence)

    def _rows(self) -> tuple[Floats, Floats, Counts]:
        shares = np.array([share for share, _, _ in self.by_share])
        times = [[candidate for _, candidate, _ in self.by_share], [champion for _, _, champion in self.by_share]]
        return np.repeat([1.0, 0.0], len(shares)), np.tile(shares, 2), np.array(times, dtype=np.int64).ravel()


def counted(candidate: Floats, share: Floats) -> ArmCounts:
    """The counts of these events: ``candidate`` (n,) 1 or 0, ``share`` (n,) the chance of 1 when the unit was assigned.

    >>> counted(np.array([1.0, 0.0, 0.0]), np.array([0.05, 0.05, 0.5]))
    ArmCounts(by_share=((0.05, 1, 1), (0.5, 0, 1)))
    """
    shares, place = np.unique(np.asarray(share, dtype=np.float64), return_inverse=True)
    of_candidate = np.asarray(candidate) > 0.5
    each = np.bincount(place, of_candidate, len(shares)), np.bincount(place, ~of_candidate, len(shares))
    return ArmCounts(tuple((float(s), int(a), int(b)) for s, a, b in zip(shares, *each, strict=True)))
