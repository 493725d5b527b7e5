"""Ray tasks as an executor: pieces of work on the machines of a cluster. The only file that imports ray; the extra is ``everloop[ray]``.

What a dead node had under way is done again by another (Ray notices after some ten seconds). Everloop, and what the project needs, has to
be installed where Ray's workers run, and they reach the house's stores by the same paths and URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

from everloop.connect.cluster import first_line, knock, shown, within
from everloop.errors import EverloopError, LearnerFailed, Missing
from everloop.training.executor import Item, Result
from everloop.training.sent import Work, done, work_of
from everloop.training.usage import Usage
from everloop.training.window import LOOK_EVERY, died_of, through, unhurried, unspent

RETRIES: Final = 3
"""So often Ray begins a piece again whose process or node died."""
JOIN: Final = 60.0
"""Seconds to join a cluster: one that cannot be joined may keep whoever tries waiting for ever."""


@dataclass
class Ray:
    """A cluster of Ray, joined when the first piece of work comes and left when this process ends.

    ``url``: ``ray`` is the cluster at ``address``, where one is said, else one of its own on this machine; ``ray://host:10001`` is
    asked through Ray's own door for clients (which needs the package ``ray[client]``), ``ray+node://host:6379`` where this machine is a
    node of the cluster itself. At most ``workers`` pieces are under way at once (None: twice as many as the cluster has cores). Whoever
    has joined a cluster stays in it. ``patience`` (seconds) bounds how long it is waited for.
    """

    url: str = "ray"
    workers: int | None = None
    first: Callable[[], object] | None = None
    threads: int | None = 1
    spent: Callable[[Usage], None] = unspent
    still: Callable[[], None] = unhurried
    patience: float = JOIN
    address: str | None = field(default=None, repr=False)

    def map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """As ``Executor.map`` promises. Raises Missing without ray, EverloopError where the cluster cannot be joined or is gone."""
        ray = self.joined()
        work = work_of(fn, self.first, self.threads)
        begin = ray.remote(done).options(num_cpus=1, max_retries=RETRIES, retry_exceptions=False, name=work.name)
        width = self.workers or max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
        place = _Tasks(ray, begin, ray.put(work), work)
        return through(place, items, name=work.name, width=width, spent=self.spent, still=self.still)

    def joined(self) -> Any:
        """Ray itself, in the cluster. Raises Missing, EverloopError."""
        ray = _there()
        if ray.is_initialized():
            return ray
        words: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        address = self._address()
        if self.url.startswith("ray://") and find_spec("grpc") is None:
            raise EverloopError(f"{shown(self.url)} is a door for clients, which Ray alone cannot open. Run: pip install 'ray[client]'")
        if address is None:
            words |= {"address": "local", "num_cpus": self.workers, "include_dashboard": False}
        else:
            knock(address if "://" in address else f"ray+node://{address}", "head of a Ray cluster", "Start it there: ray start --head")
            words["address"] = address
        cure = "Is its Ray of the version it has here, and does it know the same RAY_AUTH_TOKEN?"
        within(self.patience, lambda: ray.init(**words), f"The Ray cluster of {shown(self.url)}", cure)
        return ray

    def _address(self) -> str | None:
        if self.url.startswith("ray+node://"):
            return self.url.removeprefix("ray+node://").rstrip("/")
        # Left to itself Ray would also join whatever cluster was begun last on this machine, and wait long for a head that is not there:
        # so it is told where that is, and the head asked first.
        return self.url if "://" in self.url else self.address


@dataclass(frozen=True)
class _Tasks:
    """The place where one call's items are done; ``sent`` is the work, which Ray carries to a node once."""

    ray: Any
    task: Any
    sent: Any
    work: Work

    def begin(self, item: bytes) -> Any:
        return self.task.remote(self.sent, item)

    def ended(self, under_way: Sequence[Any]) -> Iterable[Any]:
        ready, _ = self.ray.wait(list(under_way), num_returns=1, timeout=LOOK_EVERY)
        return ready  # type: ignore[no-any-return]

    def said(self, piece: Any) -> bytes:
        errors = self.ray.exceptions
        try:
            return self.ray.get(piece)  # type: ignore[no-any-return]
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError, errors.ObjectLostError) as error:
            raise died_of(self.work.name, first_line(error)) from error
        except errors.RayTaskError as error:
            cure = "Everloop, in this version, has to be installed where Ray's workers run."
            raise LearnerFailed(f"{self.work.name} could not be done on Ray: {first_line(error.cause or error)}. {cure}") from error
        except errors.RayError as error:
            raise EverloopError(f"Ray could not do {self.work.name}: {first_line(error)}. Nothing else was touched; try again.") from error

    def forget(self, under_way: Sequence[Any]) -> None:
        for piece in under_way:
            try:
                self.ray.cancel(piece, force=True)
            except Exception:  # it has ended meanwhile, or the cluster is gone
                continue


def _there() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise Missing("ray", "ray", '[executor] url = "ray"') from None
    return ray
