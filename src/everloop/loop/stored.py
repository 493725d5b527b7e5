"""Where a house keeps its bodies, and what is taken off with everybody: folders of this machine, or object storage, by its settings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.connect.objects import is_url, opened
from everloop.errors import StoreError
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
