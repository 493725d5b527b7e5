"""What every backend of the lake must be able to do, as tests to inherit.

    class TestLogElsewhere(EventLogSuite):
        def open(self, folder):
            return my_log(folder)

``open`` gives the noun under test, empty, new for each test; called again with the same folder it gives the same one, as another process
would see it. Without an ``open`` of its own a suite runs on the embedded backend.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from everloop.errors import HouseBusy, StoreError
from everloop.lake.delta import DeltaTables
from everloop.lake.events import SqliteLog
from everloop.lake.shape import OWN, EventRows
from everloop.lake.tables import Delivery, EventLog, Origin, Tables

_KINDS = [("quantity", pa.int64()), ("weight", pa.float64()), ("note", pa.string()), ("day", pa.date32()), ("gift", pa.bool_())]
SCHEMA = pa.schema([*OWN, *_KINDS])


def events(first: int, last: int, *, version: int = 0) -> pa.Table:
    """An event table of the rows ``first`` to ``last``, every third column of them empty somewhere.

    >>> events(3, 4).column("id").to_pylist()
    ['l3', 'l4']
    """
    seq = range(first, last + 1)
    columns = {
        "seq": list(seq),
        "id": [f"l{n}" for n in seq],
        "version": [version] * len(seq),
        "event_at": [n * 10 for n in seq],
        "known_at": [n * 10 + 1 for n in seq],
        "deleted": [n % 5 == 0 for n in seq],
        "quantity": [None if n % 3 == 0 else n for n in seq],
        "weight": [n / 3 for n in seq],
        "note": [None if n % 2 else 'ü"\x00\n' for n in seq],
        "day": [datetime(2026, 11, 2).date()] * len(seq),
        "gift": [n % 2 == 0 for n in seq],
    }
    return pa.table(columns, schema=SCHEMA)


def delivery(number: int) -> Delivery:
    """A delivery of this number.

    >>> delivery(2).number
    2
    """
    at = datetime(2026, 11, 2, tzinfo=UTC)
    return Delivery(source="orders", number=number, at=at, first_seq=1, last_seq=2, rows=2, new=("tip",), columns=(("tip", "int64"),))


class EventLogSuite:
    """A log keeps what arrived, in order, once, until it is told to let go."""

    def open(self, folder: Path) -> EventLog:
        return SqliteLog(folder / "events.db")

    def arrive(self, log: EventLog, first: int, last: int, source: str = "orders") -> None:
        with log.arrivals(source) as arrival:
            table = events(first, last)
            arrival.append(table, np.arange(table.num_rows, dtype=np.int64) + 100, last_known=last * 10)

    def unsealed(self, log: EventLog, after: int = 0) -> pa.Table:
        return pa.concat_tables([SCHEMA.empty_table(), *log.unsealed("orders", SCHEMA, after=after)])

    def test_what_arrived_is_given_back_as_it_was(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 7)
        self.arrive(log, 8, 9)
        assert self.unsealed(log).equals(events(1, 9))
        assert self.unsealed(log, after=8).equals(events(9, 9))
        assert (log.counters("orders").last_seq, log.counters("orders").last_known) == (9, 90)

    def test_many_rows_at_once_are_given_back_as_they_were_among_single_ones(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        for first, last in ((1, 2), (3, 30_002), (30_003, 30_003)):
            self.arrive(log, first, last)
        pieces = list(log.unsealed("orders", SCHEMA, after=0))
        assert pa.concat_tables(pieces).equals(events(1, 30_003))
        log.sealed("orders", 30_002)
        assert self.unsealed(log).equals(events(30_003, 30_003))

    def test_an_arrival_that_fails_never_was(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 2)
        for last in (4, 40_000):
            with pytest.raises(ZeroDivisionError), log.arrivals("orders") as arrival:
                table = events(3, last)
                arrival.append(table, np.zeros(table.num_rows, dtype=np.int64), last_known=5)
                arrival.note(delivery(1))
                raise ZeroDivisionError
        again = self.open(tmp_path)
        assert self.unsealed(again).equals(events(1, 2))
        assert again.counters("orders").last_seq == 2
        assert again.deliveries("orders") == []

    def test_every_version_of_an_id_is_known(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 3)
        with log.arrivals("orders") as arrival:
            later = events(4, 4, version=3).set_column(1, "id", pa.array(["l2"]))
            arrival.append(later, np.array([-(2**63)]), last_known=99)
        with log.arrivals("orders") as arrival:
            known = arrival.known(["l9", "l2", "l1"])
        assert sorted(known) == [("l1", 0, 11, 100), ("l2", 0, 21, 101), ("l2", 3, 41, -(2**63))]

    def test_a_few_rows_are_kept_as_a_table_of_them_is(self, tmp_path: Path) -> None:
        log, table = self.open(tmp_path), events(1, 3)
        few = EventRows(SCHEMA, list(zip(*(column.to_pylist() for column in table.columns), strict=True)))
        with log.arrivals("orders") as arrival:
            arrival.append(few, [100, 101, 102], last_known=9)
        with log.arrivals("orders") as arrival:
            assert sorted(arrival.known(["l2"])) == [("l2", 0, 21, 101)]
        assert self.unsealed(log).equals(table)
        assert few.table().equals(table)

    def test_a_version_that_is_forgotten_may_come_again(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 3)
        with log.arrivals("orders") as arrival:
            arrival.forget([("l2", 0)])
            assert [one.id for one in arrival.known(["l1", "l2"])] == ["l1"]

    def test_sources_do_not_mix(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 3)
        self.arrive(log, 1, 1, source="returns")
        log.sealed("returns", 1)
        assert self.unsealed(log).equals(events(1, 3))
        assert log.counters("returns").last_seq == 1
        with log.arrivals("returns") as arrival:
            assert arrival.known(["l2"]) == []

    def test_deliveries_are_remembered_and_can_be_said_again(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        with log.arrivals("orders") as arrival:
            arrival.note(delivery(1))
            arrival.note(delivery(2))
            arrival.note(delivery(1))
            assert arrival.deliveries(only_last=True) == [delivery(2)]
        again = self.open(tmp_path)
        assert again.deliveries("orders") == again.deliveries("orders", newest=3) == [delivery(1), delivery(2)]
        assert again.deliveries("orders", newest=1) == [delivery(2)]

    def test_a_delivery_says_where_a_file_lay_and_how_far_streams_were_taken(self, tmp_path: Path) -> None:
        log, origin = self.open(tmp_path), Origin(url="s3://shop/a.csv", size=9, written_at=7, etag="e1")
        told = msgspec.structs.replace(delivery(1), origin=origin, marks=(("shop", 41),))
        with log.arrivals("orders") as arrival:
            arrival.note(told)
        assert self.open(tmp_path).deliveries("orders") == [told]

    def test_what_was_let_go_of_is_still_known(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 3)
        log.sealed("orders", 3)
        assert self.unsealed(log).num_rows == 0
        assert log.counters("orders").last_seq == 3
        with log.arrivals("orders") as arrival:
            assert [one.version for one in arrival.known(["l2"])] == [0]

    def test_writers_stand_in_a_line(self, tmp_path: Path) -> None:
        self.arrive(self.open(tmp_path), 1, 1)

        def write() -> None:
            mine = self.open(tmp_path)
            for _ in range(25):
                with mine.arrivals("orders") as arrival:
                    next_one = arrival.counters.last_seq + 1
                    arrival.append(events(next_one, next_one), np.array([0]), last_known=next_one)

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert self.unsealed(self.open(tmp_path)).column("seq").to_pylist() == list(range(1, 77))

    def test_what_arrived_is_there_when_it_is_synced_and_let_go_of(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.synced()
        self.arrive(log, 1, 2)
        log.synced()
        log.close()
        log.close()
        assert self.unsealed(self.open(tmp_path)).equals(events(1, 2))
        self.arrive(log, 3, 3)
        assert self.unsealed(log).equals(events(1, 3))

    def test_an_arrival_that_died_in_its_transaction_keeps_nobody_out(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt), log.arrivals("orders") as arrival:
                arrival.append(events(1, 1), np.array([0]), last_known=1)
                raise KeyboardInterrupt
        self.arrive(self.open(tmp_path), 1, 1)
        assert self.unsealed(log).equals(events(1, 1))

    def test_something_else_may_be_done_in_the_same_commit(self, tmp_path: Path) -> None:
        log, seen = self.open(tmp_path), []
        with log.arrivals("orders") as arrival:
            arrival.also(lambda _connection, table: seen.append(table.num_rows), events(1, 2))
        assert seen == [2]

    def test_who_reads_knows_that_something_went_and_what_stays_is_there(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.arrive(log, 1, 5)
        before = log.went
        with log.arrivals("orders") as arrival:
            arrival.forget([("l2", 0)])
        log.wiped()
        assert self.open(tmp_path).went != before
        assert self.unsealed(log).equals(events(1, 5))
        self.arrive(self.open(tmp_path), 6, 6)
        assert self.unsealed(log).equals(events(1, 6))

    def test_of_what_went_not_a_byte_is_left(self, tmp_path: Path) -> None:
        log, rare = self.open(tmp_path), "rare-7f3a91c2"
        with log.arrivals("orders") as arrival:
            many = events(1, 40).set_column(1, "id", pa.array([f"{rare}-{n}" for n in range(40)]))
            arrival.append(many, np.zeros(40, dtype=np.int64), last_known=9)
        log.sealed("orders", 40)
        with log.arrivals("orders") as arrival:
            arrival.forget([(f"{rare}-{n}", 0) for n in range(40)])
        log.wiped()
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and rare.encode() in path.read_bytes()]

    def test_who_reads_elsewhere_is_told_that_something_went(self, tmp_path: Path) -> None:
        log, other = self.open(tmp_path), self.open(tmp_path)
        self.arrive(log, 1, 1)
        before = other.went
        log.tell_gone()
        assert other.went != before

    def test_a_log_that_was_emptied_begins_anew(self, tmp_path: Path) -> None:
        log, other = self.open(tmp_path), self.open(tmp_path)
        self.arrive(other, 1, 3)
        self.arrive(log, 4, 30_003)
        with log.arrivals("orders") as arrival:
            arrival.note(delivery(1))
        log.emptied()
        assert (other.counters("orders").last_seq, other.deliveries("orders"), self.unsealed(other).num_rows) == (0, [], 0)
        with other.arrivals("orders") as arrival:
            assert arrival.known(["l1"]) == []
        self.arrive(other, 1, 2)
        assert self.unsealed(log).equals(events(1, 2))

    def test_where_files_lay_and_how_far_streams_were_taken_outlives_being_emptied(self, tmp_path: Path) -> None:
        log, origin = self.open(tmp_path), Origin(url="s3://shop/a.csv", size=9, written_at=7, etag="e1")
        file = msgspec.structs.replace(delivery(1), origin=origin, marks=(("shop", 40),))
        self.arrive(log, 1, 2)
        for source, several in (("orders", [file, msgspec.structs.replace(delivery(2), marks=(("shop", 41),))]), ("files", [file])):
            with log.arrivals(source) as arrival:
                for one in [*several, delivery(9)] if source == "files" else several:
                    arrival.note(one)
        for _ in range(2):
            log.emptied()
            kept = {source: self.open(tmp_path).deliveries(source) for source in ("orders", "files")}
            assert [(one.number, one.origin, one.marks, one.rows) for one in kept["orders"]] == [
                (1, origin, (), 0), (2, None, (("shop", 41),), 0)
            ]  # fmt: skip
            assert [(one.number, one.origin, one.new, one.sha) for one in kept["files"]] == [(1, origin, (), None)]
            assert (log.counters("orders").last_seq, self.unsealed(log).num_rows) == (0, 0)
        self.arrive(log, 1, 2)
        assert self.unsealed(log).equals(events(1, 2))

    def test_a_log_belongs_to_one_house_until_it_is_made_anothers(self, tmp_path: Path) -> None:
        """Of several houses the first has it; what is in it comes and goes, and its owner stays."""
        log = self.open(tmp_path)
        assert log.owner() is None
        assert log.owned_by("one") == "one"
        self.arrive(log, 1, 2)
        log.emptied()
        assert (self.open(tmp_path).owned_by("two"), log.owner()) == ("one", "one")
        assert log.owned_by("two", instead=True) == "two"
        assert self.open(tmp_path).owner() == "two"

    def test_only_one_is_at_something_at_once(self, tmp_path: Path) -> None:
        log, other = self.open(tmp_path), self.open(tmp_path)
        with log.sealing("orders"):
            with pytest.raises(HouseBusy, match="Another process is folding orders"), other.alone("orders", "folding orders", patience=0):
                pytest.fail("two are at it at once")
            with other.alone("returns", "folding returns", patience=0):
                pass
        with pytest.raises(ZeroDivisionError), other.alone("orders", "folding orders", patience=0):
            raise ZeroDivisionError
        with log.alone("orders", "sealing orders", patience=0.01):
            pass


class TablesSuite:
    """A table only grows, once for each marker, and every version can be read again."""

    def open(self, folder: Path) -> Tables:
        return DeltaTables(str(folder / "lake"))

    def test_no_table_has_no_rows(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        assert tables.version("a") is None
        assert (tables.marker("a", "m"), tables.rows("a")) == (0, 0)
        assert tables.read("a", schema=SCHEMA).equals(SCHEMA.empty_table())

    def test_what_is_appended_is_read_as_it_was(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        assert tables.append_once("events/orders", events(1, 9), marker="m", seq=9)
        assert self.open(tmp_path).read("events/orders", schema=SCHEMA).equals(events(1, 9))
        assert tables.rows("events/orders") == 9

    def test_what_ends_a_line_somewhere_ends_none_here(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        odd = [f"l{mark}1" for mark in ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", '"', "\\", "\ufeff")]
        rows = events(1, len(odd)).set_column(1, "id", pa.array(odd)).set_column(8, "note", pa.array(odd))
        tables.append_once("a", rows, marker="m", seq=len(odd), said={"a": odd[5]})
        assert tables.read("a").column("id").to_pylist() == odd

    def test_a_marker_lets_a_thing_in_once(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        done = [tables.append_once("a", events(n, n), marker="m", seq=n) for n in (1, 1, 2, 1)]
        assert done == [True, False, True, False]
        assert tables.append_once("a", events(3, 3), marker="other", seq=1)
        assert tables.read("a", schema=SCHEMA).equals(events(1, 3))
        assert (self.open(tmp_path).marker("a", "m"), tables.marker("a", "other"), tables.marker("a", "none")) == (2, 1, 0)

    def test_an_old_version_is_what_it_was(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", events(1, 2), marker="m", seq=2)
        version = tables.version("a")
        tables.append_once("a", events(3, 4), marker="m", seq=4)
        assert tables.read("a", version=version, schema=SCHEMA).equals(events(1, 2))
        assert tables.read("a", schema=SCHEMA, through_seq=3).equals(events(1, 3))
        with pytest.raises(StoreError):
            tables.read("a", version=99, schema=SCHEMA)

    def test_only_the_rows_that_are_asked_for_are_read(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", events(1, 2), marker="m", seq=2)
        tables.append_once("a", events(3, 5), marker="m", seq=5)
        wanted = [*events(1, 5).column("id").to_pylist()[1:4], "nobody's"]
        assert tables.read("a", schema=SCHEMA, among={"id": wanted}).equals(events(2, 4))
        assert tables.read("a", schema=pa.schema([SCHEMA.field("version")]), among={"id": wanted}, through_seq=3).num_rows == 2
        assert tables.read("a", schema=SCHEMA, since={"known_at": 31}).equals(events(3, 5))
        assert tables.read("a", schema=SCHEMA, among={"id": wanted}, since={"known_at": 31}).equals(events(3, 4))
        assert tables.read("a", schema=SCHEMA, since={"seq": 2}, until={"seq": 3}).equals(events(2, 3))
        assert tables.read("a", schema=SCHEMA, until={"seq": 3}, most=2).num_rows == 2
        assert tables.read("a", schema=SCHEMA, among={"id": []}).equals(SCHEMA.empty_table())

    def test_what_is_read_piece_by_piece_is_what_is_read_at_once(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        assert list(tables.pieces("a", schema=SCHEMA)) == []
        tables.append_once("a", events(1, 3), marker="m", seq=3)
        version = tables.version("a")
        assert version is not None
        tables.append_once("a", events(4, 5), marker="m", seq=5)
        whole = pa.concat_tables(tables.pieces("a", schema=SCHEMA))
        assert whole.sort_by("seq").equals(events(1, 5))
        assert pa.concat_tables(tables.pieces("a", schema=SCHEMA, version=version, through_seq=2)).sort_by("seq").equals(events(1, 2))
        tables.append_once("a", events(6, 6).set_column(8, "note", pa.array([6])), marker="m", seq=6)
        wanted = pa.schema([*SCHEMA, ("later", pa.string())])
        assert pa.concat_tables(tables.pieces("a", schema=wanted)).sort_by("seq").equals(tables.read("a", schema=wanted))

    def test_what_was_added_since_a_version_is_read_and_nothing_else(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        assert tables.added("a", None, SCHEMA)[0] is None
        tables.append_once("a", events(1, 2), marker="m", seq=2)
        before = tables.version("a")
        assert tables.added("a", before, SCHEMA) == (before, SCHEMA.empty_table())
        tables.append_once("a", events(3, 4), marker="m", seq=4)
        tables.append_once("a", events(5, 5), marker="m", seq=5)
        newest, rows = self.open(tmp_path).added("a", before, SCHEMA)
        assert newest == tables.version("a")
        assert sorted(rows.column("seq").to_pylist()) == [3, 4, 5]
        assert tables.added("a", None, SCHEMA)[1].num_rows == 5
        tables.rewrite("a", without("l4"))
        rewritten, rows = tables.added("a", newest, SCHEMA)
        assert sorted(rows.column("seq").to_pylist()) == [1, 2, 3, 5]
        assert tables.added("a", rewritten, SCHEMA)[1].num_rows == 0

    def test_rows_come_in_order_of_seq(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", events(5, 6), marker="m", seq=1)
        tables.append_once("a", events(1, 4), marker="m", seq=2)
        assert tables.read("a", schema=SCHEMA).equals(events(1, 6))

    def test_columns_may_be_added(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", pa.table({"x": [1]}), marker="m", seq=1)
        tables.append_once("a", pa.table({"x": [2], "y": ["b"]}), marker="m", seq=2)
        tables.append_once("a", pa.table({"x": [3]}), marker="m", seq=3)
        tables.append_once("a", pa.table({"y": ["c"], "x": [4]}), marker="m", seq=4)
        rows = sorted(map(str, tables.read("a").to_pylist()))
        assert rows == ["{'x': 1, 'y': None}", "{'x': 2, 'y': 'b'}", "{'x': 3, 'y': None}", "{'x': 4, 'y': 'c'}"]

    def test_a_column_may_change_its_type_and_its_capitals(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", pa.table({"seq": [1], "x": [1]}), marker="m", seq=1)
        tables.append_once("a", pa.table({"seq": [2], "x": [1.5]}), marker="m", seq=2)
        tables.append_once("a", pa.table({"seq": [3], "X": ["b"], "x": [2.5]}), marker="m", seq=3)
        wanted = pa.schema([("seq", pa.int64()), ("x", pa.float64()), ("X", pa.string())])
        assert tables.read("a", schema=wanted).to_pydict() == {"seq": [1, 2, 3], "x": [1.0, 1.5, 2.5], "X": [None, None, "b"]}

    def test_what_is_rewritten_is_so_in_every_version_there_is(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", events(1, 4), marker="m", seq=4)
        version = tables.version("a")
        tables.append_once("a", events(5, 9), marker="m", seq=9)
        assert tables.rewrite("a", without("l3", "l7")) == 2
        left = [n for n in range(1, 10) if n not in (3, 7)]
        again = self.open(tmp_path)
        assert again.read("a", schema=SCHEMA).column("seq").to_pylist() == left
        assert again.read("a", version=version, schema=SCHEMA, through_seq=4).equals(without("l3")(events(1, 4)))
        assert again.marker("a", "m") == 9
        assert not again.append_once("a", events(9, 9), marker="m", seq=9)
        assert again.append_once("a", events(10, 11), marker="m", seq=11)
        assert again.rewrite("a", without("l3", "l10")) == 1
        assert again.read("a", schema=SCHEMA).column("seq").to_pylist() == [*left, 11]
        with pytest.raises(StoreError):
            tables.read("a", version=99, schema=SCHEMA)

    def test_versions_after_a_rewrite_are_read_when_the_next_one_finds_nothing(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", events(1, 4), marker="m", seq=4)
        tables.rewrite("a", without("l3"))
        tables.append_once("a", events(5, 5), marker="m", seq=5)
        version = tables.version("a")
        tables.append_once("a", events(6, 6), marker="m", seq=6)
        assert tables.rewrite("a", without("nobody's")) == 0
        assert self.open(tmp_path).read("a", version=version, schema=SCHEMA).column("seq").to_pylist() == [1, 2, 4, 5]
        assert self.open(tmp_path).read("a", schema=SCHEMA).column("seq").to_pylist() == [1, 2, 4, 5, 6]

    def test_what_is_rewritten_to_itself_stays_as_it_is(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        assert tables.rewrite("a", without("l1")) == 0
        tables.append_once("a", events(1, 4), marker="m", seq=4)
        version = tables.version("a")
        assert tables.rewrite("a", without("nobody's")) == 0
        assert tables.version("a") == version
        assert tables.read("a", version=version, schema=SCHEMA).equals(events(1, 4))

    def test_all_rows_may_go_and_others_come(self, tmp_path: Path) -> None:
        tables = self.open(tmp_path)
        tables.append_once("a", events(1, 2), marker="m", seq=2)
        assert tables.rewrite("a", without("l1", "l2")) == 2
        assert tables.read("a", schema=SCHEMA).equals(SCHEMA.empty_table())
        tables.append_once("a", events(3, 4), marker="m", seq=4)
        assert tables.read("a", schema=SCHEMA).equals(events(3, 4))


def without(*ids: str) -> Callable[[pa.Table], pa.Table]:
    """What leaves rows of these ids out of a table.

    >>> without("l3")(events(3, 4)).column("id").to_pylist()
    ['l4']
    """

    def change(piece: pa.Table) -> pa.Table:
        gone = pc.is_in(piece.column("id"), value_set=pa.array(list(ids)))
        return piece.filter(pc.invert(gone)) if pc.any(gone).as_py() else piece

    return change
