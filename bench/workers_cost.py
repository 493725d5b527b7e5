"""What it costs to be ready for many workers where there is one: the steps of a turn, an import, an install."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from sqlalchemy import Connection

from bench.goal import Goal, at_most
from bench.ring import cpu_seconds, median
from bench.workers_house import NOW, ROOT, crew
from everloop.loop.control.errands import ask
from everloop.loop.house import House, fenced
from everloop.loop.keep import Step
from everloop.records import Snapshot
from everloop.registry.claims import Claims

FOREIGN = ("ray", "apache-airflow", "kfp", "dvc", "distributed")
ENGINE = ("dbos", "sqlalchemy", "alembic")


def overhead() -> Iterator[Goal]:
    """Ten steps that do nothing, import, help, and what the core weighs."""
    with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop") as house:
        opened = house.house()
        errand = ask(opened, "turn", "demand", NOW)
        with opened.store.transaction() as t:
            [claim] = Claims(opened.store).take(t, "a worker", most=1)
        assert claim.id == errand.id
        by_hand = ten_steps(opened, 1)
        worker = ten_steps(fenced(opened, lambda t: _claimed(opened, t, claim), "a worker"), 20)
        opened.store.close()
    yield at_most(
        "a turn of ten steps that do nothing, by a worker", worker, 100, "ms", f"by hand {by_hand:.3g} ms; medians of 9, each step synced"
    )
    imported = median(cpu_seconds([sys.executable, "-c", "import everloop"]) for _ in range(7))
    yield at_most("workers: import everloop", imported, 0.3, "CPU s")
    helped = median(cpu_seconds([sys.executable, "-m", "everloop", "--help"]) for _ in range(7))
    yield at_most("workers: everloop --help", helped, 0.5, "CPU s")
    script = "import sys, everloop, everloop.cli; print('dbos' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip() == "True"
    yield at_most("workers: times dbos is loaded by the command line", float(loaded), 0, "times")
    names = core()
    sizes = {name: weighed(name) for name in names}
    engine = sum(sizes.get(name, 0.0) for name in ENGINE)
    most = ", ".join(f"{name} {size:.0f}" for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:6])
    yield at_most(
        "workers: the core as installed",
        sum(sizes.values()),
        150,
        "MiB",
        f"{len(names)} packages; {most}; {', '.join(ENGINE)} {engine:.0f}",
    )
    yield at_most("workers: engines in the core", sum(name in names for name in FOREIGN), 0, "packages", ", ".join(FOREIGN))


def _claimed(house: House, t: Connection, claim: object) -> None:
    Claims(house.store).check(t, claim)  # type: ignore[arg-type]


def ten_steps(house: House, first: int) -> float:
    """Milliseconds that ten steps which do nothing take, each kept in a transaction of its own; the turn's opening and end included."""

    def verb(number: int) -> Callable[[Step], Snapshot]:
        def step(step: Step) -> Snapshot:
            return Snapshot(id=step.id, made_at=step.now, extents=())

        step.__name__ = f"nothing {number}"
        return step

    took = []
    for day in range(first, first + 9):
        began = time.perf_counter()
        with house.keeping(house.project.model("demand"), NOW + timedelta(days=day), "bench") as keep:
            for number in range(10):
                keep(verb(number))
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def core() -> list[str]:
    """The packages that ``pip install everloop`` brings, as they are locked."""
    text = (ROOT / "requirements" / "core.txt").read_text()
    return sorted({match[1].lower() for match in re.finditer(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)})


def weighed(name: str) -> float:
    """MiB of the files of an installed package; compiled Python is not among what it brings."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return 0.0  # for another system
    return sum(path.stat().st_size for f in files if (path := Path(str(f.locate()))).is_file() and path.suffix != ".pyc") / 2**20
