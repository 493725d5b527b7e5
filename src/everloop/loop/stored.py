"""Where a house keeps its bodies, whose a place is, and what is taken off with everybody: folders of this machine, or object storage."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.connect.objects import is_url, opened, without_secret
from everloop.disk import put_whole
from everloop.errors import StoreError
from everloop.lake.trouble import told
from everloop.registry.blobs import Blobs
from everloop.settings import Settings, Storage

if TYPE_CHECKING:
    from everloop.registry.store import SweptStore


def blobs_of(settings: Settings) -> SweptStore:
    """The bodies of a house. Nothing is asked of a storage before a body is.

    >>> from everloop.settings import read_settings
    >>> blobs_of(read_settings("/shop", environ={}))
    Blobs(folder=PosixPath('/shop/.everloop/blobs'))
    """
    if not is_url(settings.blobs):
        return Blobs(Path(settings.blobs))
    from everloop.connect.object_blobs import ObjectBlobs

    return ObjectBlobs(settings.blobs, settings.storage)


def emptied(place: str, storage: Storage) -> None:
    """Take off everything below a folder or a URL; what is not there is no error. Raises StoreError where a storage refuses."""
    if not is_url(place):
        shutil.rmtree(place, ignore_errors=True)
        return
    system, path = opened(place, storage)
    try:
        system.delete_dir_contents(path, missing_dir_ok=True)
    except OSError as error:
        raise StoreError(f"{place} cannot be emptied: {str(error).strip().splitlines()[0]}. Run it again when it can.") from error


# -- whose a place is ------------------------------------------------------------------------------------------------------------------

OWNER = ".house"
"""The file that says whose the tables or bodies of a place are."""


def owner_of(place: str, storage: Storage) -> str | None:
    """Whose a folder or a URL is: the mark of a house; None where it is nobody's yet.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     owner_of(folder, Storage()), owned_by(folder, Storage(), "a"), owned_by(folder, Storage(), "b")
    (None, 'a', 'a')

    Raises StoreError where a storage does not answer.
    """
    with told(without_secret(place)):
        try:
            if not is_url(place):
                return Path(place, OWNER).read_text().strip() or None
            system, path = opened(place, storage)
            with system.open_input_file(f"{path}/{OWNER}") as file:
                return bytes(file.read()).decode().strip() or None
        except FileNotFoundError:
            return None


def owned_by(place: str, storage: Storage, mark: str, *, instead: bool = False) -> str:
    """Note whose a place is, unless it is somebody's already (``instead``: whosever it is); returns whose it is then.

    Two houses that are begun at one place within the same milliseconds may both be told it is theirs: storage that can only be written
    to cannot say who was first. The next one to look is told who was last.
    """
    there = None if instead else owner_of(place, storage)
    if there is not None:
        return there
    with told(without_secret(place)):
        if not is_url(place):
            Path(place).mkdir(parents=True, exist_ok=True)
            put_whole(Path(place, OWNER), mark.encode())
            return mark
        system, path = opened(place, storage)
        out = system.open_output_stream(f"{path}/{OWNER}", compression=None)
        out.write(mark.encode())
        out.close()
    return owner_of(place, storage) or mark
