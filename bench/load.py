"""A load from this machine on this machine: so many connections, each sending its next request when its last was answered.

Requests are bytes made by the caller; connections that break are opened again and the request is sent again, which a client of a house may
always do. In: an address. Out: what was answered, and how long each answer took.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop


@dataclass
class Answered:
    """What came back: status by status, seconds of each answer, broken connections, and the replies that were asked to be kept."""

    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    broken: int = 0
    replies: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    took: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """Answers that are no success."""
        return sum(n for status, n in self.statuses.items() if status >= 300)

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))] if self.seconds else 0.0


def post(path: str, body: object, *, host: str = "127.0.0.1", headers: str = "") -> bytes:
    """A POST of JSON as bytes on the wire."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


def load(
    url: str,
    requests: Iterator[tuple[int, bytes]],
    *,
    connections: int = 32,
    seconds: float | None = None,
    keep: bool = False,
    beside: Callable[[], None] | None = None,
) -> Answered:
    """Send (key, request) pairs until they or the ``seconds`` run out; ``beside`` is called about a hundred times a second."""
    return uvloop.run(_load(url, requests, connections, seconds, keep, beside))


async def _load(
    url: str,
    requests: Iterator[tuple[int, bytes]],
    connections: int,
    seconds: float | None,
    keep: bool,
    beside: Callable[[], None] | None,
) -> Answered:
    place, found = urlsplit(url), Answered()
    began = time.perf_counter()
    until = None if seconds is None else began + seconds

    async def one() -> None:
        stream = None
        for key, request in requests:
            if until is not None and time.perf_counter() > until:
                break
            gave_up = time.perf_counter() + 60
            while True:
                at = time.perf_counter()
                if at > gave_up:
                    raise RuntimeError(f"nobody answers at {url}")
                try:
                    if stream is None:
                        stream = await asyncio.open_connection(place.hostname, place.port)
                    status, body = await _ask(stream, request)
                except (OSError, asyncio.IncompleteReadError):
                    found.broken += 1
                    stream = None
                    await asyncio.sleep(0.005)
                    continue
                break
            found.seconds.append(time.perf_counter() - at)
            found.statuses[status] = found.statuses.get(status, 0) + 1
            if keep:
                found.replies.append((key, status.to_bytes(2, "big"), body))
        if stream is not None:
            stream[1].close()

    async def look() -> None:
        while True:
            assert beside is not None
            await asyncio.to_thread(beside)
            await asyncio.sleep(0.01)

    looking = asyncio.ensure_future(look()) if beside is not None else None
    await asyncio.gather(*(one() for _ in range(connections)))
    if looking is not None:
        looking.cancel()
    found.took = time.perf_counter() - began
    return found


async def _ask(stream: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> tuple[int, bytes]:
    reader, writer = stream
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return status, await reader.readexactly(length)
