"""Blobs on object storage: bodies as objects named by their own SHA-256, with the promises of ``registry/blobs.py``.

An object is there once all of it is, so nothing is ever half-written; what is read is hashed again. Nothing is renamed there and nothing is
deleted on a condition, so a body that is dropped is marked first and looked at again, and whoever saves looks for the mark afterwards: one
of the two sees the other. What is there already is put anew once it is an hour old, which marks it as saved now.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everloop.clock import monotonic, wall
from everloop.connect.objects import NO_STORAGE, opened
from everloop.errors import ArtefactBroken, StoreError, Unknown
from everloop.lake.trouble import asked_by
from everloop.registry.blobs import NOW, Saved
from everloop.settings import Storage

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

_SHA: Final = re.compile(r"[0-9a-f]{64}")
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
#: The ending of the mark of a body that is about to go.
GOING: Final = ".going"
#: Seconds for which a body that is there counts as just saved; and those that a mark is waited for before its maker counts as dead.
FRESH: Final = 3600.0
DROPPING: Final = 30.0
#: So often a body is put that somebody else drops meanwhile.
TRIES: Final = 10


@dataclass(frozen=True)
class ObjectBlobs:
    """The bodies of one house, below one URL of object storage."""

    url: str
    storage: Storage = NO_STORAGE

    def save(self, body: bytes) -> str:
        """Keep bytes; returns their SHA-256. Raises StoreError where they cannot be written: nothing is there then."""
        sha = hashlib.sha256(body).hexdigest()
        path = self.path(sha)
        with self._told("written"):
            there = self._info(path)
            if there is None or there.size != len(body) or wall().timestamp() - _at(there) > FRESH:
                self._keep(path, body)
        return sha

    def read(self, sha: str) -> bytes:
        """The bytes of this SHA-256. Raises Unknown if they were never kept or are gone, ArtefactBroken if they are not what they were."""
        path = self.path(sha)
        with self._told("read"):
            body = self._get(path)
        if body is None:
            if (now := self.now(sha)) is not None:
                return self.read(now)
            raise Unknown("body", sha, where=self.url, next="Restore it from a backup.")
        if hashlib.sha256(body).hexdigest() != sha:
            raise ArtefactBroken(
                f"The body {sha[:12]}… ({len(body):,} bytes, below {self.url}) is not what was saved: it was cut off or changed. "
                "Restore it from a backup."
            )
        return body

    def has(self, sha: str) -> bool:
        """Is there a body of this name? Its bytes are only proven by reading them."""
        with self._told("read"):
            there = self._info(self.path(sha))
        # Azure shows a name whose bytes are still on their way, without any.
        return (there is not None and (there.size > 0 or sha == _EMPTY)) or self.now(sha) is not None

    def replace(self, sha: str, body: bytes) -> str:
        """Let another body answer to this name from now on: somebody was erased from it. The old one is gone when this returns; the SHA-256
        of the new one. Killed in between, it is done by being called again."""
        new = self.save(body)
        if new != sha:
            with self._told("written"):
                self._put(self.path(sha) + NOW, new.encode())
                self._delete(self.path(sha))
        return new

    def now(self, sha: str) -> str | None:
        """The SHA-256 of the body that was put in the place of this one; None: none was."""
        with self._told("read"):
            found = self._get(self.path(sha) + NOW)
        return None if found is None else found.decode()

    def saved(self) -> Iterator[Saved]:
        """Every body there is, in order of its SHA-256."""
        with self._told("read"):
            there = sorted(self._all(), key=lambda info: info.path)
        for info in there:
            if _SHA.fullmatch(sha := "".join(info.path.rsplit("/", 2)[1:])):
                yield Saved(sha, info.size, _at(info))

    def all(self) -> Iterator[str]:
        """The SHA-256 of every body there is, in order."""
        return (one.sha for one in self.saved())

    def drop(self, sha: str, *, untouched_since: float) -> int:
        """Drop a body that nothing names; returns its bytes, 0 where it stays since it was saved after ``untouched_since`` (seconds since
        1970, by the clock of the storage), or is not there."""
        path, began = self.path(sha), monotonic()
        with self._told("written"):
            there = self._info(path)
            if there is None or _at(there) >= untouched_since:
                return 0
            self._put(path + GOING, b"going")
            there = self._info(path)
            # Whoever saves waits twice as long before the mark counts as a dead one's.
            goes = there is not None and _at(there) < untouched_since and monotonic() - began < DROPPING / 2
            if goes:
                self._delete(path)
            self._delete(path + GOING)
        return int(there.size) if goes and there is not None else 0

    def tidied(self, *, untouched_since: float, dry_run: bool = False) -> tuple[int, int]:
        """Take off the marks of processes that died over them: how many, how many bytes. ``dry_run`` only counts."""
        with self._told("written"):
            left = [info for info in self._all() if info.path.endswith(GOING) and _at(info) < untouched_since]
            for info in left if not dry_run else ():
                self._delete(info.path)
        return len(left), sum(info.size for info in left)

    def path(self, sha: str) -> str:
        """Where a body is, or would be, in its file system. Raises StoreError for what is no SHA-256: no name leads out of the URL."""
        if not _SHA.fullmatch(sha):
            raise StoreError(f"{sha!r} is no SHA-256.")
        return f"{opened(self.url, self.storage)[1]}/{sha[:2]}/{sha[2:]}"

    # -- objects --

    @property
    def _system(self) -> FileSystem:
        return opened(self.url, self.storage)[0]

    def _info(self, path: str) -> FileInfo | None:
        found = self._system.get_file_info(path)
        return found if found.is_file else None

    def _all(self) -> list[FileInfo]:
        from pyarrow.fs import FileSelector

        found = self._system.get_file_info(FileSelector(opened(self.url, self.storage)[1], recursive=True, allow_not_found=True))
        return [info for info in found if info.is_file]

    def _get(self, path: str) -> bytes | None:
        try:
            with self._system.open_input_file(path) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def _put(self, path: str, body: bytes) -> None:
        # Not as a context: leaving one by an error closes the object, and a closed object is there.
        out = self._system.open_output_stream(path, compression=None)
        out.write(body)
        out.close()

    def _keep(self, path: str, body: bytes) -> None:
        """Put it until it is there and nobody is about to drop it."""
        for _ in range(TRIES):
            self._put(path, body)
            if self._info(path + GOING) is not None:
                self._wait_for(path + GOING)
            elif (there := self._info(path)) is not None and there.size == len(body):
                return
        raise StoreError(f"{self.url} says it keeps what it does not: {path} was put and is not there. Look at its storage.")

    def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._system.delete_file(path)

    def _wait_for(self, mark: str) -> None:
        """Until a mark is gone, or its maker counts as dead; then it is taken off."""
        until = monotonic() + DROPPING
        while self._info(mark) is not None:
            if monotonic() > until:
                self._delete(mark)
                return
            time.sleep(0.05)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = str(error).strip().split("\n")[0].rstrip(".")
            if (cure := asked_by(self.url, str(error).lower())) is not None:
                raise StoreError(f"{self.url} cannot be {what}: {cure} Nothing was half-written. (It said: {why}.)") from error
            raise StoreError(f"{self.url} cannot be {what}: {why}. Nothing was half-written. Run it again when it can.") from error


def _at(info: FileInfo) -> float:
    """When an object was last put, in seconds since 1970."""
    return float(info.mtime_ns) / 1e9
