"""Drift: has a feature, or what is answered, moved beyond its own habit? Profiles in, findings out; no clock, no disk.

Tests of "the same distribution?" always say no once there are rows enough, for no two weeks are alike. So the distance of a window from
the reference is held against the distances of earlier windows from it: its habit. A feature has drifted if, in at least two of the three
newest windows,

1. its distance D is beyond what its habit foretells (Student's predictive t, one-sided, Benjamini-Hochberg over features, q = 0.01), and
2. D is not small: at least max(0.02, 1.5 / sqrt(rows)); with ``psi=`` also PSI at least that.

Before there are eight earlier windows the habit is not known: then the sampling p-value stands in for 1, and D has to reach the larger
floor of a bias-corrected PSI of 0.1 (or ``psi=``). Windows beyond the habit never become part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from everloop.monitor.profile import Bins, Counts, Profile
from everloop.stats.multiple import benjamini_hochberg
from everloop.stats.psi import coarse, psi
from everloop.stats.shapes import Floats
from everloop.stats.two_sample import chi_square, ks_of_counts

Q, HABIT, FLOOR, COLD_PSI, LEAST_ROWS = 0.01, 8, 0.02, 0.1, 50


@dataclass(frozen=True)
class Moved:
    """How far one feature of a window lies from the reference: D (Kolmogorov's for numbers, the largest change of a share for categories),
    the bias-corrected PSI over ten bins, and the sampling p-value. ``most`` names the category that changed most.
    """

    feature: str
    d: float
    psi: float
    p: float
    most: str | None = None


@dataclass(frozen=True)
class Drift:
    """What became of one feature: ``drifted``, since which window (index into the windows handed in), and its habit's upper end."""

    feature: str
    drifted: bool
    now: Moved
    habit: float | None
    since: int | None = None


def moved(reference: Profile, window: Profile) -> dict[str, Moved]:
    """The distance of every feature; one without rows on either side is left out."""
    found = {}
    for name, bins in reference.spec.features.items():
        one = _distance(name, bins, reference.counts[name], window.counts[name])
        if one is not None:
            found[name] = one
    return found


def drifts(reference: Profile, windows: Sequence[Profile], features: Sequence[str], *, floor_psi: float | None = None) -> list[Drift]:
    """Which of these features have drifted by the rule above; ``windows`` oldest first, the newest last. Windows with fewer than 50 rows
    are passed over; with none left nothing is said about any feature.
    """
    kept = [i for i, w in enumerate(windows) if w.rows >= LEAST_ROWS]
    if not kept or reference.rows < LEAST_ROWS:
        return []
    distances = [moved(reference, windows[i]) for i in kept]
    names = [n for n in features if n in distances[-1]]
    if not names:
        return []
    beyond = np.zeros((len(kept), len(names)), dtype=bool)
    habits: list[list[float]] = [[] for _ in names]
    upper: list[float | None] = [None] * len(names)
    for w, found in enumerate(distances):
        p = np.array([_p(found.get(n), habits[j]) for j, n in enumerate(names)])
        least = max(FLOOR, 1.5 / np.sqrt(windows[kept[w]].rows))
        large = np.array([_large(found.get(n), len(habits[j]) >= HABIT, least, floor_psi) for j, n in enumerate(names)])
        beyond[w] = benjamini_hochberg(p, Q) & large
        upper = [_upper(h) for h in habits]
        for j, n in enumerate(names):
            if n in found and not beyond[w, j]:
                habits[j].append(found[n].d)
    return [_drift(n, beyond[:, j], distances[-1][n], upper[j], kept) for j, n in enumerate(names)]


@dataclass(frozen=True)
class Broken:
    """A feature that came apart rather than moved: its share of empty or unseen values jumped from ``before`` to ``now``."""

    feature: str
    what: str
    before: float
    now: float


def broken(reference: Profile, window: Profile) -> list[Broken]:
    """Features whose share of empty or unseen values is proven to have more than tripled and risen by over one percentage point, or of
    which a fifth more lies beyond anything ever seen (euros that became cents). Such data must be mended, not learnt from.
    """
    found = []
    for name, bins in reference.spec.features.items():
        old, new = reference.counts[name], window.counts[name]
        places = {"empty": 0, "below anything seen": 1, "above anything seen": len(bins) - 1}
        for what, place in (places if bins.kind == "number" and bins.edges else {"empty": 0, "unseen": 1}).items():
            if not old.sum() or not new.sum():
                continue
            before, now = float(old[place] / old.sum()), float(new[place] / new.sum())
            sides = chi_square(np.array([old[place], old.sum() - old[place]]), np.array([new[place], new.sum() - new[place]]), least=0.0)
            least = 0.01 if what in ("empty", "unseen") else 0.2
            if now > 3 * before and now - before > least and new.sum() >= LEAST_ROWS and sides is not None and sides[1] < 0.001:
                found.append(Broken(name, what, before, now))
    return found


def _distance(name: str, bins: Bins, reference: Counts, window: Counts) -> Moved | None:
    old, new = reference.astype(np.float64), window.astype(np.float64)
    if not old.sum() or not new.sum():
        return None
    if bins.kind == "number":
        tested = ks_of_counts(old, new)
        ten = [np.append(side[:1], coarse(side[1:], old[1:])) for side in (old, new)]
        return None if tested is None else Moved(name, tested[0], psi(*ten) or 0.0, tested[1])
    homogeneous = chi_square(old, new)
    change = new / new.sum() - old / old.sum()
    place = int(np.abs(change).argmax())
    by_mass = np.argsort(-old, kind="stable")
    ten = [np.append(side[by_mass[:9]], side[by_mass[9:]].sum()) for side in (old, new)]
    most = ("empty", "unseen", "other", *bins.top)[place]
    return None if homogeneous is None else Moved(name, float(np.abs(change[place])), psi(*ten) or 0.0, homogeneous[1], most)


def _p(found: Moved | None, habit: list[float]) -> float:
    """How often a distance this large comes, by habit; before there is one, by sampling."""
    if found is None:
        return float("nan")
    if len(habit) < HABIT:
        return found.p
    past = np.array(habit)
    # A habit that happened to stand still still has the noise of its rows; a tenth of its level keeps t finite.
    spread = max(float(past.std(ddof=1)), 0.1 * float(past.mean()), 1e-6)
    return float(stdtr(len(past) - 1, -(found.d - past.mean()) / (spread * np.sqrt(1 + 1 / len(past)))))


def _large(found: Moved | None, settled: bool, least: float, floor_psi: float | None) -> bool:
    if found is None or found.d < least:
        return False
    floor = floor_psi if floor_psi is not None else 0.0 if settled else COLD_PSI
    return found.psi >= floor


def _upper(habit: list[float]) -> float | None:
    if len(habit) < HABIT:
        return None
    past: Floats = np.array(habit)
    return float(past.mean() + stdtrit(len(past) - 1, 1 - Q) * past.std(ddof=1) * np.sqrt(1 + 1 / len(past)))


def _drift(name: str, beyond: NDArray[np.bool_], now: Moved, habit: float | None, kept: list[int]) -> Drift:
    if beyond[-3:].sum() < 2:
        return Drift(name, False, now, habit)
    first = len(beyond) - 1
    while first > 0 and beyond[max(0, first - 2) : first].any():
        first -= 1
    while not beyond[first]:
        first += 1
    return Drift(name, True, now, habit, kept[first])
