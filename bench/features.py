"""Features: the proof that one definition has two readings, and what both cost, beside Feast. ``python -m bench features [SECTION …]``.

Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "exact": ("bench.features_exact", "exact"),
    "spark": ("bench.spark", "measure"),
    "lost": ("bench.features_reads", "lost"),
    "speed": ("bench.features_speed", "speed"),
    "reads": ("bench.features_reads", "reads"),
    "flow": ("bench.features_flow", "flow"),
    "kills": ("bench.features_kills", "kills"),
    "redis": ("bench.redis_kills", "measure"),
    "skew": ("bench.skew", "measure"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
