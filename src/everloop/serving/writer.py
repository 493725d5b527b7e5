"""The writer: the one thread that writes a log's frames to its segments, so that a stalled disk holds up nobody else. In: frames. Out: kept
or refused, within the caller's patience.

What a caller was refused is not in the log: a frame that waits is withdrawn; a batch already handed to the kernel is cut off again when the
kernel gives it back, and those of its frames that somebody still waits for are written anew. Reads no business clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from everloop.clock import monotonic
from everloop.errors import HouseBusy, StoreError
from everloop.serving.segment import Owned, own
from everloop.serving.syncer import Left, Syncer
from everloop.settings import Durability

BATCH = 1 << 20  # bytes handed to the kernel at once
OVERHEAD = 512  # bytes a waiting frame takes beside its own
GRACE = 0.02  # seconds for the thread to say that the disk has moved, where the whole process was held up and not the disk
ATTEMPTS = 5  # to begin a segment before a sealer has looked at it


class Fate(Enum):
    WAITING = auto()
    HANDED = auto()  # to the kernel
    KEPT = auto()
    REFUSED = auto()  # by the disk
    GIVEN_UP = auto()  # by its caller


class Waiting:
    """A frame somebody waits for, of about this many bytes until it is made. ``then`` is called, with the log's lock held, when its fate
    is known."""

    __slots__ = ("data", "done", "error", "fate", "size", "then")

    def __init__(self, about: int, then: Callable[[], None] | None = None) -> None:
        self.data, self.size = b"", about + OVERHEAD
        self.fate = Fate.WAITING
        self.error: StoreError | None = None
        self.done = threading.Lock()  # the cheapest thing one thread can wait on and another let go of
        self.done.acquire()
        self.then = then

    @property
    def settled(self) -> bool:
        """Whether its fate is known."""
        return self.fate not in (Fate.WAITING, Fate.HANDED)


class Writer:
    """Keeps frames in segments of one folder, in the order they came. Safe between threads; its own threads start with the first frame.

    Each segment begins with what ``header`` gives. At most ``waiting_bytes`` of frames wait at a time (one longer than that waits alone).
    A segment is followed by another when it is ``rotate_at`` bytes long or ``rotate_after`` seconds old, whether or not anybody writes.
    """

    def __init__(
        self, folder: Path, *, durability: Durability, patience: float, waiting_bytes: int, rotate_at: int, rotate_after: float,
        header: Callable[[], bytes] = bytes,
    ) -> None:  # fmt: skip
        self.folder, self.durability, self.patience = folder, durability, patience
        self.waiting_bytes, self.rotate_at, self.rotate_after = waiting_bytes, rotate_at, rotate_after
        self.header = header
        self.distrusted = 0  # segments that could not be synced after their rows were acknowledged
        lock = threading.Lock()
        self._lock, self._work, self._room = lock, threading.Condition(lock), threading.Condition(lock)
        self._queue: dict[Waiting, None] = {}  # a queue from whose middle one can be withdrawn
        self._bytes = 0  # of frames that wait or are in the kernel's hands
        self._segment: Owned | None = None
        self._began = 0.0  # when the segment was begun
        self._handed: list[Waiting] = []  # in the kernel's hands
        self._left: list[Left] = []  # who wants the segment let go of
        self._failed: StoreError | None = None  # what the next caller is told
        self._doubted: Owned | None = None
        self._busy_since: float | None = None  # when what the thread does now began
        self._closing = False
        self._thread: threading.Thread | None = None
        self._syncer = Syncer(self._distrust)

    def keep(self, about: int, make: Callable[[], bytes], *, let_land: bool = False) -> None:
        """Returns when the frame that ``make`` gives is kept as the durability says, waiting no longer than the patience for the disk.

        It is made when there is room for it, ``about`` bytes: what is refused at once costs no work, and who waits for room no memory.
        Raises HouseBusy when the disk did not take it in time, HouseFull when there is no room, StoreError when it failed; then the frame
        is not in the log, or will be cut off. With ``let_land`` one that is in the kernel's hands already is left to its fate.
        """
        frame, asked = Waiting(about), monotonic()
        with self._lock:
            self._admit(frame, asked + self.patience)
        waited = monotonic() - asked
        try:
            frame.data = make()
        finally:
            with self._lock:
                self._enqueue(frame)
        if not _released(frame.done, max(0.0, self._time_for(frame) - waited - GRACE), self.patience):
            with self._lock:
                self._give_up(frame, let_land)
        if frame.error is not None:
            raise type(frame.error)(*frame.error.args) from frame.error

    def hand(self, data: bytes, then: Callable[[], None]) -> Waiting:
        """The frame is in the queue when this returns, which is at once; ``then`` is called by another thread when its fate is known.

        Raises as ``keep`` does where it cannot wait: the disk stalls, there is no room, or something failed before.
        """
        frame = Waiting(len(data), then)
        with self._lock:
            self._admit(frame, None)
            frame.data = data
            self._enqueue(frame)
        return frame

    def give_up(self, frame: Waiting, *, let_land: bool = False) -> None:
        """Wait no longer for a frame that was handed over: it is withdrawn, or will be cut off; with ``let_land``, left to its fate."""
        with self._lock:
            self._give_up(frame, let_land)

    def leave(self, timeout: float) -> None:
        """Let go of the segment; the next frame begins another. Raises StoreError, and HouseBusy where it takes longer than the timeout."""
        left = Left()
        with self._lock:
            if self._thread is None or self._closing:
                return
            self._left.append(left)
            self._work.notify()
        self._await(left.done.wait(timeout))
        if left.error is not None:
            raise left.error

    def close(self, timeout: float) -> None:
        """Keep what waits, let go of the segment, end the threads. Raises as ``leave`` does; what was acknowledged stays in the file."""
        until = monotonic() + timeout
        with self._lock:
            self._closing = True
            self._work.notify()
        self._await(_ended(self._thread, until))
        self._await(_ended(self._syncer.thread, until))  # which the writer's last act may have started
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    # -- the callers' side -----------------------------------------------------------------------------------------------------------

    def _admit(self, frame: Waiting, until: float | None) -> None:
        """Room for it is taken, as soon as there is (None: now). Raises HouseBusy, and once what went wrong behind everybody's back."""
        if self._closing:
            raise StoreError(f"The answers log in {self.folder} is closed. Open another.")
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        if until is not None and self._stalled():
            self._room.wait(GRACE)
        while self._stalled() or (self._bytes and self._bytes + frame.size > self.waiting_bytes):
            if until is None or self._stalled() or not self._room.wait(max(0.0, until - monotonic())):
                raise self._busy()
        self._bytes += frame.size

    def _enqueue(self, frame: Waiting) -> None:
        made = len(frame.data) + OVERHEAD
        self._bytes, frame.size = self._bytes + made - frame.size, made
        if not frame.data or self._closing:  # it could not be made, or nobody is there any more to write it
            self._done([frame], Fate.REFUSED, StoreError(f"The answers log in {self.folder} is closed. Open another."))
            return
        self._queue[frame] = None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="answers log, writer")
            self._thread.start()
        self._work.notify()

    def _give_up(self, frame: Waiting, let_land: bool) -> None:
        if frame.fate is Fate.WAITING:
            self._done([frame], Fate.GIVEN_UP, self._busy())
        elif frame.fate is Fate.HANDED:
            frame.error = self._busy()
            if not let_land:
                frame.fate = Fate.GIVEN_UP

    def _time_for(self, *frames: Waiting) -> float:
        """Seconds the disk has for these: the patience, and as much again for each ``waiting_bytes`` of one longer than that."""
        return self.patience * max(1.0, sum(frame.size for frame in frames) / self.waiting_bytes)

    def _stalled(self) -> bool:
        """Whether the disk has been busy with one thing for longer than anybody waits: then nobody begins to."""
        since = self._busy_since
        return self._syncer.stalled() or (since is not None and monotonic() - since > self._time_for(*self._handed))

    def _busy(self) -> HouseBusy:
        return HouseBusy(f"The disk did not take an answer within {self.patience:g} seconds: {self.folder}. Look at the disk; ask again.")

    def _await(self, done: bool) -> None:
        if not done:
            raise HouseBusy(f"The disk still holds up the answers log in {self.folder}. What was acknowledged is in its segments.")

    def _done(self, frames: list[Waiting], fate: Fate, error: StoreError | None = None) -> None:
        """These frames are settled: their bytes are free, and whoever waits for them goes on. Called with the lock held."""
        for frame in frames:
            self._queue.pop(frame, None)
            self._bytes -= frame.size
            frame.fate, frame.data = fate, b""
            frame.error = frame.error or error
            frame.done.release()
            if frame.then is not None:
                frame.then()
        self._room.notify_all()

    def _distrust(self, error: StoreError, segment: Owned | None = None) -> None:
        """Rows that were acknowledged may not be on the disk: the next caller is told, and nothing more goes into that segment."""
        with self._lock:
            self._failed, self._doubted = error, segment or self._doubted
            self.distrusted += 1
            self._work.notify()

    # -- the thread's side -----------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._something_to_do():
            try:
                self._turn()
            except Exception as error:  # such as no memory: whoever waits is told, and the thread lives on
                self._refuse_all(StoreError(f"The answers log in {self.folder} could not be written: {error!r}."))
            with self._lock:
                self._busy_since = None
        for left in (*self._left, Left(self._distrust)):
            self._let_go(left)
        self._syncer.close()

    def _something_to_do(self) -> bool:
        """Sleep until a frame waits, a segment is to be let go of, or the end has come (False)."""
        with self._lock:
            while not (self._queue or self._closing or self._to_leave()):
                self._work.wait(min(self._began + self.rotate_after - monotonic(), threading.TIMEOUT_MAX) if self._segment else None)
            self._busy_since = monotonic()
            return bool(self._queue) or not self._closing

    def _to_leave(self) -> bool:
        segment = self._segment
        if segment is None:
            return bool(self._left)
        old = monotonic() >= self._began + self.rotate_after
        return old or bool(self._left) or segment.size >= self.rotate_at or segment is self._doubted or not segment.whole

    def _turn(self) -> None:
        if self._to_leave():
            with self._lock:
                asked, self._left = self._left, []
            for left in asked or [Left(self._distrust)]:
                self._let_go(left)
        if not self._queue:
            return
        try:
            segment = self._segment = self._segment or self._begin()
        except StoreError as error:
            self._refuse_all(error)
            return
        batch = self._batch()
        if batch:
            self._write(segment, batch)

    def _begin(self) -> Owned:
        for _ in range(ATTEMPTS):
            with suppress(HouseBusy):
                segment = own(self.folder)
                self._began = monotonic()
                return segment
        return own(self.folder)

    def _let_go(self, left: Left) -> None:
        segment, self._segment, self._doubted = self._segment, None, None
        if self.durability == "group":
            self._syncer.let_go(segment, left)
        else:
            left.let_go(segment, sync=False)

    def _batch(self) -> list[Waiting]:
        """The oldest frames that wait, as many as are handed over at once."""
        batch: list[Waiting] = []
        size = 0
        with self._lock:
            for frame in self._queue:
                size += frame.size
                if batch and size > BATCH:
                    break
                batch.append(frame)
                frame.fate = Fate.HANDED
            for frame in batch:
                del self._queue[frame]
            self._handed = batch
        return batch

    def _write(self, segment: Owned, batch: list[Waiting]) -> None:
        start = segment.size
        header = self.header() if not start else b""
        data = batch[0].data if len(batch) == 1 and not header else b"".join([header, *(frame.data for frame in batch)])
        try:
            segment.append(data, sync=self.durability == "sync")
        except StoreError as error:
            with self._lock:
                self._done(batch, Fate.REFUSED, error)
                self._handed = []
                # What is in it can be sealed, which may make room; an empty one is as good as the next.
                self._doubted = segment if segment.size else None
            return
        if not self._kept(batch):
            self._write_again(segment, batch, start)
        if self.durability == "group":
            self._syncer.soon(segment)

    def _kept(self, batch: list[Waiting]) -> bool:
        """Whether the batch may stay in the file, and then it is kept: nobody gave up on any of it."""
        with self._lock:
            if any(frame.fate is Fate.GIVEN_UP for frame in batch):
                return False
            self._done(batch, Fate.KEPT)
            self._handed = []
        return True

    def _write_again(self, segment: Owned, batch: list[Waiting], start: int) -> None:
        """Take a batch back from the file; the frames in it that somebody still waits for go to the head of the queue."""
        try:
            segment.cut(start, sync=self.durability == "sync")
            cut = True
        except StoreError:
            cut = False  # all of the batch stays in the file, which is left: those still waited for are kept
        with self._lock:
            rest = [frame for frame in batch if frame.fate is not Fate.GIVEN_UP]
            self._done([frame for frame in batch if frame.fate is Fate.GIVEN_UP], Fate.GIVEN_UP)
            self._handed = []
            if not cut:
                self._done(rest, Fate.KEPT)
                return
            for frame in rest:
                frame.fate = Fate.WAITING
            self._queue = dict.fromkeys(rest) | self._queue

    def _refuse_all(self, error: StoreError) -> None:
        with self._lock:
            self._done([*self._handed, *self._queue], Fate.REFUSED, error)
            self._handed = []


def _released(lock: threading.Lock, seconds: float, most: float) -> bool:
    """Whether the lock is released in this time; and if this thread itself was woken late, in as much time again, up to the ``most``."""
    due = monotonic() + seconds
    return lock.acquire(timeout=seconds) or lock.acquire(timeout=min(monotonic() - due, most) + GRACE)


def _ended(thread: threading.Thread | None, until: float) -> bool:
    if thread is not None:
        thread.join(max(0.0, until - monotonic()))
    return thread is None or not thread.is_alive()
