"""The letterbox: deliveries of many callers at once go into the inbox together, one sync for all that wait. Each hears when its own is
safe."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from typing import Final

import everloop.clock as clock
from everloop.connect.shopify.beside import ENDING
from everloop.connect.shopify.inbox import Delivery, put, refusing
from everloop.connect.shopify.place import Place
from everloop.errors import HouseBusy

TOGETHER: Final = 256
WAITING: Final = 2_000
"""So many deliveries may wait for the disk; who comes then is asked to come again."""


class Letterbox:
    """Where deliveries are dropped and kept: ``carry`` for a thread beside the door; ``came`` is called after each commit.

    ``drop`` returns at once; its future is done when the delivery is on the disk (True: it is new), or failed as ``inbox.keep`` fails.
    """

    def __init__(self, place: Place, came: Callable[[], object] = lambda: None) -> None:
        self.place, self.came = place, came
        self._waiting: queue.Queue[tuple[Delivery, Future[bool]] | None] = queue.Queue(WAITING)

    def close(self) -> None:
        """What waits is kept still; nothing is waited for any more."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=ENDING)

    def drop(self, delivery: Delivery) -> Future[bool]:
        """Have a delivery kept. Raises HouseBusy where too many wait."""
        future: Future[bool] = Future()
        try:
            self._waiting.put_nowait((delivery, future))
        except queue.Full:
            raise HouseBusy("Too many deliveries wait for the disk. Shopify delivers again.") from None
        return future

    def carry(self, stop: threading.Event) -> None:
        """Keep what is dropped until it is closed, whether or not ``stop`` was set before."""
        with closing(self.place.opened()) as connection:
            self._keep_on(connection)

    def _keep_on(self, connection: sqlite3.Connection) -> None:
        more = True
        while more:
            some = [self._waiting.get()]
            while len(some) < TOGETHER:
                try:
                    some.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            there = [one for one in some if one is not None]
            more = len(there) == len(some)
            if there:
                self._keep(there, connection)

    def _keep(self, some: list[tuple[Delivery, Future[bool]]], connection: sqlite3.Connection) -> None:
        # Whoever hung up is still kept: Shopify said it.
        heard = [future.set_running_or_notify_cancel() for _, future in some]
        try:
            with refusing():
                connection.execute("begin immediate")
                try:
                    new = [put(connection, [delivery], clock.wall()) == 1 for delivery, _ in some]
                    connection.execute("commit")
                except BaseException:
                    # A full disk has rolled back already.
                    if connection.in_transaction:
                        connection.rollback()
                    raise
        except Exception as error:
            for (_, future), waits in zip(some, heard, strict=True):
                if waits:
                    future.set_exception(error)
            return
        for (_, future), waits, is_new in zip(some, heard, new, strict=True):
            if waits:
                future.set_result(is_new)
        self.came()
