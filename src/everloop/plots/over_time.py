"""Lines over time with intervals, gaps, levels and marks: series in, SVG out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from everloop.plots.calendar import calendar
from everloop.plots.marks import URGENCY, Mark, draw_mark, place, sign
from everloop.plots.picture import COLOURS, ROW, WIDTH, grid, legend_of, nothing, svg, swatch, width_of
from everloop.plots.scales import Across, Down, day, decades, finite, number, scale_of, seconds, span_of, to_one

LEAST_ODDS = 1e-3
"""Evidence below this is drawn as this: how little it is no longer matters."""
Point: TypeAlias = tuple[float, float | None, float | None, float | None]


@dataclass(frozen=True)
class Line:
    """One series over time. ``band`` is the interval (low, high) beside each point, if there is one."""

    name: str
    points: Sequence[tuple[datetime, float | None]]
    band: Sequence[tuple[float | None, float | None]] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Level:
    """A value that matters all the time: a goal, a floor."""

    label: str
    value: float | None


def lines(
    title: str,
    series: Sequence[Line],
    *,
    marks: Sequence[Mark] = (),
    levels: Sequence[Level] = (),
    unit: str = "",
    percent: bool = False,
    odds: bool = False,
    description: str = "",
    id: str | None = None,
) -> str:
    """Values over time with intervals, gaps, levels and what happened. ``percent`` shows shares as percent, ``odds`` evidence as so many to
    one on an axis of powers of ten; ``unit`` names the axis.

    A mark whose label finds no room keeps its line and sign, and says its label when pointed at; urgent kinds are placed first.

    >>> from datetime import UTC, timedelta
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> svg = lines("Error", [Line("demand", [(at, 0.5), (at + timedelta(days=7), None)])], marks=[Mark(at, "demand@1", "deploy")])
    >>> svg.startswith('<svg class="el-plot"'), "demand@1" in svg, "nan" in lines("Error", [])
    (True, True, False)
    """
    drawn = [clean(_powers(line) if odds else line) for line in series]
    floors = [(lv, v) for lv in levels if (v := _power(lv.value) if odds else finite(lv.value)) is not None]
    values = [v for line in drawn for _, v, low, high in line for v in (v, low, high) if v is not None] + [v for _, v in floors]
    moments = [at for line in drawn for at, v, *_ in line if v is not None]
    if not moments:
        return nothing(title, description, id)
    scale, ticks, tick_text = decades(values) if odds else scale_of(values, percent)
    read = to_one if odds else partial(number, percent=percent)
    left = 14 + max(width_of(text) for text in tick_text)
    happened = sorted(((seconds(m.at), m) for m in marks), key=lambda pair: (pair[0], pair[1].label))
    first, last = span_of(moments + [at for at, _ in happened])
    kinds = sorted({m.kind for _, m in happened}, key=lambda kind: URGENCY.get(kind, 9))
    legend = [(swatch(i, line.dashed, bool(line.band)), line.name) for i, line in enumerate(series)]
    legend += [(f'<path class="l l{i % 3}" d="M0 -5h26"/>', f"{lv.label} {read(v)}") for i, (lv, v) in enumerate(floors)]
    legend += [(f'<g transform="translate(13 -5)">{sign(kind)}</g>', kind) for kind in kinds]
    top, head = legend_of(legend, unit)
    across = Across(first, last, left, WIDTH - 16)
    lanes, placed = place([(across(at), mark) for at, mark in happened], left, WIDTH - 4)
    roof = top + max(lanes * ROW + 6, 12)
    down = Down(*scale, roof, roof + 220)
    body = [head, grid(down, ticks, tick_text, left), calendar(first, last, across, down.floor)]
    body += [draw_mark(x, mark, spot, top, roof, down.floor) for x, mark, spot in placed]
    body += [f'<path class="l l{i % 3}" d="M{left:.1f} {down(v):.1f}H{WIDTH - 16:.1f}"/>' for i, (_, v) in enumerate(floors)]
    body += [ribbon(line, i, across, down) for i, line in enumerate(drawn)]
    body += [trace(line, i, series[i].dashed, across, down) for i, line in enumerate(drawn)]
    said = description or _told(series, drawn, floors, happened, read)
    return svg(title, said, down.floor + 2 * ROW + 2, body, id)


def _power(value: float | None) -> float | None:
    """The power of ten, of what is above nothing."""
    there = finite(value)
    return None if there is None else math.log10(max(there, LEAST_ODDS))


def _powers(line: Line) -> Line:
    points = [(at, _power(value)) for at, value in line.points]
    return replace(line, points=points, band=[(_power(low), _power(high)) for low, high in line.band])


def _told(
    series: Sequence[Line],
    drawn: Sequence[list[Point]],
    floors: Sequence[tuple[Level, float]],
    happened: Sequence[tuple[float, Mark]],
    read: Callable[[float], str],
) -> str:
    said = []
    for line, points in zip(series, drawn, strict=True):
        seen = [v for _, v, *_ in points if v is not None]
        if seen:
            first, last, low, high = (read(v) for v in (seen[0], seen[-1], min(seen), max(seen)))
            said.append(f"{line.name}: from {first} to {last}, between {low} and {high}")
    said += [f"{level.label}: {read(value)}" for level, value in floors]
    said += [f"{day(at)} {mark.kind}: {mark.label}" for at, mark in happened]
    return "; ".join(said) + "."


def clean(line: Line) -> list[Point]:
    """(seconds, value, low, high) in order of time; at most some thousand points, of which the extremes stay."""
    out: list[Point] = []
    for i, (at, value) in enumerate(line.points):
        low, high = line.band[i] if i < len(line.band) else (None, None)
        out.append((seconds(at), finite(value), finite(low), finite(high)))
    out.sort(key=lambda point: point[0])
    if len(out) <= 1600:
        return out
    kept: list[Point] = []
    wide = math.ceil(len(out) / 400)
    for start in range(0, len(out), wide):
        part = out[start : start + wide]
        seen = [k for k, point in enumerate(part) if point[1] is not None]
        chosen = (
            {0, len(part) - 1, *(k for k, point in enumerate(part) if point[1] is None)} if len(seen) < len(part) else {0, len(part) - 1}
        )
        if seen:
            chosen |= {min(seen, key=lambda k: part[k][1] or 0.0), max(seen, key=lambda k: part[k][1] or 0.0)}
        kept += [part[k] for k in sorted(chosen)]
    return kept


def _runs(points: Sequence[Point], whole: bool) -> list[list[Point]]:
    """Unbroken stretches: of values, or (``whole``) of values with both ends of their interval."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point[1] is not None and not (whole and (point[2] is None or point[3] is None)):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def trace(points: Sequence[Point], i: int, dashed: bool, across: Across, down: Down) -> str:
    path, alone = "", ""
    for run in _runs(points, False):
        spots = [f"{across(at):.1f} {down(v or 0.0):.1f}" for at, v, *_ in run]
        if len(spots) == 1:
            x, y = spots[0].split()
            alone += f'<circle class="t{i % COLOURS}" cx="{x}" cy="{y}" r="4"/>'
        else:
            path += "M" + "L".join(spots)
    return (f'<path class="n s{i % COLOURS}{" d" if dashed else ""}" d="{path}"/>' if path else "") + alone


def ribbon(points: Sequence[Point], i: int, across: Across, down: Down) -> str:
    path = ""
    for run in _runs(points, True):
        over = [f"{across(at):.1f} {down(high or 0.0):.1f}" for at, _, _, high in run]
        under = [f"{across(at):.1f} {down(low or 0.0):.1f}" for at, _, low, _ in reversed(run)]
        path += "M" + "L".join(over + under) + "Z"
    return f'<path class="b t{i % COLOURS}" d="{path}"/>' if path else ""
