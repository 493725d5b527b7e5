"""Delta tables on S3 keep the lake's contract; of writers on two machines nothing is lost, and nothing is there twice."""

from __future__ import annotations

import json
import threading
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pyarrow as pa
import pytest

from everloop.connect import objects
from everloop.connect.objects import delta_options, opened
from everloop.errors import StoreError
from everloop.lake import taken_off
from everloop.lake.delta import DeltaTables
from everloop.testing.lake import SCHEMA, TablesSuite, events, without


class TestTablesOnS3(TablesSuite):
    @pytest.fixture(autouse=True)
    def on_s3(self, bucket, storage):
        self.url, self.storage = f"{bucket}/lake", storage

    def open(self, folder):
        return DeltaTables(self.url, delta_options(self.url, self.storage))


@pytest.fixture
def tables(bucket, storage):
    return DeltaTables(f"{bucket}/lake", delta_options(f"{bucket}/lake", storage))


def files(tables, storage, below=""):
    """Every object of the tables, by its path below them."""
    from pyarrow.fs import FileSelector

    system, path = opened(f"{tables.folder}{below}", storage)
    found = system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    return {info.path.removeprefix(f"{path}/") for info in found if info.is_file}


def at_once(*works):
    """Do several things at the same moment; what each raised."""
    raised, gate = [], threading.Barrier(len(works))

    def run(work):
        gate.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_the_server_writes_only_where_nothing_is_when_it_is_asked_to(server, bucket):
    def put():
        said = {"If-None-Match": "*", "Authorization": "AWS4-HMAC-SHA256 Credential=everloop/20261122/us-east-1/s3/aws4_request"}
        request = Request(f"{server.endpoint}/{bucket.removeprefix('s3://')}/one", b"x", said, method="PUT")
        with urlopen(request, timeout=10) as said:
            return said.status

    assert put() == 200
    with pytest.raises(HTTPError, match="412"):
        put()
    server.forgets_conditions()
    assert put() == 200


def several(tables, rounds):
    """Two writers of markers of their own, and of one they both have; what was raised."""

    def write(who):
        for n in range(1, rounds + 1):
            tables.append_once("a", pa.table({"who": [who], "n": [n]}), marker=who, seq=n)
            tables.append_once("a", pa.table({"who": ["both"], "n": [n]}), marker="both", seq=n)

    return at_once(*(lambda who=who: write(who) for who in ("one", "other")))


def counted(tables):
    return sorted((row["who"], row["n"]) for row in tables.read("a").to_pylist())


def test_of_two_writers_at_once_every_row_is_there_once(tables):
    assert several(tables, 4) == []
    assert counted(tables) == [(who, n) for who in ("both", "one", "other") for n in range(1, 5)]


@pytest.mark.slow
def test_where_conditions_are_not_kept_rows_of_one_of_them_are_lost(server, tables):
    """What the test above fails by: a storage that writes over what is there."""
    server.forgets_conditions()
    several(tables, 8)
    assert counted(tables) != [(who, n) for who in ("both", "one", "other") for n in range(1, 9)]


def test_a_table_is_rewritten_beside_somebody_who_appends(tables):
    tables.append_once("a", events(1, 4), marker="m", seq=4)

    def append():
        for n in range(5, 9):
            tables.append_once("a", events(n, n), marker="m", seq=n)

    gone = []
    assert at_once(append, lambda: gone.append(tables.rewrite("a", without("l3")))) == []
    assert gone == [1]
    assert tables.read("a", schema=SCHEMA).column("seq").to_pylist() == [1, 2, 4, 5, 6, 7, 8]
    assert every_version_reads(tables)


def every_version_reads(tables):
    """Each version, and what came after it, without the row that was taken out."""
    for version in range(tables.version("a") + 1):
        seqs = tables.read("a", version=version, schema=SCHEMA).column("seq").to_pylist()
        after = tables.added("a", version, SCHEMA)[1].column("seq").to_pylist()
        if 3 in seqs or 3 in after or not {1, 2, 4} <= set(seqs):
            return False
    return True


def appending(tables, seqs):
    """A change that leaves row 3 out, during which somebody else appends, once for each of ``seqs``."""
    left = list(seqs)

    def change(piece):
        if left:
            n = left.pop(0)
            tables.append_once("a", events(n, n), marker="m", seq=n)
        return without("l3")(piece)

    return change


def test_what_is_appended_while_a_table_is_rewritten_stays_and_every_version_is_read_without_the_row(tables):
    tables.append_once("a", events(1, 4), marker="m", seq=4)
    assert tables.rewrite("a", appending(tables, range(5, 8))) == 1
    assert tables.read("a", schema=SCHEMA).column("seq").to_pylist() == [1, 2, 4, 5, 6, 7]
    assert every_version_reads(tables)


def test_a_rewrite_that_died_behind_what_was_appended_is_done_by_being_called_again(tables, monkeypatch):
    tables.append_once("a", events(1, 4), marker="m", seq=4)
    with monkeypatch.context() as patched:
        patched.setattr(DeltaTables, "_stands", dies)
        with pytest.raises(ZeroDivisionError):
            tables.rewrite("a", appending(tables, [5]))
    tables.append_once("a", events(6, 6), marker="m", seq=6)
    tables.rewrite("a", without("l3"))
    assert tables.read("a", schema=SCHEMA).column("seq").to_pylist() == [1, 2, 4, 5, 6]
    assert every_version_reads(tables)


def dies(*_):
    raise ZeroDivisionError


def test_of_what_was_rewritten_no_object_is_left(tables, storage):
    for n in range(1, 4):
        tables.append_once("a", events(n, n), marker="m", seq=n)
    before = files(tables, storage)
    tables.rewrite("a", without("l2"))
    after = files(tables, storage)
    assert not {path for path in before & after if not path.endswith("_last_checkpoint")}
    assert tables.read("a", schema=SCHEMA, version=1).column("seq").to_pylist() == [1, 3]


def test_what_another_machine_is_about_to_commit_stays_and_what_nobody_does_goes(tables, storage, monkeypatch):
    tables.append_once("a", events(1, 3), marker="m", seq=3)
    system, path = opened(f"{tables.folder}/a", storage)
    with system.open_output_stream(f"{path}/part-on-its-way.parquet") as out:
        out.write(b"rows of somebody who writes")
    tables.rewrite("a", without("l2"))
    assert "part-on-its-way.parquet" in files(tables, storage, "/a")
    monkeypatch.setattr(taken_off, "YOUNG", -60.0)
    tables.rewrite("a", without("l2"))
    assert "part-on-its-way.parquet" not in files(tables, storage, "/a")


@pytest.mark.parametrize("after", [0, 3, pytest.param(range(1, 14), marks=pytest.mark.slow)])
def test_a_server_that_dies_over_a_commit_leaves_all_of_it_or_nothing(server, tables, monkeypatch, after):
    monkeypatch.setattr(objects, "TRIES", 1)
    hurried = DeltaTables(tables.folder, {**tables.options, "max_retries": "0", "retry_timeout": "1s"})
    tables.append_once("a", events(1, 1), marker="m", seq=1)
    for n, requests in enumerate([after] if isinstance(after, int) else after, start=2):
        server.breaks(requests)
        told = ""
        try:
            hurried.append_once("a", events(n, n), marker="m", seq=n)
        except StoreError as error:
            told = str(error)
        assert (server.mends() > 0) >= bool(told)
        assert tables.read("a", schema=SCHEMA).column("seq").to_pylist() in (list(range(1, n)), list(range(1, n + 1)))
        tables.append_once("a", events(n, n), marker="m", seq=n)
        assert tables.read("a", schema=SCHEMA).equals(events(1, n))


def test_a_storage_that_is_not_there_is_said(storage, bucket, server):
    url = "s3://no-such-bucket/lake"
    with pytest.raises(StoreError, match="no-such-bucket"):
        DeltaTables(url, {**delta_options(url, storage), "max_retries": "0"}).append_once("a", events(1, 1), marker="m", seq=1)


def test_a_commit_says_what_it_carries(tables, storage):
    tables.append_once("a", events(1, 1), marker="m", seq=1, said={"source": "orders"})
    system, path = opened(f"{tables.folder}/a", storage)
    with system.open_input_file(f"{path}/_delta_log/00000000000000000000.json") as file:
        actions = [json.loads(line) for line in file.read().splitlines()]
    assert {"appId": "m", "version": 1}.items() <= next(a["txn"] for a in actions if "txn" in a).items()
    assert next(a["commitInfo"] for a in actions if "commitInfo" in a)["source"] == "orders"
