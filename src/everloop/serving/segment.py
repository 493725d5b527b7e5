"""Segments: files of frames, each with one owner, who holds the kernel's lock on it for as long as it lives. In: frames. Out: their rows.

Whoever can take the lock may seal the segment: its owner let go of it, or died.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from everloop.disk import synced
from everloop.errors import HouseBusy, HouseFull, StoreError
from everloop.serving.frames import unframed
from everloop.serving.payload import BEGINS, rows_of, whose

ENDING = ".answers"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FULL = (*NO_ROOM, errno.EFBIG)


@dataclass(eq=False)
class Owned:
    """A segment that is being written, and its owner's lock on it, which the kernel gives back when the owner dies."""

    path: Path
    fd: int
    size: int = 0
    whole: bool = True
    """False once something may lie at its end that could not be cut off: nothing may be written behind it."""
    entered: bool = False
    """Whether its name in the folder is on the disk too."""

    def append(self, data: bytes, *, sync: bool = False) -> None:
        """Write all of it or none of it. Raises HouseFull, StoreError."""
        start, left = self.size, memoryview(data)
        try:
            while left:
                left = left[os.write(self.fd, left) :]
            self.size += len(data)
            if sync:
                self.sync()
        except OSError as error:
            with suppress(StoreError):
                self.cut(start)
            raise refusal(error, self.path.parent) from error

    def cut(self, size: int, *, sync: bool = False) -> None:
        """Take back everything behind this size. Raises StoreError; then the segment is not ``whole``."""
        try:
            os.ftruncate(self.fd, size)
            self.size = size
            if sync:
                os.fsync(self.fd)
        except OSError as error:
            self.whole = False
            raise refusal(error, self.path.parent) from error

    def sync(self) -> None:
        """Bring what was written, and the segment's name, to the disk. Raises OSError."""
        os.fsync(self.fd)
        if not self.entered:
            synced(self.path.parent)
            self.entered = True

    def let_go(self, *, sync: bool) -> None:
        """Close it, for whoever seals it; an empty one is removed. Raises StoreError where it could not be synced."""
        try:
            if not self.size and self.whole:
                with suppress(FileNotFoundError):
                    self.path.unlink()
            elif sync:
                self.sync()
        except OSError as error:
            raise refusal(error, self.path.parent) from error
        finally:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            os.close(self.fd)


def own(folder: Path, name: str | None = None) -> Owned:
    """A new segment with this process as its owner. Raises HouseBusy where the name is taken, HouseFull, StoreError."""
    path = folder / f"{name or uuid.uuid4().hex}{ENDING}"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise HouseBusy(f"{path.name} has an owner already. Begin a segment of another name.") from None
    except OSError as error:
        raise refusal(error, folder) from error
    # A sealer may have seen it between the making and the lock, found nothing in it, and removed it.
    if not taken(fd) or not os.fstat(fd).st_nlink:
        os.close(fd)
        raise HouseBusy(f"{path.name} was taken the moment it was made. Begin another.")
    return Owned(path, fd)


def taken(fd: int) -> bool:
    """Whether this process now holds the lock of an open segment."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def segments(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first; none where there is no folder."""
    found = []
    for path in folder.glob(f"*{ENDING}") if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # sealed while we looked
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


@dataclass(frozen=True)
class Segment:
    """What one segment holds: its whole rows, the bytes of a torn tail, and frames in its middle that are damaged; and the mark of the
    house it says they are of (nothing: it does not say)."""

    id: str
    rows: pa.Table
    torn: int
    damaged: int
    house: str = ""

    def is_of(self, house: str) -> bool:
        """Whether its answers may be those of a house, by its mark."""
        return not house or self.house in ("", house)


def read(path: Path) -> Segment:
    """The whole rows of a segment, in time that grows with its size; a torn tail, or one still being written, is left out.

    Raises StoreError for a payload that is no rows, FileNotFoundError where it is sealed already.
    """
    found = unframed(path.read_bytes(), BEGINS)
    rows = rows_of(found.payloads, path.name)
    return Segment(path.name.removesuffix(ENDING), rows, found.torn, found.damaged, whose(found.payloads))


def refusal(error: OSError, folder: Path) -> StoreError:
    """What is said of an error of the disk: HouseFull where there is no room, else StoreError."""
    if error.errno in FULL:
        return HouseFull(f"The disk is full: the answers log in {folder} took nothing of this write. Make room, then ask again.")
    return StoreError(f"The answers log in {folder} cannot be written: {error.strerror}. Look at the folder and the disk.")
