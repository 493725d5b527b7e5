"""Receiving rows: what is kept, what is refused and why, and when it is known."""

import os
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from everloop import Source, money, text, unit
from everloop.clock import microseconds
from everloop.errors import EverloopError, HouseBusy, HouseFull, StoreError
from everloop.lake import ALWAYS, deliveries, event_schema, open_lake, read_source, receive
from everloop.lake.shape import SEPARATOR
from everloop.lake.trouble import told

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NINE = NOON - timedelta(hours=3)
orders = Source("orders", id="line_id", time="at", columns={"quantity": int, "price": money("EUR")})


@pytest.fixture
def lake(tmp_path):
    return open_lake(tmp_path / "lake")


def row(line="l1", at=NINE, quantity=2, price=5_00, **more):
    return {"line_id": line, "at": at, "quantity": quantity, "price": price, **more}


def column(lake, source, name):
    return read_source(lake, source).column(name).to_pylist()


# -- what is kept ------------------------------------------------------------------------------------------------------------------


def test_a_row_becomes_an_event_of_the_declared_shape(lake):
    received = receive(lake, orders, [row()], now=NOON)
    table = read_source(lake, orders)
    assert (received.kept, received.duplicates, received.refused, received.through_seq) == (1, 0, 0, 1)
    assert table.schema == event_schema(orders)
    assert table.to_pylist() == [
        {
            "seq": 1,
            "id": "l1",
            "version": 0,
            "event_at": microseconds(NINE),
            "known_at": microseconds(NOON),
            "deleted": False,
            "line_id": "l1",
            "at": microseconds(NINE),
            "quantity": 2,
            "price": 500,
        }
    ]


def test_the_same_row_again_is_no_matter_and_a_differing_one_is_the_next_version(lake):
    for quantity, kept in ((2, 1), (2, 0), (3, 1), (3, 0), (2, 1)):
        assert receive(lake, orders, row(quantity=quantity), now=NOON).kept == kept
    assert column(lake, orders, "version") == [0, 1, 2]
    assert column(lake, orders, "quantity") == [2, 3, 2]


def test_a_delivery_that_comes_twice_comes_once_even_if_it_corrects_itself(lake):
    delivery = [row(quantity=1), row(quantity=2), row("l2"), row(quantity=3)]
    assert receive(lake, orders, delivery, now=NOON).kept == 4
    again = receive(lake, orders, delivery, now=NOON)
    assert (again.kept, again.duplicates, again.through_seq) == (0, 4, 4)


def test_a_version_column_decides_and_later_arrival_does_not(lake):
    source = Source("orders", id="line_id", time="at", version="updated_at", columns={"quantity": int})
    said = [(NOON, 3), (NINE, 1), (NOON, 9)]
    received = receive(lake, source, [{"line_id": "l1", "at": NINE, "updated_at": at, "quantity": q} for at, q in said], now=NOON)
    assert (received.kept, received.duplicates) == (2, 1)
    assert column(lake, source, "version") == [microseconds(NOON), microseconds(NINE)]
    assert column(lake, source, "quantity") == [3, 1]
    assert receive(lake, source, {"line_id": "l1", "at": NINE, "updated_at": NINE, "quantity": 7}, now=NOON).kept == 0


def test_a_row_without_its_version_is_refused(lake):
    source = Source("orders", id="line_id", version="v", columns={})
    received = receive(lake, source, [{"line_id": "a"}, {"line_id": "b", "v": 1.5}, {"line_id": "c", "v": 2.0}], now=NOON)
    assert received.kept == 1
    assert received.examples == ("row 1 (a): v is empty", "row 2 (b): v is 1.5, neither a whole number nor an instant")


@pytest.mark.parametrize("filled", [True, NOON, "2026-11-02", "true", 1])
def test_a_deleted_column_that_is_filled_takes_the_row_out(lake, filled):
    source = Source("orders", id="line_id", time="at", deleted="gone", columns={"quantity": int})
    receive(lake, source, [{"line_id": "l1", "at": NINE, "quantity": 1, "gone": None}], now=NOON)
    receive(lake, source, [{"line_id": "l1", "gone": filled}], now=NOON)
    assert column(lake, source, "deleted") == [False, True]
    assert column(lake, source, "event_at")[1] == column(lake, source, "known_at")[1]


@pytest.mark.parametrize("empty", [False, None, "", "false", 0, float("nan")])
def test_a_deleted_column_that_says_no_leaves_it_in(lake, empty):
    source = Source("orders", id="line_id", time="at", deleted="gone", columns={})
    receive(lake, source, [{"line_id": "l1", "at": NINE, "gone": empty}], now=NOON)
    assert column(lake, source, "deleted") == [False]


def test_parts_of_an_id_are_kept_apart(lake):
    source = Source("prices", id=["shop", "product"], columns={"product": int})
    receive(lake, source, [{"shop": "a", "product": 1}, {"shop": "a", "product": 2}, {"shop": "a1", "product": 1}], now=NOON)
    assert column(lake, source, "id") == [f"a{SEPARATOR}1", f"a{SEPARATOR}2", f"a1{SEPARATOR}1"]
    refused = receive(lake, source, {"shop": f"a{SEPARATOR}1", "product": 1}, now=NOON)
    assert refused.refused == 1
    assert "U+001F" in refused.examples[0]


def test_unknown_keys_are_passed_over(lake):
    assert receive(lake, orders, [row(colour="red")], now=NOON).kept == 1
    assert read_source(lake, orders).schema == event_schema(orders)


def test_no_rows_are_no_matter(lake):
    for nothing in ([], (), pa.table({}), pa.table({"line_id": pa.array([], pa.string())})):
        received = receive(lake, orders, nothing, now=NOON)
        assert (received.kept, received.refused, received.through_seq) == (0, 0, 0)
    assert read_source(lake, orders).num_rows == 0
    assert deliveries(lake, orders) == []


# -- when it is known --------------------------------------------------------------------------------------------------------------


def test_rows_are_known_one_after_another_even_when_the_clock_is_set_back(lake):
    for n, now in enumerate((NOON, NOON, NOON - timedelta(days=400), NOON + timedelta(hours=1))):
        receive(lake, orders, [row(f"a{n}"), row(f"b{n}")], now=now)
    known = np.array(column(lake, orders, "known_at"))
    assert (np.diff(known) > 0).all()
    assert known[-2:].tolist() == [microseconds(NOON + timedelta(hours=1)), microseconds(NOON + timedelta(hours=1)) + 1]
    assert column(lake, orders, "seq") == list(range(1, 9))


def test_what_claims_to_come_from_the_future_happened_when_it_came(lake):
    receive(lake, orders, row(at=NOON + timedelta(days=9)), now=NOON)
    assert column(lake, orders, "event_at") == [microseconds(NOON)]
    assert column(lake, orders, "at") == [microseconds(NOON + timedelta(days=9))]


def test_history_is_known_so_long_after_it_happened(lake):
    receive(lake, orders, [row("l1"), row("l2", at=NINE - timedelta(days=1))], now=NOON, known_after=timedelta(minutes=1))
    assert column(lake, orders, "known_at") == [microseconds(NINE) + 60_000_000, microseconds(NINE) + 60_000_000 - 86_400_000_000]


def test_a_source_may_say_itself_when_a_row_was_known(lake):
    source = Source("plans", id="plan_id", time="starts", known="announced", columns={})
    rows = [{"plan_id": "a", "starts": NOON, "announced": NINE}, {"plan_id": "b", "starts": NINE, "announced": None}]
    receive(lake, source, rows, now=NOON)
    assert column(lake, source, "known_at") == [microseconds(NINE), microseconds(NOON)]
    assert column(lake, source, "event_at") == [microseconds(NINE)] * 2


def test_versions_of_one_id_are_known_one_after_another(lake):
    source = Source("orders", id="line_id", time="at", known="known", columns={"quantity": int})
    rows = [{"line_id": "l1", "at": NINE, "known": NOON - timedelta(hours=h), "quantity": h} for h in range(3)]
    receive(lake, source, rows[:2], now=NOON)
    receive(lake, source, rows[2:], now=NOON)
    first = microseconds(NOON)
    hour = 3_600_000_000
    assert column(lake, source, "known_at") == [first - hour, first, first + 1]
    assert column(lake, source, "quantity") == [1, 0, 2]


def test_what_an_undated_row_first_says_was_always_true(lake):
    people = Source("people", id="person_id", columns={"town": str})
    for town in ("Ulm", "Ulm", "Bonn"):
        receive(lake, people, {"person_id": "p", "town": town}, now=NOON)
    assert column(lake, people, "event_at") == [ALWAYS, microseconds(NOON)]
    assert column(lake, people, "known_at") == [ALWAYS, microseconds(NOON)]


def test_knowing_before_it_happens_is_refused(lake):
    with pytest.raises(EverloopError, match="below zero"):
        receive(lake, orders, row(), now=NOON, known_after=timedelta(minutes=-1))


def test_an_instant_without_a_zone_needs_the_sources(lake):
    naive = row(at=datetime(2026, 7, 1, 12))
    assert "without a zone" in receive(lake, orders, naive, now=NOON).examples[0]
    berlin = Source("orders", id="line_id", time="at", zone="Europe/Berlin", columns={})
    receive(lake, berlin, [naive, row("l2", at="2026-07-01T12:00:00"), row("l3", at=date(2026, 7, 1))], now=NOON)
    ten = microseconds(datetime(2026, 7, 1, 10, tzinfo=UTC))
    assert column(lake, berlin, "at") == [ten, ten, ten - 12 * 3_600_000_000]


# -- what is refused ---------------------------------------------------------------------------------------------------------------


def test_bad_rows_are_refused_one_by_one_with_row_column_value_and_why(lake):
    rows = [row("l1"), row(None), row("l2", quantity=2.5), row("l3", at=None), row("l4", price="much"), row(""), row("l5", quantity=True)]
    received = receive(lake, orders, [*rows, row("l6", price=Decimal("5"))], now=NOON)
    assert (received.kept, received.refused) == (1, 7)
    assert received.examples == (
        "row 2: line_id is empty",
        "row 3 (l2): quantity is 2.5, no whole number",
        "row 4 (l3): at is empty",
        "row 5 (l4): price is 'much', no whole number of minor units",
        "row 6: line_id is empty",
    )


KINDS = Source(
    "things",
    id="thing_id",
    columns={"i": int, "f": float, "b": bool, "s": str, "t": text, "d": datetime, "y": date, "m": money("EUR"), "u": unit("kg")},
)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("i", 3.0, 3),
        ("i", np.int64(3), 3),
        ("i", float("nan"), None),
        ("i", -(2**63), -(2**63)),
        ("m", 12.0, 12),
        ("f", 3, 3.0),
        ("f", Decimal("1.5"), 1.5),
        ("f", -0.0, 0.0),
        ("f", np.float32(0.5), 0.5),
        ("u", 1e300, 1e300),
        ("b", np.bool_(True), True),
        ("s", "", ""),
        ("s", "ü\x00'; DROP TABLE hot; --", "ü\x00'; DROP TABLE hot; --"),
        ("t", "a" * 100_000, "a" * 100_000),
        ("d", pd.Timestamp("2026-11-02T12:00Z"), microseconds(NOON)),
        ("d", pd.NaT, None),
        ("d", "2026-11-02T13:00+01:00", microseconds(NOON)),
        ("y", "2026-11-02", date(2026, 11, 2)),
        ("y", datetime(2026, 11, 2), date(2026, 11, 2)),
        ("s", pd.NA, None),
        ("s", None, None),
    ],
)
def test_values_are_kept_as_their_kind_has_them(lake, name, value, kept):
    received = receive(lake, KINDS, {"thing_id": "x", name: value}, now=NOON)
    assert received.examples == ()
    assert column(lake, KINDS, name) == [kept]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("i", 2**63, "too large a number"),
        ("i", 1e300, "too large a number"),
        ("i", "1", "no whole number"),
        ("i", True, "no whole number"),
        ("i", float("inf"), "no whole number"),
        ("m", 12.34, 'in a column of decimals; money("EUR") is whole minor units: write 1250 for 12.50, or declare it unit("EUR")'),
        ("m", "12", "no whole number of minor units"),
        ("f", "1", "no number"),
        ("f", float("-inf"), "no finite number"),
        ("f", 10**400, "too large a number"),
        ("f", True, "no number"),
        ("b", 1, "neither true nor false"),
        ("b", "yes", "neither true nor false"),
        ("s", 1, "no text"),
        ("t", b"x", "no text"),
        ("s", "\ud800", "no valid text"),
        ("d", 1_700_000_000, "no instant; write 2026-11-02T14:03:00Z"),
        ("d", "yesterday", "no instant; write 2026-11-02T14:03:00Z"),
        ("y", NOON, "no date; write 2026-11-02"),
        ("y", "2026-11-02T09:00:00", "no date; write 2026-11-02"),
        ("y", 20, "no date; write 2026-11-02"),
        ("s", ["a"], "no text"),
        ("i", {"a": 1}, "no whole number"),
        ("i", pd.Timestamp("2026-11-02"), "no whole number"),
    ],
)
def test_values_of_another_kind_are_refused(lake, name, value, why):
    received = receive(lake, KINDS, {"thing_id": "x", name: value}, now=NOON)
    assert received.kept == 0
    assert received.examples[0].endswith(f", {why}")
    assert received.examples[0].startswith(f"row 1 (x): {name} is ")


def test_what_is_no_row_is_told(lake):
    with pytest.raises(EverloopError, match="Row 2 is int and no row"):
        receive(lake, orders, [row(), 7], now=NOON)
    with pytest.raises(EverloopError, match="no time zone"):
        receive(lake, orders, [row()], now=datetime(2026, 11, 2))
    assert read_source(lake, orders).num_rows == 0


# -- tables ------------------------------------------------------------------------------------------------------------------------


def test_an_arrow_table_is_read_as_declared_and_its_numbers_may_be_keys(lake):
    source = Source("orders", id="line_id", time="at", zone="Europe/Berlin", columns={"shop": str, "weight": float, "gift": bool, "n": int})
    table = pa.table(
        {
            "line_id": pa.array([1, 2], pa.int32()),
            "at": pa.array([datetime(2026, 7, 1, 12), datetime(2026, 1, 1, 12)], pa.timestamp("ns")),
            "shop": pa.array(["a", None]).dictionary_encode(),
            "weight": pa.array([1, 2]),
            "gift": [True, None],
            "n": [1.0, float("nan")],
        }
    )
    assert receive(lake, source, table, now=NOON).kept == 2
    kept = read_source(lake, source)
    assert kept.column("id").to_pylist() == ["1", "2"]
    assert kept.column("at").to_pylist() == [
        microseconds(datetime(2026, 7, 1, 10, tzinfo=UTC)),
        microseconds(datetime(2026, 1, 1, 11, tzinfo=UTC)),
    ]
    assert kept.select(["shop", "weight", "gift", "n"]).to_pylist() == [
        {"shop": "a", "weight": 1.0, "gift": True, "n": 1},
        {"shop": None, "weight": 2.0, "gift": None, "n": None},
    ]


def test_an_hour_the_clocks_skipped_is_the_same_instant_from_a_table_and_from_a_dict(tmp_path):
    berlin = Source("orders", id="line_id", time="at", zone="Europe/Berlin", columns={})
    times = [datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30), datetime(2026, 7, 1)]
    tables = []
    for n, rows in enumerate(([row(str(i), at=at) for i, at in enumerate(times)], pa.table({"line_id": ["0", "1", "2"], "at": times}))):
        lake = open_lake(tmp_path / str(n) / "lake")
        receive(lake, berlin, rows, now=NOON, known_after=timedelta(0))
        tables.append(read_source(lake, berlin))
    assert tables[0].equals(tables[1])


def test_a_column_of_another_type_is_left_empty_and_remembered(lake):
    table = pa.table({"line_id": ["a", "b"], "at": [NINE, NINE], "quantity": ["two", "3"], "price": [Decimal("1.50"), None]})
    received = receive(lake, orders, table, now=NOON)
    assert (received.kept, received.refused) == (2, 0)
    assert column(lake, orders, "quantity") == [None, None]
    assert deliveries(lake, orders)[0].retyped == ("quantity came as string", "price came as decimal128(3, 2)")


def test_an_id_of_another_type_refuses_every_row(lake):
    received = receive(lake, orders, pa.table({"line_id": [1.5], "at": [NINE]}), now=NOON)
    assert received.examples == ("row 1: line_id came as double, which it cannot be",)


def test_missing_and_new_columns_are_remembered_until_they_are_put_right(lake):
    first = pa.table({"line_id": ["a"], "at": [NINE], "quantity": [1], "price": [1], "tip": [1]})
    receive(lake, orders, first, now=NOON)
    receive(lake, orders, pa.table({"line_id": ["b"], "at": [NINE], "quantity": [1], "tip": [2], "shop": ["x"]}), now=NOON)
    assert [(d.missing, d.new) for d in deliveries(lake, orders)] == [((), ()), (("price",), ("shop",))]
    receive(lake, orders, first.set_column(0, "line_id", pa.array(["c"])), now=NOON)
    assert [(d.number, d.first_seq, d.last_seq, d.new) for d in deliveries(lake, orders)][-1] == (3, 3, 3, ())


def test_a_column_that_comes_twice_is_told(lake):
    with pytest.raises(EverloopError, match="at comes twice"):
        receive(lake, orders, pa.table([["a"], [NINE], [NINE]], names=["line_id", "at", "at"]), now=NOON)


def test_single_events_of_a_day_are_one_delivery_and_need_not_say_everything(lake):
    for n in range(25):
        receive(lake, orders, {"line_id": f"l{n}", "at": NINE, **({"price": 1} if n == 3 else {})}, now=NOON)
        if n < 18:
            assert deliveries(lake, orders)[-1].missing == ()
    receive(lake, orders, {"line_id": "m", "at": NINE}, now=NOON + timedelta(days=1))
    assert [(d.rows, d.last_seq, d.missing) for d in deliveries(lake, orders)] == [(25, 25, ("quantity",)), (1, 26, ())]


def test_equal_ids_of_two_shops_are_two_rows_and_a_row_of_no_shop_is_refused(lake):
    sales = Source("sales", id="line_id", time="at", columns={"shop": str, "quantity": int}, apart="shop")
    received = receive(lake, sales, [{"line_id": "l1", "at": NINE, "shop": shop, "quantity": 1} for shop in ("a", "b", None)], now=NOON)
    assert (received.kept, received.refused) == (2, 1)
    assert column(lake, sales, "id") == ["a\x1fl1", "b\x1fl1"]


# -- all or nothing ----------------------------------------------------------------------------------------------------------------


def test_what_is_done_alongside_happens_in_the_same_commit_or_neither_does(lake):
    def tiles(connection, events):
        connection.execute("CREATE TABLE IF NOT EXISTS tiles (id)")
        connection.executemany("INSERT INTO tiles VALUES (?)", [(name,) for _, name, *_ in events.rows])
        if any("bad" in one for one in events.rows):
            raise ZeroDivisionError

    beside = replace(lake, also=lambda _source: tiles)
    receive(beside, orders, row("good"), now=NOON)
    with pytest.raises(ZeroDivisionError):
        receive(beside, orders, row("bad"), now=NOON)
    assert column(lake, orders, "id") == ["good"]
    assert lake.log.connection().execute("SELECT id FROM tiles").fetchall() == [("good",)]


@pytest.mark.parametrize("free", [0, 1 << 18])
def test_an_event_log_that_cannot_be_written_is_on_a_full_disk_only_where_nothing_is_free(tmp_path, monkeypatch, free):
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free, f_frsize=4096))
    with pytest.raises(StoreError) as raised, told(str(tmp_path / "events.db")):
        raise sqlite3.OperationalError("disk I/O error")
    assert type(raised.value) is (StoreError if free else HouseFull)


def test_a_full_disk_is_told_and_nothing_is_half_written(lake):
    receive(lake, orders, [row("l1")], now=NOON)
    connection = lake.log.connection()
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + 2}")
    with pytest.raises(HouseFull, match=r"no room left for .*events\.db"):
        receive(lake, orders, [row(f"m{n}") for n in range(5_000)], now=NOON)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert column(lake, orders, "id") == ["l1"]
    assert receive(lake, orders, [row("l2")], now=NOON).through_seq == 2


def test_a_writer_that_does_not_let_go_is_told(lake, monkeypatch):
    receive(lake, orders, row("l1"), now=NOON)
    monkeypatch.setattr("everloop.lake.events._BUSY_SECONDS", 0.01)
    other = open_lake(lake.tables.folder)
    with lake.log.arrivals("orders"), pytest.raises(HouseBusy, match="too long"):
        receive(other, orders, row("l2"), now=NOON)
    assert receive(other, orders, row("l2"), now=NOON).kept == 1


def test_threads_may_receive_at_once(lake):
    def send(name):
        for n in range(20):
            receive(lake, orders, [row(f"{name}{n}"), row(f"both{n}")], now=NOON)

    senders = [threading.Thread(target=send, args=(name,)) for name in "abc"]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert column(lake, orders, "seq") == list(range(1, 81))
    assert (np.diff(column(lake, orders, "known_at")) > 0).all()


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.date32()])
def test_instants_out_of_this_world_are_refused(lake, kind):
    most = 10**9 if kind == pa.date32() else 8 * 10**18
    counted = pa.array([most, 0, -most], pa.int64()).cast(pa.int32() if kind == pa.date32() else pa.int64())
    far = counted.cast(kind)
    for zone, kept in (("UTC", 1), (None, 0)):
        source = Source("orders", id="line_id", time="at", zone=zone, columns={"due": date})
        received = receive(lake, source, pa.table({"line_id": ["a", "b", "c"], "at": far, "due": far}), now=NOON)
        assert received.kept == kept
        assert "outside the years 1 to 9999" in received.examples[0]
    assert column(lake, orders, "at") == [0]


@pytest.mark.parametrize("shape", ["dicts", "table"])
def test_a_history_need_not_be_sorted_within_a_delivery(lake, shape):
    revised = Source("revised", id="line_id", time="at", version="rev", known="seen", zone="UTC", columns={"quantity": int})
    days_of = [datetime(2026, 11, n, tzinfo=UTC) for n in (1, 2, 3)]
    first = {"line_id": "a", "at": days_of[0], "rev": 1, "seen": days_of[1], "quantity": 1}
    rows = [{**first, "rev": 2, "seen": days_of[2], "quantity": 2}, {**first, "line_id": "b", "seen": None}, first]
    receive(lake, revised, rows if shape == "dicts" else pa.Table.from_pylist(rows), now=NOON + timedelta(days=30))
    found = read_source(lake, revised)
    assert found["id"].to_pylist() == ["a", "a", "b"]
    assert found["version"].to_pylist() == [1, 2, 1]
    assert found["known_at"].to_pylist()[:2] == [microseconds(at) for at in days_of[1:]]
