"""Serving: what an answer costs with everything on, beside other servers; and what swaps, overload and shadows do to it.

``python -m bench serving [SECTION …]``. Sections run one after the other in this order; each stands alone. The time to a first answer and
the memory of an idle worker are ``bench.world``'s, and not measured twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "rivals": ("bench.serving_rivals", "rivals"),
    "tail": ("bench.serving_rivals", "tail"),
    "swaps": ("bench.serving_swaps", "swaps"),
    "overload": ("bench.serving_limits", "overload"),
    "tax": ("bench.serving_limits", "tax"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
