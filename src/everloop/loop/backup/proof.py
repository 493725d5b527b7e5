"""Proof that a backup is whole: every piece is there, the journal's chain holds, and every table can be opened at its version.

Reads a place; changes nothing there. Raises StoreError with what is wrong.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from everloop.errors import StoreError
from everloop.lake.trouble import told
from everloop.loop.backup.manifest import PIECE, Manifest, Part, Place
from everloop.registry.journal import Journal
from everloop.registry.store import Store


def journal_of(store: Store) -> Journal:
    """The journal in a copy of a house's database, whatever its revision."""
    return Journal(store)


def check(place: Place, manifest: Manifest) -> None:
    """Raises StoreError unless every piece of a backup is there, of the right length, no two of its files would lie in one place, and every
    table's log leads to files that are."""
    doubled = [path for path, times in Counter(part.path for part in manifest.parts).items() if times > 1]
    if doubled:
        raise StoreError(f"Of {doubled[0]} there are two, and no house can be made of both. Tell the makers; nothing was kept.")
    there = place.pieces()
    for part in manifest.parts:
        for at, sha in enumerate(part.pieces):
            wanted = PIECE if at < len(part.pieces) - 1 else part.size - PIECE * at
            if there.get(sha) != wanted:
                raise _lacking(place, part)
    for name in manifest.tables:
        _opens(place, manifest, name)


def _opens(place: Place, manifest: Manifest, name: str) -> None:
    """A table's log is read as the library reads it, in a folder of its own, and held against the files that were copied."""
    from deltalake import DeltaTable

    mine = {part.path: part for part in manifest.parts if part.path.startswith(f"lake/{name}/")}
    with tempfile.TemporaryDirectory(prefix="everloop-proof-") as folder:
        for part in _newest_log(list(mine.values())):
            write(place, part, Path(folder, part.path))
        found = DeltaTable(str(Path(folder, "lake", name)))
        if found.version() != manifest.tables[name].version:
            raise StoreError(
                f"The table {name} was copied at version {found.version()}, not {manifest.tables[name].version}. Run it again."
            )
        adds = found.get_add_actions(flatten=True)
        for file, size in zip(adds["path"].to_pylist(), adds["size_bytes"].to_pylist(), strict=True):
            there = mine.get(f"lake/{name}/{unquote(file)}")
            if there is None or there.size != size:
                raise StoreError(f"The table {name} was copied without its file {file}. Run it again.")


def _newest_log(parts: list[Part]) -> list[Part]:
    """Of a table's log its newest checkpoint and what came after."""
    log = {part: int(PurePosixPath(part.path).name[:20]) for part in parts if PurePosixPath(part.path).parent.name == "_delta_log"}
    first = max((number for part, number in log.items() if ".checkpoint" in part.path), default=0)
    return [part for part, number in log.items() if number >= first]


def write(place: Place, part: Part, to: Path) -> None:
    """A file of a backup, its bytes proven, written and synced. Raises HouseFull, StoreError."""
    with told(str(to.parent)):
        to.parent.mkdir(parents=True, exist_ok=True)
        with to.open("xb") as file:
            for piece in place.read(part):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


def _lacking(place: Place, part: Part) -> StoreError:
    return StoreError(f"{part.path} is not whole in {place.shelf.said}. Back up anew; what is whole there is used.")
