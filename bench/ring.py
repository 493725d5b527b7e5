"""The figures of the ring: how well the demo's models do, how fast rows come in and training sets are made, what an import costs, and
what sixty kills leave behind. Whole processes are measured in CPU seconds; nothing is a timed test."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bench.goal import Goal, at_least, at_most
from bench.kills import sixty_kills

ROOT = Path(__file__).parent.parent


def measure() -> Iterator[Goal]:
    yield from quality()
    yield from speed()
    yield from weight()
    yield from sixty_kills()


def quality() -> Iterator[Goal]:
    """How well the demo's two models do, beside the floors."""
    from everloop.demo.quality import churn_quality, demand_quality

    demand = demand_quality()
    floors = f"8-week mean {demand.floors['8-week mean']:.4f}, last week {demand.floors['last week']:.4f}"
    yield at_most("demand, one step ahead, weeks 49-52", demand.value, 0.447, "WAPE", floors)
    churn = churn_quality()
    yield at_least("churn, 15 November", churn.value, 0.851, "AUC", f"recency alone {churn.floors['recency alone']:.4f}")


def speed() -> Iterator[Goal]:
    """Rows in, and the training set of a year."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from everloop.demo.quality import END
    from everloop.demo.shop import load
    from everloop.loop.arrivals import ingest_files
    from everloop.loop.house import open_house
    from everloop.loop.steps import training_table

    shop = load()
    project = ROOT / "src" / "everloop" / "demo" / "project.py"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.parquet"
        pq.write_table(shop.lines, path)
        house = open_house(project, folder=Path(folder) / "house")
        began = time.perf_counter()
        received = ingest_files(house, "lines", [path], now=END, known_after=timedelta(0))
        took = time.perf_counter() - began
        yield at_least(
            "bulk ingest of order lines", received[0].kept / took, 100_000, "rows/s", f"{received[0].kept:,} rows in {took:.1f} s"
        )
        products = Path(folder) / "products.parquet"
        pq.write_table(pa.table(shop.products), products)
        ingest_files(house, "products", [products], now=END)
        began, cpu = time.perf_counter(), time.process_time()
        # The project learns from 140 days; the goal is the whole year.
        year = house.project.model("demand").but("demand", learns_from=None)
        rows = training_table(house, year, END).num_rows
        spent = f"{rows:,} questions, {time.process_time() - cpu:.1f} CPU s"
        yield at_most("training set of demand over the year", time.perf_counter() - began, 20.0, "s", spent)


def weight() -> Iterator[Goal]:
    """What it costs to import, to ask for help, and to install."""
    yield at_most("import everloop", median(cpu_seconds([sys.executable, "-c", "import everloop"]) for _ in range(7)), 0.25, "CPU s")
    helped = median(cpu_seconds([sys.executable, "-m", "everloop", "--help"]) for _ in range(7))
    yield at_most("everloop --help", helped, 0.30, "CPU s")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        requirements = ROOT / "requirements" / "core.txt"
        subprocess.run([*pip, "install", "--quiet", "--require-hashes", "-r", str(requirements)], check=True)
        subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", str(ROOT)], check=True)
        names = json.loads(subprocess.run([*pip, "list", "--format", "json"], check=True, capture_output=True, text=True).stdout)
        # What the package itself brings: neither pip nor what builds it.
        build = {"pip", "setuptools", "hatchling", "editables", "trove_classifiers", "pathspec", "pluggy", "tomlkit", "packaging"}
        found = [n["name"] for n in names if n["name"].replace("-", "_") not in build]
        yield at_most("core install", len(found), 80, "packages")
        site = next(Path(folder).glob("lib/python*/site-packages"))
        theirs = [p for p in site.iterdir() if p.name.split("-")[0].split(".")[0] not in {*build, "_distutils_hack", "pkg_resources"}]
        used = subprocess.run(["du", "-scm", *map(str, theirs)], check=True, capture_output=True, text=True).stdout
        yield at_most("core install", float(used.splitlines()[-1].split()[0]), 750, "MB")


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds (user and system) of a whole process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(values: Iterator[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
