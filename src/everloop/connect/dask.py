"""Dask futures as an executor: pieces of work on the workers of a scheduler. The only file that imports distributed; the extra is
``everloop[dask]``.

What a dead worker had under way, or had done and not handed over, is done again by another. Everloop, and what the project needs, has to be
installed where the workers run, and they reach the house's stores by the same paths and URLs.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from everloop.connect.cluster import first_line, knock, shown, within
from everloop.errors import EverloopError, LearnerFailed, Missing
from everloop.training.executor import Item, Result
from everloop.training.sent import Work, done, work_of
from everloop.training.usage import Usage
from everloop.training.window import LOOK_EVERY, died_of, through, unhurried, unspent

JOIN: Final = 20.0
"""Seconds for the scheduler to answer."""
_ALONE: Final = threading.Lock()
_CLIENTS: Final[dict[str, Any]] = {}
"""Those of this process, by URL: each turn of a house has an executor of its own, but joins nothing anew."""


@dataclass
class Dask:
    """The workers of a scheduler, joined when the first piece of work comes.

    ``url``: ``dask://host:8786``, or ``dask+tls://`` with the certificates that Dask's own configuration names. At most ``workers`` pieces
    are under way at once (None: twice as many as there are threads). ``patience`` (seconds) bounds how long the scheduler is waited for.
    """

    url: str
    workers: int | None = None
    first: Callable[[], object] | None = None
    threads: int | None = 1
    spent: Callable[[Usage], None] = unspent
    still: Callable[[], None] = unhurried
    patience: float = JOIN

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """As ``Executor.map`` promises. Raises Missing without distributed, EverloopError where no scheduler answers or it is gone."""
        client = self.joined()
        work = work_of(fn, self.first, self.threads)
        with warnings.catch_warnings():
            # Data that is scattered is gone with the worker that holds it; what is part of the graph can be worked out again.
            warnings.filterwarnings("ignore", message="Sending large graph")
            sent = client.submit(_itself, work, pure=False)
        place = _Futures(client, sent, work)
        width = self.workers or max(2, 2 * sum(client.nthreads().values()))
        return through(place, items, name=work.name, width=width, spent=self.spent, still=self.still)

    def joined(self) -> Any:
        """The client. Raises Missing, EverloopError."""
        try:
            from distributed import Client
        except ImportError:
            raise Missing("distributed", "dask", f'[executor] url = "{shown(self.url)}"') from None
        with _ALONE:
            there = _CLIENTS.get(self.url)
            if there is None or there.status != "running":
                address = self.url.replace("dask+tls://", "tls://").replace("dask://", "tcp://").rstrip("/")
                knock(address, "Dask scheduler", "Start it there: dask scheduler")
                words = {"timeout": 2 * self.patience, "set_as_default": False, "name": "everloop"}
                who, cure = f"The Dask scheduler at {shown(self.url)}", "Is its Dask of the version it has here?"
                _CLIENTS[self.url] = within(self.patience, lambda: Client(address, **words), who, cure)
            return _CLIENTS[self.url]

    def end(self) -> None:
        """Leave the scheduler; the next call joins it again."""
        with _ALONE:
            client = _CLIENTS.pop(self.url, None)
        if client is not None:
            with suppress(Exception):  # the scheduler may be gone
                client.close(timeout=5)


@dataclass(frozen=True)
class _Futures:
    """The place where one call's items are done; ``sent`` is the work, which Dask carries to a worker once."""

    client: Any
    sent: Any
    work: Work

    def begin(self, item: bytes) -> Any:
        return self.client.submit(done, self.sent, item, pure=False)

    def ended(self, under_way: Sequence[Any]) -> Iterable[Any]:
        from distributed import wait

        with suppress(TimeoutError), self.client.as_current():
            wait(under_way, timeout=LOOK_EVERY, return_when="FIRST_COMPLETED")
        return [piece for piece in under_way if piece.done()]

    def said(self, piece: Any) -> bytes:
        from distributed.scheduler import KilledWorker

        try:
            return piece.result()  # type: ignore[no-any-return]
        except KilledWorker as error:
            raise died_of(self.work.name, first_line(error)) from error
        except (ImportError, AttributeError) as error:
            cure = "Everloop, in this version, has to be installed where Dask's workers run."
            raise LearnerFailed(f"{self.work.name} could not be done on Dask: {error}. {cure}") from error
        except Exception as error:
            why = first_line(error)
            raise EverloopError(f"Dask could not do {self.work.name}: {why}. Nothing else was touched; try again.") from error

    def forget(self, under_way: Sequence[Any]) -> None:
        if under_way:
            with suppress(Exception):  # the scheduler may be gone
                self.client.cancel(list(under_way), force=True)


def _itself(work: Work) -> Work:
    return work
