"""Several measures as lanes over one axis of time, with what happened drawn through all of them: lanes in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from everloop.plots.calendar import calendar
from everloop.plots.marks import URGENCY, Mark, draw_mark, place, sign
from everloop.plots.over_time import Line, Point, clean, ribbon, trace
from everloop.plots.picture import ROW, WIDTH, cut, grid, legend_of, nothing, svg, swatch, width_of, write
from everloop.plots.scales import Across, Down, day, number, scale_of, seconds, span_of

TALL, EMPTY = 96.0, 44.0


@dataclass(frozen=True)
class Lane:
    """One measure, in one unit, as one series or several; ``missing`` is what stands there while none of them has a value."""

    name: str
    series: Sequence[Line]
    unit: str = ""
    percent: bool = False
    missing: str = "nothing to show yet"


def lanes(
    title: str,
    rows: Sequence[Lane],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    marks: Sequence[Mark] = (),
    description: str = "",
    id: str | None = None,
) -> str:
    """Lanes below one another on one axis of time (UTC), each with a scale of its own; a mark is an upright line through all of them.

    The axis goes from ``since`` to ``until``, and further where a value or a mark lies beyond. A lane without values stays, and says so.

    >>> from datetime import UTC, timedelta
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> week = [at + timedelta(days=n) for n in range(7)]
    >>> traffic = Lane("traffic", [Line("answers", [(day, 100.0 + n) for n, day in enumerate(week)])], unit="answers an hour")
    >>> svg = lanes("demand", [traffic, Lane("drift", [])], marks=[Mark(week[2], "demand@2", "deploy")])
    >>> "traffic, answers an hour" in svg, "nothing to show yet" in svg, "demand@2" in svg
    (True, True, True)
    """
    drawn = [[clean(line) for line in lane.series] for lane in rows]
    moments = [at for lines in drawn for line in lines for at, value, *_ in line if value is not None]
    happened = sorted(((seconds(m.at), m) for m in marks), key=lambda pair: (pair[0], pair[1].label))
    ends = [seconds(at) for at in (since, until) if at is not None]
    if not rows or not (moments or happened or len(ends) == 2):
        return nothing(title, description, id)
    first, last = span_of([*moments, *ends, *(at for at, _ in happened)])
    scales = [_scale(lane, lines) for lane, lines in zip(rows, drawn, strict=True)]
    left = 14 + max((width_of(word) for _, _, said in scales for word in said), default=0.0)
    across = Across(first, last, left, WIDTH - 16)
    kinds = sorted({mark.kind for _, mark in happened}, key=lambda kind: URGENCY.get(kind, 9))
    top, head = legend_of([(f'<g transform="translate(13 -5)">{sign(kind)}</g>', kind) for kind in kinds], "")
    count, placed = place([(across(at), mark) for at, mark in happened], left, WIDTH - 4)
    roof = top + (count * ROW + 6 if placed else 0)
    floor, body = roof, []
    for lane, lines, scale in zip(rows, drawn, scales, strict=True):
        said, floor = _lane(lane, lines, scale, across, floor)
        body.append(said)
    through = [draw_mark(x, mark, spot, top, roof, floor) for x, mark, spot in placed]
    told = description or _told(rows, drawn, happened)
    return svg(title, told, floor + 2 * ROW + 2, [head, *through, *body, calendar(first, last, across, floor)], id)


_Scale = tuple[tuple[float, float], tuple[float, ...], tuple[str, ...]]


def _scale(lane: Lane, lines: Sequence[list[Point]]) -> _Scale:
    values = [v for line in lines for _, value, low, high in line for v in (value, low, high) if v is not None]
    return scale_of(values, lane.percent, most=3) if values else ((0.0, 1.0), (), ())


def _lane(lane: Lane, lines: Sequence[list[Point]], scale: _Scale, across: Across, roof: float) -> tuple[str, float]:
    """A lane from its roof on, and where it ends."""
    (low, high), ticks, words = scale
    legend = [(swatch(i, line.dashed, bool(line.band)), line.name) for i, line in enumerate(lane.series)] if ticks else []
    tall, head = legend_of(legend, f"{lane.name}, {lane.unit}" if lane.unit else lane.name)
    down = Down(low, high, roof + tall + 8, roof + tall + 8 + (TALL if ticks else EMPTY))
    out = [f'<g transform="translate(0 {roof:.1f})">{head}</g>', grid(down, ticks, words, across.left)]
    if not ticks:
        out.append(f'<path class="a" d="M{across.left:.1f} {down.floor:.1f}H{across.right:.1f}"/>')
        out.append(
            write(
                (across.left + across.right) / 2,
                (down.roof + down.floor) / 2 + 6,
                cut(lane.missing, across.right - across.left),
                "c m o",
                lane.missing,
            )
        )
    out += [ribbon(line, i, across, down) for i, line in enumerate(lines)]
    out += [trace(line, i, lane.series[i].dashed, across, down) for i, line in enumerate(lines)]
    return "".join(out), down.floor + 10


def _told(rows: Sequence[Lane], drawn: Sequence[Sequence[list[Point]]], happened: Sequence[tuple[float, Mark]]) -> str:
    said = []
    for lane, lines in zip(rows, drawn, strict=True):
        found = [(line.name, [v for _, v, *_ in points if v is not None]) for line, points in zip(lane.series, lines, strict=True)]
        parts = [f"{name} from {number(v[0], lane.percent)} to {number(v[-1], lane.percent)}" for name, v in found if v]
        said.append(f"{lane.name}: {', '.join(parts) or lane.missing}")
    said += [f"{day(at)} {mark.kind}: {mark.label}" for at, mark in happened]
    return "; ".join(said) + "."
