"""The model card: what a version predicts, what it learnt from, what it had to beat and by how much it did; and a sheet of its data.

In: records. Out: data, Markdown as the Hugging Face Hub reads it, or a page. No clock, no disk. The card names the journal's head, so that
a card kept elsewhere anchors the journal.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from everloop.clock import said
from everloop.plots.forest import Effect, intervals
from everloop.records import Candidate, Opinion, TrainingSet, Verdict, Version
from everloop.registry.sentences import rows_said
from everloop.stats.summary import Summary

_UNKNOWN = "—"


#: What the Hub calls a task, by the kind of answer; of no other kind it has a name.
TASKS = {
    "number": "tabular-regression", "quantiles": "tabular-regression",
    "chance": "tabular-classification", "shares": "tabular-classification",
}  # fmt: skip
LIBRARIES = {"skops": "sklearn", "lightgbm": "lightgbm", "xgboost": "xgboost", "onnx": "onnx"}


def card(
    version: Version,
    candidate: Candidate,
    verdict: Verdict | None,
    training_set: TrainingSet | None,
    *,
    explained: str,
    head: str = "",
    moves: Mapping[str, float] | None = None,
    sheet: Sequence[Summary] = (),
    worth: Sequence[str] = (),
    examples: Sequence[Example] = (),
    learnt_here: bool = True,
) -> dict[str, Any]:
    """A version's card as plain data. ``explained`` is the model read aloud; a baseline has neither verdict nor training set. ``moves`` is
    the share of each column in what moves its answers, ``sheet`` what its columns held, ``worth`` what answering by it is worth, in
    sentences, ``examples`` answers with what made them so. One that was not ``learnt_here`` was tried on the training set, and learnt
    from other data."""
    return {
        "version": version.name,
        "admitted_at": _instant(version.made_at),
        "predicts": explained.strip(),
        "answers": {"kind": candidate.shape.kind, "labels": list(candidate.shape.labels), "levels": list(candidate.shape.levels)},
        "learner": {"name": candidate.learner, "parameters": candidate.parameters, "format": candidate.format, "seed": candidate.seed},
        "knows": list(candidate.knows or candidate.columns),
        "noted": dict(candidate.notes or ()),
        "data": _data(candidate, training_set) | {"learnt_here": learnt_here},
        "sheet": [vars(one) | {"most": list(one.most) if one.most else None} for one in sheet],
        "moves": dict(sorted((moves or {}).items(), key=lambda pair: -pair[1])),
        "worth": list(worth),
        "examples": [_example(one) for one in examples],
        "verdict": None if verdict is None else _verdict(verdict),
        "environment": dict(candidate.environment),
        "code": {"commit": candidate.commit, "uncommitted": candidate.dirty, "definition": candidate.definition},
        "cost": _cost(candidate),
        "lineage": {
            "version": version.id,
            "candidate": candidate.id,
            "artefact": candidate.artefact,
            "verdict": verdict.id if verdict else None,
            "training_set": training_set.id if training_set else None,
            "training_body": training_set.body if training_set else None,
            "snapshot": list(training_set.made_from) if training_set else [],
        },
        "journal_head": head or None,
    }


def hub(card: dict[str, Any]) -> str:
    """A card as a README of the Hugging Face Hub: its metadata (as JSON, which YAML is a superset of), then the Markdown.

    Source: https://huggingface.co/docs/hub/model-cards, "Model card metadata".
    """
    task = TASKS.get(card["answers"]["kind"])
    told: dict[str, Any] = {"tags": ["everloop", *([task] if task else [])]}
    if (library := LIBRARIES.get(card["learner"]["format"])) is not None:
        told["library_name"] = library
    measured = [o for o in (card["verdict"] or {}).get("opinions", ()) if o["measure"] and o["candidate"] is not None]
    if measured and task:
        data = {"type": "everloop", "name": f"{card['version']}, held out", "revision": card["lineage"]["training_set"]}
        metrics = [{"type": o["measure"], "value": o["candidate"]} for o in measured]
        told["model-index"] = [{"name": card["version"], "results": [{"task": {"type": task}, "dataset": data, "metrics": metrics}]}]
    return f"---\n{json.dumps(told, indent=2)}\n---\n\n{markdown(card)}"


def page(card: dict[str, Any]) -> str:
    """A card as one HTML page that needs nothing else, with its contest drawn."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown(card))
    drawn = _contest(card)
    head, found, rest = body.partition("<h2>What it had to show</h2>")
    name = html.escape(card["version"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{name}</title><style>{STYLE}</style></head><body><main>'
        f"{head}{found}{drawn}{rest}</main></body></html>\n"
    )


STYLE = (
    ":root{color-scheme:light dark}body{margin:0;font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "color:#1c2330;background:#fff}main{max-width:46rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.7rem}"
    "h2{font-size:1.15rem;margin-top:2.2rem}blockquote{margin:0;padding-left:1rem;border-left:3px solid #9aa3b0}"
    "table{border-collapse:collapse;display:block;overflow-x:auto;max-width:100%}td,th{padding:.3rem .7rem .3rem 0;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #9aa3b044}td:nth-child(2){overflow-wrap:anywhere}thead th:empty{padding:0}"
    "code{font-size:.85em;overflow-wrap:anywhere}"
    "@media (prefers-color-scheme:dark){body{color:#e8ecf2;background:#14181f}}"
)


def _contest(card: dict[str, Any]) -> str:
    opinions = (card["verdict"] or {}).get("opinions", ())
    effects = [Effect(o["clause"], o["effect"], o["low"], o["high"], outcome=o["outcome"]) for o in opinions if o["effect"] is not None]
    title = f"{card['version']} against {card['verdict']['against']}"
    return intervals(title, effects, unit="better than the champion by") if effects else ""


def markdown(card: dict[str, Any]) -> str:
    """A card as Markdown, for people. What came from outside (names, reasons, sentences) cannot break its layout."""
    data, learner, lineage = card["data"], card["learner"], card["lineage"]
    learnt_here = data.get("learnt_here", True)  # a card of before says neither this nor of how many questions
    held = rows_said(data["held_out"], data.get("held_out_questions", 0))
    tried = (
        ("held out", f"{held} from {data['judged_from'] or _UNKNOWN}" if data["held_out"] else _UNKNOWN),
        ("not mature", f"{data['immature']:,}"),
        ("void", f"{data['void']:,}"),
    )
    sheet, took = ("Its data", "What learning it took") if learnt_here else ("The data it was tried on here", "What letting it in took")
    parts = [
        f"# {_plain(card['version'])}",
        _quoted(card["predicts"]) or "_Nobody read the model aloud._",
        "## What it learnt from",
        _rows(("rows", f"{data['rows']:,}"), ("from", data["from"]), ("until", data["until"]), *(tried if learnt_here else ())),
        *_section("## What it was tried on here", "" if learnt_here else _rows(*tried)),
        "## How it answers",
        _rows(
            ("learner", learner["name"]),
            ("parameters", _parameters(learner["parameters"])),
            ("format", learner["format"]),
            ("seed", str(learner["seed"])),
            ("answer", card["answers"]["kind"]),
            ("admitted", card["admitted_at"]),
        ),
        "It knows: " + ("; ".join(_plain(k) for k in card["knows"]) or "nothing but the unit's own past") + ".",
        "## What it had to show",
        _shown(card["verdict"]),
        *_section("## What it is worth", "\n".join(f"- {_plain(one)}" for one in card["worth"])),
        *_section(
            "## What its learner noted", _rows(*((name, f"{v:.6g}" if isinstance(v, float) else v) for name, v in card["noted"].items()))
        ),
        *_section("## What moves its answers", _rows(*((name, f"{share:.1%}") for name, share in card["moves"].items()))),
        *_section("## Answers, and what made them so", "\n".join(map(_told, card["examples"]))),
        *_section(f"## {sheet}, column by column", _sheet(card["sheet"])),
        "## Where it comes from",
        _rows(*((name.replace("_", " "), ", ".join(value) if isinstance(value, list) else value) for name, value in lineage.items())),
        f"## {took}",
        _rows(*((name.replace("_", " "), None if value is None else f"{value:,.6g}") for name, value in card["cost"].items())),
        _rows(("commit", card["code"]["commit"]), ("uncommitted", card["code"]["uncommitted"]), *card["environment"].items()),
        f"Journal head: `{card['journal_head'] or 'not anchored'}`",
    ]
    return "\n\n".join(parts) + "\n"


class Example(Protocol):
    """One answer: the columns that moved it most (name, what it held, what that added), what would be said of nobody in particular
    (``base``), what all other columns added, and the scale on which these add up."""

    @property
    def top(self) -> Sequence[tuple[str, float | str | None, float]]: ...
    @property
    def base(self) -> float: ...
    @property
    def others(self) -> float: ...
    @property
    def scale(self) -> str: ...


def _example(one: Example) -> dict[str, Any]:
    total = one.base + one.others + sum(added for _, _, added in one.top)
    top = [{"column": name, "held": held, "added": added} for name, held, added in one.top]
    return {"total": total, "base": one.base, "others": one.others, "scale": one.scale, "top": top}


def _told(one: dict[str, Any]) -> str:
    """An example in a sentence: the answer, and what each column added to it."""
    moved = [f"{_plain(c['column'])} = {_plain(_held(c['held']))} ({_number(c['added'], sign=True)})" for c in one["top"]]
    total, others = one["total"], f"; everything else {_number(one['others'], sign=True)}" if one["others"] else ""
    parts = f"of nobody in particular {_number(one['base'])}; {'; '.join(moved)}{others}"
    if one["scale"] == "answer":
        return f"- **{_number(total)}**: {parts}"
    if one["scale"] == "log":
        return f"- **{_number(math.exp(min(total, 700.0)))}**, whose logarithm is {_number(total)}: {parts}"
    return f"- **{1 / (1 + math.exp(-max(total, -700.0))):.1%}**, as log-odds {_number(total)}: {parts}"


def _held(value: float | str | None) -> str:
    return "nothing" if value is None else _number(value) if isinstance(value, float | int) else value


def _data(candidate: Candidate, training_set: TrainingSet | None) -> dict[str, Any]:
    known = training_set
    return {
        "rows": candidate.rows,
        "from": _instant(candidate.learnt_from),
        "until": _instant(candidate.learnt_until),
        "held_out": known.judge_rows if known else 0,
        "held_out_questions": known.judge_questions if known else 0,
        "judged_from": _instant(known.judge_from) if known else None,
        "judged_until": _instant(known.last_at) if known else None,
        "truths_known_at": _instant(known.truths_known_at) if known else None,
        "immature": known.immature if known else 0,
        "void": known.void if known else 0,
    }


def _cost(candidate: Candidate) -> dict[str, Any]:
    """What the step that made it took; of one from before steps were measured, what its learner took."""
    took = candidate.cost
    return {
        "seconds": candidate.seconds,
        "cpu_seconds": took.cpu_seconds if took else candidate.cpu_seconds,
        "bytes_read": took.bytes_read if took else None,
        "bytes_written": took.bytes_written if took else None,
        "money": took.money if took else None,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "against": verdict.champion,
        "by": verdict.by,
        "reason": verdict.reason,
        "opinions": [
            {
                "clause": o.clause,
                "outcome": o.outcome,
                "sentence": o.sentence,
                "measure": o.measure,
                "champion": o.champion,
                "candidate": o.candidate,
                "effect": o.effect,
                "low": o.low,
                "high": o.high,
                "rows": o.rows,
            }
            for o in verdict.opinions
        ],
    }


def interval(opinion: Opinion | dict[str, Any]) -> str:
    """An effect with its interval, as a share of the champion's value; a dash where there is none.

    >>> interval(Opinion(clause="c", outcome="passed", sentence="s", effect=0.031, low=0.012, high=0.05))
    '+3.1 % (+1.2 % to +5.0 %)'
    """
    given = opinion if isinstance(opinion, dict) else {"effect": opinion.effect, "low": opinion.low, "high": opinion.high}
    effect, low, high = (None if given[key] is None else f"{given[key]:+.1%}".replace("%", " %") for key in ("effect", "low", "high"))
    if effect is None:
        return _UNKNOWN
    return effect if low is None and high is None else f"{effect} ({low or 'unbounded'} to {high or 'unbounded'})"


def _shown(verdict: dict[str, Any] | None) -> str:
    if verdict is None:
        return "Nothing: the baseline is the floor every candidate has to beat."
    head = f"**{verdict['outcome']}**, against `{verdict['against']}`."
    if verdict["by"]:
        head += f" Let in past the gate by {_plain(verdict['by'])}: {_plain(verdict['reason'] or '')}"
    if not verdict["opinions"]:
        return head
    lines = ["| condition | outcome | champion | candidate | better by | questions |", "|---|---|--:|--:|--:|--:|"]
    for o in verdict["opinions"]:
        values = (_plain(o["clause"]), o["outcome"], _number(o["champion"]), _number(o["candidate"]), interval(o), f"{o['rows']:,}")
        lines.append("| " + " | ".join(values) + " |")
    said_aloud = "\n".join(f"- {_plain(o['sentence'])}" for o in verdict["opinions"])
    return "\n\n".join([head, "\n".join(lines), said_aloud])


def _rows(*pairs: tuple[str, Any]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {_plain(key)} | {_plain(str(value)) if value else _UNKNOWN} |" for key, value in pairs)])


def _parameters(said_: str) -> str:
    """A learner's parameters and searched settings, a pair each; as they were written where they are of another make."""
    try:
        told = json.loads(said_)
        pairs = {**told.get("parameters", {}), **told.get("settings", {})} if "identity" in told else told
    except (ValueError, AttributeError, TypeError):
        return said_
    return ", ".join(f"{name}={value}" for name, value in pairs.items())


def _section(title: str, body: str) -> tuple[str, ...]:
    return (title, body) if body.replace("|", "").replace("-", "").strip() else ()


def _sheet(columns: list[dict[str, Any]]) -> str:
    """What each column held, a row each; nothing where nothing is known."""
    lines = ["| column | kind | filled | different values | least | median | largest | commonest |", "|---|---|--:|--:|--:|--:|--:|---|"]
    for c in columns:
        most = f"{c['most'][0]} ({c['most'][1]:.1%})" if c["most"] else _UNKNOWN
        numbers = [_number(c[key]) for key in ("low", "middle", "high")]
        cells = [_plain(c["name"]), _plain(c["kind"]), f"{c['filled']:.1%}", f"{c['distinct']:,}", *numbers, _plain(most)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if columns else ""


def _quoted(text: str) -> str:
    return "\n".join(f"> {_plain(line)}".rstrip() for line in text.splitlines())


def _plain(text: str) -> str:
    """One line of text that Markdown and HTML leave alone."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`|<>\[\]])", r"\\\1", one_line)


def _number(value: float | None, *, sign: bool = False) -> str:
    return _UNKNOWN if value is None else f"{value:+,.4g}" if sign else f"{value:,.4g}"


def _instant(at: datetime | None) -> str | None:
    return None if at is None else said(at)
