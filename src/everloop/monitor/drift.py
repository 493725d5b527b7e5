"""Drift: has a feature, or what is answered, moved beyond its own habit? Profiles in, findings out; no clock, no disk.

Tests of "the same distribution?" always say no once there are rows enough, for no two weeks are alike. So the distance of a window from
what was learnt from, in the same season (``rhythm.py``), is held against the distances of the windows before it: its habit (``habit.py``,
which says the rule). Windows that were learnt from are habit from the first day, each held against the others. While there are fewer than
fourteen windows, windows drawn from the blocks of what was learnt from stand in, and PSI has to reach 0.1 (or ``psi=``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from everloop.monitor.habit import HABIT, Judged, Past, judge, takes
from everloop.monitor.lots import LEAST_ROWS, Lots, lots_of
from everloop.monitor.profile import Profile
from everloop.monitor.rhythm import LEAST, Season, names_of, reference_for
from everloop.monitor.spec import Bins, Counts
from everloop.stats.distances import Moved, Series, of_names, of_numbers, series
from everloop.stats.shapes import Floats
from everloop.stats.two_sample import chi_square

DRAWN, TEN = 99, 10
LITTLE = 0.01
"""Features on which less than this share of the answers rests between them may drift: it is noted, and nothing is done."""


@dataclass(frozen=True)
class Drift:
    """What became of one feature: ``drifted``, since which window (index into the windows handed in), its distances now, the farthest D by
    habit, and how many of its habit's spreads the newest window is off (``score``). ``but``: why one that moved farther than by habit
    has not drifted all the same.
    """

    feature: str
    drifted: bool
    now: Moved
    habit: float | None
    since: int | None = None
    score: float = 0.0
    but: str = ""


def moved(reference: Profile, window: Profile, features: Sequence[str] | None = None, *, least: int = LEAST_ROWS) -> dict[str, Moved]:
    """All distances of every feature; one with fewer than ``least`` rows on either side is left out."""
    known = reference.spec.features
    wanted = list(known if features is None else features)
    numbers, names = ([n for n in wanted if known[n].kind == kind] for kind in ("number", "category"))
    by_number = of_numbers(*_pairs(reference, window, numbers), [known[n].cuts for n in numbers], least=least)
    by_name = of_names(*_pairs(reference, window, names), [("empty", "unseen", "other", *known[n].top) for n in names], least=least)
    of = dict(zip((*numbers, *names), (*by_number, *by_name), strict=True))
    found = {}
    for name in wanted:
        one = of[name]
        if one is not None:
            new_name = window.unseen[name].first if one.most == "unseen" and name in window.unseen else None
            found[name] = one if new_name is None else replace(one, most=new_name)
    return found


def _pairs(reference: Profile, window: Profile, names: Sequence[str]) -> tuple[list[Floats], list[Floats]]:
    """The counts of these features on both sides."""
    old, new = ([side.counts[n].astype(np.float64) for n in names] for side in (reference, window))
    return old, new


def drifts(
    reference: Profile, windows: Sequence[Profile], features: Sequence[str], *, floor_psi: float | None = None,
    seasons: Sequence[Season] = (), span: timedelta | None = None, zone: str | None = None, seed: int = 0,
) -> list[Drift]:  # fmt: skip
    """Which of these features have drifted; ``windows`` oldest first, the newest last. Windows with fewer than 50 rows are passed over, or
    looked at together where they are the rule (``lots.py``); with none left nothing is said about any feature. ``seasons`` are
    those of what was learnt from, in windows of ``span`` by the clocks
    of ``zone``; none, or no span: every window is held against the whole reference.
    """
    lots = judged(reference, windows, span, zone)
    mine, span = lots.windows, lots.span
    if not mine or reference.rows < LEAST_ROWS:
        return []
    against = references(reference, mine, seasons, span, zone)
    now = moved(against[-1], mine[-1], [n for n in features if n in reference.spec.features])
    names = list(now)
    if not names:
        return []
    past = past_of(reference, mine, against, names)
    few = bool((np.isfinite(past.d[:-1]).sum(axis=0) < HABIT).any())
    blocks = [window for window, learnt in zip(mine, past.learnt, strict=True) if learnt]
    cold = _drawn(reference, blocks, names, mine[-1], seed) if few else None
    found = judge(past, cold=cold, floor_psi=floor_psi)
    return [
        Drift(
            n, bool(found.alarm[-1, j]), now[n], float(found.upper[j]) if np.isfinite(found.upper[j]) else None,
            lots.first[_first(found.beyond[:, j])] if found.alarm[-1, j] else None, float(found.score[j]),
            _but(found, j, now[n], int(mine[-1].counts[n].sum())),
        )
        for j, n in enumerate(names)
    ]  # fmt: skip


def _but(found: Judged, j: int, now: Moved, rows: int) -> str:
    if found.alarm[-1, j] or not (found.beyond[-1, j] or now.d > found.upper[j]):
        return ""
    if found.beyond[-1, j]:
        return f"no drift yet: that takes {takes(rows)}"
    return "no drift: it is small, or of so many features one comes so far by chance"


def judged(reference: Profile, windows: Sequence[Profile], span: timedelta | None, zone: str | None) -> Lots:
    """The windows that can be judged, added up where each alone is too small; none where no window since was learnt has rows enough."""
    new = [not learnt_from(reference, w) for w in windows]
    lots = lots_of(windows, new, span, zone)
    since = [w for w in lots.windows if not learnt_from(reference, w)]
    # A window that was learnt from is no news.
    return lots if since or not any(new) else replace(lots, windows=(), first=())


def carried(features: Sequence[str], of: Sequence[str], importance: Mapping[str, float]) -> float:
    """How much of the answers rests on some features, of all those looked at; where nobody knows, each carries as much as any other.

    >>> carried(["a"], ["a", "b"], {}), carried(["a"], ["a", "b"], {"a": 0.9, "b": 0.1})
    (0.5, 0.9)
    """
    if not importance:
        return len(features) / len(of) if of else 0.0
    return sum(importance.get(name, 0.0) for name in features)


@dataclass(frozen=True)
class Broken:
    """A feature that came apart rather than moved: its share of empty or unseen values jumped from ``before`` to ``now``. ``named`` is the
    unseen value that comes most.
    """

    feature: str
    what: str
    before: float
    now: float
    named: str | None = None


def broken(reference: Profile, window: Profile) -> list[Broken]:
    """Features whose share of empty, infinite or unseen values is proven to have more than tripled and risen by over one percentage point,
    or of which a fifth more lies beyond anything ever seen (euros that became cents). Such data must be mended, not learnt from.
    """
    found = []
    for name, bins in reference.spec.features.items():
        for what, old, new in _apart(name, bins, reference, window):
            if not old[1] or not new[1]:
                continue
            before, now = old[0] / old[1], new[0] / new[1]
            sides = chi_square(np.array([old[0], old[1] - old[0]]), np.array([new[0], new[1] - new[0]]), least=0.0)
            least = 0.2 if what.endswith("anything seen") else 0.01
            if now > 3 * before and now - before > least and new[1] >= LEAST_ROWS and sides is not None and sides[1] < 0.001:
                named = window.unseen[name].first if what == "unseen" and name in window.unseen else None
                found.append(Broken(name, what, before, now, named))
    return found


def references(
    reference: Profile, windows: Sequence[Profile], seasons: Sequence[Season], span: timedelta | None, zone: str | None
) -> list[Profile]:
    """What each window is held against (``rhythm.reference_for``)."""
    found = []
    for window in windows:
        seasonal = span is not None and window.first_at is not None and bool(seasons)
        names = names_of(window.first_at, span, zone) if seasonal and window.first_at is not None and span is not None else ()
        found.append(reference_for(names, seasons, reference, part=window if learnt_from(reference, window) else None))
    return found


def learnt_from(reference: Profile, window: Profile) -> bool:
    """Whether a window lies within the time of what was learnt from."""
    ends = (reference.first_at, reference.last_at, window.first_at, window.last_at)
    return None not in ends and reference.first_at <= window.first_at and window.last_at <= reference.last_at  # type: ignore[operator]


def past_of(reference: Profile, windows: Sequence[Profile], against: Sequence[Profile], names: Sequence[str]) -> Past:
    """The distances of windows from their references, as habits are made of."""
    found = []
    for name in names:
        old, new = (np.array([w.counts[name] for w in side], dtype=np.float64) for side in (against, windows))
        found.append(_series(reference.spec.features[name], reference.counts[name], old, new))
    learnt = np.array([learnt_from(reference, w) for w in windows])
    return Past.of(found, np.array([[w.counts[name].sum() for name in names] for w in windows], dtype=np.float64), learnt)


def _series(bins: Bins, whole: Counts, old: Floats, new: Floats) -> Series:
    return series(old, new, _ten(bins, whole), ordered=bins.kind == "number")


def _ten(bins: Bins, whole: Counts) -> NDArray[np.intp]:
    """The coarse bin of each bin: *empty*, and ten of nearly equal mass; of names the nine most frequent and the rest."""
    if bins.kind == "category":
        place = np.empty(len(whole), dtype=np.intp)
        place[np.argsort(-whole, kind="stable")] = np.minimum(np.arange(len(whole)), TEN - 1)
        return place
    middle = np.cumsum(whole[1:]) - whole[1:] / 2
    total = max(1.0, float(whole[1:].sum()))
    return np.append(0, 1 + np.minimum((middle / total * TEN).astype(np.intp), TEN - 1))


def _drawn(reference: Profile, blocks: Sequence[Profile], names: Sequence[str], newest: Profile, seed: int) -> Past:
    """The distances of 99 windows with as many rows as the newest, drawn from what was learnt from: each from one of its blocks of time
    where there are at least four (a block bootstrap), so that days that wobble do; from all of it otherwise.
    """
    rng = np.random.default_rng(seed)
    enough = len(blocks) >= LEAST
    which = rng.integers(max(1, len(blocks)), size=DRAWN)
    found = []
    for name in names:
        whole = reference.counts[name]
        sources = np.array([b.counts[name] for b in blocks] if enough else [whole], dtype=np.float64)
        shares = sources / np.maximum(sources.sum(axis=1, keepdims=True), 1.0)
        shares[sources.sum(axis=1) == 0] = whole / max(1, whole.sum())
        drawn = rng.multinomial(int(newest.counts[name].sum()), shares[which if enough else np.zeros(DRAWN, dtype=np.int64)])
        old = np.broadcast_to(whole.astype(np.float64), drawn.shape)
        found.append(_series(reference.spec.features[name], whole, old, drawn.astype(np.float64)))
    return Past.of(found, np.tile([float(newest.counts[n].sum()) for n in names], (DRAWN, 1)), np.ones(DRAWN, dtype=bool))


def _apart(name: str, bins: Bins, reference: Profile, window: Profile) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """What may have come apart: its name, and (how many, of how many) before and now."""
    old, new = reference.counts[name], window.counts[name]
    of = int(old.sum()), int(new.sum())
    places = {"empty": 0, "below anything seen": 1, "above anything seen": len(bins) - 1}
    places = places if bins.kind == "number" and bins.edges else {"empty": 0, "unseen": 1}
    found = [(what, (int(old[at]), of[0]), (int(new[at]), of[1])) for what, at in places.items() if at < len(bins)]
    if name in reference.totals and name in window.totals:
        found.append(("infinite", (reference.totals[name].infinite, of[0]), (window.totals[name].infinite, of[1])))
    return found


def _first(beyond: NDArray[np.bool_]) -> int:
    """The window in which the alarm that now stands began."""
    first = len(beyond) - 1
    while first > 0 and beyond[max(0, first - 2) : first].any():
        first -= 1
    while not beyond[first]:
        first += 1
    return first
