"""Shopify: is what the shop says taken in, kept and told rightly; is what it is told right; does the merchant win?

``python -m bench shopify [SECTION …]``. Sections run one after the other in this order; each stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

#: Where each section is, and what gives its goals.
SECTIONS: Final = {
    "ack": ("bench.shopify_in", "ack"),
    "kills": ("bench.shopify_in", "kills"),
    "converge": ("bench.shopify_in", "converge"),
    "documents": ("bench.shopify_admin", "documents"),
    "throttle": ("bench.shopify_admin", "throttle"),
    "bulk": ("bench.shopify_admin", "bulk"),
    "front": ("bench.shopify_front", "front"),
    "hand": ("bench.shopify_hand", "hand"),
    "money": ("bench.shopify_money", "money"),
    "privacy": ("bench.shopify_privacy", "privacy"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
