"""The answers log: every answer is in a file before it is given. In: rows of ``answered.SCHEMA``. Out: segments in the ``answers/`` folder.

Many threads may write at once; one thread of the log does the writing, so that a disk that stalls or is full costs a caller no more than
its patience. Reads no business clock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import StoreError
from everloop.serving.answered import SCHEMA, Row
from everloop.serving.frames import frame
from everloop.serving.payload import BEGINS, decoded, encoded, encoded_rows, headed, once
from everloop.serving.segment import own, read, segments, taken
from everloop.serving.writer import Waiting, Writer
from everloop.settings import Durability, WhenFull

__all__ = ["BEGINS", "AnswersLog", "decoded", "encoded", "once", "own", "read", "segments", "taken", "unsealed"]

PATIENCE = 0.25  # seconds a caller waits for its answer to be kept
CLOSING = 30.0  # seconds that closing waits for the disk
SHADOW = "shadow"  # the arm of what nobody was given
REMEMBERED = 1 << 14  # ids of answers kept last, which are not kept again

_lines = logging.getLogger(__name__)


class Handed(NamedTuple):
    """Rows on their way into the log: their ids, the frame they are in (None: there is nothing to wait for), and how many of them are
    ``given`` to somebody; shadows are not."""

    ids: Sequence[str]
    frame: Waiting | None
    given: int = 0

    @property
    def settled(self) -> bool:
        """Whether their fate is known."""
        return self.frame is None or self.frame.settled


class AnswersLog:
    """The one segment this process writes to, and the next ones after it. Safe between threads; use it as a context manager.

    ``durability``: ``process`` survives the end of the process; ``group`` also syncs to disk every 50 ms; ``sync`` syncs before each
    write returns, one sync for all who wait. A write waits ``patience`` seconds at most for the disk (and as much again for each
    ``waiting_bytes`` of rows that are longer than that). ``when_full`` says what then happens, or at once where the disk is full:
    ``shed`` refuses the answer, which is then not in the log; ``drop`` lets it be given, and counts it in ``dropped``. At most
    ``waiting_bytes`` wait to be written. A segment is closed at ``rotate_at`` bytes, or ``rotate_after`` seconds after it was begun.
    Each says whose its answers are: ``house`` gives the mark of the house, when it is begun (nothing: it does not say).
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Durability = "group",
        rotate_at: int = 64 << 20,
        when_full: WhenFull = "shed",
        patience: float = PATIENCE,
        waiting_bytes: int = 4 << 20,
        rotate_after: float = 60.0,
        house: Callable[[], str] = str,
    ) -> None:
        self.folder, self.when_full, self.patience = folder, when_full, patience
        self.dropped = 0
        """Answers that were given, and of which it is not known that they are in the log."""
        self._writer = Writer(
            folder,
            durability=durability,
            patience=patience,
            waiting_bytes=waiting_bytes,
            rotate_at=rotate_at,
            rotate_after=rotate_after,
            header=lambda: frame(headed(mark)) if (mark := house()) else b"",
        )
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._lately: set[str] = set()  # ids that were kept, and those before them: together the last REMEMBERED at most
        self._before: set[str] = set()
        self._distrusted = 0
        self._dropping = False
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, rows: pa.Table, *, must: bool = False) -> None:
        """Keep these rows; when this returns they are kept as ``durability`` says, or counted as dropped. An answer kept lately is not
        kept again.

        Where answers are shed, or ``must`` says that these may not be dropped: raises HouseBusy when the disk did not take them in
        time, HouseFull when there is no room, StoreError when it failed; then none of these rows is in the log, or stays there when
        the disk moves again.
        """
        fresh = self._not_kept(rows.column("id").to_pylist())
        if not fresh:
            return
        new = rows if len(fresh) == len(rows) else rows.take(pa.array(list(fresh.values()), pa.int64()))
        given = pc.sum(pc.not_equal(new.column("arm"), SHADOW)).as_py() or 0
        self._keep(tuple(fresh), given, new.get_total_buffer_size(), lambda: self._framed(new), must=must)

    def write_rows(self, rows: Sequence[Row]) -> None:
        """As ``write``, of a few rows one by one."""
        fresh = self._not_kept([row.id for row in rows])
        if not fresh:
            return
        new = [rows[at] for at in fresh.values()]
        made = frame(encoded_rows(new))
        self._keep(tuple(fresh), _given(new), len(made), lambda: made)

    def _keep(self, ids: Sequence[str], given: int, about: int, make: Callable[[], bytes], *, must: bool = False) -> None:
        try:
            self._writer.keep(about, make, let_land=self.when_full == "drop" and not must)
        except StoreError as error:
            if self.when_full == "shed" or must:
                raise
            self._drop(given, error)
            return
        self._remember(ids)

    def hand(self, rows: Sequence[Row], then: Callable[[], None]) -> Handed:
        """As ``write``, for whoever cannot wait: the rows are on their way when this returns; ``then`` is called by another thread when
        their fate is known, which ``landed`` tells. Raises as ``write`` does where they are not even taken."""
        fresh = self._not_kept([row.id for row in rows])
        if not fresh:
            return Handed((), None)
        new = rows if len(fresh) == len(rows) else [rows[at] for at in fresh.values()]
        given = _given(new)
        try:
            return Handed(tuple(fresh), self._writer.hand(frame(encoded_rows(new)), then), given)
        except StoreError as error:
            if self.when_full == "shed":
                raise
            self._drop(given, error)
            return Handed((), None)

    def landed(self, handed: Handed) -> None:
        """What became of rows that were handed over; where it is not known yet, they are waited for no longer. Raises as ``write`` does."""
        if handed.frame is None:
            return
        if not handed.frame.settled:
            self._writer.give_up(handed.frame, let_land=self.when_full == "drop")
        error = handed.frame.error
        if error is None:
            self._remember(handed.ids)
        elif self.when_full == "drop":
            self._drop(handed.given, error)
        else:
            raise type(error)(*error.args) from error

    def rotate(self) -> None:
        """Close the segment, so that it can be sealed; the next write begins another. Raises StoreError, HouseBusy in a stall."""
        self._writer.leave(CLOSING)

    def close(self) -> None:
        """Keep what waits, sync, and let go of the segment; nothing can be written any more. Raises as ``rotate`` does."""
        self._writer.close(CLOSING)

    def __enter__(self) -> AnswersLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _framed(self, rows: pa.Table) -> bytes:
        # One at a time: while it is made a frame takes several times its size, and two threads would be no faster than one.
        with self._making:
            return frame(encoded(rows))

    def _not_kept(self, ids: Sequence[str]) -> dict[str, int]:
        """The ids that were not kept lately, each with where it comes first."""
        with self._lock:
            if self._distrusted != self._writer.distrusted:  # what was kept may be lost: asked again, it is kept again
                self._distrusted = self._writer.distrusted
                self._lately, self._before = set(), set()
            fresh: dict[str, int] = {}
            for at, id in enumerate(ids):
                if id not in self._lately and id not in self._before:
                    fresh.setdefault(id, at)
        return fresh

    def _remember(self, ids: Sequence[str]) -> None:
        with self._lock:
            half = REMEMBERED // 2
            if len(self._lately) + len(ids) > half:
                self._lately, self._before = set(), self._lately
            self._lately.update(ids[-half:])
            recovered, self._dropping = self._dropping, False
        if recovered:
            _lines.warning("Answers are remembered again in %s; %d in all were given and not remembered.", self.folder, self.dropped)

    def _drop(self, rows: int, error: StoreError) -> None:
        if not rows:
            return
        with self._lock:
            self.dropped += rows
            first, self._dropping = not self._dropping, True
        if first:
            _lines.warning("Answers are given without being remembered. %s", error)


def _given(rows: Sequence[Row]) -> int:
    return sum(row.arm != SHADOW for row in rows)


def unsealed(folder: Path, house: str = "") -> pa.Table:
    """Every answer of a house, by its mark, that is in no table of the lake yet, owned segments included; each id once."""
    tables = [SCHEMA.empty_table()]
    for path in segments(folder):
        try:
            segment = read(path)
        except FileNotFoundError:  # sealed while we looked
            continue
        if segment.is_of(house):
            tables.append(segment.rows)
    return once(pa.concat_tables(tables))
