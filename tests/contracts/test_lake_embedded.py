"""The embedded backends keep the lake's contracts, and the contracts can be broken."""

from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from everloop.lake.delta import DeltaTables
from everloop.lake.events import SqliteArrivals, SqliteLog
from everloop.testing.lake import EventLogSuite, TablesSuite


class TestEventLogOnSQLite(EventLogSuite):
    pass


class TestTablesOnDelta(TablesSuite):
    pass


class HalfWritten(SqliteLog):
    """A rival that commits what it was in the middle of."""

    @contextmanager
    def arrivals(self, source):
        failed = None
        with super().arrivals(source) as arrival:
            try:
                yield arrival
            except ZeroDivisionError as error:
                failed = error
        if failed:
            raise failed


@dataclass(frozen=True)
class Forgetful(DeltaTables):
    """A rival that never reads the marker."""

    def append_once(self, name, table, *, marker, seq, said=None):
        return super().append_once(name, table, marker=f"{marker}{self.version(name)}", seq=seq, said=said)


def test_a_log_that_keeps_half_an_arrival_breaks_the_contract(tmp_path):
    suite = EventLogSuite()
    suite.open = lambda folder: HalfWritten(folder / "events.db")
    with pytest.raises(AssertionError):
        suite.test_an_arrival_that_fails_never_was(tmp_path)


def test_a_log_that_knows_only_the_last_version_breaks_the_contract(tmp_path, monkeypatch):
    known = SqliteArrivals.known

    def only_last(self, ids):
        return list({one.id: one for one in sorted(known(self, ids))}.values())

    monkeypatch.setattr(SqliteArrivals, "known", only_last)
    with pytest.raises(AssertionError):
        EventLogSuite().test_every_version_of_an_id_is_known(tmp_path)


def test_tables_that_take_a_repeat_break_the_contract(tmp_path):
    suite = TablesSuite()
    suite.open = lambda folder: Forgetful(str(folder / "lake"))
    with pytest.raises(AssertionError):
        suite.test_a_marker_lets_a_thing_in_once(tmp_path)
