"""The event log on Postgres keeps the lake's contract."""

from __future__ import annotations

import pytest

from everloop.connect.postgres import PostgresLog
from everloop.testing.lake import EventLogSuite
from everloop.testing.postgres_server import postgres_server


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


@pytest.mark.usefixtures("given")
class TestEventLogOnPostgres(EventLogSuite):
    @pytest.fixture
    def given(self, postgres):
        self.url = postgres.database()
        self.opened = []
        yield
        for log in self.opened:
            log.close()

    def open(self, folder):
        self.opened.append(PostgresLog(self.url))
        return self.opened[-1]
