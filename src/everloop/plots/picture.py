"""What every plot is made of: its look, its words (escaped, measured, cut), its legend and its frame. Strings in, SVG out."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from everloop.plots.scales import Down
from everloop.records import identity

WIDTH = 600.0
TEXT = 20.0  # the size room is reserved for; drawn smaller on wide screens
ROW = 26.0
COLOURS = 7

STYLE = (
    ".el-plot{--el-ink:#1c2330;--el-muted:#5a6474;--el-grid:#e3e7ed;--el-paper:#fff;--el-0:#0072b2;--el-1:#d55e00;--el-2:#009e73;"
    "--el-3:#b8578f;--el-4:#c78500;--el-5:#3a9bd9;--el-6:#6b7280;display:block;width:100%;height:auto;"
    'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}'
    "@media (prefers-color-scheme:dark){.el-plot{--el-ink:#e8ecf2;--el-muted:#a3adbb;--el-grid:#2c333e;--el-paper:#14181f;--el-0:#56b4e9;"
    "--el-1:#f08a4b;--el-2:#2fc49a;--el-3:#dc93bb;--el-4:#e6a817;--el-5:#4c8fdb;--el-6:#9aa3b0}}"
    "@media print{.el-plot{--el-ink:#000;--el-muted:#444;--el-grid:#ddd;--el-paper:#fff}}"
    ".el-plot text{font-size:11.25px;fill:var(--el-ink);stroke:none}.el-plot .m{fill:var(--el-muted)}"
    ".el-plot .o{paint-order:stroke;stroke:var(--el-paper);stroke-width:6px}.el-plot .e{text-anchor:end}.el-plot .c{text-anchor:middle}"
    "@media (max-width:640px){.el-plot text{font-size:20px}}"
    ".el-plot .g{stroke:var(--el-grid);stroke-width:1;fill:none}.el-plot .a{stroke:var(--el-muted);stroke-width:1;fill:none}"
    ".el-plot .n{fill:none;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}"
    ".el-plot .d{stroke-dasharray:7 5}.el-plot .b{fill-opacity:.16;stroke:none}.el-plot .q{fill-opacity:.42;stroke:none}"
    ".el-plot .f{fill-opacity:.38;stroke-width:1.5}"
    ".el-plot .l{stroke:var(--el-ink);stroke-width:1.5;fill:none;stroke-opacity:.75}"
    ".el-plot .l0{stroke-dasharray:2 4}.el-plot .l1{stroke-dasharray:9 4}.el-plot .l2{stroke-dasharray:9 4 2 4}"
    ".el-plot .v{fill:none;stroke-width:1.25;stroke-opacity:.7}.el-plot .h{fill:var(--el-paper);stroke-width:2}"
    + "".join(f".el-plot .s{i}{{stroke:var(--el-{i})}}.el-plot .t{i}{{fill:var(--el-{i})}}" for i in range(COLOURS))
)


def plain(text: str) -> str:
    """What XML can hold: no control characters, no halves of characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", " ", str(text)).strip()


def say(text: str) -> str:
    return html.escape(plain(text), quote=True)


def width_of(text: str) -> float:
    """About how wide a text is at its largest, on the safe side for the fonts that browsers fall back to."""
    return TEXT * sum(
        0.36 if c in "iljtfrI.,:;'|!() " else 0.96 if c in "mwMW@%…" or ord(c) > 0x2E80 else 0.68 if c.isupper() else 0.6 for c in text
    )


def wrapped(words: str, room: float) -> list[str]:
    """The words on one line or two, cut where even two are too few.

    >>> wrapped("demand@2 against demand@1", 140)
    ['demand@2', 'against de…']
    """
    whole, first = plain(words), ""
    for word in whole.split():
        if width_of(f"{first} {word}".strip()) > room:
            break
        first = f"{first} {word}".strip()
    if not first or first == whole:
        return [cut(whole, room)]
    return [first, cut(whole[len(first) :].strip(), room)]


def cut(text: str, room: float) -> str:
    text = plain(text)
    if width_of(text) <= room:
        return text
    while text and width_of(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"


def write(x: float, y: float, words: str, look: str = "", whole: str = "") -> str:
    hint = f"<title>{say(whole)}</title>" if whole and plain(whole) != plain(words) else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{f" class={chr(34)}{look}{chr(34)}" if look else ""}>{hint}{say(words)}</text>'


def inside(x: float, words: str) -> float:
    """Where a centred text must stand so that it does not leave the picture."""
    half = width_of(words) / 2
    return min(max(x, half), WIDTH - half)


def svg(title: str, description: str, height: float, body: Sequence[str], given: str | None) -> str:
    inside = "".join(body)
    name = re.sub(r"[^A-Za-z0-9_-]", "-", given) if given else "plot-" + identity(plain(title), plain(description), inside)
    return (
        f'<svg class="el-plot" id="{name}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{say(title)}</title>'
        f'<desc id="{name}-desc">{say(description)}</desc><style>{STYLE}</style>{inside}</svg>'
    )


def nothing(title: str, description: str, given: str | None) -> str:
    body = ['<path class="a" d="M16 130H584"/>', write(WIDTH / 2, 82, "nothing to show yet", "c m")]
    return svg(title, description or "No data yet.", 150, body, given)


def legend_of(entries: Sequence[tuple[str, str]], unit: str) -> tuple[float, str]:
    """The legend's height and itself: entries flow from left to right and wrap."""
    x, y, out = 4.0, 20.0, []
    if unit:
        unit = cut(unit, WIDTH - 8)
        out.append(write(x, y, unit, "m"))
        x += width_of(unit) + 22
    for swatch, name in entries:
        name = cut(name, WIDTH - 60)
        need = 34 + width_of(name)
        if x > 4 and x + need > WIDTH - 4:
            x, y = 4.0, y + ROW
        out.append(f'<g transform="translate({x:.1f} {y:.1f})">{swatch}{write(33, 0, name)}</g>')
        x += need + 18
    return (y + 8 if out else 8.0), "".join(out)


def swatch(i: int, dashed: bool, band: bool) -> str:
    shade = f'<rect class="b t{i % COLOURS}" x="0" y="-12" width="26" height="14"/>' if band else ""
    return f'{shade}<path class="n s{i % COLOURS}{" d" if dashed else ""}" d="M0 -5h26"/>'


def grid(down: Down, ticks: Sequence[float], words: Sequence[str], left: float) -> str:
    rules = "".join(f"M{left:.1f} {down(t):.1f}H{WIDTH - 16:.1f}" for t in ticks)
    said = "".join(write(left - 8, down(t) + 5, w, "e m") for t, w in zip(ticks, words, strict=True))
    return f'<path class="g" d="{rules}"/>{said}'
