"""Killed between any two commits, and several processes at once: every row once, numbers without a gap."""

import signal
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from everloop import Source
from everloop.lake import ingest, open_lake, read_source, receive, seal

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source("orders", id="line_id", time="at", columns={"quantity": int})

CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from everloop import Source
from everloop.lake import ingest, open_lake, receive, seal

folder, doomed, what, name = sys.argv[1:]
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source("orders", id="line_id", time="at", columns={"quantity": int})

def pause(moment):
    if moment == doomed:
        os.kill(os.getpid(), signal.SIGKILL)

lake = open_lake(folder + "/lake", pause=pause)
if what == "file":
    ingest(lake, orders, folder + "/orders.parquet", now=NOON)
elif what == "events":
    receive(lake, orders, [{"line_id": f"l{n}", "at": NOON, "quantity": n} for n in range(50)], now=NOON)
    seal(lake, orders)
else:
    for n in range(40):
        receive(lake, orders, [{"line_id": line, "at": NOON, "quantity": n} for line in (f"{name}{n}", f"both{n}")], now=NOON)
        if n % 10 == 9:
            seal(lake, orders)
"""


def child(folder, doomed, what, name=""):
    return subprocess.Popen([sys.executable, "-c", CHILD, str(folder), doomed, what, name])


MOMENTS = ["arrived, not committed", "committed", "not sealed", "sealed, still hot", "let go"]


@pytest.mark.parametrize("what", ["events", pytest.param("file", marks=pytest.mark.slow)])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_between_two_commits_every_row_is_there_once(tmp_path, moment, what):
    rows = 50 if what == "events" else 21_000
    table = pa.table({"line_id": [f"l{n}" for n in range(rows)], "at": [NOON] * rows, "quantity": range(rows)})
    parquet.write_table(table, tmp_path / "orders.parquet")
    assert child(tmp_path, moment, what).wait(60) == -signal.SIGKILL
    lake = open_lake(tmp_path / "lake")
    there = read_source(lake, orders).num_rows
    assert there == (0 if moment == MOMENTS[0] else rows)
    if what == "events":
        receive(lake, orders, [{"line_id": f"l{n}", "at": NOON, "quantity": n} for n in range(rows)], now=NOON)
    else:
        ingest(lake, orders, tmp_path / "orders.parquet", now=NOON)
    seal(lake, orders)
    kept = read_source(lake, orders)
    assert kept.column("seq").to_pylist() == list(range(1, rows + 1))
    assert sorted(kept.column("quantity").to_pylist()) == list(range(rows))
    assert lake.tables.rows("events/orders") == rows
    assert list(lake.log.beside.glob("*.arrow")) == []


def test_a_sealer_that_never_reads_the_marker_seals_twice(tmp_path, monkeypatch):
    """The mutant the test above is there for."""
    table = pa.table({"line_id": ["a"], "at": [NOON], "quantity": [1]})
    lake = open_lake(tmp_path / "lake", pause=_dies_when_sealed)
    with pytest.raises(KeyboardInterrupt):
        receive(lake, orders, table, now=NOON)
        seal(lake, orders)
    again = open_lake(tmp_path / "lake")
    with monkeypatch.context() as mutant:
        mutant.setattr("deltalake.DeltaTable.transaction_version", lambda *_: 0)
        seal(again, orders)
    assert again.tables.rows("events/orders") == 2


def _dies_when_sealed(moment):
    if moment == "sealed, still hot":
        raise KeyboardInterrupt


def test_several_processes_may_receive_and_seal_at_once(tmp_path):
    children = [child(tmp_path, "never", "many", name) for name in "ab"]
    assert [c.wait(120) for c in children] == [0, 0]
    lake = open_lake(tmp_path / "lake")
    kept = read_source(lake, orders)
    assert kept.column("seq").to_pylist() == list(range(1, 121))
    assert sorted(kept.column("id").to_pylist()) == sorted(f"{name}{n}" for name in ("a", "b", "both") for n in range(40))
    assert (np.diff(kept.column("known_at").to_numpy()) > 0).all()
