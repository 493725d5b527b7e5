"""Blobs: what is too large for the journal, as files named by their own SHA-256. Knows no noun, reads no clock.

A body is written to a temporary file, synced, renamed into place, and its folder synced: it is there whole or not at all. What is read
is hashed again, so bytes that rotted or were cut off are ArtefactBroken and never believed.

A body is saved before the record that names it is kept. So that none goes in between, saving what is there already marks it as new, and a
body is dropped by moving it aside first: one that was marked meanwhile is moved back.

A body from which a person was erased has another SHA-256, while the journal goes on naming the first: a small file beside says which body
answers to that name now.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from everloop.disk import put_whole, synced
from everloop.errors import ArtefactBroken, HouseFull, StoreError, Unknown

_SHA = re.compile(r"[0-9a-f]{64}")
NOW = ".now"
"""The ending of the file that says which body answers to a name now."""


@dataclass(frozen=True)
class Saved:
    """A body there is: its SHA-256, bytes, and when it was last saved (seconds since 1970, by the clock of where it lies)."""

    sha: str
    size: int
    at: float


@dataclass(frozen=True)
class Blobs:
    """The bodies of one house, below one folder."""

    folder: Path

    def save(self, body: bytes) -> str:
        """Keep bytes; returns their SHA-256. What is there already is kept once.

        Raises HouseFull when the disk is full (nothing is left behind), StoreError when the folder cannot be written.
        """
        sha = hashlib.sha256(body).hexdigest()
        path = self.path(sha)
        try:
            if _marked(path) != len(body):
                self._write(path, body)
        except OSError as error:
            self._refuse(error)
        return sha

    def read(self, sha: str) -> bytes:
        """The bytes of this SHA-256. Raises Unknown if they were never kept or are gone, ArtefactBroken if they are not what they were."""
        path = self.path(sha)
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            if (now := self.now(sha)) is not None:
                return self.read(now)
            raise Unknown("body", sha, where=str(self.folder), next="Restore it from a backup.") from None
        except OSError as error:
            raise StoreError(f"The body {sha[:12]}… cannot be read: {error.strerror}.") from error
        if hashlib.sha256(body).hexdigest() != sha:
            raise ArtefactBroken(
                f"The body {sha[:12]}… ({len(body):,} bytes, {path}) is not what was saved: it was cut off or changed. "
                "Restore it from a backup."
            )
        return body

    def has(self, sha: str) -> bool:
        """Is there a body of this name? Its bytes are only proven by reading them."""
        return self.path(sha).exists() or self.now(sha) is not None

    def replace(self, sha: str, body: bytes) -> str:
        """Let another body answer to this name from now on: somebody was erased from it. The old one is gone when this returns; the SHA-256
        of the new one. Killed in between, it is done by being called again."""
        new = self.save(body)
        if new != sha:
            path = self.path(sha)
            try:
                self._write(path.with_name(path.name + NOW), new.encode())
                path.unlink(missing_ok=True)
            except OSError as error:
                self._refuse(error)
        return new

    def now(self, sha: str) -> str | None:
        """The SHA-256 of the body that was put in the place of this one; None: none was."""
        path = self.path(sha)
        try:
            return path.with_name(path.name + NOW).read_text()
        except FileNotFoundError:
            return None

    def path(self, sha: str) -> Path:
        """Where a body is, or would be. Raises StoreError for what is no SHA-256, so no name can lead out of the folder."""
        if not _SHA.fullmatch(sha):
            raise StoreError(f"{sha!r} is no SHA-256.")
        return self.folder / sha[:2] / sha[2:]

    def saved(self) -> Iterator[Saved]:
        """Every body there is, in order of its SHA-256."""
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            if _SHA.fullmatch(sha := path.parent.name + path.name):
                with suppress(FileNotFoundError):
                    found = path.stat()
                    yield Saved(sha, found.st_size, found.st_mtime)

    def all(self) -> Iterator[str]:
        """The SHA-256 of every body there is, in order."""
        return (one.sha for one in self.saved())

    def drop(self, sha: str, *, untouched_since: float) -> int:
        """Drop a body that nothing names; returns its bytes, 0 where it stays since it was saved after ``untouched_since`` (seconds since
        1970, by the clock of the disk), or is not there."""
        path = self.path(sha)
        aside = path.with_name(f".{path.name}.{os.getpid()}.gone")
        try:
            if path.stat().st_mtime >= untouched_since:
                return 0
            path.rename(aside)
            found = aside.stat()
            if found.st_mtime >= untouched_since:
                aside.rename(path)
                return 0
            aside.unlink()
        except FileNotFoundError:
            return 0
        return found.st_size

    def tidied(self, *, untouched_since: float, dry_run: bool = False) -> tuple[int, int]:
        """Bring back what was moved aside by a process that died, and take off what was half-written before: how many files, how many
        bytes. ``dry_run`` only counts."""
        if not dry_run:
            self.put_back()
        left = [(path, path.stat().st_size) for path in self.leftovers(untouched_since=untouched_since)]
        for path, _ in left if not dry_run else ():
            path.unlink(missing_ok=True)
        return len(left), sum(size for _, size in left)

    def put_back(self) -> None:
        """Bring back what was moved aside by a process that died before it had looked at it again."""
        for aside in sorted(self.folder.glob("*/.*.gone")):
            path = aside.with_name(aside.name[1:].partition(".")[0])
            with suppress(FileNotFoundError):
                if path.exists():
                    aside.unlink()
                else:
                    aside.rename(path)

    def leftovers(self, *, untouched_since: float) -> Iterator[Path]:
        """Files whose writing was killed halfway, and so long ago that nobody is at it any more."""
        for path in sorted(self.folder.glob("*/.*.part")):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < untouched_since:
                    yield path

    def _write(self, path: Path, body: bytes) -> None:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            synced(self.folder)
        put_whole(path, body)

    def _refuse(self, error: OSError) -> NoReturn:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HouseFull(f"There is no room left in {self.folder}. Nothing was half-written. Make room and run it again.") from error
        raise StoreError(f"{self.folder} cannot be written: {error.strerror}.") from error


def _marked(path: Path) -> int | None:
    """Mark a body as saved now. Its bytes; None where there is none, or was moved aside before it was marked."""
    try:
        os.utime(path)
        return path.stat().st_size
    except FileNotFoundError:
        return None
