"""Units: do the values of a column look like the old ones in another unit? Quantiles in, a finding out; no clock, no disk.

A change of unit multiplies every quantile by the same number, one that has a name: 100 where euros became cents, 1.609 where miles became
kilometres. Also told: values that became one over what they were, degrees, and a part of the rows alone that changed its unit, as where one
of several shops did. It is put as a question, for prices may rise by 61 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from everloop.monitor.spec import Bins, Counts
from everloop.stats.rounded import figure, percent
from everloop.stats.shapes import Floats

LEVELS: Final = np.arange(1, 20) / 20
"""The quantiles that are compared: 0.05, 0.10, … 0.95."""
HUGE = 1e100
LEAST, SLACK, FINE = 8, 0.12, 0.03
"""Quantiles that must say something; how far apart (in logarithms) their ratios may lie; how far where the factor is below 5."""
FAR, PART, OFF, CLEARER, LIKELIER = 20.0, (0.15, 0.95), 0.06, 3.0, 1.5
"""A part of the rows: the least factor that tells it from a spread that grew; how large the part is; how far (in shares) a level may lie
from where such a part puts it; how many times closer that has to be than no change; and how many times closer a factor has to be than one
that is met more often (``FACTORS`` begins with those).
"""

FACTORS: Final = (
    (100.0, "cents", "euros"),
    (1000.0, "thousandths", "whole ones"),
    (10.0, "tenths", "whole ones"),
    (1e6, "millionths", "whole ones"),
    (1e9, "billionths", "whole ones"),
    (60.0, "minutes", "hours"),
    (3600.0, "seconds", "hours"),
    (86_400.0, "seconds", "days"),
    (24.0, "hours", "days"),
    (7.0, "days", "weeks"),
    (12.0, "months", "years"),
    (10.76391, "square feet", "square metres"),
    (1.609344, "kilometres", "miles"),
    (2.2046226, "pounds", "kilograms"),
    (2.54, "centimetres", "inches"),
    (3.2808399, "feet", "metres"),
    (28.349523, "grams", "ounces"),
    (3.7854118, "litres", "gallons"),
)
"""The factor, what it is now, what it was; and the same the other way round."""
_BOTH_WAYS: Final = FACTORS + tuple((1 / factor, old, new) for factor, new, old in FACTORS)


@dataclass(frozen=True)
class UnitChange:
    """``kind``: times, one over, or degrees; ``factor``: now = factor * before, or now = factor / before; ``share`` of the rows."""

    kind: str
    factor: float
    sentence: str
    share: float = 1.0


def quantiles_of(bins: Bins, counts: Counts) -> Floats:
    """The 19 quantiles (0.05 … 0.95) that counts in bins tell, straight lines within each bin; NaN where there is nothing to tell.

    >>> from everloop.monitor.spec import describe
    >>> bins = describe({"x": np.arange(101.0)}).features["x"]
    >>> quantiles_of(bins, bins.count(np.arange(101.0)))[[0, 9, 18]]
    array([ 5., 50., 95.])
    """
    inside = counts[2:-1].astype(np.float64) if bins.kind == "number" else np.zeros(0)
    if not inside.sum():
        return np.full(len(LEVELS), np.nan)
    edges, upto = np.array(bins.edges), np.concatenate([[0.0], np.cumsum(inside)])
    wanted = LEVELS * upto[-1]
    place = np.clip(np.searchsorted(upto, wanted, side="left") - 1, 0, len(inside) - 1)
    part = (wanted - upto[place]) / np.maximum(inside[place], 1e-12)
    # The greatest float above a heavy value is that value: a step of one part in 10^16 is none.
    found: Floats = edges[place] + part * (edges[place + 1] - edges[place])
    return np.where(np.nextafter(edges[place], np.inf) >= edges[place + 1], edges[place], found)


def quantiles(values: Floats) -> Floats:
    """The same quantiles of values themselves; what is no finite number is left out."""
    there = values[np.isfinite(values)]
    return np.quantile(there, LEVELS) if len(there) else np.full(len(LEVELS), np.nan)


def unit_change(before: Floats, now: Floats) -> UnitChange | None:
    """Whether quantiles (19,) look like the others in another unit; None where they do not, are too few, or nothing changed.

    >>> was = np.quantile(np.random.default_rng(1).lognormal(2, 1, 5000), LEVELS)
    >>> unit_change(was, 100 * was).sentence
    'its values are about 100 times what they were: a change of unit (cents for euros)?'
    >>> unit_change(was, 1.3 * was), unit_change(was, was)
    (None, None)
    >>> rows = np.random.default_rng(2).lognormal(2, 1, 5000)
    >>> unit_change(was, np.quantile(np.append(rows[:1500] * 100, rows[1500:]), LEVELS)).sentence
    'about 30.7 % of its values are about 100 times what they were: a change of unit (cents for euros) in a part of the rows?'
    """
    there = np.isfinite(before) & np.isfinite(now)
    if np.abs(np.append(before[there], now[there])).max(initial=0) > HUGE:
        return None  # whoever sends such a thing has changed no unit
    if there.sum() < LEAST or len(np.unique(before[there])) < 4:
        return None
    whole = _times(before[there], now[there]) or _degrees(before[there], now[there]) or _one_over(before, now)
    return whole or (_in_part(before, now) if there.all() else None)


def _times(before: Floats, now: Floats) -> UnitChange | None:
    there = before != 0
    # Nothing times a factor is nothing, and a sign stays, but for the one quantile that lies next to nothing.
    if (np.sign(before) != np.sign(now)).sum() > 1 or there.sum() < LEAST or len(np.unique(before[there])) < 4:
        return None
    if (before < 0).any() and (before > 0).any():
        middle = float(np.log(np.ptp(now) / np.ptp(before)))
        off = float(np.abs(now - np.exp(middle) * before).max() / np.ptp(now))
    else:
        both = there & (now != 0)
        ratios = np.log(now[both] / before[both])
        middle = float(np.median(ratios))
        off = float(np.quantile(np.abs(ratios - middle), 0.9))
    factor, new, old = min(_BOTH_WAYS, key=lambda known: abs(middle - np.log(known[0])))
    slack = SLACK if max(factor, 1 / factor) >= 5 else FINE
    if abs(middle - np.log(factor)) > slack / 2 or off > slack:
        return None
    return UnitChange("times", factor, f"its values are about {_said(factor)} times what they were: a change of unit ({new} for {old})?")


def _in_part(before: Floats, now: Floats) -> UnitChange | None:
    """The factor and the share of the rows that explain the newest quantiles best, if they do: of a share s, the distribution is
    (1 - s) F(x) + s F(x / factor), F being that of before, so that s is found by least squares.
    """
    if len(np.unique(before)) < LEAST or ((before < 0).any() and (before > 0).any()):
        return None
    still = LEVELS - _below(before, now)
    found = []
    for known in _BOTH_WAYS:
        if max(known[0], 1 / known[0]) < FAR:
            continue
        apart = _below(before, now / known[0]) - _below(before, now)
        share = float(still @ apart / (apart @ apart)) if apart.any() else 0.0
        off = float(np.abs(still - share * apart).max())
        if PART[0] <= share <= PART[1] and off <= OFF and off * CLEARER <= np.abs(still).max():
            found.append((off, share, known))
    if not found:
        return None
    closest = min(off for off, _, _ in found)
    share, (factor, new, old) = next((share, known) for off, share, known in found if off <= LIKELIER * closest)
    said = f"about {percent(share)} of its values are about {_said(factor)} times what they were"
    return UnitChange("times", factor, f"{said}: a change of unit ({new} for {old}) in a part of the rows?", share)


def _below(before: Floats, values: Floats) -> Floats:
    """The share of what was before that lies below each value, by its quantiles; half a step stands for what lies beyond them."""
    return np.asarray(np.interp(values, before, LEVELS, left=LEVELS[0] / 2, right=1 - LEVELS[0] / 2), dtype=np.float64)


def _said(factor: float) -> str:
    return figure(factor) if factor > 1 else f"1/{figure(1 / factor)}"


def _degrees(before: Floats, now: Floats) -> UnitChange | None:
    spread = float(np.ptp(before))
    for slope, level, said in ((1.8, 32.0, "Fahrenheit for Celsius"), (1 / 1.8, -32 / 1.8, "Celsius for Fahrenheit")):
        if spread and np.abs(now - (slope * before + level)).max() <= 0.05 * slope * spread:
            return UnitChange("degrees", slope, f"its values are {slope:.3g} times what they were, {level:+.3g}: degrees {said}?")
    return None


def _one_over(before: Floats, now: Floats) -> UnitChange | None:
    if not (np.isfinite(before).all() and np.isfinite(now).all() and (before > 0).all() and (now > 0).all()):
        return None
    products = np.log(now[::-1] * before)
    middle, off = float(np.median(products)), float(np.quantile(np.abs(products - np.median(products)), 0.9))
    for factor in (1.0, 60.0, 100.0, 1000.0, 3600.0):
        if abs(middle - np.log(factor)) <= FINE and off <= FINE and np.ptp(np.log(before)) > 10 * FINE:
            over = f"{figure(factor)} over" if factor > 1 else "one over"
            return UnitChange("one over", factor, f"its values are {over} what they were: turned upside down?")
    return None
