"""Sealing, snapshots, and reading them again."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from everloop import Source
from everloop.clock import microseconds
from everloop.errors import HouseBusy, StoreError, Unknown
from everloop.lake import event_schema, open_lake, read, read_source, receive, seal, snapshot
from everloop.lake.alone import alone
from everloop.lake.events import AT_ONCE

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source("orders", id="line_id", time="at", columns={"quantity": int})
people = Source("people", id="person_id", columns={"town": str})


@pytest.fixture
def lake(tmp_path):
    return open_lake(tmp_path / "lake")


def rows(first, last, quantity=1):
    return [{"line_id": f"l{n}", "at": NOON, "quantity": quantity} for n in range(first, last)]


def test_a_snapshot_is_read_again_as_it_was(lake):
    receive(lake, orders, rows(0, 5), now=NOON)
    first = snapshot(lake, [orders, people], now=NOON, id="first")
    as_it_was = read(lake, first, orders)
    receive(lake, orders, rows(3, 9, quantity=7), now=NOON)
    second = snapshot(lake, [orders], now=NOON, id="second")
    receive(lake, orders, rows(20, 21), now=NOON)
    assert read(lake, first, orders).equals(as_it_was)
    assert read(lake, second, orders).slice(0, 5).equals(as_it_was)
    assert [e.through_seq for e in first.extents] == [5, 0]
    assert [(e.version, e.through_seq, e.rows) for e in second.extents] == [(1, 11, 11)]
    assert read_source(lake, orders).num_rows == 12


def test_reading_gives_hot_rows_and_sealed_ones_alike(lake):
    receive(lake, orders, rows(0, 5), now=NOON)
    hot = read_source(lake, orders)
    seal(lake, orders)
    assert read_source(lake, orders).equals(hot)
    receive(lake, orders, rows(5, 7), now=NOON + timedelta(hours=1))
    assert read_source(lake, orders).column("seq").to_pylist() == [1, 2, 3, 4, 5, 6, 7]
    before = read_source(lake, orders, known_before=NOON + timedelta(minutes=1), columns=["quantity"])
    assert before.column_names == ["seq", "id", "version", "event_at", "known_at", "deleted", "quantity"]
    assert before.num_rows == 5
    assert read_source(lake, orders, known_before=NOON).num_rows == 0


def test_a_source_without_rows_is_empty_and_a_strange_one_unknown(lake):
    made = snapshot(lake, [people], now=NOON, id="s")
    assert read(lake, made, people).equals(event_schema(people).empty_table())
    assert read_source(lake, people).equals(event_schema(people).empty_table())
    with pytest.raises(Unknown, match="orders"):
        read(lake, made, orders)
    with pytest.raises(Unknown, match="colour"):
        read_source(lake, people, columns=["colour"])


def test_sealing_moves_every_row_once(lake):
    receive(lake, orders, rows(0, 3), now=NOON)
    assert [seal(lake, orders), seal(lake, orders)] == [3, 3]
    receive(lake, orders, rows(3, 4), now=NOON)
    assert seal(lake, orders) == 4
    assert (lake.tables.rows("events/orders"), lake.tables.version("events/orders")) == (4, 1)
    assert list(lake.log.unsealed("orders", event_schema(orders), after=0)) == []


def test_readers_hold_no_more_than_ten_thousand_rows_at_a_time(lake):
    receive(lake, orders, rows(0, 19_999), now=NOON)
    receive(lake, orders, rows(19_999, 25_000), now=NOON)
    pieces = list(lake.log.unsealed("orders", event_schema(orders), after=0))
    assert [p.num_rows for p in pieces] == [AT_ONCE, AT_ONCE, 5_000]
    assert seal(lake, orders) == 25_000
    assert lake.tables.version("events/orders") == 0


def test_only_one_seals_at_a_time(lake, monkeypatch):
    receive(lake, orders, rows(0, 3), now=NOON)
    monkeypatch.setattr("everloop.lake.events.alone", lambda file, what, patience: alone(file, what, patience=0))
    with lake.log.sealing("orders"), pytest.raises(HouseBusy, match="sealing orders"):
        seal(lake, orders)
    assert seal(lake, orders) == 3


def test_a_log_older_than_the_lake_is_told_before_numbers_are_given_out_twice(tmp_path):
    lake = open_lake(tmp_path / "lake")
    receive(lake, orders, rows(0, 3), now=NOON)
    seal(lake, orders)
    restored = open_lake(tmp_path / "lake", tmp_path / "older.db")
    receive(restored, orders, rows(0, 1), now=NOON)
    with pytest.raises(StoreError, match="older than the lake"):
        seal(restored, orders)


def test_rows_sealed_while_they_are_read_are_read_once(lake):
    receive(lake, orders, rows(0, 5), now=NOON)

    class SealedMeanwhile:
        def __getattr__(self, name):
            return getattr(lake.tables, name)

        def read(self, *args, **words):
            seal(lake, orders)
            return lake.tables.read(*args, **words)

    seen = read_source(type(lake)(lake.log, SealedMeanwhile()), orders)
    assert seen.column("seq").to_pylist() == [1, 2, 3, 4, 5]


def test_columns_declared_later_are_empty_in_what_came_before(lake):
    receive(lake, orders, rows(0, 2), now=NOON)
    made = snapshot(lake, [orders], now=NOON, id="s")
    wider = Source("orders", id="line_id", time="at", columns={"quantity": float, "shop": str})
    receive(lake, wider, {"line_id": "x", "at": NOON, "quantity": 1.5, "shop": "a"}, now=NOON)
    assert read_source(lake, wider).select(["quantity", "shop"]).to_pylist()[-2:] == [
        {"quantity": 1.0, "shop": None},
        {"quantity": 1.5, "shop": "a"},
    ]
    seal(lake, wider)
    assert read_source(lake, wider).select(["quantity", "shop"]).to_pylist()[-2:] == [
        {"quantity": 1.0, "shop": None},
        {"quantity": 1.5, "shop": "a"},
    ]
    assert read(lake, made, orders).column("quantity").to_pylist() == [1, 1]


def test_a_lake_elsewhere_must_say_where_its_log_is(tmp_path):
    with pytest.raises(StoreError, match="say where its log is"):
        open_lake("s3://shop/lake")
    with pytest.raises(StoreError, match="SQLite file"):
        open_lake(tmp_path, "postgresql://shop")
    assert open_lake(tmp_path / "lake", f"sqlite:///{tmp_path}/e.db").log.file == tmp_path / "e.db"


def test_a_file_that_is_no_log_is_told(tmp_path):
    (tmp_path / "events.db").write_bytes(b"this is no database, not by a long way" * 100)
    lake = open_lake(tmp_path / "lake")
    with pytest.raises(StoreError, match="no event log"):
        receive(lake, orders, rows(0, 1), now=NOON)


def test_a_log_of_a_newer_everloop_is_told(tmp_path):
    lake = open_lake(tmp_path / "lake")
    lake.log.connection().execute("PRAGMA user_version = 99")
    lake.log.close()
    with pytest.raises(StoreError, match="newer Everloop"):
        receive(lake, orders, rows(0, 1), now=NOON)


def test_instants_are_whole_microseconds_since_the_epoch(lake):
    receive(lake, orders, rows(0, 1), now=NOON)
    table = read_source(lake, orders)
    assert table.schema.field("known_at").type == pa.int64()
    assert table.column("known_at").to_pylist() == [microseconds(NOON)]
