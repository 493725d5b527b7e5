"""What a backup is: files, each as the pieces it is made of, and what they are a copy of. It exists once its manifest is written.

Pieces are named by their SHA-256 and shared by all backups of a place, so a backup costs what is new. The manifest is named by its own,
so a changed one is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import msgspec

from everloop.errors import EverloopError, StoreError, Unknown
from everloop.loop.backup.shelf import Shelf

FORM = 1
PIECE = 8 << 20
"""Bytes: a database whose pages change in few places has few new pieces."""
BACKUPS, PIECES, FORGOTTEN = "backups", "pieces", "forgotten"


class Part(msgspec.Struct, frozen=True):
    """One file of a house: where it lies in the house folder, its bytes, and the pieces they are."""

    path: str
    size: int
    pieces: tuple[str, ...]


class Cut(msgspec.Struct, frozen=True):
    """A table of the lake as it was copied: its version, and how many rows that has."""

    version: int
    rows: int


EVERYBODY = "*"
"""What stands for a column where everybody was forgotten."""


class Gone(msgspec.Struct, frozen=True):
    """Somebody who was forgotten: the record that says so, the column, and the hash of what it said of them; or ``EVERYBODY``."""

    id: str
    column: str
    person: str
    at: datetime


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One backup of one house. ``head`` is where its journal ends, ``revision`` the form of its tables, ``project`` the SHA-256 of the
    project file beside it; ``seconds`` is what it took."""

    form: int = FORM
    house: str
    taken_at: datetime
    release: str
    revision: str
    head: str
    project: str | None = None
    tables: dict[str, Cut]
    gone: tuple[Gone, ...] = ()
    parts: tuple[Part, ...]
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.parts)

    @property
    def pieces(self) -> set[str]:
        """Every piece it is made of."""
        return {piece for part in self.parts for piece in part.pieces}


@dataclass(frozen=True)
class Place:
    """Where the backups of one house are."""

    shelf: Shelf

    def ids(self) -> list[str]:
        """The backups there are, oldest first."""
        return sorted(name.rpartition("/")[2].removesuffix(".json") for name in self.shelf.names(BACKUPS) if name.endswith(".json"))

    def manifest(self, id: str | None = None) -> tuple[str, Manifest]:
        """A backup by its id, or the beginning of it; the newest. Raises Unknown, EverloopError where there is none at all, StoreError
        where it was changed or is of a newer release."""
        ids = self.ids()
        if not ids:
            raise EverloopError(f"There is no backup in {self.shelf.said}. Make one: everloop backup TO")
        found = [one for one in ids if one.startswith(id)] if id else ids[-1:]
        if len(found) != 1:
            raise Unknown("backup", str(id), ids, where=self.shelf.said, next="Make one: everloop backup TO")
        body = self.shelf.read(f"{BACKUPS}/{found[0]}.json")
        if hashlib.sha256(body).hexdigest()[:12] != found[0].rpartition("-")[2]:
            raise StoreError(
                f"The backup {found[0]} in {self.shelf.said} is not what was written. Take another, and that away: {', '.join(ids)}."
            )
        form = msgspec.json.decode(body, type=_Form).form
        if form != FORM:
            raise StoreError(f"The backup {found[0]} was made by a newer release (form {form}). Run: pip install --upgrade everloop")
        return found[0], msgspec.json.decode(body, type=Manifest)

    def all(self) -> Iterator[tuple[str, Manifest]]:
        """Every backup there is, oldest first."""
        for id in self.ids():
            yield self.manifest(id)

    def readable(self) -> list[tuple[str, Manifest]]:
        """The same, newest first, without those that were changed or are of a newer release."""
        found = []
        for id in reversed(self.ids()):
            with suppress(StoreError):
                found.append(self.manifest(id))
        return found

    def keep(self, manifest: Manifest) -> str:
        """Let a backup exist: its manifest is the last that is written. Returns its id."""
        body = msgspec.json.encode(manifest)
        at = f"{manifest.taken_at:%Y%m%dT%H%M%S.%f}"[:-3]
        id = f"{at}Z-{hashlib.sha256(body).hexdigest()[:12]}"
        self.shelf.write(f"{BACKUPS}/{id}.json", body)
        return id

    def pieces(self) -> dict[str, int]:
        """The pieces there are, with their sizes."""
        return {name.removeprefix(f"{PIECES}/").replace("/", ""): size for name, size in self.shelf.names(PIECES).items()}

    def piece(self, sha: str) -> bytes:
        """The bytes of a piece. Raises StoreError where they are not what they were."""
        body = self.shelf.read(_piece(sha))
        if hashlib.sha256(body).hexdigest() != sha:
            raise StoreError(f"A piece in {self.shelf.said} is not what was written: {_piece(sha)}. Back up anew, to another place.")
        return body

    def put(self, body: bytes, there: dict[str, int]) -> str:
        """Keep a piece unless it is ``there``, and read it back; returns its SHA-256."""
        sha = hashlib.sha256(body).hexdigest()
        if there.get(sha) != len(body):
            self.shelf.write(_piece(sha), body)
            self.piece(sha)
            there[sha] = len(body)
        return sha

    def read(self, part: Part) -> Iterator[bytes]:
        """A file's bytes, piece by piece, each proven."""
        for sha in part.pieces:
            yield self.piece(sha)

    # -- who was forgotten --

    def tell_gone(self, gone: Gone) -> None:
        """Note that somebody was forgotten, for whoever restores a backup from before."""
        self.shelf.write(f"{FORGOTTEN}/{gone.id}.json", msgspec.json.encode(gone))

    def told_gone(self) -> list[Gone]:
        """Who was forgotten, as far as it was told here."""
        names = sorted(self.shelf.names(FORGOTTEN))
        return [msgspec.json.decode(self.shelf.read(name), type=Gone) for name in names]

    # -- what goes --

    def prune(self, keep: int) -> tuple[str, ...]:
        """Let only the newest ``keep`` backups stay, and what they are made of; returns the ids of those that went."""
        ids = self.ids()
        went, stay = ids[:-keep], ids[-keep:]
        for id in went:
            self.shelf.drop(f"{BACKUPS}/{id}.json")
        left = [self.manifest(id)[1] for id in stay]
        named = set[str]().union(*(one.pieces for one in left))
        for sha in self.pieces().keys() - named:
            self.shelf.drop(_piece(sha))
        for gone in self.told_gone() if left else ():
            if gone.id in {one.id for one in left[0].gone}:
                self.shelf.drop(f"{FORGOTTEN}/{gone.id}.json")
        return tuple(went)


class _Form(msgspec.Struct):
    form: int


def _piece(sha: str) -> str:
    return f"{PIECES}/{sha[:2]}/{sha[2:]}"


def in_pieces(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """Bytes that come in some lengths, in pieces of one length; the last is shorter.

    >>> [len(piece) for piece in in_pieces([bytes(PIECE + 1), bytes(2)])] == [PIECE, 3]
    True
    """
    left = b""
    for body in bodies:
        left += body
        while len(left) >= PIECE:
            yield left[:PIECE]
            left = left[PIECE:]
    if left:
        yield left
