"""The online state of a house whose events are on Postgres: who reads, who folds, and who waits for whom.

Folding takes one advisory lock: rows that arrive share it and are folded in their own transaction, where nobody else folds just then; who
folds what was left behind has it alone. Nobody who writes rows ever waits for it: what cannot be folded at once is folded by who reads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from everloop.connect.postgres import PostgresLog
from everloop.connect.postgres_client import committed, last_row
from everloop.connect.postgres_tables import FOLDING
from everloop.connect.postgres_tiles import PostgresTiles
from everloop.features.store import Changes, Mark

if TYPE_CHECKING:
    from everloop.features.fold import Fold
    from everloop.features.states import State
    from everloop.lake.shape import Events

MANY: Final = 10_000
"""So many rows that arrive at once are not folded in their transaction."""
BUSY_MILLISECONDS, MAKING_MILLISECONDS = 250, 60_000  # a request waits no longer for another process to write
_lines = logging.getLogger(__name__)


def fold_in(fold: Fold, connection: Any, events: Events) -> None:
    """Fold rows that have just been written, in their transaction. States nobody has made, and those that lack rows, stay as they are."""
    if events.num_rows > MANY:
        return
    if last_row(connection.execute(f"SELECT pg_try_advisory_xact_lock_shared({FOLDING}, 0)")) != (True,):
        return
    connection.execute("SAVEPOINT online")
    try:
        fold.take_in(PostgresTiles(connection), events)
    except Exception as error:  # the rows are kept whatever befalls what is made of them
        connection.execute("ROLLBACK TO online")
        _lines.warning("What arrived is kept, but was not folded: %r. Whoever reads next does it.", error)
    connection.execute("RELEASE online")


class _PieceByPiece(PostgresTiles):
    """Tiles that are made anew in many short transactions, so that nobody waits for long."""

    def replace(self, states: Mapping[str, Mark], changes: Iterable[Changes]) -> None:
        with writing(self._connection, MAKING_MILLISECONDS):
            self.forget([*states])
        # Without a mark nobody folds into them meanwhile.
        for some in changes:
            self.put(some)
        self.put(Changes(marks=states))


class PostgresState:
    """States beside the events on Postgres. Safe between threads, processes and machines. Every verb raises StoreError where the server
    cannot do it, HouseBusy where it can later."""

    def __init__(self, log: PostgresLog) -> None:
        self.log = log

    @contextmanager
    def reading(self) -> Iterator[PostgresTiles]:
        """The tiles at one moment: what others fold meanwhile is not seen."""
        with self.log.connected() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresTiles(connection)
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[PostgresTiles]:
        """The tiles, with the lock, which is waited for a quarter of a second."""
        with self.log.connected() as connection, writing(connection, BUSY_MILLISECONDS):
            yield PostgresTiles(connection)

    def make(self, states: Sequence[State], rows: pa.Table) -> None:
        """Make states anew, piece by piece; they are kept when the last piece is there."""
        from everloop.features.build import build

        name = states[0].source.name
        with self.log.alone(f"{name}.online", f"folding {name}", patience=0), self.log.connected() as connection:
            build(_PieceByPiece(connection), states, rows)

    def close(self) -> None:
        """Close the connections nobody uses."""
        self.log.close()


@contextmanager
def writing(connection: Any, patience: int) -> Iterator[None]:
    """One transaction, alone in folding; the lock is waited for so many milliseconds."""
    connection.execute(f"BEGIN; SET LOCAL lock_timeout = {patience}; SELECT pg_advisory_xact_lock({FOLDING}, 0)")
    yield
    committed(connection)
