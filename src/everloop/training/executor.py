"""Where many pieces of work are done: ``map`` over items, results in the items' order. Here: what that is, and one after another here.

``processes.py`` does them in processes of this machine, ``connect/ray.py`` and ``connect/dask.py`` on others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Does the same thing to many items, wherever it likes; every executor passes ``everloop.testing.executor``."""

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """The results in the items' order.

        What ``fn`` raises for the first item that fails is raised here; ``fn`` and items may be pickled. An item may be done more than
        once where a process died in the middle of it, but its result is there once.
        """
        ...


class Serial:
    """One after another, in this process.

    >>> Serial().map(abs, [3, -4])
    [3, 4]
    """

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        return [fn(item) for item in items]


def map_in_batches(executor: Executor, fn: Callable[[Item], Result], items: Sequence[Item], size: int) -> list[Result]:
    """As ``executor.map``, so many items in each piece of work: what takes milliseconds is not worth a journey of its own.

    >>> map_in_batches(Serial(), abs, [3, -4, 5], 2)
    [3, 4, 5]
    """
    batches = [items[at : at + size] for at in range(0, len(items), size)]
    return [result for batch in executor.map(partial(_each, fn), batches) for result in batch]


def here() -> Executor:
    """The executor of the work under way: learners of many models spread them over it. ``Serial`` unless ``doing`` says otherwise."""
    return _HERE.get() or Serial()


@contextmanager
def doing(executor: Executor) -> Iterator[None]:
    """Let what is done meanwhile, in this thread, use an executor.

    >>> with doing(Serial()):
    ...     here().map(abs, [-1])
    [1]
    """
    before = _HERE.set(executor)
    try:
        yield
    finally:
        _HERE.reset(before)


_HERE: ContextVar[Executor | None] = ContextVar("executor", default=None)


def _each(fn: Callable[[Item], Result], batch: Sequence[Item]) -> list[Result]:
    return [fn(item) for item in batch]
