"""Requests over loopback by a client so light that the server is what is measured: one process, plain sockets, one loop.

Two ways of asking. ``closed``: so many connections, each sending its next request when its last was answered: how much a server can do.
``opened``: requests at moments that were settled beforehand, each one's time counted from *its moment* and not from when a connection
was free for it: a server that falls behind cannot hide it. In: an address and requests as bytes. Out: what was answered, and how long it
took. Nothing is sent twice: what breaks is counted.
"""

from __future__ import annotations

import gc
import random
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

See: TypeAlias = Callable[[float, bytes], None]
"""Called with the moment an answer's time is counted from, and the whole answer, head and body."""
END = b"\r\n\r\n"
LATE = 10.0
"""Seconds after the last moment for which answers are still waited for; what did not come by then is broken."""


@dataclass
class Heard:
    """What came back: how many of each status, the seconds of each success in order, connections that broke, and how long it all took."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    broken: int = 0
    unsent: int = 0
    """Requests whose moment came while every connection waited for an answer, until the end."""
    took: float = 0.0
    wrong: bytes = b""
    """The first answer that is no success, as it came."""

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """Answers that are no success."""
        return sum(n for status, n in self.statuses.items() if status != 200)

    @property
    def rate(self) -> float:
        """Successes a second."""
        return self.statuses[200] / self.took if self.took else 0.0

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the successes came."""
        there = sorted(self.seconds)
        return there[min(len(there) - 1, int(share * len(there)))] if there else float("nan")


class _Line:
    """One connection and what is under way on it."""

    __slots__ = ("at", "end", "held", "socket", "status")

    def __init__(self, place: tuple[str, int]) -> None:
        self.socket = socket.create_connection(place)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.held, self.end, self.at, self.status = b"", 0, 0.0, 0

    def ask(self, request: bytes, at: float) -> None:
        """Send it; its time is counted from ``at``."""
        self.at, self.held, self.end = at, b"", 0
        if self.socket.send(request) != len(request):
            raise OSError("a request did not fit into the socket")

    def heard(self) -> bool:
        """Whether the answer is there as a whole. Raises OSError where the other side hung up."""
        more = self.socket.recv(1 << 16)
        if not more:
            raise OSError("hung up")
        self.held = self.held + more if self.held else more
        if not self.end:
            head = self.held.find(END)
            if head < 0:
                return False
            self.status, self.end = int(self.held[9:12]), _end(self.held, head)
        return len(self.held) >= self.end if self.end > 0 else self.held.endswith(b"0" + END)


def _end(held: bytes, head: int) -> int:
    """How long the answer is; -1: it comes in chunks."""
    said = held[:head].lower()
    at = said.find(b"\r\ncontent-length:")
    return head + 4 + int(said[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else -1


def closed(url: str, requests: Sequence[bytes], *, connections: int, seconds: float, see: See | None = None) -> Heard:
    """Ask as fast as answers come."""
    heard, place, lines = Heard(), _place(url), {}
    with _poll() as poll:
        began = now = time.perf_counter()
        until, turn = began + seconds, 0

        def anew() -> None:
            nonlocal turn
            line = _Line(place)
            lines[line.socket.fileno()] = line
            poll.register(line.socket, select.EPOLLIN)
            line.ask(requests[turn % len(requests)], time.perf_counter())
            turn += 1

        for _ in range(connections):
            anew()
        while now < until:
            for number, _ in poll.poll(0.1):
                line = lines[number]
                try:
                    if not line.heard():
                        continue
                    now = time.perf_counter()
                    _note(heard, line, now, see)
                    line.ask(requests[turn % len(requests)], now)
                    turn += 1
                except OSError:
                    heard.broken += 1
                    del lines[number]
                    line.socket.close()
                    anew()
            now = time.perf_counter()
        heard.took = now - began
        for line in lines.values():
            line.socket.close()
    return heard


def opened(
    url: str,
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int = 64,
    seed: int = 0,
    patience: float = LATE,
    see: See | None = None,
) -> Heard:
    """Ask ``rate`` times a second, at moments that come by chance as those of many people do; the same ones for the same ``seed``.

    What has not come ``patience`` seconds after the last moment is waited for no longer.
    """
    heard, place, lines = Heard(), _place(url), {}
    free: list[_Line] = []
    waiting: deque[float] = deque()
    moments = _moments(rate, seconds, seed)
    with _poll() as poll:
        for _ in range(connections):
            line = _Line(place)
            lines[line.socket.fileno()] = line
            poll.register(line.socket, select.EPOLLIN)
            free.append(line)
        began = time.perf_counter() + 0.01
        following, turn, wanted, until = next(moments, None), 0, 0, seconds + patience
        while True:
            now = time.perf_counter() - began
            while following is not None and following <= now:
                waiting.append(following)
                following, wanted = next(moments, None), wanted + 1
            while waiting and free:
                line = free.pop()
                line.ask(requests[turn % len(requests)], began + waiting.popleft())
                turn += 1
            if following is None and not waiting and len(free) == len(lines):
                break
            if now > until and not waiting:
                heard.broken += len(lines) - len(free)
                break
            if now > until:
                # What could not be sent in time is not sent; what was is waited for.
                heard.unsent, until = len(waiting), now + patience
                waiting.clear()
            # It has a core of its own, and an alarm of the kernel's would be late.
            for number, _ in poll.poll(0):
                line = lines[number]
                try:
                    if line.heard():
                        _note(heard, line, time.perf_counter(), see)
                        free.append(line)
                except OSError:
                    heard.broken += number not in {one.socket.fileno() for one in free}
                    free[:] = [one for one in free if one is not line]
                    del lines[number]
                    line.socket.close()
                    line = _Line(place)
                    lines[line.socket.fileno()] = line
                    poll.register(line.socket, select.EPOLLIN)
                    free.append(line)
        heard.took = time.perf_counter() - began
        for line in lines.values():
            line.socket.close()
    return heard


def once(url: str, asking: bytes, *, patience: float = 10.0) -> tuple[int, bytes]:
    """One request on a connection of its own: the status, and the answer as it came. Raises OSError where there is none in time."""
    line = _Line(_place(url))
    with line.socket, select.epoll() as poll:
        poll.register(line.socket, select.EPOLLIN)
        line.ask(asking, time.perf_counter())
        while poll.poll(patience):
            if line.heard():
                return line.status, line.held
    raise TimeoutError(f"{url} did not answer within {patience:g} s")


def request(path: str, body: bytes, *, host: str = "127.0.0.1") -> bytes:
    """A POST of JSON as bytes on the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def body_of(answer: bytes) -> bytes:
    """The body of a whole answer that did not come in chunks."""
    return answer[answer.find(END) + 4 :]


def _note(heard: Heard, line: _Line, now: float, see: See | None) -> None:
    heard.statuses[line.status] += 1
    if line.status == 200:
        heard.seconds.append(now - line.at)
    elif not heard.wrong:
        heard.wrong = line.held
    if see is not None:
        see(line.at, line.held)


def _moments(rate: float, seconds: float, seed: int) -> Iterator[float]:
    chance, at = random.Random(seed), 0.0
    while True:
        at += chance.expovariate(rate)
        if at > seconds:
            return
        yield at


def _place(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    return where.hostname or "127.0.0.1", where.port or 80


@contextmanager
def _poll() -> Iterator[select.epoll]:
    """What tells which sockets have something; the collector of rubbish rests meanwhile."""
    gc.collect()
    gc.disable()
    try:
        with select.epoll() as poll:
            yield poll
    finally:
        gc.enable()
