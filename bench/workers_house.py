"""A house with many workers to measure on: some small models, the processes that work for it, and what its database says of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from everloop.errors import StoreError
from everloop.loop.control.joined import WORKER
from everloop.loop.house import House, open_house
from everloop.registry.errands import Errand, Errands
from everloop.registry.leases import Leases
from everloop.settings import read_settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ROOT = Path(__file__).parent.parent
LONG = 180.0
MODELS = '''

import time


class Slowly:
    """Answers the mean, which takes it a while to learn."""

    def __init__(self, seconds=0.3):
        self.seconds = seconds

    def fit(self, X, y):
        time.sleep(self.seconds)
        self.mean = float(y.mean())
        return self

    def predict(self, X):
        return [self.mean] * len(X)


'''


@dataclass
class Crew:
    """A house and the processes that work for it. ``apart``: each has a folder of its own, as if it were on another machine."""

    folder: Path
    registry: str = ""
    started: dict[int, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.folder / "project.py"

    def environment(self, apart: str = "") -> dict[str, str]:
        home = self.folder / "house"
        urls = {"EVERLOOP_REGISTRY": self.registry or f"sqlite:///{home / 'house.db'}"}
        if apart:
            urls |= {"EVERLOOP_LAKE": str(home / "lake"), "EVERLOOP_EVENTS": f"sqlite:///{home / 'events.db'}"}
        return {**os.environ, **urls, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}

    def house(self) -> House:
        """The house, opened here."""
        settings = read_settings(self.folder, house=self.folder / "house", registry=self.environment()["EVERLOOP_REGISTRY"])
        return open_house(self.project, settings=settings, turned=True)

    def worker(self, *, apart: str = "", log: str = "", what: str = "", when: str = "") -> subprocess.Popen[str]:
        """One more process; with a ``log`` it is one to whom something happens (``workers_process.py``)."""
        home = self.folder / (apart or "house")
        if apart and not home.exists():
            home.mkdir()
            (home / "blobs").symlink_to(self.folder / "house" / "blobs")  # as a bucket would be everybody's
        words = ["-m", "everloop.loop.control.process", "--project", str(self.project), "--house", str(home), "--turned-clock"]
        if log:
            words = ["-m", "bench.workers_process", str(self.project), str(home), str(self.folder / log), *([what, when] if what else [])]
        with (self.folder / f"said-{len(self.started)}.txt").open("w") as said:
            process = subprocess.Popen([sys.executable, *words], stdout=said, stderr=said, env=self.environment(apart), text=True)
        self.started[process.pid] = process
        return process

    def end(self, pid: int) -> None:
        process = self.started.pop(pid)
        process.kill()
        process.wait()

    def close(self) -> None:
        for pid in list(self.started):
            self.end(pid)


@contextmanager
def crew(folder: Path, *, models: int = 1, heavy: int | None = None, child: bool = False, registry: str = "") -> Iterator[Crew]:
    """A shop of so many models of a mean each beside ``demand``, its history in, and nobody working for it yet."""
    from everloop.loop.adopt import adopt
    from everloop.loop.arrivals import ingest_files
    from everloop.loop.start import start_project

    start_project("shop", folder, end=NOW)
    more = "".join(f'm{n} = demand.but("m{n}", learner=Slowly())\n' for n in range(models - 1))
    made = Crew(folder, registry)
    made.project.write_text(made.project.read_text() + MODELS + more)
    settings = folder / "everloop.toml"
    said = settings.read_text() + f"\n[training]\nchild = {str(child).lower()}\n"
    settings.write_text(said + (f"\n[workers]\nheavy = {heavy}\n" if heavy else ""))
    house = made.house()
    ingest_files(house, None, [], now=NOW)
    for model in house.project.models.values():
        adopt(house, model, NOW)
    house.store.close()
    with ExitStack() as held:
        held.callback(made.close)
        yield made


def eventually(what: Callable[[], object], seconds: float = LONG, *, every: float = 0.02) -> float:
    """Wait until it is so; how many seconds that took. Raises AssertionError after ``seconds``."""
    began = time.monotonic()
    while True:
        try:
            if what():
                return time.monotonic() - began
        except StoreError:
            pass
        if time.monotonic() - began > seconds:
            raise AssertionError(f"It did not come about within {seconds:g} s.")
        time.sleep(every)


def pids(house: House) -> set[int]:
    """The processes that work for a house, by what its database says."""
    return {int(lease.holder.rsplit(":", 2)[1]) for lease in Leases(house.store).all() if lease.name.startswith(WORKER)}


def taken(house: House) -> list[Errand]:
    """What is being carried out."""
    return [errand for errand in Errands(house.store).unfinished() if errand.state == "taken"]


def pid_of(errand: Errand) -> int:
    assert errand.holder
    return int(errand.holder.rsplit(":", 2)[1])


def ended(house: House, wanted: list[Errand]) -> bool:
    return all((found := Errands(house.store).find(errand.id)) is not None and found.ended for errand in wanted)
