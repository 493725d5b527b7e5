"""Hints: what may explain a change, worked out before anybody knows whether there is one. Plain values.

``loop/hints.py`` fills this in; ``causes.py`` ranks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from everloop.stats.mix import Side
from everloop.stats.shapes import Floats


@dataclass(frozen=True)
class Nearby:
    """Something that happened at an instant (aware UTC): data that came otherwise, a version that moved, a definition that was edited."""

    at: datetime
    kind: Literal["data", "version", "definition"]
    sentence: str


@dataclass(frozen=True)
class Hints:
    """``importance``: by feature, what share of what moves the champion's answers comes from it. ``quantiles``: by number feature, the
    19 quantiles (``units.LEVELS``) of the newest window. ``answers``: the champion's answers with their segments, earlier and newest.
    """

    importance: Mapping[str, float] = field(default_factory=dict)
    quantiles: Mapping[str, Floats] = field(default_factory=dict)
    nearby: tuple[Nearby, ...] = ()
    answers: tuple[Side, Side] | None = None
