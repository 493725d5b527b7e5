"""Who answered what share of the units over time, as stacked steps: shares in, SVG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from everloop.plots.calendar import calendar
from everloop.plots.marks import URGENCY, Mark, draw_mark, place, sign
from everloop.plots.picture import COLOURS, ROW, WIDTH, grid, legend_of, nothing, plain, svg, width_of, write
from everloop.plots.scales import Across, Down, finite, number, seconds, span_of


def shares(
    title: str,
    steps: Sequence[tuple[datetime, Mapping[str, float]]],
    *,
    until: datetime | None = None,
    marks: Sequence[Mark] = (),
    description: str = "",
    id: str | None = None,
) -> str:
    """Who answered what share, as stacked steps: each entry holds from its moment to the next one, the last one ``until``.

    Shares are in 0..1; where they add up to more than one they are scaled to one.

    >>> from datetime import UTC, timedelta
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> svg = shares("Traffic", [(at, {"a@1": 1.0}), (at + timedelta(days=1), {"a@1": 0.9, "a@2": 0.1})], until=at + timedelta(days=2))
    >>> svg.count('<path class="q')
    2
    """
    held = sorted(((seconds(at), _stack(parts)) for at, parts in steps), key=lambda step: step[0])
    names = list(dict.fromkeys(name for _, parts in held for name in parts))
    if not names:
        return nothing(title, description, id)
    happened = sorted(((seconds(m.at), m) for m in marks), key=lambda pair: (pair[0], pair[1].label))
    ends = [seconds(until)] if until else []
    first, last = span_of([at for at, _ in held] + ends + [at for at, _ in happened])
    left = 14 + width_of("100 %")
    across = Across(first, last, left, WIDTH - 16)
    kinds = sorted({m.kind for _, m in happened}, key=lambda kind: URGENCY.get(kind, 9))
    legend = [(f'<rect class="f s{i % COLOURS} t{i % COLOURS}" x="4" y="-13" width="18" height="14"/>', n) for i, n in enumerate(names)]
    legend += [(f'<g transform="translate(13 -5)">{sign(kind)}</g>', kind) for kind in kinds]
    top, head = legend_of(legend, "")
    lanes, placed = place([(across(at), mark) for at, mark in happened], left, WIDTH - 4)
    roof = top + max(lanes * ROW + 6, 12)
    down = Down(0.0, 1.0, roof, roof + 180)
    body = [head, grid(down, (0.0, 0.5, 1.0), ("0 %", "50 %", "100 %"), left), calendar(first, last, across, down.floor)]
    stop = max([last if not ends else ends[0], held[-1][0]])
    areas = _areas(names, held, stop, across, down)
    body += [area for area, _ in areas]
    body += [draw_mark(x, mark, spot, top, roof, roof) for x, mark, spot in placed]
    body += [label for _, label in areas]
    now = ", ".join(f"{name} {number(share, True)}" for name, share in held[-1][1].items()) or "nobody"
    return svg(title, description or f"{len(names)} versions; at the end: {now}.", down.floor + 2 * ROW + 2, body, id)


def _stack(parts: Mapping[str, float]) -> dict[str, float]:
    kept = {name: v for name, raw in parts.items() if (v := finite(raw)) is not None and v > 0}
    total = max(1.0, sum(kept.values()))
    return {name: v / total for name, v in kept.items()}


def _areas(
    names: Sequence[str],
    held: Sequence[tuple[float, Mapping[str, float]]],
    stop: float,
    across: Across,
    down: Down,
) -> list[tuple[str, str]]:
    """For every version its area, and its name where the name fits into it."""
    ends = [at for at, _ in held[1:]] + [stop]
    out = []
    for i, name in enumerate(names):
        path, edge, best, label = "", "", 0.0, ""
        for (start, parts), end in zip(held, ends, strict=True):
            if name not in parts or end <= start:
                continue
            under = sum(parts.get(other, 0.0) for other in names[:i])
            x, wide = across(start), across(end) - across(start)
            y, tall = down(under + parts[name]), down(under) - down(under + parts[name])
            path += f"M{x:.1f} {y:.1f}h{wide:.1f}v{tall:.1f}h{-wide:.1f}Z"
            edge += f"M{x:.1f} {y:.1f}h{wide:.1f}"
            if tall >= ROW and wide >= width_of(plain(name)) + 8 and wide * tall > best:
                best, label = wide * tall, write(x + wide / 2, y + tall / 2 + 6, name, "c")
        area = f'<path class="q t{i % COLOURS}" d="{path}"/><path class="v s{i % COLOURS}" d="{edge}"/>' if path else ""
        out.append((area, label))
    return out
