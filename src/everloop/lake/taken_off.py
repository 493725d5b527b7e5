"""Taken off: everything of a Delta table on object storage that no version needs from one on. In: a URL. Out: nothing is left of it.

The library's own vacuum takes every file that no commit names, and so what another machine has put there and is about to commit: no lock
keeps that one out. Here a file goes that an older commit names, or that nobody has named for an hour.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from everloop.clock import wall

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

LOG: Final = "_delta_log"
#: Seconds after which a file that no commit names is one of a writer that died, not of one that is about to commit.
YOUNG: Final = 3600.0


def taken_off(url: str, options: Mapping[str, str], version: int) -> None:
    """Leave of a table a version that was rewritten, a checkpoint of it, those after it, and what was just put. Killed at any moment, it
    is done by being called again; a reader who holds an older version open may fail once."""
    from deltalake import DeltaTable
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    system = PyFileSystem(DeltaStorageHandler(url, dict(options)))
    # The log before the table: what is committed in between is no older commit's.
    commits = {info.path: number for info in _files(system, LOG) if (number := _number(info)) is not None}
    named = set(_named(system, [path for path, number in commits.items() if number <= version]))
    found = DeltaTable(url, version=version, storage_options=dict(options))
    found.create_checkpoint()
    needed = {_name(uri) for uri in found.file_uris()}
    needed |= set(_named(system, [path for path, number in commits.items() if number > version]))
    old = wall().timestamp() - YOUNG
    for info in _files(system, ""):
        there = not info.path.startswith(LOG) and info.base_name not in needed
        if there and (info.base_name in named or info.mtime_ns / 1e9 < old):
            _delete(system, info.path)
    # Commits last: they are what tells which files are to go.
    for info in _files(system, LOG):
        number = _number(info)
        if number is not None and number < version:
            _delete(system, info.path)


def _number(info: FileInfo) -> int | None:
    """The version that a file of the log is of."""
    number = info.base_name.split(".")[0]
    return int(number) if number.isdigit() else None


def _named(system: FileSystem, commits: Iterable[str]) -> Iterator[str]:
    """The name of every file that commits which are still there have added or removed."""
    for path in commits:
        if path.endswith(".json"):
            with suppress(FileNotFoundError), system.open_input_stream(path) as file:
                yield from _paths(file.read().splitlines())


def _name(path: str) -> str:
    """What a file is called: by its last part alone, for tables here have no partitions."""
    return unquote(path).rsplit("/", 1)[-1]


def _paths(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        for what, action in json.loads(line).items():
            if what in ("add", "remove"):
                yield _name(action["path"])


def _files(system: FileSystem, folder: str) -> list[FileInfo]:
    from pyarrow.fs import FileSelector

    found = system.get_file_info(FileSelector(folder, recursive=True, allow_not_found=True))
    return [info for info in found if info.is_file]


def _delete(system: FileSystem, path: str) -> None:
    with suppress(FileNotFoundError):
        system.delete_file(path)
