"""What a record names stays, whatever happens; everything else goes."""

import os
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from everloop.records import Candidate, Shape
from everloop.registry.blobs import Blobs
from everloop.registry.facts import Facts
from everloop.registry.garbage import collect
from everloop.registry.journal import Journal
from everloop.registry.store import open_store

NOW = datetime(2026, 11, 2, tzinfo=UTC)
OLD, NEW, BETWEEN = 1_000.0, 3_000.0, 2_000.0


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def named_by_record(store, id, artefact, golden=None):
    record = Candidate(
        id=id, made_at=NOW, model="m", artefact=artefact, golden=golden, format="skops", columns=(), shape=Shape(kind="number"),
        learner="L", parameters="{}",
    )  # fmt: skip
    with store.transaction() as t:
        Journal(store).append(t, record)


def saved(blobs, body, at=OLD):
    sha = blobs.save(body)
    os.utime(blobs.path(sha), (at, at))
    return sha


def test_only_what_nothing_names_and_nobody_is_about_to_goes(store, blobs):
    artefact, golden, profile = (saved(blobs, body) for body in (b"artefact", b"golden", b"profile"))
    loose, young = saved(blobs, b"loose"), saved(blobs, b"young", NEW)
    named_by_record(store, "c1", artefact, golden)
    with store.transaction() as t:
        Facts(store).put(t, "m", "profile", NOW, {"body": profile})
    found = collect(store, blobs, untouched_since=BETWEEN)
    assert (found.bodies, found.size, found.kept, found.young) == ((loose,), 5, 3, 1)
    assert set(blobs.all()) == {artefact, golden, profile, young}


def test_a_dry_run_tells_what_would_go_and_drops_nothing(store, blobs):
    loose = saved(blobs, b"loose")
    half = blobs.path(loose).with_name(".x.1.part")
    half.write_bytes(b"ha")
    os.utime(half, (OLD, OLD))
    told = collect(store, blobs, untouched_since=BETWEEN, dry_run=True)
    assert blobs.has(loose)
    assert half.exists()
    assert collect(store, blobs, untouched_since=BETWEEN) == told
    assert not blobs.has(loose)
    assert not half.exists()


def test_what_is_saved_again_while_it_is_dropped_is_there_afterwards(blobs):
    """Whoever saves finds it there just before it goes: either it stays, or it is written again."""
    for body in (bytes([n]) for n in range(60)):
        sha = saved(blobs, body)
        both = threading.Barrier(2)

        def again(body=body, both=both):
            both.wait()
            blobs.save(body)

        saving = threading.Thread(target=again)
        saving.start()
        both.wait()
        blobs.drop(sha, untouched_since=BETWEEN)
        saving.join()
        assert blobs.read(sha) == body


def test_saving_what_is_there_marks_it_as_new(blobs):
    sha = saved(blobs, b"one")
    blobs.save(b"one")
    assert blobs.drop(sha, untouched_since=BETWEEN) == 0
    assert blobs.has(sha)


def test_what_was_moved_aside_by_a_process_that_died_comes_back(store, blobs):
    kept, twice = saved(blobs, b"kept"), saved(blobs, b"twice")
    named_by_record(store, "c1", kept, twice)
    blobs.path(kept).rename(blobs.path(kept).with_name(f".{kept[2:]}.99.gone"))
    blobs.path(twice).with_name(f".{twice[2:]}.99.gone").write_bytes(b"twice")
    collect(store, blobs, untouched_since=BETWEEN)
    assert blobs.read(kept) == b"kept"
    assert not list(blobs.folder.rglob("*.gone"))


def history(store, blobs, rng, number):
    """A random life of a house: bodies saved, named, saved again, forgotten; and what of it is named, due and young in the end."""
    for sha in list(blobs.all()):
        blobs.path(sha).unlink()
    named, forgotten, young = set(), set(), set()
    for n in range(int(rng.integers(1, 7))):
        sha = saved(blobs, b"%d-%d" % (number, rng.integers(0, 5)))
        young.discard(sha)
        what = rng.choice(["record", "fact", "forgotten", "saved again"])
        if what == "record":
            named_by_record(store, f"c{number}-{n}", sha)
        elif what == "fact":
            with store.transaction() as t:
                Facts(store).put(t, "m", f"f{number}-{n}", NOW, [sha])
        elif what == "saved again":
            os.utime(blobs.path(sha), (NEW, NEW))
            young.add(sha)
        (named if what in ("record", "fact") else forgotten).add(sha)
    return named, forgotten - named - young, young - named


@pytest.mark.parametrize("houses", [1, pytest.param(200, marks=pytest.mark.slow)])
def test_in_random_histories_nothing_reachable_is_lost_and_everything_else_goes(tmp_path, blobs, houses):
    for house in range(houses):
        store, rng = open_store(f"sqlite:///{tmp_path / str(house)}.db", busy_seconds=5), np.random.default_rng(house)
        for number in range(50):
            named, due, young = history(store, blobs, rng, number)
            told = collect(store, blobs, untouched_since=BETWEEN, dry_run=True)
            done = collect(store, blobs, untouched_since=BETWEEN)
            assert told == done
            assert set(done.bodies) == due
            assert set(blobs.all()) == named | young
        store.close()
