"""Taking a backup: a house as it was at one instant, whole and proven, in a place; what is there already is not written again.

In: a house that may go on all the while, and a place. Out: ``Taken``. The manifest is the last that is written, so one that was killed
halfway is none; the next uses what it left.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

from everloop.clock import said
from everloop.errors import StoreError
from everloop.loop.backup.cut import Held, held
from everloop.loop.backup.manifest import PIECE, Cut, Gone, Manifest, Part, Place, in_pieces
from everloop.loop.backup.places import named as named_place
from everloop.loop.backup.places import remember
from everloop.loop.backup.proof import check, journal_of
from everloop.loop.backup.shelf import files_at, open_shelf
from everloop.loop.house import House
from everloop.records import Redaction, identity
from everloop.registry.blobs import NOW
from everloop.registry.garbage import named
from everloop.registry.store import Store
from everloop.sql.copies import proven
from everloop.sql.engine import open_engine
from everloop.sql.migrate import revision

SCRATCH = "backing-up"
_LOGGED = re.compile(r"(\d{20})\.(json|checkpoint[\w.]*\.parquet)")
_LASTING = re.compile(r"blobs/../[0-9a-f]{62}|lake/.*\.parquet|lake/.*/_delta_log/\d{20}\.json")
"""Files whose name is never given to other bytes."""


@dataclass(frozen=True)
class Taken:
    """A backup that was made. ``new`` are the bytes that were not there before, ``went`` the older backups that were let go."""

    id: str
    to: str
    manifest: Manifest
    new: int
    went: tuple[str, ...] = ()

    def __str__(self) -> str:
        m = self.manifest
        rows = sum(cut.rows for cut in m.tables.values())
        what = (
            f"{len(m.parts):,} files, {m.size / 1e6:,.1f} MB ({self.new / 1e6:,.1f} MB of it new), {rows:,} rows in {len(m.tables)} tables"
        )
        gone = f"\n{len(self.went):,} older went: {', '.join(self.went)}." if self.went else ""
        return f"{self.id} is in {self.to}: {what}, as of {said(m.taken_at)}, proven, in {m.seconds:.1f} s.{gone}"


def take(house: House, to: str, *, keep: int | None = None) -> Taken:
    """Back a house up to a folder or a URL (``s3://bucket/folder``); with ``keep`` only so many of the newest backups stay there.

    Raises StoreError where it could not be taken, where what is there is of another house, or where it is not proven; HouseFull, HouseBusy.
    Nothing of a backup that failed counts.
    """
    if keep is not None and keep < 1:
        raise StoreError("At least one backup stays. Say --keep 1, or more.")
    began, place, mine = time.monotonic(), Place(open_shelf(to, house.settings.storage)), identity("house", house.salt)
    with house.lake.log.alone("house.backup", "backing this house up", patience=0):
        before = _newest(place, mine)
        scratch = house.settings.house / SCRATCH
        try:
            with held(house, scratch) as there:
                copying = Copying(house, place, there, scratch, before)
                parts = tuple(copying.parts())
                copy = Store(open_engine(f"sqlite:///{scratch / 'house.db'}"))
                try:
                    made = Manifest(
                        house=mine, taken_at=there.at, release=version("everloop"), revision=revision(copy.engine) or "",
                        head=str(journal_of(copy).verify(there.head)), project=_project(house), gone=_gone(copy),
                        tables={name: Cut(table.version(), int(table.count())) for name, table in there.tables.items()},
                        parts=parts, seconds=round(time.monotonic() - began, 3),
                    )  # fmt: skip
                finally:
                    copy.close()
            house.pause("copied, not proven")
            check(place, made)
            house.pause("proven, not there")
            id = place.keep(made)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        went = place.prune(keep) if keep else ()
        remember(house, {named_place(to): id})
    return Taken(id, place.shelf.said, made, copying.new, went)


def _newest(place: Place, mine: str) -> Manifest | None:
    """The newest backup of this house in a place. Raises StoreError where backups of another are."""
    found = [manifest for _, manifest in place.readable()]
    if any(manifest.house != mine for manifest in found):
        raise StoreError(f"In {place.shelf.said} are backups of another house. Say a place for this house alone.")
    return found[0] if found else None


@dataclass
class Copying:
    """What is held, on its way to a place. ``new`` counts the bytes that were not there."""

    house: House
    place: Place
    held: Held
    scratch: Path
    before: Manifest | None
    new: int = 0
    there: dict[str, int] = field(default_factory=dict)
    lasting: Mapping[str, Part] = field(default_factory=dict)

    def parts(self) -> Iterator[Part]:
        """Every file, copied."""
        self.there = self.place.pieces()
        self.lasting = {part.path: part for part in self.before.parts if _LASTING.fullmatch(part.path)} if self.before else {}
        for name, database in self.held.databases.items():
            self.house.pause(f"before {name}")
            copy = self.scratch / name
            database.copy(copy)
            proven(copy)
            yield self._file(name, copy, copy.stat().st_size)
            for path in sorted((self.scratch / f"{copy.stem}.files").glob("*.arrow")):  # of a log that keeps them in its database
                yield self._file(f"{copy.stem}.files/{path.name}", path, path.stat().st_size)
        for name, (path, size) in self.held.files.items():
            yield self._file(name, path, size)
        self.house.pause("databases copied")
        for name in self.held.tables:
            yield from self._table(name)
        self.house.pause("tables copied")
        copied = Store(open_engine(f"sqlite:///{self.scratch / 'house.db'}"))
        try:
            names = named(copied)
        finally:
            copied.close()
        yield from self._bodies(sorted(names))

    def _put(self, name: str, bodies: Iterable[bytes]) -> Part:
        pieces, size = [], 0
        for piece in in_pieces(bodies):
            before = len(self.there)
            pieces.append(self.place.put(piece, self.there))
            size += len(piece)
            self.new += len(piece) * (len(self.there) > before)
        return Part(name, size, tuple(pieces))

    def _again(self, name: str, size: int | None) -> Part | None:
        """A file whose name never means other bytes, where the newest backup has it, and the place all of it."""
        part = self.lasting.get(name)
        same = part is not None and size in (None, part.size) and all(piece in self.there for piece in part.pieces)
        return part if same else None

    def _file(self, name: str, path: Path, size: int) -> Part:
        with path.open("rb") as file:
            return self._put(name, _read(file, size))

    def _table(self, name: str) -> Iterator[Part]:
        """A table's log up to its version, and the files of that version: it only grows, so these are those of all older ones."""
        from pyarrow.fs import FileSelector, FileType

        files, root = files_at(self.house.settings.lake, self.house.settings.storage)
        table, at = f"{root}/{name}", self.held.tables[name]
        for one in sorted(files.get_file_info(FileSelector(f"{table}/_delta_log")), key=lambda one: one.path):
            logged = _LOGGED.fullmatch(one.base_name)
            if one.type is FileType.File and logged and int(logged[1]) <= at.version():
                yield self._of_lake(files, one.path, f"lake/{name}/_delta_log/{one.base_name}", one.size)
        adds = at.get_add_actions(flatten=True)
        for path, size in zip(adds["path"].to_pylist(), adds["size_bytes"].to_pylist(), strict=True):
            yield self._of_lake(files, f"{table}/{unquote(path)}", f"lake/{name}/{unquote(path)}", size)

    def _of_lake(self, files: object, path: str, name: str, size: int) -> Part:
        if (again := self._again(name, size)) is not None:
            return again
        with files.open_input_file(path) as file:  # type: ignore[attr-defined]
            return self._put(name, _read(file, size))

    def _bodies(self, names: list[str]) -> Iterator[Part]:
        """Every body that a record or a fact names, or that stands in the place of one."""
        todo, seen = names, set[str]()
        while todo:
            sha = todo.pop()
            if sha in seen:
                continue
            seen.add(sha)
            path = f"blobs/{sha[:2]}/{sha[2:]}"
            now = self.house.blobs.now(sha)
            if now is not None:
                yield self._put(path + NOW, [now.encode()])
                todo.append(now)
            elif self.house.blobs.has(sha):
                yield self._again(path, None) or self._put(path, [self.house.blobs.read(sha)])


def _read(file: object, size: int) -> Iterator[bytes]:
    """So many bytes of an open file. Raises StoreError where it has fewer."""
    left = size
    while left:
        piece = bytes(file.read(min(PIECE, left)))  # type: ignore[attr-defined]
        if not piece:
            raise StoreError("A file of this house became shorter while it was copied. Run it again.")
        left -= len(piece)
        yield piece


def _project(house: House) -> str | None:
    path = house.project.path
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else None


def _gone(copy: Store) -> tuple[Gone, ...]:
    """Who was forgotten before."""
    there = [entry.record for entry in journal_of(copy).read(kind="Redaction")]
    return tuple(Gone(one.id, one.column, one.person, one.made_at) for one in there if isinstance(one, Redaction))
