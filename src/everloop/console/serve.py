"""The console as a process: on a socket that workers hand on to, started when it is first asked; or alone, on a port of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any

from everloop.loop.serve.supervised import Told, supervised

if TYPE_CHECKING:
    from pathlib import Path

    from everloop.loop.house import House

STEP_BACK = 10
"""How far pages step back behind answers (nice): where both want the same core, answers get nine parts of ten of it. Further, and an undo
by button would come too late on a machine that is busy."""
GRACE = 2


def opened(project: Path, folder: Path | None, stage: str | None, *, turned: bool = False) -> House:
    """The house for who reads it and learns nothing: what the project learns with is not loaded. Raises ProjectError, SettingsError,
    StoreError."""
    from everloop.loop.house import open_house
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.training import stand_in

    without_pandas()
    return open_house(stand_in.opened(partial(open_project, project)), folder=folder, stage=stage, turned=turned)


def show(told: Told) -> None:
    """Answer what workers hand on, until told to end."""
    from everloop.console.app import console
    from everloop.loop.serve.lines import speaking

    assert told.socket is not None, "the console answers on a socket it was given: everloop run, or everloop console"
    os.nice(STEP_BACK)
    house = opened(told.project, told.house, told.stage, turned=told.turned)
    speaking(told.name, house.settings.logs)
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server hears them while it runs, and raises them again when it is done.
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=told.socket) as listener:
        answer(HandedOn(console(house)), listener, ready=told.say_ready)
    house.store.close()


def answer(asgi: Any, listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Answer on this socket until told to end: ``ready`` once it answers. Pages that listen for changes are let go at once."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        asgi, http="httptools", ws="none", lifespan="on", log_config=None, access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )  # fmt: skip
    Server(config).run(sockets=[listener])


class HandedOn:
    """An app whose requests come from workers of the same house: what they say of who asks counts, and stands nowhere else."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        from everloop.console.asked import HANDED_ON
        from everloop.loop.serve.hand_on import PEER, SCHEME

        if scope["type"] == "http":
            said = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (PEER, SCHEME)}
            others = [(name, value) for name, value in scope["headers"] if name not in (PEER, SCHEME)]
            scope = {**scope, "headers": others, "scheme": said.get(SCHEME, "http"), HANDED_ON: said.get(PEER, "unknown")}
        await self.app(scope, receive, send)


if __name__ == "__main__":
    sys.exit(supervised("console", show))
