"""What every store of bodies must be able to do, as tests to inherit.

    class TestBlobsElsewhere(BlobSuite):
        def open(self, folder):
            return my_blobs(folder)

``open`` gives the store under test, empty, new for each test; called again with the same folder it gives the same one, as another process
would see it. Without an ``open`` of its own the suite runs on the folder of a house.
"""

from __future__ import annotations

import hashlib
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from everloop.errors import StoreError, Unknown
from everloop.registry.blobs import Blobs
from everloop.registry.store import SweptStore

NEVER, EVER = 0.0, float("inf")
BODIES = [bytes([n]) for n in range(10)]


def name_of(body: bytes) -> str:
    """The name bytes are kept under.

    >>> name_of(b"one")[:8]
    '7692c3ad'
    """
    return hashlib.sha256(body).hexdigest()


class BlobSuite:
    """Bytes are there under their SHA-256, whole or not at all, until nobody needs them."""

    def open(self, folder: Path) -> SweptStore:
        return Blobs(folder / "blobs")

    @pytest.mark.parametrize("body", [b"", b"x", b"\x00" * 1_000_000])
    def test_what_was_saved_is_read(self, tmp_path: Path, body: bytes) -> None:
        blobs = self.open(tmp_path)
        assert blobs.save(body) == name_of(body)
        assert self.open(tmp_path).read(name_of(body)) == body
        assert blobs.has(name_of(body))

    def test_the_same_bytes_are_kept_once(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        for body in (b"one", b"two!", b"one"):
            blobs.save(body)
        assert {one.sha: one.size for one in blobs.saved()} == {name_of(b"one"): 3, name_of(b"two!"): 4}
        assert [one.sha for one in blobs.saved()] == sorted(map(name_of, (b"one", b"two!")))

    def test_what_was_never_saved_is_unknown(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        assert not blobs.has("0" * 64)
        assert list(blobs.saved()) == []
        assert blobs.now("0" * 64) is None
        with pytest.raises(Unknown):
            blobs.read("0" * 64)

    @pytest.mark.parametrize("name", ["../../house.db", "", "abc", "0" * 63 + "/", "Z" * 64])
    def test_no_name_leads_out(self, tmp_path: Path, name: str) -> None:
        blobs = self.open(tmp_path)
        for verb in (blobs.read, blobs.has, partial(blobs.drop, untouched_since=NEVER)):
            with pytest.raises(StoreError, match="no SHA-256"):
                verb(name)

    def test_another_body_may_answer_to_a_name(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        was = blobs.save(b"with Ada")
        now = blobs.replace(was, b"without")
        assert self.open(tmp_path).read(was) == blobs.read(now) == b"without"
        assert (blobs.now(was), blobs.now(now)) == (now, None)
        assert [one.sha for one in blobs.saved()] == [now]
        assert blobs.replace(was, b"without") == now

    def test_what_nothing_refers_to_can_go(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        sha = blobs.save(b"one")
        assert blobs.drop(sha, untouched_since=EVER) == 3
        assert blobs.drop(sha, untouched_since=EVER) == 0
        assert not self.open(tmp_path).has(sha)

    def test_what_was_saved_since_stays(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        sha = blobs.save(b"one")
        (one,) = blobs.saved()
        assert blobs.drop(sha, untouched_since=one.at) == 0
        assert blobs.read(sha) == b"one"
        assert blobs.drop(sha, untouched_since=one.at + 0.001) == 3

    def test_what_is_saved_again_while_it_is_dropped_is_there_afterwards(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        for body in BODIES:
            blobs.save(body)
        time.sleep(1.1)  # some storages tell when by the second
        before = {one.sha: one.at for one in blobs.saved()}
        for body in BODIES:
            both = threading.Barrier(2)

            def again(body: bytes = body, both: threading.Barrier = both) -> None:
                both.wait()
                self.open(tmp_path).save(body)

            saving = threading.Thread(target=again)
            saving.start()
            both.wait()
            blobs.drop(name_of(body), untouched_since=before[name_of(body)] + 0.5)
            saving.join()
            assert blobs.read(name_of(body)) == body

    def test_nothing_half_written_is_left_of_what_went_well(self, tmp_path: Path) -> None:
        blobs = self.open(tmp_path)
        blobs.save(b"one")
        assert blobs.tidied(untouched_since=EVER) == (0, 0)
        assert blobs.read(name_of(b"one")) == b"one"
