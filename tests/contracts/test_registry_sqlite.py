"""The embedded backend keeps the registry's contracts, and the contracts can be broken."""

from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from everloop.registry.journal import Journal
from everloop.registry.store import Store, open_store
from everloop.registry.traffic import Pointers
from everloop.testing.registry import JournalSuite, TrafficSuite


class TestJournalOnSQLite(JournalSuite):
    pass


class TestTrafficOnSQLite(TrafficSuite):
    pass


@dataclass(frozen=True)
class CarelessStore:
    """A rival that commits what it was in the middle of."""

    store: Store

    @contextmanager
    def transaction(self):
        failed = None
        with self.store.transaction() as t:
            try:
                yield t
            except ZeroDivisionError as error:
                failed = error
        if failed:
            raise failed


class LastOneWins(Pointers):
    """A rival that moves from wherever the pointer is."""

    def move(self, connection, traffic, *, expected_generation):
        there = self.current(traffic.model, within=connection)
        if there is not None and there.generation >= traffic.generation:
            return traffic
        return super().move(connection, traffic, expected_generation=expected_generation)


def test_the_suite_rejects_a_store_that_commits_halves(tmp_path):
    class Careless(JournalSuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return CarelessStore(store), Journal(store)

    with pytest.raises(AssertionError):
        Careless().test_a_transaction_that_fails_leaves_nothing(tmp_path)


def test_the_suite_rejects_a_pointer_without_compare_and_set(tmp_path):
    class Loose(TrafficSuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return store, LastOneWins(store)

    with pytest.raises(pytest.fail.Exception):
        Loose().test_who_comes_second_is_overtaken(tmp_path)
