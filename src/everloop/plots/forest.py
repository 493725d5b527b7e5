"""Effects with their intervals beside what was asked, one row each: contests in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from everloop.plots.picture import ROW, WIDTH, legend_of, nothing, say, svg, width_of, wrapped, write
from everloop.plots.scales import Across, finite, scale_of, signed
from everloop.records import Outcome

LABEL = 270.0  # room for the name of a contest, on one line or two


@dataclass(frozen=True)
class Effect:
    """One row of a forest plot: shares of the champion's value, good is positive; ``asked`` is what had to be beaten."""

    label: str
    effect: float | None
    low: float | None
    high: float | None
    asked: float | None = None
    outcome: Outcome = "not enough evidence"


def intervals(title: str, effects: Sequence[Effect], *, unit: str = "", description: str = "", id: str | None = None) -> str:
    """A forest plot: what each contest measured, its interval, and what was asked (the tick); the sign says the outcome.

    >>> effects = [Effect("demand@2", 0.06, 0.02, 0.10, asked=0.0, outcome="passed"), Effect("demand@3", None, None, None)]
    >>> svg = intervals("Contests", effects)
    >>> "+6 %" in svg, "not measured" in svg
    (True, True)
    """
    if not effects:
        return nothing(title, description, id)
    values = [v for e in effects for raw in (e.effect, e.low, e.high, e.asked) if (v := finite(raw)) is not None]
    scale, ticks, tick_text = scale_of([*values, 0.0] if values else [-0.1, 0.1], True, most=4)
    left = 20 + min(LABEL, max(width_of(line) for e in effects for line in wrapped(e.label, LABEL)))
    right = WIDTH - 16 - max([width_of("asked")] + [width_of(signed(v)) for e in effects if (v := finite(e.effect)) is not None])
    across = Across(*scale, left, right)
    outcomes: tuple[Outcome, ...] = tuple(o for o in ("passed", "failed", "not enough evidence") if any(e.outcome == o for e in effects))
    legend: list[tuple[str, str]] = [(f'<g transform="translate(13 -5)">{outcome_sign(o)}</g>', o) for o in outcomes]
    if any(finite(e.asked) is not None for e in effects):
        legend.append(('<path class="l" d="M13 -14v18"/>', "asked"))
    top, head = legend_of(legend, unit)
    step, roof = ROW * (2 if any(len(wrapped(e.label, LABEL)) > 1 for e in effects) else 1.35), top + 10
    floor = roof + step * len(effects)
    zero = across(0.0)
    body = [head]
    body += [f'<path class="g" d="M{across(t):.1f} {roof:.1f}V{floor:.1f}"/>' for t in ticks]
    body.append(f'<path class="a" d="M{zero:.1f} {roof:.1f}V{floor:.1f}"/>')
    body += [write(across(t), floor + ROW - 3, w, "c m") for t, w in zip(ticks, tick_text, strict=True)]
    body += [_forest(e, roof + step * (i + 0.5), step, across, left) for i, e in enumerate(effects)]
    said = description or "; ".join(f"{e.label}: {_interval(e)}, {e.outcome}" for e in effects) + "."
    return svg(title, said, floor + ROW + 8, body, id)


def _interval(e: Effect) -> str:
    effect, low, high = finite(e.effect), finite(e.low), finite(e.high)
    if effect is None:
        return "not measured"
    return signed(effect) + (f" ({signed(low)} to {signed(high)})" if low is not None and high is not None else "")


def outcome_sign(outcome: str) -> str:
    if outcome == "passed":
        return '<circle class="t2" r="7"/>'
    if outcome == "failed":
        return '<path class="n s1" d="M-6 -6L6 6M6 -6L-6 6"/>'
    return '<circle class="h s6" r="6"/>'


def _forest(e: Effect, y: float, step: float, across: Across, left: float) -> str:
    colour = {"passed": 2, "failed": 1}.get(e.outcome, 6)
    effect, low, high, asked = (finite(v) for v in (e.effect, e.low, e.high, e.asked))
    said = wrapped(e.label, LABEL)
    out = "".join(write(left - 12, y + 6 + (k - (len(said) - 1) / 2) * 21, line, "e", e.label) for k, line in enumerate(said))
    if effect is None:
        return f"<g><title>{say(f'{e.label}: {_interval(e)}')}</title>{out}{write(WIDTH - 6, y + 6, 'not measured', 'e m o')}</g>"
    if asked is not None:
        out += f'<path class="l" d="M{across(asked):.1f} {y - 13:.1f}v26"/>'
    if low is not None and high is not None:
        out += f'<path class="n s{colour}" d="M{across(low):.1f} {y - 5:.1f}v10m0 -5H{across(high):.1f}m0 -5v10"/>'
    out += f'<g transform="translate({across(effect):.1f} {y:.1f})">{outcome_sign(e.outcome)}</g>'
    hint = f"{e.label}: {_interval(e)}, {e.outcome}"
    return f"<g><title>{say(hint)}</title>{out}{write(WIDTH - 6, y + 6, signed(effect), 'e')}</g>"
