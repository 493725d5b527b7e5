"""Exports: what a house costs behind each server it can be behind, and whether it answers and decides the same there.

``python -m bench exports [SECTION …]``. Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "same": ("bench.exports_hosts", "same"),
    "cost": ("bench.exports_hosts", "cost"),
    "pipelines": ("bench.exports_pipelines", "pipelines"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
