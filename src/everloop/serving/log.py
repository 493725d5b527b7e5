"""The answers log: every answer is in a file before it is given. In: rows of ``answered.SCHEMA``. Out: segments in the ``answers/`` folder.

A segment has one owner, who holds its lock for as long as it lives; it is sealed into the lake by somebody who can take that lock. Reads no
business clock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from everloop.errors import HouseBusy, HouseFull, StoreError
from everloop.serving.answered import ANSWER, SCHEMA
from everloop.serving.frames import frame, unframed

Durability: TypeAlias = Literal["process", "group", "sync"]
ENDING = ".answers"
BEGINS = b"\x82\xa4form"  # how msgpack writes a map of two whose first key is form
SYNC_EVERY = 0.05  # seconds; what ``group`` may lose when the power goes
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class AnswersLog:
    """The one segment this process writes to, and the next ones after it. Safe between threads; use it as a context manager.

    ``durability``: ``process`` survives the end of the process; ``group`` also syncs to disk every 50 ms; ``sync`` syncs before each
    write returns. A segment is closed and a new one begun at ``rotate_at`` bytes.
    """

    def __init__(self, folder: Path, *, durability: Durability = "group", rotate_at: int = 64 << 20) -> None:
        self.folder, self.durability, self.rotate_at = folder, durability, rotate_at
        self._lock = threading.Lock()
        self._segment: Owned | None = None
        self._ids: set[str] = set()
        self._dirty, self._stop = threading.Event(), threading.Event()
        self._syncer: threading.Thread | None = None
        self._failed: StoreError | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, rows: pa.Table) -> None:
        """Keep these rows; when this returns they are kept as ``durability`` says. An answer already in an open segment is not kept twice.

        Raises HouseFull when the disk is full and StoreError when it fails; then none of these rows is in the log.
        """
        with self._lock:
            if self._failed is not None:
                failed, self._failed = self._failed, None
                raise failed
            rows = self._new(rows)
            if not len(rows):
                return
            segment = self._segment = self._segment or own(self.folder, durable=self.durability != "process")
            try:
                segment.append(frame(encoded(rows)), sync=self.durability == "sync")
            except StoreError:
                self._leave()
                raise
            self._ids.update(rows.column("id").to_pylist())
            if self.durability == "group":
                self._dirty.set()
                self._sync_in_the_background()
            if segment.size >= self.rotate_at:
                self._leave()

    def rotate(self) -> None:
        """Close the segment, so that it can be sealed; the next write begins another."""
        with self._lock:
            self._leave()

    def close(self) -> None:
        """Sync, close, and let go of the segment."""
        self._stop.set()
        self._dirty.set()
        if self._syncer is not None:
            self._syncer.join()
            self._syncer = None
        self.rotate()

    def __enter__(self) -> AnswersLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new(self, rows: pa.Table) -> pa.Table:
        ids = rows.column("id").to_pylist()
        fresh: dict[str, int] = {}
        for at, id in enumerate(ids):
            if id not in self._ids:
                fresh.setdefault(id, at)
        return rows if len(fresh) == len(ids) else rows.take(pa.array(list(fresh.values()), pa.int64()))

    def _leave(self) -> None:
        if self._segment is not None:
            segment, self._segment = self._segment, None
            self._ids.clear()
            segment.let_go(sync=self.durability != "process")

    def _sync_in_the_background(self) -> None:
        if self._syncer is None:
            self._syncer = threading.Thread(target=self._keep_syncing, daemon=True, name="answers log")
            self._syncer.start()

    def _keep_syncing(self) -> None:
        while not self._stop.is_set():
            self._dirty.wait()
            self._dirty.clear()
            with self._lock:
                segment = self._segment
                fd = os.dup(segment.fd) if segment is not None else None
            if fd is not None:
                try:
                    os.fsync(fd)
                except OSError as error:
                    # The kernel may have dropped what it could not write: this segment is trusted no further, and the next write says so.
                    with self._lock:
                        self._failed = StoreError(
                            f"The answers log in {self.folder} could not be synced: {error.strerror}. Look at the disk."
                        )
                        self._leave()
                finally:
                    os.close(fd)
            self._stop.wait(SYNC_EVERY)


@dataclass
class Owned:
    """A segment and its owner's lock on it, which the kernel gives back when the owner dies."""

    path: Path
    fd: int
    size: int = 0

    def append(self, data: bytes, *, sync: bool) -> None:
        """Write all of it or none of it. Raises HouseFull, StoreError."""
        try:
            done = 0
            while done < len(data):
                done += os.write(self.fd, data[done:])
            if sync:
                os.fsync(self.fd)
        except OSError as error:
            # Where even this fails the frame is a torn tail, which readers leave out, and nothing is written behind it.
            with suppress(OSError):
                os.ftruncate(self.fd, self.size)
            _refuse(error, self.path.parent)
        self.size += len(data)

    def let_go(self, *, sync: bool) -> None:
        """Close it; whoever can take the lock may seal it."""
        try:
            if sync:
                os.fsync(self.fd)
        except OSError as error:
            _refuse(error, self.path.parent)
        finally:
            # A copy of the descriptor may still be syncing, and would hold the lock on.
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            os.close(self.fd)


def own(folder: Path, name: str | None = None, *, durable: bool = True) -> Owned:
    """A new segment with this process as its owner. Raises HouseBusy where the name is taken, HouseFull, StoreError."""
    path = folder / f"{name or uuid.uuid4().hex}{ENDING}"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise HouseBusy(f"{path.name} has an owner already. Begin a segment of another name.") from None
    except OSError as error:
        _refuse(error, folder)
    if not taken(fd):
        os.close(fd)
        raise HouseBusy(f"{path.name} was taken the moment it was made. Begin another.")
    if durable:
        _sync_folder(folder)
    return Owned(path, fd)


def taken(fd: int) -> bool:
    """Whether this process now holds the lock of an open segment."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def segments(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first."""
    found = [(p.stat().st_mtime_ns, p) for p in folder.glob(f"*{ENDING}")] if folder.is_dir() else []
    return [p for _, p in sorted(found)]


def unsealed(folder: Path) -> pa.Table:
    """Every answer that is in no table of the lake yet, owned segments included; each id once."""
    tables = []
    for path in segments(folder):
        try:
            tables.append(read(path).rows)
        except FileNotFoundError:  # sealed while we looked
            continue
    return once(pa.concat_tables([SCHEMA.empty_table(), *tables]))


@dataclass(frozen=True)
class Segment:
    """What one segment holds: its whole rows, the bytes of a torn tail, and frames in its middle that are damaged."""

    id: str
    rows: pa.Table
    torn: int
    damaged: int


def read(path: Path) -> Segment:
    """The whole rows of a segment; a torn tail is left out. Raises StoreError for a payload that is no rows."""
    found = unframed(path.read_bytes(), BEGINS)
    rows = pa.concat_tables([SCHEMA.empty_table(), *(decoded(p, path.name) for p in found.payloads)])
    return Segment(path.name.removesuffix(ENDING), rows, found.torn, found.damaged)


def once(rows: pa.Table) -> pa.Table:
    """The first row of each id, in order."""
    first: dict[str, int] = {}
    for at, id in enumerate(rows.column("id").to_pylist()):
        first.setdefault(id, at)
    return rows if len(first) == len(rows) else rows.take(pa.array(list(first.values()), pa.int64()))


def encoded(rows: pa.Table) -> bytes:
    """Rows as one payload: msgpack, a list for each column; an answer is three lists."""
    answer = rows.column("answer").combine_chunks()
    columns: dict[str, Any] = {n: rows.column(n).to_pylist() for n in SCHEMA.names if n != "answer"}
    there = pc.is_valid(answer)
    for part in ("value", "values", "items"):
        columns[f"answer.{part}"] = pc.if_else(there, answer.field(part), None).to_pylist()
    return msgspec.msgpack.encode({"form": 1, "columns": columns})


def decoded(payload: bytes, where: str = "a segment") -> pa.Table:
    """The rows of one payload. Raises StoreError where it holds none."""
    try:
        columns = msgspec.msgpack.decode(payload)["columns"]
        parts = [pa.array(columns[f"answer.{f.name}"], f.type) for f in ANSWER]
        nothing = pa.array([v is None and vs is None and i is None for v, vs, i in zip(*(p.to_pylist() for p in parts), strict=True)])
        answer = pa.StructArray.from_arrays(parts, fields=list(ANSWER), mask=nothing)
        return pa.table([answer if f.name == "answer" else pa.array(columns[f.name], f.type) for f in SCHEMA], schema=SCHEMA)
    except (msgspec.DecodeError, KeyError, TypeError, pa.ArrowException) as error:
        raise StoreError(
            f"{where} holds a frame that is no answers: {error}. It was written by a newer Everloop, or by something else."
        ) from error


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _refuse(error: OSError, folder: Path) -> NoReturn:
    if error.errno in FULL:
        raise HouseFull(f"The disk is full: the answers log in {folder} took nothing of this write. Make room, then ask again.") from error
    raise StoreError(f"The answers log in {folder} cannot be written: {error.strerror}. Look at the folder and the disk.") from error
