"""A verdict where people talk about a change: Markdown for a comment on a pull request, and its figures as DVC and others read metrics.

In: a verdict. Out: text. What came from outside (names, sentences) cannot break the layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from everloop.records import Opinion, Verdict

SAID = {"passed": "passed", "failed": "failed", "not enough evidence": "has not enough evidence"}


def comment(verdict: Verdict, *, against: str = "the champion") -> str:
    """A verdict as Markdown: what became of it, each condition with its figures, and which records say so.

    The first line is a mark by which a bot finds its own comment again.
    """
    lines = [f"<!-- everloop {verdict.model} -->", f"### {verdict.model} {SAID[verdict.outcome]} against {_plain(against)}", ""]
    if verdict.by:
        lines += [f"{_plain(verdict.by)} let it in past the gate: {_plain(verdict.reason or '')}", ""]
    lines += ["| condition | | champion | candidate | effect, with its interval | questions |", "|---|---|--:|--:|--:|--:|"]
    lines += [_row(opinion, opinion.outcome) for opinion in verdict.opinions]
    lines += [_row(opinion, "") for opinion in verdict.beside]
    lines += ["", *(f"- {_plain(opinion.sentence)}" for opinion in verdict.opinions if opinion.outcome != "passed")]
    lines += ["", f"Verdict `{verdict.id}` on candidate `{verdict.candidate}`; `everloop why {verdict.id}` tells what it rests on."]
    return "\n".join(lines) + "\n"


def metrics(verdict: Verdict) -> str:
    """The figures of a verdict as JSON, one object for each condition that has any, in the order they were said.

    Shares are 0 to 1; ``passed`` is 1 or 0, so that it can be drawn over runs.
    """
    told: dict[str, Mapping[str, float | int | None] | int] = {"passed": int(verdict.passed)}
    for opinion in verdict.opinions:
        figures = {name: getattr(opinion, name) for name in ("champion", "candidate", "effect", "low", "high")}
        if any(value is not None for value in figures.values()):
            told[opinion.clause] = figures | {"rows": opinion.rows}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _row(opinion: Opinion, outcome: str) -> str:
    effect = f"{opinion.effect:+.1%}" if opinion.effect is not None else ""
    if opinion.low is not None and opinion.high is not None:
        effect += f" ({opinion.low:+.1%} … {opinion.high:+.1%})"
    figures = [f"{value:.4g}" if value is not None else "" for value in (opinion.champion, opinion.candidate)]
    return f"| `{_plain(opinion.clause)}` | {outcome} | {figures[0]} | {figures[1]} | {effect} | {opinion.rows:,} |"


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("`", "'").replace("<", "&lt;").replace("\n", " ").replace("@", "@\u200b")
