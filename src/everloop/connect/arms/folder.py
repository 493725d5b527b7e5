"""A folder with all that is needed to tell a unit's arm elsewhere. In: the traffic of each model. Out: files. Absent: clock, house.

``everloop-arm.mjs`` and ``everloop-arm.liquid`` never change; ``everloop-rollouts.json`` and, for themes, a snippet for each model say
who is being rolled out now; ``golden.json`` is for whoever writes the same in another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from everloop.clock import utc
from everloop.connect.arms.golden import golden
from everloop.connect.whole import put_own
from everloop.errors import EverloopError
from everloop.records import Traffic
from everloop.rollout.assign import control_salt, limit, limits, told_arms

MARK: Final = "everloop export assignment"
SOURCES: Final = ("everloop-arm.mjs", "everloop-arm.liquid")
FORM: Final = 1


@dataclass(frozen=True)
class Rolled:
    """The traffic of a model, what its versions are called, and the columns whose text is the unit."""

    traffic: Traffic
    champion: str
    candidate: str | None  # of several candidates all of them, one after the other
    unit: tuple[str, ...]


def write(folder: Path, rolled: Mapping[str, Rolled]) -> list[Path]:
    """Write everything for these models; the paths written, those that never change first.

    Each file is there whole or not at all. Where one is there that was not written by this, nothing is written. Raises EverloopError.
    """
    bodies = {name: files(__package__).joinpath(name).read_text("utf-8") for name in SOURCES}
    bodies["golden.json"] = _json({"written_by": MARK, **golden()}, indent=None)
    for model, one in rolled.items():
        bodies[f"everloop-arm-{model}.liquid"] = snippet(model, one.traffic)
    bodies["everloop-rollouts.json"] = _json(
        {"written_by": MARK, "form": FORM, "models": {name: said(one) for name, one in rolled.items()}}
    )
    return put_own(folder, bodies, MARK)


def said(rolled: Rolled) -> dict[str, Any]:
    """A roll-out as plain data: what the two programs read (``stage``, ``salt``, ``share``, ``covered``, ``given``, ``control``,
    ``controlSalt``, ``kept``, ``candidates``), and what people do."""
    traffic = rolled.traffic
    people = {"champion": rolled.champion, "candidate": rolled.candidate, "unit": list(rolled.unit), "generation": traffic.generation}
    return {**assignment(traffic), **people, "since": utc(traffic.since).isoformat()}


def assignment(traffic: Traffic) -> dict[str, Any]:
    """What a program reads to tell which arm a unit gets, and nothing else."""
    covered, given = limits(traffic.share)
    told = {"stage": traffic.stage, "salt": traffic.salt, "share": traffic.share, "covered": covered, "given": given}
    told |= {"control": traffic.control, "controlSalt": control_salt(traffic.model), "kept": limit(traffic.control)}
    return told | {"candidates": list(told_arms(traffic))}


def snippet(model: str, traffic: Traffic) -> str:
    """A Liquid snippet with a roll-out's values in it, to be rendered with a unit.

    Raises EverloopError for a salt that could end its quotes: a theme would run what comes after.
    """
    for salt in (traffic.salt, control_salt(traffic.model)):
        if not re.fullmatch(r"[\w.:-]*", salt):
            raise EverloopError(f"{model}: the salt {salt!r} cannot stand in a Liquid snippet. Letters, digits and . : - can.")
    covered, given = limits(traffic.share)
    values = f"stage: '{traffic.stage}', salt: '{traffic.salt}', covered: {covered}, given: {given}"
    values += f", control_salt: '{control_salt(traffic.model)}', kept: {limit(traffic.control)}" if traffic.control else ""
    whose = f"The roll-out of {model}, generation {traffic.generation}. Written by {MARK}, anew by the next one."
    values += f", candidates: '{','.join(told_arms(traffic))}'" if traffic.arms else ""
    return f"{{%- comment -%}} {whose} {{%- endcomment -%}}\n{{%- render 'everloop-arm', unit: unit, {values} -%}}\n"


def _json(data: Any, indent: int | None = 2) -> str:
    # Outside ASCII everything is escaped, so that no encoding on the way can make another unit of a unit.
    return json.dumps(data, indent=indent, allow_nan=False) + "\n"
