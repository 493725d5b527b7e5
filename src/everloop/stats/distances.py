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

from everloop.stats.psi import coarse, psi_of_rows
from everloop.stats.shapes import Floats
from everloop.stats.two_sample import chi_square_of_rows, jensen_shannon_of_rows, ks_of_rows

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


def of_numbers(
    references: Sequence[Floats], currents: Sequence[Floats], edges: Sequence[Floats], *, least: int = LEAST_ROWS
) -> list[Moved | None]:
    """Of pairs of histograms [empty, below, …, above], each over ``edges`` of its own; None where a side has fewer than ``least`` rows.

    >>> edges = np.array([0.0, 1.0, 2.0, 3.0])
    >>> [moved] = of_numbers([np.array([0, 0, 200, 200, 200, 0])], [np.array([0, 0, 100, 200, 300, 0])], [edges])
    >>> round(moved.d, 3), round(moved.psi, 3), round(moved.psi_raw, 3)
    (0.167, 0.175, 0.182)
    """
    old, new = _stacked(references), _stacked(currents)
    d, p = ks_of_rows(old, new)
    rose = _rose(old, new)
    ten = [np.concatenate([side[:, :1], coarse(side[:, 1:], old[:, 1:])], axis=1) for side in (old, new)]
    found: list[Moved | None] = []
    for i, (rest, there) in enumerate(zip(_of_counts(old, new, ten), _enough(old, new, least), strict=True)):
        cuts, last = edges[i], len(references[i]) - 1
        ends = (float(rose[i, 1]), float(rose[i, last])) if last > 1 else (None, None)
        area = wasserstein_of_counts(references[i][1:], currents[i][1:], cuts) if there else None
        one = Moved(float(d[i]), float(p[i]), *rest[:-1], empty=float(rose[i, 0]), wasserstein=area, below=ends[0], above=ends[1])
        found.append(one if there else None)
    return found


def of_names(
    references: Sequence[Floats], currents: Sequence[Floats], names: Sequence[Sequence[str]], *, least: int = LEAST_ROWS
) -> list[Moved | None]:
    """Of pairs of histograms [empty, unseen, …], each with ``names`` for its places; None where a side has fewer than ``least`` rows.

    >>> [moved] = of_names([np.array([0, 0, 500, 500])], [np.array([0, 0, 300, 700])], [["empty", "unseen", "a", "b"]])
    >>> moved.most, round(moved.d, 3), round(moved.cramers_v, 3)
    ('a', 0.2, 0.204)
    """
    old, new = _stacked(references), _stacked(currents)
    rose = _rose(old, new)
    by_mass = np.argsort(-old, axis=1, kind="stable")
    ten = [np.concatenate([side[:, : TEN - 1], side[:, TEN - 1 :].sum(axis=1, keepdims=True)], axis=1)
           for side in (np.take_along_axis(one, by_mass, axis=1) for one in (old, new))]  # fmt: skip
    found: list[Moved | None] = []
    for i, (rest, there) in enumerate(zip(_of_counts(old, new, ten), _enough(old, new, least), strict=True)):
        place = int(np.abs(rose[i]).argmax())
        largest, p = abs(float(rose[i, place])), rest[-1]
        one = Moved(largest, p, *rest[:-1], empty=float(rose[i, 0]), unseen=float(rose[i, 1]), most=names[i][place]) if there else None
        found.append(one)
    return found


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
    low = min(int(np.searchsorted(below[0], CLIPPED)), len(edges) - 1)
    high = max(int(np.searchsorted(below[0], 1 - CLIPPED, side="right")) - 1, 0)
    # A value that is heavy by itself has a bin as wide as a rounding error.
    if not high > low or not scale > 1e-9 * (edges[high] - edges[low]):
        return None
    gap = below[0][low : high + 1] - below[1][low : high + 1]
    one, other, width = gap[:-1], gap[1:], np.diff(edges[low : high + 1])
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


def _stacked(lot: Sequence[Floats]) -> Floats:
    """Histograms as rows of one array; empty bins after the last of a shorter one change no distance."""
    found = np.zeros((len(lot), max((len(one) for one in lot), default=1)))
    for row, one in zip(found, lot, strict=True):
        row[: len(one)] = one
    return found


def _enough(old: Floats, new: Floats, least: int) -> list[bool]:
    return [bool(x) for x in np.minimum(old.sum(axis=1), new.sum(axis=1)) >= max(least, 1)]


def _rose(old: Floats, new: Floats) -> Floats:
    """By how much each share rose."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(new / new.sum(axis=1, keepdims=True) - old / old.sum(axis=1, keepdims=True), dtype=np.float64)


def _of_counts(old: Floats, new: Floats, ten: Sequence[Floats]) -> list[tuple[float, float, float, float, float, float]]:
    """PSI raw and corrected, Jensen and Shannon's distance, chi-square and Cramér's V; and the p-value of chi-square."""
    statistic, p, v = chi_square_of_rows(old, new)
    return list(zip(*(x.tolist() for x in (*psi_of_rows(*ten), jensen_shannon_of_rows(old, new), statistic, v, p)), strict=True))


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
    change = np.cumsum(_rose(reference, current), axis=1) if ordered else _rose(reference, current)
    place = np.abs(change).argmax(axis=1)
    farthest = np.take_along_axis(change, place[:, None], axis=1)[:, 0]
    side = np.where(farthest < 0, -1, 1) * (1 if ordered else place + 1)
    coarse_bins = np.eye(int(ten.max(initial=0)) + 1)[ten]
    raw, corrected = psi_of_rows(reference @ coarse_bins, current @ coarse_bins)
    far = np.where(np.isnan(raw), np.nan, np.abs(farthest))
    return Series(far, raw, corrected, side.astype(np.int64))
