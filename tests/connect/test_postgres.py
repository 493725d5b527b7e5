"""The event log on a real Postgres: many machines, one line for each source, and a server that goes away and comes back."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import everloop.connect.postgres_tables as tables
from everloop import Source
from everloop.connect.postgres import PostgresLog
from everloop.connect.postgres_client import Lines
from everloop.errors import EverloopError, HouseBusy, HouseFull, SettingsError, StoreError
from everloop.lake.place import open_lake
from everloop.lake.receive import receive
from everloop.lake.seal import seal
from everloop.lake.snapshot import read_source
from everloop.lake.tables import Counters
from everloop.registry.store import open_store
from everloop.sql.trouble import postgres_trouble
from everloop.testing.lake import SCHEMA, events
from everloop.testing.postgres_server import postgres_server

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ORDERS = Source("orders", id="line_id", columns={"quantity": int, "note": str})


@pytest.fixture(scope="module")
def server():
    with postgres_server() as server:
        yield server


@pytest.fixture
def opened(server):
    """Logs of one new database, as several machines open them; closed in the end."""
    url, made = server.database(), []

    def log(cls=PostgresLog, **words):
        made.append(cls(url, **words))
        return made[-1]

    yield log
    for one in made:
        one.close()


def arrive(log, n=1, source="orders"):
    """The next ``n`` rows arrive."""
    with log.arrivals(source) as arrival:
        first = arrival.counters.last_seq + 1
        some = events(first, first + n - 1)
        arrival.append(some, np.zeros(n, dtype=np.int64), last_known=first * 10)


def unsealed(log, after=0):
    return pa.concat_tables([SCHEMA.empty_table(), *log.unsealed("orders", SCHEMA, after=after)]).column("seq").to_pylist()


# -- many machines -----------------------------------------------------------------------------------------------------------------


class LooksBeforeItsTurn(PostgresLog):
    """A rival that sees how far a source has come before it has the lock."""

    def _begun(self, connection, source):
        number = self._number(connection, source)
        last = connection.execute(f"SELECT last_seq, last_known FROM {tables.SCHEMA}.sources WHERE number = {number}").fetchone()
        time.sleep(0.02)
        super()._begun(connection, source)
        return number, Counters(*last)


def written_by_many(opened, cls, writers=3, times=12):
    """What each reading saw while several machines wrote one source, and what went wrong."""
    seen, wrong = [], []
    arrive(opened())

    def write():
        log = opened(cls)
        try:
            for n in range(times):
                arrive(log, 1 + n % 3)
        except EverloopError as error:
            wrong.append(error)

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    reader = opened()
    while any(thread.is_alive() for thread in threads):
        seen.append(unsealed(reader))
    for thread in threads:
        thread.join()
    return [*seen, unsealed(reader)], wrong


def test_whoever_reads_while_many_write_sees_no_row_before_the_one_before_it(opened):
    seen, wrong = written_by_many(opened, PostgresLog)
    assert not wrong
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in seen)
    assert len(seen[-1]) == 1 + 3 * 24


def test_a_log_that_looks_before_its_turn_is_found_out(opened):
    assert written_by_many(opened, LooksBeforeItsTurn)[1]


def test_another_source_does_not_wait(opened):
    one, other = opened(), opened()
    with one.arrivals("orders") as arrival:
        arrive(other, source="returns")
        assert other.counters("returns").last_seq == 1
        assert arrival.counters.last_seq == 0


def test_two_who_open_a_new_database_at_once_make_it_once(opened):
    logs, wrong = [opened() for _ in range(4)], []

    def look(log):
        try:
            assert log.counters("orders") == Counters()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=look, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len({log.identity for log in logs}) == 1


def test_tables_of_a_newer_release_are_left_alone(opened):
    log = opened()
    with log.connected() as connection:
        connection.execute(f"UPDATE {tables.SCHEMA}.house SET format = 99")
    with pytest.raises(StoreError, match=r"newer Everloop \(format 99\)"):
        opened().counters("orders")


def test_only_one_seals_on_all_machines_and_a_dead_one_does_not(opened):
    one, other = opened(), opened()
    with one.sealing("orders"):
        with pytest.raises(HouseBusy, match="Another process is sealing orders"), other.alone("orders", "sealing orders", patience=0):
            pytest.fail("two seal at once")
        with pytest.raises(HouseBusy, match=r"has been for 0\.05 s"), other.alone("orders", "sealing orders", patience=0.05):
            pytest.fail("two seal at once")
        with other.alone("returns", "sealing returns", patience=0):
            pass
        end_others(other)
        # Whose line was cut has lost the lock, and hears of it before it seals.
        with other.sealing("orders"), pytest.raises(StoreError, match="Postgres at"):
            one.synced()
    with one.sealing("orders"):
        one.synced()


def end_others(log):
    with log.connected() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# -- what is kept --------------------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
lines = st.fixed_dictionaries(
    {
        "line_id": texts | st.sampled_from(["a", "b", "\x00", "ü\U0001f600"]),
        "quantity": st.none() | st.integers(0, 3),
        "note": st.none() | texts,
    }
)


@pytest.fixture(scope="module")
def law(server):
    log = PostgresLog(server.database())
    yield log
    log.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(st.lists(lines, min_size=1, max_size=5), min_size=1, max_size=4), sealing=st.integers(0, 3))
def test_what_was_delivered_is_the_same_table_as_on_sqlite(tmp_path_factory, law, deliveries, sealing):
    law.counters("orders")
    law.emptied()
    here, there = (open_lake(tmp_path_factory.mktemp("lake") / "lake", log) for log in (None, law))
    for n, some in enumerate(deliveries):
        kept = {receive(lake, ORDERS, some, now=NOON + timedelta(hours=n)).kept for lake in (here, there)}
        assert len(kept) == 1
        if n == sealing:
            assert seal(here, ORDERS) == seal(there, ORDERS)
    assert read_source(there, ORDERS).equals(read_source(here, ORDERS))
    assert there.log.deliveries("orders") == here.log.deliveries("orders")


def test_a_transaction_that_the_server_undid_is_no_arrival(opened):
    log = opened()
    with pytest.raises(StoreError, match="undid a transaction"), log.arrivals("orders") as arrival:
        arrival.append(events(1, 1), [0], last_known=1)
        with suppress(Exception):  # somebody who hides what went wrong
            arrival.connection.execute("SELECT no_such_column")
    assert log.counters("orders").last_seq == 0


def test_of_what_went_nothing_is_left_in_the_servers_files(server, opened):
    log, rare = opened(), "rare-7f3a91c2"
    many = events(1, 40).set_column(1, "id", pa.array([f"{rare}-{n}" for n in range(40)]))
    with log.arrivals("orders") as arrival:
        arrival.append(many, np.zeros(40, dtype=np.int64), last_known=9)
    assert held(server, log, rare)
    log.sealed("orders", 40)
    with log.arrivals("orders") as arrival:
        arrival.forget([(f"{rare}-{n}", 0) for n in range(40)])
    assert held(server, log, rare), "nothing would have had to be wiped"
    before = log.went
    log.wiped()
    assert not held(server, log, rare)
    assert log.went == before + 1


def held(server, log, word):
    """The files of the server that hold a word, when all of it is on the disk; its write-ahead log left out."""
    with log.connected() as connection:
        connection.execute("CHECKPOINT")
    return [path for path in (server.folder / "data" / "base").rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


# -- a server that goes away ---------------------------------------------------------------------------------------------------------


def test_a_server_that_goes_away_is_told_and_nothing_is_lost_or_doubled(tmp_path):
    with postgres_server() as own:
        lake = open_lake(tmp_path / "lake", PostgresLog(own.url))
        told, kept, done = [], [], threading.Event()

        def deliver():
            for n in range(10_000):
                if done.is_set() and len(kept) > 150:
                    return
                while True:
                    try:
                        kept.append(receive(lake, ORDERS, {"line_id": f"l{n}", "quantity": n}, now=NOON + timedelta(seconds=n)).kept)
                        break
                    except StoreError as error:
                        told.append(str(error))
                        time.sleep(0.01)

        thread = threading.Thread(target=deliver)
        thread.start()
        for end in (own.kill, own.stop):
            reached = len(kept) + 30
            while len(kept) < reached:
                time.sleep(0.005)
            end()
            time.sleep(0.3)
            own.start()
        done.set()
        thread.join()
        assert told
        assert all("Postgres at postgresql://postgres@/" in one for one in told)
        assert any("cannot be reached" in one for one in told)
        rows = read_source(lake, ORDERS)
        assert rows.column("quantity").to_pylist() == list(range(len(kept)))
        # An arrival whose commit was cut off may have been kept: told again, it is known.
        assert len(kept) - sum(kept) <= 2
        lake.log.close()


def test_nothing_listens_where_the_url_leads():
    with pytest.raises(StoreError, match=r"Postgres at postgresql://shop@127\.0\.0\.1:1/house cannot be reached .*Start it") as told:
        PostgresLog("postgresql://shop:hush@127.0.0.1:1/house").counters("orders")
    assert "hush" not in str(told.value)


@pytest.mark.parametrize("url", ["postgresql://", "mysql://u:hush@h/d", "postgresql://u:hush@h/d?nonsense=1", "hush"])
def test_what_is_no_url_of_postgres_is_told_without_its_password(url):
    with pytest.raises(SettingsError, match="URL of Postgres") as told:
        Lines(url)
    assert "hush" not in str(told.value)


def test_a_database_that_is_not_there_is_said(server):
    with pytest.raises(StoreError, match="has no such database"):
        PostgresLog(server.url.replace("/postgres?", "/nobody?")).counters("orders")


@pytest.mark.parametrize(
    ("code", "text", "kind", "words"),
    [
        ("53100", "could not extend file", HouseFull, "no room left"),
        ("53300", "sorry, too many clients already", HouseBusy, "max_connections"),
        (None, "FATAL:  sorry, too many clients already", HouseBusy, "max_connections"),
        ("55P03", "canceling statement due to lock timeout", HouseBusy, "written to by another"),
        ("40P01", "deadlock detected", HouseBusy, "run it again"),
        ("57P01", "terminating connection due to administrator command", HouseBusy, "cannot be reached"),
        (None, 'connection failed: FATAL:  password authentication failed for user "shop"', StoreError, "user and password"),
        ("42501", "permission denied for schema", StoreError, "own the database"),
        ("25006", "cannot execute INSERT in a read-only transaction", StoreError, "standby"),
        ("42P01", 'relation "hot" does not exist\nLINE 1: …', StoreError, 'could not do this: relation "hot" does not exist.'),
    ],
)
def test_what_a_server_cannot_do_is_said_with_what_to_do_next(code, text, kind, words):
    told = postgres_trouble("postgresql://db/house", code, text)
    assert type(told) is kind
    assert words in str(told)


# -- durability ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("durability", "commit"), [("sync", "on"), ("group", "on"), ("process", "off")])
def test_a_commit_waits_for_the_disk_as_was_asked(opened, durability, commit):
    with opened(durability=durability).connected() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == (commit,)


def test_what_did_not_wait_for_the_disk_is_there_when_it_is_synced(opened):
    log = opened(durability="process")
    arrive(log)
    log.synced()
    with log.connected() as connection:
        row = connection.execute("SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn() - 200").fetchone()
    assert row == (True,)


def test_nobody_waits_again_for_a_server_that_does_not_even_refuse():
    # It takes in whoever comes, and never says a word: as one behind a wall that swallows everything.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        log = PostgresLog(f"postgresql://shop@127.0.0.1:{silent.getsockname()[1]}/house?connect_timeout=2")
        with pytest.raises(HouseBusy, match=r"timeout expired"):
            log.counters("orders")
        began = time.monotonic()
        with pytest.raises(HouseBusy, match=r"timeout expired"):
            log.counters("orders")
        assert time.monotonic() - began < 1


def test_who_waited_for_a_lock_sees_what_was_committed_meanwhile_however_the_database_is_set(server):
    url = server.database()
    name = url.partition("/house_")[2].partition("?")[0]
    log = PostgresLog(url)
    with log.connected() as connection:
        connection.execute(f"ALTER DATABASE house_{name} SET default_transaction_isolation = 'repeatable read'")
    log.close()
    made = []

    def opened(cls=PostgresLog):
        made.append(cls(url))
        return made[-1]

    seen, wrong = written_by_many(opened, PostgresLog, times=6)
    assert not wrong
    assert len(seen[-1]) == 1 + 3 * 12
    store = open_store(url)
    with store.transaction() as t:
        assert t.execute(text("SHOW transaction_isolation")).scalar() == "read committed"
    with store.reading() as t:
        assert t.execute(text("SHOW transaction_isolation")).scalar() == "repeatable read"
    store.close()
    for one in made:
        one.close()
