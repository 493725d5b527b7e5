"""What every executor promises, as tests a backend inherits: ``class TestRay(ExecutorSuite)`` with a method ``executor``. Needs pytest."""

from __future__ import annotations

from everloop.training.executor import Executor


def squared(x: int) -> int:
    """In a module, so that an executor may send it elsewhere."""
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
