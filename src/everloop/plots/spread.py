"""How values or categories lay then and lie now, side by side: values or counts in, SVG out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from everloop.plots.picture import ROW, WIDTH, cut, grid, inside, legend_of, nothing, svg, width_of, write
from everloop.plots.scales import Across, Down, finite, number, numbers, scale_of


def histograms(
    title: str,
    reference: Iterable[float | None],
    now: Iterable[float | None],
    *,
    names: tuple[str, str] = ("reference", "now"),
    bins: int = 24,
    unit: str = "",
    description: str = "",
    id: str | None = None,
) -> str:
    """How values lay then and lie now, each as shares of its own rows over the same equal bins.

    Bins span the middle 99 % of both together; what lies outside counts in the outermost bins, so one wild value does not hide the rest.

    >>> "shares of 3 rows" in histograms("Price", [1.0, 2.0, 2.0], [2.0, float("nan"), 9.0])
    True
    """
    then, later = [sorted(v for raw in rows if (v := finite(raw)) is not None) for rows in (reference, now)]
    both = sorted(then + later)
    if not both:
        return nothing(title, description, id)
    low, high = both[int(0.005 * (len(both) - 1))], both[math.ceil(0.995 * (len(both) - 1))]
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
    bins = max(1, min(bins, 100))
    shares = (_binned(then, low, high, bins), _binned(later, low, high, bins))
    middle = [
        f"{n}: shares of {len(v)} rows, middle {number(v[len(v) // 2])}" if v else f"{n}: no rows"
        for n, v in zip(names, (then, later), strict=True)
    ]
    return _drawn(title, shares, low, high, names=names, unit=unit, description=description or "; ".join(middle) + ".", id=id)


def counted(
    title: str,
    edges: Sequence[float],
    reference: Sequence[float],
    now: Sequence[float],
    *,
    names: tuple[str, str] = ("reference", "now"),
    bins: int = 24,
    unit: str = "",
    description: str = "",
    id: str | None = None,
) -> str:
    """The same of values that were counted and not kept: ``edges`` (k, rising) and how many lay below them all, between each two and beyond
    (k + 1, on each side). What was counted between two edges is taken to lie evenly between them.

    >>> svg = counted("Price", [0.0, 1.0, 5.0], [0, 10, 10, 0], [0, 0, 20, 0])
    >>> "reference: shares of 20 rows" in svg
    True
    """
    sides = [[v if (v := finite(raw)) is not None and v > 0 else 0.0 for raw in side] for side in (reference, now)]
    if not edges or not any(map(any, sides)):
        return nothing(title, description, id)
    both = [sum(pair) for pair in zip(*sides, strict=True)]
    low, high = _reaches(edges, both, 0.005), _reaches(edges, both, 0.995)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
    bins = max(1, min(bins, 100))
    shares = (_dealt(edges, sides[0], low, high, bins), _dealt(edges, sides[1], low, high, bins))
    told = [
        f"{n}: shares of {sum(v):.0f} rows, middle {number(_reaches(edges, v, 0.5))}" if any(v) else f"{n}: no rows"
        for n, v in zip(names, sides, strict=True)
    ]
    return _drawn(title, shares, low, high, names=names, unit=unit, description=description or "; ".join(told) + ".", id=id)


def _drawn(
    title: str,
    counted: tuple[list[float], list[float]],
    low: float,
    high: float,
    *,
    names: tuple[str, str],
    unit: str,
    description: str,
    id: str | None,
) -> str:
    """Two lots of shares over the same equal bins from ``low`` to ``high``."""
    bins = len(counted[0])
    scale, ticks, tick_text = scale_of([0.0, *counted[0], *counted[1]], True, most=4)
    left = 14 + max(width_of(text) for text in tick_text)
    legend = [
        ('<rect class="f s6 t6" x="4" y="-13" width="18" height="14"/>', names[0]),
        ('<path class="n s1" d="M4 1v-13h18v13"/>', names[1]),
    ]
    top, head = legend_of(legend, "")
    down = Down(0.0, scale[1], top + 12, top + 212)
    across = Across(low, high, left, WIDTH - 16)
    body = [head, grid(down, ticks, tick_text, left)]
    for counts, look in zip(counted, ("f s6 t6", "n s1"), strict=True):
        if any(counts):
            edges = "".join(f"V{down(c):.1f}H{across(low + (high - low) * (i + 1) / bins):.1f}" for i, c in enumerate(counts))
            body.append(f'<path class="{look}" d="M{left:.1f} {down.floor:.1f}{edges}V{down.floor:.1f}"/>')
    body += [write(inside(across(t), w), down.floor + ROW - 2, w, "c m") for t, w in numbers(low, high)]
    body.append(write(left, down.floor + 2 * ROW - 4, cut(unit, WIDTH - left - 4), "m", unit) if unit else "")
    return svg(title, description, down.floor + (2 if unit else 1) * ROW + 8, body, id)


def bars(
    title: str,
    reference: Mapping[str, float],
    now: Mapping[str, float],
    *,
    names: tuple[str, str] = ("reference", "now"),
    most: int = 12,
    description: str = "",
    id: str | None = None,
) -> str:
    """Counts by category (or by named bin) then and now, each as shares of its own sum; beyond ``most`` the rest is "others".

    >>> bars("Channel", {"shop": 3, "web": 1}, {"shop": 1, "web": 1}).count("<rect")
    6
    """
    sides = [{k: v for k, raw in side.items() if (v := finite(raw)) is not None and v > 0} for side in (reference, now)]
    sums = [sum(side.values()) for side in sides]
    labels = list(dict.fromkeys([*sides[0], *sides[1]]))
    if not labels:
        return nothing(title, description, id)
    part = [{k: v / total for k, v in side.items()} for side, total in zip(sides, sums, strict=True)]
    if len(labels) > most:
        labels = sorted(labels, key=lambda k: -max(part[0].get(k, 0), part[1].get(k, 0)))[: most - 1]
        part = [{**{k: p.get(k, 0.0) for k in labels}, "others": 1 - sum(p.get(k, 0.0) for k in labels) if p else 0.0} for p in part]
        labels.append("others")
    looks = ("f s6 t6", "f s1 t1")
    legend = [(f'<rect class="{look}" x="4" y="-13" width="18" height="14"/>', name) for look, name in zip(looks, names, strict=True)]
    top, head = legend_of(legend, "")
    scale, ticks, tick_text = scale_of([0.0] + [v for p in part for v in p.values()], True, most=4)
    left = 20 + min(250.0, max(width_of(k) for k in labels))
    across = Across(0.0, scale[1], left, WIDTH - 36)
    step, roof = ROW * 1.35, top + 8
    floor = roof + step * len(labels)
    body = [head, *(f'<path class="g" d="M{across(t):.1f} {roof:.1f}V{floor:.1f}"/>' for t in ticks)]
    for i, label in enumerate(labels):
        y = roof + step * i
        body.append(write(left - 10, y + step / 2 + 5, cut(label, left - 16), "e", label))
        for j, look in enumerate(looks):
            wide = across(part[j].get(label, 0.0)) - left
            body.append(f'<rect class="{look}" x="{left:.1f}" y="{y + 4 + j * 14:.1f}" width="{wide:.1f}" height="12"/>')
    body += [write(across(t), floor + ROW - 3, w, "c m") for t, w in zip(ticks, tick_text, strict=True)]
    told = "; ".join(f"{k}: {number(part[0].get(k, 0.0), True)} then, {number(part[1].get(k, 0.0), True)} now" for k in labels)
    return svg(title, description or told + ".", floor + ROW + 8, body, id)


def _binned(rows: Sequence[float], low: float, high: float, bins: int) -> list[float]:
    counts = [0] * bins
    for value in rows:
        counts[min(bins - 1, max(0, int((value - low) / (high - low) * bins)))] += 1
    return [count / len(rows) for count in counts] if rows else [0.0] * bins


def _reaches(edges: Sequence[float], counts: Sequence[float], share: float) -> float:
    """The value below which this share of what was counted lies; what lies outside all edges is at the outermost."""
    wanted, passed = share * sum(counts), 0.0
    for place, count in enumerate(counts):
        if count and passed + count >= wanted:
            left, right = edges[max(0, place - 1)], edges[min(place, len(edges) - 1)]
            return left + (right - left) * max(0.0, wanted - passed) / count
        passed += count
    return edges[-1]


def _dealt(edges: Sequence[float], counts: Sequence[float], low: float, high: float, bins: int) -> list[float]:
    """Counts between edges as shares over equal bins; what lies outside ``low`` and ``high`` counts in the outermost."""
    dealt, wide, total = [0.0] * bins, (high - low) / bins, sum(counts)
    for place, count in enumerate(counts):
        left, right = edges[max(0, place - 1)], edges[min(place, len(edges) - 1)]
        first, last = (min(bins - 1, max(0, int((value - low) / wide))) for value in (left, right))
        if first == last or not count:
            dealt[first] += count
            continue
        for k in range(first, last + 1):
            begins = left if k == first else low + k * wide
            ends = right if k == last else low + (k + 1) * wide
            dealt[k] += count * (ends - begins) / (right - left)
    return [count / total for count in dealt] if total else dealt
