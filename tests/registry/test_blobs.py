"""Blobs: whole or not there."""

import errno
import hashlib
import os
import stat
from functools import partial

import pytest

from everloop.errors import ArtefactBroken, HouseFull, StoreError, Unknown
from everloop.registry.blobs import Blobs


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def files(blobs):
    return [p for p in blobs.folder.rglob("*") if p.is_file()]


@pytest.mark.parametrize("body", [b"", b"x", b"\x00" * 1_000_000])
def test_what_was_saved_is_read(blobs, body):
    sha = blobs.save(body)
    assert sha == hashlib.sha256(body).hexdigest()
    assert blobs.read(sha) == body
    assert blobs.has(sha)


def test_the_same_bytes_are_kept_once(blobs):
    assert blobs.save(b"one") == blobs.save(b"one")
    blobs.save(b"two")
    assert len(files(blobs)) == 2
    assert set(blobs.all()) == {hashlib.sha256(b).hexdigest() for b in (b"one", b"two")}


def test_what_was_never_saved_is_unknown(blobs):
    assert not blobs.has("0" * 64)
    assert list(blobs.all()) == []
    with pytest.raises(Unknown):
        blobs.read("0" * 64)


@pytest.mark.parametrize("name", ["../../house.db", "", "abc", "0" * 63 + "/", "Z" * 64])
def test_no_name_leads_out_of_the_folder(blobs, name):
    for verb in (blobs.read, blobs.has, partial(blobs.drop, untouched_since=0.0)):
        with pytest.raises(StoreError, match="no SHA-256"):
            verb(name)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:3] + b"!" + b[4:], lambda b: b + b"x"])
def test_bytes_that_are_not_what_they_were_are_never_believed(blobs, damage):
    sha = blobs.save(b"an artefact")
    blobs.path(sha).write_bytes(damage(b"an artefact"))
    with pytest.raises(ArtefactBroken, match="not what was saved"):
        blobs.read(sha)


def test_saving_again_mends_a_body_that_was_cut_off(blobs):
    sha = blobs.save(b"an artefact")
    blobs.path(sha).write_bytes(b"an art")
    blobs.save(b"an artefact")
    assert blobs.read(sha) == b"an artefact"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing_behind(blobs, monkeypatch, number):
    sync = os.fsync

    def full(handle):
        if stat.S_ISREG(os.fstat(handle).st_mode):
            assert [f.suffix for f in files(blobs)] == [".part"]
            raise OSError(number, os.strerror(number))
        sync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(HouseFull, match="Make room"):
            blobs.save(b"an artefact")
    assert files(blobs) == []
    assert blobs.read(blobs.save(b"an artefact")) == b"an artefact"


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "blobs").write_text("a file in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        Blobs(tmp_path / "blobs").save(b"x")


def test_a_temporary_file_left_by_a_crash_is_no_body(blobs):
    sha = blobs.save(b"one")
    blobs.path(sha).with_name(".half.part").write_bytes(b"ha")
    assert list(blobs.all()) == [sha]


def test_what_nothing_refers_to_can_go(blobs):
    sha = blobs.save(b"one")
    assert blobs.drop(sha, untouched_since=float("inf")) == 3
    assert blobs.drop(sha, untouched_since=float("inf")) == 0
    assert not blobs.has(sha)
