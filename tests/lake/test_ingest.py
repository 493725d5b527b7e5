"""Ingesting files: each comes in once, whole or not at all."""

import gzip
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from everloop import Source, money, text
from everloop.clock import microseconds
from everloop.errors import EverloopError, HouseFull, StoreError
from everloop.lake import deliveries, ingest, open_lake, read_source, receive
from everloop.lake.delta import DeltaTables
from everloop.lake.rows import kept_together
from everloop.lake.take import look
from everloop.records import Refused

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source(
    "orders", id="line_id", time="at", columns={"product_id": str, "quantity": int, "price": money("EUR"), "gift": bool, "note": text}
)
CSV = """line_id,at,product_id,quantity,price,gift,note
001,2026-11-02T09:00:00Z,007,2,500,true,"two
lines, and a comma"
002,2026-11-02T09:30:00+01:00,,3.0,,False,
003,2026-11-02 10:00:00Z,7,,700,,"x"
"""


@pytest.fixture
def lake(tmp_path):
    return open_lake(tmp_path / "lake")


def table(first=0, last=10, **more):
    lines = range(first, last)
    at = [NOON - timedelta(minutes=n) for n in lines]
    return pa.table(
        {"line_id": [f"l{n}" for n in lines], "at": at, "quantity": pa.array(lines, pa.int64()), "price": pa.array(lines)} | more
    )


def whole(columns):
    return columns | {"product_id": None, "gift": None, "note": None}


def parquet_file(tmp_path, name="orders.parquet", **words):
    parquet.write_table(table(**words), tmp_path / name)
    return tmp_path / name


def test_rows_that_say_they_happened_after_they_were_known_are_counted_and_told(lake, tmp_path):
    shift = timedelta(hours=6)
    late = parquet_file(tmp_path, at=[NOON - timedelta(minutes=n) + (shift if n < 7 else timedelta(0)) for n in range(10)])
    received = ingest(lake, orders, late, now=NOON)
    assert (received.kept, received.ahead) == (10, 7)
    assert received.doubt.startswith("7 rows say they happened after they were known; they count as happened when they were known.")
    assert ingest(lake, orders, late, now=NOON).doubt == ""
    single = {"line_id": "s1", "at": NOON + shift, "quantity": 1}
    one = receive(lake, orders, single, now=NOON)
    assert (one.ahead, one.then(received).ahead) == (1, 8)
    # A clock may be half a minute off; history is known after it happened, whenever that was.
    assert receive(lake, orders, {**single, "line_id": "s2", "at": NOON + timedelta(seconds=30)}, now=NOON).ahead == 0
    assert receive(lake, orders, {**single, "line_id": "s3"}, now=NOON, known_after=timedelta(0)).ahead == 0


def test_csv_is_read_as_declared(lake, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(CSV)
    received = ingest(lake, orders, file, now=NOON, known_after=timedelta(0))
    assert (received.kept, received.refused) == (3, 0)
    rows = read_source(lake, orders).select(["id", "at", "product_id", "quantity", "price", "gift", "note"]).to_pylist()
    nine = microseconds(datetime(2026, 11, 2, 9, tzinfo=UTC))
    assert [tuple(r.values()) for r in rows] == [
        ("001", nine, "007", 2, 500, True, "two\nlines, and a comma"),
        ("002", nine - 1_800_000_000, None, 3, None, False, None),
        ("003", nine + 3_600_000_000, "7", None, 700, None, "x"),
    ]


def test_csv_may_be_gzipped(lake, tmp_path):
    with gzip.open(tmp_path / "orders.csv.gz", "wt") as file:
        file.write(CSV)
    assert ingest(lake, orders, tmp_path / "orders.csv.gz", now=NOON).kept == 3


def test_bad_csv_rows_are_refused_one_by_one_and_the_file_may_come_again(lake, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(
        "line_id,at,quantity,price\na,2026-11-02T09:00Z,1,1\nb,yesterday,1,1\nc,2026-11-02T09:00Z,many,2\nd,2026-11-02T09:00Z,1,five\n"
    )
    for kept, duplicates in ((1, 0), (0, 1)):
        received = ingest(lake, orders, file, now=NOON)
        assert (received.kept, received.duplicates, received.refused) == (kept, duplicates, 3)
        assert received.examples == (
            "row 2 (b): at is 'yesterday', no instant; write 2026-11-02T14:03:00Z",
            "row 3 (c): quantity is 'many', no whole number",
            "row 4 (d): price is 'five', no whole number of minor units",
        )


DECIMALS = 'in a column of decimals; money("EUR") is whole minor units: write 1250 for 12.50, or declare it unit("EUR")'
AT = "2026-11-02T09:00Z"


@pytest.mark.parametrize(
    "prices", [["12.50", "12.00", "7", ""], ["12.00", "7", "8", ""], ["12,50", "7", "8", ""], ["12.50", "1.25", "n/a", ""]]
)
def test_a_csv_in_euros_is_not_kept_as_cents_where_an_amount_happens_to_be_whole(lake, tmp_path, prices):
    file = tmp_path / "orders.csv"
    file.write_text("line_id,at,price\n" + "".join(f'{n},{AT},"{price}"\n' for n, price in enumerate(prices)))
    received = ingest(lake, orders, file, now=NOON)
    assert (received.kept, received.refused) == (1, 3)
    assert received.reasons == (Refused(column="price", why=DECIMALS, rows=3, example=f"row 1 (0): price is '{prices[0]}', {DECIMALS}"),)
    assert read_source(lake, orders).select(["line_id", "price"]).to_pylist() == [{"line_id": "3", "price": None}]


@pytest.mark.parametrize("dicts", [True, False])
def test_one_amount_with_a_fraction_takes_belief_from_all_of_its_delivery_and_of_no_other(lake, dicts):
    def delivery(*prices):
        rows = [{"line_id": f"{prices}{n}", "at": NOON, "quantity": 1, "price": price} for n, price in enumerate(prices)]
        return rows if dicts else pa.Table.from_pylist(rows)

    several = [delivery(3.0, 7.0), delivery(7.0, 12.5, None, float("inf")), delivery(5.0, None)]
    made = kept_together(orders, several)
    assert made.table.column("price").to_pylist() == [3, 7, None, 5, None]
    assert [one.refused for one in made.brought] == [0, 3, 0]
    assert made.brought[1].examples[0].endswith(f"price is 7.0, {DECIMALS}")
    received = receive(lake, orders, several[1], now=NOON)
    assert (received.kept, [(one.why, one.rows) for one in received.reasons]) == (1, [(DECIMALS, 3)])


def test_a_message_of_a_stream_in_euros_is_refused_whole():
    euros = [{"line_id": "a", "at": NOON, "price": 12.5}, {"line_id": "b", "at": NOON, "price": 7}]
    looked = look(orders, [euros, {"line_id": "c", "at": NOON, "price": 7}])
    assert (looked.good, list(looked.bad)) == ((0, 1), [0])
    assert looked.kept.table.column("line_id").to_pylist() == ["c"]


def test_all_that_is_refused_is_counted_by_reason_the_most_frequent_first(lake, tmp_path):
    file = tmp_path / "orders.csv"
    lines = ["a,yesterday,1,1", *(f"b{n},{AT},many,1" for n in range(7)), f",{AT},1,1", f"z,{AT},1,1", f"y,{AT},1,many"]
    file.write_text("line_id,at,quantity,price\n" + "\n".join(lines) + "\n")
    received = ingest(lake, orders, [file, _again(file, "again.csv", "many", "lots")], now=NOON)
    assert [(one.column, one.rows) for one in received.reasons] == [("quantity", 14), ("at", 2), ("line_id", 2), ("price", 2)]
    assert received.reasons[0].example == "row 2 (b0): quantity is 'many', no whole number"
    assert received.refused == sum(one.rows for one in received.reasons) == 20


def _again(file, name, old, new):
    other = file.with_name(name)
    other.write_text(file.read_text().replace(old, new))
    return other


def test_a_csv_column_that_is_nowhere_what_is_declared_is_left_empty_and_remembered(lake, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("line_id,at,quantity,price\na,2026-11-02T09:00Z,one,1\nb,2026-11-02T09:00Z,two,1\n")
    assert ingest(lake, orders, file, now=NOON).kept == 2
    assert deliveries(lake, orders)[-1].retyped == ("quantity came as string",)


@pytest.mark.parametrize("name", ["orders.parquet", "orders.arrow"])
def test_typed_files_are_read_whole(lake, tmp_path, name):
    if name.endswith("arrow"):
        with pa.ipc.new_file(tmp_path / name, table().schema) as file:
            file.write_table(table())
    else:
        parquet.write_table(table(), tmp_path / name)
    assert ingest(lake, orders, tmp_path / name, now=NOON).kept == 10
    kept = read_source(lake, orders)
    assert kept.column("quantity").to_pylist() == list(range(10))
    assert deliveries(lake, orders)[-1].name == name


def test_a_file_comes_in_once_whatever_it_is_called(lake, tmp_path):
    first = parquet_file(tmp_path)
    other = tmp_path / "copy.parquet"
    other.write_bytes(first.read_bytes())
    told = []
    received = ingest(lake, orders, [first, other, str(first)], now=NOON, progress=lambda *said: told.append(said))
    assert (received.kept, received.duplicates, received.through_seq) == (10, 20, 10)
    assert told == [("orders.parquet", 10), ("copy.parquet", 0), ("orders.parquet", 0)]
    assert len(deliveries(lake, orders)) == 1


def test_rows_are_known_again_across_files_and_single_events(lake, tmp_path):
    receive(lake, orders, {"line_id": "l3", "at": NOON - timedelta(minutes=3), "quantity": 3, "price": 3}, now=NOON)
    received = ingest(lake, orders, [parquet_file(tmp_path), parquet_file(tmp_path, "more.parquet", first=5, last=12)], now=NOON)
    assert (received.kept, received.duplicates) == (11, 6)
    corrected = receive(lake, orders, {"line_id": "l11", "at": NOON, "quantity": 99}, now=NOON)
    assert corrected.kept == 1
    assert read_source(lake, orders).select(["id", "version"]).to_pylist()[-1] == {"id": "l11", "version": 1}


def test_a_row_that_stands_twice_in_a_file_is_kept_once(lake, tmp_path):
    parquet.write_table(pa.concat_tables([table(), table(3, 5)]), tmp_path / "twice.parquet")
    received = ingest(lake, orders, tmp_path / "twice.parquet", now=NOON)
    assert (received.kept, received.duplicates) == (10, 2)


def test_a_large_file_takes_the_same_way(lake, tmp_path):
    file = parquet_file(tmp_path, last=25_000)
    assert ingest(lake, orders, file, now=NOON, known_after=timedelta(0)).kept == 25_000
    kept = read_source(lake, orders)
    assert kept.column("seq").to_pylist() == list(range(1, 25_001))
    assert kept.column("known_at").equals(kept.column("event_at"))
    assert list(lake.log.beside.glob("*.arrow")) == []


@pytest.mark.parametrize("name", ["cut.parquet", "cut.arrow", "cut.csv.gz", "ragged.csv", "empty.parquet", "empty.csv"])
def test_a_half_written_file_is_told_and_nothing_of_it_comes_in(lake, tmp_path, name):
    file = tmp_path / name
    if name == "ragged.csv":
        file.write_text(CSV + "004,2026-11-02T10")
    elif name == "cut.csv.gz":
        with gzip.open(file, "wt") as out:
            out.write(CSV * 1000)
        file.write_bytes(file.read_bytes()[:-20])
    elif name.startswith("cut"):
        whole = tmp_path / "whole"
        if name.endswith("parquet"):
            parquet.write_table(table(), whole)
        else:
            with pa.ipc.new_file(whole, table().schema) as out:
                out.write_table(table())
        file.write_bytes(whole.read_bytes()[: -len(whole.read_bytes()) // 3])
    else:
        file.write_bytes(b"")
    with pytest.raises(EverloopError, match="cannot be read"):
        ingest(lake, orders, file, now=NOON)
    assert lake.log.counters("orders").last_seq == 0
    assert read_source(lake, orders).num_rows == 0


def test_a_file_still_being_written_is_told(lake, tmp_path, monkeypatch):
    file = tmp_path / "orders.csv"
    file.write_text(CSV)
    from everloop.lake import files

    def slowly(path):
        os.utime(path, ns=(1, 1))
        return table()

    monkeypatch.setattr(files, "_csv", slowly)
    with pytest.raises(EverloopError, match="still being written"):
        ingest(lake, orders, file, now=NOON)


def test_a_file_that_is_not_there_or_is_no_table_is_told(lake, tmp_path):
    with pytest.raises(EverloopError, match="There is no file"):
        ingest(lake, orders, tmp_path / "nowhere.csv", now=NOON)
    (tmp_path / "orders.xlsx").write_bytes(b"PK")
    with pytest.raises(EverloopError, match="neither CSV, Parquet nor Arrow"):
        ingest(lake, orders, tmp_path / "orders.xlsx", now=NOON)


def test_files_before_a_bad_one_stay(lake, tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(EverloopError, match=r"bad\.parquet"):
        ingest(lake, orders, [parquet_file(tmp_path), tmp_path / "bad.parquet"], now=NOON)
    assert read_source(lake, orders).num_rows == 10


def test_no_room_for_the_table_leaves_the_rows_in_the_log(tmp_path, monkeypatch):
    lake = open_lake(tmp_path / "lake")
    file = parquet_file(tmp_path, last=25_000)

    def full(*_args, **_words):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("deltalake.write_deltalake", full)
        with pytest.raises(HouseFull):
            ingest(lake, orders, file, now=NOON)
    assert read_source(lake, orders).num_rows == 25_000
    assert ingest(lake, orders, file, now=NOON).duplicates == 25_000
    assert DeltaTables(str(tmp_path / "lake")).rows("events/orders") == 25_000


def test_no_room_for_the_log_keeps_nothing(lake, tmp_path, monkeypatch):
    def full(_events, path):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("everloop.lake.hot.to_file", full)
    with pytest.raises(HouseFull):
        ingest(lake, orders, parquet_file(tmp_path, last=25_000), now=NOON)
    assert lake.log.counters("orders").last_seq == 0
    assert list(lake.log.beside.glob("*.arrow")) == []
    assert deliveries(lake, orders) == []


def test_rows_that_are_refused_are_told_apart_from_those_that_came(tmp_path):
    lake = open_lake(tmp_path / "lake")
    file = tmp_path / "orders.csv"
    file.write_text("line_id,at,quantity\nl1,2026-11-01T00:00Z,1\nl2,2026-11-01T00:00Z,many\nl3,2026-11-01T00:00Z,2\n")
    counted = Source("counted", id="line_id", time="at", columns={"quantity": int})
    ingest(lake, counted, file, now=NOON)
    (one,) = deliveries(lake, counted)
    assert (one.rows, one.refused) == (2, 1)
    for line in ("l4", "l5"):
        receive(lake, counted, [{"line_id": line, "at": NOON, "quantity": 1}], now=NOON)
    receive(lake, counted, [{"line_id": "l6", "at": NOON, "quantity": "x"}], now=NOON)
    single = deliveries(lake, counted)[-1]
    assert (single.rows, single.refused) == (2, 0)  # what brought nothing is no delivery


def test_rows_whose_table_cannot_be_written_are_said_to_be_kept(tmp_path, monkeypatch):
    lake = open_lake(tmp_path / "lake")
    file = tmp_path / "orders.csv"
    file.write_text("line_id,at,quantity\nl1,2026-11-01T00:00Z,1\n")
    counted = Source("counted", id="line_id", time="at", columns={"quantity": int})

    def refuses(*_words, **_more):
        raise StoreError("s3://shop/lake: nobody is let in here")

    monkeypatch.setattr(type(lake.tables), "append_once", refuses)
    with pytest.raises(StoreError, match=r"nobody is let in here What came in until orders.csv is kept: 1 rows of counted wait"):
        ingest(lake, counted, file, now=NOON)
    monkeypatch.undo()
    assert read_source(lake, counted).num_rows == 1
    assert ingest(lake, counted, file, now=NOON).duplicates == 1
