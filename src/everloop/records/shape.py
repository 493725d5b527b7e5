"""What an answer looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["number", "chance", "shares", "quantiles", "ranking"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an answer looks like. ``labels`` for chances and shares, ``levels`` and ``steps`` for quantiles, ``most`` for rankings."""

    kind: Kind
    labels: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()
    steps: int = 1
    most: int = 0
    yes_above: float | None = None
