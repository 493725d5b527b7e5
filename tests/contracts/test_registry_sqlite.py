"""The embedded backend keeps the registry's contracts, and the contracts can be broken."""

from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from everloop.clock import microseconds
from everloop.errors import Overtaken
from everloop.registry.claims import Claims
from everloop.registry.errands import ERRANDS, Errands
from everloop.registry.incidents import INCIDENTS, Incidents
from everloop.registry.journal import Journal
from everloop.registry.keys import KEYS, ApiKeys
from everloop.registry.outbox import ALERTS, Outbox
from everloop.registry.store import Store, open_store
from everloop.registry.traffic import Pointers
from everloop.registry.written import written
from everloop.testing.claims import ClaimSuite
from everloop.testing.registry import ErrandSuite, IncidentSuite, JournalSuite, KeySuite, OutboxSuite, TrafficSuite
from everloop.testing.runs import RunSuite


class TestJournalOnSQLite(JournalSuite):
    pass


class TestTrafficOnSQLite(TrafficSuite):
    pass


class TestErrandsOnSQLite(ErrandSuite):
    pass


class TestClaimsOnSQLite(ClaimSuite):
    pass


class TestOutboxOnSQLite(OutboxSuite):
    pass


class TestKeysOnSQLite(KeySuite):
    pass


class TestIncidentsOnSQLite(IncidentSuite):
    pass


class TestRunsOnSQLite(RunSuite):
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


class ByTheClock(Errands):
    """A rival that believes the clock: what was asked after it was set back comes first."""

    def unfinished(self, *, within=None):
        return sorted(super().unfinished(within=within), key=lambda e: e.now)


class AsksAgain(Errands):
    """A rival that does again what was done."""

    def ask(self, connection, errand, *, joins=False):
        connection.exec_driver_sql("UPDATE errands SET state = 'failed'")
        return super().ask(connection, errand, joins=joins)


class AlwaysAnother(Errands):
    """A rival to whom every wish is one of its own: a thousand of them are a thousand turns."""

    def ask(self, connection, errand, *, joins=False):
        return super().ask(connection, errand)


class ForgetsAll(Errands):
    """A rival that forgets whatever is old, the latest of its kind too."""

    def forget(self, connection, before):
        return connection.execute(ERRANDS.delete().where(ERRANDS.c.done_at < microseconds(before))).rowcount


@pytest.mark.parametrize(
    ("rival", "test"),
    [
        (ByTheClock, "test_they_stand_in_the_order_they_were_asked_even_if_the_clock_went_back"),
        (AsksAgain, "test_the_same_wish_twice_is_one"),
        (AsksAgain, "test_an_end_is_said_once"),
        (AlwaysAnother, "test_a_wish_that_joins_is_the_one_that_waits_for_the_later_moment"),
        (ForgetsAll, "test_what_ended_long_ago_is_forgotten_but_the_latest_of_each_kind_stays"),
    ],
)
def test_the_suite_rejects_errands_out_of_order_or_twice(tmp_path, rival, test):
    class Careless(ErrandSuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return store, rival(store)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Careless(), test)(tmp_path)


class TakesWhatIsOpen(Claims):
    """A rival that looks at errands and not at their models."""

    def take(self, connection, worker, *, most, heavy=None, passing=()):
        ids = [e.id for e in Errands(self.store).unfinished(within=connection) if e.state == "waiting"][:most]
        connection.execute(ERRANDS.update().where(ERRANDS.c.id.in_(ids)).values(state="taken", taken=1, holder=worker, fence=1))
        return self.held(worker, within=connection)


class DeadKeepTheirPlaces(Claims):
    """A rival, as queues often are: what a dead worker had begun is in work for ever."""

    def take_over(self, connection, worker):
        return []


class FencedByNameAlone(Claims):
    """A rival that asks who has an errand, and not since when."""

    def check(self, connection, claim):
        there = Errands(self.store).find(claim.id, within=connection)
        if there is None or there.holder != claim.holder:
            raise Overtaken(f"{claim.id} waits for another.")


@pytest.mark.parametrize(
    ("rival", "test"),
    [
        (TakesWhatIsOpen, "test_of_many_workers_each_gets_another_model_in_the_order_they_were_asked"),
        (TakesWhatIsOpen, "test_no_more_turns_than_the_house_allows_and_scores_beside_them"),
        (TakesWhatIsOpen, "test_models_that_somebody_turns_by_hand_are_passed_by"),
        (DeadKeepTheirPlaces, "test_the_dead_keep_no_place_and_their_death_is_counted"),
        (FencedByNameAlone, "test_who_was_taken_for_dead_is_stopped_at_the_fence_though_it_claims_it_again"),
    ],
)
def test_the_suite_rejects_claims_that_give_one_model_to_two_or_the_dead_a_place(tmp_path, rival, test):
    class Careless(ClaimSuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return store, Errands(store), rival(store)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Careless(), test)(tmp_path)


class EndsAnyhow(Outbox):
    """A rival that calls what was delivered given up."""

    def end(self, connection, key, how):
        connection.execute(ALERTS.update().where(ALERTS.c.key == key).values(ended=how))


class RevokesAgain(ApiKeys):
    """A rival that revokes a key a second time, later."""

    def revoke(self, connection, id_or_name, *, now):
        connection.execute(KEYS.update().where(KEYS.c.id == id_or_name).values(revoked_at=None))
        return super().revoke(connection, id_or_name, now=now)


def test_the_suite_rejects_an_outbox_where_alerts_end_twice(tmp_path):
    class Loose(OutboxSuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return store, EndsAnyhow(store)

    with pytest.raises(AssertionError):
        Loose().test_an_alert_ends_once(tmp_path)


def test_the_suite_rejects_keys_that_are_revoked_again(tmp_path):
    class Loose(KeySuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return store, RevokesAgain(store)

    with pytest.raises(AssertionError):
        Loose().test_a_revoked_key_stays_so_and_frees_its_name(tmp_path)


class LastWordWins(Incidents):
    """A rival that puts in force whatever comes."""

    def move(self, connection, incident):
        if self.find(incident.incident, within=connection) is None:
            return super().move(connection, incident)
        row = {"state": incident.state, "change": incident.change, "at": microseconds(incident.made_at), "body": written(incident)}
        connection.execute(INCIDENTS.update().where(INCIDENTS.c.incident == incident.incident).values(**row))
        return incident


class NewestByTheClock(Incidents):
    """A rival that takes a change for an old one because it is dated so."""

    def move(self, connection, incident):
        there = self.find(incident.incident, within=connection)
        return there if there is not None and there.made_at > incident.made_at else super().move(connection, incident)


class AsLastChanged(Incidents):
    """A rival whose oldest incident is the one that nobody has touched for longest."""

    def open(self, model=None, *, within=None):
        return sorted(super().open(model, within=within), key=lambda i: i.made_at)


class ReadsPatterns(Incidents):
    """A rival that takes letters for a pattern."""

    def named(self, text, *, within=None):
        with self.store.reading(within) as connection:
            found = (
                connection.exec_driver_sql("SELECT incident FROM incidents WHERE incident LIKE ?", (f"{text.strip()}%",)).scalars().all()
            )
        return self.find(found[0], within=within) if len(found) == 1 and len(text) >= 4 else super().named(text, within=within)


@pytest.mark.parametrize(
    ("rival", "test"),
    [
        (LastWordWins, "test_of_two_who_change_it_from_the_same_state_the_second_is_overtaken"),
        (NewestByTheClock, "test_a_change_is_the_newest_though_the_clock_was_set_back"),
        (AsLastChanged, "test_the_oldest_stands_first_whichever_changed_last_and_what_is_over_is_not_open"),
        (ReadsPatterns, "test_the_first_letters_name_one_and_no_more"),
    ],
)
def test_the_suite_rejects_incidents_that_lose_a_word_or_mistake_one_for_another(tmp_path, rival, test):
    class Loose(IncidentSuite):
        def open(self, folder):
            store = open_store(f"sqlite:///{folder / 'house.db'}")
            return store, rival(store)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Loose(), test)(tmp_path)
