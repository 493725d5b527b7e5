"""Clusters of Ray and Dask of one's own, for tests and measurements: real ones, of several nodes on loopback, gone at the end.

In: how many nodes. Out: a URL, and a way to kill a node as a power cut would. Starts processes and ends those, by their groups.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from everloop.errors import EverloopError, Missing

START_SECONDS = 90.0
STORE = 150_000_000
"""Bytes of a Ray node's own memory for objects."""


@dataclass
class Cluster:
    """Nodes, the first of which is the head; ``environment`` is what whoever joins has to have in its own, too."""

    url: str
    environment: Mapping[str, str]
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kill(self, node: int) -> None:
        """End a node at once, with every process of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.nodes[node].pid, signal.SIGKILL)
        self.nodes[node].wait()

    def end(self) -> None:
        """End every node."""
        for node in reversed(range(len(self.nodes))):
            self.kill(node)


@contextmanager
def ray_cluster(nodes: int = 2, cores: int = 1) -> Iterator[Cluster]:
    """A cluster of Ray: its head on 127.0.0.2, each other node on the next address, with so many cores each, and a token to join by.

    Raises Missing without ray, EverloopError where it does not come up.
    """
    if find_spec("ray") is None:
        raise Missing("ray", "ray", "A cluster of Ray for tests")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    head, port = "127.0.0.2", _free("127.0.0.2")
    cluster = Cluster(f"ray+node://{head}:{port}", token | quiet)
    # Ray puts sockets there, whose paths are a hundred characters at most.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        try:
            for node in range(nodes):
                where = [f"--node-ip-address=127.0.0.{2 + node}", f"--num-cpus={cores}", f"--object-store-memory={STORE}", "--block"]
                others = [f"--address={head}:{port}"]
                first = ["--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"]
                ports = [f"--min-worker-port={21_000 + 1_000 * node}", f"--max-worker-port={21_999 + 1_000 * node}"]
                words = ["-m", "ray.scripts.scripts", "start", *(others if node else first), *where, *ports]
                cluster.nodes.append(_started(words, cluster.environment, Path(folder) / f"node-{node}.log"))
                if not node:
                    _answering(head, port, cluster.nodes[0], Path(folder) / "node-0.log")
            yield cluster
        finally:
            cluster.end()


@contextmanager
def dask_cluster(workers: int = 2) -> Iterator[Cluster]:
    """A scheduler of Dask (node 0) and so many workers of one thread, each with a nanny that starts it again.

    Raises Missing without distributed, EverloopError where it does not come up.
    """
    if find_spec("distributed") is None:
        raise Missing("distributed", "dask", "A cluster of Dask for tests")
    port = _free("127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    cluster = Cluster(f"dask://127.0.0.1:{port}", {})
    with tempfile.TemporaryDirectory(prefix="dask-", ignore_cleanup_errors=True) as folder:
        try:
            log = Path(folder) / "scheduler.log"
            words = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
            cluster.nodes.append(_started(words, {}, log))
            _answering("127.0.0.1", port, cluster.nodes[0], log)
            for worker in range(workers):
                words = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", folder]
                words += ["--host", "127.0.0.1", "--name", f"worker-{worker}"]
                cluster.nodes.append(_started(words, {}, Path(folder) / f"worker-{worker}.log"))
            yield cluster
        finally:
            cluster.end()


def _started(words: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment}
    with log.open("wb") as out:
        return subprocess.Popen([sys.executable, *words], env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def _answering(host: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > until:
            raise EverloopError(f"The cluster at {host}:{port} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _free(host: str) -> int:
    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])
