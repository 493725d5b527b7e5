"""The merchant's flag: what one metaobject of a model says, and what it should say. Pure; ``hand.py`` carries it between shop and house.

A merchant edits three fields: ``kill_switch``, ``canary_percent`` (blank: as the plan says) and ``answer`` (such as *yes 3f2a91*). The
others are written by us, and read by people alone. A field that is missing or says what it cannot mean leaves what is in force as it is,
and ``status`` says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from everloop.connect.shopify.house import Row

TYPE: Final = "$app:model_flag"
"""The app's own type of metaobject; its definition is in the app's TOML."""
EDITED: Final = ("kill_switch", "canary_percent", "answer")
WRITTEN: Final = ("model", "champion", "candidate", "stage", "waiting", "status")
BLANK: Final = {"kill_switch": "false", "canary_percent": "", "answer": ""}
"""What a new flag says before anybody said anything."""
CODE: Final = 6
"""So many letters of a question's id name it in an answer: whoever said yes to one has not said yes to the next."""
_PERCENT = re.compile(r"[0-9]{1,9}(\.0+)?")
_ANSWER = re.compile(rf"(yes|no)[ ,:]*([0-9a-f]{{{CODE},64}})", re.IGNORECASE)
_SWITCH: Final = {"true": True, "false": False, "": False}
ASKED: Final = {"undo": "Take it back?", "promote": "Let the candidate begin its roll-out?", "retrain": "Learn a new candidate?"}


@dataclass(frozen=True)
class Flag:
    """One flag as the shop has it; the handle is the model's (``handle_of``). ``updated_at`` as Shopify says it (UTC, to the second)."""

    handle: str
    updated_at: str
    fields: Mapping[str, str | None]


@dataclass(frozen=True)
class Words:
    """What a merchant says: ``kill``, ``percent`` of the units a canary's candidate answers (None: as the plan says), an ``answer`` as
    written with yes or no and to which question; and each complaint about what was not taken."""

    kill: bool
    percent: int | None
    answer: str = ""
    yes: bool = False
    code: str = ""
    complaints: tuple[str, ...] = ()


def flag_of(node: Row) -> Flag:
    """A flag out of a node of the Admin API, or the payload of a webhook about metaobjects.

    >>> flag_of({"handle": "recs", "updated_at": "2026-11-02T09:30:00Z", "fields": {"kill_switch": True, "canary_percent": 10}}).fields
    {'kill_switch': 'true', 'canary_percent': '10'}
    >>> flag_of({"handle": "recs", "updatedAt": "2026-11-02T09:30:00Z", "fields": [{"key": "answer", "value": None}]}).fields
    {'answer': None}
    """
    said = node.get("fields")
    if isinstance(said, Mapping):
        pairs = dict(said)
    else:
        pairs = {str(one["key"]): one.get("value") for one in said or () if isinstance(one, Mapping) and "key" in one}
    fields = {str(key): None if value is None else _text(value) for key, value in pairs.items()}
    return Flag(str(node.get("handle") or ""), str(node.get("updatedAt") or node.get("updated_at") or ""), fields)


def handle_of(model: str) -> str:
    """The handle of a model's flag.

    >>> handle_of("Bought_together")
    'bought-together'
    """
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")


def nobody(handle: str, models: Sequence[str]) -> str:
    """What a flag of no model is told."""
    return f"The house has no model {handle}, so this flag does nothing. It has: {', '.join(models) or 'none'}."


def words_of(flag: Flag, *, kill: bool = False, percent: int | None = None) -> Words:
    """What a flag says; what it does not say, or not so that it can be meant, is as it was (``kill``, ``percent``).

    >>> words_of(Flag("recs", "", {"kill_switch": "false", "canary_percent": "140", "answer": ""}), percent=10)
    Words(kill=False, percent=10, answer='', yes=False, code='', complaints=('canary_percent says 140, which is no whole number from 1 to \
100; leave it empty for the share of the plan. It stays at 10.',))
    """
    complaints = [f"The flag has no field {name}: what it was stays so." for name in EDITED if name not in flag.fields]
    switch = (flag.fields.get("kill_switch") or "").strip().lower()
    if "kill_switch" in flag.fields and switch not in _SWITCH:
        complaints.append(f"kill_switch says {_short(switch)}, which is neither true nor false. It stays {'on' if kill else 'off'}.")
    on = _SWITCH.get(switch, kill) if "kill_switch" in flag.fields else kill
    share, wrong = _percent(flag, percent)
    answer = (flag.fields.get("answer") or "").strip()
    said = _ANSWER.fullmatch(answer)
    if answer and said is None:
        wrong.append(f"answer says {_short(answer)}. Say yes or no with the code that stands in waiting, such as: yes 3f2a91.")
    yes, code = (said[1].lower() == "yes", said[2].lower()) if said else (False, "")
    return Words(on, share, answer, yes, code, (*complaints, *wrong))


def _percent(flag: Flag, before: int | None) -> tuple[int | None, list[str]]:
    if "canary_percent" not in flag.fields:
        return before, []
    text = (flag.fields["canary_percent"] or "").strip().removesuffix("%").strip()
    if not text:
        return None, []
    if _PERCENT.fullmatch(text) and 1 <= int(float(text)) <= 100:
        return int(float(text)), []
    stays = f"at {before}" if before is not None else "as the plan says"
    nobody = " To take the candidate from everybody, switch kill_switch on." if _PERCENT.fullmatch(text) and not int(float(text)) else ""
    what = f"canary_percent says {_short(text)}, which is no whole number from 1 to 100; leave it empty for the share of the plan."
    return before, [f"{what} It stays {stays}.{nobody}"]


def shown(standing: Row, words: Words, notes: tuple[str, ...] = ()) -> dict[str, str]:
    """What the written fields of a model's flag should say, by how it stands (a row of ``GET /v1/status``).

    >>> stands = {"model": "recs", "champion": "recs@3", "candidate": "recs@4", "stage": "canary", "share": 0.1, "waiting": None}
    >>> shown(stands, Words(False, 10))["status"]
    'recs@3 answers; canary: recs@4 answers 10 %.'
    """
    model, champion, candidate = standing["model"], standing.get("champion") or "", standing.get("candidate") or ""
    stage, share = standing.get("stage") or "steady", float(standing.get("share") or 0)
    stands = f"{champion} answers" if champion else f"{model} has not begun"
    if stage == "canary":
        stands += f"; canary: {candidate} answers {100 * share:.4g} %"
    elif stage != "steady":
        stands += f"; {stage}{f' of {candidate}' if candidate else ''}"
    lines = [f"{stands}."]
    if standing.get("held"):
        lines.append(f"Held by {standing['held']}: nothing is rolled out until kill_switch is switched off.")
    if standing.get("by_hand"):
        lines.append(f"The share was set by {standing['by_hand']}.")
    if words.percent is not None and stage != "canary":
        lines.append(
            f"{words.percent} % is for the next canary; {'no candidate is in one now' if stage == 'steady' else 'it is not there yet'}."
        )
    return {
        "model": str(model),
        "champion": str(champion),
        "candidate": str(candidate),
        "stage": str(stage),
        "waiting": asked(standing),
        "status": "\n".join([*lines, *(f"Not taken: {one}" for one in words.complaints), *notes]),
    }


def asked(standing: Row) -> str:
    """The question a model waits with, and how to answer it; empty where it waits for nobody.

    >>> asked({"waiting": "promote", "question": "3f2a91c4d0"})
    'Let the candidate begin its roll-out? Write into answer: yes 3f2a91, or: no 3f2a91'
    """
    action, question = standing.get("waiting"), standing.get("question")
    if not action or not question:
        return ""
    code = str(question)[:CODE]
    return f"{ASKED.get(str(action), f'May it {action}?')} Write into answer: yes {code}, or: no {code}"


def differing(flag: Flag | None, wanted: Mapping[str, str]) -> dict[str, str]:
    """Of what the fields should say that which they do not; blank and missing are alike.

    >>> differing(Flag("recs", "", {"stage": "steady", "waiting": None}), {"stage": "canary", "waiting": ""})
    {'stage': 'canary'}
    """
    there = flag.fields if flag is not None else {}
    return {key: value for key, value in wanted.items() if (there.get(key) or "") != value}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}…") if not text.isdigit() else text[:40]
