"""What a profile costs: a million rows of twenty columns a side, beside Evidently; and ten million of fifty, from a Parquet file."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.goal import Goal, at_least, at_most
from bench.monitor_parity import evidently
from everloop.monitor.drift import moved
from everloop.monitor.profile import profile, profile_of
from everloop.monitor.spec import describe

ROWS, NUMBERS, NAMES = 1_000_000, 16, 4
MANY, WIDE, GROUP = 10_000_000, 50, 500_000
ROOM = 6 * 10**9  # bytes the files of the last goal take on the disk


def speed() -> Iterator[Goal]:
    """A million rows a side; ours in this process, theirs in another, the same files."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {side: made(seed, ROWS) for seed, side in ((51, "reference"), (52, "current"))}
        for side, table in sides.items():
            pq.write_table(table, f"{folder}/{side}.parquet")
        before = time.process_time()
        spec = describe(sides["reference"])
        old = profile(spec, sides["reference"])
        learnt = time.process_time() - before
        before = time.process_time()
        new = profile(spec, sides["current"])
        window = time.process_time() - before
        before = time.process_time()
        for _ in range(10):
            moved(old, new)
        compared = (time.process_time() - before) / 10
        theirs = {method: evidently("speed", folder, method) for method in ("preset", "psi")}
    ours = learnt + window + compared
    yield at_most(
        "CPU of a profile, a million rows of twenty columns",
        max(learnt, window),
        1.0,
        "s",
        f"bins and all {learnt:.2f}, a window {window:.2f}",
    )
    for name, least in (("preset", 50.0), ("psi", 25.0)):
        used = theirs[name]
        beside = f"{used['cpu']:.0f} s and {used['peak'] / 1e9:.1f} GB against {ours:.2f} s"  # type: ignore[str-format]
        if name == "preset":
            yield at_least("Evidently's CPU over ours, its default preset", used["cpu"] / ours, least, "times", beside)  # type: ignore[operator]
        else:
            yield at_least("Evidently's CPU over ours, its PSI", used["cpu"] / ours, least, "times", beside)  # type: ignore[operator]
    wide = {f"n{i}": np.random.default_rng(i).normal(0, 1, 5_000) for i in range(WIDE)}
    spec = describe(wide)
    one = profile(spec, wide)
    before = time.process_time()
    for _ in range(10):
        moved(one, one)
    yield at_most("all distances of two profiles of fifty features", (time.process_time() - before) * 100, 10, "ms")


def made(seed: int, rows: int) -> pa.Table:
    """Numbers of four shapes and names of fifty kinds."""
    rng = np.random.default_rng(seed)
    shapes = (
        rng.standard_normal,
        lambda n: rng.lognormal(0, 1, n),
        lambda n: rng.exponential(1, n),
        lambda n: rng.integers(0, 40, n).astype(float),
    )
    kinds = np.array([f"kind {i}" for i in range(50)])
    numbers = {f"n{i}": shapes[i % 4](rows) for i in range(NUMBERS)}
    return pa.table(numbers | {f"k{i}": kinds[rng.integers(0, 50, rows)] for i in range(NAMES)})


def files() -> Iterator[Goal]:
    """Ten million rows of fifty columns in one Parquet file, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        if os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize < ROOM:
            raise OSError(f"{folder} has less than 6 GB free; the goal about ten million rows needs them.")
        rng, written = np.random.default_rng(53), None
        for _ in range(MANY // GROUP):
            part = pa.table({f"n{i}": rng.standard_normal(GROUP) for i in range(WIDE)})
            written = written or pq.ParquetWriter(path, part.schema, compression="snappy", use_dictionary=False)
            written.write_table(part, row_group_size=GROUP // 5)
        assert written is not None
        written.close()
        size = path.stat().st_size
        done = subprocess.run([sys.executable, "-m", "bench.monitor_speed", str(path)], capture_output=True, text=True, check=True)
    used = json.loads(done.stdout.splitlines()[-1])
    beside = f"bins and all; reading the file alone {used['reading']:.1f} s, {size / 1e9:.1f} GB"
    yield at_most("CPU of ten million rows of fifty columns, Parquet", used["cpu"], 30, "s", beside)
    yield at_most("the most memory that took", used["peak"] / 1e9, 1.5, "GB")


def counted(path: str) -> dict[str, float]:
    """What one pass over a file costs, its bins made from the first million rows; and what reading it alone does."""

    def batches() -> Iterator[pa.RecordBatch]:
        # Row group by row group: by itself it would read ahead, and hold, all of the file.
        return pq.ParquetFile(path, pre_buffer=False).iter_batches(batch_size=65_536, use_threads=False)

    before = time.process_time()
    for _ in batches():
        pass
    reading = time.process_time() - before
    before = time.process_time()
    some = pa.Table.from_batches([batch for batch, _ in zip(batches(), range(2), strict=False)])
    found = profile_of(describe(some), batches())
    used = time.process_time() - before
    assert found.rows == MANY
    return {"cpu": used, "reading": reading, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


if __name__ == "__main__":
    print(json.dumps(counted(sys.argv[1])))
