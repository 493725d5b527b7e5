"""Feast's side of the features bench. Runs in Feast's own environment, imports nothing of ours, prints one line of JSON.

``feast_side.py lookup FOLDER SHAPE`` joins by point in time from the Parquet files there; ``online FOLDER`` reads 50 features of one,
ten and a hundred customers from SQLite; ``losses FOLDER`` puts a few rows through the default stores and says what came out.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")
os.environ["FEAST_USAGE"] = "False"

import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: E402
from feast.types import Float64  # noqa: E402

VALUES = ("v0", "v1", "v2", "v3", "v4")
VIEWS, WIDTH, CUSTOMERS = 5, 10, 10_000
RUNS = {1: 2000, 10: 500, 100: 60}


def cpu() -> float:
    """CPU seconds of this process and its children so far, user and system."""
    return sum(os.times()[:4])


def opened(folder: Path, offline: str) -> FeatureStore:
    """A feature store whose registry and online store are files in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": offline},
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
        )
    )


def customer() -> Entity:
    return Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)


def view(name: str, path: Path, columns: tuple[str, ...] | list[str], ttl: timedelta) -> FeatureView:
    source = FileSource(name=f"{name}_file", path=str(path), timestamp_field="event_timestamp")
    fields = [Field(name=column, dtype=Float64) for column in columns]
    return FeatureView(name=name, entities=[customer()], ttl=ttl, schema=fields, source=source, online=True)


def lookup(folder: Path, shape: str) -> dict[str, Any]:
    """The join by point in time on DuckDB, and what reading its file alone takes; the better of two."""
    path = folder / f"{shape}-feast.parquet"
    store = opened(folder / f"feast-{shape}", "duckdb")
    store.apply([customer(), view("values", path, VALUES, timedelta(days=30))])
    asked = pq.read_table(folder / f"{shape}-questions.parquet")
    stamps = pd.to_datetime(asked["moment"].to_numpy(), unit="us", utc=True)
    entities = pd.DataFrame({"customer_id": asked["customer_id"].to_pandas(), "event_timestamp": stamps})
    loads, works = [], []
    for _ in range(2):
        began = cpu()
        duckdb.connect(config={"threads": 2}).execute(f"SELECT * FROM '{path}'").to_arrow_table()
        loads.append(cpu() - began)
        began = cpu()
        found = store.get_historical_features(entities, [f"values:{column}" for column in VALUES]).to_arrow()
        works.append(cpu() - began)
    sums = [float(pa.compute.sum(found[column]).as_py()) for column in VALUES]
    return {"cpu": min(works) - min(loads), "load": min(loads), "rows": found.num_rows, "sums": sums}


def online(folder: Path) -> dict[str, Any]:
    """Milliseconds of reading 50 features of 5 views, and of one view, by how many customers at a time."""
    store = opened(folder / "feast-online", "duckdb")
    stamp = datetime.now(UTC) - timedelta(hours=1)
    frames = {f"view{i}": [f"f{i}_{j}" for j in range(WIDTH)] for i in range(VIEWS)} | {"all": [f"g{j}" for j in range(VIEWS * WIDTH)]}
    random_values = np.random.default_rng(3)
    views = []
    for name, columns in frames.items():
        frame = pd.DataFrame({column: random_values.normal(size=CUSTOMERS) for column in columns})
        frame.insert(0, "customer_id", [f"c{i}" for i in range(CUSTOMERS)])
        frame.insert(1, "event_timestamp", pd.Timestamp(stamp))
        path = folder / f"{name}-online.parquet"
        frame.to_parquet(path)
        views.append(view(name, path, columns, timedelta(days=30)))
    store.apply([customer(), *views])
    began = time.perf_counter()
    for name in frames:
        store.write_to_online_store(name, pd.read_parquet(folder / f"{name}-online.parquet"))
    found: dict[str, Any] = {"write_seconds": time.perf_counter() - began}
    for shape, names in (("five", [n for n in frames if n != "all"]), ("one", ["all"])):
        wanted = [f"{name}:{column}" for name in names for column in frames[name]]
        found[shape] = {str(batch): timed(store, wanted, batch, runs) for batch, runs in RUNS.items()}
    return found


def timed(store: FeatureStore, wanted: list[str], batch: int, runs: int) -> dict[str, float]:
    """Milliseconds of a read with statuses and timestamps: the median and the slowest in a hundred."""
    rng, took = random.Random(batch), []
    for run in range(runs + 20):
        rows = [{"customer_id": f"c{rng.randrange(CUSTOMERS)}"} for _ in range(batch)]
        began = time.perf_counter()
        response = store.get_online_features(wanted, rows)
        if run >= 20:
            took.append((time.perf_counter() - began) * 1e3)
        assert len(response.proto.results) == len(wanted) + 1
        assert len(response.proto.results[-1].statuses) == batch
    return {"p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99))}


def losses(folder: Path) -> dict[str, Any]:
    """A few rows through the default stores: dask offline, SQLite online."""
    now = pd.Timestamp(datetime.now(UTC)).floor("s")
    path = folder / "few.parquet"
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "event_timestamp": [now - timedelta(days=9), now - timedelta(days=2), now - timedelta(days=60)],
            "v0": [1.0, 2.0, 3.0],
        }
    )
    rows.to_parquet(path)
    store = opened(folder / "feast-few", "dask")
    store.apply([customer(), view("few", path, ["v0"], timedelta(days=30))])
    # Of five questions two find something; one only what is past its time, one something only later, one is about nobody.
    asked = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "a", "nobody"],
            "event_timestamp": [now, now - timedelta(days=5), now, now - timedelta(days=80), now],
        }
    )
    kept = store.get_historical_features(asked, ["few:v0"]).to_df()
    wanted = ["few:v0"]

    def put(name: str, value: float, ago: timedelta) -> None:
        store.write_to_online_store("few", pd.DataFrame({"customer_id": [name], "event_timestamp": [now - ago], "v0": [value]}))

    put("o", 10.0, timedelta(0))
    put("o", 3.0, timedelta(hours=5))
    put("old", 4.0, timedelta(days=60))
    served = store.get_online_features(wanted, [{"customer_id": "o"}, {"customer_id": "old"}])
    values, statuses = served.to_dict()["v0"], served.proto.results[-1].statuses
    # What was restated today of an event of nine days ago is read by a question of five days ago.
    restated = folder / "restated.parquet"
    again = pd.DataFrame({"customer_id": ["a"], "event_timestamp": [now - timedelta(days=9)], "v0": [1e9]})
    pd.concat([rows, again]).to_parquet(restated)
    other = opened(folder / "feast-restated", "dask")
    other.apply([customer(), view("few", restated, ["v0"], timedelta(days=30))])
    seen = other.get_historical_features(asked.iloc[[1]], wanted).to_df()["v0"].tolist()
    return {
        "asked": len(asked),
        "kept": len(kept),
        "newer": 10.0,
        "served": values[0],
        "expired": values[1],
        "status": statuses[1],
        "restated": seen,
    }


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    done = {"lookup": lookup, "online": online, "losses": losses}[verb](Path(words[0]), *words[1:])
    print(json.dumps(done))
