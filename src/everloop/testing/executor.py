"""What every executor promises, as tests a backend inherits: ``class TestRay(ExecutorSuite)`` with a method ``executor``. Needs pytest."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from everloop.errors import LearnerFailed
from everloop.training.executor import Executor


def squared(x: int) -> int:
    """In a module, so that an executor may send it elsewhere."""
    return x * x


def slowly_squared(folder: str, x: int) -> int:
    """Takes a second, so that there is a middle in which somebody can be killed, and leaves a byte in a file each time it is begun."""
    with (Path(folder) / f"item-{x}").open("ab") as file:
        file.write(b"x")
    time.sleep(1.0)
    return x * x


def refuses_two(x: int) -> int:
    """Raises for 2, and for everything above."""
    if x >= 2:
        raise ValueError(f"not {x}")
    return x


def measured(words: tuple[str, ...]) -> dict[str, int]:
    """The length of each word."""
    return {word: len(word) for word in words}


class ExecutorSuite:
    """``map`` over items: all of them, in their order, and what goes wrong is raised."""

    def executor(self) -> Executor:
        """The executor under test; a backend overrides this."""
        raise LookupError("Say which executor is tested: def executor(self).")

    def test_results_come_in_the_items_order(self) -> None:
        assert self.executor().map(squared, range(20)) == [x * x for x in range(20)]

    def test_no_item_gives_no_result(self) -> None:
        assert self.executor().map(squared, []) == []

    def test_items_may_come_one_by_one(self) -> None:
        assert self.executor().map(squared, iter([3, 1])) == [9, 1]

    def test_every_item_is_done_once_even_where_items_are_equal(self) -> None:
        assert self.executor().map(squared, [2, 2, 2]) == [4, 4, 4]

    def test_what_the_first_failing_item_raises_is_raised(self) -> None:
        try:
            self.executor().map(refuses_two, [0, 1, 2, 3])
        except ValueError as error:
            assert str(error) == "not 2"  # noqa: PT017 — the suite itself needs no pytest
        else:
            raise AssertionError("an item failed and nothing was raised")

    def test_records_go_there_and_back(self) -> None:
        assert self.executor().map(measured, [("a", "bc"), ()]) == [{"a": 1, "bc": 2}, {}]

    def test_an_executor_can_be_used_again(self) -> None:
        executor = self.executor()
        assert executor.map(squared, [1]) + executor.map(squared, [2]) == [1, 4]


def dies_once(folder: str, item: int) -> int:
    """Takes its process with it at item 2, the first time; the next one finds that it was begun."""
    begun = Path(folder) / f"item-{item}"
    with begun.open("ab") as file:
        file.write(b"x")
    if item == 2 and begun.stat().st_size == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def dies_always(item: int) -> int:
    """Takes its process with it at item 1, every time."""
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


class DyingSuite:
    """What an executor promises whose items are done in other processes: one that dies loses nothing, and one that always does is told."""

    def executor(self) -> Executor:
        """The executor under test; a backend overrides this."""
        raise LookupError("Say which executor is tested: def executor(self).")

    def test_a_process_killed_in_the_middle_loses_nothing(self) -> None:
        with TemporaryDirectory() as folder:
            assert self.executor().map(partial(dies_once, folder), range(6)) == [x * x for x in range(6)]
            assert (Path(folder) / "item-2").stat().st_size == 2

    def test_what_every_process_dies_of_is_told_and_the_executor_goes_on(self) -> None:
        try:
            self.executor().map(dies_always, [0, 1])
        except LearnerFailed as failed:
            assert "died with every process" in str(failed)  # noqa: PT017 — the suite itself needs no pytest
        else:
            raise AssertionError("an item killed every process and nothing was raised")
        assert self.executor().map(squared, [3]) == [9]
