"""Gather: events that come one by one are kept many at a time. In: small deliveries of many callers. Out: what became of each.

A transaction costs as much for one row as for fifty. So whatever comes in while one is under way waits, and is the next one: nobody is made
to wait for company, and the more callers there are the larger a transaction grows. What each caller is told is what it would have been told
had all of them been received one after another. A future that is done says that its rows are committed. No clock is read.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from everloop.clock import microseconds
from everloop.errors import HouseBusy, StoreError
from everloop.lake.arrive import Coming, arrive_together, read, refuse_known_after
from everloop.lake.events import AT_ONCE, MANY
from everloop.lake.place import Lake
from everloop.lake.receive import is_single
from everloop.lake.rows import Offered, Rows, offered
from everloop.project.source import Source
from everloop.records import Received

#: Bytes that may wait, about.
WAITING: Final = 8 << 20
_ALL: weakref.WeakSet[Gathering] = weakref.WeakSet()


@dataclass(eq=False, slots=True)
class _Waiting:
    """A caller in the line."""

    source: Source
    rows: Offered
    coming: Coming
    weight: int
    done: Future[Received]


class Gathering:
    """The one door to a lake for all callers of a process. Safe between threads; use it as a context manager.

    At most ``waiting`` bytes wait, by a rough count; a single delivery larger than that is let in while no other such one is there. In a
    forked process it begins anew: what waited is the parent's.

    >>> import tempfile
    >>> from datetime import UTC
    >>> from everloop.lake import open_lake
    >>> orders, noon = Source("orders", id="line_id", columns={"quantity": int}), datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> with tempfile.TemporaryDirectory() as folder, Gathering(open_lake(f"{folder}/lake")) as gathering:
    ...     futures = [gathering.receive(orders, {"line_id": line, "quantity": 2}, noon) for line in ("l1", "l2", "l1")]
    ...     [(future.result().kept, future.result().through_seq) for future in futures]
    [(1, 1), (1, 2), (0, 2)]
    """

    def __init__(self, lake: Lake, *, waiting: int = WAITING) -> None:
        self.lake, self.at_most = lake, waiting
        self._begin_anew()
        _ALL.add(self)

    def _begin_anew(self) -> None:
        self._there = threading.Condition()
        self._line: list[_Waiting] = []
        self._held = 0  # bytes, until their futures are done
        self._one_is_large = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._failed: StoreError | None = None

    @property
    def waiting(self) -> int:
        """About how many bytes wait to be kept."""
        return self._held

    def receive(self, source: Source, rows: Rows, now: datetime, known_after: timedelta | None = None) -> Future[Received]:
        """Take in rows as ``lake.receive`` does; returns at once. The rows are the gathering's until the future is done.

        ``now`` (aware) is when they arrive, ``known_after`` says that they are history. The future raises EverloopError where the rows are
        no rows, and HouseBusy, HouseFull or StoreError where they could not be kept: then nothing of this delivery came in. A future
        cancelled before its turn is passed over. Raises HouseBusy at once where too much is waiting already, or the gathering was closed.
        """
        done: Future[Received] = Future()
        try:
            refuse_known_after(source, known_after)
            microseconds(now)
            there = offered(rows)
        except Exception as why:
            done.set_exception(why)
            return done
        one = _Waiting(source, there, Coming(now, known_after, is_single(rows)), weight(there, self.at_most + 1), done)
        with self._there:
            self._let_in(one)
            self._line.append(one)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_gathering, daemon=True, name="gathering events")
                self._thread.start()
            self._there.notify()
        return done

    def close(self) -> None:
        """Keep what waits, and let nobody in any more. Raises StoreError where the log could not be synced at the end."""
        with self._there:
            self._closed = True
            self._there.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def __enter__(self) -> Gathering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _let_in(self, one: _Waiting) -> None:
        if self._closed:
            raise HouseBusy("This process is closing and takes nothing in any more. Send it again.")
        if one.weight > self.at_most:
            full, self._one_is_large = self._one_is_large, True
        else:
            full = self._held + one.weight > self.at_most
            self._held += 0 if full else one.weight
        if full:
            raise HouseBusy(f"{self._held:,} bytes of events wait to be kept, which is as many as may. Send it again in a moment.")

    def _keep_gathering(self) -> None:
        while True:
            with self._there:
                self._there.wait_for(lambda: self._line or self._closed)
                line, self._line = self._line, []
            if not line:
                break
            for some in together(line):
                self._keep(some)
        try:
            self.lake.log.close()
        except StoreError as error:
            self._failed = error

    def _keep(self, some: list[_Waiting]) -> None:
        """Keep these in one transaction and tell everybody; all of them are of one source."""
        wanted = [one for one in some if one.done.set_running_or_notify_cancel()]
        try:
            if wanted:
                self._tell(wanted)
        finally:
            with self._there:
                self._held -= sum(one.weight for one in some if one.weight <= self.at_most)
                self._one_is_large &= all(one.weight <= self.at_most for one in some)

    def _tell(self, wanted: list[_Waiting]) -> None:
        source = wanted[0].source
        try:
            read_together = read(source, [one.rows for one in wanted])
            received = arrive_together(self.lake, source, read_together, [one.coming for one in wanted])
        except StoreError as why:
            for one in wanted:
                one.done.set_exception(why)
        except BaseException as why:
            # No fault of the store's, so it is in somebody's rows: nothing came in, and each now stands for itself.
            if len(wanted) == 1:
                wanted[0].done.set_exception(why)
            else:
                for one in wanted:
                    self._tell([one])
        else:
            for one, what in zip(wanted, received, strict=True):
                one.done.set_result(what)


def together(line: Iterable[_Waiting]) -> list[list[_Waiting]]:
    """Who is kept in one transaction: callers of one source in their order, up to 10,000 rows; what comes as a file comes alone."""
    found: list[list[_Waiting]] = []
    open_for: dict[str, tuple[list[_Waiting], int]] = {}
    for one in line:
        rows = len(one.rows)
        some, so_far = open_for.get(one.source.name, ([], MANY))
        if so_far + rows > AT_ONCE or (some[0].source is not one.source and some[0].source != one.source):
            some, so_far = [], 0
            found.append(some)
        some.append(one)
        open_for[one.source.name] = some, so_far + rows
    return found


def weight(rows: Offered, most: int) -> int:
    """About how many bytes rows take in memory, counted no further than ``most``; of many rows only some are looked at.

    >>> weight([{"line_id": "l1", "quantity": 2}], 1_000_000)
    337
    """
    if isinstance(rows, pa.Table):
        return min(int(rows.nbytes), most)
    step = 1 + len(rows) // 200  # the callers' thread has other things to do
    total, things = 0, list[Any](rows[::step])
    while things and total < most:
        thing = things.pop()
        total += 64
        kind = type(thing)
        if kind is str or kind is bytes:
            total += len(thing)
        elif isinstance(thing, Mapping):
            things += thing
            things += thing.values()
        elif kind is list or kind is tuple:
            things += thing
    return min(total * step, most)


def _begin_all_anew() -> None:
    for gathering in list(_ALL):
        gathering._begin_anew()


os.register_at_fork(after_in_child=_begin_all_anew)
