"""Gathering: many small deliveries in one transaction, each told what it would have been told alone."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everloop import Source, money, text, unit
from everloop.errors import EverloopError, HouseBusy, HouseFull, StoreError
from everloop.lake import deliveries, open_lake, read_source, receive, seal
from everloop.lake.arrive import Coming, arrive_together, read
from everloop.lake.few import Few, few
from everloop.lake.gather import Gathering, together
from everloop.lake.rows import kept_together, offered
from everloop.lake.synced import Synced

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source("orders", id="line_id", time="at", columns={"quantity": int})
returns = Source("returns", id="return_id", columns={"why": str})
PLAIN = Source("orders", id="line_id", time="at", deleted="gone", columns={"quantity": int, "note": str})
VERSIONED = Source("orders", id="line_id", time="at", version="v", deleted="gone", columns={"quantity": int, "note": str})
UNDATED = Source("orders", id=["line_id", "note"], known="at", columns={"quantity": int, "note": str})
KNOWN = Source("orders", id="line_id", time="on", version="v", known="at", zone="Europe/Berlin", columns={"quantity": int, "on": datetime})
EVERY_KIND = Source(
    "orders", id=["line_id", "on"], time="at", zone="UTC",
    columns={"quantity": int, "paid": bool, "rate": float, "on": date, "price": money("EUR"), "weight": unit("kg"), "note": text},
)  # fmt: skip


@pytest.fixture
def lake(tmp_path):
    return open_lake(tmp_path / "lake", durability="group")


def row(line="l1", quantity=2, **more):
    return {"line_id": line, "at": NOON, "quantity": quantity, **more}


class Held:
    """A gate in the way of every arrival, so that callers can be lined up behind it."""

    def __init__(self, monkeypatch):
        self.gate, self.reached, self.sizes = threading.Event(), threading.Event(), []
        monkeypatch.setattr("everloop.lake.gather.arrive_together", self.arrive)

    def arrive(self, lake, source, kept, coming, **more):
        self.reached.set()
        assert self.gate.wait(30)
        self.sizes.append(len(coming))
        return arrive_together(lake, source, kept, coming, **more)


@pytest.fixture
def held(monkeypatch):
    return Held(monkeypatch)


def lined_up(gathering, held, source, deliveries):
    """Futures of these deliveries, all of which wait behind a first one."""
    first = gathering.receive(source, [], NOON)
    assert held.reached.wait(30)
    futures = [gathering.receive(source, rows, NOON) for rows in deliveries]
    held.gate.set()
    assert first.result(30).kept == 0
    return futures


# -- as if one after another -------------------------------------------------------------------------------------------------------

lines = st.fixed_dictionaries(
    {"line_id": st.sampled_from(["a", "b", "c", "", None])},
    optional={
        "at": st.none()
        | st.just("when?")
        | st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 4)).map(lambda at: at.replace(tzinfo=UTC)),
        "quantity": st.none() | st.integers(0, 1) | st.just("two"),
        "note": st.sampled_from(["", "x", "ü"]),
        "gone": st.booleans(),
        "v": st.integers(0, 2) | st.just("?"),
        "undeclared": st.just(1),
        "on": st.sampled_from([date(2026, 11, 1), "2026-11-02", datetime(2026, 11, 1), "2026-11-01T10:00", None]),
        "paid": st.none() | st.booleans() | st.just(1),
        "rate": st.none() | st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf"), 1e300, np.float64(2.5), np.int64(3), 7]),
        "price": st.sampled_from([None, 5, 5.0, 5.5, np.int32(5), 2**63 - 1, 2**63, True]),
        "weight": st.none() | st.floats(allow_nan=True),
    },
)
tables = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(
    lambda ids: pa.table({"line_id": ids, "at": [NOON] * len(ids), "quantity": ["no number"] * len(ids), "v": [1] * len(ids), "tip": ids})
)
instants = st.sampled_from([NOON, NOON + timedelta(microseconds=1), NOON - timedelta(days=1), NOON + timedelta(days=1)])
spans = st.none() | st.sampled_from([timedelta(0), timedelta(hours=1)])
callers = st.lists(st.tuples(lines | st.lists(lines, max_size=4) | tables, instants, spans), min_size=1, max_size=8)
sources = st.sampled_from([PLAIN, VERSIONED, UNDATED, KNOWN, EVERY_KIND])
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def ends(calls, cuts):
    """Calls in pieces that end at these places."""
    edges = sorted({0, len(calls), *(cut % (len(calls) + 1) for cut in cuts)})
    return [calls[first:last] for first, last in pairwise(edges)]


def one_after_another(folder, source, calls):
    lake = open_lake(f"{folder}/one/lake", durability="process")
    return lake, [receive(lake, source, rows, now=now, known_after=after) for rows, now, after in calls]


def gathered(folder, source, pieces, reads):
    lake, received = open_lake(f"{folder}/many/lake", durability="process"), []
    for piece in pieces:
        kept = reads(source, [offered(rows) for rows, _, _ in piece])
        single = [isinstance(rows, dict) or (isinstance(rows, list) and len(rows) == 1) for rows, _, _ in piece]
        received += arrive_together(
            lake, source, kept, [Coming(now, after, one) for (_, now, after), one in zip(piece, single, strict=True)]
        )
    return lake, received


def agree(source, calls, cuts, reads=kept_together):
    with tempfile.TemporaryDirectory() as folder:
        alone, told_alone = one_after_another(folder, source, calls)
        many, told = gathered(folder, source, ends(calls, cuts), reads)
        same = read_source(alone, source).equals(read_source(many, source))
        return same and told == told_alone and deliveries(alone, source) == deliveries(many, source)


@some
@given(calls=callers, cuts=st.lists(st.integers(0, 8), max_size=3), source=sources, reads=st.sampled_from([kept_together, read]))
def test_gathered_is_as_one_after_another(calls, cuts, source, reads):
    assert agree(source, calls, cuts, reads)


@pytest.mark.parametrize("forgets", ["who", "when"])
def test_a_mutant_that_forgets_whose_the_rows_are_is_found_out(monkeypatch, forgets):
    import everloop.lake.arrive as module

    callers, settle = module._callers, module.settle

    def no_moment(coming):
        return replace(callers(coming), now=[callers(coming).now[0]] * len(coming))

    def nobody(source, rows, of, *more):
        return settle(source, rows, np.zeros_like(of), *more)

    there_and_back = [([row(quantity=q)], NOON + timedelta(days=n), None) for n, q in enumerate((1, 2, 1))]
    assert agree(PLAIN, there_and_back, [])
    monkeypatch.setattr(module, *{"when": ("_callers", no_moment), "who": ("settle", nobody)}[forgets])
    assert not agree(PLAIN, there_and_back, [])


def misread(said, wrong):
    return None if (right := few(PLAIN, said)) is None else replace(right, **wrong(right))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: {"of": [0 for _ in right.of]},
        lambda right: {"rows": [one._replace(digest=1) for one in right.rows]},
        lambda right: {"rows": [one._replace(event_at=None) for one in right.rows]},
        lambda right: {"rows": [one._replace(deleted=False) for one in right.rows]},
    ],
    ids=["whose they are", "what they hold", "when they happened", "that they are gone"],
)
def test_a_few_rows_misread_are_found_out_by_the_arrays(monkeypatch, wrong):
    calls = [([row("a"), row("b")], NOON + timedelta(hours=1), None), (row("c", quantity=3), NOON + timedelta(days=1), None)]
    calls += [(row("a", quantity=1), NOON + timedelta(days=2), None), (row("b", gone=True), NOON + timedelta(days=2), None)]
    assert agree(PLAIN, calls, [1, 2])
    assert agree(PLAIN, calls, [1, 2], read)
    monkeypatch.setattr("everloop.lake.arrive.few", lambda source, said: misread(said, wrong))
    assert not (agree(PLAIN, calls, [1, 2]) and agree(PLAIN, calls, [1, 2], read))


def test_a_few_good_rows_need_no_arrays_and_what_may_be_refused_does():
    assert isinstance(read(PLAIN, [[row("a")], [row("b", gone=True), {"line_id": "c", "gone": 1}]]), Few)
    for bad in (row(""), row(quantity="two"), {"line_id": "a"}, row(at="when?"), pa.table({"line_id": ["a"]})):
        assert few(PLAIN, [offered(bad)]) is None
    assert few(PLAIN, [[row("a")], [row("a", quantity=3)]]) is None
    assert few(VERSIONED, [[row("a")]]) is None
    assert few(UNDATED, [[{"line_id": "a", "note": "b\x1fc"}]]) is None


def test_each_caller_is_told_of_its_own_rows(lake, held):
    with Gathering(lake) as gathering:
        calls = [row("a"), [row("b"), row("b", quantity="two")], row("a"), row("a", quantity=3), {"at": NOON}, pa.table({"line_id": ["b"]})]
        told = [future.result(30) for future in lined_up(gathering, held, orders, calls)]
    assert [(one.kept, one.duplicates, one.refused, one.through_seq) for one in told] == [
        (1, 0, 0, 1), (1, 0, 1, 2), (0, 1, 0, 2), (1, 0, 0, 3), (0, 0, 1, 3), (0, 0, 1, 3),
    ]  # fmt: skip
    assert [one.examples for one in told[1::3]] == [("row 2 (b): quantity is 'two', no whole number",), ("row 1: line_id is empty",)]
    assert held.sizes == [1, 6]
    assert (np.diff(read_source(lake, orders).column("known_at").to_numpy()) > 0).all()


def test_single_events_of_a_day_stay_one_delivery(lake, held):
    with Gathering(lake) as gathering:
        [future.result(30) for future in lined_up(gathering, held, orders, [row(f"l{n}") for n in range(30)])]
    assert [(one.number, one.rows, one.first_seq, one.last_seq, one.singles) for one in deliveries(lake, orders)] == [(1, 30, 1, 30, True)]


def test_sources_are_kept_apart_and_each_in_its_order():
    def waiting(source, rows):
        from everloop.lake.gather import _Waiting

        return _Waiting(source, rows, Coming(NOON), 1, Future())

    few, many = [{}] * 3, [{}] * 9_999
    line = [waiting(*one) for one in [(orders, few), (returns, few), (orders, few), (orders, many), (orders, few), (returns, few)]]
    assert together(line) == [[line[0], line[2]], [line[1], line[5]], [line[3]], [line[4]]]


def test_what_comes_as_a_file_goes_alone_and_in_its_turn(lake, held):
    many = pa.table({"line_id": [f"m{n}" for n in range(20_000)], "at": [NOON] * 20_000, "quantity": [1] * 20_000})
    with Gathering(lake) as gathering:
        told = [future.result(60) for future in lined_up(gathering, held, orders, [row("a"), many, row("b"), row("m0", quantity=1)])]
    assert [(one.kept, one.through_seq) for one in told] == [(1, 1), (20_000, 20_001), (1, 20_002), (0, 20_002)]
    assert held.sizes == [1, 1, 1, 2]


# -- what goes wrong ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["no rows", [1], 5, pa.table([[1], [2]], names=["a", "a"])])
def test_what_are_no_rows_is_its_callers_own_trouble(lake, held, rows):
    with Gathering(lake) as gathering:
        good, bad, late = lined_up(gathering, held, orders, [row("a"), rows, row("b")])
        assert isinstance(bad.exception(30), EverloopError | TypeError)
        assert [good.result(30).through_seq, late.result(30).through_seq] == [1, 2]
        naive, below = gathering.receive(orders, row(), datetime(2026, 1, 1)), gathering.receive(orders, row(), NOON, -timedelta(1))
        assert "names no time zone" in str(naive.exception(30))
        assert "below zero" in str(below.exception(30))


class Hostile(dict):
    def get(self, *_):
        raise RuntimeError("do not touch me")


def test_rows_that_throw_while_they_are_read_take_nobody_with_them(lake, held):
    with Gathering(lake) as gathering:
        good, bad, late = lined_up(gathering, held, orders, [row("a"), Hostile(line_id="x"), row("b")])
        assert str(bad.exception(30)) == "do not touch me"
        assert [good.result(30).kept, late.result(30).kept] == [1, 1]
    assert read_source(lake, orders).column("id").to_pylist() == ["a", "b"]


def test_where_the_house_is_busy_everybody_hears_of_it_and_nothing_came_in(lake, held, monkeypatch):
    monkeypatch.setattr("everloop.lake.events._BUSY_SECONDS", 0.01)
    receive(lake, orders, row("before"), now=NOON)
    with Gathering(lake) as gathering:
        with lake.log.arrivals("orders"):
            futures = [gathering.receive(orders, row(line), NOON) for line in "abc"]
            held.gate.set()
            assert {type(future.exception(30)) for future in futures} == {HouseBusy}
        assert gathering.receive(orders, row("a"), NOON).result(30).kept == 1
    assert read_source(lake, orders).column("id").to_pylist() == ["before", "a"]


def test_where_there_is_no_room_everybody_hears_of_it_and_nothing_came_in(lake, held):
    full = True

    def also(connection, events):
        if full:
            connection.execute("PRAGMA max_page_count = 1")
            connection.execute("CREATE TABLE big (x)")
            connection.execute("INSERT INTO big VALUES (zeroblob(10000000))")
        connection.execute("PRAGMA max_page_count = 1000000")

    with Gathering(replace(lake, also=lambda _source: also)) as gathering:
        futures = lined_up(gathering, held, orders, [row("a"), row("b")])
        assert {type(future.exception(30)) for future in futures} == {HouseFull}
        assert read_source(lake, orders).num_rows == 0
        full = False
        assert gathering.receive(orders, row("a"), NOON).result(30).through_seq == 1


def test_beyond_what_may_wait_callers_are_turned_away_at_once(lake, held):
    with Gathering(lake, waiting=2_000) as gathering:
        gathering.receive(orders, [], NOON)
        assert held.reached.wait(30)
        let_in = []
        with pytest.raises(HouseBusy, match="wait to be kept"):
            let_in.extend(gathering.receive(orders, row(f"l{n}"), NOON) for n in range(100))
        assert 1 < len(let_in) < 10
        assert gathering.waiting <= 2_000
        big = [row("big", note="x" * 5_000)]
        let_in.append(gathering.receive(orders, big, NOON))
        with pytest.raises(HouseBusy):
            gathering.receive(orders, big, NOON)
        held.gate.set()
        assert all(future.result(30).kept == 1 for future in let_in)
        while gathering.waiting:
            pass
        assert gathering.receive(orders, row("after"), NOON).result(30).kept == 1
        assert gathering.receive(orders, big, NOON).result(30).duplicates == 1


def test_closing_keeps_what_waits_and_lets_nobody_in(lake, held):
    gathering = Gathering(lake)
    futures = [gathering.receive(orders, row(f"l{n}"), NOON) for n in range(5)]
    held.gate.set()
    gathering.close()
    assert [future.result(0).kept for future in futures] == [1] * 5
    with pytest.raises(HouseBusy, match="closing"):
        gathering.receive(orders, row("late"), NOON)
    gathering.close()


def test_a_caller_that_went_away_before_its_turn_is_passed_over(lake, held):
    with Gathering(lake) as gathering:
        gathering.receive(orders, [], NOON)
        assert held.reached.wait(30)
        gone, there = gathering.receive(orders, row("gone"), NOON), gathering.receive(orders, row("there"), NOON)
        assert gone.cancel()
        held.gate.set()
        assert there.result(30).through_seq == 1
    assert gathering.waiting == 0


def test_something_else_is_done_in_the_same_transaction_for_the_source_that_wants_it(lake, held):
    seen = []

    def also(_connection, events):
        seen.append(events.column("id").to_pylist())

    with Gathering(replace(lake, also={"orders": also}.get)) as gathering:
        [future.result(30) for future in lined_up(gathering, held, orders, [row("a"), row("a"), row("b")])]
        gathering.receive(returns, {"return_id": "r1"}, NOON).result(30)
    assert seen == [["a", "b"]]


def test_what_a_future_has_said_the_next_read_sees(lake):
    with Gathering(lake) as gathering:
        for n in range(5):
            through = gathering.receive(orders, row(f"l{n}"), NOON).result(30).through_seq
            assert read_source(lake, orders).num_rows == through == n + 1


def test_many_threads_at_once_keep_every_row_once(lake):
    told = []

    def caller(name):
        told.extend(gathering.receive(orders, [row(f"{name}{n}"), row(f"both{n}")], NOON).result(30) for n in range(40))

    with Gathering(lake) as gathering:
        threads = [threading.Thread(target=caller, args=(name,)) for name in "abcdef"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    table = read_source(lake, orders)
    assert table.column("seq").to_pylist() == list(range(1, 6 * 40 + 40 + 1))
    assert sum(one.kept for one in told) == table.num_rows
    assert (np.diff(table.column("known_at").to_numpy()) > 0).all()


# -- other processes ---------------------------------------------------------------------------------------------------------------

CHILD = """
import os, sys
from datetime import UTC, datetime
from everloop import Source
from everloop.lake import Gathering, open_lake

folder, name, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source("orders", id="line_id", time="at", columns={"quantity": int})
with Gathering(open_lake(folder + "/lake", durability="group")) as gathering:
    gathering.receive(orders, [], NOON).result()
    print("ready", flush=True)
    sys.stdin.readline()
    waiting = []
    for n in range(rows):
        id = f"{name}{n}"
        future = gathering.receive(orders, {"line_id": id, "at": NOON, "quantity": n}, NOON)
        future.add_done_callback(lambda _, id=id: os.write(1, f"{id}\\n".encode()))
        waiting.append(future)
        if len(waiting) == 32:
            waiting.pop(0).result()
"""


def child(folder, name, rows):
    command = [sys.executable, "-c", CHILD, str(folder), name, str(rows)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "ready\n"
    return started


def go(started):
    started.stdin.write("\n")
    started.stdin.flush()


@pytest.mark.parametrize("after", [1, pytest.param(500, marks=pytest.mark.slow)])
def test_killed_at_full_speed_what_was_acknowledged_is_there_once(tmp_path, after):
    started = child(tmp_path, "l", 1_000_000)
    go(started)
    said = [started.stdout.readline() for _ in range(after)]
    started.send_signal(signal.SIGKILL)
    said += started.stdout.readlines()
    started.wait()
    started.stdin.close()
    started.stdout.close()
    acknowledged = [line[:-1] for line in said if line.endswith("\n")]
    lake = open_lake(tmp_path / "lake")
    ids = read_source(lake, orders).column("id").to_pylist()
    assert len(ids) == len(set(ids))
    assert set(acknowledged) <= set(ids)
    assert len(ids) - len(acknowledged) <= 64
    assert receive(lake, orders, [row(id, int(id[1:])) for id in acknowledged], now=NOON).kept == 0


def test_two_processes_take_turns(tmp_path):
    both = [child(tmp_path, name, 600) for name in "ab"]
    for one in both:
        go(one)
    for one in both:
        assert len(one.communicate(timeout=120)[0].splitlines()) == 600
        assert one.returncode == 0
    table = read_source(open_lake(tmp_path / "lake"), orders)
    assert sorted(table.column("id").to_pylist()) == sorted(f"{name}{n}" for name in "ab" for n in range(600))
    assert table.column("seq").to_pylist() == list(range(1, 1201))
    whose = [id[0] for id in table.column("id").to_pylist()]
    turns = sum(one != other for one, other in pairwise(whose))
    assert turns >= 8  # nobody had to wait for the other to be done


def test_a_forked_process_begins_anew(lake):
    with Gathering(lake) as gathering:
        assert gathering.receive(orders, row("parent"), NOON).result(30).kept == 1
        forked = os.fork()
        if forked == 0:
            try:
                kept = gathering.receive(orders, row("child"), NOON).result(30).kept
                gathering.close()
                os._exit(0 if kept == 1 else 1)
            finally:
                os._exit(2)
        assert os.waitpid(forked, 0)[1] == 0
        assert gathering.receive(orders, row("again"), NOON).result(30).through_seq == 3


# -- what survives a power cut -----------------------------------------------------------------------------------------------------


class Disk:
    """fsync, seen; and broken when wanted."""

    def __init__(self, monkeypatch, folder):
        self.log = str(folder / "events.db-wal")
        self.synced, self.broken, self.seen, self.real = [], False, threading.Event(), os.fsync
        monkeypatch.setattr("everloop.lake.synced.os.fsync", self.fsync)

    def fsync(self, fd):
        if os.readlink(f"/proc/self/fd/{fd}") == self.log:
            self.synced.append(fd)
            self.seen.set()
            if self.broken:
                raise OSError(5, "Input/output error")
        self.real(fd)


@pytest.fixture
def disk(monkeypatch, tmp_path):
    return Disk(monkeypatch, tmp_path)


def test_group_syncs_the_log_behind_the_arrival(tmp_path, disk):
    receive(open_lake(tmp_path / "lake", durability="group"), orders, row(), now=NOON)
    assert disk.seen.wait(30)


def test_process_leaves_syncing_to_the_system(tmp_path, disk):
    receive(open_lake(tmp_path / "lake", durability="process"), orders, row(), now=NOON)
    assert disk.synced == []


def test_a_sync_that_failed_is_told_to_the_next_arrival_and_tried_again(lake, disk):
    receive(lake, orders, row("a"), now=NOON)
    log, failed = lake.log._syncing(), None
    disk.broken = True
    receive_until = datetime.now(UTC) + timedelta(seconds=30)
    n = 0
    while failed is None and datetime.now(UTC) < receive_until:
        n += 1
        try:
            receive(lake, orders, row(f"b{n}"), now=NOON)
        except StoreError as error:
            failed = error
    assert "could not be synced" in str(failed)
    disk.broken = False
    log.now()
    while log._dirty or log._failed is not None:
        log._failed = None
    assert receive(lake, orders, row("c"), now=NOON).kept == 1
    assert read_source(lake, orders).num_rows == n + 1  # the one that was told never came in


def test_a_table_never_reaches_further_than_the_log_does_after_a_power_cut(tmp_path, disk):
    lake = open_lake(tmp_path / "lake", durability="process")
    receive(lake, orders, row(), now=NOON)
    disk.broken = True
    with pytest.raises(StoreError, match=r"events\.db"):
        seal(lake, orders)
    assert lake.tables.rows("events/orders") == 0
    disk.broken = False
    assert seal(lake, orders) == 1
    assert len(disk.synced) == 2


@pytest.mark.parametrize("more", [0, 1, 5_000])
def test_a_power_cut_leaves_at_least_what_was_synced_and_nothing_by_halves(tmp_path, more):
    lake = open_lake(tmp_path / "lake", durability="process")
    receive(lake, orders, [row(f"a{n}") for n in range(3)], now=NOON)
    lake.log.synced()
    synced = (tmp_path / "events.db-wal").stat().st_size
    receive(lake, orders, [row(f"b{n}", note="x" * 100) for n in range(200)], now=NOON)
    written = (tmp_path / "events.db-wal").read_bytes()
    assert len(written) > synced + 5_000
    after = tmp_path / "after"
    after.mkdir()
    (after / "events.db").write_bytes((tmp_path / "events.db").read_bytes())
    (after / "events.db-wal").write_bytes(written[: synced + more] + bytes(len(written) - synced - more))
    left = open_lake(after / "lake", durability="process")
    assert read_source(left, orders).column("id").to_pylist() == ["a0", "a1", "a2"]
    assert receive(left, orders, [row("b0")], now=NOON).through_seq == 4


def test_a_log_made_anew_is_synced_anew(tmp_path, disk):
    lake = open_lake(tmp_path / "lake", durability="process")
    synced = Synced(tmp_path / "events.db")
    synced.now()
    assert disk.synced == []
    for n in range(2):
        receive(lake, orders, row(f"l{n}"), now=NOON)
        synced.now()
        lake.log.close()  # the last one takes the -wal file away
        assert not (tmp_path / "events.db-wal").exists()
        synced.now()
    assert len(disk.synced) == 2
    synced.close()


def test_settings_and_the_lake_speak_of_the_same_durability(tmp_path):
    for durability, synchronous in (("sync", 2), ("group", 1), ("process", 1)):
        log = open_lake(tmp_path / durability / "lake", durability=durability).log
        assert log.connection().execute("PRAGMA synchronous").fetchone()[0] == synchronous
        log.close()


# -- taking turns ------------------------------------------------------------------------------------------------------------------


def asks(log, name, order):
    def ask():
        with log.arrivals("orders"):
            order.append(name)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def somebody_waits(log):
    """Whether the turnstile is held."""
    with (log.beside / "writers.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_who_waits_first_writes_first(lake):
    order = []
    for _ in range(3):
        with lake.log.arrivals("orders"):
            first = asks(lake.log, "first", order)
            while not somebody_waits(lake.log):
                pass
            others = [asks(lake.log, "later", order) for _ in range(2)]
        for thread in (first, *others):
            thread.join(30)
    assert order == ["first", "later", "later"] * 3


def test_a_turnstile_whose_holder_was_stopped_is_gone_around(lake, monkeypatch):
    monkeypatch.setattr("everloop.lake.turnstile.AROUND", 0.01)
    receive(lake, orders, row("a"), now=NOON)
    with (lake.log.beside / "writers.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert receive(lake, orders, row("b"), now=NOON).kept == 1
