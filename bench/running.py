"""``everloop run`` or ``everloop serve`` in processes of its own, and which process is which."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from everloop.demo.hands import started


@dataclass(frozen=True)
class Running:
    """A house that answers: its address, and the supervisor all others are children of."""

    url: str
    process: subprocess.Popen[str]

    def workers(self) -> list[psutil.Process]:
        """The processes that answer, oldest first."""
        return self._children("everloop.loop.serve.worker")

    def controller(self) -> psutil.Process | None:
        """The process that turns the ring; None while it is started anew."""
        found = self._children("everloop.loop.control.process")
        return found[0] if found else None

    def post(self, path: str, body: object, *, now: str | None = None, timeout: float = 120) -> httpx.Response:
        headers = {} if now is None else {"Everloop-Now": now}
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=timeout)

    def _children(self, module: str) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            try:
                if module in child.cmdline():
                    found.append(child)
            except psutil.Error:
                continue
        return sorted(found, key=lambda child: child.create_time())


@contextmanager
def running(project: Path, house: Path, *words: str, verb: str = "run") -> Iterator[Running]:
    """Start it, wait until it is ready, and end it at the end."""
    with started(verb, project, house, *words) as (url, process):
        yield Running(url, process)
