"""Hosts: one house behind each server it can be behind, as its own documentation starts it. In: a project folder. Out: who can be asked.

``uvicorn`` and ``granian`` are ``everloop serve``; ``Ray Serve`` is what ``everloop export rayserve`` writes, run by Ray's command in an
environment of its own; ``Lambda`` is the handler that the files of ``everloop export lambda`` make, called with events.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.peers import ROOT, apart, environment

PATIENCE = 180.0
Ask = Callable[[str, str, bytes, dict[str, str]], tuple[int, bytes]]
"""Asked with a method, a path, a body and headers; what came back: a status and a body."""


@dataclass(frozen=True)
class Host:
    """A house that stands behind a server: its address, the process all others hang on, and the seconds it took until it could answer."""

    url: str
    process: psutil.Process
    seconds: float

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        reply = httpx.request(
            method, f"{self.url}{path}", content=body, headers={"Content-Type": "application/json"} | headers, timeout=120
        )
        return reply.status_code, reply.content

    def resident(self) -> float:
        """MiB that all of it holds, pages shared by several counted once."""
        total = 0.0
        for one in (self.process, *self.process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_full_info().pss
        return total / 2**20

    def processes(self) -> int:
        return 1 + len(self.process.children(recursive=True))


def free_port() -> int:
    """A port nobody listens on at this moment."""
    from bench.serving_rivals import free_port as found

    return found()


@contextmanager
def by_serve(folder: Path, *, server: str = "uvicorn", turned: bool = False) -> Iterator[Host]:
    """``everloop serve`` with one worker."""
    settings = folder / "everloop.toml"
    before = settings.read_text() if settings.exists() else ""
    settings.write_text(f'{before}\n[serving]\nserver = "{server}"\n')
    port = free_port()
    words = ["-m", "everloop", "serve", "--project", str(folder), "--port", str(port), *(["--turned-clock"] if turned else [])]
    with _standing([sys.executable, *words], folder, port, dict(os.environ)) as host:
        yield host


@contextmanager
def by_ray(folder: Path, *, replicas: int = 1, turned: bool = False) -> Iterator[Host]:
    """What ``everloop export rayserve`` writes beside the project, by ``serve run``; it listens on this machine alone."""
    from everloop.connect.cloud.ray_files import write
    from everloop.loop.needs import needs_of

    write(folder, needs_of(folder / "project.py"), replicas=replicas)
    port = free_port()
    config = folder / "serve_config.yaml"
    config.write_text(config.read_text().replace("host: 0.0.0.0", "host: 127.0.0.1").replace("port: 8321", f"port: {port}"))
    if turned:
        app = folder / "serve_app.py"
        app.write_text(app.read_text().replace('stage=""', 'stage="", turned=True'))
    home = folder / "home"
    home.mkdir(exist_ok=True)
    around = apart() | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{folder}", "HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0"}
    around |= {"RAY_memory_monitor_refresh_ms": "0", "RAY_TMPDIR": "/tmp"}
    command = [str(environment("ray").parent / "serve"), "run", "--app-dir", str(folder), "serve_config.yaml"]
    with _standing(command, folder, port, around) as host:
        yield host


@contextmanager
def by_lambda(folder: Path, house: Path | None = None) -> Iterator[Host]:
    """The handler in a process of its own, asked by events: what Lambda's own runtime does, without Lambda."""
    port = free_port()
    words = [str(Path(__file__).with_name("lambda_side.py")), str(folder), str(house or ""), str(port)]
    around = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with _standing([sys.executable, *words], folder, port, around) as host:
        yield host


def in_process(handler: Callable[[Any, Any], dict[str, Any]], event: Callable[[Any], dict[str, Any]], key: str) -> Ask:
    """A Lambda handler of this process, asked by events of one kind with a key."""
    from bench.lambda_events import Asked, body_of

    def ask(method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        reply = handler(event(Asked(method, path, body, {"Authorization": f"Bearer {key}"} | headers)), None)
        return reply["statusCode"], body_of(reply)

    return ask


@contextmanager
def _standing(command: list[str], folder: Path, port: int, around: dict[str, str]) -> Iterator[Host]:
    """Start it, wait until it can answer, and end all of it at the end. Raises RuntimeError with what it said last where it cannot."""
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    with (folder / "said.log").open("w+b") as said:
        process = subprocess.Popen(command, cwd=folder, env=around, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            while not _ready(url):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    said.seek(0)
                    raise RuntimeError(f"{command[:4]} does not answer: {said.read()[-4000:].decode(errors='replace')}")
                time.sleep(0.02)
            yield Host(url, psutil.Process(process.pid), time.perf_counter() - began)
        finally:
            _end(process)


def _ready(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and what it left behind: only what it started itself."""
    left = []
    with suppress(psutil.Error):
        left = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(40)
    for one in left:
        with suppress(psutil.Error):
            one.kill()
    process.kill()
    process.wait()


def answers(ask: Ask, model: str, rows: list[dict[str, Any]], now: str, *, at_once: int = 1_000) -> list[dict[str, Any]]:
    """What a house answers to these requests, asked ``at_once`` at a time. Raises RuntimeError for a reply that is no success."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        body = json.dumps({"requests": some} if at_once > 1 else some[0]).encode()
        status, said = ask("POST", f"/v1/models/{model}/predict", body, {"Everloop-Now": now} if now else {})
        if status != 200:
            raise RuntimeError(f"{status}: {said[:500]!r}")
        reply = json.loads(said)
        found += reply["answers"] if at_once > 1 else [reply]
    return found


def all_kept(folder: Path, rows: int, *, patience: float = 60.0) -> None:
    """Wait until so many answers are in the log of the house in ``folder``: those of shadows are worked out when nobody waits.

    Raises RuntimeError where they do not come.
    """
    from everloop.serving.log import unsealed

    until = time.monotonic() + patience
    while (found := unsealed(folder / "house" / "answers").num_rows) < rows:
        if time.monotonic() > until:
            raise RuntimeError(f"{found} answers of {rows} are in the log of {folder}")
        time.sleep(0.2)
