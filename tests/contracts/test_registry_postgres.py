"""The registry's contracts hold on Postgres."""

from __future__ import annotations

import pytest

from everloop.registry.claims import Claims
from everloop.registry.errands import Errands
from everloop.registry.incidents import Incidents
from everloop.registry.journal import Journal
from everloop.registry.keys import ApiKeys
from everloop.registry.outbox import Outbox
from everloop.registry.runs import Runs
from everloop.registry.store import open_store
from everloop.registry.traffic import Pointers
from everloop.testing.claims import ClaimSuite
from everloop.testing.postgres_server import postgres_server
from everloop.testing.registry import ErrandSuite, IncidentSuite, JournalSuite, KeySuite, OutboxSuite, TrafficSuite
from everloop.testing.runs import RunSuite


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


@pytest.mark.usefixtures("given")
class OnPostgres:
    """A store of a new database for each test."""

    noun = Journal

    @pytest.fixture
    def given(self, postgres):
        self.postgres, self.opened = postgres, []
        yield
        for store in self.opened:
            store.close()

    def open(self, folder):
        store = open_store(self.postgres.database())
        self.opened.append(store)
        return store, self.noun(store)


class TestJournalOnPostgres(OnPostgres, JournalSuite):
    noun = Journal


class TestTrafficOnPostgres(OnPostgres, TrafficSuite):
    noun = Pointers


class TestErrandsOnPostgres(OnPostgres, ErrandSuite):
    noun = Errands


class TestClaimsOnPostgres(OnPostgres, ClaimSuite):
    noun = Errands

    def open(self, folder):
        store, errands = super().open(folder)
        return store, errands, Claims(store)


class TestOutboxOnPostgres(OnPostgres, OutboxSuite):
    noun = Outbox


class TestKeysOnPostgres(OnPostgres, KeySuite):
    noun = ApiKeys


class TestIncidentsOnPostgres(OnPostgres, IncidentSuite):
    noun = Incidents


class TestRunsOnPostgres(OnPostgres, RunSuite):
    noun = Runs
