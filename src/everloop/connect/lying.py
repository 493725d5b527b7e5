"""Files that lie somewhere: in a folder of this machine or in a bucket. In: a pattern. Out: what lies there; and one of them, at hand.

A pattern is a path or a URL; ``*`` stands for anything within a name, ``**`` for any folders, ``?`` for a letter, and in the name of a file
``[0-9]`` for one of these letters, ``[!0-9]`` for one of none of them.
"""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everloop.connect.objects import is_url, opened
from everloop.errors import EverloopError, HouseFull, StoreError
from everloop.settings import Storage

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

_PIECE: Final = 1 << 20
_ONE_OF: Final = r"\[!?\]?[^\]/]*\](?=[^/]*$)"
"""Letters one of which is meant, in the last name of a path alone: as everywhere else where a pattern is read."""
_OF_ITSELF: Final = re.compile(
    r"AWS Error (ACCESS_DENIED|INVALID_OBJECT_STATE|OBJECT_NOT_IN_ACTIVE_TIER|NO_SUCH_KEY|RESOURCE_NOT_FOUND)"
    r"|AWS Error UNKNOWN \(HTTP status 40[34]\)|PERMISSION_DENIED"
    r"|\b(AuthorizationPermissionMismatch|BlobArchived|BlobNotFound)\b|\b40[34] Forbidden"
)
"""What stores answer, as Arrow tells it, that is about one object: it may not be read, is archived, or has gone."""


@dataclass(frozen=True)
class Lying:
    """A file that lies there: where, its bytes, and when it was written last (µs; 0: nobody knows)."""

    url: str
    size: int
    written_at: int

    @property
    def name(self) -> str:
        """Its name, without where."""
        return self.url.rpartition("/")[2]


def lying(pattern: str, storage: Storage) -> list[Lying]:
    """What lies where a pattern says, in order of where. Raises StoreError where it cannot be looked.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "orders-1.csv").write_text("id"), Path(folder, "notes.txt").write_text("")
    ...     [(one.name, one.size) for one in lying(f"{folder}/orders-*.csv", Storage())]
    [('orders-1.csv', 2)]
    """
    from pyarrow.fs import FileSelector, FileType

    system, path, scheme = _place(pattern, storage)
    folder = _folder_of(path)
    try:
        if folder == path:
            found = [system.get_file_info(path)]
        else:
            deep = "/" in path[len(folder) :].strip("/")
            found = system.get_file_info(FileSelector(folder, allow_not_found=True, recursive=deep))
    except (OSError, ValueError) as error:
        raise StoreError(f"{pattern} cannot be looked at: {str(error).splitlines()[0][:300]}") from error
    wanted = re.compile(matching(path))
    there = [one for one in found if one.type == FileType.File and wanted.fullmatch(one.path)]
    return sorted((_lying(scheme, one) for one in there), key=lambda one: one.url)


def matches(pattern: str, url: str) -> bool:
    """Whether a pattern is one of this file.

    >>> matches("s3://shop/orders/*.parquet", "s3://shop/orders/a.parquet"), matches("s3://shop/*.parquet", "s3://shop/orders/a.parquet")
    (True, False)
    """
    return re.fullmatch(matching(pattern), url) is not None


def matching(pattern: str) -> str:
    """A pattern as a regular expression.

    >>> bool(re.fullmatch(matching("a/**/*.csv"), "a/b/c/d.csv")), bool(re.fullmatch(matching("a/**/*.csv"), "a/d.csv"))
    (True, True)
    >>> bool(re.fullmatch(matching("a/*.csv"), "a/b/d.csv")), bool(re.fullmatch(matching("a/[0-9].csv"), "a/7.csv"))
    (False, True)
    """
    said = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(rf"(\*\*/|\*\*|\*|\?|{_ONE_OF})", pattern)
    return "".join(said.get(part) or (_one_of(part) if re.fullmatch(_ONE_OF, part) else re.escape(part)) for part in parts)


def _one_of(letters: str) -> str:
    """``[…]`` as a regular expression, as glob reads it.

    >>> [bool(re.fullmatch(_one_of("[!a-c]"), letter)) for letter in "ad"]
    [False, True]
    """
    return f"(?!/){translate(letters)[:-2]}"


@contextmanager
def at_hand(one: Lying, storage: Storage) -> Iterator[tuple[Path, str | None]]:
    """A file as one of this machine, for as long as it is read; and what its store calls its content (an ETag), where it says so.

    Raises EverloopError where it is itself refused, StoreError where its place does not answer, HouseFull where there is no room for it
    here; it is whole or not there.
    """
    if not is_url(one.url):
        yield Path(one.url), None
        return
    system, path, _ = _place(one.url, storage)
    with tempfile.TemporaryDirectory(prefix="everloop-arriving-") as folder:
        file = Path(folder, one.name)
        try:
            # As it lies there: what is compressed is unpacked by who reads it.
            with system.open_input_stream(path, compression=None) as body, file.open("wb") as out:
                etag = _etag(body.metadata())
                while piece := body.read(_PIECE):
                    out.write(piece)
        except (OSError, ValueError) as error:
            raise _failed(f"{one.url} cannot be fetched", error) from error
        yield file, etag


def looked_up(url: str, storage: Storage) -> Lying | None:
    """What lies at one place; None where nothing does. Raises EverloopError where it is itself refused, StoreError where its place does
    not answer."""
    from pyarrow.fs import FileType

    system, path, scheme = _place(url, storage)
    try:
        found = system.get_file_info(path)
    except (OSError, ValueError) as error:
        raise _failed(f"{url} cannot be looked at", error) from error
    return _lying(scheme, found) if found.type == FileType.File else None


def _failed(what: str, error: OSError | ValueError) -> EverloopError:
    """Why one object could not be had: StoreError where it is not to do with the object, so that it is to be tried again."""
    said = f"{what}: {(getattr(error, 'strerror', None) or str(error)).splitlines()[0][:300]}"
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return HouseFull(said)
    itself = isinstance(error, ValueError | FileNotFoundError | PermissionError) or getattr(error, "errno", None) == errno.ENAMETOOLONG
    return EverloopError(said) if itself or _OF_ITSELF.search(str(error)) else StoreError(said)


def _place(url: str, storage: Storage) -> tuple[FileSystem, str, str]:
    """The file system of a path or URL, its path there, and what stands before such paths in URLs."""
    if is_url(url):
        system, path = opened(url, storage)
        return system, path, url.partition("://")[0] + "://"
    from pyarrow.fs import LocalFileSystem

    return LocalFileSystem(), url, ""


def _folder_of(path: str) -> str:
    """The folder in which all lies that a pattern may be of; the path itself where it is no pattern."""
    wild = re.search(rf"[*?]|{_ONE_OF}", path)
    return path if wild is None else path[: wild.start()].rpartition("/")[0] or "/"


def _lying(scheme: str, found: FileInfo) -> Lying:
    return Lying(f"{scheme}{found.path}", int(found.size or 0), int(found.mtime_ns or 0) // 1000)


def _etag(said: object) -> str | None:
    there = {str(name, "utf-8") if isinstance(name, bytes) else str(name): value for name, value in dict(said or {}).items()}  # type: ignore[call-overload]
    etag = there.get("ETag")
    return None if etag is None else (etag.decode() if isinstance(etag, bytes) else str(etag)).strip('"')
