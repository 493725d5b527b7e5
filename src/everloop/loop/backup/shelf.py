"""Shelves: where backups lie, as named bodies in a folder or on object storage. A body is there whole or not at all.

In and out: bytes by a name such as ``pieces/9f/3c…``. Knows nothing of what they mean. Raises HouseFull where there is no room, StoreError
for anything else that storage could not do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from everloop.connect.objects import is_url, opened, without_secret
from everloop.disk import put_whole
from everloop.errors import HouseFull
from everloop.lake.trouble import told

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from everloop.settings import Storage


class Shelf(Protocol):
    """Named bodies."""

    @property
    def said(self) -> str:
        """Where it is, aloud: without a secret."""

    def names(self, folder: str) -> dict[str, int]:
        """Every body below a folder, with its size in bytes."""

    def read(self, name: str) -> bytes:
        """A body. Raises StoreError where it is gone."""

    def write(self, name: str, body: bytes) -> None:
        """Put a body there, in the place of one of the same name."""

    def drop(self, name: str) -> None:
        """Take a body away; one that is gone already is gone."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine. What was written is on the disk when the verb returns."""

    path: Path

    @property
    def said(self) -> str:
        return str(self.path)

    def names(self, folder: str) -> dict[str, int]:
        with _told(self.said):
            found = {}
            for path in (self.path / folder).rglob("*") if (self.path / folder).is_dir() else ():
                if path.is_file() and not path.name.startswith("."):
                    found[path.relative_to(self.path).as_posix()] = path.stat().st_size
            return found

    def read(self, name: str) -> bytes:
        with _told(self.said):
            return (self.path / name).read_bytes()

    def write(self, name: str, body: bytes) -> None:
        path = self.path / name
        with _told(self.said):
            path.parent.mkdir(parents=True, exist_ok=True)
            put_whole(path, body)

    def drop(self, name: str) -> None:
        with _told(self.said):
            (self.path / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Bucket:
    """A folder of object storage, by ``pyarrow.fs``: an upload that is not ended is not there."""

    files: FileSystem
    root: str
    said: str

    def names(self, folder: str) -> dict[str, int]:
        from pyarrow.fs import FileSelector, FileType

        with _told(self.said):
            wanted = FileSelector(f"{self.root}/{folder}", recursive=True, allow_not_found=True)
            there = self.files.get_file_info(wanted)
            return {one.path[len(self.root) + 1 :]: one.size for one in there if one.type is FileType.File}

    def read(self, name: str) -> bytes:
        with _told(self.said), self.files.open_input_file(f"{self.root}/{name}") as file:
            return bytes(file.read())

    def write(self, name: str, body: bytes) -> None:
        with _told(self.said), self.files.open_output_stream(f"{self.root}/{name}") as file:
            file.write(body)

    def drop(self, name: str) -> None:
        with _told(self.said), suppress(FileNotFoundError):
            self.files.delete_file(f"{self.root}/{name}")


def open_shelf(where: str, storage: Storage) -> Shelf:
    """The shelf at a path, or at a URL of object storage (``s3://bucket/folder``); nothing is made before something is put there.

    ``storage``: how that is reached, as settings say.

    >>> from everloop.connect.objects import NO_STORAGE
    >>> open_shelf("/tmp/backups", NO_STORAGE)
    Folder(path=PosixPath('/tmp/backups'))

    Raises SettingsError for a URL nobody can open.
    """
    if not is_url(where):
        return Folder(Path(where).expanduser().absolute())
    files, root = files_at(where, storage)
    return Bucket(files, root.rstrip("/"), without_secret(where))


def files_at(where: str, storage: Storage) -> tuple[FileSystem, str]:
    """The file system of a path or a URL, and the path in it. Raises SettingsError for a URL nobody can open."""
    from pyarrow.fs import LocalFileSystem

    if not is_url(where):
        return LocalFileSystem(), str(Path(where).absolute())
    return opened(where, storage)


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        with told(where):
            yield
    except HouseFull as error:
        raise HouseFull(f"There is no room left in {where}. Make room and say it again: what is there already is used.") from error
