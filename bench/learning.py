"""Learning: how near answers come to what is possible, beside simple rules and others; what it costs; is a version made again the same?

``python -m bench learning [SECTION …]``. Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "reproduce": ("bench.learning_reproduce", "reproduced"),
    "demand": ("bench.learning_demand", "demand"),
    "many": ("bench.learning_many", "many"),
    "monthly": ("bench.learning_monthly", "monthly"),
    "recommend": ("bench.learning_recommend", "recommend"),
    "register": ("bench.learning_register", "register"),
    "churn": ("bench.learning_churn", "churn"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
