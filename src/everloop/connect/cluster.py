"""What joining any cluster asks for: a door that is knocked at first, and words about it that hold no secret."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from everloop.errors import EverloopError

Result = TypeVar("Result")
KNOCK: Final = 5.0
"""Seconds for a door to open before it is said that nobody is there."""


def knock(url: str, what: str, cure: str) -> None:
    """Raise EverloopError where nobody opens at the host and port of a URL: what joins a cluster may wait for minutes, or for ever.

    ``what`` is who should be there, ``cure`` how it is started.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise EverloopError(f"{shown(url)} does not say where {what} is. Say its host and port: {parts.scheme or 'dask'}://host:8786")
    try:
        socket.create_connection((host, port), timeout=KNOCK).close()
    except OSError as error:
        raise EverloopError(f"No {what} answers at {host}:{port} ({error.strerror or error}). {cure}, or mend [executor] url.") from error


def shown(url: str) -> str:
    """A URL without what may be secret in it.

    >>> shown("ray://name:secret@head:10001")
    'ray://head:10001'
    """
    parts = urlsplit(url)
    return url if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def first_line(error: object) -> str:
    """What an error says first, on one line, without a full stop; its kind where it says nothing.

    >>> first_line(ValueError("not so.\\nand more")), first_line(TimeoutError())
    ('not so', 'TimeoutError')
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(".")


def within(seconds: float, join: Callable[[], Result], who: str, cure: str) -> Result:
    """What joining gives. Raises EverloopError where it fails, or has not ended by then.

    On a thread of its own: what joins may wait for ever, and Ray takes SIGTERM for itself where it is called from the first thread.
    """
    joined: list[Result] = []
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            joined.append(join())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=attempt, daemon=True, name="joining")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise EverloopError(f"{who} was not joined within {seconds:g} s. {cure}")
    if failed:
        raise EverloopError(f"{who} could not be joined: {first_line(failed[0])}. {cure}") from failed[0]
    return joined[0]
