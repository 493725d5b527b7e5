"""A lake of 100 million events on two cores: a training set out of core, what each tenfold costs, and what is asked of Redis in a batch.

Every piece is kept below ``.tools/big``: what was killed goes on where it stopped, and what is measured already is not measured again. A
training is a process of its own; its memory is that of it and all its children together, looked at five times a second.
``python -m bench.workers_big write ROWS`` makes a lake, ``… learn ROWS`` learns from it.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import pyarrow as pa

from bench import features_data as data
from bench.goal import Goal, at_least, at_most
from bench.monitor_truth import join
from bench.peers import ROOT
from everloop import Model, Source, days, every
from everloop.clock import from_microseconds
from everloop.lake.delta import DeltaTables
from everloop.project.reading import Reading

FOLDER: Final = ROOT / ".tools" / "big"
PLOT: Final = ROOT / "bench" / "results" / "workers_big.svg"
SIZES: Final = (1_000_000, 10_000_000, 100_000_000)
TABLE: Final = "events/sales"
#: Rows of one commit; one training row, and one customer, for so many events.
PIECE: Final = 1_000_000
EACH: Final = 100
WORKERS: Final = 2

sales = Source("sales", id="sale_id", time="at", late=days(40), columns={"customer_id": str, "amount": int, "weight": float, "sku": str})
READINGS: Final[list[Reading]] = [
    reading
    for last in (days(7), days(28))
    for reading in (
        sales.total("amount", last=last), sales.count(last=last), sales.mean("weight", last=last), sales.highest("amount", last=last),
        sales.distinct("sku", last=last), sales.latest("amount", last=last),
    )
]  # fmt: skip
model = Model(
    "spending",
    predicts=sales.total("amount", next=days(7)),
    per="customer_id",
    asked=every(days(1)),
    knows=READINGS,
    learner=data.Learner(),
)
NOW: Final = from_microseconds(data.START + data.SPAN) + timedelta(days=1)


# -- the lake ---------------------------------------------------------------------------------------------------------------------------


def piece(number: int, rows: int) -> pa.Table:
    """The events of one commit of a lake of so many, in the order they became known: of a hundred two are late by up to forty days, one
    corrects another of the same commit, and of a thousand two take one back."""
    rng, count = np.random.default_rng((7, rows, number)), min(PIECE, rows)
    slot = data.SPAN // (rows // count)
    known = np.sort(data.START + number * slot + rng.integers(0, slot, count))
    at = np.where(rng.random(count) < 0.02, known - rng.integers(1, 40 * data.DAY, count), known)
    row, version, deleted = np.arange(count, dtype=np.int64), np.zeros(count, np.int64), np.zeros(count, bool)
    again = np.flatnonzero(rng.random(count) < 0.012)[1:]
    first = (again * rng.random(len(again))).astype(np.int64)
    again, first = again[~np.isin(first, again)], first[~np.isin(first, again)]
    row[again], at[again], version[again] = first, at[first], again
    deleted[again] = rng.random(len(again)) < 1 / 6
    customer = rng.integers(0, rows // EACH, count)[row]
    ids = pa.array(np.char.add("p", (row + number * count).astype(str)))
    skus = pa.array(np.char.add("s", np.arange(50).astype(str)))
    return pa.table(
        {
            "seq": number * count + np.arange(1, count + 1), "id": ids, "version": version, "event_at": at, "known_at": known,
            "deleted": deleted, "sale_id": ids, "at": at, "customer_id": pa.array(np.char.add("c", customer.astype(str))),
            "amount": rng.integers(-500, 100_000, count), "weight": np.round(rng.lognormal(0, 1, count), 3),
            "sku": skus.take(pa.array(rng.integers(0, 50, count))),
        }
    )  # fmt: skip


def lake(rows: int) -> Path:
    """Where the lake of so many events lies."""
    return FOLDER / str(rows)


def write(rows: int) -> None:
    """Make the lake, or go on with it: a piece that is there is not made again."""
    tables, pieces = DeltaTables(str(lake(rows))), rows // min(PIECE, rows)
    for number in range(tables.marker(TABLE, "piece"), pieces):
        tables.append_once(TABLE, piece(number, rows), marker="piece", seq=number + 1)
    assert tables.rows(TABLE) == rows


# -- learning ---------------------------------------------------------------------------------------------------------------------------


def learn(rows: int) -> dict[str, Any]:
    """The training set of a lake, one row for a hundred events, put together as a house does where memory does not hold it."""
    from everloop.features.cut import cut_into_files, cut_of
    from everloop.features.parts import as_of_parts
    from everloop.lake.shape import event_schema
    from everloop.loop.training_sets import OF_A_FILE
    from everloop.training.processes import Processes

    tables, schema, bodies = DeltaTables(str(lake(rows))), event_schema(sales), list[bytes]()
    cut = cut_of(model, -(-rows // OF_A_FILE))
    assert cut is not None
    assert cut.sources == {"sales"}

    def events() -> pa.RecordBatchReader:
        pieces = tables.pieces(TABLE, schema=schema)
        return pa.RecordBatchReader.from_batches(schema, (batch for table in pieces for batch in table.to_batches()))

    folder = FOLDER / f"{rows}-parts"
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    found = cut_into_files(model, cut, {"sales": events}, folder, schemas={"sales": schema})
    took, mapped = time.perf_counter() - began, Processes(workers=WORKERS).map
    wanted = rows // EACH * 9 // 4  # of the last 47 days no truth is mature
    made = as_of_parts(
        model, cut, found, mapped=mapped, now=NOW, id="big", save=lambda body: bodies.append(body) or "", max_questions=wanted
    )
    shutil.rmtree(folder, ignore_errors=True)
    return {"rows": made.rows, "columns": len(made.columns), "cutting": took, "parts": cut.count, "bytes": len(bodies[0])}


def watched(*words: str) -> dict[str, Any]:
    """What a process says in the end; with its seconds, those of the processor, and the most memory it and all its children had at once."""
    began, most, cpu = time.perf_counter(), 0, dict[tuple[int, float], float]()
    with subprocess.Popen([sys.executable, "-m", "bench.workers_big", *words], stdout=subprocess.PIPE, text=True) as run:
        root = psutil.Process(run.pid)
        while run.poll() is None:
            held = 0
            for one in [root, *_children(root)]:
                try:
                    # What several processes share is counted once.
                    held += one.memory_full_info().pss
                    times = one.cpu_times()
                    cpu[one.pid, one.create_time()] = times.user + times.system
                except psutil.Error:
                    continue
            most = max(most, held)
            time.sleep(0.2)
        seconds = time.perf_counter() - began
        assert run.stdout is not None
        lines = run.stdout.read().splitlines()
    if run.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {run.returncode}.")
    said: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return said | {"seconds": seconds, "cpu": sum(cpu.values()), "gib": most / 2**30, "load": os.getloadavg()[0]}


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []


def measured(rows: int) -> dict[str, Any]:
    """What learning from so many events took; measured once, and kept."""
    kept = FOLDER / f"{rows}.json"
    if not kept.exists():
        watched("write", str(rows))
        found = watched("learn", str(rows))
        kept.write_text(json.dumps(found))
    said: dict[str, Any] = json.loads(kept.read_text())
    return said


def big(sizes: tuple[int, ...] = SIZES) -> Iterator[Goal]:
    """Training sets of a million, ten million and a hundred million events."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = {rows: measured(rows) for rows in sizes}
    _plotted(found)
    of = found[sizes[-1]]
    said = ", ".join(
        f"{rows / 1e6:g}M {one['seconds']:.0f} s ({one['cpu']:.0f} CPU s, {one['gib']:.1f} GiB)" for rows, one in found.items()
    )
    beside = f"{of['rows']:,} rows of {of['columns']} columns in {of['parts']} parts, {of['cutting']:.0f} s of it cutting; {said}"
    yield at_least("training rows of 100M events", of["rows"], 1_000_000, "rows", beside)
    yield at_most("a training set of 1M rows of 100M events", of["seconds"], 600, "s", f"load {of['load']:.1f} in the end")
    yield at_most("a training set of 100M events: memory at most", of["gib"], 8, "GiB", "all its processes together")
    yield at_most(
        "CPU of 100M events over that of 1M, by n log n",
        _growth(found, sizes[0], sizes[-1]),
        1,
        "times",
        f"100 x log 100M / log 1M is 1; {said}",
    )
    yield at_most("CPU of 10M events over that of 1M, by n log n", _growth(found, sizes[0], sizes[1]), 1, "times")


def _growth(found: Mapping[int, dict[str, Any]], small: int, large: int) -> float:
    """How much more a larger lake costs, over what n log n would make it."""
    told = large * math.log(large) / (small * math.log(small))
    return float(found[large]["cpu"] / found[small]["cpu"] / told)


def _plotted(found: Mapping[int, dict[str, Any]]) -> None:
    """Both axes by powers of ten: what was measured, and n log n through the first."""
    wide, high, left, floor = 720.0, 420.0, 90.0, 360.0
    first, last = min(found), max(found)
    costs = {rows: one["cpu"] for rows, one in found.items()}
    bound = {rows: costs[first] * rows * math.log(rows) / (first * math.log(first)) for rows in found}
    low, top = math.floor(math.log10(min(costs.values()))), math.ceil(math.log10(max(*costs.values(), *bound.values())))

    def x(rows: int) -> float:
        return left + (wide - left - 40) * (math.log10(rows) - math.log10(first)) / max(1.0, math.log10(last) - math.log10(first))

    def y(cpu: float) -> float:
        return floor - (floor - 40) * (math.log10(cpu) - low) / (top - low)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" font-family="sans-serif" font-size="15" fill="#333">'
    ]
    lines.append('<title>CPU seconds of a training set, by events in the lake</title><rect width="100%" height="100%" fill="#fff"/>')
    for power in range(low, top + 1):
        lines.append(f'<path d="M{left} {y(10**power):.1f}H{wide - 40}" stroke="#ddd"/>')
        lines.append(f'<text x="{left - 10}" y="{y(10**power) + 5:.1f}" text-anchor="end">{10**power:,g} CPU s</text>')
    for rows, cpu in costs.items():
        lines.append(f'<text x="{x(rows):.1f}" y="{floor + 26}" text-anchor="middle">{rows / 1e6:g}M events</text>')
        lines.append(f'<text x="{x(rows):.1f}" y="{y(cpu) + 24:.1f}" text-anchor="middle">{cpu:,.0f}</text>')
        lines.append(f'<circle cx="{x(rows):.1f}" cy="{y(cpu):.1f}" r="5" fill="#0b6"/>')
    for values, how in ((bound, 'stroke="#999" stroke-dasharray="6 5"'), (costs, 'stroke="#0b6" stroke-width="2"')):
        path = " ".join(f"{x(rows):.1f},{y(value):.1f}" for rows, value in values.items())
        lines.append(f'<polyline points="{path}" fill="none" {how}/>')
    lines.append(f'<text x="{left + 8}" y="30">dashed: n log n through the first; green: measured</text></svg>')
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text("\n".join(lines) + "\n")


# -- online -----------------------------------------------------------------------------------------------------------------------------

CUSTOMERS: Final = 10_000
ASKED: Final = 100
RUNS: Final = 2_000


def redis_batch() -> Iterator[Goal]:
    """A hundred customers at once, fifty features of each, from a Redis or Valkey server of our own."""
    from bench.features_reads import NOW as ASKED_AT
    from bench.features_reads import asked, windows
    from everloop.connect.redis import RedisTiles
    from everloop.features.online import Online, catch_up
    from everloop.features.states import states_of
    from everloop.testing.redis_server import redis_server

    readings = windows()
    of = asked(readings)
    with redis_server() as server:
        store = RedisTiles(server.url, house="big")
        catch_up(store, states_of(of, readings), {"purchases": data.events(CUSTOMERS, rows=200_000, clean=True)})
        online, rng, took = Online(of, readings), random.Random(1), list[float]()
        for run in range(RUNS + 50):
            rows = [{"customer_id": f"c{rng.randrange(CUSTOMERS)}"} for _ in range(ASKED)]
            began = time.perf_counter()
            found = online.read(store, rows, ASKED_AT + run)
            if run >= 50:
                took.append((time.perf_counter() - began) * 1e3)
            assert len(found.values) == ASKED
        store.close()
    p50, p99 = np.percentile(took, [50, 99])
    beside = f"p50 {p50:.2f} ms; {len(readings)} features in windows, {RUNS:,} batches, load {os.getloadavg()[0]:.1f}"
    yield at_most("features of 100 keys from Redis, p99", float(p99), 5, "ms", beside)


def joined() -> Iterator[Goal]:
    """Ten million predictions and ten million truths: the measurement of ``bench monitor join``."""
    yield from join()


if __name__ == "__main__":
    verb, count = sys.argv[1], int(sys.argv[2])
    print(json.dumps(write(count) or {} if verb == "write" else learn(count)))
