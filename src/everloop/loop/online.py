"""What is kept of every key, and where: tiles beside the events, folded in the transaction in which rows arrive; or on Redis.

In: a project's models. Out: the states they need, what folds arrivals into them, and the store they are read from. Folding never refuses a
row: what cannot be folded is left behind, and whoever reads next brings it up to the log.
"""

from __future__ import annotations

import logging
import platform
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from everloop.features.store import Changes, Mark
from everloop.features.tiles import Tiles
from everloop.lake.events import SqliteLog
from everloop.lake.place import Lake
from everloop.lake.turnstile import Turnstile
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Arithmetic, Reading
from everloop.settings import Settings
from everloop.sql.wal import write_ahead

if TYPE_CHECKING:
    from everloop.connect.postgres import PostgresLog
    from everloop.features.fold import Fold
    from everloop.features.states import State
    from everloop.features.store import OnlineStore
    from everloop.lake.shape import Events
    from everloop.lake.tables import Also, EventLog, Locks

MANY = 10_000
"""So many rows that arrive at once are not folded while others wait to write."""
BUSY_SECONDS = 0.25  # a request waits no longer for another process to write
MAKING_SECONDS = 60.0
CACHE_KIB = 4096
_lines = logging.getLogger(__name__)


def readings_of(model: Model) -> tuple[AnyReading, ...]:
    """What an answer of a model is made from: what it knows, and the past its baseline answers by."""
    past = baseline_of(model)
    return model.knows if past is None else (*model.knows, past)


def baseline_of(model: Model) -> Reading | Arithmetic | None:
    """The reading a baseline answers by, where it is one."""
    past = model.baseline_reading
    return past if isinstance(past, Reading | Arithmetic) else None


def states_kept(models: Iterable[Model]) -> tuple[State, ...]:
    """The states of all models together."""
    from everloop.features.shortlist import online_readings
    from everloop.features.states import states_of_all

    kept = [model for model in models if model.steps == 1]  # paths are read from the event tables
    return states_of_all((model, online_readings(model) if model.kind == "ranking" else readings_of(model)) for model in kept)


def folding(lake: Lake, models: Iterable[Model], settings: Settings) -> Lake:
    """The same lake; what arrives in it is also folded into the states of these models, where they lie beside the events."""
    if settings.online:
        return lake
    if isinstance(lake.log, SqliteLog):
        return replace(lake, also=Folding(tuple(models), fold_in))
    from everloop.connect import postgres_online

    return replace(lake, also=Folding(tuple(models), postgres_online.fold_in))


class Folding:
    """For each source, what folds the rows that arrive into its states, by ``fold_in`` of where they lie. Safe between threads."""

    def __init__(self, models: tuple[Model, ...], fold_in: Callable[[Fold, Any, Events], None]) -> None:
        self._models, self._fold_in = models, fold_in
        self._folds: dict[str, Fold] | None = None

    def __call__(self, source: str) -> Also | None:
        if self._folds is None:
            from everloop.features.fold import Fold

            states = states_kept(self._models)
            names = dict.fromkeys(state.source.name for state in states)
            self._folds = {name: Fold([state for state in states if state.source.name == name]) for name in names}
        fold = self._folds.get(source)
        return None if fold is None else partial(self._fold_in, fold)


def fold_in(fold: Fold, connection: sqlite3.Connection, events: Events) -> None:
    """Fold rows that have just been written, in their transaction. States nobody has made, and those that lack rows, stay as they are."""
    if events.num_rows > MANY:
        return
    connection.execute("SAVEPOINT online")
    try:
        fold.take_in(Tiles(connection), events)
    except Exception as error:  # the rows are kept whatever befalls what is made of them
        connection.execute("ROLLBACK TO online")
        if "no such table" not in str(error):  # nobody has asked yet
            _lines.warning("What arrived is kept, but was not folded: %r. Whoever reads next does it.", error)
    connection.execute("RELEASE online")


class OnlineState(Protocol):
    """Where states lie."""

    def reading(self) -> AbstractContextManager[OnlineStore]:
        """The store, for reading; where it can be, as of one instant."""

    def writing(self) -> AbstractContextManager[OnlineStore]:
        """The store, for writing: all of it or nothing, where it can be."""

    def make(self, states: Sequence[State], rows: pa.Table) -> None:
        """Make states of one source anew from its whole event table. Raises HouseBusy where another process is at it."""

    def close(self) -> None:
        """Let go of it."""


def online_of(lake: Lake, settings: Settings) -> OnlineState:
    """Where the states of a house lie. Raises SettingsError, and Missing where the library for it is not there."""
    log, elsewhere = lake.log, _on_postgres(lake.log)
    if settings.online is None and elsewhere is not None:
        from everloop.connect.postgres_online import PostgresState

        return PostgresState(elsewhere)
    if settings.online is None:
        assert isinstance(log, SqliteLog)
        return BesideEvents(log)
    from everloop.connect.redis import RedisTiles

    # Two logs must never share a name on a server, and a file is one of this machine.
    name = f"{platform.node()}:{settings.house}" if elsewhere is None else elsewhere.identity
    return OnServer(RedisTiles(settings.online, house=name), log)


def _on_postgres(log: EventLog) -> PostgresLog | None:
    if isinstance(log, SqliteLog):
        return None
    from everloop.connect.postgres import PostgresLog

    assert isinstance(log, PostgresLog)
    return log


@dataclass(frozen=True)
class _Open:
    connection: sqlite3.Connection
    tiles: Tiles
    turnstile: Turnstile

    @contextmanager
    def writing(self, patience: float) -> Iterator[Tiles]:
        self.turnstile.begin(self.connection, patience)
        with _ended(self.connection):
            yield self.tiles


class _PieceByPiece(Tiles):
    """Tiles that are made anew in many short transactions."""

    def __init__(self, opened: _Open) -> None:
        super().__init__(opened.connection)
        self._opened = opened

    def replace(self, states: Mapping[str, Mark], changes: Iterable[Changes]) -> None:
        with self._opened.writing(MAKING_SECONDS):
            self.forget([*states])
        for some in changes:
            with self._opened.writing(MAKING_SECONDS):
                super().replace({}, [some])
        with self._opened.writing(MAKING_SECONDS):
            self.put(Changes(marks=states))


class BesideEvents:
    """Tiles in the database of the events. Safe between threads; any number of processes may share the file."""

    def __init__(self, log: SqliteLog) -> None:
        self.log = log
        self._free: list[_Open] = []
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Tiles]:
        """The tiles at one moment: what others fold meanwhile is not seen."""
        with self._taken() as opened:
            opened.connection.execute("BEGIN")
            with _ended(opened.connection):
                yield opened.tiles

    @contextmanager
    def writing(self) -> Iterator[Tiles]:
        """The tiles, with the write lock, which is waited for a quarter of a second. Raises sqlite3.OperationalError."""
        with self._taken() as opened, opened.writing(BUSY_SECONDS) as tiles:
            yield tiles

    def make(self, states: Sequence[State], rows: pa.Table) -> None:
        """Make states anew, piece by piece, so that nobody who writes waits for long; they are kept when the last piece is there."""
        from everloop.features.build import build

        with alone_folding(self.log, states), self._taken() as opened:
            build(_PieceByPiece(opened), states, rows)

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they come back."""
        with self._lock:
            for opened in self._free:
                _close(opened)
            self._free = []

    @contextmanager
    def _taken(self) -> Iterator[_Open]:
        with self._lock:
            opened = self._free.pop() if self._free else None
        opened = opened or self._opened()
        try:
            yield opened
        except sqlite3.DatabaseError:
            _close(opened)
            raise
        except BaseException:
            self._give_back(opened)
            raise
        self._give_back(opened)

    def _give_back(self, opened: _Open) -> None:
        with self._lock:
            self._free.append(opened)

    def _opened(self) -> _Open:
        self.log.connection()  # the log makes its file, and refuses one of another kind
        connection = sqlite3.connect(self.log.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        write_ahead(connection, BUSY_SECONDS)
        # What the power takes away of tiles is folded again from the log.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        return _Open(connection, Tiles(connection), Turnstile(self.log.beside / "writers.lock"))


class OnServer:
    """States on a server that several machines share. Every write compares sequence numbers, so nobody waits for anybody."""

    def __init__(self, store: Any, log: EventLog) -> None:
        self.store, self.log = store, log

    @contextmanager
    def reading(self) -> Iterator[OnlineStore]:
        """The store."""
        yield self.store

    @contextmanager
    def writing(self) -> Iterator[OnlineStore]:
        """The store."""
        yield self.store

    def make(self, states: Sequence[State], rows: pa.Table) -> None:
        """Make states anew; the server swaps them in at one instant."""
        from everloop.features.build import build

        with alone_folding(self.log, states):
            build(self.store, states, rows)

    def close(self) -> None:
        """Let go of the connections."""
        self.store.close()


def alone_folding(log: Locks, states: Sequence[State]) -> AbstractContextManager[None]:
    """Be the only one who makes states of a source anew. Raises HouseBusy where somebody else does."""
    name = states[0].source.name
    return log.alone(f"{name}.online", f"folding {name}", patience=0)


@contextmanager
def _ended(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _close(opened: _Open) -> None:
    opened.connection.close()
    opened.turnstile.close()
