"""What training sets cost: the point-in-time lookup beside a raw ASOF join and beside Feast, and windowed features. CPU seconds.

Every side runs in a process of its own and begins with its data in memory, except Feast, which reads its file itself: what reading that
file takes is measured there and taken off. ``python -m bench.features_speed VERB FOLDER SHAPE`` is such a process; it prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench import features_data as data
from bench.goal import Goal, at_least, at_most
from bench.peers import apart, environment

TTL = 30 * data.DAY
ASOF = """
SELECT q.nr, {} FROM questions q ASOF LEFT JOIN events e ON q.customer_id = e.customer_id AND e.known_at < q.moment
"""


def cpu() -> float:
    """CPU seconds of this process and its children so far, user and system."""
    return sum(os.times()[:4])


def best(of: int, work: Callable[[], pa.Table]) -> tuple[float, pa.Table]:
    """The least CPU seconds of some runs, and what the last one gave."""
    took = []
    for _ in range(of):
        began = cpu()
        found = work()
        took.append(cpu() - began)
    return min(took), found


def ours(folder: Path, shape: str) -> dict[str, Any]:
    """The lookup as training does it."""
    from everloop.features.compile import features

    events, asked = pq.read_table(folder / f"{shape}-clean.parquet"), pq.read_table(folder / f"{shape}-questions.parquet")
    took, found = best(3, lambda: features(data.LOOKUP, asked, {"purchases": events}, model=data.model))
    return {"cpu": took, "rows": found.num_rows, "sums": [float(pc.sum(column).as_py()) for column in found.columns]}


def raw(folder: Path, shape: str) -> dict[str, Any]:
    """The join alone, as DuckDB does it."""
    events = pq.read_table(folder / f"{shape}-clean.parquet", columns=["customer_id", "known_at", *data.VALUES])
    asked = pq.read_table(folder / f"{shape}-questions.parquet")
    asked = asked.append_column("nr", pa.array(range(asked.num_rows), pa.int64()))
    shown = ", ".join(f"CASE WHEN e.known_at >= q.moment - {TTL} THEN e.{column} END AS {column}" for column in data.VALUES)

    def work() -> pa.Table:
        engine = duckdb.connect(config={"threads": 2})
        engine.register("events", events)
        engine.register("questions", asked)
        return engine.sql(ASOF.format(shown)).to_arrow_table()

    took, found = best(3, work)
    return {"cpu": took, "rows": found.num_rows, "sums": [float(pc.sum(found[column]).as_py()) for column in data.VALUES]}


def windowed(folder: Path, shape: str) -> dict[str, Any]:
    """Six verbs in three windows, of rows some of which are late, corrected and deleted."""
    from everloop.features.compile import features

    events, asked = pq.read_table(folder / f"{shape}.parquet"), pq.read_table(folder / f"{shape}-questions.parquet")
    took, found = best(2, lambda: features(data.WINDOWED, asked, {"purchases": events}, model=data.model))
    return {"cpu": took, "rows": found.num_rows, "columns": found.num_columns}


def for_feast(folder: Path) -> None:
    """The clean purchases as Feast reads them."""
    for shape in ("wide", "deep"):
        table = pq.read_table(folder / f"{shape}-clean.parquet", columns=["customer_id", "known_at", *data.VALUES])
        stamped = table.append_column("event_timestamp", table["known_at"].cast(pa.timestamp("us", "UTC"))).drop_columns(["known_at"])
        pq.write_table(stamped, folder / f"{shape}-feast.parquet")


def beside(module: str, *words: str) -> dict[str, Any]:
    """What a process of our own prints."""
    return said([sys.executable, "-m", module, *words], None)


def feast(*words: str) -> dict[str, Any]:
    """What Feast's side prints, in its own environment."""
    return said([str(environment("feast")), "-W", "ignore", str(Path(__file__).with_name("feast_side.py")), *words], apart())


def said(command: list[str], env: dict[str, str] | None) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def lookup(folder: Path) -> Iterator[Goal]:
    """Both shapes, each side after the other."""
    for_feast(folder)
    wide, deep = ({name: run(str(folder), shape) for name, run in _SIDES.items()} for shape in ("wide", "deep"))
    said_wide, said_deep = (", ".join(f"{name} {of[name]['cpu']:.2f}" for name in _SIDES) + " CPU s" for of in (wide, deep))
    ratio = wide["ours"]["cpu"] / wide["raw"]["cpu"]
    yield at_most("point-in-time lookup over a raw ASOF join, 10k keys", ratio, 1.5, "times", said_wide)
    ratio = deep["ours"]["cpu"] / deep["raw"]["cpu"]
    yield at_most("point-in-time lookup over a raw ASOF join, 1k keys", ratio, 1.5, "times", said_deep)
    ratio = wide["feast"]["cpu"] / wide["ours"]["cpu"]
    yield at_least("Feast on DuckDB over our lookup, 10k keys", ratio, 2, "times", f"{said_wide}; its file read for free")
    ratio = deep["feast"]["cpu"] / deep["ours"]["cpu"]
    yield at_least("Feast on DuckDB over our lookup, 1k keys", ratio, 10, "times", f"{said_deep}; its file read for free")
    apart_by = max(_apart(found["ours"], found[name]) for found in (wide, deep) for name in ("raw", "feast"))
    yield at_most("lookups, largest difference of a column's sum", apart_by, 1e-6, "", "all rows of all sides, both shapes")


_SIDES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "ours": lambda folder, shape: beside("bench.features_speed", "ours", folder, shape),
    "raw": lambda folder, shape: beside("bench.features_speed", "raw", folder, shape),
    "feast": lambda folder, shape: feast("lookup", folder, shape),
}


def _apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    rows = abs(one["rows"] - other["rows"])
    return float(rows + max(abs(a - b) for a, b in zip(one["sums"], other["sums"], strict=True)))


def speed() -> Iterator[Goal]:
    """The lookup, then the windows."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data.write(folder)
        yield from lookup(folder)
        late = "of 1M rows 3 % late, 1 % corrected, 0.2 % deleted"
        wide, deep = (beside("bench.features_speed", "windowed", str(folder), shape) for shape in ("wide", "deep"))
        yield at_most("18 windowed features of 100k rows, 10k keys", wide["cpu"], 5, "CPU s", late)
        yield at_most("18 windowed features of 100k rows, 1k keys", deep["cpu"], 12, "CPU s", late)


if __name__ == "__main__":
    print(json.dumps({"ours": ours, "raw": raw, "windowed": windowed}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])))
