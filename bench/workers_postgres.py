"""Postgres beside SQLite: how long a row takes to be kept, how many are kept a second, and how long 100 keys take to be read.

Both on this machine, both waiting for the disk (``durability="group"``; Postgres with fsync on, over its socket). A house on a server
elsewhere adds one round trip of its network for each statement.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench.goal import Goal, at_least, at_most
from everloop import Source
from everloop.connect.postgres import PostgresLog
from everloop.connect.postgres_online import PostgresState
from everloop.features.store import Changes, Mark, Packed
from everloop.features.tiles import Tiles
from everloop.lake.place import Lake, open_lake
from everloop.lake.receive import receive
from everloop.testing.postgres_server import postgres_server

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ORDERS = Source("orders", id="line_id", columns={"product_id": str, "quantity": int, "price": float})
KEYS, BODY = 10_000, 300


def postgres() -> Iterator[Goal]:
    """Arrivals and reads, each beside the same on SQLite."""
    with tempfile.TemporaryDirectory() as name, postgres_server(fsync="on") as server:
        folder = Path(name)
        here = open_lake(folder / "here" / "lake", durability="group")
        there = open_lake(folder / "there" / "lake", PostgresLog(server.url, "group"))
        one_here, one = (single(lake) for lake in (here, there))
        yield at_most("one row kept on Postgres p50", one, 10, "ms", f"SQLite {one_here:.2f} ms")
        many_here, many = (together(lake) for lake in (here, there))
        yield at_least("rows kept a second on Postgres, 500 at a time", many, 10_000, "rows/s", f"SQLite {many_here:,.0f} rows/s")
        assert isinstance(there.log, PostgresLog)
        state = PostgresState(there.log)
        with state.writing() as tiles:
            tiles.put(packed())
        tiles_here = Tiles(sqlite3.connect(folder / "tiles.db"))
        tiles_here.put(packed())

        def read() -> None:
            with state.reading() as tiles:
                tiles.read(["s"], some())

        p99 = spread(read)
        p99_here = spread(lambda: tiles_here.read(["s"], some()))
        yield at_most("batch of 100 keys read on Postgres p99", p99, 5, "ms", f"SQLite {p99_here:.2f} ms")
        there.log.close()


def rows(first: int, count: int) -> list[dict[str, object]]:
    """So many orders, of which no two have one id."""
    return [{"line_id": f"l{n}", "product_id": f"p{n % 97}", "quantity": n % 5, "price": n / 7} for n in range(first, first + count)]


def single(lake: Lake, times: int = 300) -> float:
    """The median of how long one row takes, in milliseconds."""
    took = []
    for n in range(times):
        began = time.perf_counter()
        receive(lake, ORDERS, rows(n, 1)[0], now=NOON + timedelta(seconds=n))
        took.append(time.perf_counter() - began)
    return float(np.median(took)) * 1e3


def together(lake: Lake, times: int = 40, count: int = 500) -> float:
    """How many rows are kept a second, ``count`` in each transaction."""
    began = time.perf_counter()
    for n in range(times):
        receive(lake, ORDERS, rows(100_000 + n * count, count), now=NOON + timedelta(hours=1, seconds=n))
    return times * count / (time.perf_counter() - began)


def packed() -> Changes:
    """Packed rows of many keys."""
    body = bytes(range(256)) + bytes(BODY - 256)
    return Changes(packed={("s", f"k{n}"): Packed(1, body) for n in range(KEYS)}, marks={"s": Mark(1, 1)})


_RNG = np.random.default_rng(7)


def some() -> list[tuple[str, str]]:
    """A hundred of them, as requests ask."""
    return [("s", f"k{n}") for n in _RNG.integers(0, KEYS, 100)]


def spread(read: Callable[[], object], times: int = 2_000) -> float:
    """How long 99 of 100 reads take at most, in milliseconds; the first hundred are not counted."""
    took = []
    for _ in range(times + 100):
        began = time.perf_counter()
        read()
        took.append(time.perf_counter() - began)
    return float(np.quantile(took[100:], 0.99)) * 1e3
