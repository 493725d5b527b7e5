"""The console: is the first page quick where a house is large, does a page load no more than it shows, can everybody read it, and do pages
slow answers?

``python -m bench console [SECTION …]``: ``pages`` asks every page of a house of 1,000 models, 100,000 runs and a million records; ``axe``
looks over every page with axe-core, light and dark, on a desk and on a phone; ``answers`` asks for pages beside a steady stream of
questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from bench.goal import Goal

SECTIONS: Final = {
    "pages": ("bench.console_pages", "pages"),
    "axe": ("bench.console_axe", "axe"),
    "answers": ("bench.console_answers", "answers"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()
