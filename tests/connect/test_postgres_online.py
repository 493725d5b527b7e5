"""The online state beside events on a real Postgres: nobody who writes rows waits for who folds, and what was left behind is folded."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from everloop.connect import postgres_online
from everloop.connect.postgres import PostgresLog
from everloop.connect.postgres_online import PostgresState, fold_in
from everloop.errors import HouseBusy, StoreError
from everloop.features.fold import Fold
from everloop.features.online import catch_up
from everloop.features.states import states_of
from everloop.features.store import Changes, Mark, Members, Packed
from everloop.features.tiles import Tiles
from everloop.testing.online import DEMAND, ORDERS, READINGS, OnlineContract, log_of
from everloop.testing.plain import event_table
from everloop.testing.postgres_server import postgres_server

STATES, TABLE = states_of(DEMAND, READINGS), event_table(ORDERS, log_of(60))


@pytest.fixture(scope="module")
def server():
    with postgres_server() as server:
        yield server


@pytest.fixture
def state(server):
    log = PostgresLog(server.database())
    yield PostgresState(log)
    log.close()


def arrive(state, first, last, fold=fold_in, also=None):
    """These rows arrive and are folded in their transaction."""
    some, taking = TABLE.slice(first, last - first), Fold(STATES)
    with state.log.arrivals("orders") as arrival:
        arrival.append(some, [0] * some.num_rows, last_known=some["known_at"][-1].as_py())
        arrival.also(lambda connection, rows: fold(taking, connection, rows), some)
        if also:
            also()


def marked(state):
    with state.reading() as tiles:
        return {mark.seq for mark in tiles.marks().values()}


def begun(state, rows=10):
    arrive(state, 0, rows)
    with state.writing() as tiles:
        catch_up(tiles, STATES, {"orders": TABLE.slice(0, rows)})
    assert marked(state) == {rows}


def same_as_built(state, rows):
    """What is kept is what is built of as many rows elsewhere, to the last byte."""
    contract = OnlineContract()
    contract.store = lambda: Tiles(sqlite3.connect(":memory:"))
    with state.reading() as tiles:
        contract.same_as_built(tiles, STATES, log_of(60)[:rows])


def test_rows_are_folded_in_the_transaction_they_arrive_in(state):
    begun(state)
    with pytest.raises(ZeroDivisionError):
        arrive(state, 10, 20, also=lambda: 1 / 0)
    assert marked(state) == {10}
    arrive(state, 10, 20)
    assert marked(state) == {20}
    same_as_built(state, 20)


def test_nobody_who_writes_rows_waits_for_who_folds(state):
    begun(state)
    with state.writing():
        began = time.monotonic()
        arrive(state, 10, 20)
        assert time.monotonic() - began < postgres_online.BUSY_MILLISECONDS / 1000
    assert (marked(state), state.log.counters("orders").last_seq) == ({10}, 20)
    with state.writing() as tiles:
        assert Fold(STATES).take_in(tiles, TABLE.slice(10, 10)) == ()
    assert marked(state) == {20}


def test_who_folds_is_alone(state):
    with state.writing(), pytest.raises(HouseBusy), state.writing():
        pytest.fail("two fold at once")


def test_a_fold_that_fails_keeps_the_rows(state, caplog):
    begun(state)

    class Fails:
        def take_in(self, tiles, rows):
            tiles._connection.execute("SELECT no_such_column")

    def failing(_fold, connection, rows):
        fold_in(Fails(), connection, rows)

    arrive(state, 10, 20, fold=failing)
    assert (marked(state), state.log.counters("orders").last_seq) == ({10}, 20)
    assert "was not folded" in caplog.text


def test_one_reading_sees_one_instant_while_another_folds(state):
    begun(state)
    places = [(one.id, "a") for one in STATES]
    with state.reading() as tiles:
        before = tiles.read([s.id for s in STATES], places)
        arrive(state, 10, 60)
        assert tiles.read([s.id for s in STATES], places) == before
    with state.reading() as tiles:
        assert tiles.read([s.id for s in STATES], places) != before


def test_states_that_are_made_anew_are_not_there_until_they_are_whole(state, monkeypatch):
    begun(state)
    seen = []
    put = postgres_online._PieceByPiece.put

    def looking(tiles, changes):
        put(tiles, changes)
        seen.append(marked(state) if not changes.marks else None)

    monkeypatch.setattr(postgres_online._PieceByPiece, "put", looking)
    state.make(STATES, TABLE)
    same_as_built(state, 60)
    assert set(map(str, seen)) == {"set()", "None"}
    with state.log.alone("orders.online", "folding orders", patience=0), pytest.raises(HouseBusy, match="folding orders"):
        state.make(STATES, TABLE)


def test_two_who_put_the_same_places_in_another_order_do_not_hold_each_other_up(state):
    places = [("s", f"k{n}") for n in range(300)]
    wrong = []

    def put(order):
        try:
            with state.log.connected() as connection:
                tiles = postgres_online.PostgresTiles(connection)
                for seq in range(1, 8):
                    packed = {place: Packed(seq, b"x") for place in order}
                    tiles.put(Changes(packed, {p: Members(gained=frozenset({(seq, "m")})) for p in order}, packed, {"s": Mark(seq, seq)}))
        except StoreError as error:
            wrong.append(error)

    threads = [threading.Thread(target=put, args=(order,)) for order in (places, places[::-1], places)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    with state.reading() as tiles:
        assert tiles.members("s", "k7", None, None) == ["m"] * 7
