"""Backups of a house that others write to, killed at any moment, on a full disk, and on object storage: proofs that take their time."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from everloop.connect.objects import NO_STORAGE
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source
from everloop.loop.answers import answers_of
from everloop.loop.backup.drill import drill
from everloop.loop.backup.manifest import Place
from everloop.loop.backup.restore import restore
from everloop.loop.backup.shelf import open_shelf
from everloop.loop.backup.take import take
from everloop.loop.forget import forget
from everloop.loop.online import online_of
from everloop.loop.project_file import project_of
from everloop.loop.serve.known import Known
from everloop.settings import Storage
from everloop.testing.redis_server import redis_server, servers
from everloop.testing.s3_server import SURROUNDINGS, s3_server
from tests.loop.backed_up import RARE, asked, bought, closed, house_in, lived_in, orders, settings_in, spends

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[2]
LIVING = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.loop.backed_up import BEGIN, bought, house_in, orders, spends
from everloop.lake.receive import receive
from everloop.lake.seal import seal
from everloop.loop.answers import answer_due
from everloop.loop.turn import turn
house = house_in(Path(sys.argv[1]))
for night in range(14, 400):
    now = BEGIN + timedelta(days=night)
    receive(house.lake, orders, bought(night), now=now - timedelta(minutes=9))
    answer_due(house, spends, now)
    if night % 3 == 0:
        seal(house.lake, orders)
    if night % 5 == 0:
        turn(house, spends, now, "demand")
    print(night, flush=True)
"""
TAKEN = """
import sys
from pathlib import Path
from tests.loop.backed_up import house_in
from everloop.loop.backup.take import take
print("begun", flush=True)
print(take(house_in(Path(sys.argv[1])), sys.argv[2]).id, flush=True)
"""
RESTORED = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from tests.loop.backed_up import settings_in, spends
from everloop.loop.backup.restore import restore
from everloop.loop.project_file import project_of
print("begun", flush=True)
restore(project_of(spends), settings_in(Path(sys.argv[1])), sys.argv[2], now=datetime(2026, 10, 1, tzinfo=timezone.utc))
print("done", flush=True)
"""
SMALL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))
"""


@contextmanager
def begun(script, *words):
    """A process that has said that it begins; killed at the end, if it still lives."""
    paths = os.pathsep.join([str(HERE), *(path for path in sys.path if path)])
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": paths}, cwd=HERE,
    ) as child:  # fmt: skip
        try:
            child.said = child.stdout.readline()
            yield child
        finally:
            child.kill()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alive")
    house, now = lived_in(folder)
    closed(house)
    return folder, now


@pytest.fixture
def lived(prepared, tmp_path):
    folder, now = prepared
    shutil.copytree(folder / "house", tmp_path / "a" / "house")
    house = house_in(tmp_path / "a")
    yield house, now
    closed(house)


def known_versions(house):
    return {version.id for version in house.versions.all("spends")}


def test_a_house_under_load_is_backed_up_destroyed_restored_and_answers_the_same(lived, tmp_path):
    house, now = lived
    to, done = str(tmp_path / "to"), []
    with begun(LIVING, tmp_path / "a") as living:
        while len(done) < 8 and living.said:
            done.append(take(house, to))
            living.said = living.stdout.readline()
        living.kill()
        assert len(done) == 8, living.stderr.read()
    last = take(house, to)
    rows, answers, said = read_source(house.lake, orders), answers_of(house, spends), asked(house, now.replace(year=2027))
    closed(house)
    shutil.rmtree(tmp_path / "a")
    for n, one in enumerate([*done[::3], last]):
        restore(project_of(spends), settings_in(tmp_path / f"b{n}"), to, backup=one.id, now=now)
        other = house_in(tmp_path / f"b{n}")
        mine = read_source(other.lake, orders)
        assert mine.equals(rows.slice(0, mine.num_rows))
        assert mine.num_rows >= 72
        there = answers_of(other, spends)
        assert set(there.column("id").to_pylist()) <= set(answers.column("id").to_pylist())
        assert set(pc.unique(there.column("version")).to_pylist()) <= known_versions(other)
        assert drill(other, to, backup=one.id, now=now).passed
        if one is last:
            assert asked(other, now.replace(year=2027)) == said
            assert np.frombuffer(said[0][1]).shape == (1,)
        closed(other)


def test_a_backup_killed_at_any_moment_is_none_and_in_nobodys_way(lived, tmp_path):
    house, now = lived
    to, rng, killed, lasts = tmp_path / "to", random.Random(11), 0, 0.5
    for round in range(14):
        before = Place(open_shelf(str(to), NO_STORAGE)).ids() if to.exists() else []
        with begun(TAKEN, tmp_path / "a", to) as child:
            began = time.monotonic()
            if round < 2:  # how long one takes that finds what an earlier one put
                assert child.stdout.readline()
                lasts = time.monotonic() - began
                continue
            time.sleep(rng.uniform(0, lasts))
            child.kill()
            killed += not child.stdout.read()
        for id, manifest in Place(open_shelf(str(to), NO_STORAGE)).all() if to.exists() else ():
            assert id in before or manifest.head == str(house.journal.head())
    assert killed >= 6
    take(house, str(to))
    assert drill(house, str(to), now=now).passed


def test_a_restore_killed_at_any_moment_leaves_no_house_or_a_whole_one(lived, tmp_path):
    house, now = lived
    to, rng, whole, none = str(tmp_path / "to"), random.Random(5), 0, 0
    take(house, to)
    for n in range(12):
        with begun(RESTORED, tmp_path / "b", to):
            time.sleep(rng.uniform(0, 1.2))
        there = tmp_path / "b" / "house"
        if not there.exists():
            none += 1
            continue
        whole += 1
        other = house_in(tmp_path / "b")
        assert other.journal.verify().seq > house.journal.head().seq
        assert other.level == "observe"
        assert read_source(other.lake, orders).equals(read_source(house.lake, orders)), n
        closed(other)
        shutil.rmtree(there)
    assert none
    assert restore(project_of(spends), settings_in(tmp_path / "b"), to, now=now).head == house.journal.head()


def test_a_disk_that_is_full_for_the_kernel_is_said_and_nothing_counts(lived, tmp_path):
    """A limit on files stands for a full disk: the kernel refuses the write itself."""
    house, _ = lived
    with begun(SMALL + TAKEN, tmp_path / "a", tmp_path / "to") as child:
        _, error = child.communicate(timeout=120)
    assert child.returncode
    assert "StoreError" in error or "HouseFull" in error, error
    place = Place(open_shelf(str(tmp_path / "to"), NO_STORAGE))
    assert place.ids() == []
    assert not list((tmp_path / "to").rglob("*.part"))
    assert take(house, str(tmp_path / "to")).id in place.ids()


@pytest.fixture
def bucket(monkeypatch):
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as server:
        yield f"{server.bucket('backups')}/shop", Storage(endpoint=server.endpoint, allow_http=True)


def test_backups_lie_on_object_storage_as_in_a_folder(lived, tmp_path, bucket):
    (house, now), (bucket, storage) = lived, bucket
    house = replace(house, settings=replace(house.settings, storage=storage))
    first = take(house, bucket)
    assert drill(house, bucket, now=now).passed
    gone = forget(house, "customer_id", RARE, by="Kim", reason="she asked", now=now)
    assert not any("were not told" in one for one in gone.left)
    second = take(house, bucket)
    assert second.new < second.manifest.size
    done = restore(project_of(spends), settings_in(tmp_path / "b", storage=storage), bucket, backup=first.id, now=now)
    assert len(done.again) == 1
    place = Place(open_shelf(bucket, storage))
    assert place.prune(1) == (first.id,)
    assert set(place.pieces()) == second.manifest.pieces
    assert drill(house, bucket, now=now).passed


@pytest.mark.parametrize("server", sorted(servers()))
def test_what_redis_knows_of_rows_the_backup_has_not_is_forgotten(server, tmp_path):
    """Numbers of rows are given again after a restore: what is kept of the first of that number must not be taken for the second."""
    with redis_server(server) as there:
        url = there.url
        house, now = lived_in(tmp_path / "a", online=url)
        to = str(tmp_path / "to")
        take(house, to)
        receive(house.lake, orders, bought(20), now=now)
        known = Known(house.lake, [spends], online_of(house.lake, house.settings), turned=True)
        known.fold()
        assert max(mark.seq for mark in marks(house).values()) == house.lake.log.counters("orders").last_seq
        known.close()
        closed(house)
        shutil.rmtree(tmp_path / "a" / "house")
        restore(project_of(spends), settings_in(tmp_path / "a", online=url), to, now=now)
        other = house_in(tmp_path / "a", online=url)
        assert marks(other) == {}
        closed(other)


def marks(house):
    state = online_of(house.lake, house.settings)
    try:
        with state.reading() as tiles:
            return tiles.marks()
    finally:
        state.close()
