"""Beyond one machine: what the deaths of workers leave, who may do what, the same everywhere, and what all that costs.

``python -m bench workers [SECTION …]``. Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "matrix": ("bench.workers_kills", "matrix"),
    "failover": ("bench.workers_kills", "failover"),
    "zombie": ("bench.workers_kills", "zombie"),
    "storm": ("bench.workers_storm", "storm"),
    "ticks": ("bench.workers_storm", "ticks"),
    "changed": ("bench.workers_storm", "changed"),
    "cancelled": ("bench.workers_storm", "cancelled"),
    "overhead": ("bench.workers_cost", "overhead"),
    "same": ("bench.workers_same", "same"),
    "postgres": ("bench.workers_postgres", "postgres"),
    "scale": ("bench.workers_scale", "scale"),
    "big": ("bench.workers_big", "big"),
    "redis_batch": ("bench.workers_big", "redis_batch"),
    "joined": ("bench.workers_big", "joined"),
    "traces": ("bench.workers_traces", "traces"),
    "scrapes": ("bench.workers_traces", "scrapes"),
    "backups": ("bench.workers_backup", "backups"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
