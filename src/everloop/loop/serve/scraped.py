"""A door for Prometheus on a machine where nobody answers: a process that tells what those beside it use, and how the house stands.

Those who answer tell the same at their own ``/metrics``. In: a socket that listens. Out: Prometheus text, until told to end.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from everloop.errors import EverloopError
from everloop.loop.serve.supervised import Told, supervised

PATH = "/metrics"
LONGEST = 10.0
"""Seconds that somebody may take to ask."""


def address(said: str) -> tuple[str, int]:
    """``HOST:PORT``, or a port of this machine alone.

    >>> address("9100"), address("0.0.0.0:9100"), address("[::1]:9100")
    (('127.0.0.1', 9100), ('0.0.0.0', 9100), ('::1', 9100))

    Raises EverloopError.
    """
    host, _, port = said.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise EverloopError(f"{said} is no address for metrics. Say --metrics 9100, or --metrics 0.0.0.0:9100")
    return host.strip("[]") or "127.0.0.1", int(port)


def scraped(told: Told) -> None:
    """Tell whoever asks, until told to end."""
    from everloop.settings import read_settings

    assert told.socket is not None, "metrics are told on a socket that was given: everloop worker --metrics"
    folder = read_settings(told.project.parent, stage=told.stage, house=told.house).house / "metrics"
    with socket.socket(fileno=told.socket) as listener:
        door = type("Door", (_Door,), {"folder": folder})
        server = ThreadingHTTPServer(listener.getsockname()[:2], door, bind_and_activate=False)
        server.socket.close()
        server.socket, server.daemon_threads = listener, True
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not from the thread that serves: it would wait for itself.
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
        told.say_ready()
        server.serve_forever()


class _Door(BaseHTTPRequestHandler):
    """One question."""

    folder: Path
    timeout = LONGEST

    def do_GET(self) -> None:
        from everloop.serving.verbs.operating import PROMETHEUS

        known = self.path.partition("?")[0] == PATH
        body = text(self.folder).encode() if known else b"Only /metrics is told here.\n"
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", PROMETHEUS if known else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody is told of who asks."""


def text(folder: Path) -> str:
    """What is told: what all who answered counted, the gauges of the house, and what the processes of this machine use."""
    from everloop.loop.serve.processes import beside
    from everloop.serving.metrics import Metrics

    return Metrics.text(folder, beside(os.getppid(), folder))


if __name__ == "__main__":
    sys.exit(supervised("scraped", scraped))
