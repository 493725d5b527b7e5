"""Why a figure changed: because there are now other questions (*mix*), or because it changed on the same ones (*within*). Arrays in,
numbers out; no clock, no disk.

The figure is a ratio of two sums over rows, ``sum(amount) / sum(weight)``: a mean, a rate, WAPE. With w a segment's share of the weight
and r its own ratio, before (0) and now (1), and m the ratio of everybody, a segment adds

    within = (w0 + w1) / 2 * (r1 - r0)                  it changed
    mix    = (w1 - w0) * ((r0 + r1) / 2 - (m0 + m1) / 2)  there is more or less of it, and it is unlike the others

whose sum over segments is m1 - m0 exactly, because shares add up to one on both sides (Kitagawa, "Components of a difference between two
rates", 1955, centred). A segment that only one side has is all mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from everloop.stats.shapes import Floats, Strings

LEAST, SURE = 30, 4.0  # rows a segment needs on both sides together, and standard errors its own change must stand out by


@dataclass(frozen=True)
class Side:
    """One side of a comparison, row for row: ``amount`` (n,), ``weight`` (n,) at least 0, and the segment of each row by grouping."""

    amount: Floats
    weight: Floats
    groups: Mapping[str, Strings] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The figure itself; None where nothing weighs anything."""
        total = float(self.weight.sum())
        return float(self.amount.sum()) / total if total > 0 else None


@dataclass(frozen=True)
class Part:
    """What one segment added to a change: ``name`` is the grouping (empty: everybody else), ``value`` the segment; its share of the weight
    and its own ratio on both sides (None: not there).
    """

    name: str
    value: str
    share_before: float
    share_now: float
    before: float | None
    now: float | None
    mix: float
    within: float

    @property
    def total(self) -> float:
        return self.mix + self.within


@dataclass(frozen=True)
class Split:
    """A change whole: ``before``, ``now``, and the parts whose terms add up to ``now - before``."""

    before: float
    now: float
    parts: tuple[Part, ...]

    @property
    def change(self) -> float:
        return self.now - self.before


def split(before: Side, now: Side, name: str) -> Split | None:
    """The change by the segments of one grouping; None where either side weighs nothing.

    >>> shop = np.array(["a", "a", "b", "b"], dtype=object)
    >>> ones = np.ones(4)
    >>> was, then = Side(np.array([1.0, 1, 3, 3]), ones, {"shop": shop}), Side(np.array([1.0, 3, 4, 5]), ones, {"shop": shop[[0, 2, 2, 3]]})
    >>> [(p.value, p.mix, p.within) for p in split(was, then, "shop").parts]
    [('a', 0.40625, 0.0), ('b', 0.21875, 0.625)]
    """
    values = sorted({*map(str, before.groups[name]), *map(str, now.groups[name])})
    where = [[(name, value, _mask(side, name, value)) for value in values] for side in (before, now)]
    return _parts(before, now, where[0], where[1])


def drill(before: Side, now: Side, *, most: int = 3) -> Split | None:
    """Where a change lies: up to ``most`` segments, of whatever groupings both sides have, and everybody else.

    The segment is taken first that adds most beyond its share of the change (a change that befell all alike has none), then the next of
    the rows that are left. One is only taken if that stands out by four standard errors, and if it has 30 rows.
    """
    if before.ratio is None or now.ratio is None:
        return None
    names = [n for n in before.groups if n in now.groups]
    left = [np.ones(len(side.amount), dtype=bool) for side in (before, now)]
    taken: tuple[list[_Cut], list[_Cut]] = ([], [])
    for _ in range(most):
        found = _worst(before, now, names, left)
        if found is None:
            break
        for cuts, side, rest in zip(taken, (before, now), left, strict=True):
            mask = _mask(side, *found) & rest
            cuts.append((*found, mask))
            rest &= ~mask
    return _parts(before, now, [*taken[0], ("", "", left[0])], [*taken[1], ("", "", left[1])])


_Cut = tuple[str, str, NDArray[np.bool_]]


def _mask(side: Side, name: str, value: str) -> NDArray[np.bool_]:
    return np.array([str(v) == value for v in side.groups[name]], dtype=bool)


def _parts(before: Side, now: Side, old: list[_Cut], new: list[_Cut]) -> Split | None:
    m0, m1 = before.ratio, now.ratio
    if m0 is None or m1 is None:
        return None
    parts = []
    for (name, value, was), (_, _, then) in zip(old, new, strict=True):
        (w0, r0, c0), (w1, r1, c1) = _of(before, was), _of(now, then)
        effect = (c1 - c0) - (w1 - w0) * (m0 + m1) / 2
        within = 0.0 if r0 is None or r1 is None else (w0 + w1) / 2 * (r1 - r0)
        parts.append(Part(name, value, w0, w1, r0, r1, effect - within, within))
    return Split(m0, m1, tuple(parts))


def _of(side: Side, mask: NDArray[np.bool_]) -> tuple[float, float | None, float]:
    """A segment's share of the weight, its own ratio, and what it adds to everybody's."""
    all_of_it, weight, amount = float(side.weight.sum()), float(side.weight[mask].sum()), float(side.amount[mask].sum())
    return weight / all_of_it, amount / weight if weight > 0 else None, amount / all_of_it


def _worst(before: Side, now: Side, names: list[str], left: list[NDArray[np.bool_]]) -> tuple[str, str] | None:
    best, found = 0.0, None
    old, new = (_rest(side, rest) for side, rest in zip((before, now), left, strict=True))
    if old.ratio is None or new.ratio is None:
        return None
    change = new.ratio - old.ratio
    for name in names:
        made = split(old, new, name)
        for part in made.parts if made and len(made.parts) > 1 else ():
            was, then = _mask(old, name, part.value), _mask(new, name, part.value)
            excess = part.total - (part.share_before + part.share_now) / 2 * change
            towards = excess if change >= 0 else -excess
            if was.sum() + then.sum() >= LEAST and towards > best and towards > SURE * _error(old, new, was, then, part):
                best, found = towards, (name, part.value)
    return found


def _rest(side: Side, rows: NDArray[np.bool_]) -> Side:
    return Side(side.amount[rows], side.weight[rows], {name: g[rows] for name, g in side.groups.items()})


def _error(old: Side, new: Side, was: NDArray[np.bool_], then: NDArray[np.bool_], part: Part) -> float:
    """The standard error of what a segment adds, its own ratio and its share taken as independent."""
    within = mix = 0.0
    share = (part.share_before + part.share_now) / 2
    for side, mask in ((old, was), (new, then)):
        weight = float(side.weight[mask].sum())
        ratio = float(side.amount[mask].sum()) / weight if weight > 0 else 0.0
        off = side.amount[mask] - ratio * side.weight[mask]
        within += float((off**2).sum()) / weight**2 if weight > 0 else 0.0
        mix += share * (1 - share) / max(len(mask), 1)
    here = [r for r in (part.before, part.now) if r is not None]
    everybody = ((old.ratio or 0.0) + (new.ratio or 0.0)) / 2
    apart = sum(here) / len(here) - everybody if here else 0.0
    return float(np.sqrt(share**2 * within + apart**2 * mix))
