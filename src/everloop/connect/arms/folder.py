"""A folder with all that is needed to tell a unit's arm elsewhere. In: the traffic of each model. Out: files. Absent: clock, house.

``everloop-arm.mjs`` and ``everloop-arm.liquid`` never change; ``everloop-rollouts.json`` and, for themes, a snippet for each model say
who is being rolled out now; ``golden.json`` is for whoever writes the same in another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from everloop.clock import utc
from everloop.connect.arms.golden import golden
from everloop.connect.whole import put
from everloop.errors import EverloopError
from everloop.records import Traffic
from everloop.rollout.assign import limits

MARK: Final = "everloop export assignment"
SOURCES: Final = ("everloop-arm.mjs", "everloop-arm.liquid")
FORM: Final = 1


@dataclass(frozen=True)
class Rolled:
    """The traffic of a model, what its two versions are called, and the columns whose text is the unit."""

    traffic: Traffic
    champion: str
    candidate: str | None
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
    _refuse_foreign([folder / name for name in bodies])
    return [put(folder / name, body.encode()) for name, body in bodies.items()]


def said(rolled: Rolled) -> dict[str, Any]:
    """A roll-out as plain data: what the two programs read (``stage``, ``salt``, ``share``, ``covered``, ``given``), and what people do."""
    traffic = rolled.traffic
    covered, given = limits(traffic.share)
    program = {"stage": traffic.stage, "salt": traffic.salt, "share": traffic.share, "covered": covered, "given": given}
    people = {"champion": rolled.champion, "candidate": rolled.candidate, "unit": list(rolled.unit), "generation": traffic.generation}
    return {**program, **people, "since": utc(traffic.since).isoformat()}


def snippet(model: str, traffic: Traffic) -> str:
    """A Liquid snippet with a roll-out's values in it, to be rendered with a unit.

    Raises EverloopError for a salt that could end its quotes: a theme would run what comes after.
    """
    if not re.fullmatch(r"[\w.:-]*", traffic.salt):
        raise EverloopError(f"{model}: the salt {traffic.salt!r} cannot stand in a Liquid snippet. Letters, digits and . : - can.")
    covered, given = limits(traffic.share)
    values = f"stage: '{traffic.stage}', salt: '{traffic.salt}', covered: {covered}, given: {given}"
    whose = f"The roll-out of {model}, generation {traffic.generation}. Written by {MARK}, anew by the next one."
    return f"{{%- comment -%}} {whose} {{%- endcomment -%}}\n{{%- render 'everloop-arm', unit: unit, {values} -%}}\n"


def _refuse_foreign(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.exists() and MARK.encode() not in path.read_bytes():
            raise EverloopError(f"{path} is there already and was not written by everloop. Move it, or export to another folder.")


def _json(data: Any, indent: int | None = 2) -> str:
    # Outside ASCII everything is escaped, so that no encoding on the way can make another unit of a unit.
    return json.dumps(data, indent=indent, allow_nan=False) + "\n"
