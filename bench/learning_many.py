"""Eight thousand products, two horizons: from the event table to quantiles of everybody, in a process of its own. Made-up, seeded."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.goal import Goal, at_most
from everloop import Model, Source, days, every
from everloop.features.as_of import as_of, live
from everloop.lake.place import open_lake
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source
from everloop.registry.blobs import Blobs
from everloop.training.artefact import load
from everloop.training.demand import Demand
from everloop.training.train import train

PRODUCTS, WEEKS, HORIZONS, LEVELS = 8_000, 52, (7, 28), (0.1, 0.5, 0.9)
END: Final = datetime(2026, 10, 26, tzinfo=UTC)

products = Source("products", id="product_id", columns={"category": str})
lines = Source("lines", id="line_id", time="ordered_at", of=products, columns={"product_id": str, "quantity": int})


def model_of(ahead: int) -> Model:
    """Units of the next ``ahead`` days."""
    week, fortnight, month, usual = lines.total("quantity", last=[days(7), days(14), days(28), days(56)])
    alike, alike_usual = lines.total("quantity", last=[days(7), days(56)], per="category")
    return Model(
        f"demand_{ahead}",
        predicts=lines.total("quantity", next=days(ahead)),
        per="product_id",
        asked=every(days(7), at="00:00", zone="UTC"),
        knows=[
            usual.named("usual"),
            (week / usual).named("week"),
            (fortnight / usual).named("fortnight"),
            (month / usual).named("month"),
            (alike / alike_usual).named("category_week"),
            lines.count(last=[days(7), days(56)]),
            lines.latest("ordered_at"),
        ],
        learner={level: Demand(level, ahead_days=ahead) for level in LEVELS},
        learns_from=days(7 * 40),
        holdout=timedelta(days=6),
    )


def made_up(seed: int = 0) -> dict[str, pa.Table]:
    """A year of orders: sizes from one in a month to a hundred a week, three in ten products sell hardly anything."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0.7, 1.4, PRODUCTS))
    orders = rng.poisson(size[:, None] * rng.gamma(4, 1 / 4, (PRODUCTS, WEEKS)))
    whose, week = np.nonzero(orders)
    counts = np.minimum(orders[whose, week], 7)
    rows = np.repeat(np.arange(len(whose)), counts)
    units = np.repeat(orders[whose, week] // counts, counts)
    begin = int((END - timedelta(days=7 * WEEKS)).timestamp()) * 1_000_000
    at = begin + (np.repeat(week, counts) * 7 * 86_400 + rng.integers(0, 7 * 86_400, len(rows))) * 1_000_000
    order = np.argsort(at, kind="stable")
    names = np.array([f"p{n}" for n in range(PRODUCTS)])
    return {
        "products": pa.table({"product_id": names, "category": [f"c{n % 200}" for n in range(PRODUCTS)]}),
        "lines": pa.table(
            {
                "line_id": [f"l{n}" for n in range(len(rows))],
                "ordered_at": pa.array(at[order], pa.timestamp("us", "UTC")),
                "product_id": names[whose[rows]][order],
                "quantity": units[order].astype(np.int64),
            }
        ),
    }


def whole() -> dict[str, float]:
    """Both horizons, from the event tables to everybody's quantiles; seconds, rows and products."""
    with tempfile.TemporaryDirectory() as folder:
        lake, blobs = open_lake(Path(folder) / "lake", durability="process"), Blobs(Path(folder))
        for source, rows in zip((products, lines), made_up().values(), strict=True):
            receive(lake, source, rows, now=END, known_after=timedelta(0))
        events = {source.name: read_source(lake, source) for source in (products, lines)}
        began, rows_learnt, answered = time.perf_counter(), 0, 0
        for ahead in HORIZONS:
            model = model_of(ahead)
            made = as_of(model, events, now=END, id="many", save=blobs.save)
            table = pq.read_table(pa.BufferReader(blobs.read(made.body)))
            candidate = train(model, table, made, seed=0, id="many", now=END, save=blobs.save)
            answers = load(candidate, blobs.read).answer(live(model, events, moment=END))
            rows_learnt += candidate.rows
            answered += int(np.isfinite(answers.value).sum())
        return {"seconds": time.perf_counter() - began, "rows": rows_learnt, "answered": answered, "events": len(events["lines"])}


def many() -> Iterator[Goal]:
    """What it takes, in a process that does nothing else."""
    command = [sys.executable, "-m", "bench.learning_many"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    beside = f"{said['events']:,.0f} order lines, {said['rows']:,.0f} rows learnt from, {said['answered']:,.0f} answers of three quantiles"
    yield at_most("8,000 products, two horizons, learnt and foretold", said["seconds"], 60.0, "s", beside)
    yield at_most(
        "8,000 products, two horizons, peak memory", said["megabytes"] / 1024, 2.0, "GB", "making up and taking in the year included"
    )


if __name__ == "__main__":
    found = whole()
    print(json.dumps(found | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
