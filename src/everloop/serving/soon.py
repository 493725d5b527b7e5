"""Soon: answers on their way into the log, for an event loop that waits for no disk. In: rows of single answers. Out: futures.

Those of one round of the loop share a frame, and while one is being written the next gathers: under load the log costs a request no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from everloop.errors import StoreError
from everloop.serving.answered import Row
from everloop.serving.log import AnswersLog, Handed
from everloop.serving.writer import GRACE


class Soon:
    """Keeps rows in a log for the one event loop it is used on. What a disk that stalls or is full costs is what ``AnswersLog`` says."""

    def __init__(self, log: AnswersLog) -> None:
        self._log, self._loop = log, asyncio.get_running_loop()
        self._waiting: list[tuple[Sequence[Row], asyncio.Future[None]]] = []
        self._flying: tuple[Handed, list[asyncio.Future[None]], asyncio.TimerHandle] | None = None

    def keep(self, rows: Sequence[Row]) -> asyncio.Future[None]:
        """A future that is done when the rows are kept, or counted as dropped; it raises as ``AnswersLog.write`` does."""
        kept = self._loop.create_future()
        if not self._waiting and self._flying is None:
            self._loop.call_soon(self._send)
        self._waiting.append((rows, kept))
        return kept

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        futures = [kept for _, kept in waiting]
        try:
            handed = self._log.hand([row for rows, _ in waiting for row in rows], self._news)
        except Exception as error:
            _told(futures, error)
            return
        self._flying = (handed, futures, self._loop.call_later(self._log.patience, self._too_late))
        if handed.settled:
            self._land()

    def _news(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._landed)

    def _landed(self) -> None:
        if self._flying is not None and self._flying[0].settled:
            self._land()

    def _too_late(self) -> None:
        """Where it was this process that was held up and not the disk, what is written is about to be told."""
        if self._flying is not None:
            handed, futures, _ = self._flying
            self._flying = (handed, futures, self._loop.call_later(GRACE, self._land))

    def _land(self) -> None:
        if self._flying is None:
            return
        (handed, futures, too_late), self._flying = self._flying, None
        too_late.cancel()
        try:
            self._log.landed(handed)
        except StoreError as error:
            _told(futures, error)
        else:
            _told(futures, None)
        if self._waiting:
            self._send()


def _told(futures: Sequence[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():  # whoever asked has gone
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
