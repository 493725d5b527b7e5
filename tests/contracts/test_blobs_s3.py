"""Bodies on S3 keep the contract of bodies, and the contract can be broken; a storage that dies in the middle leaves nothing half."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import pytest

from everloop.connect import object_blobs, objects
from everloop.connect.object_blobs import GOING, ObjectBlobs
from everloop.connect.objects import opened
from everloop.errors import ArtefactBroken, StoreError
from everloop.testing.blobs import BlobSuite

LARGE = bytes(range(256)) * 90_000  # in several parts


class TestBlobsOnS3(BlobSuite):
    @pytest.fixture(autouse=True)
    def on_s3(self, bucket, storage, monkeypatch):
        self.blobs = ObjectBlobs(f"{bucket}/house/blobs", storage)
        # Else what was saved a moment ago would count as new, and not be put again.
        monkeypatch.setattr(object_blobs, "FRESH", -60.0)

    def open(self, folder):
        return replace(self.blobs)


@pytest.fixture
def blobs(bucket, storage):
    return ObjectBlobs(f"{bucket}/blobs", storage)


def put(blobs, path, body):
    with opened(blobs.url, blobs.storage)[0].open_output_stream(path) as out:
        out.write(body)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:3] + b"!" + b[4:], lambda b: b + b"x"])
def test_bytes_that_are_not_what_they_were_are_never_believed(blobs, damage):
    sha = blobs.save(b"an artefact")
    put(blobs, blobs.path(sha), damage(b"an artefact"))
    with pytest.raises(ArtefactBroken, match="not what was saved"):
        blobs.read(sha)


def test_saving_again_mends_a_body_that_was_cut_off(blobs):
    sha = blobs.save(b"an artefact")
    put(blobs, blobs.path(sha), b"an art")
    blobs.save(b"an artefact")
    assert blobs.read(sha) == b"an artefact"


def test_a_name_without_bytes_is_no_body_yet(blobs):
    """As Azure shows one while its bytes are on their way."""
    sha = hashlib.sha256(b"x").hexdigest()
    put(blobs, blobs.path(sha), b"")
    assert not blobs.has(sha)
    assert blobs.has(blobs.save(b""))


def test_what_was_saved_a_moment_ago_is_not_sent_again(server, blobs):
    sha = blobs.save(LARGE)
    server.breaks(1)  # one question is enough
    assert blobs.save(LARGE) == sha


@pytest.mark.parametrize("after", range(6))
def test_a_storage_that_dies_over_a_body_keeps_all_of_it_or_nothing(server, blobs, monkeypatch, after):
    monkeypatch.setattr(objects, "TRIES", 1)
    objects._file_system.cache_clear()
    sha = hashlib.sha256(LARGE).hexdigest()
    server.breaks(after)
    with pytest.raises(StoreError, match="cannot be written"):
        blobs.save(LARGE)
    assert server.mends()
    there = {one.sha: one.size for one in blobs.saved()}
    assert there in ({}, {sha: len(LARGE)})
    assert blobs.save(LARGE) == sha
    assert blobs.read(sha) == LARGE
    objects._file_system.cache_clear()


def test_who_saves_what_is_about_to_go_waits_and_puts_it_again(blobs, monkeypatch):
    monkeypatch.setattr(object_blobs, "FRESH", -60.0)
    sha = blobs.save(b"one")
    put(blobs, blobs.path(sha) + GOING, b"going")
    saving = threading.Thread(target=lambda: blobs.save(b"one"))
    saving.start()
    opened(blobs.url, blobs.storage)[0].delete_file(blobs.path(sha))
    opened(blobs.url, blobs.storage)[0].delete_file(blobs.path(sha) + GOING)
    saving.join()
    assert blobs.read(sha) == b"one"


def test_who_died_over_dropping_keeps_nobody_waiting_for_ever(blobs, monkeypatch):
    monkeypatch.setattr(object_blobs, "FRESH", -60.0)
    monkeypatch.setattr(object_blobs, "DROPPING", 0.05)
    sha = hashlib.sha256(b"one").hexdigest()
    put(blobs, blobs.path(sha) + GOING, b"going")
    assert blobs.save(b"one") == sha
    assert blobs.read(sha) == b"one"
    put(blobs, blobs.path(sha) + GOING, b"going")
    assert blobs.tidied(untouched_since=float("inf"), dry_run=True) == (1, 5)
    assert blobs.tidied(untouched_since=float("inf")) == (1, 5)
    assert blobs.tidied(untouched_since=float("inf")) == (0, 0)


class Unmarked(ObjectBlobs):
    """A rival that drops at once, and never looks whether somebody has saved it meanwhile."""

    def drop(self, sha, *, untouched_since):
        self.meanwhile()
        opened(self.url, self.storage)[0].delete_file(self.path(sha))
        return 1


@pytest.mark.parametrize(("kind", "lost"), [(ObjectBlobs, False), (Unmarked, True)])
def test_a_body_saved_just_before_it_goes_is_there_afterwards(bucket, storage, monkeypatch, kind, lost):
    monkeypatch.setattr(object_blobs, "FRESH", -60.0)
    blobs = kind(f"{bucket}/blobs", storage)
    sha, saver = blobs.save(b"one"), ObjectBlobs(f"{bucket}/blobs", storage)
    saving = threading.Thread(target=lambda: saver.save(b"one"))

    def meanwhile(path=None, body=None):
        saving.start()
        if kind is Unmarked:
            saving.join()

    if kind is Unmarked:
        object.__setattr__(blobs, "meanwhile", meanwhile)
    else:
        put_it = ObjectBlobs._put

        def noted(self, path, body):
            put_it(self, path, body)
            if path.endswith(GOING):
                meanwhile()

        monkeypatch.setattr(ObjectBlobs, "_put", noted)
    blobs.drop(sha, untouched_since=float("inf"))
    saving.join()
    assert saver.has(sha) is not lost
