"""Announcing: what a supervisor says once everybody is ready. In: who is. Out: sentences for people, or one JSON object."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence

from everloop.loop.serve.listening import from_here, url_of
from everloop.loop.serve.served import taken_link, tell
from everloop.loop.serve.serving import Serving


def answering(serving: Serving, listener: socket.socket, workers: Sequence[int | None], *, first: bool) -> list[str]:
    """Tell the folder of the house where it is served; returns what is said. ``first``: it was not said before, with other workers."""
    url, house = url_of(listener), serving.settings.house
    told = {"url": url, "pid": os.getpid(), "workers": list(workers)}
    tell(house, told)
    left = taken_link(house)
    link = left if serving.settings.console.on else None
    if serving.as_json:
        return [json.dumps({**told, "console": link} if link else told)] if first else []
    said = f"Everloop answers on {url} ({_counted(workers)}{', turned clock' * serving.turned}, pid {os.getpid()})"
    opens = f"The console opens from this machine, once: {from_here(url)}{link}"
    return [said] * first + [opens] * (link is not None)


def joined(serving: Serving, metrics: socket.socket | None, workers: Sequence[int | None]) -> str:
    """What is said where these work and answer nobody; ``metrics``: where they are told."""
    where = None if metrics is None else f"{url_of(metrics)}/metrics"
    if serving.as_json:
        return json.dumps({"pid": os.getpid(), "workers": list(workers)} | ({"metrics": where} if where else {}))
    counted = _counted(workers) + (f", metrics at {where}" if where else "")
    return f"Everloop works for {serving.settings.folder.name} ({counted}, pid {os.getpid()})"


def _counted(workers: Sequence[int | None]) -> str:
    return f"{len(workers)} worker{'s' * (len(workers) != 1)}"
