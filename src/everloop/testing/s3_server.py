"""An S3 server of one's own, for tests and measurements: moto's, in a process of its own on 127.0.0.1, gone at the end.

It keeps everything in memory, and writes on conditions (``If-None-Match``) as AWS does. It can be told to break: from a request on, every
connection is cut without an answer, until it is told to be whole again; what it had kept by then is still there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socket import SHUT_RDWR
from threading import Lock
from typing import Any, Final
from urllib.request import Request, urlopen

from everloop.errors import Missing, StoreError

#: Who asks, as AWS's own variables say it: this server believes anybody.
SURROUNDINGS: Final[Mapping[str, str]] = {
    "AWS_ACCESS_KEY_ID": "everloop", "AWS_SECRET_ACCESS_KEY": "everloop", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip
_HERE: Final = "/.everloop/"


class S3Server:
    """One server; ``endpoint`` is where it is asked."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "everloop.testing.s3_server"]
        found = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])}
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=found)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port.isdigit():
            self.kill()
            raise StoreError("The S3 server for tests did not start.")
        self.endpoint = f"http://127.0.0.1:{port}"

    def bucket(self, name: str) -> str:
        """Make a bucket; its URL."""
        self._ask("PUT", f"/{name}")
        return f"s3://{name}"

    def breaks(self, after: int = 0) -> None:
        """Answer so many more requests, then cut every connection without an answer."""
        self._ask("POST", f"{_HERE}breaks/{after}")

    def mends(self) -> int:
        """Answer again, and as it should; how many requests were cut."""
        return int(self._ask("POST", f"{_HERE}mends/0"))

    def forgets_conditions(self) -> None:
        """Write whatever is to be written, also what was to be written only if nothing is there: a rival that conditions are asked of."""
        self._ask("POST", f"{_HERE}forgets/0")

    def kill(self) -> None:
        """End it at once, as a power cut would; what it kept is gone."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, method: str, path: str) -> str:
        with urlopen(Request(self.endpoint + path, method=method), timeout=30) as said:
            return str(said.read().decode())


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A running server. Raises Missing where moto is not installed."""
    if find_spec("moto") is None or find_spec("flask") is None:
        raise Missing("moto", "test", "An S3 server for tests (pip install 'moto[s3]' flask flask-cors)")
    server = S3Server()
    try:
        yield server
    finally:
        server.kill()


class _Breaking:
    """An application that answers as another does, until it breaks."""

    def __init__(self, whole: Callable[..., Iterable[bytes]]) -> None:
        self._whole, self._lock = whole, Lock()
        self._left: int | None = None
        self._cut, self._forgets = 0, False

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(_HERE):
            what, number = path.removeprefix(_HERE).split("/")
            with self._lock:
                told, self._cut = str(self._cut), 0
                self._left, self._forgets = int(number) if what == "breaks" else None, what == "forgets"
            start("200 OK", [("Content-Type", "text/plain")])
            return [told.encode()]
        with self._lock:
            if self._left == 0:
                self._cut += 1
                cut = True
            else:
                self._left, cut = None if self._left is None else self._left - 1, False
        if cut:
            environ["werkzeug.socket"].shutdown(SHUT_RDWR)
            raise ConnectionAbortedError
        if self._forgets:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        return self._whole(environ, start)


def main() -> None:
    """Say the port, and answer until killed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, _Breaking(DomainDispatcherApplication(create_backend_app)), threaded=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
