"""What a lake needs of whatever it lives on: a log where rows arrive, and tables where they stay. Protocols and their small records.

Tables only grow, but for ``rewrite``: what is known of a person can be taken out of them (``loop/forget/``).

Embedded: ``events.py`` (SQLite) and ``delta.py`` (Delta). ``everloop.testing.lake`` is what every other backend must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.lake.shape import Events

#: What is done in the same transaction as an arrival: given the backend's connection and the rows kept.
Also = Callable[[Any, Events], None]


class Version(NamedTuple):
    """A version there is of an id: when it was known (µs), and a digest of what it held (0 where a version column tells rows apart)."""

    id: str
    version: int
    known_at: int
    digest: int


@dataclass(frozen=True)
class Counters:
    """How far a source has come: its last sequence number, and the last instant (µs) at which a row arrived."""

    last_seq: int = 0
    last_known: int = -(2**63)


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a file lay: its path or URL, and what tells one content there from the next: its size, when it was written (µs), and what the
    object store calls the content (unsaid: not known)."""

    url: str
    size: int
    written_at: int
    etag: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows that came together, ``first_seq`` to ``last_seq``, and how their columns differed from what was declared.

    ``rows`` are those that can be events, known already or not; ``refused`` came beside them and are not kept.
    ``missing`` are declared columns that did not come; ``new`` came undeclared and in no delivery before; ``retyped`` came as something
    that cannot be what was declared, and are empty in these rows. Single events of one UTC day are one delivery.
    """

    source: str
    number: int
    at: datetime
    first_seq: int
    last_seq: int
    rows: int
    refused: int = 0
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    name: str | None = None  # of the file
    sha: str | None = None
    pin: str | None = None  # what DVC knows the file by, where it is tracked
    withdrawn_at: datetime | None = None
    singles: bool = False
    columns: tuple[tuple[str, str], ...] = ()  # name and Arrow type of every column that came
    origin: Origin | None = None  # where the file lay
    marks: tuple[tuple[str, int], ...] = ()  # how far each partition of a stream had been taken when this was noted


class Arrivals(Protocol):
    """One arrival in one source, all or nothing: its writer stands alone from the moment this is given."""

    counters: Counters

    def known(self, ids: Sequence[str]) -> list[Version]:
        """The versions there are of these ids (each once), in any order."""
        ...

    def append(self, events: Events, digests: Sequence[int] | NDArray[np.int64], *, last_known: int) -> None:
        """Keep events whose ``seq`` goes on after ``counters.last_seq``."""
        ...

    def deliveries(self, *, only_last: bool = False) -> list[Delivery]:
        """The deliveries so far, in order of number."""
        ...

    def note(self, delivery: Delivery) -> None:
        """Remember a delivery; one of a number that is there replaces it."""
        ...

    def forget(self, versions: Sequence[tuple[str, int]]) -> None:
        """Let these versions come again (they were withdrawn)."""
        ...

    def also(self, what: Also, events: Events) -> None:
        """Do something else in the same transaction."""
        ...


class LoggedRows(Protocol):
    """Rows from when they arrive until they are in the tables, one writer at a time."""

    def arrivals(self, source: str) -> AbstractContextManager[Arrivals]:
        """Take the source's writer lock; commit at the end, or nothing of it happened."""
        ...

    def counters(self, source: str) -> Counters:
        """How far a source has come."""
        ...

    def unsealed(self, source: str, schema: pa.Schema, *, after: int) -> Iterator[pa.Table]:
        """Event tables of the rows beyond a sequence number, in order, none held open for more than 10,000 rows."""
        ...

    def sealed(self, source: str, through_seq: int) -> None:
        """Let go of the rows up to a sequence number: they are in the tables."""
        ...

    def synced(self) -> None:
        """What has arrived by now survives a power cut when this returns."""
        ...

    def deliveries(self, source: str, *, newest: int | None = None) -> list[Delivery]:
        """Every delivery, in order of number; or of them only the ``newest`` so many."""
        ...

    def close(self) -> None:
        """Let go of what this thread holds; the next call takes it up again."""
        ...


class Forgetting(Protocol):
    """What of a log goes for good, and how who reads finds out."""

    @property
    def went(self) -> int:
        """Another number than before once something went from the log or the tables: what was read before is read again."""
        ...

    def tell_gone(self) -> None:
        """Who reads, in any process, knows from now on that something went: ``went`` is another number."""
        ...

    def wiped(self) -> None:
        """Of what was let go of not a byte is left on the disk when this returns, and who reads knows that something went."""
        ...

    def emptied(self) -> None:
        """Let go of everything: no source has a row or a version any more, and of its deliveries stays, as notes of 0 rows, where files
        lay and how far streams were taken."""
        ...


class Locks(Protocol):
    """Who is the only one at something, in all processes."""

    def sealing(self, source: str) -> AbstractContextManager[None]:
        """Be the only one who seals this source, in all processes. Raises HouseBusy if somebody else does for too long."""
        ...

    def alone(self, name: str, what: str, *, patience: float = ...) -> AbstractContextManager[None]:
        """Be the only one at something that has a name, in all processes; a dead one is at nothing any more. Raises HouseBusy, with
        ``what`` is done, where somebody else is at it for more than ``patience`` seconds."""
        ...


class Owned(Protocol):
    """Whose a log is: the mark of one house, kept with the rows."""

    def owner(self) -> str | None:
        """The mark of the house it belongs to; None: nobody's yet."""
        ...

    def owned_by(self, mark: str, *, instead: bool = ...) -> str:
        """Let it belong to a house, unless it belongs to one already (``instead``: whichever it belongs to). Returns whose it is then, of
        several who say so at once the same for all."""
        ...


class EventLog(LoggedRows, Forgetting, Locks, Owned, Protocol):
    """Where rows arrive: all that a lake needs of it."""


class Tables(Protocol):
    """Where rows stay: named tables that only grow, every version of which can be read again."""

    def append_once(self, name: str, table: pa.Table, *, marker: str, seq: int, said: Mapping[str, str] | None = None) -> bool:
        """Append in one commit that carries ``marker`` at ``seq``; False if the marker already stands there or beyond."""
        ...

    def marker(self, name: str, marker: str) -> int:
        """Where a marker stands; 0 if it never was."""
        ...

    def version(self, name: str) -> int | None:
        """The newest version, or None where there is no table."""
        ...

    def read(
        self,
        name: str,
        *,
        version: int | None = None,
        schema: pa.Schema | None = None,
        through_seq: int | None = None,
        among: Mapping[str, Collection[str]] | None = None,
        since: Mapping[str, int] | None = None,
        until: Mapping[str, int] | None = None,
        most: int | None = None,
    ) -> pa.Table:
        """The rows of a version (the newest): only columns of ``schema``, only ``seq <= through_seq``, in order of ``seq`` if there; and
        only those whose texts are ``among`` these and whose numbers are not below those of ``since`` nor above those of ``until``, by
        column: the others are never in memory all at once. Of more than ``most`` rows any so many."""
        ...

    def added(self, name: str, after: int | None, schema: pa.Schema) -> tuple[int | None, pa.Table]:
        """The newest version, and the rows that came since an older one (all: None), in any order; after a rewrite all rows there are."""
        ...

    def pieces(self, name: str, *, version: int | None = None, schema: pa.Schema, through_seq: int | None = None) -> Iterator[pa.Table]:
        """As ``read`` with a schema, some rows at a time and in no order; the rows are never in memory all at once."""
        ...

    def rows(self, name: str, *, version: int | None = None) -> int:
        """How many rows a version has."""
        ...

    def rewrite(self, name: str, change: Callable[[pa.Table], pa.Table]) -> int:
        """Replace every piece of the table by what ``change`` makes of it (fewer rows, or other values; the same object: nothing), in every
        version there is, and leave no byte of what was before. Returns how many rows went."""
        ...
