"""Who plays the year: hands in the same process, or hands that only reach the house from outside, by HTTP and by the terminal.

The story is the same in both; that its decisions are the same is a test. Over HTTP no hand touches a store of the house except to read.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from everloop import lake
from everloop.errors import EverloopError
from everloop.loop.answers import answer_due
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import House
from everloop.loop.people import admit_file, answer_question
from everloop.loop.resume import go_round
from everloop.records import Decision, Verdict

PATIENCE = 600.0  # seconds; a turn may train
ANALYST, CONVINCED = "the analyst", "the evidence convinces"
DIRECTOR, SHELVES = "the sales director", "we want full shelves"


class Hands(Protocol):
    """What somebody who runs a shop does with a house."""

    def deliver(self, source: str, rows: pa.Table, now: datetime) -> None:
        """Rows arrive, known as they happened."""

    def turn(self, model: str, now: datetime, *, retrain: bool = False) -> Decision:
        """Once round the ring."""

    def say_yes(self, model: str, now: datetime) -> None:
        """Somebody agrees to what the model waits for."""

    def score(self, model: str, now: datetime) -> None:
        """Every question that has come due is answered."""

    def withdraw(self, source: str, number: int, now: datetime) -> None:
        """A delivery is taken back."""

    def force(self, model: str, file: Path, now: datetime) -> Verdict:
        """A model from outside is let in past the gate."""


@dataclass(frozen=True)
class Inside:
    """Everything in this process."""

    house: House

    def deliver(self, source: str, rows: pa.Table, now: datetime) -> None:
        with as_file(source, rows, now) as path:
            ingest_files(self.house, source, [path], now=now, known_after=timedelta(0))

    def turn(self, model: str, now: datetime, *, retrain: bool = False) -> Decision:
        return go_round(self.house, self.house.project.model(model), now, "demand" if retrain else "schedule")

    def say_yes(self, model: str, now: datetime) -> None:
        answer_question(self.house, self.house.project.model(model), True, by=ANALYST, reason=CONVINCED, now=now)

    def score(self, model: str, now: datetime) -> None:
        answer_due(self.house, self.house.project.model(model), now)

    def withdraw(self, source: str, number: int, now: datetime) -> None:
        lake.withdraw(self.house.lake, self.house.project.source(source), number, now=now)

    def force(self, model: str, file: Path, now: datetime) -> Verdict:
        declared = self.house.project.model(model)
        return admit_file(self.house, declared, file, now, override=True, trust=True, by=DIRECTOR, reason=SHELVES)


@dataclass(frozen=True)
class Outside:
    """Everything over HTTP, and files by the terminal; ``house`` is only read."""

    house: House
    client: httpx.Client

    def deliver(self, source: str, rows: pa.Table, now: datetime) -> None:
        if rows.num_rows > 100_000:  # history is what ingest is for
            with as_file(source, rows, now) as path:
                self._terminal("ingest", source, str(path), "--known-after", "0", "--now", _said(now))
            return
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        self._post(f"events/{source}?known_after=0", now, sink.getvalue(), "application/vnd.apache.arrow.stream")

    def turn(self, model: str, now: datetime, *, retrain: bool = False) -> Decision:
        [turned] = self._post("turn", now, {"model": model, "retrain": retrain})["turns"]
        decision = self.house.journal.get(turned["decision"])
        assert isinstance(decision, Decision)
        return decision

    def say_yes(self, model: str, now: datetime) -> None:
        self._post(f"models/{model}/approve", now, {"by": ANALYST, "reason": CONVINCED})

    def score(self, model: str, now: datetime) -> None:
        self._post("score", now, {"model": model})

    def withdraw(self, source: str, number: int, now: datetime) -> None:
        self._terminal("withdraw", source, str(number), "--now", _said(now))

    def force(self, model: str, file: Path, now: datetime) -> Verdict:
        # A pickle comes from a file of this machine, by name and with a reason; never from a request.
        words = ("--override", "--trust", "--by", DIRECTOR, "--reason", SHELVES, "--now", _said(now))
        self._terminal("admit", str(file), "--model", model, *words)
        return next(
            e.record
            for e in self.house.journal.read(kind="Verdict", model=model, newest_first=True)
            if isinstance(e.record, Verdict) and e.record.by
        )

    def _post(self, path: str, now: datetime, body: object, kind: str = "application/json") -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = self.client.post(f"/v1/{path}", content=content, headers={"Content-Type": kind, "Everloop-Now": _said(now)})
        if said.status_code >= 400:
            raise EverloopError(f"POST /v1/{path} at {_said(now)}: {said.status_code} {said.text}")
        return said.json()

    def _terminal(self, *words: str) -> None:
        where = ("--project", str(self.house.project.path), "--house", str(self.house.settings.house))
        done = subprocess.run([sys.executable, "-m", "everloop", *words, *where], capture_output=True, text=True, check=False)
        if done.returncode > 1:
            raise EverloopError(f"everloop {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def outside(house: House) -> Iterator[Outside]:
    """``everloop run`` on a turned clock for this house, in processes of its own, and hands that reach it."""
    assert house.project.path is not None
    with (
        started("run", house.project.path, house.settings.house, "--turned-clock") as (url, _),
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
    ):
        yield Outside(house, client)


@contextmanager
def started(verb: str, project: Path, house: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``everloop run`` or ``everloop serve`` on any free port, from when it is ready to the end: its address, and the supervising process.

    What it says on stderr goes into ``run.log`` of the house. Raises EverloopError where it ends at once.
    """
    where = ["--project", str(project), "--house", str(house), "--port", "0"]
    command = [sys.executable, "-m", "everloop", verb, *where, "--json", *words]
    house.mkdir(parents=True, exist_ok=True)
    log = house / "run.log"
    with log.open("a") as errors:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        if not line:
            raise EverloopError(f"everloop {verb} ended at once: {log.read_text()[-2000:]}")
        yield json.loads(line)["url"], running
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        if running.stdout is not None:
            running.stdout.close()


@contextmanager
def as_file(source: str, rows: pa.Table, now: datetime) -> Iterator[Path]:
    """Rows as a file, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{source}-{now:%Y-%m-%d-%H}.parquet"
        pq.write_table(rows, path)
        yield path


def _said(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"
