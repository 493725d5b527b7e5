"""One goal with its figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """``value`` measured against ``goal`` in ``unit``; ``ok`` says whether it is reached. ``beside`` holds peers' or floors' figures."""

    name: str
    value: float
    goal: float
    unit: str
    ok: bool
    beside: str = ""

    def __str__(self) -> str:
        mark = "ok    " if self.ok else "MISSED"
        beside = f"; {self.beside}" if self.beside else ""
        return f"{mark} {self.name:<58} {self.value:>12,.4g} {self.unit:<10} (goal {self.goal:,.4g}{beside})"


def at_most(name: str, value: float, goal: float, unit: str, beside: str = "") -> Goal:
    """A goal reached from above."""
    return Goal(name, value, goal, unit, value <= goal, beside)


def at_least(name: str, value: float, goal: float, unit: str, beside: str = "") -> Goal:
    """A goal reached from below."""
    return Goal(name, value, goal, unit, value >= goal, beside)
