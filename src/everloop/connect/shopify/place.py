"""The shop's own database, ``shopify.db`` in the house folder: what came in and is not done yet, tokens, runs. No decision is kept here.

Each noun makes its own tables when it is opened (``inbox.py``, ``tokens.py``, ``runs.py``); this file only opens.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Journal: TypeAlias = Literal["wal", "delete"]
"""How SQLite writes: ``wal`` needs memory that all who write share, as on one machine; ``delete`` only files and their locks."""
BUSY_MS = 5_000


@dataclass(frozen=True)
class Place:
    """Where the shop's own database is."""

    file: Path
    journal: Journal = "wal"

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, begun at once where it writes, and on the disk when this ends.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     place = Place(Path(folder) / "shopify.db")
        ...     with place.transaction() as t:
        ...         _ = t.execute("create table seen (id text primary key)")
        ...     with place.transaction(write=False) as t:
        ...         t.execute("select count(*) from seen").fetchone()
        (0,)
        """
        with closing(self.opened()) as connection:
            connection.execute("begin immediate" if write else "begin")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def opened(self) -> sqlite3.Connection:
        """A connection of its own, for one thread; commits are asked for by whoever holds it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=BUSY_MS / 1000, isolation_level=None)
        connection.execute(f"pragma journal_mode = {self.journal}")
        connection.execute("pragma synchronous = full")
        return connection
