"""The demo's story as one page that needs nothing else: a Story comes in, one HTML file goes out.

No script, no network, no clock. Every text is escaped; plots are SVG from ``everloop.plots`` and pass as they are. The file is written
beside its place and moved there, so a reader never meets half of it.
"""

from __future__ import annotations

import html
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from everloop import plots
from everloop.records import Outcome


@dataclass(frozen=True)
class Chapter:
    """One stretch of the ring's way: what happened, in sentences, and small plots beside them."""

    number: int
    title: str
    sentences: tuple[str, ...]
    plots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A number of the story in its ``unit`` (printed after it, nothing is multiplied), beside its goal and what simpler ways reach."""

    name: str
    value: float
    goal: float | None
    unit: str
    floors: tuple[tuple[str, float], ...] = ()
    better: Literal["lower", "higher"] = "lower"

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is no goal or no number.

        >>> Figure("WAPE", 0.53, 0.6, "").met, Figure("served", 0.98, 0.99, "", better="higher").met, Figure("rows", 5, None, "").met
        (True, False, None)
        """
        if self.goal is None or not math.isfinite(self.value) or not math.isfinite(self.goal):
            return None
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


@dataclass(frozen=True)
class Decided:
    """One entry of the decision log: a sentence and the id to ask ``everloop why`` about."""

    at: datetime
    model: str
    sentence: str
    id: str


@dataclass(frozen=True)
class Contested:
    """One contest: the effect as a share of the champion's value, its interval, what was asked, and the outcome."""

    label: str
    effect: float | None
    low: float | None
    high: float | None
    asked: float | None
    outcome: Outcome
    at: datetime


@dataclass(frozen=True)
class Story:
    """All that the page tells. ``plots`` are (caption, svg); ``head`` is the journal's last hash; ``seconds`` is how long the demo ran."""

    title: str
    summary: str
    chapters: tuple[Chapter, ...]
    figures: tuple[Figure, ...]
    decisions: tuple[Decided, ...]
    contests: tuple[Contested, ...]
    plots: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    head: str
    seconds: float


def write_report(story: Story, path: Path) -> Path:
    """Write the page and say where it is; folders on the way are made. ``OSError`` where that cannot be done.

    >>> import tempfile
    >>> story = Story("A <quiet> week", "Nothing broke.", (), (), (), (), (), ("everloop status",), "9f2c", 12.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     "A &lt;quiet&gt; week" in write_report(story, Path(folder) / "report.html").read_text(encoding="utf-8")
    True
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    try:
        half.write_bytes(page(story).encode("utf-8", "replace"))
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def page(story: Story) -> str:
    """The whole page as text; parts without content are left out."""
    parts = [
        ("figures", "In figures", _figures(story.figures)),
        ("plots", "How it went", _plots(story.plots)),
        ("chapters", "The way round the ring", _chapters(story.chapters)),
        ("contests", "Every contest", _contests(story.contests)),
        ("decisions", "Every decision", _decisions(story.decisions)),
        ("further", "Look further", _further(story)),
    ]
    told = [part for part in parts if part[2]]
    contents = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in told)
    sections = "".join(
        f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{title}</h2>{body}</section>' for name, title, body in told
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{_say(story.title)}</title><style>{STYLE}</style></head><body>'
        f'<header><p class="brand">{RING}Everloop</p><h1>{_say(story.title)}</h1><p class="summary">{_say(story.summary)}</p>'
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav></header><main>{sections}</main>'
        f"<footer><p>Told from the journal in {_duration(story.seconds)}. Times are UTC.</p></footer></body></html>\n"
    )


# -- the parts ---------------------------------------------------------------------------------------------------------------------


def _figures(figures: Iterable[Figure]) -> str:
    cards = "".join(_card(figure) for figure in figures)
    return f'<div class="cards">{cards}</div>' if cards else ""


def _card(figure: Figure) -> str:
    met = figure.met
    verdict = "" if met is None else f'<span class="{"yes" if met else "no"}">{"✓ goal met" if met else "✗ goal missed"}</span>'
    rows = []
    if figure.goal is not None:
        bound = "at most" if figure.better == "lower" else "at least"
        rows.append(("goal", f"{bound} {_number(figure.goal)}{_unit(figure.unit)}"))
    rows += [(name, f"{_number(value)}{_unit(figure.unit)}") for name, value in figure.floors]
    listed = "".join(f"<div><dt>{_say(name)}</dt><dd>{_say(value)}</dd></div>" for name, value in rows)
    return (
        f'<article class="card"><h3>{_say(figure.name)}</h3><p class="big"><b>{_say(_number(figure.value))}</b>{_say(_unit(figure.unit))} '
        f"{verdict}</p>{_bullet(figure)}{f'<dl>{listed}</dl>' if listed else ''}</article>"
    )


def _bullet(figure: Figure) -> str:
    """The value as a bar, the floors as ticks, the goal as a diamond; nothing to see where there is nothing to compare."""
    others = [v for v in (figure.goal, *(value for _, value in figure.floors)) if v is not None and math.isfinite(v)]
    if not others or not math.isfinite(figure.value) or min(figure.value, *others) < 0:
        return ""
    most = max(figure.value, *others) * 1.06 or 1.0
    ticks = "".join(f'<path class="tick" d="M{value / most * 300:.1f} 3v16"/>' for _, value in figure.floors if math.isfinite(value))
    goal = (
        ""
        if figure.goal is None or not math.isfinite(figure.goal)
        else f'<path class="goal" d="M{figure.goal / most * 300:.1f} 3l6 8l-6 8l-6 -8Z"/>'
    )
    return (
        '<svg class="bullet" viewBox="-8 0 316 22" aria-hidden="true"><path class="rail" d="M0 11h300"/>'
        f'<path class="bar" d="M0 11h{figure.value / most * 300:.1f}"/>{ticks}{goal}</svg>'
    )


def _plots(drawn: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<figure>{svg}<figcaption>{_say(caption)}</figcaption></figure>" for caption, svg in drawn)


def _chapters(chapters: Iterable[Chapter]) -> str:
    told = []
    for chapter in chapters:
        sentences = "".join(f"<p>{_say(sentence)}</p>" for sentence in chapter.sentences)
        small = "".join(f"<figure>{svg}</figure>" for svg in chapter.plots)
        told.append(
            f'<li><span class="number" aria-hidden="true">{chapter.number}</span><h3>{_say(chapter.title)}</h3>'
            f'<div class="told{" beside" if small else ""}"><div>{sentences}</div>{f"<div>{small}</div>" if small else ""}</div></li>'
        )
    return f'<ol class="ring">{"".join(told)}</ol>' if told else ""


def _contests(contests: tuple[Contested, ...]) -> str:
    if not contests:
        return ""
    drawn = plots.intervals(
        "What every candidate won or lost against its champion",
        [plots.Effect(c.label, c.effect, c.low, c.high, c.asked, c.outcome) for c in contests],
        unit="better than the champion by",
    )
    rows = "".join(
        f'<tr><td>{_moment(c.at)}</td><th scope="row">{_say(c.label)}</th><td class="n">{_share(c.effect)}</td>'
        f'<td class="n">{_between(c.low, c.high)}</td><td class="n">{_share(c.asked)}</td>'
        f'<td><span class="{OUTCOMES.get(c.outcome, "open")}">{_say(c.outcome)}</span></td></tr>'
        for c in contests
    )
    head = "<tr><th>when</th><th>contest</th><th>effect</th><th>interval</th><th>asked</th><th>outcome</th></tr>"
    caption = "Effect on the error as a share of the champion’s, right is better; the bar is its interval, the upright line what was asked."
    return (
        f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Contests as a table">'
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


def _decisions(decisions: tuple[Decided, ...]) -> str:
    rows = "".join(
        f'<li>{_moment(d.at)}<span class="model">{_say(d.model)}</span><span class="said">{_say(d.sentence)}</span>'
        f"<code>{_say(d.id)}</code></li>"
        for d in decisions
    )
    return f'<ol class="log">{rows}</ol>' if rows else ""


def _further(story: Story) -> str:
    typed = "\n".join(_say(command) for command in story.commands)
    commands = f'<p>Everything on this page can be asked again:</p><pre tabindex="0"><code>{typed}</code></pre>' if typed else ""
    return commands + (
        f'<p>The journal’s head, over every record before it:</p><p class="head"><code>{_say(story.head)}</code></p>' if story.head else ""
    )


# -- words -------------------------------------------------------------------------------------------------------------------------

OUTCOMES = {"passed": "yes", "failed": "no"}


def _say(text: str) -> str:
    return html.escape(str(text), quote=True)


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "—"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f").replace("-", "−")
    text = f"{value:.4g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"
    return text.replace("-", "−")


def _unit(unit: str) -> str:
    return f"\u00a0{unit}" if unit else ""


def _share(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "—"
    text = f"{value * 100:+.1f}\u00a0%"
    return text.replace("-", "−") if value else "0\u00a0%"


def _between(low: float | None, high: float | None) -> str:
    return "—" if "—" in (_share(low), _share(high)) else f"{_share(low)} … {_share(high)}"


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return f'<time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M}</time>'


def _duration(seconds: float) -> str:
    """How long, in words.

    >>> _duration(42.4), _duration(150), _duration(float("nan"))
    ('42 seconds', '2 min 30 s', 'an unknown time')
    """
    if not math.isfinite(seconds) or seconds < 0:
        return "an unknown time"
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


RING = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20 12a8 8 0 1 1-2.6-5.9" fill="none" stroke="currentColor" stroke-width="2.6" '
    'stroke-linecap="round"/><path d="M21.4 3.2v5.2h-5.2Z" fill="currentColor"/></svg>'
)

STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--muted:#5a6474;--line:#e3e7ed;--paper:#fff;--soft:#f6f8fa;--accent:#0072b2;--good:#00734f;
--bad:#b34700}
@media (prefers-color-scheme:dark){:root{--ink:#e8ecf2;--muted:#a3adbb;--line:#2c333e;--paper:#14181f;--soft:#1b212a;--accent:#6cc0f0;
--good:#43cfa4;--bad:#f59a63}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0 auto;max-width:60rem;padding:2.5rem 1.5rem 4rem;background:var(--paper);color:var(--ink);
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1,h2,h3{line-height:1.2;letter-spacing:-.015em;text-wrap:balance}
h1{font-size:clamp(1.9rem,5vw,3rem);margin:.4rem 0 1rem;font-weight:750}
h2{font-size:1.55rem;margin:3.5rem 0 1.25rem;padding-top:1rem;border-top:2px solid var(--ink)}
h3{font-size:1.1rem;margin:0 0 .4rem}
p{margin:0 0 .75rem;max-width:44rem}
a{color:var(--accent)}
.brand{display:flex;align-items:center;gap:.45rem;color:var(--accent);font-weight:650;margin:0}
.brand svg{width:1.4rem;height:1.4rem}
.summary{font-size:1.2rem;line-height:1.55;color:var(--ink)}
nav ul{display:flex;flex-wrap:wrap;gap:.4rem 1.1rem;list-style:none;margin:1.25rem 0 0;padding:0;font-size:.95rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem}
.card{background:var(--soft);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.1rem;break-inside:avoid}
.card h3{font-size:.95rem;font-weight:600;color:var(--muted);letter-spacing:0}
.big{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .3rem;margin:0 0 .4rem}
.big b{font-size:2rem;line-height:1.2;font-weight:700;font-variant-numeric:tabular-nums}
.big span{margin-left:auto;font-size:.9rem}
.yes,.no,.open{font-weight:600;white-space:nowrap}.yes{color:var(--good)}.no{color:var(--bad)}.open{color:var(--muted)}
.bullet{display:block;width:100%;height:auto;margin:.1rem 0 .5rem}
.bullet path{fill:none}.bullet .rail{stroke:var(--line);stroke-width:8}.bullet .bar{stroke:var(--accent);stroke-width:8}
.bullet .tick{stroke:var(--ink);stroke-width:2.5}.bullet .goal{fill:var(--paper);stroke:var(--ink);stroke-width:2}
dl{margin:0;font-size:.92rem}dl div{display:flex;justify-content:space-between;gap:1rem;padding:.1rem 0}
dt{color:var(--muted)}dd{margin:0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
figure{margin:0 0 2rem;break-inside:avoid}
figcaption{font-size:.95rem;color:var(--muted);margin-top:.5rem;max-width:44rem}
.ring{list-style:none;margin:0;padding:0}
.ring>li{position:relative;padding:0 0 2rem 3.4rem;break-inside:avoid}
.ring>li::before{content:"";position:absolute;left:1.09rem;top:.4rem;bottom:-.4rem;width:2px;background:var(--line)}
.ring>li:last-child{padding-bottom:0}.ring>li:last-child::before{display:none}
.number{position:absolute;left:0;top:-.3rem;width:2.25rem;height:2.25rem;border-radius:50%;display:grid;place-items:center;
background:var(--paper);border:2px solid var(--accent);color:var(--accent);font-weight:700;font-variant-numeric:tabular-nums}
.told p{margin-bottom:.5rem}.told figure{margin:0 0 .5rem}
.told .el-plot text{font-size:20px}
.told.beside{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1.15fr);gap:1.5rem}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.75rem}
table{border-collapse:collapse;width:100%;font-size:.92rem;overflow-wrap:normal}
th,td{padding:.5rem .8rem;text-align:left;white-space:nowrap;font-weight:400;border-bottom:1px solid var(--line)}
tbody th{white-space:normal;min-width:11rem}td:last-child{white-space:normal}
thead th{font-weight:600;color:var(--muted);background:var(--soft)}tbody tr:last-child>*{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums}
time{color:var(--muted);font-variant-numeric:tabular-nums;white-space:nowrap;font-size:.9rem}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.88rem}
.log{list-style:none;margin:0;padding:0;font-size:.98rem}
.log li{display:grid;grid-template-columns:9.2rem minmax(5rem,auto) minmax(0,1fr) auto;gap:.1rem 1rem;align-items:baseline;
padding:.55rem 0;border-bottom:1px solid var(--line);break-inside:avoid}
.log .model{font-weight:600}.log code{color:var(--muted)}
pre{background:var(--soft);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.1rem;overflow-x:auto;line-height:1.7;
overflow-wrap:normal}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--muted);font-size:.92rem}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
@media (max-width:640px){body{padding:1.5rem 1rem 3rem;font-size:1rem}h2{margin-top:2.5rem}.summary{font-size:1.08rem}
.told.beside{grid-template-columns:minmax(0,1fr);gap:.5rem}.ring>li{padding-left:2.9rem}.number{width:1.9rem;height:1.9rem}
.ring>li::before{left:.92rem}.log li{grid-template-columns:1fr auto;gap:.1rem .75rem}.log .said{grid-column:1/-1}
.log .model{text-align:right}.ring figure{margin-left:-2.9rem;background:var(--paper);position:relative}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{:root{--ink:#000;--muted:#444;--line:#ccc;--paper:#fff;--soft:#fff}body{max-width:none;padding:0;font-size:10pt}
nav{display:none}
h2,h3{break-after:avoid}.scroll{overflow:visible}pre{white-space:pre-wrap}}
"""
