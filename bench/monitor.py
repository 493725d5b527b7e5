"""Watching: are the distances right, how cheap is a profile, does the alarm rule keep still where nothing happened, and speak where
something did? Are estimates and late truths right, and is the right thing done about fourteen troubles?

``python -m bench monitor [SECTION …]``. Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "parity": ("bench.monitor_parity", "parity"),
    "merge": ("bench.monitor_parity", "merge"),
    "outlier": ("bench.monitor_parity", "outlier"),
    "speed": ("bench.monitor_speed", "speed"),
    "files": ("bench.monitor_speed", "files"),
    "alarms": ("bench.monitor_alarms", "alarms"),
    "delay": ("bench.monitor_alarms", "delay"),
    "nannyml": ("bench.monitor_truth", "nannyml"),
    "concept": ("bench.monitor_truth", "drift"),
    "shift": ("bench.monitor_shift", "shift"),
    "late": ("bench.monitor_truth_late", "late"),
    "join": ("bench.monitor_truth", "join"),
    "troubles": ("bench.monitor_faults", "measure"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
