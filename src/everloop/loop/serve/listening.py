"""Listening: the sockets a supervisor owns and its children answer on. In: an address, or nothing. Out: a socket, and how it is reached."""

from __future__ import annotations

import errno
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from everloop.errors import EverloopError

BACKLOG = 1024


@dataclass(frozen=True)
class Wakeable:
    """A socket in a folder that only this user may look into: who connects wakes the one who is to answer there."""

    path: str
    socket: socket.socket


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there; port 0: on any free one. Raises EverloopError."""
    try:
        if not 0 <= port <= 65535:
            raise OverflowError("a port is from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, OverflowError, UnicodeError) as error:
        raise EverloopError(f"{host} and port {port} are no address to listen on: {error}. Say --host 127.0.0.1 --port 8321") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise EverloopError(
                    f"Port {port} of {host} is taken by another process. Say another one: --port {port + 1 if port < 65535 else 0}, or "
                    f"--port 0 for any that is free."
                ) from error
            raise EverloopError(f"Nobody may listen on {host}:{port} here: {error.strerror}. Say --host 127.0.0.1 --port 8321") from error
        listener.listen(BACKLOG)
        yield listener


@contextmanager
def wakeable(wanted: bool) -> Iterator[Wakeable | None]:
    """A socket for who starts when it is asked, in a folder of its own, whose path is short enough for any system; None: nobody is."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="everloop-", dir=None if len(tempfile.gettempdir()) < 70 else "/tmp") as folder:
        path = f"{folder}/console"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
            there.setblocking(False)
            there.bind(path)
            there.listen(BACKLOG)
            yield Wakeable(path, there)


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached, as people say it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def from_here(url: str) -> str:
    """The same address as this machine itself asks for it: what listens everywhere is reached at this machine's own.

    >>> from_here("http://0.0.0.0:8321"), from_here("http://[::]:8321"), from_here("http://192.0.2.7:8321")
    ('http://127.0.0.1:8321', 'http://[::1]:8321', 'http://192.0.2.7:8321')
    """
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
