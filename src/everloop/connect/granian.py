"""granian in place of uvicorn, ``[serving] server = "granian"``: what reads HTTP in a worker. In: an app and a socket. Out: replies.

The only file that imports it. It is granian's embedded server: one loop, in the process that the supervisor started, on the socket that
process was given. HTTP is read by threads of its own (hyper, in Rust); the app is asked on the event loop, as it is by uvicorn.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

from everloop.errors import Missing


def serve(
    asgi: Callable[..., Any],
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    leaving: Callable[[], None],
    drain: float,
    grace: int,
) -> None:
    """Answer on this socket until SIGTERM or SIGINT and for ``drain`` seconds more, unless told again; then finish the requests in flight,
    for at most ``grace`` seconds.

    ``ready`` is called once it answers, ``leaving`` when it is told to end. The socket is left open for whoever else answers on it. Raises
    Missing where granian is not installed.
    """
    try:
        import uvloop
        from granian.constants import HTTPModes, Interfaces
        from granian.net import SocketHolder
        from granian.server.embed import Server
    except ImportError:
        raise Missing("granian", "granian", '[serving] server = "granian"') from None

    class OnThisSocket(Server):
        """It would listen anew, and this socket is the supervisor's."""

        def _init_shared_socket(self) -> None:
            # granian closes what it is given.
            self._ssp, self._shd = None, SocketHolder(socket.dup(listener.fileno()), listener.family == socket.AF_UNIX, 0)

        def startup(self, *given: Any) -> None:
            super().startup(*given)
            ready()

    async def answering() -> None:
        server = OnThisSocket(asgi, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False)
        server.workers_kill_timeout = grace

        told: list[bool] = []

        def leave() -> None:
            leaving()
            told.append(True)
            asyncio.get_running_loop().call_later(drain if len(told) == 1 else 0.0, server.stop)

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave)
        await server.serve()

    uvloop.run(answering())
