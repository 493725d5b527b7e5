"""Where many pieces of work are done: ``map`` over items, results in the items' order. Here: one after another, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Does the same thing to many items, wherever it likes; every executor passes ``everloop.testing.executor``."""

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """The results in the items' order.

        What ``fn`` raises for the first item that fails is raised here; ``fn`` and items may be pickled.
        """
        ...


class Serial:
    """One after another, in this process.

    >>> Serial().map(abs, [3, -4])
    [3, 4]
    """

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        return [fn(item) for item in items]
