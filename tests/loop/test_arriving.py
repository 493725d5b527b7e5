"""Files that arrive enter once, wherever they lie and whoever tells of them; what is due and does not come is told, once."""

from __future__ import annotations

import errno
import gzip
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop import Model, Source, days, every, hours
from everloop.connect import lying as files_lying
from everloop.connect.lying import lying
from everloop.connect.objects import opened
from everloop.console.data import source_of
from everloop.errors import EverloopError, HouseBusy, HouseFull, ProjectError, StoreError
from everloop.lake import deliveries, noted, read_source
from everloop.lake.tables import Delivery
from everloop.loop import arriving
from everloop.loop.arrivals import ingest_files
from everloop.loop.arriving import Arriving, take_told
from everloop.loop.expected import due, overdue_finding
from everloop.loop.findings import findings_now
from everloop.loop.house import open_house
from everloop.loop.project_file import project_of
from everloop.loop.serve.doors import HouseDoors
from everloop.loop.spoken import spoken_report
from everloop.loop.steps import check_now
from everloop.monitor.unfit import unfit
from everloop.project.spoken_sources import spoken_source
from everloop.registry.sentences import clause
from everloop.serving.notices import Notice, Notices
from everloop.settings import SourceFiles, Storage, read_settings
from everloop.testing.s3_server import SURROUNDINGS, s3_server

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
six = every(days(1), at="06:00", zone="UTC")
orders = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int}, arrives=six, overdue=hours(2))


class Mean:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return [0.0] * len(X)


demand = Model(
    "demand", predicts=orders.total("quantity", next=days(1)), per="product_id", asked=every(days(1)),
    knows=orders.total("quantity", last=days(7)), learner=Mean(),
)  # fmt: skip


def house_of(folder, files, toml=""):
    (folder / "everloop.toml").write_text(f'[sources]\norders = "{files}"\n{toml}')
    return open_house(project_of(demand), settings=read_settings(folder, house=folder / "house"))


def csv(*lines):
    return "line_id,at,product_id,quantity\n" + "".join(f"{line},2026-11-01T00:00Z,p1,{quantity}\n" for line, quantity in lines)


def put(path, text, at=NOW - timedelta(minutes=1)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at.timestamp(), at.timestamp()))


def lines_in(house):
    return sorted(read_source(house.lake, orders).column("id").to_pylist())


def news_of(house):
    return [waiting.alert.sentence for waiting in house.outbox.waiting()]


# -- files in a folder -------------------------------------------------------------------------------------------------------------------


def test_files_that_arrive_in_a_folder_enter_once_each_in_the_order_they_were_written(tmp_path):
    house = house_of(tmp_path, "in/**/*.csv")
    put(tmp_path / "in" / "b.csv", csv(("l1", 1)), NOW - timedelta(hours=2))
    put(tmp_path / "in" / "deep" / "a.csv", csv(("l1", 2), ("l2", 1)), NOW - timedelta(hours=1))
    put(tmp_path / "in" / "notes.txt", "")
    looking = Arriving(house, print)
    assert [one.kept for one in looking.look(NOW)] == [1, 2]
    assert [one.name for one in deliveries(house.lake, orders)] == ["b.csv", "a.csv"]
    assert looking.look(NOW) == []
    # Another process, or this one after a restart, knows them by the log.
    assert Arriving(house, print).look(NOW) == []


@pytest.mark.parametrize("pattern", ["orders-[0-9].csv", "orders-[!a-z].csv", "orders-[0-9]*.csv", "orders-[.csv", "[]o]rders-1.csv"])
def test_a_pattern_means_the_same_files_whoever_looks(tmp_path, pattern):
    for name in ("orders-1.csv", "orders-a.csv", "orders-12.csv", "orders-[.csv"):
        put(tmp_path / "in[1]" / name, csv(("l1", 1)))
    said = SourceFiles((f"{tmp_path}/in[1]/{pattern}",))
    assert [Path(one.url) for one in lying(said.files[0], Storage())] == said.paths()


def test_a_file_that_was_written_just_now_is_left_until_it_is_quiet(tmp_path):
    house = house_of(tmp_path, "in/*.csv")
    put(tmp_path / "in" / "a.csv", csv(("l1", 1)), NOW - timedelta(seconds=1))
    looking = Arriving(house, print)
    assert looking.look(NOW) == []
    assert [one.kept for one in looking.look(NOW + timedelta(seconds=10))] == [1]


def test_a_file_that_grew_brings_only_what_is_new_of_it(tmp_path):
    house, looking = house_of(tmp_path, "in/a.csv"), None
    looking = Arriving(house, print)
    put(tmp_path / "in" / "a.csv", csv(("l1", 1)), NOW - timedelta(hours=2))
    looking.look(NOW)
    put(tmp_path / "in" / "a.csv", csv(("l1", 1), ("l2", 1)), NOW - timedelta(hours=1))
    assert [(one.kept, one.duplicates) for one in looking.look(NOW)] == [(1, 1)]


def test_a_file_that_cannot_be_read_is_told_of_once_and_holds_up_no_other(tmp_path):
    house = house_of(tmp_path, "in/*")
    put(tmp_path / "in" / "a.parquet", "this is none", NOW - timedelta(hours=2))
    put(tmp_path / "in" / "b.csv", csv(("l1", 1), ("l2", "many")), NOW - timedelta(hours=1))
    looking = Arriving(house, print)
    for _ in range(3):
        looking.look(NOW)
    assert lines_in(house) == ["l1"]
    one, other = sorted(news_of(house))
    assert one.startswith("orders: a.parquet is not taken in as it is: ")
    assert "cannot be read" in one
    assert other == "orders: b.csv is not taken in as it is: 1 of its rows are refused: row 2 (l2): quantity is 'many', no whole number."


def test_nothing_is_looked_for_where_business_time_is_turned_by_hand(tmp_path):
    put(tmp_path / "in" / "a.csv", csv(("l1", 1)))
    (tmp_path / "everloop.toml").write_text('[sources]\norders = "in/*.csv"\n')
    house = open_house(project_of(demand), settings=read_settings(tmp_path, house=tmp_path / "house"), turned=True)
    assert Arriving(house, print).look(NOW) == []


# -- objects in a bucket -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store():
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SURROUNDINGS.items():
            patched.setenv(name, value)
        with s3_server() as server:
            yield server


def in_bucket(folder, store, bucket):
    store.bucket(bucket)
    return house_of(folder, f"s3://{bucket}/orders/**/*.csv", f'[storage]\nendpoint = "{store.endpoint}"\nallow_http = true\n')


def put_object(house, url, text):
    system, path = opened(url, house.settings.storage)
    with system.open_output_stream(path) as out:
        out.write(text.encode())


def test_an_object_enters_once_whether_it_is_told_of_or_found(tmp_path, store):
    house = in_bucket(tmp_path, store, "shop")
    put_object(house, "s3://shop/orders/2026/a.csv", csv(("l1", 1)))
    put_object(house, "s3://shop/other/b.csv", csv(("l9", 1)))
    told = [take_told(house, "s3://shop/orders/2026/a.csv", None, NOW) for _ in range(2)]
    assert [(one.kept, one.duplicates) for one in told] == [(1, 0), (0, 1)]
    assert take_told(house, "s3://shop/other/b.csv", None, NOW) is None
    assert take_told(house, "s3://shop/orders/gone.csv", None, NOW) is None
    assert Arriving(house, print).look(NOW) == []
    put_object(house, "s3://shop/orders/2026/a.csv", csv(("l1", 1), ("l2", 3)))
    assert [(one.kept, one.duplicates) for one in Arriving(house, print).look(NOW)] == [(1, 1)]
    assert lines_in(house) == ["l1", "l2"]


def test_an_object_that_was_told_of_with_its_etag_is_not_fetched_again(tmp_path, store, monkeypatch):
    house = in_bucket(tmp_path, store, "etag")
    url = "s3://etag/orders/a.csv"
    put_object(house, url, csv(("l1", 1)))
    take_told(house, url, None, NOW)
    [came] = arriving.origins(house, orders)
    assert came.etag
    monkeypatch.setattr(arriving, "looked_up", lambda *_: pytest.fail("it is fetched again"))
    assert take_told(house, url, came.etag, NOW).kept == 0


def test_of_several_objects_that_are_told_of_each_stands_for_itself(tmp_path, store):
    house = in_bucket(tmp_path, store, "several")
    put_object(house, "s3://several/orders/a.csv", csv(("l1", 1), ("l2", "many")))
    put_object(house, "s3://several/orders/empty.csv", "")
    told = [Notice(f"s3://several/{name}") for name in ("orders/a.csv", "orders/empty.csv", "other/b.csv", "orders/gone.csv")]
    [one] = HouseDoors.arrived(SimpleNamespace(house=house), Notices(tuple(told), confirm="https://sns.example/yes"), NOW)
    assert (one.kept, one.refused) == (1, 1)
    refused, unread, confirm = sorted(news_of(house), key=lambda sentence: ("SNS" in sentence, "empty" in sentence))
    assert "s3://several/orders/a.csv is not taken in as it is: 1 of its rows are refused" in refused
    assert "s3://several/orders/empty.csv is not taken in as it is" in unread
    assert confirm.endswith("open https://sns.example/yes")


def test_an_object_that_is_being_taken_in_is_not_taken_in_beside_itself(tmp_path):
    house = house_of(tmp_path, "s3://shop/orders/*.csv")
    with arriving._once_at_a_time("s3://shop/orders/a.csv"), pytest.raises(HouseBusy, match="being taken in already"):
        take_told(house, "s3://shop/orders/a.csv", None, NOW)


def test_a_store_that_breaks_off_leaves_nothing_and_the_object_comes_when_it_is_whole_again(tmp_path, store, monkeypatch):
    def broken(one, storage):
        raise StoreError(f"{one.url} cannot be fetched: the line broke")

    house = in_bucket(tmp_path, store, "breaks")
    put_object(house, "s3://breaks/orders/a.csv", csv(("l1", 1)))
    with monkeypatch.context() as patched:
        patched.setattr(arriving, "at_hand", broken)
        with pytest.raises(StoreError, match="the line broke"):
            Arriving(house, print).look(NOW)
    assert lines_in(house) == []
    assert [one.kept for one in Arriving(house, print).look(NOW)] == [1]


class Archiving:
    """A file system one object of which is archived, in the words in which Arrow tells of that."""

    def __init__(self, system):
        self.system, self.get_file_info = system, system.get_file_info

    def open_input_stream(self, path, **said):
        if path.endswith("archived.csv"):
            raise OSError(f"When reading a key: AWS Error INVALID_OBJECT_STATE during GetObject operation: {path} is archived")
        return self.system.open_input_stream(path, **said)


def test_an_object_that_is_itself_refused_is_told_of_once_and_holds_up_no_other(tmp_path, store, monkeypatch):
    place = files_lying._place
    monkeypatch.setattr(files_lying, "_place", lambda *said: (Archiving(place(*said)[0]), *place(*said)[1:]))
    house = in_bucket(tmp_path, store, "refused")
    long = f"s3://refused/orders/{'a' * 300}.csv"
    put_object(house, "s3://refused/orders/archived.csv", csv(("l1", 1)))
    put_object(house, long, csv(("l2", 1)))
    put_object(house, "s3://refused/orders/z.csv", csv(("l3", 1)))
    told = [Notice(url) for url in ("s3://refused/orders/archived.csv", long, "s3://refused/orders/z.csv")]
    for _ in range(2):
        assert [one.kept + one.duplicates for one in arriving.take_all(house, Notices(tuple(told)), NOW)] == [1]
    assert len(news_of(house)) == 2
    assert "File name too long" in " ".join(news_of(house))
    looking = Arriving(house, print)
    assert [looking.look(NOW) for _ in range(2)] == [[], []]
    assert lines_in(house) == ["l3"]


def test_what_cannot_be_read_is_the_same_news_however_often_it_is_told_of(tmp_path, store):
    house = in_bucket(tmp_path, store, "unread")
    put_object(house, "s3://unread/orders/a.csv", "")
    for _ in range(2):
        arriving.take_all(house, Notices((Notice("s3://unread/orders/a.csv"),)), NOW)
    [sentence] = news_of(house)
    assert "s3://unread/orders/a.csv cannot be read" in sentence


@pytest.mark.parametrize(
    ("raised", "known_as"),
    [
        (OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body."), EverloopError),
        (OSError("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7"), StoreError),
        (OSError("AWS Error SLOW_DOWN during GetObject operation: "), StoreError),
        (OSError(errno.ENOSPC, "No space left on device"), HouseFull),
        (OSError(errno.ENAMETOOLONG, "File name too long"), EverloopError),
        (FileNotFoundError("it has gone"), EverloopError),
    ],
)
def test_what_is_about_one_object_is_told_from_a_place_that_does_not_answer(raised, known_as):
    assert type(files_lying._failed("a.csv cannot be fetched", raised)) is known_as


def test_what_is_too_large_or_compressed_is_passed_over_where_it_is_told_of_and_left_to_who_looks(tmp_path, store, monkeypatch):
    store.bucket("large")
    house = house_of(tmp_path, "s3://large/orders/*", f'[storage]\nendpoint = "{store.endpoint}"\nallow_http = true\n')
    monkeypatch.setattr(arriving, "MOST_AT_THE_DOOR", 100)
    large, packed = "s3://large/orders/a.csv", "s3://large/orders/b.csv.gz"
    put_object(house, large, csv(*((f"l{n}", 1) for n in range(9))))
    system, path = opened(packed, house.settings.storage)
    with system.open_output_stream(path, compression=None) as out:  # it would be compressed twice, by its name
        out.write(gzip.compress(csv(("m1", 1)).encode()))
    told = Notices((Notice(large), Notice(packed)))
    assert arriving.take_all(house, told, NOW) == []
    assert (lines_in(house), news_of(house)) == ([], [])
    assert sum(one.kept for one in Arriving(house, print).look(NOW)) == 10
    nobody_looks = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int})
    monkeypatch.setattr(arriving, "source_of", lambda *_: nobody_looks)
    assert arriving.take_all(house, told, NOW) == []
    assert sorted("compressed" in sentence for sentence in news_of(house)) == [False, True]
    assert all("Run: everloop ingest orders" in sentence for sentence in news_of(house))


def test_of_one_notice_so_many_bytes_are_taken_in_and_the_next_time_it_goes_on_behind_them(tmp_path, store, monkeypatch):
    store.bucket("many")
    house = house_of(tmp_path, "s3://many/orders/*", f'[storage]\nendpoint = "{store.endpoint}"\nallow_http = true\n')
    urls = [f"s3://many/orders/{name}.csv" for name in "abc"]
    for url in urls:
        put_object(house, url, csv((url[-5], 1)))
    nobody_looks = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int})
    monkeypatch.setattr(arriving, "source_of", lambda *_: nobody_looks)
    monkeypatch.setattr(arriving, "MOST_AT_THE_DOOR", 100)  # each has 56
    told = Notices(tuple(map(Notice, urls)))
    for taken in (["a"], ["a", "b"]):
        with pytest.raises(HouseBusy, match="More than 100 bytes were told of at once"):
            arriving.take_all(house, told, NOW)
        assert lines_in(house) == taken
    assert [(one.kept, one.duplicates) for one in arriving.take_all(house, told, NOW)] == [(0, 1), (0, 1), (1, 0)]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_what_unpacks_to_more_than_there_is_room_for_is_left_where_it_is_told_of(tmp_path, monkeypatch, name):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    house = house_of(tmp_path, "in/*")
    (tmp_path / "in").mkdir()
    rows = pa.table({"line_id": [f"l{n}" for n in range(4_000)], "at": ["2026-11-01T00:00Z"] * 4_000, "product_id": ["p" * 500] * 4_000,
                     "quantity": [1] * 4_000})  # fmt: skip
    file = tmp_path / "in" / name
    if name == "a.parquet":
        parquet.write_table(rows, file)
    else:
        with pa.ipc.new_file(file, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
            out.write_table(rows, max_chunksize=500)
    assert file.stat().st_size < 200_000
    monkeypatch.setattr(arriving, "MOST_UNPACKED", 1_000_000)
    assert take_told(house, str(file), None, NOW) is None
    assert lines_in(house) == []
    nobody_looks = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int})
    monkeypatch.setattr(arriving, "source_of", lambda *_: nobody_looks)
    with pytest.raises(EverloopError, match="it holds more than 1,000,000 bytes"):
        take_told(house, str(file), None, NOW)
    monkeypatch.undo()
    assert take_told(house, str(file), None, NOW).kept == 4_000


def test_what_came_before_everybody_was_forgotten_does_not_come_again(tmp_path):
    house = house_of(tmp_path, "in/*.csv")
    put(tmp_path / "in" / "a.csv", csv(("l1", 1)))
    Arriving(house, print).look(NOW)
    house.lake.log.emptied()
    assert Arriving(house, print).look(NOW) == []
    assert deliveries(house.lake, orders) == []
    put(tmp_path / "in" / "b.csv", csv(("l2", 1)))
    assert [one.kept for one in Arriving(house, print).look(NOW)] == [1]
    assert [one.number for one in deliveries(house.lake, orders)] == [2]


def test_files_that_lie_in_a_bucket_are_ingested_by_name(tmp_path, store):
    house = in_bucket(tmp_path, store, "named")
    for name, line in (("a", "l1"), ("b", "l2")):
        put_object(house, f"s3://named/orders/{name}.csv", csv((line, 1)))
    assert [(one.kept, one.duplicates) for _ in range(2) for one in ingest_files(house, None, [], now=NOW)] == [(2, 0), (0, 2)]
    assert ingest_files(house, "orders", [], now=NOW)[0].duplicates == 2


# -- what is due -------------------------------------------------------------------------------------------------------------------------


def at(text):
    return datetime.fromisoformat(f"2026-11-{text}+00:00")


def test_what_is_overdue_is_told_once_and_that_it_came_too(tmp_path):
    house = house_of(tmp_path, "in/*.csv")
    put(tmp_path / "in" / "a.csv", csv(("l1", 1)), at("01T05:00"))
    looking = Arriving(house, print)
    looking.look(at("01T05:30"))
    for moment in ("02T07:59", "02T08:00", "02T08:01", "02T11:00"):
        looking.look(at(moment))
    due_told = "orders were due at 2026-11-02 06:00 UTC and have not come; they may take 2 hours, which is over since 2026-11-02 08:00 UTC."
    assert news_of(house) == [due_told]
    [finding] = [f for f in findings_now(house, demand, at("02T11:00")) if f.clause.startswith("arrives=")]
    assert finding.sentence == due_told.rstrip(".")
    put(tmp_path / "in" / "b.csv", csv(("l2", 1)), at("02T11:30"))
    looking.look(at("02T12:00"))
    assert news_of(house)[1:] == ["orders, due at 2026-11-02 06:00 UTC, came at 2026-11-02 12:00 UTC."]
    assert not [f for f in findings_now(house, demand, at("02T12:00")) if f.clause.startswith("arrives=")]


def test_data_is_called_fit_only_as_far_as_it_came_where_something_is_overdue(tmp_path):
    house = house_of(tmp_path, "in/*.csv")
    put(tmp_path / "in" / "a.csv", csv(("l1", 1)), at("01T05:00"))
    Arriving(house, print).look(at("01T05:30"))
    fit, late = (check_now(house, demand, at(when)) for when in ("01T06:00", "02T11:00"))
    assert fit.passed
    assert late.passed, "nobody is stopped from learning what did come"
    told = "orders were due at 2026-11-02 06:00 UTC and have not come; they may take 2 hours, which is over since 2026-11-02 08:00 UTC"
    assert "As far as it came" not in spoken_report(fit)
    assert f"As far as it came: {told}." in spoken_report(late)
    assert clause(late) == f"the data was fit to learn from, as far as it came: {told}"
    assert source_of(house, "orders", at("02T11:00")).line.state == "fit to learn from, as far as it came"
    assert source_of(house, "orders", at("02T07:00")).line.state == "fit"


def test_a_row_last_arrived_when_it_was_delivered_whenever_it_counts_as_known(tmp_path):
    house = house_of(tmp_path, "in/*.csv")
    (tmp_path / "history.csv").write_text(csv(("l1", 1)))
    ingest_files(house, "orders", [tmp_path / "history.csv"], now=at("09T11:00"), known_after=timedelta(0))
    line = source_of(house, "orders", at("09T12:00")).line
    assert (line.arrived, line.ago) == (at("09T11:00"), "1 hour ago")
    assert line.apart, "it counts as known since it happened"
    ingest_files(house, "orders", [tmp_path / "history.csv"], now=at("09T11:30"), known_after=timedelta(0))
    assert source_of(house, "orders", at("09T12:00")).line.arrived == at("09T11:00"), "nothing of it was new"
    (tmp_path / "more.csv").write_text(csv(("l2", 1)))
    ingest_files(house, "orders", [tmp_path / "more.csv"], now=at("09T11:40"))
    assert not source_of(house, "orders", at("09T12:00")).line.apart


def test_a_check_calls_data_fit_just_where_a_turn_would_learn_from_it(tmp_path):
    house = house_of(tmp_path, "in/*.csv")
    rows = [f"l{n},2026-11-{1 + n // 40:02}T{n % 24:02}:30Z,p1,1\n" for n in range(400)]
    (tmp_path / "history.csv").write_text("line_id,at,product_id,quantity\n" + "".join(rows))
    ingest_files(house, "orders", [tmp_path / "history.csv"], now=at("11T00:00"), known_after=timedelta(0))
    assert check_now(house, demand, at("11T00:00")).passed
    assert check_now(house, demand, at("11T19:00")).passed, "a day of which an eighth came is only told of"
    stopped = check_now(house, demand, at("13T12:00"))
    assert not stopped.passed
    assert "not fit to learn from" in spoken_report(stopped)
    assert "In orders, 0 rows happened in the last day" in spoken_report(stopped)
    said = [signal.sentence for signal in unfit(demand, findings_now(house, demand, at("13T12:00"))) if signal.kind == "data"]
    assert said == [one.sentence.removesuffix(".") for one in stopped.findings if one.outcome == "failed"]


def test_what_came_too_late_yesterday_is_not_taken_for_what_is_due_today():
    arrivals = [at("01T05:50"), at("02T05:50"), at("03T09:30")]
    assert due(orders, arrivals, at("03T10:00")).came_at == at("03T09:30")
    assert due(orders, arrivals, at("04T08:00")).came_at is None


def test_a_day_that_never_came_is_forgotten_when_the_next_one_comes():
    arrivals = [at("01T05:50"), at("03T06:10")]
    assert due(orders, arrivals, at("02T08:00")).came_at is None
    assert due(orders, arrivals, at("03T08:00")).came_at == at("03T06:10")


def test_what_is_due_is_what_all_deliveries_tell_though_no_more_than_the_newest_are_read(tmp_path, monkeypatch):
    house = house_of(tmp_path, "in/*.csv")
    with house.lake.log.arrivals("orders") as arrival:
        for n in range(1, 501):
            when = at("01T00:00") + (n - 500) * hours(2)
            gone = when if n > 495 else None
            arrival.note(Delivery(source="orders", number=n, at=when, first_seq=n, last_seq=n, rows=1, withdrawn_at=gone))
    read, kept = [], noted.delivery
    monkeypatch.setattr(noted, "delivery", lambda text: read.append(text) or kept(text))
    for hour in range(60):
        now, least = at("01T00:00") + hours(hour), len(read)
        found = arriving.due_of(house, orders, now)
        assert len(read) - least <= 450
        assert found == due(orders, arriving.arrived(house, orders), now)
    read.clear()
    assert source_of(house, "orders", now).more
    assert len(read) <= 450 + 21 + 1


@given(st.lists(st.integers(-5 * 60, 7 * 60), min_size=8, max_size=8))
def test_what_comes_every_day_within_its_patience_is_never_overdue(minutes):
    arrivals = [at("01T00:00")] + [at(f"{2 + n:02}T06:00") + timedelta(minutes=min(m, 119)) for n, m in enumerate(minutes)]
    for hour in range(24 * 8):
        now = at("02T00:00") + timedelta(hours=hour)
        found = due(orders, [a for a in arrivals if a <= now], now)
        assert found is None or found.came_at is not None, (now, found)


@given(st.integers(2, 8))
def test_the_one_day_that_stays_out_is_overdue_until_the_next_is_due(missing):
    arrivals = [at(f"{1 + n:02}T06:30") for n in range(9) if 1 + n != missing]
    found = [
        overdue_finding(orders, [a for a in arrivals if a <= now], now) for now in (at(f"{missing:02}T08:00"), at(f"{missing:02}T23:00"))
    ]
    assert all(one is not None for one in found)
    assert overdue_finding(orders, [a for a in arrivals if a <= at(f"{missing:02}T07:59")], at(f"{missing:02}T07:59")) is None


def test_an_overdue_source_opens_an_incident_of_the_models_that_read_it_and_stops_nobody_from_learning():
    from everloop.monitor.incident import CAUSE_OF, TOLD

    finding = overdue_finding(orders, [at("01T05:00")], at("02T09:00"))
    [signal] = unfit(demand, [finding])
    assert signal.kind == "volume"
    assert CAUSE_OF[signal.kind] == "data"
    assert signal.kind in TOLD


# -- how it is said ----------------------------------------------------------------------------------------------------------------------


def test_when_a_source_arrives_is_read_aloud():
    assert "expected every day at 06:00 UTC, overdue 2 hours later" in spoken_source(orders)
    assert Source("a", id="a_id", columns={"n": int}, arrives=every(hours(1))).patience == timedelta(minutes=15)
    assert repr(orders).endswith("arrives=every(days(1), at='06:00', zone='UTC'), overdue=hours(2))")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"overdue": hours(2)}, "orders: overdue= says how long what is due may take, but not when it is due."),
        ({"arrives": days(1)}, "orders: arrives=days(1) says no clock."),
        ({"arrives": six, "overdue": days(1)}, "orders: what is due is overdue days(1) later, when the next is due already."),
    ],
)
def test_what_cannot_be_meant_of_arrivals_is_refused_with_the_cure(said, what):
    with pytest.raises(ProjectError) as refused:
        Source("orders", id="line_id", columns={"n": int}, **said)
    [mistake] = refused.value.mistakes
    assert mistake.what == what
    assert mistake.cure


def test_who_leads_says_once_whose_folders_are_looked_in_where_others_work_elsewhere(tmp_path, monkeypatch):
    from everloop.loop.control import leading

    house, told = house_of(tmp_path, "in/*.csv"), []
    lead = leading.Leading(house, SimpleNamespace(store=house.store, name="me"), told.append, threading.Event())
    lead.see_folders()
    assert told == []
    monkeypatch.setattr(leading, "works_elsewhere", lambda _: True)
    for _ in range(2):
        lead.see_folders()
    assert len(told) == 1
    assert f"orders ({tmp_path}/in/*.csv)" in told[0]
    far = house_of(tmp_path, "s3://shop/orders/*.csv")
    leading.Leading(far, lead.mine, told.append, threading.Event()).see_folders()
    assert len(told) == 1


def test_who_leads_looks_for_files_and_after_streams_only_where_they_are_asked_for(tmp_path):
    from everloop.loop.control.leading import Leading
    from tests.loop.houses import house_at

    def asked(house):
        mine = SimpleNamespace(store=house.store, name="me")
        return [work.__name__ for work in Leading(house, mine, print, threading.Event()).all() if work.__name__ in ("streams", "arriving")]

    stream = '[streams.till]\nurl = "nats://127.0.0.1:1"\nsubject = "orders"\nsource = "orders"\n'
    assert asked(house_at(tmp_path)) == []
    assert asked(house_of(tmp_path, "in/*.csv", stream)) == ["streams", "arriving"]
