"""What a source that says ``arrives=`` has brought: a truth waits for the delivery that could tell it, for until then silence says nothing.

In: when deliveries came. Out: when what had happened by an instant was there. Absent: clock, disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.features.moments import FOREVER, Micros, length
from everloop.project.reading import Reading


@dataclass(frozen=True)
class Delivered:
    """When a source's rows came, µs UTC, oldest first: each from an instant (``begins``) to an instant (``ends``), the same two for a file.
    ``missing``: when the first was due of what is overdue; FOREVER where nothing is."""

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    missing: int = FOREVER

    def came(self, happened: Micros) -> Micros:
        """For each instant (n,) the first at which what had happened by then can have come; FOREVER where nothing came since.

        >>> daily = Delivered((6, 30), (6, 30))
        >>> daily.came(np.array([0, 6, 7, 31])).tolist() == [6, 6, 30, FOREVER]
        True
        """
        place = np.searchsorted(np.array(self.ends, dtype=np.int64), happened, side="left")
        begins = np.array([*self.begins, FOREVER], dtype=np.int64)[place]
        made: Micros = np.maximum(begins, happened)
        return made


def told_at(reading: Reading, moments: Micros, delivered: Mapping[str, Delivered]) -> Micros:
    """Since when a window that begins at each moment (n,) is told of, as far as deliveries say: from the first one after its end on, and,
    while deliveries are missing, not where ``late`` allows for a row of it in what is missing (FOREVER). Of other sources at its end.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={}, late=days(1))
    >>> day = 86_400_000_000
    >>> dead = {"orders": Delivered((day, 2 * day + 1), (day, 2 * day + 1), 3 * day)}
    >>> told_at(orders.none(next=days(1)), np.arange(3) * day, dead).tolist() == [day, FOREVER, FOREVER]
    True
    """
    ahead = reading.next or reading.within
    ends = moments + (0 if ahead is None else length(ahead))
    there = delivered.get(reading.source.name)
    if there is None or (reading.verb == "outcome" and reading.within is None):  # how a row ends up is told by the row itself
        return ends
    waits: NDArray[np.bool_] = ends + length(reading.source.late) >= there.missing
    return np.where(waits, FOREVER, there.came(ends))
