"""The same work on every executor, also with one killed: models of a thousand products, a profile of 20M rows, a training set, trials.

Each side is a process of its own that says what it made as hashes. Ray has two nodes (127.0.0.2 and 127.0.0.3), Dask two workers, each of
one core. Made-up, seeded.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bench.goal import Goal, at_most
from everloop import Model, Source, days, every
from everloop.features.as_of import as_of
from everloop.features.cut import cut_of, cut_up
from everloop.features.parts import as_of_parts
from everloop.features.reader import literal
from everloop.monitor.profile import Profile, profile_of
from everloop.monitor.spec import Spec, describe
from everloop.project.conditions import search
from everloop.testing.clusters import Cluster, dask_cluster, ray_cluster
from everloop.training.each import Each
from everloop.training.executor import Executor, Serial, doing
from everloop.training.trials import Attempt, Score
from everloop.training.tune import Search, searched

PRODUCTS, ROWS_EACH, FILES, ROWS, EVENTS, TRIALS = 1_000, 30, 20, 1_000_000, 100_000, 40
END: Final = datetime(2026, 10, 26, tzinfo=UTC)
DAY: Final = 86_400_000_000
KILL_AFTER: Final = 6
"""A node is killed once so many pieces were begun, on both nodes; a process at this piece."""


def unlearnt(rows: object) -> object:
    """Nobody learns here: what is measured is the training set."""
    return rows


orders = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int})
DEMAND = Model(
    "demand",
    predicts=orders.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(7), at="00:00", zone="UTC"),
    knows=[orders.total("quantity", last=[days(7), days(28)]), orders.count(last=days(28)), orders.latest("at")],
    learner=unlearnt,
)


def scale() -> Iterator[Goal]:
    """What comes out is the same wherever it was done, and whoever died meanwhile."""
    with tempfile.TemporaryDirectory(prefix="everloop-scale-") as folder:
        made_up_files(Path(folder))
        here = _side(folder, "serial")
        sides = {"processes": _side(folder, "processes"), "processes, one killed": _side(folder, "processes", killed=True)}
        for name, begun in (("Ray", ray_cluster), ("Dask", dask_cluster)):
            with begun(2) as cluster:
                sides[name] = _side(folder, cluster.url, cluster)
            with begun(2) as cluster:
                sides[f"{name}, a node killed"] = _side(folder, cluster.url, cluster, killed=True)
    took = ", ".join(f"{name} {side['models_seconds']:.1f}" for name, side in {"serial": here, **sides}.items())
    yield at_most("models of 1,000 products: executors that differ", _differing(here, sides, "models"), 0, f"of {len(sides)}", f"s: {took}")
    took = ", ".join(f"{name} {side['profile_seconds']:.1f}" for name, side in {"serial": here, **sides}.items())
    yield at_most("profile of 20M rows: executors that differ", _differing(here, sides, "profile"), 0, f"of {len(sides)}", f"s: {took}")
    took = ", ".join(f"{name} {side['training_seconds']:.1f}" for name, side in {"one piece": here, **sides}.items())
    differing = _differing(here, sides, "training")
    yield at_most("training set by parts: executors whose bytes differ", differing, 0, f"of {len(sides)}", f"{EVENTS:,} events; s: {took}")
    dead = {name: side for name, side in sides.items() if "killed" in name}
    again = ", ".join(f"{name}: {side['begun'] - side['pieces']:.0f} of {side['pieces']:.0f} begun again" for name, side in dead.items())
    unhurt = sum(side["begun"] <= side["pieces"] for side in dead.values())
    yield at_most("kills in the middle that hit nothing, so that nothing was proven", unhurt, 0, f"of {len(dead)}", again)
    beside = f"{FILES} Parquet files by DuckDB, three columns, one process; by the clock {here['profile_seconds']:.1f} s"
    yield at_most("profile of 20M rows on DuckDB, CPU seconds", here["profile_cpu_seconds"], 3.0, "s", beside)
    yield at_most("profile of 20M rows on DuckDB, memory", here["profile_gigabytes"], 1.5, "GB", "peak of a process that does nothing else")
    seconds = {name: side["trials_seconds"] for name, side in {"serial": here, **sides}.items()}
    beside = ", ".join(f"{name} {seconds[name]:.1f}" for name in ("serial", "processes", "Dask"))
    yield at_most("40 trivial trials over Ray", seconds["Ray"], 5.0, "s", beside)


def _differing(here: Mapping[str, Any], sides: Mapping[str, Mapping[str, Any]], what: str) -> int:
    return sum(side[what] != here[what] for side in sides.values())


def _side(folder: str, url: str, cluster: Cluster | None = None, *, killed: bool = False) -> dict[str, Any]:
    """What one executor made, in a process of its own; ``killed``: a node (or a process) is, while models are learnt."""
    # Executors give each piece one thread; the side that does all in one process has one, too.
    env = os.environ | {"OMP_NUM_THREADS": "1"} | (dict(cluster.environment) if cluster is not None else {})
    with tempfile.TemporaryDirectory() as begun:
        command = [sys.executable, "-m", "bench.workers_scale", url, folder, begun, *(["kill"] if killed and cluster is None else [])]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as side:
            while killed and cluster is not None and side.poll() is None:
                there = os.listdir(begun)
                if len(there) >= KILL_AFTER and len({name.split("-")[0] for name in there}) == 2:
                    cluster.kill(len(cluster.nodes) - 1)
                    break
                time.sleep(0.05)
            assert side.stdout is not None
            said = side.stdout.read()
        if side.returncode:
            raise RuntimeError(f"The side of {url} ended with {side.returncode}.")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


# -- one side --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noting:
    """An executor that leaves a file for each piece begun; ``kill``: the sixth takes its own process with it, the first time."""

    executor: Executor
    folder: str
    kill: bool = False

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return self.executor.map(partial(_noted, fn, self.folder, self.kill), items)


def _noted(fn: Callable[[Any], Any], folder: str, kill: bool, item: Any) -> Any:
    # The parent of whoever does it is the node: a raylet, a nanny, this process.
    (Path(folder) / f"{os.getppid()}-{uuid.uuid4().hex}").touch()
    if kill and len(os.listdir(folder)) == KILL_AFTER:
        os.kill(os.getpid(), 9)
    return fn(item)


def side(url: str, folder: str, begun: str, kill: bool) -> dict[str, Any]:
    """Everything on one executor, as hashes and seconds."""
    executor = _executor(url)
    executor.map(abs, range(8))  # what it takes to be there is not what is measured
    spec = describe(made_up_rows(0, 100_000))
    began = time.process_time()
    profile, profile_seconds = _timed(lambda: profiled(executor, spec, Path(folder)))
    profile_cpu_seconds = time.process_time() - began
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    trials, trials_seconds = _timed(lambda: tried(executor))
    models, models_seconds = _timed(lambda: modelled(Noting(executor, begun, kill)))
    training, training_seconds = _timed(lambda: put_together(executor))
    return {
        "profile": profile, "profile_seconds": profile_seconds, "profile_cpu_seconds": profile_cpu_seconds,
        "profile_gigabytes": gigabytes, "trials": trials,
        "trials_seconds": trials_seconds, "models": models, "models_seconds": models_seconds, "training": training,
        "training_seconds": training_seconds, "pieces": -(-(PRODUCTS + 1) // 20), "begun": len(os.listdir(begun)),
    }  # fmt: skip


def modelled(executor: Executor) -> str:
    """The hash of what a model of each product, and one of all, answer."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    rows = np.column_stack([np.repeat(np.arange(PRODUCTS), ROWS_EACH), rng.normal(size=(PRODUCTS * ROWS_EACH, 5))]).astype(np.float64)
    truth = rows[:, 1] * (rows[:, 0] % 7) + np.abs(rows[:, 2]) + rng.normal(size=len(rows))
    learner = Each(HistGradientBoostingRegressor(max_iter=8, min_samples_leaf=5, random_state=0), by=0)
    with doing(executor):
        return hashlib.sha256(np.ascontiguousarray(learner.fit(rows, truth).predict(rows)).tobytes()).hexdigest()


def profiled(executor: Executor, spec: Spec, folder: Path) -> str:
    """The hash of the profile of all files together, each counted where it is read."""
    partials = executor.map(partial(counted, spec), sorted(map(str, folder.glob("*.parquet"))))
    return hashlib.sha256(json.dumps(reduce(add, partials).to_plain(), sort_keys=True).encode()).hexdigest()


def counted(spec: Spec, file: str) -> Profile:
    """The profile of one file, never in memory whole."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "500MB"}) as engine:
        rows = engine.sql(f"SELECT {', '.join(spec.features)} FROM read_parquet({literal(file)})")
        return profile_of(spec, rows.to_arrow_reader(65_536))


def tried(executor: Executor) -> str:
    """The best of so many trivial trials."""
    given = Search(
        tune=search(TRIALS, x=(0.0, 1.0), y=(0.0, 1.0)), folds=1, measure="mae", seed=0, executor=executor, attempt=trivial,
        spoken=abs, keep=lambda done: None, money=float, told=lambda trials: None,
    )  # fmt: skip
    return json.dumps(searched(given).settings, sort_keys=True)


def trivial(attempt: Attempt) -> Score:
    return Score((attempt.places.get("x", 1.0) - 0.3) ** 2 + attempt.places.get("y", 1.0), 0.0, 0.0)


def put_together(executor: Executor) -> str:
    """The hash of a training set's bytes: in one piece where everything is done here, else by parts."""
    tables, bodies = {"orders": made_up_events()}, list[bytes]()
    words: dict[str, Any] = {"now": END, "id": "scale", "save": lambda body: bodies.append(body) or "body"}
    if isinstance(executor, Serial):
        as_of(DEMAND, tables, **words)
    else:
        cut = cut_of(DEMAND, 8)
        assert cut is not None
        as_of_parts(DEMAND, cut, cut_up(DEMAND, cut, tables), mapped=executor.map, **words)
    return hashlib.sha256(bodies[0]).hexdigest()


def _executor(url: str) -> Executor:
    if url == "serial":
        return Serial()
    if url == "processes":
        from everloop.training.processes import Processes

        return Processes(2)
    if url.startswith("dask"):
        from everloop.connect.dask import Dask

        return Dask(url)
    from everloop.connect.ray import Ray

    return Ray(url)


def _timed(work: Callable[[], str]) -> tuple[str, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


# -- made up ---------------------------------------------------------------------------------------------------------------------------


def made_up_rows(seed: int, rows: int) -> pa.Table:
    """Answers as they are profiled: a number, a price with empty ones, a category."""
    rng = np.random.default_rng(seed)
    price = np.round(rng.gamma(2.0, 15.0, rows), 2)
    words = pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, 50, rows).astype(np.int8)), pa.array([f"kind {n}" for n in range(50)]))
    return pa.table({"answer": rng.normal(size=rows), "price": pa.array(price, mask=price < 2), "kind": words.cast(pa.string())})


def made_up_files(folder: Path) -> None:
    import pyarrow.parquet as pq

    for number in range(FILES):
        pq.write_table(made_up_rows(number, ROWS), folder / f"part-{number:02d}.parquet")


def made_up_events() -> pa.Table:
    """A year of order lines of two thousand products, some of them said twice."""
    rng = np.random.default_rng(1)
    at = np.sort(rng.integers(0, 364 * DAY, EVENTS)) + int(END.timestamp()) * 1_000_000 - 364 * DAY
    ids = np.arange(EVENTS)
    ids[EVENTS // 2 :: 50] -= 40
    first = np.unique(ids, return_index=True)[1]
    version = np.ones(EVENTS, dtype=np.int64)
    version[first] = 0
    columns = {
        "seq": np.arange(1, EVENTS + 1), "id": pa.array([f"l{n}" for n in ids]), "version": version, "event_at": at, "known_at": at,
        "deleted": np.zeros(EVENTS, dtype=bool), "line_id": pa.array([f"l{n}" for n in ids]), "at": at,
        "product_id": pa.array([f"p{n}" for n in rng.integers(0, 2_000, EVENTS)]), "quantity": rng.integers(1, 5, EVENTS),
    }  # fmt: skip
    return pa.table(columns)


if __name__ == "__main__":
    print(json.dumps(side(*sys.argv[1:4], kill="kill" in sys.argv[4:])), flush=True)
    os._exit(0)  # a cluster whose node was killed may keep who leaves it waiting
