"""What every backend of the registry must be able to do, as tests to inherit.

    class TestJournalElsewhere(JournalSuite):
        def open(self, folder):
            return my_store(folder), my_journal(folder)

``open`` gives a store (its ``transaction()`` commits all or nothing) and the noun under test, empty, new for each test. Without an
``open`` of its own a suite runs on the embedded backend.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Connection

from everloop.errors import ClockWentBack, Overtaken, StoreError, Unknown
from everloop.records import Decision, Traffic
from everloop.registry.journal import Journal
from everloop.registry.store import JournalStore, TrafficStore, open_store
from everloop.registry.traffic import Pointers

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


class Transactions(Protocol):
    """What a backend's store must offer: one commit, all or nothing."""

    def transaction(self) -> AbstractContextManager[Connection]: ...


def decision(number: int, *, model: str = "demand", **words: Any) -> Decision:
    """A small record to journal: the ``number``-th hour of a Monday.

    >>> decision(3).id
    'decision-3'
    """
    said: dict[str, Any] = {"action": "hold", "because": ("nothing fired",), "cause": "schedule"} | words
    return Decision(**{"id": f"decision-{number}", "made_at": MONDAY + timedelta(hours=number), "model": model, **said})


def traffic(generation: int, *, model: str = "demand", champion: str = "v0", **words: Any) -> Traffic:
    """A steady traffic of this generation.

    >>> traffic(2).champion
    'v0'
    """
    at = MONDAY + timedelta(hours=generation)
    said: dict[str, Any] = {"id": f"{model}-{champion}-{generation}", "made_at": at, "since": at, "stage": "steady"}
    return Traffic(**{"model": model, "champion": champion, "generation": generation, **said, **words})


class JournalSuite:
    """A journal keeps what it was given, in order, once; and can prove it."""

    def open(self, folder: Path) -> tuple[Transactions, JournalStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Journal(store)

    def _with(self, folder: Path, *numbers: int) -> tuple[Transactions, JournalStore]:
        store, journal = self.open(folder)
        for number in numbers:
            with store.transaction() as t:
                journal.append(t, decision(number), turn=f"turn-{number % 2}", verb="decide")
        return store, journal

    def test_what_went_in_comes_out(self, tmp_path: Path) -> None:
        _, journal = self._with(tmp_path, 1, 2)
        assert journal.get("decision-2") == decision(2)
        assert [e.record for e in journal.read()] == [decision(1), decision(2)]
        assert [(e.seq, e.turn, e.verb, e.kind) for e in journal.read(limit=1)] == [(1, "turn-1", "decide", "Decision")]

    def test_what_is_not_there_is_unknown(self, tmp_path: Path) -> None:
        _, journal = self._with(tmp_path)
        assert journal.find("nobody") is None
        with pytest.raises(Unknown, match="nobody"):
            journal.get("nobody")

    def test_the_same_record_again_is_no_second_record(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1, 2)
        before = journal.head()
        with store.transaction() as t:
            assert journal.append(t, decision(1)) == decision(1)
        assert journal.head() == before

    def test_another_record_of_the_same_id_is_refused(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1)
        with pytest.raises(StoreError, match="never rewritten"), store.transaction() as t:
            journal.append(t, decision(1, cause="drift"))
        assert journal.get("decision-1") == decision(1)

    def test_a_transaction_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1)
        before = journal.head()
        with pytest.raises(ZeroDivisionError), store.transaction() as t:
            journal.append(t, decision(2))
            1 / 0  # noqa: B018
        assert journal.head() == before == journal.verify()

    def test_an_open_transaction_sees_what_it_wrote(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path)
        with store.transaction() as t:
            journal.append(t, decision(1))
            assert journal.find("decision-1", within=t) == decision(1)
            assert journal.head(within=t).seq == 1

    def test_filters_narrow(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1, 2, 3)
        with store.transaction() as t:
            journal.append(t, traffic(4, model="churn"))

        def ids(**words: Any) -> list[str]:
            return [e.record.id for e in journal.read(**words)]

        assert ids(model="demand", kind=("Decision", "Traffic")) == ["decision-1", "decision-2", "decision-3"]
        assert ids(kind="Traffic") == ["churn-v0-4"]
        assert ids(turn="turn-0") == ["decision-2"]
        assert ids(since=decision(2).made_at, until=decision(3).made_at) == ["decision-2", "decision-3"]
        assert ids(newest_first=True, limit=2) == ["churn-v0-4", "decision-3"]

    def test_time_runs_forwards(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 5)
        with pytest.raises(ClockWentBack, match="clock"), store.transaction() as t:
            journal.append(t, decision(4))
        with store.transaction() as t:
            journal.append(t, decision(4), back=timedelta(hours=1))
        assert journal.verify().seq == 2

    def test_a_turn_that_others_overtook_goes_on(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1, 5)
        with store.transaction() as t:
            journal.append(t, decision(2), turn="turn-1")
        with pytest.raises(ClockWentBack), store.transaction() as t:
            journal.append(t, decision(3), turn="turn-of-its-own")

    def test_a_head_proves_the_journal_until_there(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1, 2)
        anchor = journal.head()
        with store.transaction() as t:
            journal.append(t, decision(3))
        assert anchor.seq == 2
        assert journal.verify(anchor) == journal.verify() == journal.head()
        assert journal.head().seq == 3


class TrafficSuite:
    """A pointer moves only from where its mover saw it."""

    def open(self, folder: Path) -> tuple[Transactions, TrafficStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Pointers(store)

    def _at(self, folder: Path, generation: int) -> tuple[Transactions, TrafficStore]:
        store, pointers = self.open(folder)
        for number in range(1, generation + 1):
            with store.transaction() as t:
                pointers.move(t, traffic(number), expected_generation=number - 1)
        return store, pointers

    def test_a_model_begins_without_traffic(self, tmp_path: Path) -> None:
        _, pointers = self._at(tmp_path, 0)
        assert pointers.current("demand") is None
        assert pointers.all() == {}

    def test_the_pointer_moves_a_generation_at_a_time(self, tmp_path: Path) -> None:
        _, pointers = self._at(tmp_path, 3)
        assert pointers.current("demand") == traffic(3)
        assert pointers.current("churn") is None

    def test_who_comes_second_is_overtaken(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 2)
        with pytest.raises(Overtaken, match="generation 2"), store.transaction() as t:
            pointers.move(t, traffic(2, champion="v9"), expected_generation=1)
        assert pointers.current("demand") == traffic(2)

    def test_nobody_begins_a_model_twice(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 1)
        with pytest.raises(Overtaken), store.transaction() as t:
            pointers.move(t, traffic(1, champion="v9"), expected_generation=0)

    def test_nothing_moves_from_a_generation_that_never_was(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 0)
        with pytest.raises(Overtaken), store.transaction() as t:
            pointers.move(t, traffic(8), expected_generation=7)

    def test_the_same_move_again_is_a_no_op(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 2)
        with store.transaction() as t:
            assert pointers.move(t, traffic(2), expected_generation=1) == traffic(2)
        assert pointers.current("demand") == traffic(2)

    def test_generations_do_not_jump(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 1)
        with pytest.raises(StoreError, match="does not follow"), store.transaction() as t:
            pointers.move(t, traffic(3), expected_generation=1)

    def test_a_move_that_is_undone_by_its_transaction_did_not_happen(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 1)
        with pytest.raises(ZeroDivisionError), store.transaction() as t:
            pointers.move(t, traffic(2), expected_generation=1)
            1 / 0  # noqa: B018
        assert pointers.current("demand") == traffic(1)

    def test_models_do_not_mind_one_another(self, tmp_path: Path) -> None:
        store, pointers = self._at(tmp_path, 2)
        with store.transaction() as t:
            pointers.move(t, traffic(1, model="churn"), expected_generation=0)
        assert {name: found.generation for name, found in pointers.all().items()} == {"churn": 1, "demand": 2}
