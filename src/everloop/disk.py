"""What has to be on the disk itself before anybody relies on it, and whether there is room. Standard library only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def synced(path: Path) -> None:
    """Bring a file's bytes, or the names in a folder, to the disk. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     synced(Path(folder))
    """
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def put_whole(path: Path, body: bytes) -> None:
    """Write a file beside its place, bring it to the disk, and rename it there: it is there whole, or as it was. Raises OSError.

    What was linked there before keeps its bytes. A process that is killed leaves ``.NAME.PID.….part`` beside it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     put_whole(Path(folder, "a"), b"1")
    ...     [one.name for one in Path(folder).iterdir()]
    ['a']
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        synced(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


NEARLY_NOTHING = 1 << 20
"""Bytes free below which a database may find no room for what it writes beside itself."""
MEND_THE_DISK = "There is room, so it is the disk, its mount or a quota. See dmesg, mend it, run it again, and then: everloop verify"
"""What to do where a disk fails that is not full."""


def full(path: Path) -> bool:
    """Whether the disk of a file or folder has next to nothing free; False where nobody can tell.

    >>> full(Path("/nowhere/at/all/house.db"))
    False
    """
    for place in (path, path.parent):
        try:
            there = os.statvfs(place)
        except OSError:
            continue
        return there.f_bavail * there.f_frsize < NEARLY_NOTHING
    return False
