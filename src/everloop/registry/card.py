"""The model card: what a version predicts, what it learnt from, what it had to beat and by how much it did.

In: records. Out: data, or Markdown. No clock, no disk. The card names the journal's head, so a card kept elsewhere anchors the journal.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from everloop.clock import said
from everloop.records import Candidate, Opinion, TrainingSet, Verdict, Version

_UNKNOWN = "—"


def card(
    version: Version, candidate: Candidate, verdict: Verdict | None, training_set: TrainingSet | None, *, explained: str, head: str = ""
) -> dict[str, Any]:
    """A version's card as plain data. ``explained`` is the model read aloud; a baseline has neither verdict nor training set."""
    return {
        "version": version.name,
        "admitted_at": _instant(version.made_at),
        "predicts": explained.strip(),
        "answers": {"kind": candidate.shape.kind, "labels": list(candidate.shape.labels), "levels": list(candidate.shape.levels)},
        "learner": {"name": candidate.learner, "parameters": candidate.parameters, "format": candidate.format, "seed": candidate.seed},
        "knows": list(candidate.knows or candidate.columns),
        "data": _data(candidate, training_set),
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


def markdown(card: dict[str, Any]) -> str:
    """A card as Markdown, for people. What came from outside (names, reasons, sentences) cannot break its layout."""
    data, learner, lineage = card["data"], card["learner"], card["lineage"]
    parts = [
        f"# {_plain(card['version'])}",
        _quoted(card["predicts"]) or "_Nobody read the model aloud._",
        "## What it learnt from",
        _rows(
            ("rows", f"{data['rows']:,}"),
            ("from", data["from"]),
            ("until", data["until"]),
            ("held out", f"{data['held_out']:,} questions from {data['judged_from'] or _UNKNOWN}" if data["held_out"] else _UNKNOWN),
            ("not mature", f"{data['immature']:,}"),
            ("void", f"{data['void']:,}"),
        ),
        "## How it answers",
        _rows(
            ("learner", learner["name"]),
            ("parameters", learner["parameters"]),
            ("format", learner["format"]),
            ("seed", str(learner["seed"])),
            ("answer", card["answers"]["kind"]),
            ("admitted", card["admitted_at"]),
        ),
        "It knows: " + ("; ".join(_plain(k) for k in card["knows"]) or "nothing but the unit's own past") + ".",
        "## What it had to show",
        _shown(card["verdict"]),
        "## Where it comes from",
        _rows(*((name.replace("_", " "), ", ".join(value) if isinstance(value, list) else value) for name, value in lineage.items())),
        "## What learning it took",
        _rows(*((name.replace("_", " "), None if value is None else f"{value:,.6g}") for name, value in card["cost"].items())),
        _rows(("commit", card["code"]["commit"]), ("uncommitted", card["code"]["uncommitted"]), *card["environment"].items()),
        f"Journal head: `{card['journal_head'] or 'not anchored'}`",
    ]
    return "\n\n".join(parts) + "\n"


def _data(candidate: Candidate, training_set: TrainingSet | None) -> dict[str, Any]:
    known = training_set
    return {
        "rows": candidate.rows,
        "from": _instant(candidate.learnt_from),
        "until": _instant(candidate.learnt_until),
        "held_out": known.judge_rows if known else 0,
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


def _quoted(text: str) -> str:
    return "\n".join(f"> {_plain(line)}".rstrip() for line in text.splitlines())


def _plain(text: str) -> str:
    """One line of text that Markdown and HTML leave alone."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`|<>\[\]])", r"\\\1", one_line)


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:,.4g}"


def _instant(at: datetime | None) -> str | None:
    return None if at is None else said(at)
