"""Gates that cannot be fooled: how often an equal candidate is let in, however often it is tried again; how often a good one is; and
whether the intervals of fairness and calibration hold what is true. Simulated, with fixed seeds; some minutes of one core.

``python -m bench gates [SECTION …]``. Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "equal": ("bench.gates_equal", "equal"),
    "reigns": ("bench.gates_equal", "reigns"),
    "power": ("bench.gates_power", "power"),
    "fair": ("bench.gates_fair", "fair"),
    "calibrated": ("bench.gates_fair", "calibrated"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
