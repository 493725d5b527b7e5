"""Every executor passes the suite; one that forgets the order or swallows an error does not."""

from __future__ import annotations

import pytest

from everloop.testing.executor import ExecutorSuite
from everloop.training.executor import Serial


class TestSerial(ExecutorSuite):
    def executor(self):
        return Serial()


class Backwards(Serial):
    def map(self, fn, items):
        return super().map(fn, items)[::-1]


class Swallows(Serial):
    def map(self, fn, items):
        found = []
        for item in items:
            try:
                found.append(fn(item))
            except ValueError:
                found.append(None)
        return found


class Distinct(Serial):
    def map(self, fn, items):
        return super().map(fn, dict.fromkeys(items))


@pytest.mark.parametrize("mutant", [Backwards, Swallows, Distinct])
def test_an_executor_that_breaks_a_promise_does_not_pass(mutant):
    class Suite(ExecutorSuite):
        def executor(self):
            return mutant()

    tests = [getattr(Suite(), name) for name in dir(Suite) if name.startswith("test_")]
    failed = 0
    for test in tests:
        try:
            test()
        except AssertionError:
            failed += 1
    assert failed
