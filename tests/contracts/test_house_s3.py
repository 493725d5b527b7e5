"""A house whose tables and bodies lie on S3 decides what one on this machine's disk decides; people are forgotten there, garbage goes, a
version is made again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.loop.test_forget import OTHER, RARE, WORDS, house_in, lived_in, nothing_left, of, orders, sells, spends

from everloop.connect.object_blobs import ObjectBlobs
from everloop.connect.objects import opened
from everloop.errors import StoreError
from everloop.lake.seal import seal
from everloop.loop.answers import answers_of
from everloop.loop.forget import empty, forget
from everloop.loop.forget.looked import found_on
from everloop.loop.lakes import lake_of
from everloop.loop.lineage import version_named
from everloop.loop.reproduce import reproduce
from everloop.loop.serve.worker import golden_rows, load_with
from everloop.records import TrainingSet
from everloop.registry.garbage import collect, named
from everloop.settings import Storage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(server, tmp_path_factory):
    """A house that has lived for weeks on S3, and what time it is there."""
    bucket, folder = server.bucket("lived"), tmp_path_factory.mktemp("far")
    storage = Storage(endpoint=server.endpoint, allow_http=True)
    return lived_in(folder, lake=f"{bucket}/house/lake", blobs=f"{bucket}/house/blobs", storage=storage)


def objects(place, storage):
    from pyarrow.fs import FileSelector

    system, path = opened(place, storage)
    found = system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    return {info.path: info.size for info in found if info.is_file}


def told(house):
    """What was decided, learnt from and answered, in the words of the journal that do not tell how long anything took."""
    sets = [e.record for e in house.journal.read(kind="TrainingSet")]
    decisions = [replace(e.record, cost=None) for e in house.journal.read(kind="Decision")]
    bodies = [(one.model, one.body, one.rows) for one in sets if isinstance(one, TrainingSet)]
    kinds = [(type(e.record).__name__, e.record.id) for e in house.journal.read()]
    answers = answers_of(house, spends).select(["unit", "moment", "version", "arm", "answer"])
    return (
        kinds,
        decisions,
        bodies,
        answers.to_pylist(),
        {name: replace(traffic, cost=None) for name, traffic in house.pointers.all().items()},
    )


def test_it_decides_what_a_house_on_disk_decides(house, tmp_path):
    far, _ = house
    near, _ = lived_in(tmp_path)
    assert told(far) == told(near)
    assert not os.path.exists(far.settings.house / "lake")
    assert not os.path.exists(far.settings.house / "blobs")


def test_a_version_is_made_again(house):
    far, _ = house
    again = reproduce(far, sells, "sells@1")
    assert again.same
    assert again.rows is True


def test_a_worker_loads_a_version_from_there(house):
    far, _ = house
    candidate = far.candidate(version_named(far, sells, "sells@1").candidate)
    rows = golden_rows(far.settings)(candidate)
    assert rows is not None
    found = load_with(far.project, far.settings)(candidate).answer(rows)
    assert found.value.tolist() == far.predictor(candidate).answer(rows).value.tolist()


def test_what_no_record_names_goes_and_everything_else_stays(house):
    far, _ = house
    collect(far.store, far.blobs, untouched_since=float("inf"))
    before = {one.sha for one in far.blobs.saved()}
    loose = far.blobs.save(b"loose")
    told = collect(far.store, far.blobs, untouched_since=float("inf"), dry_run=True)
    assert (told.bodies, told.size) == ((loose,), 5)
    assert collect(far.store, far.blobs, untouched_since=0.0).young == 1
    assert collect(far.store, far.blobs, untouched_since=float("inf")) == told
    assert {one.sha for one in far.blobs.saved()} == before == before & named(far.store)
    assert before


def test_a_storage_that_stops_in_the_middle_loses_nothing(house, server):
    far, now = house
    from everloop.lake.receive import receive

    hurried = house_in(far.settings.folder, lake=far.settings.lake, blobs=far.settings.blobs, storage=far.settings.storage)
    row = {"ordered_at": now, "customer_id": OTHER, "product_id": "p1", "amount": 1}
    for n in range(3):
        receive(far.lake, orders, [{"order_id": f"{OTHER}-late{n}", **row}], now=now + timedelta(minutes=n + 1))
        server.breaks(n * 4)
        try:
            with pytest.raises(StoreError, match=r"s3://lived/house/lake/events/orders"):
                seal(hurried.lake, orders)
        finally:
            assert server.mends()
        last = far.lake.log.counters("orders").last_seq
        assert seal(hurried.lake, orders) == last
        assert hurried.lake.tables.read("events/orders").column("seq").to_pylist() == list(range(1, last + 1))


def test_who_is_forgotten_is_in_no_object_any_more_and_everybody_else_is_as_before(house):
    far, now = house
    settings = far.settings
    before = of(far, OTHER)
    for place in (settings.lake, settings.blobs):
        assert list(found_on(place, settings.storage, RARE))
    done = forget(far, "customer_id", RARE, now=now, **WORDS)
    for place in (settings.lake, settings.blobs):
        assert not list(found_on(place, settings.storage, RARE))
    assert nothing_left(far) == []
    assert not [one for one in done.left if "still has it" in one]
    assert any("older versions of objects" in one for one in done.left)
    assert of(far, OTHER) == before
    assert not of(far, RARE)[1]


def test_everybody_is_forgotten_and_no_object_stays(house):
    far, now = house
    assert objects("s3://lived/house", far.settings.storage)
    empty(far, now=now, **WORDS)
    # But what says whose the places are.
    assert set(objects("s3://lived/house", far.settings.storage)) == {"lived/house/lake/.house", "lived/house/blobs/.house"}
    far.journal.verify()


def test_a_folder_and_a_bucket_hold_the_same_bodies(server, tmp_path):
    near = house_in(tmp_path)
    far = ObjectBlobs(f"{server.bucket('both')}/b", Storage(endpoint=server.endpoint, allow_http=True))
    for blobs in (near.blobs, far):
        assert blobs.save(b"body") == hashlib.sha256(b"body").hexdigest()
    assert lake_of(near.settings).tables.folder == near.settings.lake
