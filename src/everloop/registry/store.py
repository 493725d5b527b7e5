"""The house's database as the nouns share it: one way to open it, one transaction, and what a backend of each noun must be able to do.

``with store.transaction() as t:`` is where a record, the pointer it moves and the alert it causes become one commit: give ``t`` to each
noun's writing verb. Reading verbs take ``within=t`` to see what the open transaction has written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy import Connection, Engine

from everloop.records import Alert, Incident, Record, Traffic
from everloop.sql import engine as sql
from everloop.sql.migrate import upgrade

if TYPE_CHECKING:
    from everloop.registry.blobs import Saved
    from everloop.registry.errands import Errand, State, Verb
    from everloop.registry.journal import Entry, Head
    from everloop.registry.keys import KeptKey
    from everloop.registry.outbox import Ended, Kept

R = TypeVar("R", bound=Record)


def unfenced(_transaction: Connection) -> None:
    """Whoever opens a house may write to it."""


@dataclass(frozen=True)
class Store:
    """A house's database, open. Knows no noun."""

    engine: Engine
    fence: Callable[[Connection], None] = unfenced
    """Asked first in every transaction: raises Overtaken where this process may no longer write, and then nothing is kept."""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One commit, and the only writer of the house while it is open. An exception inside undoes all of it.

        Raises Overtaken at the fence.
        """
        with sql.writing(self.engine) as connection:
            self.fence(connection)
            yield connection

    @contextmanager
    def reading(self, within: Connection | None = None) -> Iterator[Connection]:
        """One consistent look; inside ``within`` where a transaction is already open."""
        if within is not None:
            yield within
            return
        with sql.reading(self.engine) as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def evenly(there: Sequence[int], most: int | None) -> Sequence[int]:
    """Of more than ``most`` so many, evenly spread, the last among them.

    >>> evenly(range(10), 3), evenly([1, 2], 3)
    ([3, 6, 9], [1, 2])
    """
    if most is None or len(there) <= most:
        return there
    return [there[len(there) - 1 - n * len(there) // most] for n in reversed(range(most))]


def open_store(url: str, *, busy_seconds: float = sql.BUSY_SECONDS, keep: Path | None = None) -> Store:
    """A house's database (``sqlite:///…`` or ``postgresql://…``), with the tables this release expects.

    Where an older release wrote it, it is copied as it was first (``house-0004.db``): beside a SQLite file, for Postgres into the folder
    ``keep``.

    >>> from everloop.registry.journal import Journal
    >>> Journal(open_store("sqlite:///:memory:")).head().seq
    0

    Raises StoreError for a house of a newer release or a file that is none, HouseBusy, HouseFull.
    """
    return Store(upgrade(sql.open_engine(url, busy_seconds=busy_seconds), before=partial(_kept, keep)))


def _kept(folder: Path | None, engine: Engine, at: str) -> None:
    from everloop.sql.copies import kept_before

    kept_before(engine, at, folder)


class JournalStore(Protocol):
    """Append-only: what is in it stays as it was written, in the order it was written, and that can be verified.

    Writers may be many processes; each ``append`` happens in the caller's transaction. A repeated id is a no-op.
    """

    def append(
        self, connection: Connection, record: R, *, turn: str | None = None, verb: str = "", back: timedelta = timedelta(0)
    ) -> R: ...
    def find(self, id: str, *, within: Connection | None = None) -> Record | None: ...
    def get(self, id: str, *, within: Connection | None = None) -> Record: ...
    def turn_of(self, id: str, *, within: Connection | None = None) -> str | None: ...
    def read(
        self,
        *,
        kind: str | tuple[str, ...] | None = None,
        model: str | None = None,
        turn: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int | None = None,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        within: Connection | None = None,
    ) -> list[Entry]: ...
    def head(self, *, within: Connection | None = None) -> Head: ...
    def verify(self, anchor: Head | None = None) -> Head: ...


class TrafficStore(Protocol):
    """One pointer per model to the traffic in force. It moves only from the generation the mover saw."""

    def current(self, model: str, *, within: Connection | None = None) -> Traffic | None: ...
    def move(self, connection: Connection, traffic: Traffic, *, expected_generation: int) -> Traffic: ...
    def all(self, *, within: Connection | None = None) -> dict[str, Traffic]: ...


class OutboxStore(Protocol):
    """Alerts wait here until somebody delivered them or nobody can; the same key is the same news."""

    def put(self, connection: Connection, alert: Alert, *, at: datetime, head: str | None = None) -> bool: ...
    def waiting(self, *, within: Connection | None = None) -> list[Kept]: ...
    def all(self, model: str | None = None, *, limit: int = 100, within: Connection | None = None) -> list[Kept]: ...
    def delivered(self, connection: Connection, key: str, *, at: datetime) -> None: ...
    def end(self, connection: Connection, key: str, how: Ended) -> None: ...


class KeyStore(Protocol):
    """API keys: a name is in use once, a revoked key stays revoked. What is kept opens nothing."""

    def add(self, connection: Connection, id: str, name: str, scopes: Sequence[str], digest: str, *, now: datetime) -> KeptKey: ...
    def revoke(self, connection: Connection, id_or_name: str, *, now: datetime) -> KeptKey: ...
    def all(self, *, within: Connection | None = None) -> list[KeptKey]: ...


class ErrandStore(Protocol):
    """Wishes that the house be turned, in the order they were asked, each once, until somebody has said what came of it."""

    def ask(self, connection: Connection, errand: Errand, *, joins: bool = False) -> Errand: ...
    def forget(self, connection: Connection, before: datetime) -> int: ...
    def unfinished(self, *, within: Connection | None = None) -> list[Errand]: ...
    def finish(self, connection: Connection, id: str, state: State, said: str, at: datetime) -> Errand: ...
    def find(self, id: str, *, within: Connection | None = None) -> Errand | None: ...
    def newest(self, model: str, verb: Verb, *, cause: str | None = None, within: Connection | None = None) -> Errand | None: ...


class ClaimStore(Protocol):
    """Which worker carries out which errand: of one model one at a time, in the whole house no more turns than it allows."""

    def take(
        self, connection: Connection, worker: str, *, most: int, heavy: int | None = None, passing: Collection[str] = ()
    ) -> list[Errand]: ...
    def check(self, connection: Connection, claim: Errand) -> None: ...
    def held(self, worker: str, *, within: Connection | None = None) -> list[Errand]: ...
    def give_back(self, connection: Connection, id: str) -> None: ...
    def take_over(self, connection: Connection, worker: str) -> list[Errand]: ...


class IncidentStore(Protocol):
    """Incidents, each as its newest change left it. A change is put in force only on top of the one before it, whatever the clock says."""

    def move(self, connection: Connection, incident: Incident) -> Incident: ...
    def open(self, model: str | None = None, *, within: Connection | None = None) -> list[Incident]: ...
    def all(
        self, model: str | None = None, *, since: datetime | None = None, limit: int = 100, within: Connection | None = None
    ) -> list[Incident]: ...
    def find(self, incident: str, *, within: Connection | None = None) -> Incident | None: ...
    def named(self, text: str, *, within: Connection | None = None) -> Incident: ...


class BlobStore(Protocol):
    """Bytes by their SHA-256; what is read is what was saved, or ArtefactBroken."""

    def save(self, body: bytes) -> str: ...
    def read(self, sha: str) -> bytes: ...
    def has(self, sha: str) -> bool: ...
    def replace(self, sha: str, body: bytes) -> str: ...
    def now(self, sha: str) -> str | None: ...


class SweptStore(BlobStore, Protocol):
    """Bodies that nothing names can go from it, while others are saved."""

    def saved(self) -> Iterator[Saved]: ...
    def drop(self, sha: str, *, untouched_since: float) -> int: ...
    def tidied(self, *, untouched_since: float, dry_run: bool = False) -> tuple[int, int]: ...
