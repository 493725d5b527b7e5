"""Where a lake lies: a folder of Delta tables and the log in which rows arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from everloop.errors import StoreError
from everloop.lake.delta import DeltaTables
from everloop.lake.events import SqliteLog
from everloop.lake.tables import Also, EventLog, Tables
from everloop.settings import Durability


def _awake(_moment: str) -> None:
    """Nothing happens between two commits; a test of crashes puts something else here."""


def _nothing_else(_source: str) -> Also | None:
    """Rows arrive, and that is all."""
    return None


@dataclass(frozen=True)
class Lake:
    """A log and tables. ``pause`` is called between every two commits with the name of the moment; ``also`` says for a source what else is
    done with its new rows in the transaction they arrive in."""

    log: EventLog
    tables: Tables
    pause: Callable[[str], None] = field(default=_awake, repr=False, compare=False)
    also: Callable[[str], Also | None] = field(default=_nothing_else, repr=False, compare=False)


def open_lake(
    folder: str | Path,
    events: str | Path | EventLog | None = None,
    *,
    durability: Durability = "sync",
    pause: Callable[[str], None] = _awake,
    options: Mapping[str, str] | None = None,
) -> Lake:
    """A lake in ``folder`` (a path, or a URL of object storage), its log in ``events``: ``sqlite:///path`` or a path (unsaid: beside it),
    or a log that was made elsewhere.

    Nothing is made before something is kept. ``durability`` is what a row survives once it was received: ``"sync"`` a power cut,
    ``"group"`` a power cut 50 ms later, ``"process"`` only the end of the process. ``options``: how object storage is reached, as the Delta
    library is told it.

    >>> open_lake("/tmp/shop/lake").log
    SqliteLog(file=PosixPath('/tmp/shop/events.db'), durability='sync')

    Raises StoreError for a log that is no SQLite file.
    """
    if events is None:
        if "://" in str(folder):
            raise StoreError(f'The lake {folder} is not on this machine, so say where its log is: events = "sqlite:///events.db"')
        events = Path(folder).parent / "events.db"
    if not isinstance(events, str | Path):
        return Lake(events, DeltaTables(str(folder), options or {}), pause)
    file = str(events).removeprefix("sqlite:///")
    if "://" in file or file in ("", ":memory:"):
        raise StoreError(
            f"{events} cannot hold events: an event log is a SQLite file, or on Postgres. Say sqlite:///events.db or postgresql://…"
        )
    return Lake(SqliteLog(Path(file), durability), DeltaTables(str(folder), options or {}), pause)


def table_of(source: str) -> str:
    """The name of the table a source's events are sealed into.

    >>> table_of("orders")
    'events/orders'
    """
    return f"events/{source}"
