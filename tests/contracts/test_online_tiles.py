"""SQLite tiles keep what every online store promises; and what is theirs alone: transactions."""

from __future__ import annotations

import sqlite3

import pytest

from everloop.features.build import build
from everloop.features.fold import Fold
from everloop.features.online import catch_up
from everloop.features.states import states_of
from everloop.features.store import Changes, Mark
from everloop.features.tiles import TABLES, Tiles
from everloop.testing.online import DEMAND, ORDERS, READINGS, OnlineContract, log_of
from everloop.testing.plain import event_table


class TestTiles(OnlineContract):
    def store(self):
        return Tiles(sqlite3.connect(":memory:"))


STATES, TABLE = states_of(DEMAND, READINGS), event_table(ORDERS, log_of(30))


def everything(connection):
    return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]


def test_another_process_reads_what_one_has_folded(tmp_path):
    with sqlite3.connect(tmp_path / "events.db") as writing:
        catch_up(Tiles(writing), STATES, {"orders": TABLE})
    assert Tiles(sqlite3.connect(tmp_path / "events.db")).marks()[STATES[0].id].seq == 30


def test_rows_and_tiles_are_one_transaction_where_the_caller_has_begun_one(tmp_path):
    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    store = Tiles(connection)
    catch_up(store, STATES, {"orders": TABLE.slice(0, 10)})
    before = everything(connection)
    connection.execute("BEGIN IMMEDIATE")
    Fold(STATES).take_in(store, TABLE.slice(10))
    assert everything(connection) != before
    connection.rollback()
    assert everything(connection) == before


@pytest.mark.parametrize("verb", ["put", "replace"])
def test_a_write_that_breaks_in_the_middle_leaves_everything_as_it_was(monkeypatch, verb):
    connection = sqlite3.connect(":memory:")
    store = Tiles(connection)
    catch_up(store, STATES, {"orders": TABLE.slice(0, 10)})
    before = everything(connection)

    def breaking(rows, marks):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_put_rest", breaking)
    with pytest.raises(KeyboardInterrupt):
        Fold(STATES).take_in(store, TABLE.slice(10)) if verb == "put" else build(store, STATES, TABLE)
    assert everything(connection) == before


def test_one_read_sees_one_instant_while_another_folds(tmp_path):
    writing, reading = (sqlite3.connect(tmp_path / "events.db", isolation_level=None) for _ in range(2))
    writing.execute("PRAGMA journal_mode = WAL")
    store, other = Tiles(writing), Tiles(reading)
    catch_up(store, STATES, {"orders": TABLE.slice(0, 10)})
    places = [(state.id, "a") for state in STATES] * 20
    real, seen = other._read, []

    def folding_between(*asked):
        seen.append(real(*asked))
        if len(seen) == 1:
            Fold(STATES).take_in(store, TABLE.slice(10))
        return seen[-1]

    other._read = folding_between
    found = other.read([state.id for state in STATES], places)
    assert seen
    assert {mark.seq for mark in found.marks} == {10}
    assert found.packed[: len(STATES)] == found.packed[-len(STATES) :]
    assert store.read([], places[:1]).packed != found.packed[:1]


def test_a_plan_of_more_states_than_one_statement_reads_is_read_whole():
    store, names = Tiles(sqlite3.connect(":memory:")), [f"s{i}" for i in range(40)]
    for i, name in enumerate(names):
        store.put(Changes(marks={name: Mark(i, i)}))
    assert [mark.seq for mark in store.read(names, []).marks] == list(range(40))
