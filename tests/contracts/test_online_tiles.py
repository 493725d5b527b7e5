"""SQLite tiles keep what every online store promises; and what is theirs alone: transactions."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from everloop.features.online import catch_up, states_of
from everloop.features.tiles import Tiles
from everloop.testing.online import DEMAND, ORDERS, READINGS, OnlineContract, log_of
from everloop.testing.plain import event_table


class TestTiles(OnlineContract):
    def store(self):
        return Tiles(sqlite3.connect(":memory:"))


def test_another_process_reads_what_one_has_folded(tmp_path):
    states = states_of(DEMAND, READINGS)
    with sqlite3.connect(tmp_path / "events.db") as writing:
        store = Tiles(writing)
        store.keep(states)
        catch_up(store, states, {"orders": event_table(ORDERS, log_of(30))})
    again = Tiles(sqlite3.connect(tmp_path / "events.db"))
    again.keep(states)
    assert again.mark(states[0]).seq == 30


def test_rows_and_tiles_are_one_transaction_where_the_caller_has_begun_one(tmp_path):
    states, table = states_of(DEMAND, READINGS), event_table(ORDERS, log_of(30))
    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    store = Tiles(connection)
    store.keep(states)
    connection.execute("BEGIN IMMEDIATE")
    store.fold("orders", table)
    connection.rollback()
    assert store.mark(states[0]).seq == 0
    assert not store.holds("orders", "o1")


def test_a_fold_that_breaks_in_the_middle_leaves_the_state_as_it_was(monkeypatch):
    states, table = states_of(DEMAND, READINGS), event_table(ORDERS, log_of(30))
    store = Tiles(sqlite3.connect(":memory:"))
    store.keep(states)
    store.fold("orders", table.slice(0, 10))
    before = [store.read(state, ["a"], None, None) for state in states]
    taken = []

    def breaking(*row):
        taken.append(row)
        if len(taken) > 5:
            raise KeyboardInterrupt
        return Tiles._take_in(store, *row)

    monkeypatch.setattr(store, "_take_in", breaking)
    with pytest.raises(KeyboardInterrupt):
        store.fold("orders", table.slice(10))
    assert [store.read(state, ["a"], None, None) for state in states] == before
    assert store.mark(states[0]).seq == 10


MUTANTS = ["merged", "edges", "put_in"]


@pytest.mark.parametrize("name", MUTANTS)
def test_the_contract_finds_out_a_store_that_reads_otherwise(monkeypatch, name):
    from everloop.features import online, tiles

    real = {"merged": online.merged, "edges": online.edges, "put_in": tiles.put_in}[name]

    def later_edge(window, moment):
        start, stop = real(window, moment)
        return (None if start is None else start + 1), stop

    def older_wins(left, right):
        return replace(real(left, right), last=left.last) if left.rows and right.rows else real(left, right)

    def by_arrival(state, row):
        put = real(state, row)
        return None if put is None else ((put[0][0], put[0][1] + (state.hop if state.hop > 1 else 0)), put[1])

    mutant = {"merged": older_wins, "edges": later_edge, "put_in": by_arrival}[name]
    for module in (online, tiles):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, mutant)
    with pytest.raises(AssertionError):
        TestTiles().test_read_now_is_what_training_reads()
