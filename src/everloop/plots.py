"""Plots as SVG for console, report and card: numbers and moments go in, one string comes out. No clock, no disk, no library.

Every plot says its title and its content to a screen reader, follows light and dark, keeps its meaning without colour (shapes, dashes
and words beside the Okabe-Ito palette: Okabe and Ito, *Color Universal Design*, 2008), and has a ``viewBox`` but no width: it is as wide as
the box it stands in. Room is reserved for text at its largest (narrow screens), so a label overlaps another at no width. The same
input gives the same bytes. ``STYLE`` is one constant text in every plot, so a page that allows styles by hash needs one hash.

What is missing (None, NaN, infinite) is a gap; no data is a plot that says so. A moment without a time zone is read as UTC.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from everloop.records import Outcome, identity

Happening: TypeAlias = Literal["deploy", "drift", "incident", "decision"]
Box: TypeAlias = tuple[float, float]

WIDTH = 720.0
TEXT = 20.0  # the size room is reserved for; drawn smaller on wide screens
ROW = 26.0
COLOURS = 7
LANES = 4
LIMIT = 1e300  # beyond it differences overflow
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = -62135596800.0, 253402300799.0  # what a datetime can hold, in seconds
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = 86400.0
STEPS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 10800.0, 21600.0, 43200.0, DAY, 2 * DAY, 7 * DAY, 14 * DAY)
MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000, 24000)
URGENCY: Mapping[str, int] = {"incident": 0, "drift": 1, "deploy": 2, "decision": 3}

STYLE = (
    ".el-plot{--el-ink:#1c2330;--el-muted:#5a6474;--el-grid:#e3e7ed;--el-paper:#fff;--el-0:#0072b2;--el-1:#d55e00;--el-2:#009e73;"
    "--el-3:#b8578f;--el-4:#c78500;--el-5:#3a9bd9;--el-6:#6b7280;display:block;width:100%;height:auto;"
    'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}'
    "@media (prefers-color-scheme:dark){.el-plot{--el-ink:#e8ecf2;--el-muted:#a3adbb;--el-grid:#2c333e;--el-paper:#14181f;--el-0:#56b4e9;"
    "--el-1:#f08a4b;--el-2:#2fc49a;--el-3:#dc93bb;--el-4:#e6a817;--el-5:#4c8fdb;--el-6:#9aa3b0}}"
    "@media print{.el-plot{--el-ink:#000;--el-muted:#444;--el-grid:#ddd;--el-paper:#fff}}"
    ".el-plot text{font-size:13.5px;fill:var(--el-ink);stroke:none}.el-plot .m{fill:var(--el-muted)}"
    ".el-plot .e{text-anchor:end}.el-plot .c{text-anchor:middle}"
    "@media (max-width:640px){.el-plot text{font-size:20px}}"
    ".el-plot .g{stroke:var(--el-grid);stroke-width:1;fill:none}.el-plot .a{stroke:var(--el-muted);stroke-width:1;fill:none}"
    ".el-plot .n{fill:none;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}"
    ".el-plot .d{stroke-dasharray:7 5}.el-plot .b{fill-opacity:.16;stroke:none}.el-plot .f{fill-opacity:.38;stroke-width:1.5}"
    ".el-plot .l{stroke:var(--el-ink);stroke-width:1.5;fill:none;stroke-opacity:.75}"
    ".el-plot .l0{stroke-dasharray:2 4}.el-plot .l1{stroke-dasharray:9 4}.el-plot .l2{stroke-dasharray:9 4 2 4}"
    ".el-plot .v{fill:none;stroke-width:1.25;stroke-opacity:.7}.el-plot .h{fill:var(--el-paper);stroke-width:2}"
    + "".join(f".el-plot .s{i}{{stroke:var(--el-{i})}}.el-plot .t{i}{{fill:var(--el-{i})}}" for i in range(COLOURS))
)


@dataclass(frozen=True)
class Line:
    """One series over time. ``band`` is the interval (low, high) beside each point, if there is one."""

    name: str
    points: Sequence[tuple[datetime, float | None]]
    band: Sequence[tuple[float | None, float | None]] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """Something that happened at a moment; ``label`` is a few words."""

    at: datetime
    label: str
    kind: Happening = "decision"


@dataclass(frozen=True)
class Level:
    """A value that matters all the time: a goal, a floor."""

    label: str
    value: float | None


@dataclass(frozen=True)
class Effect:
    """One row of a forest plot: shares of the champion's value, good is positive; ``asked`` is what had to be beaten."""

    label: str
    effect: float | None
    low: float | None
    high: float | None
    asked: float | None = None
    outcome: Outcome = "not enough evidence"


# -- the plots ---------------------------------------------------------------------------------------------------------------------


def lines(
    title: str,
    series: Sequence[Line],
    *,
    marks: Sequence[Mark] = (),
    levels: Sequence[Level] = (),
    unit: str = "",
    percent: bool = False,
    description: str = "",
    id: str | None = None,
) -> str:
    """Values over time with intervals, gaps, levels and what happened. ``percent`` shows shares as percent; ``unit`` names the axis.

    A mark whose label finds no room keeps its line and sign, and says its label when pointed at; urgent kinds are placed first.

    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> svg = lines("Error", [Line("demand", [(at, 0.5), (at + timedelta(days=7), None)])], marks=[Mark(at, "demand@1", "deploy")])
    >>> svg.startswith('<svg class="el-plot"'), "demand@1" in svg, "nan" in lines("Error", [])
    (True, True, False)
    """
    drawn = [_clean(line) for line in series]
    floors = [(level, value) for level in levels if (value := _finite(level.value)) is not None]
    values = [v for line in drawn for _, v, low, high in line for v in (v, low, high) if v is not None] + [v for _, v in floors]
    moments = [at for line in drawn for at, v, *_ in line if v is not None]
    if not moments:
        return _nothing(title, description, id)
    scale, ticks, tick_text = _scale(values, percent)
    left = 14 + max(_wide(text) for text in tick_text)
    happened = sorted(((_seconds(m.at), m) for m in marks), key=lambda pair: (pair[0], pair[1].label))
    first, last = _span(moments + [at for at, _ in happened])
    kinds = sorted({m.kind for _, m in happened}, key=lambda kind: URGENCY.get(kind, 9))
    legend = [(_swatch(i, line.dashed, bool(line.band)), line.name) for i, line in enumerate(series)]
    legend += [(f'<path class="l l{i % 3}" d="M0 -5h26"/>', f"{lv.label} {_number(v, percent)}") for i, (lv, v) in enumerate(floors)]
    legend += [(f'<g transform="translate(13 -5)">{_sign(kind)}</g>', kind) for kind in kinds]
    top, head = _legend(legend, unit)
    across = _Across(first, last, left, WIDTH - 16)
    lanes, placed = _place([(across(at), mark) for at, mark in happened], left, WIDTH - 4)
    roof = top + lanes * ROW + 6
    down = _Down(*scale, roof, roof + 220)
    body = [head, _grid(down, ticks, tick_text, left), _calendar(first, last, across, down.floor)]
    body += [_mark(x, mark, spot, top, down) for x, mark, spot in placed]
    body += [f'<path class="l l{i % 3}" d="M{left:.1f} {down(v):.1f}H{WIDTH - 16:.1f}"/>' for i, (_, v) in enumerate(floors)]
    body += [_band(line, i, across, down) for i, line in enumerate(drawn)]
    body += [_trace(line, i, series[i].dashed, across, down) for i, line in enumerate(drawn)]
    said = description or _told(series, drawn, floors, happened, percent)
    return _svg(title, said, down.floor + 2 * ROW + 2, body, id)


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

    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> svg = shares("Traffic", [(at, {"a@1": 1.0}), (at + timedelta(days=1), {"a@1": 0.9, "a@2": 0.1})], until=at + timedelta(days=2))
    >>> svg.count('class="f')
    2
    """
    held = sorted(((_seconds(at), _stack(parts)) for at, parts in steps), key=lambda step: step[0])
    names = list(dict.fromkeys(name for _, parts in held for name in parts))
    if not names:
        return _nothing(title, description, id)
    happened = sorted(((_seconds(m.at), m) for m in marks), key=lambda pair: (pair[0], pair[1].label))
    ends = [_seconds(until)] if until else []
    first, last = _span([at for at, _ in held] + ends + [at for at, _ in happened])
    left = 14 + _wide("100 %")
    across = _Across(first, last, left, WIDTH - 16)
    kinds = sorted({m.kind for _, m in happened}, key=lambda kind: URGENCY.get(kind, 9))
    legend = [(f'<rect class="f s{i % COLOURS} t{i % COLOURS}" x="4" y="-13" width="18" height="14"/>', n) for i, n in enumerate(names)]
    legend += [(f'<g transform="translate(13 -5)">{_sign(kind)}</g>', kind) for kind in kinds]
    top, head = _legend(legend, "")
    lanes, placed = _place([(across(at), mark) for at, mark in happened], left, WIDTH - 4)
    roof = top + lanes * ROW + 6
    down = _Down(0.0, 1.0, roof, roof + 180)
    body = [head, _grid(down, (0.0, 0.5, 1.0), ("0 %", "50 %", "100 %"), left), _calendar(first, last, across, down.floor)]
    stop = max([last if not ends else ends[0], held[-1][0]])
    areas = _areas(names, held, stop, across, down)
    body += [area for area, _ in areas]
    body += [_mark(x, mark, spot, top, down) for x, mark, spot in placed]
    body += [label for _, label in areas]
    now = ", ".join(f"{name} {_number(share, True)}" for name, share in held[-1][1].items()) or "nobody"
    return _svg(title, description or f"{len(names)} versions; at the end: {now}.", down.floor + 2 * ROW + 2, body, id)


def intervals(title: str, effects: Sequence[Effect], *, unit: str = "", description: str = "", id: str | None = None) -> str:
    """A forest plot: what each contest measured, its interval, and what was asked (the tick); the sign says the outcome.

    >>> svg = intervals("Contests", [Effect("demand@2", 0.06, 0.02, 0.10, asked=0.0, outcome="passed"), Effect("demand@3", None, None, None)])
    >>> "+6 %" in svg, "not measured" in svg
    (True, True)
    """
    if not effects:
        return _nothing(title, description, id)
    values = [v for e in effects for raw in (e.effect, e.low, e.high, e.asked) if (v := _finite(raw)) is not None]
    scale, ticks, tick_text = _scale([*values, 0.0] if values else [-0.1, 0.1], True, most=4)
    left = 20 + min(250.0, max(_wide(e.label) for e in effects))
    right = WIDTH - 16 - max([_wide("asked")] + [_wide(_signed(v)) for e in effects if (v := _finite(e.effect)) is not None])
    across = _Across(*scale, left, right)
    outcomes: tuple[Outcome, ...] = tuple(o for o in ("passed", "failed", "not enough evidence") if any(e.outcome == o for e in effects))
    legend = [(f'<g transform="translate(13 -5)">{_outcome(o)}</g>', o) for o in outcomes]
    if any(_finite(e.asked) is not None for e in effects):
        legend.append(('<path class="l" d="M13 -14v18"/>', "asked"))
    top, head = _legend(legend, unit)
    step, roof = ROW * 1.35, top + 10
    floor = roof + step * len(effects)
    zero = across(0.0)
    body = [head]
    body += [f'<path class="g" d="M{across(t):.1f} {roof:.1f}V{floor:.1f}"/>' for t in ticks]
    body.append(f'<path class="a" d="M{zero:.1f} {roof:.1f}V{floor:.1f}"/>')
    body += [_text(across(t), floor + ROW - 3, w, "c m") for t, w in zip(ticks, tick_text, strict=True)]
    body += [_forest(e, roof + step * (i + 0.5), step, across, left) for i, e in enumerate(effects)]
    said = description or "; ".join(f"{e.label}: {_interval(e)}, {e.outcome}" for e in effects) + "."
    return _svg(title, said, floor + ROW + 8, body, id)


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
    then, later = [sorted(v for raw in rows if (v := _finite(raw)) is not None) for rows in (reference, now)]
    both = sorted(then + later)
    if not both:
        return _nothing(title, description, id)
    low, high = both[int(0.005 * (len(both) - 1))], both[math.ceil(0.995 * (len(both) - 1))]
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
    bins = max(1, min(bins, 100))
    counted = [_binned(rows, low, high, bins) for rows in (then, later)]
    scale, ticks, tick_text = _scale([0.0, *counted[0], *counted[1]], True, most=4)
    left = 14 + max(_wide(text) for text in tick_text)
    legend = [
        ('<rect class="f s6 t6" x="4" y="-13" width="18" height="14"/>', names[0]),
        ('<path class="n s1" d="M4 1v-13h18v13"/>', names[1]),
    ]
    top, head = _legend(legend, "")
    down = _Down(0.0, scale[1], top + 6, top + 206)
    across = _Across(low, high, left, WIDTH - 16)
    body = [head, _grid(down, ticks, tick_text, left)]
    for counts, look in zip(counted, ("f s6 t6", "n s1"), strict=True):
        if any(counts):
            edges = "".join(f"V{down(c):.1f}H{across(low + (high - low) * (i + 1) / bins):.1f}" for i, c in enumerate(counts))
            body.append(f'<path class="{look}" d="M{left:.1f} {down.floor:.1f}{edges}V{down.floor:.1f}"/>')
    body += [_text(_inside(across(t), w), down.floor + ROW - 2, w, "c m") for t, w in _numbers(low, high)]
    body.append(_text(left, down.floor + 2 * ROW - 4, unit, "m") if unit else "")
    middle = [
        f"{n}: shares of {len(v)} rows, middle {_number(v[len(v) // 2])}" if v else f"{n}: no rows"
        for n, v in zip(names, (then, later), strict=True)
    ]
    return _svg(title, description or "; ".join(middle) + ".", down.floor + (2 if unit else 1) * ROW + 8, body, id)


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
    sides = [{k: v for k, raw in side.items() if (v := _finite(raw)) is not None and v > 0} for side in (reference, now)]
    sums = [sum(side.values()) for side in sides]
    labels = list(dict.fromkeys([*sides[0], *sides[1]]))
    if not labels:
        return _nothing(title, description, id)
    part = [{k: v / total for k, v in side.items()} for side, total in zip(sides, sums, strict=True)]
    if len(labels) > most:
        labels = sorted(labels, key=lambda k: -max(part[0].get(k, 0), part[1].get(k, 0)))[: most - 1]
        part = [{**{k: p.get(k, 0.0) for k in labels}, "others": 1 - sum(p.get(k, 0.0) for k in labels) if p else 0.0} for p in part]
        labels.append("others")
    looks = ("f s6 t6", "f s1 t1")
    legend = [(f'<rect class="{look}" x="4" y="-13" width="18" height="14"/>', name) for look, name in zip(looks, names, strict=True)]
    top, head = _legend(legend, "")
    scale, ticks, tick_text = _scale([0.0] + [v for p in part for v in p.values()], True, most=4)
    left = 20 + min(250.0, max(_wide(k) for k in labels))
    across = _Across(0.0, scale[1], left, WIDTH - 36)
    step, roof = ROW * 1.35, top + 8
    floor = roof + step * len(labels)
    body = [head, *(f'<path class="g" d="M{across(t):.1f} {roof:.1f}V{floor:.1f}"/>' for t in ticks)]
    for i, label in enumerate(labels):
        y = roof + step * i
        body.append(_text(left - 10, y + step / 2 + 5, _cut(label, left - 16), "e", label))
        for j, look in enumerate(looks):
            wide = across(part[j].get(label, 0.0)) - left
            body.append(f'<rect class="{look}" x="{left:.1f}" y="{y + 4 + j * 14:.1f}" width="{wide:.1f}" height="12"/>')
    body += [_text(across(t), floor + ROW - 3, w, "c m") for t, w in zip(ticks, tick_text, strict=True)]
    told = "; ".join(f"{k}: {_number(part[0].get(k, 0.0), True)} then, {_number(part[1].get(k, 0.0), True)} now" for k in labels)
    return _svg(title, description or told + ".", floor + ROW + 8, body, id)


# -- scales ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Across:
    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)


@dataclass(frozen=True)
class _Down:
    low: float
    high: float
    roof: float
    floor: float

    def __call__(self, value: float) -> float:
        return self.floor - (value - self.low) / (self.high - self.low) * (self.floor - self.roof)


def _finite(value: float | None) -> float | None:
    """The number, or None where there is none that can be drawn."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < LIMIT else None  # NaN compares false


def _seconds(at: datetime) -> float:
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) / timedelta(seconds=1)


def _span(moments: Sequence[float]) -> tuple[float, float]:
    first, last = min(moments), max(moments)
    if last - first < 60:
        first, last = first - DAY / 2, last + DAY / 2
    return max(first, FIRST), min(last, LAST)


def _round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5, 10 times a power of ten that cuts the span into at most ``most`` pieces."""
    raw = span / most
    base = 10.0 ** math.floor(math.log10(raw))
    return next((base * n for n in (1.0, 2.0, 2.5, 5.0) if base * n >= raw * (1 - 1e-9)), base * 10)


def _scale(values: Sequence[float], percent: bool, most: int = 5) -> tuple[Box, tuple[float, ...], tuple[str, ...]]:
    """The range (ends on ticks), the ticks and how they are said. Starts at zero where zero is near."""
    low, high = min(values), max(values)
    if 0 < low < 0.4 * high:
        low = 0.0
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    step = _round_step(high - low, most)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    ticks = tuple(k * step for k in range(first, last + 1))
    return (ticks[0], ticks[-1]), ticks, tuple(_number(t, percent, step) for t in ticks)


def _numbers(low: float, high: float) -> list[tuple[float, str]]:
    step = _round_step(high - low, 6)
    return [(k * step, _number(k * step, False, step)) for k in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1)]


def _number(value: float, percent: bool = False, step: float | None = None) -> str:
    """A number for people: as many digits as the step needs (else three that count), k and M for thousands and millions."""
    value, step = (value * 100, step * 100 if step else step) if percent else (value, step)
    size = max(abs(value), step or 0.0)
    if size >= 1e15 or 0 < size < 1e-6:
        text = f"{value:.2g}"
    elif size >= 10_000:
        by, sign = (1e3, "k") if size < 1e6 else (1e6, "M") if size < 1e9 else (1e9, "G") if size < 1e12 else (1e12, "T")
        text = f"{value / by:.4g}{sign if value else ''}"
    else:
        digits = max(0, 2 - math.floor(math.log10(size))) if size and not step else 0
        while step and digits < 9 and abs(round(step, digits) - step) > 1e-6 * step:
            digits += 1
        text = f"{value:.{digits}f}"
        text = text if step or "." not in text else text.rstrip("0").rstrip(".")
    text = "0" if text.startswith("-") and not text.strip("-0.") else text
    return text.replace("-", "\u2212") + (" %" if percent else "")


def _signed(value: float) -> str:
    text = _number(round(value, 4), True)
    return f"+{text}" if value > 0 and text != "0 %" else text


# -- words -------------------------------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """What XML can hold: no control characters, no halves of characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", " ", str(text)).strip()


def _say(text: str) -> str:
    return html.escape(_plain(text), quote=True)


def _wide(text: str) -> float:
    """About how wide a text is at its largest, on the safe side for the fonts that browsers fall back to."""
    return TEXT * sum(
        0.36 if c in "iljtfrI.,:;'|!() " else 0.96 if c in "mwMW@%" or ord(c) > 0x2E80 else 0.68 if c.isupper() else 0.6 for c in text
    )


def _cut(text: str, room: float) -> str:
    text = _plain(text)
    if _wide(text) <= room:
        return text
    while text and _wide(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _text(x: float, y: float, words: str, look: str = "", whole: str = "") -> str:
    hint = f"<title>{_say(whole)}</title>" if whole and _plain(whole) != _plain(words) else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{f" class={chr(34)}{look}{chr(34)}" if look else ""}>{hint}{_say(words)}</text>'


def _inside(x: float, words: str) -> float:
    """Where a centred text must stand so that it does not leave the picture."""
    half = _wide(words) / 2
    return min(max(x, half), WIDTH - half)


def _svg(title: str, description: str, height: float, body: Sequence[str], given: str | None) -> str:
    inside = "".join(body)
    name = re.sub(r"[^A-Za-z0-9_-]", "-", given) if given else "plot-" + identity(_plain(title), _plain(description), inside)
    return (
        f'<svg class="el-plot" id="{name}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{_say(title)}</title>'
        f'<desc id="{name}-desc">{_say(description)}</desc><style>{STYLE}</style>{inside}</svg>'
    )


def _nothing(title: str, description: str, given: str | None) -> str:
    body = ['<path class="a" d="M16 130H704"/>', _text(WIDTH / 2, 82, "nothing to show yet", "c m")]
    return _svg(title, description or "No data yet.", 150, body, given)


def _told(
    series: Sequence[Line],
    drawn: Sequence[list[_Point]],
    floors: Sequence[tuple[Level, float]],
    happened: Sequence[tuple[float, Mark]],
    percent: bool,
) -> str:
    said = []
    for line, points in zip(series, drawn, strict=True):
        seen = [v for _, v, *_ in points if v is not None]
        if seen:
            first, last, low, high = (_number(v, percent) for v in (seen[0], seen[-1], min(seen), max(seen)))
            said.append(f"{line.name}: from {first} to {last}, between {low} and {high}")
    said += [f"{level.label}: {_number(value, percent)}" for level, value in floors]
    said += [f"{_day(at)} {mark.kind}: {mark.label}" for at, mark in happened]
    return "; ".join(said) + "."


def _day(at: float) -> str:
    day = EPOCH + timedelta(seconds=at)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _interval(e: Effect) -> str:
    effect, low, high = _finite(e.effect), _finite(e.low), _finite(e.high)
    if effect is None:
        return "not measured"
    return _signed(effect) + (f" ({_signed(low)} to {_signed(high)})" if low is not None and high is not None else "")


# -- pieces ------------------------------------------------------------------------------------------------------------------------


def _legend(entries: Sequence[tuple[str, str]], unit: str) -> tuple[float, str]:
    """The legend's height and itself: entries flow from left to right and wrap."""
    x, y, out = 4.0, 20.0, []
    if unit:
        unit = _cut(unit, WIDTH - 8)
        out.append(_text(x, y, unit, "m"))
        x += _wide(unit) + 22
    for swatch, name in entries:
        name = _cut(name, WIDTH - 60)
        need = 34 + _wide(name)
        if x > 4 and x + need > WIDTH - 4:
            x, y = 4.0, y + ROW
        out.append(f'<g transform="translate({x:.1f} {y:.1f})">{swatch}{_text(33, 0, name)}</g>')
        x += need + 18
    return (y + 8 if out else 8.0), "".join(out)


def _swatch(i: int, dashed: bool, band: bool) -> str:
    shade = f'<rect class="b t{i % COLOURS}" x="0" y="-12" width="26" height="14"/>' if band else ""
    return f'{shade}<path class="n s{i % COLOURS}{" d" if dashed else ""}" d="M0 -5h26"/>'


def _sign(kind: str) -> str:
    """The sign of a happening: shape and colour say the same."""
    if kind == "incident":
        return '<path class="n s1" d="M-5 -5L5 5M5 -5L-5 5"/>'
    if kind == "drift":
        return '<path class="t3" d="M0 -7L7 0L0 7L-7 0Z"/>'
    if kind == "deploy":
        return '<path class="t2" d="M0 -7L7 6H-7Z"/>'
    return '<circle class="t6" r="5"/>'


def _outcome(outcome: str) -> str:
    if outcome == "passed":
        return '<circle class="t2" r="7"/>'
    if outcome == "failed":
        return '<path class="n s1" d="M-6 -6L6 6M6 -6L-6 6"/>'
    return '<circle class="h s6" r="6"/>'


def _grid(down: _Down, ticks: Sequence[float], words: Sequence[str], left: float) -> str:
    rules = "".join(f"M{left:.1f} {down(t):.1f}H{WIDTH - 16:.1f}" for t in ticks)
    said = "".join(_text(left - 8, down(t) + 5, w, "e m") for t, w in zip(ticks, words, strict=True))
    return f'<path class="g" d="{rules}"/>{said}'


def _calendar(first: float, last: float, across: _Across, floor: float) -> str:
    """The time axis: labels in UTC, and under them the day or the year where it changes."""
    out, before = [f'<path class="a" d="M{across.left:.1f} {floor:.1f}H{across.right:.1f}"/>'], ""
    for at, label, context in _ticks(first, last, max(2, int((across.right - across.left) / 92))):
        x = across(at)
        out.append(f'<path class="a" d="M{x:.1f} {floor:.1f}v5"/>{_text(_inside(x, label), floor + ROW - 2, label, "c m")}')
        if context and context != before:
            out.append(_text(_inside(x, context), floor + 2 * ROW - 4, context, "c m"))
        before = context
    return "".join(out)


def _ticks(first: float, last: float, most: int) -> list[tuple[float, str, str]]:
    step = next((s for s in STEPS if (last - first) / s <= most), None)
    if step is None:
        return _month_ticks(first, last, most)
    offset = 4 * DAY if step >= 7 * DAY else 0.0  # weeks begin on Monday; the epoch was a Thursday
    out = []
    for k in range(math.ceil((first - offset) / step), math.floor((last - offset) / step) + 1):
        at = EPOCH + timedelta(seconds=k * step + offset)
        day = f"{at.day} {MONTHS[at.month - 1]}"
        out.append((k * step + offset, day if step >= DAY else f"{at:%H:%M}", str(at.year) if step >= DAY else day))
    return out


def _month_ticks(first: float, last: float, most: int) -> list[tuple[float, str, str]]:
    start, end = EPOCH + timedelta(seconds=first), EPOCH + timedelta(seconds=last)
    low, high = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    step = next((s for s in MONTH_STEPS if (high - low) / s <= most), MONTH_STEPS[-1])
    out = []
    for month in range(-(-low // step) * step, high + 1, step):
        if month < 12:
            continue
        at = _seconds(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC))
        if first <= at <= last:
            year = str(month // 12)
            out.append((at, year, "") if step >= 12 else (at, MONTHS[month % 12], year))
    return out


# -- series ------------------------------------------------------------------------------------------------------------------------

_Point: TypeAlias = tuple[float, float | None, float | None, float | None]


def _clean(line: Line) -> list[_Point]:
    """(seconds, value, low, high) in order of time; at most some thousand points, of which the extremes stay."""
    out: list[_Point] = []
    for i, (at, value) in enumerate(line.points):
        low, high = line.band[i] if i < len(line.band) else (None, None)
        out.append((_seconds(at), _finite(value), _finite(low), _finite(high)))
    out.sort(key=lambda point: point[0])
    if len(out) <= 1600:
        return out
    kept: list[_Point] = []
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


def _runs(points: Sequence[_Point], whole: bool) -> list[list[_Point]]:
    """Unbroken stretches: of values, or (``whole``) of values with both ends of their interval."""
    runs: list[list[_Point]] = [[]]
    for point in points:
        if point[1] is not None and not (whole and (point[2] is None or point[3] is None)):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _trace(points: Sequence[_Point], i: int, dashed: bool, across: _Across, down: _Down) -> str:
    path, alone = "", ""
    for run in _runs(points, False):
        spots = [f"{across(at):.1f} {down(v or 0.0):.1f}" for at, v, *_ in run]
        if len(spots) == 1:
            x, y = spots[0].split()
            alone += f'<circle class="t{i % COLOURS}" cx="{x}" cy="{y}" r="4"/>'
        else:
            path += "M" + "L".join(spots)
    return (f'<path class="n s{i % COLOURS}{" d" if dashed else ""}" d="{path}"/>' if path else "") + alone


def _band(points: Sequence[_Point], i: int, across: _Across, down: _Down) -> str:
    path = ""
    for run in _runs(points, True):
        over = [f"{across(at):.1f} {down(high or 0.0):.1f}" for at, _, _, high in run]
        under = [f"{across(at):.1f} {down(low or 0.0):.1f}" for at, _, low, _ in reversed(run)]
        path += "M" + "L".join(over + under) + "Z"
    return f'<path class="b t{i % COLOURS}" d="{path}"/>' if path else ""


# -- marks -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Spot:
    """Where a label stands: its lane counted from above, its box across, and on which side of its line."""

    lane: int
    box: Box
    after: bool
    words: str


def _place(marks: Sequence[tuple[float, Mark]], left: float, right: float) -> tuple[int, list[tuple[float, Mark, _Spot | None]]]:
    """Lanes needed, and a spot for every label that finds one: boxes never meet, and no line of a mark crosses a label."""
    taken: list[tuple[float, _Spot]] = []
    spots: dict[int, _Spot | None] = {}
    for k in sorted(range(len(marks)), key=lambda k: (URGENCY.get(marks[k][1].kind, 9), k)):
        x, mark = marks[k]
        words = _cut(mark.label, 300)
        need = _wide(words) + 16
        options = [
            _Spot(lane, (x - 8, x + need) if after else (x - need, x + 8), after, words) for lane in range(LANES) for after in (True, False)
        ]
        spots[k] = next((o for o in options if o.box[1] <= right and o.box[0] >= min(left, x) - 8 and _free(x, o, taken)), None)
        if spot := spots[k]:
            taken.append((x, spot))
    lanes = max((spot.lane + 1 for _, spot in taken), default=1 if marks else 0)
    return lanes, [(x, mark, spots[k]) for k, (x, mark) in enumerate(marks)]


def _free(x: float, spot: _Spot, taken: Sequence[tuple[float, _Spot]]) -> bool:
    for other_x, other in taken:
        boxes_meet = spot.lane == other.lane and spot.box[0] < other.box[1] and other.box[0] < spot.box[1]
        its_line_cuts_me = other.lane <= spot.lane and spot.box[0] - 4 < other_x < spot.box[1] + 4
        my_line_cuts_it = spot.lane <= other.lane and other.box[0] - 4 < x < other.box[1] + 4
        if boxes_meet or its_line_cuts_me or my_line_cuts_it:
            return False
    return True


def _mark(x: float, mark: Mark, spot: _Spot | None, top: float, down: _Down) -> str:
    colour = {"incident": 1, "drift": 3, "deploy": 2}.get(mark.kind, 6)
    y = top + (spot.lane if spot else 0) * ROW + 12 if spot else down.roof
    hint = f"<title>{_say(f'{_day_of(mark)} {mark.kind}: {mark.label}')}</title>"
    words = ""
    if spot:
        words = _text(x + 12 if spot.after else x - 12, y + 5, spot.words, "" if spot.after else "e")
    return (
        f'<g>{hint}<path class="v s{colour}" d="M{x:.1f} {y:.1f}V{down.floor:.1f}"/>'
        f'<g transform="translate({x:.1f} {y:.1f})">{_sign(mark.kind)}</g>{words}</g>'
    )


def _day_of(mark: Mark) -> str:
    return _day(_seconds(mark.at))


# -- areas, forests, bins ----------------------------------------------------------------------------------------------------------


def _stack(parts: Mapping[str, float]) -> dict[str, float]:
    kept = {name: v for name, raw in parts.items() if (v := _finite(raw)) is not None and v > 0}
    total = max(1.0, sum(kept.values()))
    return {name: v / total for name, v in kept.items()}


def _areas(
    names: Sequence[str],
    held: Sequence[tuple[float, Mapping[str, float]]],
    stop: float,
    across: _Across,
    down: _Down,
) -> list[tuple[str, str]]:
    """For every version its area, and its name where the name fits into it."""
    ends = [at for at, _ in held[1:]] + [stop]
    out = []
    for i, name in enumerate(names):
        path, best, label = "", 0.0, ""
        for (start, parts), end in zip(held, ends, strict=True):
            if name not in parts or end <= start:
                continue
            under = sum(parts.get(other, 0.0) for other in names[:i])
            x, wide = across(start), across(end) - across(start)
            y, tall = down(under + parts[name]), down(under) - down(under + parts[name])
            path += f"M{x:.1f} {y:.1f}h{wide:.1f}v{tall:.1f}h{-wide:.1f}Z"
            if tall >= ROW and wide >= _wide(_plain(name)) + 8 and wide * tall > best:
                best, label = wide * tall, _text(x + wide / 2, y + tall / 2 + 6, name, "c")
        out.append((f'<path class="f s{i % COLOURS} t{i % COLOURS}" d="{path}"/>' if path else "", label))
    return out


def _forest(e: Effect, y: float, step: float, across: _Across, left: float) -> str:
    colour = {"passed": 2, "failed": 1}.get(e.outcome, 6)
    effect, low, high, asked = (_finite(v) for v in (e.effect, e.low, e.high, e.asked))
    out = _text(left - 12, y + 6, _cut(e.label, left - 16), "e", e.label)
    if asked is not None:
        out += f'<path class="l" d="M{across(asked):.1f} {y - step * 0.36:.1f}v{step * 0.72:.1f}"/>'
    if effect is None:
        return f"<g><title>{_say(f'{e.label}: {_interval(e)}')}</title>{out}{_text(across.left + 8, y + 6, 'not measured', 'm')}</g>"
    if low is not None and high is not None:
        out += f'<path class="n s{colour}" d="M{across(low):.1f} {y - 5:.1f}v10m0 -5H{across(high):.1f}m0 -5v10"/>'
    out += f'<g transform="translate({across(effect):.1f} {y:.1f})">{_outcome(e.outcome)}</g>'
    hint = f"{e.label}: {_interval(e)}, {e.outcome}"
    return f"<g><title>{_say(hint)}</title>{out}{_text(WIDTH - 6, y + 6, _signed(effect), 'e')}</g>"


def _binned(rows: Sequence[float], low: float, high: float, bins: int) -> list[float]:
    counts = [0] * bins
    for value in rows:
        counts[min(bins - 1, max(0, int((value - low) / (high - low) * bins)))] += 1
    return [count / len(rows) for count in counts] if rows else [0.0] * bins
