"""The most frequent of many names, in a bounded number of counters that add up. Counts in, counts out.

Misra and Gries 1982; merged as Agarwal and others 2012 ("Mergeable summaries"). Up to ``MOST`` different names are counted exactly; of
more, every name that makes up over a ``1 / (MOST + 1)`` share is still there, its count too low by at most ``lost``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST, LONGEST = 12, 40


@dataclass(frozen=True)
class Frequent:
    """Counters by name, none above the truth and none more than ``lost`` below it. Names are cut to 40 characters.

    >>> Frequent.of({"a": 5, "b": 2}) + Frequent.of({"b": 1})
    Frequent(counts={'a': 5, 'b': 3}, lost=0)
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0

    @staticmethod
    def of(counts: Mapping[str, int]) -> Frequent:
        """The counters of exact counts."""
        short: dict[str, int] = {}
        for name, count in counts.items():
            short[name[:LONGEST]] = short.get(name[:LONGEST], 0) + count
        return _bounded(short, 0)

    def __add__(self, other: Frequent) -> Frequent:
        together = {name: self.counts.get(name, 0) + other.counts.get(name, 0) for name in {*self.counts, *other.counts}}
        return _bounded(together, self.lost + other.lost)

    @property
    def first(self) -> str | None:
        """The name with the highest count; None of none."""
        return next(iter(self.counts), None)


def _bounded(counts: Mapping[str, int], lost: int) -> Frequent:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    least = ordered[MOST][1] if len(ordered) > MOST else 0
    return Frequent({name: count - least for name, count in ordered[:MOST] if count > least}, lost + least)
