"""All distances between two histograms over the same bins: what moved, how far, in which words. Counts in, numbers out.

None of them needs the rows, and none can be moved far by a single row. Fewer than 100 rows on a side say too little: the answer is None.
Sources: PSI, Lewis 1994; Jensen and Shannon's distance, Lin 1991; Wasserstein's of one dimension, the area between two distribution
functions (Vallender 1974); Cramér's V, Cramér 1946. Equal to scipy and NannyML to 1e-12 on the same bins (docs/bench.md, ``monitor``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everloop.stats.psi import coarse, psi
from everloop.stats.shapes import Floats
from everloop.stats.two_sample import chi_square, jensen_shannon, ks_of_counts

LEAST_ROWS, CLIPPED = 100, 0.001
TEN = 10


@dataclass(frozen=True)
class Moved:
    """How far two histograms are apart. Every share runs from 0 to 1.

    ``d``: Kolmogorov's distance for ordered bins, the largest change of one share (L∞) for names, ``most`` being the name. ``psi_raw`` and
    ``psi``: over ten bins, as others report it and corrected for rows. ``jensen_shannon``: base 2. ``wasserstein``: in robust standard
    deviations of the reference, clipped to its 0.1 % and 99.9 % quantiles; None for names. ``chi_square``, ``p`` and ``cramers_v``: of
    homogeneity, bins expecting fewer than five rows pooled. ``empty``, ``below``, ``above`` and ``unseen``: how much these shares rose.
    """

    d: float
    p: float
    psi_raw: float
    psi: float
    jensen_shannon: float
    chi_square: float
    cramers_v: float
    empty: float
    wasserstein: float | None = None
    below: float | None = None
    above: float | None = None
    unseen: float | None = None
    most: str | None = None


def of_numbers(reference: Floats, current: Floats, edges: Floats, *, least: int = LEAST_ROWS) -> Moved | None:
    """Of two histograms [empty, below, …, above] over the same ``edges``; None where a side has fewer than ``least`` rows.

    >>> edges = np.array([0.0, 1.0, 2.0, 3.0])
    >>> moved = of_numbers(np.array([0, 0, 200, 200, 200, 0]), np.array([0, 0, 100, 200, 300, 0]), edges)
    >>> round(moved.d, 3), round(moved.psi, 3), round(moved.psi_raw, 3)
    (0.167, 0.175, 0.182)
    """
    old, new = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    tested = ks_of_counts(old, new)
    if tested is None or min(old.sum(), new.sum()) < least:
        return None
    rose = new / new.sum() - old / old.sum()
    ends = (float(rose[1]), float(rose[-1])) if len(rose) > 2 else (None, None)
    ten = [np.append(side[:1], coarse(side[1:], old[1:])) for side in (old, new)]
    rest = _of_counts(old, new, ten)
    return Moved(
        *tested, *rest, empty=float(rose[0]), wasserstein=wasserstein_of_counts(old[1:], new[1:], edges), below=ends[0], above=ends[1]
    )


def of_names(reference: Floats, current: Floats, names: Sequence[str], *, least: int = LEAST_ROWS) -> Moved | None:
    """Of two histograms [empty, unseen, …] with these ``names`` for their places; None where a side has fewer than ``least`` rows.

    >>> moved = of_names(np.array([0, 0, 500, 500]), np.array([0, 0, 300, 700]), ["empty", "unseen", "a", "b"])
    >>> moved.most, round(moved.d, 3), round(moved.cramers_v, 3)
    ('a', 0.2, 0.204)
    """
    old, new = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    homogeneous = chi_square(old, new)
    if homogeneous is None or min(old.sum(), new.sum()) < least:
        return None
    largest, place = l_infinity(old, new)
    rose = new / new.sum() - old / old.sum()
    by_mass = np.argsort(-old, kind="stable")
    ten = [np.append(side[by_mass[: TEN - 1]], side[by_mass[TEN - 1 :]].sum()) for side in (old, new)]
    rest = _of_counts(old, new, ten)
    return Moved(largest, homogeneous[1], *rest, empty=float(rose[0]), unseen=float(rose[1]), most=names[place])


def l_infinity(reference: Floats, current: Floats) -> tuple[float, int]:
    """The largest change of one bin's share, and which bin it is. Both sides need rows.

    >>> l_infinity(np.array([50, 50]), np.array([80, 20]))
    (0.30000000000000004, 0)
    """
    change = np.abs(np.asarray(current, float) / np.sum(current) - np.asarray(reference, float) / np.sum(reference))
    place = int(change.argmax())
    return float(change[place]), place


def wasserstein_of_counts(reference: Floats, current: Floats, edges: Floats) -> float | None:
    """The area between two distribution functions known at ``edges`` [below, …, above], in robust standard deviations of the reference
    (IQR / 1.349), between its 0.1 % and 99.9 % quantiles: what lies outside is clipped, and seen as *below* and *above* instead.
    Between edges both are taken as straight. None where a side is empty or the middle half of the reference does not vary.

    >>> edges = np.linspace(0, 1, 101)
    >>> flat, moved = np.full(100, 10.0), np.append(np.zeros(10), np.full(90, 10.0))
    >>> round(wasserstein_of_counts(np.concatenate([[0], flat, [0]]), np.concatenate([[0], moved, [100]]), edges), 2)
    0.25
    """
    old, new, edges = (np.asarray(x, dtype=np.float64) for x in (reference, current, edges))
    if len(edges) < 2 or not old.sum() or not new.sum():
        return None
    below = [np.cumsum(side)[:-1] / side.sum() for side in (old, new)]
    first, third = np.interp([0.25, 0.75], below[0], edges)
    scale = (third - first) / 1.349
    # Edges within these quantiles: beyond the last of them straight lines might lead to a single value of a million.
    low = edges[min(int(np.searchsorted(below[0], CLIPPED)), len(edges) - 1)]
    high = edges[max(int(np.searchsorted(below[0], 1 - CLIPPED, side="right")) - 1, 0)]
    if not scale > 0 or not high > low:
        return None
    inside = (edges > low) & (edges < high)
    at = np.concatenate([[low], edges[inside], [high]])
    gap = np.interp(at, edges, below[0]) - np.interp(at, edges, below[1])
    one, other, width = gap[:-1], gap[1:], np.diff(at)
    # Where the difference changes sign between two edges, the two triangles; elsewhere the trapezium.
    crosses = one * other < 0
    steep = np.abs(one) + np.abs(other)
    area = np.where(crosses, (one**2 + other**2) / np.where(steep > 0, steep, 1.0), steep) / 2
    return float((area * width).sum() / scale)


def kullback_leibler(reference: Floats, current: Floats) -> float | None:
    """Kullback and Leibler's divergence of the current histogram from the reference, in nats, as others report it; infinite where a bin the
    reference lacks is filled. None where a side is empty.

    >>> round(kullback_leibler(np.array([50, 50]), np.array([80, 20])), 4)
    0.1927
    """
    n, m = float(np.sum(reference)), float(np.sum(current))
    if n == 0 or m == 0:
        return None
    p, q = np.asarray(reference, float) / n, np.asarray(current, float) / m
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(q > 0, q * np.log(q / p), 0.0).sum())


def _of_counts(old: Floats, new: Floats, ten: list[Floats]) -> tuple[float, float, float, float, float]:
    """PSI raw and corrected, Jensen and Shannon's distance, chi-square and Cramér's V."""
    statistic, _, v = chi_square(old, new) or (0.0, 1.0, 0.0)
    return psi(*ten, corrected=False) or 0.0, psi(*ten) or 0.0, jensen_shannon(old, new) or 0.0, statistic, v


@dataclass(frozen=True)
class Series:
    """Moved of windows (windows,), NaN where a side has no rows; ``side`` says which way it moved, or which name."""

    d: Floats
    psi_raw: Floats
    psi: Floats
    side: NDArray[np.int64]


def series(reference: Floats, current: Floats, ten: NDArray[np.intp], *, ordered: bool) -> Series:
    """The two distances that habits are kept of, for many windows at once: ``reference`` and ``current`` (windows, bins) row against row,
    ``ten`` (bins,) the coarse bin of each. The same numbers as ``of_numbers`` (``ordered``) and ``of_names`` give one by one.

    >>> found = series(np.array([[500.0, 500.0]] * 2), np.array([[300.0, 700.0], [500.0, 500.0]]), np.array([0, 1]), ordered=True)
    >>> found.d.round(3).tolist(), found.side.tolist(), found.psi.round(2).tolist()
    ([0.2, 0.0], [-1, 1], [0.17, 0.0])
    """
    n, m = reference.sum(axis=1, keepdims=True), current.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = current / m - reference / n
        change = np.cumsum(change, axis=1) if ordered else change
        place = np.abs(change).argmax(axis=1)
        farthest = np.take_along_axis(change, place[:, None], axis=1)[:, 0]
        side = np.where(farthest < 0, -1, 1) * (1 if ordered else place + 1)
        coarse_bins = np.eye(int(ten.max(initial=0)) + 1)[ten]
        old, new = reference @ coarse_bins, current @ coarse_bins
        used = (old > 0) | (new > 0)
        k = used.sum(axis=1, keepdims=True)
        p, q = (old + 0.5) / (n + 0.5 * k), (new + 0.5) / (m + 0.5 * k)
        raw = np.where(used, (p - q) * np.log(p / q), 0.0).sum(axis=1)
        noise = ((k - 1) * (1 / n + 1 / m))[:, 0]
    there = (n > 0).all(axis=1) & (m > 0).all(axis=1)
    far, raw, corrected = (np.where(there, x, np.nan) for x in (np.abs(farthest), raw, np.maximum(0.0, raw - noise)))
    return Series(far, raw, corrected, side.astype(np.int64))
