"""A bulk result while it is put together: lines go into a file of their own as they come, and come out as nodes with what is below them.

Lines name their parents, and nothing is promised of where they stand: a child may come any number of lines after its parent, in another
piece of the download. So lines are kept on the disk, by parent, and memory holds one batch. How far the download has come is kept in the
same transaction as its lines: who is killed goes on at the last whole line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

LINES_AT_ONCE: Final = 10_000
BELOW: Final = {"Order": "lineItems", "Product": "variants", "InventoryItem": "inventoryLevels"}
"""What is below a node in our documents: one connection each."""


class _Line(msgspec.Struct):
    id: str
    parent: str | None = msgspec.field(name="__parentId", default=None)


@dataclass(frozen=True)
class Staged:
    """A result that came so far. ``file`` is its own; another operation's lines are never in it."""

    file: Path

    def position(self) -> int:
        """The byte the download has come to."""
        with closing(self._opened()) as db:
            return int(db.execute("select position from state").fetchone()[0])

    def keep(self, lines: Iterable[tuple[bytes, int]]) -> int:
        """Keep lines with the bytes they end at, a few thousand in each transaction. How many were kept."""
        read, count = msgspec.json.Decoder(_Line), 0
        with closing(self._opened()) as db:
            for some in _batches(lines):
                rows = [(line.id, line.parent, body) for line, body in ((read.decode(body), body) for body, _ in some if body.strip())]
                db.execute("begin immediate")
                db.executemany("insert into lines (id, parent, body) values (?, ?, ?)", rows)
                db.execute("update state set position = ?", (some[-1][1],))
                db.execute("commit")
                count += len(rows)
        return count

    def ready(self) -> None:
        """All lines are here: they can be asked by parent from now on."""
        with closing(self._opened()) as db:
            db.execute("create index if not exists below on lines (parent, seq) where parent is not null")

    def nodes(self, at_once: int = 200, *, whole: bool = True) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Nodes with what is below them, in batches, each with the place to say to ``given``; those not given yet.

        Where not the ``whole`` result came, nodes without anything below them are left out: it may be what is lacking.
        """
        read = msgspec.json.Decoder(dict[str, Any])
        with closing(self._opened()) as db:
            place = int(db.execute("select given from state").fetchone()[0])
            while roots := db.execute(
                "select seq, id, body from lines where parent is null and seq > ? order by seq limit ?", (place, at_once)
            ).fetchall():
                found: dict[str, dict[str, Any]] = {id: read.decode(body) for _, id, body in roots}
                below: dict[str, list[dict[str, Any]]] = {id: [] for id in found}
                marks = ",".join("?" * len(found))
                for parent, body in db.execute(f"select parent, body from lines where parent in ({marks}) order by seq", tuple(found)):
                    below[parent].append(read.decode(body))
                for id, node in found.items():
                    node[BELOW.get(str(node.get("__typename")), "nodes")] = {"nodes": below[id]}
                place = roots[-1][0]
                yield [node for id, node in found.items() if whole or below[id]], place

    def given(self, place: int) -> None:
        """The nodes up to this place are where they belong."""
        with closing(self._opened()) as db:
            db.execute("update state set given = ?", (place,))

    def forget(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def _opened(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.file, isolation_level=None)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        db.execute("pragma cache_size = -8000")
        db.execute("create table if not exists lines (seq integer primary key, id text not null, parent text, body blob not null)")
        db.execute("create index if not exists roots on lines (seq) where parent is null")
        db.execute("create table if not exists state (one integer primary key, position integer not null, given integer not null)")
        db.execute("insert or ignore into state values (1, 0, 0)")
        return db


def _batches(lines: Iterable[tuple[bytes, int]]) -> Iterator[list[tuple[bytes, int]]]:
    """Lines in batches; where their source breaks off, what came before is a batch as well."""
    some: list[tuple[bytes, int]] = []
    try:
        for one in lines:
            some.append(one)
            if len(some) >= LINES_AT_ONCE:
                yield some
                some = []
    except Exception:
        if some:
            yield some
        raise
    if some:
        yield some
