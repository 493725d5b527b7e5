"""What every backend of the registry must be able to do, as tests to inherit.

    class TestJournalElsewhere(JournalSuite):
        def open(self, folder):
            return my_store(folder), my_journal(folder)

``open`` gives a store (its ``transaction()`` commits all or nothing) and the noun under test, empty, new for each test. Without an
``open`` of its own a suite runs on the embedded backend.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, Protocol

import pytest
from sqlalchemy import Connection

from everloop.errors import ClockWentBack, EverloopError, Overtaken, StoreError, Unknown
from everloop.records import Alert, Decision, Incident, Symptom, Traffic
from everloop.registry.errands import Errand, Errands, Verb, errand_id
from everloop.registry.incidents import Incidents
from everloop.registry.journal import Journal
from everloop.registry.keys import ApiKeys
from everloop.registry.outbox import Outbox
from everloop.registry.store import ErrandStore, IncidentStore, JournalStore, KeyStore, OutboxStore, TrafficStore, open_store
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


def incident(named: str, change: int = 1, **words: Any) -> Incident:
    """An incident as its ``change`` left it: it opened at the first hour of a Monday, and each change takes an hour.

    >>> incident("41c9", 2).id
    '41c9-2'
    """
    at = MONDAY + timedelta(hours=change)
    shown = (Symptom(clause="drifted()", kind="drift", about="price", sentence="price drifted"),)
    said: dict[str, Any] = {"id": f"{named}-{change}", "made_at": at, "cause": "change", "state": "firing", "severity": "warning"}
    said |= {"model": "demand", "symptoms": shown, "opened_at": MONDAY + timedelta(hours=1)}
    return Incident(**{"incident": named, "change": change, **said, **words})


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

    def test_a_record_knows_the_turn_that_kept_it(self, tmp_path: Path) -> None:
        store, journal = self._with(tmp_path, 1, 2)
        with store.transaction() as t:
            journal.append(t, decision(3))
        assert [journal.turn_of(id) for id in ("decision-1", "decision-2", "decision-3", "nobody")] == ["turn-1", "turn-0", None, None]

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


def errand(number: int, *, verb: Verb = "turn", model: str = "demand", cause: str = "schedule") -> Errand:
    """The wish for a turn at the ``number``-th hour of a Monday, asked in that minute.

    >>> errand(1).id == errand(1).id != errand(2).id
    True
    """
    now = MONDAY + timedelta(hours=number)
    asked_at = MONDAY + timedelta(minutes=number)
    return Errand(id=errand_id(verb, model, now, cause), verb=verb, model=model, now=now, cause=cause, asked_at=asked_at)


class ErrandSuite:
    """A wish is kept once, in the order it was asked, until somebody has said what came of it."""

    def open(self, folder: Path) -> tuple[Transactions, ErrandStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Errands(store)

    def _with(self, folder: Path, *wishes: Errand) -> tuple[Transactions, ErrandStore]:
        store, errands = self.open(folder)
        for wish in wishes:
            with store.transaction() as t:
                errands.ask(t, wish)
        return store, errands

    def test_a_wish_is_kept_as_it_was_asked(self, tmp_path: Path) -> None:
        _, errands = self._with(tmp_path, errand(1))
        assert errands.find(errand(1).id) == errand(1)
        assert errands.unfinished() == [errand(1)]
        assert errands.find("nobody") is None

    def test_the_same_wish_twice_is_one(self, tmp_path: Path) -> None:
        store, errands = self._with(tmp_path, errand(1))
        with store.transaction() as t:
            assert errands.ask(t, replace(errand(1), asked_at=MONDAY + timedelta(days=1))) == errand(1)
        assert errands.unfinished() == [errand(1)]

    def test_they_stand_in_the_order_they_were_asked_even_if_the_clock_went_back(self, tmp_path: Path) -> None:
        _, errands = self._with(tmp_path, errand(5), errand(3), errand(4, verb="score"), errand(4))
        assert [(e.verb, e.now.hour) for e in errands.unfinished()] == [("turn", 5), ("turn", 3), ("score", 4), ("turn", 4)]

    def test_an_end_is_said_once(self, tmp_path: Path) -> None:
        store, errands = self._with(tmp_path, errand(1))
        with store.transaction() as t:
            done = errands.finish(t, errand(1).id, "done", '{"answers": 1}', MONDAY)
        assert (done.state, done.said, done.done_at, done.ended) == ("done", '{"answers": 1}', MONDAY, True)
        with store.transaction() as t:
            assert errands.finish(t, errand(1).id, "done", "{}", MONDAY + timedelta(hours=1)) == done
            assert errands.ask(t, errand(1)) == done
        with pytest.raises(Overtaken, match="already ended as done"), store.transaction() as t:
            errands.finish(t, errand(1).id, "failed", "{}", MONDAY)
        assert errands.unfinished() == []

    def test_what_failed_may_be_asked_again_and_what_was_cancelled_may_not(self, tmp_path: Path) -> None:
        store, errands = self._with(tmp_path, errand(1), errand(2))
        with store.transaction() as t:
            errands.finish(t, errand(1).id, "failed", "{}", MONDAY)
            errands.finish(t, errand(2).id, "cancelled", "{}", MONDAY)
            again = errands.ask(t, errand(1))
            assert errands.ask(t, errand(2)).state == "cancelled"
        assert (again.state, again.taken, again.said, again.done_at) == ("waiting", 0, None, None)
        assert errands.unfinished() == [again]

    def test_a_wish_that_joins_is_the_one_that_waits_for_the_later_moment(self, tmp_path: Path) -> None:
        store, errands = self._with(tmp_path, errand(1), errand(1, verb="score"))
        with store.transaction() as t:
            joined = errands.ask(t, errand(4), joins=True)
            assert errands.ask(t, errand(2), joins=True) == joined
            assert errands.ask(t, errand(3, cause="demand"), joins=True).id == errand(3, cause="demand").id
            assert errands.ask(t, errand(5)).id == errand(5).id
        assert (joined.id, joined.now) == (errand(1).id, errand(4).now)
        assert [(e.verb, e.now.hour, e.cause) for e in errands.unfinished()] == [
            ("turn", 4, "schedule"), ("score", 1, "schedule"), ("turn", 3, "demand"), ("turn", 5, "schedule")
        ]  # fmt: skip

    def test_what_ended_long_ago_is_forgotten_but_the_latest_of_each_kind_stays(self, tmp_path: Path) -> None:
        wishes = [errand(1), errand(2), errand(3), errand(1, verb="score"), errand(4)]
        store, errands = self._with(tmp_path, *wishes)
        ends = {1: MONDAY, 2: MONDAY + timedelta(days=2), 3: MONDAY}
        with store.transaction() as t:
            for wish in wishes[:4]:
                errands.finish(t, wish.id, "done", "{}", ends[wish.now.hour])
            assert errands.forget(t, MONDAY + timedelta(days=1)) == 2  # the first turn and the third; one still waits after them
        assert [errands.find(wish.id) is None for wish in wishes] == [True, False, True, False, False]
        newest = errands.newest("demand", "score")
        assert newest is not None
        assert newest.id == wishes[3].id
        with store.transaction() as t:
            assert errands.forget(t, MONDAY + timedelta(days=1)) == 0

    def test_nobody_ends_what_nobody_asked(self, tmp_path: Path) -> None:
        store, errands = self._with(tmp_path)
        with pytest.raises(Unknown, match="errand"), store.transaction() as t:
            errands.finish(t, "nobody", "done", "{}", MONDAY)

    def test_the_newest_is_the_one_of_the_latest_moment(self, tmp_path: Path) -> None:
        _, errands = self._with(tmp_path, errand(3), errand(1), errand(9, cause="demand"), errand(7, model="churn"))
        newest = errands.newest("demand", "turn")
        assert newest is not None
        assert newest.now == errand(9).now
        scheduled = errands.newest("demand", "turn", cause="schedule")
        assert scheduled is not None
        assert scheduled.now == errand(3).now
        assert errands.newest("demand", "score") is None


class OutboxSuite:
    """Alerts are kept once each, wait until they end, and end once."""

    def open(self, folder: Path) -> tuple[Transactions, OutboxStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Outbox(store)

    def _with(self, folder: Path, *keys: str) -> tuple[Transactions, OutboxStore]:
        store, outbox = self.open(folder)
        for number, key in enumerate(keys):
            with store.transaction() as t:
                alert = Alert(model="demand", severity="warning", sentence=f"{key} happened", owner="ada", key=key)
                assert outbox.put(t, alert, at=MONDAY - timedelta(hours=number), head=f"{number}:abc")
        return store, outbox

    def test_what_was_put_waits_oldest_first(self, tmp_path: Path) -> None:
        _, outbox = self._with(tmp_path, "second", "first")
        assert [(k.alert.key, k.alert.owner, k.head) for k in outbox.waiting()] == [("first", "ada", "1:abc"), ("second", "ada", "0:abc")]
        assert [k.alert.key for k in outbox.all("demand", limit=1)] == ["second"]

    def test_the_same_news_is_kept_once_even_after_it_was_delivered(self, tmp_path: Path) -> None:
        store, outbox = self._with(tmp_path, "a")
        with store.transaction() as t:
            outbox.delivered(t, "a", at=MONDAY)
        with store.transaction() as t:
            assert not outbox.put(t, Alert(model="demand", severity="info", sentence="again", key="a"), at=MONDAY)
        assert outbox.waiting() == []

    def test_an_alert_ends_once(self, tmp_path: Path) -> None:
        store, outbox = self._with(tmp_path, "delivered", "ended")
        with store.transaction() as t:
            outbox.delivered(t, "delivered", at=MONDAY)
            outbox.end(t, "ended", "given up")
        with store.transaction() as t:
            outbox.delivered(t, "delivered", at=MONDAY + timedelta(days=1))
            outbox.end(t, "delivered", "unwanted")
            outbox.end(t, "ended", "unwanted")
        found = {k.alert.key: (k.delivered_at, k.ended) for k in outbox.all()}
        assert found == {"delivered": (MONDAY, None), "ended": (None, "given up")}
        assert outbox.waiting() == []

    def test_a_transaction_that_fails_puts_nothing(self, tmp_path: Path) -> None:
        store, outbox = self._with(tmp_path)
        with pytest.raises(ZeroDivisionError), store.transaction() as t:
            outbox.put(t, Alert(model="demand", severity="info", sentence="s", key="a"), at=MONDAY)
            1 / 0  # noqa: B018
        assert outbox.all() == []

    def test_what_is_not_there_does_not_end(self, tmp_path: Path) -> None:
        store, outbox = self._with(tmp_path)
        with pytest.raises(Unknown), store.transaction() as t:
            outbox.delivered(t, "nothing", at=MONDAY)
        with pytest.raises(Unknown), store.transaction() as t:
            outbox.end(t, "nothing", "given up")


class KeySuite:
    """A name is in use once, a revoked key stays revoked."""

    def open(self, folder: Path) -> tuple[Transactions, KeyStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, ApiKeys(store)

    def _with(self, folder: Path, *names: str) -> tuple[Transactions, KeyStore]:
        store, keys = self.open(folder)
        for name in names:
            with store.transaction() as t:
                keys.add(t, f"id-{name}", name, ["operate", "predict"], "d1937", now=MONDAY)
        return store, keys

    def test_what_was_added_comes_out(self, tmp_path: Path) -> None:
        _, keys = self._with(tmp_path, "till", "pager")
        assert {(k.id, k.name, k.scopes, k.digest, k.revoked) for k in keys.all()} == {
            ("id-till", "till", ("predict", "operate"), "d1937", False),
            ("id-pager", "pager", ("predict", "operate"), "d1937", False),
        }

    def test_a_name_in_use_is_refused(self, tmp_path: Path) -> None:
        store, keys = self._with(tmp_path, "till")
        with pytest.raises(EverloopError, match="till"), store.transaction() as t:
            keys.add(t, "id-2", "till", ["predict"], "d", now=MONDAY)
        assert len(keys.all()) == 1

    def test_a_revoked_key_stays_so_and_frees_its_name(self, tmp_path: Path) -> None:
        store, keys = self._with(tmp_path, "till")
        for hours in (1, 2):
            with store.transaction() as t:
                assert keys.revoke(t, "id-till", now=MONDAY + timedelta(hours=hours)).revoked_at == MONDAY + timedelta(hours=1)
        with store.transaction() as t:
            keys.add(t, "id-2", "till", ["predict"], "d", now=MONDAY)
        assert {k.id: k.revoked for k in keys.all()} == {"id-till": True, "id-2": False}

    def test_nobody_revokes_what_is_not_there(self, tmp_path: Path) -> None:
        store, keys = self._with(tmp_path, "till")
        with pytest.raises(Unknown, match="till"), store.transaction() as t:
            keys.revoke(t, "tell", now=MONDAY)


class IncidentSuite:
    """Each incident stands as its newest change left it, and a change is put in force only on top of the one before it."""

    def open(self, folder: Path) -> tuple[Transactions, IncidentStore]:
        store = open_store(f"sqlite:///{folder / 'house.db'}")
        return store, Incidents(store)

    def _with(self, folder: Path, *changes: Incident) -> tuple[Transactions, IncidentStore]:
        store, incidents = self.open(folder)
        for change in changes:
            with store.transaction() as t:
                assert incidents.move(t, change) == change
        return store, incidents

    def test_an_incident_stands_as_its_newest_change_left_it(self, tmp_path: Path) -> None:
        first, second = incident("aaaa1"), incident("aaaa1", 2, acknowledged_by="Ada")
        _, incidents = self._with(tmp_path, first, second)
        assert incidents.find("aaaa1") == second
        assert incidents.find("aaaa") is None
        assert incidents.open() == incidents.all() == [second]

    def test_the_change_that_is_in_force_again_is_no_second_one(self, tmp_path: Path) -> None:
        store, incidents = self._with(tmp_path, incident("aaaa1"), incident("aaaa1", 2))
        with store.transaction() as t:
            assert incidents.move(t, incident("aaaa1", 2)) == incident("aaaa1", 2)
        assert incidents.all() == [incident("aaaa1", 2)]

    def test_of_two_who_change_it_from_the_same_state_the_second_is_overtaken(self, tmp_path: Path) -> None:
        store, incidents = self._with(tmp_path, incident("aaaa1"), incident("aaaa1", 2, acknowledged_by="Ada"))
        for late in (incident("aaaa1", 2, id="Bob's", acknowledged_by="Bob"), incident("aaaa1", 1, id="anew"), incident("aaaa1", 4)):
            with pytest.raises(Overtaken, match="changed by somebody else"), store.transaction() as t:
                incidents.move(t, late)
        assert incidents.all() == [incident("aaaa1", 2, acknowledged_by="Ada")]

    def test_an_incident_begins_with_its_first_change(self, tmp_path: Path) -> None:
        store, incidents = self._with(tmp_path)
        with pytest.raises(Overtaken), store.transaction() as t:
            incidents.move(t, incident("aaaa1", 2))
        assert incidents.all() == []

    def test_a_change_is_the_newest_though_the_clock_was_set_back(self, tmp_path: Path) -> None:
        back = incident("aaaa1", 3, made_at=MONDAY - timedelta(days=1), acknowledged_by="Ada")
        _, incidents = self._with(tmp_path, incident("aaaa1"), incident("aaaa1", 2), back)
        assert incidents.find("aaaa1") == back
        assert incidents.open() == [back]

    def test_the_oldest_stands_first_whichever_changed_last_and_what_is_over_is_not_open(self, tmp_path: Path) -> None:
        over = incident("bbbb1", 2, state="resolved", resolved_at=MONDAY)
        _, incidents = self._with(
            tmp_path,
            incident("aaaa1"),
            incident("cccc1", opened_at=MONDAY + timedelta(hours=2)),
            incident("aaaa1", 2, made_at=MONDAY + timedelta(hours=9)),
            incident("bbbb1", model="churn"),
            over,
        )
        assert [i.incident for i in incidents.open()] == ["aaaa1", "cccc1"]
        assert incidents.open("churn") == []
        assert [i.incident for i in incidents.all()] == ["aaaa1", "bbbb1", "cccc1"]
        assert [i.incident for i in incidents.all(limit=1)] == ["aaaa1"]
        assert incidents.all("churn") == [over]
        assert [i.incident for i in incidents.all(since=MONDAY + timedelta(hours=9))] == ["aaaa1"]

    def test_the_first_letters_name_one_and_no_more(self, tmp_path: Path) -> None:
        _, incidents = self._with(tmp_path, incident("aaaa1"), incident("aaaa2"), incident("b%_c1"))
        assert incidents.named("AAAA1 ").incident == "aaaa1"
        assert incidents.named("b%_c").incident == "b%_c1"
        for text in ("aaaa", "aaa", "", "%%%%", "____", "b__c", "zzzz", "z" * 10_000):
            with pytest.raises(Unknown) as wrong:
                incidents.named(text)
            assert len(str(wrong.value)) < 200

    def test_a_transaction_that_fails_changes_nothing(self, tmp_path: Path) -> None:
        store, incidents = self._with(tmp_path, incident("aaaa1"))
        with pytest.raises(ZeroDivisionError), store.transaction() as t:
            incidents.move(t, incident("aaaa1", 2))
            assert incidents.find("aaaa1", within=t) == incident("aaaa1", 2)
            1 / 0  # noqa: B018
        assert incidents.all() == [incident("aaaa1")]

    def test_those_who_change_it_at_once_change_it_one_after_the_other(self, tmp_path: Path) -> None:
        store, incidents = self._with(tmp_path, incident("aaaa1"))
        at_once = Barrier(2)

        def acknowledge(who: str) -> None:
            at_once.wait(10)
            for _ in range(5):
                with store.transaction() as t:
                    there = incidents.named("aaaa1", within=t)
                    incidents.move(t, incident("aaaa1", there.change + 1, acknowledged_by=who))

        with ThreadPoolExecutor(2) as both:
            list(both.map(acknowledge, ("Ada", "Bob")))
        assert incidents.all()[0].change == 11
