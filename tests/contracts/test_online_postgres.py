"""Tiles on Postgres keep what every online store promises."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from everloop.connect.postgres import PostgresLog
from everloop.connect.postgres_tiles import PostgresTiles
from everloop.testing.online import OnlineContract
from everloop.testing.postgres_server import postgres_server


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


@pytest.mark.usefixtures("given")
class TestPostgresTiles(OnlineContract):
    """Each store is in a database of its own: a contract compares several."""

    @pytest.fixture
    def given(self, postgres):
        with ExitStack() as stack:

            def store():
                log = PostgresLog(postgres.database())
                stack.callback(log.close)
                return PostgresTiles(stack.enter_context(log.connected()))

            self.store = store
            yield

    # The same arithmetic for longer, as on SQLite, where it is quicker.
    @pytest.mark.slow
    def test_late_corrected_and_deleted_rows_never_make_a_wrong_value(self):
        super().test_late_corrected_and_deleted_rows_never_make_a_wrong_value()

    @pytest.mark.slow
    def test_rows_told_again_after_a_kill_change_nothing_wherever_it_came(self):
        super().test_rows_told_again_after_a_kill_change_nothing_wherever_it_came()
